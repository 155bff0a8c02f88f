//! Packets under way, first in, first out, in memory that is allocated once.

use std::collections::VecDeque;

/// A packet and when it arrives.
#[derive(Clone, Copy, Debug)]
struct Entry {
    due: u64,
    start: usize,
    len: usize,
}

/// A ring of bytes in which packets lie one after the other, none across its end.
#[derive(Debug)]
pub struct Ring {
    bytes: Box<[u8]>,
    entries: VecDeque<Entry>,
    most_entries: usize,
    /// Where the next packet goes.
    head: usize,
    longest: usize,
}

impl Ring {
    /// Shortest packet that has to fit in numbers: an IPv4 header with a TCP header.
    const SHORTEST: usize = 40;

    /// Room for `capacity` bytes of packets of at most `longest` bytes.
    pub fn new(capacity: usize, longest: usize) -> Self {
        // What is wasted: less than a packet at the end of the bytes, and one that is never filled.
        let room = capacity + 3 * longest;
        let most_entries = room / Self::SHORTEST;
        Self {
            // Written, so that no page has to be found while packets move.
            bytes: vec![1; room].into_boxed_slice(),
            entries: VecDeque::with_capacity(most_entries),
            most_entries,
            head: 0,
            longest,
        }
    }

    /// Room for the longest packet, or `None` when the ring is full. What is written there counts
    /// only after [`Ring::commit`].
    pub fn slot(&mut self) -> Option<&mut [u8]> {
        if self.entries.len() == self.most_entries {
            return None;
        }
        let Some(oldest) = self.entries.front() else {
            self.head = 0;
            return Some(&mut self.bytes[..self.longest]);
        };
        let tail = oldest.start;
        // Packets lie from the tail up to the head, or from the tail to the end and on from 0 to the
        // head. One byte stays free, so that head and tail meet only when the ring is empty.
        if self.head <= tail {
            if self.head + self.longest >= tail {
                return None;
            }
        } else if self.head + self.longest > self.bytes.len() {
            if self.longest >= tail {
                return None;
            }
            self.head = 0;
        }
        Some(&mut self.bytes[self.head..self.head + self.longest])
    }

    /// Makes the first `len` bytes of the last slot a packet that arrives at `due`.
    pub fn commit(&mut self, len: usize, due: u64) {
        self.entries.push_back(Entry { due, start: self.head, len });
        self.head += len;
    }

    /// When the oldest packet arrives, and its bytes.
    pub fn front(&self) -> Option<(u64, &[u8])> {
        let Entry { due, start, len } = *self.entries.front()?;
        Some((due, &self.bytes[start..start + len]))
    }

    /// Forgets the oldest packet.
    pub fn pop(&mut self) {
        self.entries.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_as_they_went_in_however_the_ring_wraps() {
        let mut ring = Ring::new(1000, 100);
        let mut model: VecDeque<(u64, Vec<u8>)> = VecDeque::new();
        let mut random = 12345_u64;
        let (mut accepted, mut refused) = (0, 0);
        for step in 0..200_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // In long waves, so that it is often full and often empty.
            let grows = (step / 100) % 2 == 0;
            if (random >> 33) % 4 < if grows { 3 } else { 1 } {
                let len = usize::try_from((random >> 40) % 100).expect("small") + 1;
                let filling = u8::try_from(step % 251).expect("small");
                match ring.slot() {
                    Some(slot) => {
                        slot.fill(filling);
                        ring.commit(len, step);
                        model.push_back((step, vec![filling; len]));
                        accepted += 1;
                    }
                    None => refused += 1,
                }
            } else {
                let expected = model.pop_front();
                assert_eq!(ring.front().map(|(due, bytes)| (due, bytes.to_vec())), expected);
                ring.pop();
            }
        }
        assert!(accepted > 50_000 && refused > 1000, "{accepted} {refused}");
    }

    #[test]
    fn it_holds_the_bytes_it_was_made_for() {
        for len in [40, 99, 100] {
            let mut ring = Ring::new(1000, 100);
            let mut held = 0;
            while ring.slot().is_some() {
                ring.commit(len, 0);
                held += len;
            }
            assert!(held >= 1000, "{held} bytes in packets of {len}");
        }
    }
}
