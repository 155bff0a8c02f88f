//! The wire format of the original Python e2eeftp: vectors, and what is refused.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use e2eeftp_core::classic::{
    BLOCK_LEN, ClientHello, ClientStart, HELLO_MESSAGE_LEN, IV_LEN, MAC_LEN, MIN_SEALED_LEN,
    PieceKeys, PieceOpener, PieceSealer, sealed_len,
};
use e2eeftp_core::identity::IdentityKey;
use e2eeftp_core::{Error, Misuse, PeerFault, Random, WeakKey};
use proptest::prelude::*;
use serde_json::Value;

/// Gives out these bytes and then fails.
struct Bytes(Vec<u8>);

impl Random for Bytes {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        if self.0.len() < out.len() {
            return Err(Error::Random);
        }
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&std::mem::replace(&mut self.0, rest));
        Ok(())
    }
}

fn vectors() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/vectors/classic.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn random(value: &Value) -> Bytes {
    Bytes(hex(value))
}

fn identity(value: &Value) -> IdentityKey {
    IdentityKey::generate(&mut random(value)).unwrap()
}

/// Both sides' keys after a handshake with the secrets of the vectors.
fn agree(vectors: &Value) -> (PieceKeys, PieceKeys) {
    let (client, server) = (&vectors["client"], &vectors["server"]);
    let (client_key, server_key) =
        (identity(&client["identitySeed"]), identity(&server["identitySeed"]));
    let (start, hello) =
        ClientStart::new(&client_key, &mut random(&client["ephemeralSecret"])).unwrap();
    assert_eq!(hello[..], hex(&client["hello"]));
    let received = ClientHello::read(&hello).unwrap();
    assert_eq!(received.client_key(), client_key.public_key());
    assert_eq!(received.ephemeral()[..], hello[4..36]);
    let (server_keys, reply) =
        received.respond(&server_key, &mut random(&server["ephemeralSecret"])).unwrap();
    assert_eq!(reply[..], hex(&server["hello"]));
    let proved = start.handle(&reply).unwrap();
    assert_eq!(&proved.server_key, server_key.public_key());
    (proved.keys, server_keys)
}

fn keys() -> PieceKeys {
    agree(&vectors()).0
}

/// Seals `plain` in parts of at most `part_len` bytes.
fn seal(keys: PieceKeys, iv: &[u8], plain: &[u8], part_len: usize) -> Vec<u8> {
    let (mut sealer, head) = PieceSealer::new(keys, &mut Bytes(iv.to_vec())).unwrap();
    let mut sealed = head.to_vec();
    let whole = plain.len() / BLOCK_LEN * BLOCK_LEN;
    for part in plain[..whole].chunks(part_len) {
        let mut part = part.to_vec();
        sealer.seal(&mut part).unwrap();
        sealed.extend_from_slice(&part);
    }
    sealed.extend_from_slice(&sealer.finish(&plain[whole..]).unwrap());
    sealed
}

/// Opens a piece that is all here, in parts of at most `part_len` bytes.
fn open(keys: PieceKeys, sealed: &[u8], part_len: usize) -> Result<Vec<u8>, Error> {
    let iv: &[u8; IV_LEN] = sealed.first_chunk().ok_or(Error::Decrypt)?;
    let mut opener = PieceOpener::new(keys, sealed.len() as u64, iv)?;
    let (ciphertext, mac) = sealed[IV_LEN..].split_last_chunk::<MAC_LEN>().unwrap();
    let mut plain = Vec::new();
    for part in ciphertext.chunks(part_len) {
        plain.extend_from_slice(opener.open(&mut part.to_vec())?);
    }
    assert_eq!(opener.left(), 0);
    plain.extend_from_slice(opener.finish(mac)?.content());
    Ok(plain)
}

#[test]
fn vectors_of_another_implementation_are_reproduced() {
    let vectors = vectors();
    let pieces = vectors["pieces"].as_array().unwrap();
    assert!(pieces.len() >= 6);
    for piece in pieces {
        let (client_keys, server_keys) = agree(&vectors);
        let (iv, plain, sealed) = (hex(&piece["iv"]), hex(&piece["plain"]), hex(&piece["sealed"]));
        assert_eq!(seal(client_keys, &iv, &plain, BLOCK_LEN), sealed);
        assert_eq!(open(server_keys, &sealed, 2 * BLOCK_LEN).unwrap(), plain);
        assert_eq!(sealed_len(plain.len() as u64), Some(sealed.len() as u64));
    }
}

