//! What an ssh-agent may answer, and what is refused of it.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use common::identity;
use common::vectors::security_key;
use e2eeftp_core::identity::agent::{
    MAX_ANSWER_LEN, answer_len, list_request, read_keys, read_signature, sign_request,
};
use e2eeftp_core::identity::{PublicKey, Signature};
use e2eeftp_core::{AgentFault, Error};
use proptest::prelude::*;

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn keys_answer(count: u32, entries: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = vec![12];
    out.extend_from_slice(&count.to_be_bytes());
    for (blob, comment) in entries {
        out.extend(string(blob));
        out.extend(string(comment));
    }
    out
}

const MALFORMED: Error = Error::Agent(AgentFault::Malformed);
const REFUSED: Error = Error::Agent(AgentFault::Refused);

#[test]
fn requests_have_their_bytes() {
    assert_eq!(list_request(), [0, 0, 0, 1, 11]);
    let key = identity("somebody").public_key().clone();
    let content = [&[13][..], &string(&key.to_ssh_blob()), &string(b"data"), &[0; 4]].concat();
    assert_eq!(sign_request(&key, b"data"), string(&content));
}

#[test]
fn lengths_are_bounded_before_anything_is_read() {
    let limit = u32::try_from(MAX_ANSWER_LEN).unwrap();
    assert_eq!(answer_len([0, 0, 0, 1]), Ok(1));
    assert_eq!(answer_len(limit.to_be_bytes()), Ok(MAX_ANSWER_LEN));
    assert_eq!(answer_len([0; 4]), Err(MALFORMED));
    for len in [limit + 1, u32::MAX] {
        assert_eq!(answer_len(len.to_be_bytes()), Err(Error::Agent(AgentFault::TooLong)));
    }
}

#[test]
fn keys_of_our_types_are_listed_in_order() {
    let plain = identity("somebody").public_key().clone();
    let touch = security_key(&[9; 32], "ssh:");
    let rsa = [string(b"ssh-rsa"), string(&[3]), string(&[7; 256])].concat();
    let weak = [string(b"ssh-ed25519"), string(&[0; 32])].concat();
    let entries: [(&[u8], &[u8]); 6] = [
        (&rsa, b"rsa"),
        (&plain.to_ssh_blob(), b"plain \xff"),
        (&weak, b"weak"),
        (b"", b"nothing"),
        (&touch.to_ssh_blob(), &[b'c'; 5000]),
        (&plain.to_ssh_blob(), b"again"),
    ];
    let answer = keys_answer(6, &entries);
    let keys = read_keys(&answer).unwrap();
    let found: Vec<&PublicKey> = keys.iter().map(|key| &key.key).collect();
    assert_eq!(found, [&plain, &touch, &plain]);
    assert_eq!(keys[0].comment, "plain \u{fffd}");
    assert_eq!(keys[1].comment.len(), 1024);
    for len in 0..answer.len() {
        assert_eq!(read_keys(&answer[..len]).unwrap_err(), MALFORMED, "{len}");
    }
    assert_eq!(read_keys(&[&answer[..], &[0]].concat()), Err(MALFORMED));
    for count in [0, 5, 7, u32::MAX] {
        assert_eq!(read_keys(&keys_answer(count, &entries)), Err(MALFORMED), "{count}");
    }
    assert_eq!(read_keys(&keys_answer(0, &[])), Ok(vec![]));
    assert_eq!(read_keys(&[5]), Err(REFUSED));
    assert_eq!(read_keys(&[5, 0]), Err(MALFORMED));
    assert_eq!(read_keys(&[14]), Err(MALFORMED));
}

#[test]
fn a_signature_is_read_whole_or_not() {
    let signature = Signature::Ed25519([3; 64]);
    let answer = [vec![14], string(&signature.to_ssh_blob())].concat();
    assert_eq!(read_signature(&answer), Ok(signature));
    for len in 0..answer.len() {
        assert_eq!(read_signature(&answer[..len]), Err(MALFORMED), "{len}");
    }
    assert_eq!(read_signature(&[&answer[..], &[0]].concat()), Err(MALFORMED));
    let rsa = [string(b"rsa-sha2-512"), string(&[3; 64])].concat();
    assert_eq!(read_signature(&[vec![14], string(&rsa)].concat()), Err(MALFORMED));
    assert_eq!(read_signature(&[5]), Err(REFUSED));
    assert_eq!(read_signature(&[12, 0, 0, 0, 0]), Err(MALFORMED));
}

proptest! {
    #[test]
    fn random_answers_are_refused_or_read_whole(
        mut answer in proptest::collection::vec(any::<u8>(), 1..400),
        kind in proptest::sample::select(vec![0, 5, 12, 14]),
    ) {
        answer[0] = kind;
        if let Ok(signature) = read_signature(&answer) {
            let again = [vec![14], string(&signature.to_ssh_blob())].concat();
            prop_assert_eq!(again, answer.clone());
        }
        if let Ok(keys) = read_keys(&answer) {
            prop_assert!(answer.len() >= 5 + 8 * keys.len());
        }
    }
}
