//! When a sender compresses: always, or while it pays.

use core::time::Duration;

/// What the user has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every piece that gets shorter.
    Always,
    /// While pieces get clearly shorter, and the way is slow enough for that to save time.
    Auto,
}

/// Most pieces that are sent as they are before another one is tried.
const MAX_PAUSE: u32 = 64;

/// Decides for each piece of one body. It knows no clock: durations are told to it.
#[derive(Debug)]
pub struct Effort {
    mode: Mode,
    /// Pieces still to be sent as they are.
    skip: u32,
    /// How many it will be after the next piece that does not pay.
    pause: u32,
    /// What a byte costs on its way to the peer, smoothed; `None` before the first.
    wire_ns: Option<f64>,
}

impl Effort {
    /// A body that is about to begin.
    pub fn new(mode: Mode) -> Self {
        Self { mode, skip: 0, pause: 1, wire_ns: None }
    }

    /// Whether the next piece is to be compressed.
    pub fn tries(&mut self) -> bool {
        if self.mode == Mode::Always || self.skip == 0 {
            return true;
        }
        self.skip -= 1;
        false
    }

    /// A piece of `plain_len` bytes was compressed to `coded_len` (the same: not at all) in `took`.
    #[expect(clippy::cast_precision_loss, reason = "lengths of pieces are below 2^21")]
    pub fn tried(&mut self, plain_len: usize, coded_len: usize, took: Duration) {
        if self.mode == Mode::Always {
            return;
        }
        let is_shorter = coded_len * 10 <= plain_len * 9;
        let saved = plain_len.saturating_sub(coded_len) as f64;
        let saves_time = self.wire_ns.is_none_or(|ns| took.as_nanos() as f64 <= ns * saved);
        if is_shorter && saves_time {
            self.pause = 1;
        } else {
            self.skip = self.pause;
            self.pause = (self.pause * 2).min(MAX_PAUSE);
        }
    }

    /// `len` bytes took so long to be handed to the peer. What fits into the system's buffers is
    /// handed over at once; only in the long run is this the speed of the way.
    #[expect(clippy::cast_precision_loss, reason = "lengths of writes are below 2^21")]
    pub fn wrote(&mut self, len: usize, took: Duration) {
        if len == 0 {
            return;
        }
        let ns = took.as_nanos() as f64 / len as f64;
        self.wire_ns = Some(self.wire_ns.map_or(ns, |before| before * 0.75 + ns * 0.25));
    }
}

#[cfg(test)]
mod tests {
    use super::{Effort, MAX_PAUSE, Mode};
    use core::time::Duration;

    const PIECE: usize = 1 << 20;
    const MILLISECOND: Duration = Duration::from_millis(1);

    /// How many of the next `count` pieces are tried, all of which come to `coded_len`.
    fn tried(effort: &mut Effort, count: usize, coded_len: usize, took: Duration) -> usize {
        let mut tries = 0;
        for _ in 0..count {
            if effort.tries() {
                tries += 1;
                effort.tried(PIECE, coded_len, took);
            }
        }
        tries
    }

    #[test]
    fn what_gets_no_shorter_is_tried_less_and_less() {
        let mut effort = Effort::new(Mode::Auto);
        assert!(tried(&mut effort, 1000, PIECE, MILLISECOND) < 25);
        // And tried again in the end, since a stream may change.
        assert!(tried(&mut effort, 2 * MAX_PAUSE as usize, PIECE / 2, MILLISECOND) > 10);
        assert_eq!(tried(&mut effort, 100, PIECE / 2, MILLISECOND), 100);
    }

    #[test]
    fn a_tenth_is_the_least_that_counts() {
        let mut effort = Effort::new(Mode::Auto);
        assert_eq!(tried(&mut effort, 10, PIECE * 9 / 10, MILLISECOND), 10);
        assert!(tried(&mut effort, 10, PIECE * 9 / 10 + 1, MILLISECOND) < 10);
    }

    #[test]
    fn a_fast_way_is_not_slowed_down_and_a_slow_one_made_faster() {
        // 10 ns a byte are 100 MB/s: half of a piece is 5 ms.
        for (ms, count) in [(4, 100), (7, 9)] {
            let mut effort = Effort::new(Mode::Auto);
            effort.wrote(PIECE, Duration::from_nanos(10 * PIECE as u64));
            let tries = tried(&mut effort, 100, PIECE / 2, Duration::from_millis(ms));
            assert!(if ms < 5 { tries == count } else { tries < count }, "{ms}: {tries}");
        }
    }

    #[test]
    fn always_means_always() {
        let mut effort = Effort::new(Mode::Always);
        effort.wrote(PIECE, Duration::ZERO);
        assert_eq!(tried(&mut effort, 100, PIECE, MILLISECOND), 100);
    }
}