#[test]
fn another_length_than_128_is_refused() {
    let good = hex(&vectors()["client"]["hello"]);
    for prefix in [0, 1, 127, 129, 132, 0x8000_0000, u32::MAX, 128u32.swap_bytes()] {
        let mut hello: [u8; HELLO_MESSAGE_LEN] = good.clone().try_into().unwrap();
        hello[..4].copy_from_slice(&prefix.to_be_bytes());
        assert_eq!(ClientHello::read(&hello).unwrap_err(), PeerFault::Length.into());
    }
}

#[test]
fn any_changed_bit_of_a_hello_is_noticed() {
    let good: [u8; HELLO_MESSAGE_LEN] = hex(&vectors()["client"]["hello"]).try_into().unwrap();
    for bit in 0..HELLO_MESSAGE_LEN * 8 {
        let mut hello = good;
        hello[bit / 8] ^= 1 << (bit % 8);
        assert!(ClientHello::read(&hello).is_err(), "bit {bit}");
    }
}

#[test]
fn ephemeral_keys_of_small_order_are_refused_by_both_sides() {
    let vectors = vectors();
    let identity = identity(&vectors["client"]["identitySeed"]);
    let order_8 =
        hex::decode("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800").unwrap();
    let mut top_bit = order_8.clone();
    top_bit[31] |= 0x80;
    let one = [&[1][..], &[0; 31]].concat();
    for share in [vec![0; 32], one, order_8, top_bit] {
        use e2eeftp_core::identity::Signer as _;
        // Signed well, so that only the key itself is at fault.
        let mut hello = [0; HELLO_MESSAGE_LEN];
        hello[3] = 128;
        hello[4..36].copy_from_slice(&share);
        hello[36..68].copy_from_slice(identity.public_key().as_bytes());
        hello[68..].copy_from_slice(&identity.sign(&share).unwrap());
        let weak = Error::WeakKey(WeakKey::X25519);
        assert_eq!(ClientHello::read(&hello).unwrap_err(), weak);
        let (start, _) =
            ClientStart::new(&identity, &mut random(&vectors["client"]["ephemeralSecret"]))
                .unwrap();
        assert_eq!(start.handle(&hello).unwrap_err(), weak);
    }
}

#[test]
fn identities_of_small_order_are_refused() {
    let mut hello: [u8; HELLO_MESSAGE_LEN] = hex(&vectors()["client"]["hello"]).try_into().unwrap();
    // The neutral element: with it one signature fits every message.
    hello[36..68].fill(0);
    hello[36] = 1;
    assert_eq!(ClientHello::read(&hello).unwrap_err(), Error::WeakKey(WeakKey::Ed25519));
}

#[test]
fn any_changed_bit_of_a_piece_is_noticed() {
    let vectors = vectors();
    for piece in vectors["pieces"].as_array().unwrap() {
        let sealed = hex(&piece["sealed"]);
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let opened = open(agree(&vectors).0, &changed, BLOCK_LEN);
            assert_eq!(opened.unwrap_err(), Error::Decrypt, "bit {bit}");
        }
    }
}

#[test]
fn lengths_that_no_piece_has_are_refused() {
    for len in [0, 1, 16, 48, 63, 65, 79, 81, u64::MAX] {
        assert!(!PieceOpener::is_sealed_len(len), "{len}");
        assert_eq!(
            PieceOpener::new(keys(), len, &[0; IV_LEN]).unwrap_err(),
            Error::Decrypt,
            "{len}"
        );
    }
    for len in [MIN_SEALED_LEN, 80, 1 << 40, u64::MAX - 15] {
        assert!(PieceOpener::is_sealed_len(len), "{len}");
    }
    assert_eq!(sealed_len(0), Some(64));
    assert_eq!(sealed_len(15), Some(64));
    assert_eq!(sealed_len(16), Some(80));
    assert_eq!(sealed_len(u64::MAX), None);
    assert_eq!(sealed_len(u64::MAX - 64), Some(u64::MAX - 15));
}

#[test]
fn a_padding_that_is_none_is_refused_though_the_code_fits() {
    // A peer with the keys can seal any padding: through `seal`, which pads nothing.
    for (last, content_len) in
        [(1, Some(15)), (16, Some(0)), (0, None), (17, None), (255, None), (2, None), (3, None)]
    {
        let (mut sealer, iv) = PieceSealer::new(keys(), &mut Bytes(vec![7; IV_LEN])).unwrap();
        // All bytes are those of the padding only for 16; 2 and 3 stand alone.
        let mut block = [if last == 16 { 16 } else { 0x55 }; BLOCK_LEN];
        block[BLOCK_LEN - 1] = last;
        sealer.seal(&mut block).unwrap();
        // The code over that block alone: that of a piece whose end is cut off.
        let mac = code_of(&iv, &block);
        let mut opener = PieceOpener::new(keys(), MIN_SEALED_LEN, &iv).unwrap();
        assert!(opener.open(&mut block).unwrap().is_empty());
        let finished = opener.finish(&mac).map(|end| end.content().len());
        assert_eq!(finished.ok(), content_len, "{last}");
    }
}

