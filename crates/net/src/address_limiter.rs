//! What one address may ask of a listener: a rate of handshakes, and a share of those under way.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Addresses remembered at once; beyond this the full buckets are forgotten first.
const MAX_ADDRESSES: usize = 16_384;

/// Decides whether an address may start another handshake now.
#[derive(Debug)]
pub(crate) struct AddressLimiter {
    /// Tokens a second; 0 switches the limiter off.
    rate: f64,
    /// Tokens a full bucket holds.
    burst: f64,
    buckets: HashMap<IpAddr, Bucket>,
    /// Handshakes that one address may have under way.
    max_half_open: usize,
    half_open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One handshake of one address; counts until it is dropped.
#[derive(Debug)]
pub(crate) struct AddressPermit {
    network: IpAddr,
    half_open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl AddressLimiter {
    /// `max_half_open` is for each address.
    pub(crate) fn new(per_second: u32, burst: u32, max_half_open: usize) -> Self {
        Self {
            rate: f64::from(per_second),
            burst: f64::from(burst.max(1)),
            buckets: HashMap::new(),
            max_half_open,
            half_open: Arc::default(),
        }
    }

    /// Lets `address` start a handshake at `now`, if it has a token and is below its share.
    /// Loopback always may.
    pub(crate) fn admit(&mut self, address: IpAddr, now: Instant) -> Option<AddressPermit> {
        let network = network(address);
        if !address.to_canonical().is_loopback() {
            let under_way = lock(&self.half_open).get(&network).copied().unwrap_or(0);
            if under_way >= self.max_half_open || !self.take_token(network, now) {
                return None;
            }
        }
        *lock(&self.half_open).entry(network).or_default() += 1;
        Some(AddressPermit { network, half_open: Arc::clone(&self.half_open) })
    }

    fn take_token(&mut self, network: IpAddr, now: Instant) -> bool {
        if self.rate == 0.0 {
            return true;
        }
        let (rate, burst) = (self.rate, self.burst);
        if self.buckets.len() >= MAX_ADDRESSES {
            self.buckets.retain(|_, bucket| bucket.level(rate, burst, now) < burst);
        }
        if self.buckets.len() >= MAX_ADDRESSES && !self.buckets.contains_key(&network) {
            return false;
        }
        let bucket = self.buckets.entry(network).or_insert(Bucket { tokens: burst, filled: now });
        let level = bucket.level(rate, burst, now);
        bucket.filled = now;
        bucket.tokens = if level >= 1.0 { level - 1.0 } else { level };
        level >= 1.0
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut half_open = lock(&self.half_open);
        if let Some(count) = half_open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                half_open.remove(&self.network);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bucket {
    fn level(&self, rate: f64, burst: f64, now: Instant) -> f64 {
        let seconds = now.saturating_duration_since(self.filled).as_secs_f64();
        (self.tokens + seconds * rate).min(burst)
    }
}

/// An IPv4 address as it is; of an IPv6 address the /56 that one customer commonly gets.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let masked = v6.to_bits() & !((1u128 << 72) - 1);
            IpAddr::V6(masked.into())
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn admitted(limiter: &mut AddressLimiter, address: &str, now: Instant) -> bool {
        limiter.admit(address.parse().unwrap(), now).is_some()
    }

    #[test]
    fn a_burst_is_admitted_then_the_rate_applies() {
        let mut limiter = AddressLimiter::new(2, 3, 100);
        let start = Instant::now();
        let count = (0..10).filter(|_| admitted(&mut limiter, "192.0.2.1", start)).count();
        assert_eq!(count, 3);
        assert!(!admitted(&mut limiter, "192.0.2.1", start + Duration::from_millis(100)));
        assert!(admitted(&mut limiter, "192.0.2.1", start + Duration::from_millis(700)));
        assert!(admitted(&mut limiter, "192.0.2.2", start), "others are not affected");
        for loopback in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!((0..10).all(|_| admitted(&mut limiter, loopback, start)), "{loopback}");
        }
    }

    #[test]
    fn an_address_has_only_its_share_of_the_handshakes_under_way() {
        let mut limiter = AddressLimiter::new(0, 1, 2);
        let now = Instant::now();
        let address = "192.0.2.1".parse().unwrap();
        let first = limiter.admit(address, now).unwrap();
        let _second = limiter.admit(address, now).unwrap();
        assert!(limiter.admit(address, now).is_none());
        assert!(admitted(&mut limiter, "192.0.2.2", now), "others are not affected");
        drop(first);
        assert!(limiter.admit(address, now).is_some());
        assert_eq!(lock(&limiter.half_open).len(), 1, "addresses without handshakes are forgotten");
    }

    #[test]
    fn one_ipv6_customer_is_one_address() {
        let mut limiter = AddressLimiter::new(1, 1, 100);
        let now = Instant::now();
        assert!(admitted(&mut limiter, "2001:db8:0:100::1", now));
        assert!(!admitted(&mut limiter, "2001:db8:0:1ff::2", now));
        assert!(admitted(&mut limiter, "2001:db8:0:200::1", now));
    }

    #[test]
    fn memory_is_bounded_and_the_full_table_refuses_strangers() {
        let mut limiter = AddressLimiter::new(1, 2, 100);
        let now = Instant::now();
        for index in 0..u32::try_from(MAX_ADDRESSES).unwrap() {
            assert!(limiter.admit(IpAddr::V4((0x0a00_0000 + index).into()), now).is_some());
        }
        assert!(!admitted(&mut limiter, "192.0.2.9", now));
        assert!(admitted(&mut limiter, "192.0.2.9", now + Duration::from_secs(3)));
        assert!(limiter.buckets.len() <= MAX_ADDRESSES);
    }
}
