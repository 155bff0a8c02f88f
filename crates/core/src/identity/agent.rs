//! The ssh-agent protocol (draft-miller-ssh-agent) as far as a client needs it: list the keys, sign.
//!
//! Messages only; whoever calls this owns the socket. A message is `u32 len ‖ type u8 ‖ content`;
//! answers are taken here without their length. An agent may be forwarded or run by someone else:
//! nothing that it says is trusted, and a signature is verified before it is used.

use crate::identity::wire::{put_string, take_string};
use crate::identity::{PublicKey, Signature};
use crate::{AgentFault, Error};

/// The longest answer that is taken; OpenSSH's agent has the same limit.
pub const MAX_ANSWER_LEN: usize = 256 * 1024;
/// Longest comment that is kept, in bytes.
const MAX_COMMENT_LEN: usize = 1024;

const FAILURE: u8 = 5;
const LIST: u8 = 11;
const KEYS: u8 = 12;
const SIGN: u8 = 13;
const SIGNATURE: u8 = 14;

/// A key that an agent holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentKey {
    /// The public half.
    pub key: PublicKey,
    /// What its owner called it; it may hold anything.
    pub comment: String,
}

/// Asks for the keys; [`read_keys`] takes the answer.
pub fn list_request() -> Vec<u8> {
    message(LIST, &[])
}

/// Asks for a signature over `data`; [`read_signature`] takes the answer.
pub fn sign_request(key: &PublicKey, data: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    put_string(&mut content, &key.to_ssh_blob());
    put_string(&mut content, data);
    // No flags: they are about RSA.
    content.extend_from_slice(&[0; 4]);
    message(SIGN, &content)
}

/// How many bytes follow the length in front of an answer.
///
/// # Errors
/// [`AgentFault::Malformed`] for none, [`AgentFault::TooLong`] above [`MAX_ANSWER_LEN`].
pub fn answer_len(header: [u8; 4]) -> Result<usize, Error> {
    match u32::from_be_bytes(header) as usize {
        0 => Err(AgentFault::Malformed.into()),
        1..=MAX_ANSWER_LEN => Ok(u32::from_be_bytes(header) as usize),
        _ => Err(AgentFault::TooLong.into()),
    }
}

/// Reads the answer to [`list_request`], in the order of the agent. Keys of other types than
/// ours, and weak ones, are left out.
///
/// # Errors
/// [`AgentFault::Refused`], [`AgentFault::Malformed`].
pub fn read_keys(answer: &[u8]) -> Result<Vec<AgentKey>, Error> {
    let content = content_of(answer, KEYS)?;
    let (count, mut rest) = content.split_first_chunk::<4>().ok_or(AgentFault::Malformed)?;
    let mut keys = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let blob = take_string(&mut rest).ok_or(AgentFault::Malformed)?;
        let comment = take_string(&mut rest).ok_or(AgentFault::Malformed)?;
        if let Ok(key) = PublicKey::from_ssh_blob(blob) {
            let comment = &comment[..comment.len().min(MAX_COMMENT_LEN)];
            keys.push(AgentKey { key, comment: String::from_utf8_lossy(comment).into_owned() });
        }
    }
    if rest.is_empty() { Ok(keys) } else { Err(AgentFault::Malformed.into()) }
}

/// Reads the answer to [`sign_request`]. Whether the signature fits is not looked at.
///
/// # Errors
/// [`AgentFault::Refused`], [`AgentFault::Malformed`].
pub fn read_signature(answer: &[u8]) -> Result<Signature, Error> {
    let mut rest = content_of(answer, SIGNATURE)?;
    let blob = take_string(&mut rest).filter(|_| rest.is_empty()).ok_or(AgentFault::Malformed)?;
    Signature::from_ssh_blob(blob).ok_or(Error::Agent(AgentFault::Malformed))
}

fn content_of(answer: &[u8], kind: u8) -> Result<&[u8], Error> {
    match answer.split_first() {
        Some((&FAILURE, [])) => Err(AgentFault::Refused.into()),
        Some((found, content)) if *found == kind => Ok(content),
        _ => Err(AgentFault::Malformed.into()),
    }
}

fn message(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(1 + content.len());
    body.push(kind);
    body.extend_from_slice(content);
    let mut out = Vec::with_capacity(4 + body.len());
    put_string(&mut out, &body);
    out
}
