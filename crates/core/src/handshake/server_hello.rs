//! M3, the `ServerHello`: always 1216 bytes.
//!
//! ```text
//! off   len  field
//! 0     1    message 3
//! 1     1    version 1
//! 2     1    suite: 1 AES-256-GCM, 2 ChaCha20-Poly1305
//! 3     1    flags: bit 0 join accepted; others 0
//! 4     4    0
//! 8     32   random
//! 40    1120 X-Wing ciphertext
//! 1160  56   extensions
//! ```

use crate::crypto::kem::CIPHERTEXT_LEN;
use crate::handshake::{Suite, VERSION, extensions};
use crate::record::{HEADER_LEN, KIND_CLEAR, clear_body, header};
use crate::{Error, Misuse, PeerFault, Random};

const BODY_LEN: usize = 1216;
/// Length of the whole `ServerHello` record.
pub const SERVER_HELLO_RECORD_LEN: usize = HEADER_LEN + BODY_LEN;

const MESSAGE: u8 = 3;
const FLAG_JOIN: u8 = 1;

const RANDOM: usize = 8;
const CIPHERTEXT: usize = RANDOM + 32;
const EXTENSIONS: usize = CIPHERTEXT + CIPHERTEXT_LEN;
const _: () = assert!(EXTENSIONS + 56 == BODY_LEN);

/// Builds the whole `ServerHello` record; draws 32 random bytes.
pub(crate) fn write(
    suite: Suite,
    is_joined: bool,
    ciphertext: &[u8; CIPHERTEXT_LEN],
    random: &mut dyn Random,
) -> Result<Vec<u8>, Error> {
    let mut record = vec![0; SERVER_HELLO_RECORD_LEN];
    let (head, body) = record.split_at_mut(HEADER_LEN);
    head.copy_from_slice(&header(KIND_CLEAR, BODY_LEN).ok_or(Misuse::BufferLength)?);
    let flags = if is_joined { FLAG_JOIN } else { 0 };
    body[..4].copy_from_slice(&[MESSAGE, VERSION, suite.code(), flags]);
    random.fill(&mut body[RANDOM..CIPHERTEXT])?;
    body[CIPHERTEXT..EXTENSIONS].copy_from_slice(ciphertext);
    Ok(record)
}

/// A `ServerHello` whose form is right.
pub(crate) struct Parsed<'r> {
    pub(crate) suite: Suite,
    pub(crate) is_joined: bool,
    pub(crate) ciphertext: &'r [u8; CIPHERTEXT_LEN],
}

impl<'r> Parsed<'r> {
    pub(crate) fn read(record: &'r [u8]) -> Result<Self, Error> {
        let body = clear_body::<BODY_LEN>(record)?;
        let [message, version, suite, flags, zero @ ..] =
            *body.first_chunk::<RANDOM>().ok_or(PeerFault::Length)?;
        if message != MESSAGE {
            return Err(PeerFault::MessageType.into());
        }
        if version != VERSION {
            return Err(PeerFault::Version.into());
        }
        if flags & !FLAG_JOIN != 0 || zero != [0; 4] {
            return Err(PeerFault::Reserved.into());
        }
        extensions::check(&body[EXTENSIONS..])?;
        Ok(Self {
            suite: Suite::from_code(suite).ok_or(PeerFault::Value)?,
            is_joined: flags & FLAG_JOIN != 0,
            ciphertext: body[CIPHERTEXT..].first_chunk().ok_or(PeerFault::Length)?,
        })
    }
}
