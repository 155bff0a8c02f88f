//! What a link does to a packet: bounded queue, rate, random loss, delay. No input or output: the
//! caller says what time it is.

/// The properties of one direction of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkSettings {
    /// From the end of its transmission until a packet arrives, in nanoseconds.
    pub delay: u64,
    /// Bits a second; IP packets without any framing.
    pub rate: u64,
    /// Bytes that wait for their transmission at most; a packet above that is dropped.
    pub queue: u64,
    /// Nanoseconds of idle time that may be used later: the depth of the token bucket. It makes up
    /// for a thread that looks at its packets in steps, and is far below the delay.
    pub burst: u64,
    /// Probability with which a packet is lost, 0 to 1.
    pub loss: f64,
    /// Where the sequence of losses starts.
    pub seed: u64,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives at this time.
    Arrives(u64),
    /// It was transmitted and lost: it took its part of the rate.
    Lost,
    /// The queue was full.
    Dropped,
}

/// One direction of a link.
#[derive(Debug)]
pub struct Link {
    settings: LinkSettings,
    /// A packet is lost when the next number of the sequence is below this.
    loss_below: u64,
    sequence: u64,
    /// When the transmission of all accepted packets ends.
    busy_until: u64,
}

impl Link {
    /// A link that is idle.
    pub fn new(settings: LinkSettings) -> Self {
        Self {
            settings,
            loss_below: threshold(settings.loss),
            sequence: settings.seed,
            busy_until: 0,
        }
    }

    /// Decides about a packet of `len` bytes that is handed to the link at `now`, which never goes
    /// back.
    pub fn offer(&mut self, now: u64, len: usize) -> Fate {
        let waiting = self.busy_until.saturating_sub(now);
        let taken = self.transmission(len as u64);
        if waiting + taken > self.transmission(self.settings.queue) {
            return Fate::Dropped;
        }
        let start = self.busy_until.max(now.saturating_sub(self.settings.burst));
        self.busy_until = start + taken;
        if self.next_number() < self.loss_below {
            return Fate::Lost;
        }
        Fate::Arrives(self.busy_until.max(now) + self.settings.delay)
    }

    /// Nanoseconds that `bytes` take at the link's rate.
    fn transmission(&self, bytes: u64) -> u64 {
        let nanos = u128::from(bytes) * 8_000_000_000 / u128::from(self.settings.rate);
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    /// `SplitMix64` (Steele, Lea, Flood 2014): every number of 64 bits once in a period.
    fn next_number(&mut self) -> u64 {
        self.sequence = self.sequence.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.sequence;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }
}

/// The number below which a share `probability` of all numbers of 64 bits lies.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the cast saturates, and a probability needs no 64 bits"
)]
fn threshold(probability: f64) -> u64 {
    (probability.clamp(0.0, 1.0) * u64::MAX as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: u64 = 1_000_000;
    /// 1 Mbit/s: 1000 bytes take 8 ms.
    const SLOW: LinkSettings = LinkSettings {
        delay: 50 * MILLI,
        rate: 1_000_000,
        queue: 3000,
        burst: 0,
        loss: 0.0,
        seed: 7,
    };

    #[test]
    fn a_packet_arrives_after_its_transmission_and_the_delay() {
        let mut link = Link::new(SLOW);
        assert_eq!(link.offer(100 * MILLI, 1000), Fate::Arrives(158 * MILLI));
    }

    #[test]
    fn packets_wait_for_each_other_and_leave_at_the_rate() {
        let mut link = Link::new(SLOW);
        let due: Vec<Fate> = (0..3).map(|_| link.offer(0, 1000)).collect();
        assert_eq!(due, [58, 66, 74].map(|milliseconds| Fate::Arrives(milliseconds * MILLI)));
    }

    #[test]
    fn the_queue_takes_exactly_its_bytes() {
        let mut link = Link::new(SLOW);
        assert!((0..3).all(|_| link.offer(0, 1000) != Fate::Dropped));
        assert_eq!(link.offer(0, 1), Fate::Dropped);
        // After 8 ms the first has left.
        assert_eq!(link.offer(8 * MILLI, 1001), Fate::Dropped);
        assert_eq!(link.offer(8 * MILLI, 1000), Fate::Arrives(82 * MILLI));
    }

    #[test]
    fn a_dropped_packet_takes_no_time() {
        let mut link = Link::new(SLOW);
        assert_eq!(link.offer(0, 3001), Fate::Dropped);
        assert_eq!(link.offer(0, 1000), Fate::Arrives(58 * MILLI));
    }

    #[test]
    fn idle_time_counts_later_as_far_as_the_burst_goes() {
        let mut link = Link::new(LinkSettings { burst: 10 * MILLI, ..SLOW });
        // 10 ms of credit are 1250 bytes: the first goes at once, the second 2 ms short of its 8.
        assert_eq!(link.offer(1000 * MILLI, 1000), Fate::Arrives(1050 * MILLI));
        assert_eq!(link.offer(1000 * MILLI, 1000), Fate::Arrives(1056 * MILLI));
        assert_eq!(link.offer(1000 * MILLI, 1000), Fate::Arrives(1064 * MILLI));
    }

    #[test]
    fn losses_come_with_their_probability_and_repeat_with_their_seed() {
        let fates = |seed| {
            let mut link = Link::new(LinkSettings { loss: 0.01, seed, rate: 1 << 40, ..SLOW });
            (0..100_000_u64).map(|now| link.offer(now * MILLI, 1000)).collect::<Vec<_>>()
        };
        let first = fates(7);
        let lost = first.iter().filter(|fate| **fate == Fate::Lost).count();
        assert!((900..1100).contains(&lost), "{lost}");
        assert_eq!(first, fates(7));
        assert_ne!(first, fates(8));
    }

    #[test]
    fn certain_loss_and_none_are_exact() {
        let all = LinkSettings { loss: 1.0, ..SLOW };
        let mut link = Link::new(all);
        assert!((0..1000).all(|now| link.offer(now * 9 * MILLI, 1000) == Fate::Lost));
        let mut link = Link::new(SLOW);
        assert!((0..1000).all(|now| link.offer(now * 9 * MILLI, 1000) != Fate::Lost));
    }
}
