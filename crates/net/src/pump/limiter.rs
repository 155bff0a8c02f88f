//! How fast bytes may move: a token bucket that several pumps may share.
//!
//! It counts bytes of the wire, padding and tags included, because that is what a line carries. It
//! never sleeps by itself: who moves bytes [reserves](RateLimiter::reserve) at most a
//! [piece](RateLimiter::piece_len), waits for its turn in naps short enough to hear a cancel, and
//! gives [back](RateLimiter::refund) what it did not move. Turns are given in the order of
//! reservations, so that those who share a limiter get equal parts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The lowest limit, in bytes a second: a record of 4 KiB then takes 4 s, well within every time
/// limit for a single record.
pub const MIN_RATE: u64 = 1024;
/// Unused time that may be made up for: the size of the bucket, at the rate.
const BURST: Duration = Duration::from_millis(100);
/// Pieces of one second: how finely the rate is kept.
const PIECES: u64 = 50;
/// The shortest piece worth a system call.
const MIN_PIECE: usize = 256;

/// A limit that can be changed while bytes move. Several pumps that share one limiter share its
/// rate.
#[derive(Debug, Default)]
pub struct RateLimiter {
    /// Bytes a second; 0 means no limit.
    rate: AtomicU64,
    /// When everything reserved so far is paid for; `None` before the first reservation.
    paid_at: Mutex<Option<Instant>>,
}

impl RateLimiter {
    /// A limiter for `rate` bytes a second; 0 means no limit, and what is above 0 and below
    /// [`MIN_RATE`] is raised to it.
    pub fn new(rate: u64) -> Self {
        let limiter = Self::default();
        limiter.set_rate(rate);
        limiter
    }

    /// Changes the limit; it counts from the next piece on.
    pub fn set_rate(&self, rate: u64) {
        let rate = if rate == 0 { 0 } else { rate.max(MIN_RATE) };
        self.rate.store(rate, Ordering::Relaxed);
    }

    /// Bytes a second; `None` means no limit.
    pub fn rate(&self) -> Option<u64> {
        Some(self.rate.load(Ordering::Relaxed)).filter(|&rate| rate != 0)
    }

    /// The most bytes to reserve at once; `None` means no limit. At least 256.
    pub fn piece_len(&self) -> Option<usize> {
        self.rate().map(|rate| usize::try_from(rate / PIECES).unwrap_or(usize::MAX).max(MIN_PIECE))
    }

    /// Reserves `bytes` at `now` and returns when they may move, which may be in the past.
    pub fn reserve(&self, bytes: usize, now: Instant) -> Instant {
        let Some(cost) = self.cost(bytes) else { return now };
        let mut paid = self.paid_at();
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let turn = paid.map_or(now, |paid| paid.max(earliest));
        *paid = turn.checked_add(cost).or(*paid);
        turn
    }

    /// Gives back `bytes` of a reservation that did not move.
    pub fn refund(&self, bytes: usize) {
        if let Some(cost) = self.cost(bytes) {
            let mut paid = self.paid_at();
            *paid = paid.and_then(|paid| paid.checked_sub(cost));
        }
    }

    /// How long `bytes` take at the rate.
    fn cost(&self, bytes: usize) -> Option<Duration> {
        let rate = self.rate()?;
        let nanos = u128::from(bytes as u64) * 1_000_000_000 / u128::from(rate);
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    fn paid_at(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.paid_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The limits of both directions, for those who share a line: a server, or a process.
#[derive(Debug, Default)]
pub struct Rates {
    /// Of what is received.
    pub inbound: RateLimiter,
    /// Of what is sent.
    pub outbound: RateLimiter,
}

impl Rates {
    /// The same limit for each direction, in bytes a second; 0 means none.
    pub fn new(rate: u64) -> Self {
        Self { inbound: RateLimiter::new(rate), outbound: RateLimiter::new(rate) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moves pieces for `seconds` of a clock that only the test turns; what has moved.
    fn moved(limiter: &RateLimiter, start: Instant, seconds: u64) -> u64 {
        let end = start + Duration::from_secs(seconds);
        let (mut now, mut bytes) = (start, 0);
        loop {
            let piece = limiter.piece_len().unwrap();
            now = now.max(limiter.reserve(piece, now));
            if now >= end {
                return bytes;
            }
            bytes += piece as u64;
        }
    }

    #[test]
    fn keeps_the_rate_over_time() {
        for rate in [MIN_RATE, 50_000, 50_000_000, 10_000_000_000] {
            let moved = moved(&RateLimiter::new(rate), Instant::now(), 10);
            // The bucket, and the piece that is under way at the end.
            let most = rate * 10 + rate / 10 + rate / PIECES + 256;
            assert!((rate * 10..=most).contains(&moved), "{rate}: {moved}");
        }
    }

    #[test]
    fn an_idle_time_is_made_up_for_by_a_tenth_of_a_second_only() {
        let (limiter, start) = (RateLimiter::new(1_000_000), Instant::now());
        limiter.reserve(1, start);
        let later = start + Duration::from_secs(60);
        assert!(limiter.reserve(150_000, later) <= later);
        assert_eq!(limiter.reserve(1, later), later + Duration::from_millis(50));
    }

    #[test]
    fn those_who_share_a_limiter_take_turns() {
        let (limiter, now) = (RateLimiter::new(1_000_000), Instant::now());
        let turns = [0; 3].map(|_| limiter.reserve(500_000, now));
        assert_eq!(turns.map(|turn| turn - now), [0, 500, 1000].map(Duration::from_millis));
    }

    #[test]
    fn what_did_not_move_costs_nothing() {
        let (limiter, now) = (RateLimiter::new(1_000_000), Instant::now());
        limiter.reserve(500_000, now);
        limiter.refund(400_000);
        assert_eq!(limiter.reserve(1, now), now + Duration::from_millis(100));
        RateLimiter::new(5000).refund(1);
    }

    #[test]
    fn a_change_counts_at_once() {
        let (limiter, now) = (RateLimiter::new(0), Instant::now());
        assert_eq!((limiter.rate(), limiter.piece_len()), (None, None));
        assert_eq!(limiter.reserve(usize::MAX, now), now);
        limiter.set_rate(1);
        assert_eq!(limiter.rate(), Some(MIN_RATE), "a rate that nobody can wait for is raised");
        limiter.reserve(1024, now);
        assert_eq!(limiter.reserve(0, now), now + Duration::from_secs(1));
        limiter.set_rate(0);
        assert_eq!(limiter.reserve(1, now), now);
    }

    #[test]
    fn no_number_is_too_large() {
        let (limiter, now) = (RateLimiter::new(u64::MAX), Instant::now());
        assert!(limiter.piece_len().unwrap() > 0);
        assert_eq!(limiter.reserve(usize::MAX, now), now);
        let slow = RateLimiter::new(1);
        slow.reserve(usize::MAX, now);
        slow.reserve(usize::MAX, now);
        slow.refund(usize::MAX);
    }
}
