//! Networks that a peer's address may be required to lie in.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An IPv4 or IPv6 network: an address and how many of its leading bits count.
///
/// IPv4-mapped IPv6 addresses (`::ffff:192.0.2.1`) are IPv4 addresses, in networks and in what is
/// compared with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Canonical; the bits beyond `prefix_len` are 0.
    address: IpAddr,
    /// 0 to 32 for IPv4, 0 to 128 for IPv6.
    prefix_len: u8,
}

/// The text of a network that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANetwork;

/// Leading bits of an IPv4-mapped IPv6 address that say that it is one.
const MAPPED_BITS: u8 = 96;

impl Network {
    /// Whether `address` lies in this network. An IPv4 address never lies in an IPv6 network.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()) & mask_v4(self.prefix_len) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()) & mask_v6(self.prefix_len) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    /// Reads `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`. Bits of the address beyond the prefix must
    /// be 0: whoever writes `10.1.2.3/8` may mean another network than they get.
    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let address = written.to_canonical();
        let written_bits = if written.is_ipv4() { 32 } else { 128 };
        let mut prefix_len =
            prefix.map_or(Ok(written_bits), |text| prefix_of(text, written_bits))?;
        if written != address {
            prefix_len = prefix_len.checked_sub(MAPPED_BITS).ok_or(NotANetwork)?;
        }
        let beyond = match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits() & !mask_v4(prefix_len)),
            IpAddr::V6(v6) => v6.to_bits() & !mask_v6(prefix_len),
        };
        if beyond == 0 { Ok(Self { address, prefix_len }) } else { Err(NotANetwork) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

/// Decimal digits without sign or leading zero.
fn prefix_of(text: &str, max: u8) -> Result<u8, NotANetwork> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain || (text.len() > 1 && text.starts_with('0')) {
        return Err(NotANetwork);
    }
    text.parse().ok().filter(|&len| len <= max).ok_or(NotANetwork)
}

fn mask_v4(prefix_len: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix_len)).unwrap_or(0)
}

fn mask_v6(prefix_len: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix_len)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        let network: Network = network.parse().unwrap();
        network.contains(address.parse().unwrap())
    }

    #[test]
    fn addresses_lie_in_their_networks_only() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("192.168.1.7", "192.168.1.7", "192.168.1.6"),
            ("192.168.1.6/31", "192.168.1.7", "192.168.1.8"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("::/0", "2001:db8::1", "203.0.113.9"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::1", "::1", "::2"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::"),
        ] {
            assert!(contains(network, inside), "{inside} in {network}");
            assert!(!contains(network, outside), "{outside} in {network}");
        }
    }

    #[test]
    fn mapped_addresses_are_ipv4_on_both_sides() {
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(contains("::ffff:10.0.0.1", "::ffff:10.0.0.1"));
        assert!(!contains("::ffff:10.0.0.0/104", "11.0.0.1"));
        assert!(!contains("::/0", "::ffff:10.1.2.3"), "IPv6 only means IPv6");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/",
            "/8",
            "10",
            "10.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.0/8/8",
            "10.0.0.0/8 ",
            " 10.0.0.0/8",
            "10.1.2.3/8",
            "010.0.0.0/8",
            "10.0.0.0/256",
            "10.0.0.0/264",
            "!10.0.0.0/8",
            "localhost",
            "*",
            "10.*",
            "2001:db8::/129",
            "2001:db8::1/32",
            "fe80::1%eth0",
            "[::1]",
            "::ffff:0.0.0.0/95",
            "::ffff:10.0.0.1/104",
            "10.0.0.0/255.0.0.0",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_network_is_what_shares_its_leading_bits(
            base: u32, other: u32, prefix_len in 0u8..=32,
        ) {
            let shift = 32 - u32::from(prefix_len);
            let cut = |bits: u32| if shift == 32 { 0 } else { (bits >> shift) << shift };
            let text = format!("{}/{prefix_len}", std::net::Ipv4Addr::from_bits(cut(base)));
            let network: Network = text.parse().unwrap();
            prop_assert_eq!(network.to_string(), text);
            let address = std::net::Ipv4Addr::from_bits(other);
            prop_assert_eq!(network.contains(address.into()), cut(base) == cut(other));
            let mapped = IpAddr::V6(address.to_ipv6_mapped());
            prop_assert_eq!(network.contains(mapped), network.contains(address.into()));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[0-9a-f:./%!x]{0,45}") {
            if let Ok(network) = text.parse::<Network>() {
                prop_assert_eq!(network.to_string().parse(), Ok(network));
            }
        }
    }
}