/// HMAC-SHA256 of iv and ciphertext with the MAC key of the vectors, by ring itself.
fn code_of(iv: &[u8], ciphertext: &[u8]) -> [u8; MAC_LEN] {
    struct Len;
    impl ring::hkdf::KeyType for Len {
        fn len(&self) -> usize {
            64
        }
    }
    let shared = hex(&vectors()["shared"]);
    let mut okm = [0; 64];
    ring::hkdf::Salt::new(ring::hkdf::HKDF_SHA256, &[0; 32])
        .extract(&shared)
        .expand(&[b"file-transfer-e2ee"], Len)
        .unwrap()
        .fill(&mut okm)
        .unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &okm[32..]);
    let code = ring::hmac::sign(&key, &[iv, ciphertext].concat());
    code.as_ref().try_into().unwrap()
}

#[test]
fn parts_that_are_no_whole_blocks_are_the_callers_mistake() {
    let misuse = Error::Misuse(Misuse::BufferLength);
    let (mut sealer, _) = PieceSealer::new(keys(), &mut Bytes(vec![7; IV_LEN])).unwrap();
    assert_eq!(sealer.seal(&mut [0; 17]).unwrap_err(), misuse);
    assert_eq!(sealer.finish(&[0; BLOCK_LEN]).unwrap_err(), misuse);
    let mut opener = PieceOpener::new(keys(), 80, &[0; IV_LEN]).unwrap();
    assert_eq!(opener.open(&mut [0; 15]).unwrap_err(), misuse);
    assert_eq!(opener.open(&mut [0; 48]).unwrap_err(), misuse, "more than there is");
    opener.open(&mut [0; 16]).unwrap();
    assert_eq!(opener.left(), 16);
    assert_eq!(opener.finish(&[0; MAC_LEN]).unwrap_err(), misuse, "ciphertext is missing");
}

#[test]
fn a_random_source_that_fails_makes_no_keys() {
    let identity = identity(&vectors()["client"]["identitySeed"]);
    assert_eq!(ClientStart::new(&identity, &mut Bytes(vec![1; 31])).unwrap_err(), Error::Random);
    assert_eq!(PieceSealer::new(keys(), &mut Bytes(vec![])).unwrap_err(), Error::Random);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_of_any_length_in_any_parts(
        plain in proptest::collection::vec(any::<u8>(), 0..600),
        sealed_in in 1usize..8,
        opened_in in 1usize..8,
    ) {
        let sealed = seal(keys(), &[3; IV_LEN], &plain, sealed_in * BLOCK_LEN);
        prop_assert_eq!(sealed_len(plain.len() as u64), Some(sealed.len() as u64));
        prop_assert_eq!(open(keys(), &sealed, opened_in * BLOCK_LEN), Ok(plain));
    }

    #[test]
    fn a_piece_that_is_cut_or_grown_does_not_open(
        plain in proptest::collection::vec(any::<u8>(), 0..200),
        blocks in 1usize..5,
    ) {
        let sealed = seal(keys(), &[3; IV_LEN], &plain, BLOCK_LEN);
        let shorter = &sealed[..sealed.len().saturating_sub(blocks * BLOCK_LEN)];
        if shorter.len() >= IV_LEN + MAC_LEN {
            prop_assert!(open(keys(), shorter, BLOCK_LEN).is_err());
        }
        let longer = [&sealed[..], &vec![0; blocks * BLOCK_LEN]].concat();
        prop_assert_eq!(open(keys(), &longer, BLOCK_LEN), Err(Error::Decrypt));
    }

    #[test]
    fn random_hellos_are_refused(bytes in proptest::array::uniform32(any::<u8>())) {
        let mut hello = [0; HELLO_MESSAGE_LEN];
        for (index, byte) in hello.iter_mut().enumerate() {
            *byte = bytes[index % 32].wrapping_add(u8::try_from(index).unwrap());
        }
        hello[..4].copy_from_slice(&[0, 0, 0, 128]);
        prop_assert!(ClientHello::read(&hello).is_err());
    }
}
