//! Keys that prove nothing or agree on nothing are refused wherever they enter.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use common::Peers;
use e2eeftp_core::handshake::read_client_hello;
use e2eeftp_core::identity::PublicKey;
use e2eeftp_core::{Error, WeakKey};

fn key(text: &str) -> [u8; 32] {
    hex::decode(text).unwrap().try_into().unwrap()
}

/// The eight points of small order, and their encodings that are not canonical.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    // x = 0 with its sign bit set, and y = p, p + 1 for 0 and 1.
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

#[test]
fn ed25519_keys_of_small_order() {
    for text in SMALL_ORDER {
        let refused = PublicKey::from_bytes(&key(text)).unwrap_err();
        assert_eq!(refused, Error::WeakKey(WeakKey::Ed25519), "{text}");
        assert_eq!(refused.code(), "E2EEFTP_WEAK_KEY");
    }
}

#[test]
fn ed25519_keys_that_are_not_canonical_or_not_on_the_curve() {
    let mut refused = 0;
    for low in 0xed..=0xff_u8 {
        // y = p + 0 … p + 18: none is canonical, whether or not y mod p is on the curve.
        for top in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            bytes[0] = low;
            bytes[31] = top;
            assert_eq!(PublicKey::from_bytes(&bytes), Err(Error::WeakKey(WeakKey::Ed25519)));
            refused += 1;
        }
    }
    assert_eq!(refused, 38);
    // y = 2 is not on the curve, y = 3 is.
    let small = |y: u8| {
        let mut bytes = [0; 32];
        bytes[0] = y;
        PublicKey::from_bytes(&bytes)
    };
    assert!(small(2).is_err());
    assert!(small(3).is_ok());
}

#[test]
fn x25519_shares_of_small_order_in_both_hellos() {
    let peers = Peers::aes();
    let done = peers.run();
    let weak = Error::WeakKey(WeakKey::X25519);
    for share in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        for top in [0, 0x80] {
            let mut share = key(share);
            share[31] |= top;
            let mut m1 = done.m1.clone();
            m1[4 + 1224..4 + 1256].copy_from_slice(&share);
            assert_eq!(read_client_hello(&peers.server_settings(), &m1).unwrap_err(), weak);
            let mut m3 = done.m3.clone();
            m3[4 + 1128..4 + 1160].copy_from_slice(&share);
            assert_eq!(peers.start().0.handle(&m3).unwrap_err(), weak);
        }
    }
}

#[test]
fn ml_kem_keys_with_coefficients_out_of_range() {
    let peers = Peers::aes();
    let done = peers.run();
    for at in [0, 3, 600, 1149] {
        let mut m1 = done.m1.clone();
        m1[4 + 40 + at..][..3].copy_from_slice(&[0xff; 3]);
        let refused = peers.answer(&m1).unwrap_err();
        assert_eq!(refused, Error::WeakKey(WeakKey::MlKem), "{at}");
    }
}
