//! A token bucket for each address that opens connections.

use std::collections::HashMap;
use std::net::IpAddr;
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
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl AddressLimiter {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self {
            rate: f64::from(per_second),
            burst: f64::from(burst.max(1)),
            buckets: HashMap::new(),
        }
    }

    /// Takes a token of `address`, if it has one at `now`. Loopback always may.
    pub(crate) fn admit(&mut self, address: IpAddr, now: Instant) -> bool {
        if self.rate == 0.0 || address.to_canonical().is_loopback() {
            return true;
        }
        let (rate, burst) = (self.rate, self.burst);
        if self.buckets.len() >= MAX_ADDRESSES {
            self.buckets.retain(|_, bucket| bucket.level(rate, burst, now) < burst);
        }
        if self.buckets.len() >= MAX_ADDRESSES && !self.buckets.contains_key(&network(address)) {
            return false;
        }
        let bucket =
            self.buckets.entry(network(address)).or_insert(Bucket { tokens: burst, filled: now });
        let level = bucket.level(rate, burst, now);
        bucket.filled = now;
        bucket.tokens = if level >= 1.0 { level - 1.0 } else { level };
        level >= 1.0
    }
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

    #[test]
    fn a_burst_is_admitted_then_the_rate_applies() {
        let mut limiter = AddressLimiter::new(2, 3);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let start = Instant::now();
        let admitted = (0..10).filter(|_| limiter.admit(address, start)).count();
        assert_eq!(admitted, 3);
        assert!(!limiter.admit(address, start + Duration::from_millis(100)));
        assert!(limiter.admit(address, start + Duration::from_millis(700)));
        assert!(limiter.admit("192.0.2.2".parse().unwrap(), start), "others are not affected");
        assert!(limiter.admit("127.0.0.1".parse().unwrap(), start));
    }

    #[test]
    fn one_ipv6_customer_is_one_address() {
        let mut limiter = AddressLimiter::new(1, 1);
        let now = Instant::now();
        assert!(limiter.admit("2001:db8:0:100::1".parse().unwrap(), now));
        assert!(!limiter.admit("2001:db8:0:1ff::2".parse().unwrap(), now));
        assert!(limiter.admit("2001:db8:0:200::1".parse().unwrap(), now));
    }

    #[test]
    fn memory_is_bounded_and_the_full_table_refuses_strangers() {
        let mut limiter = AddressLimiter::new(1, 2);
        let now = Instant::now();
        for index in 0..u32::try_from(MAX_ADDRESSES).unwrap() {
            assert!(limiter.admit(IpAddr::V4((0x0a00_0000 + index).into()), now));
        }
        assert!(!limiter.admit("192.0.2.9".parse().unwrap(), now));
        assert!(limiter.admit("192.0.2.9".parse().unwrap(), now + Duration::from_secs(3)));
        assert!(limiter.buckets.len() <= MAX_ADDRESSES);
    }
}
