//! M1, the `ClientHello`: always 1536 bytes.
//!
//! ```text
//! off   len  field
//! 0     1    message 1
//! 1     1    version 1
//! 2     1    flags: bit 1 join; others 0
//! 3     1    signature kinds accepted: bit 0 ssh-ed25519; others ignored
//! 4     2    suites: bit 0 AES-256-GCM, bit 1 ChaCha20-Poly1305; others ignored
//! 6     1    preferred suite: 1 or 2, one of those offered
//! 7     1    0
//! 8     32   random
//! 40    1216 X-Wing encapsulation key
//! 1256  32   join id; random without join
//! 1288  48   join binder over bytes 0..1288; random without join
//! 1336  72   0 (reserved: cookie 64, puzzle 8)
//! 1408  112  extensions
//! 1520  16   0 (reserved: knock)
//! ```

use crate::crypto::hash::HASH_LEN;
use crate::crypto::kem::ENCAPSULATION_KEY_LEN;
use crate::handshake::schedule::EarlySecrets;
use crate::handshake::{ClientSettings, Suite, Suites, VERSION, extensions};
use crate::record::{HEADER_LEN, KIND_CLEAR, clear_body, header};
use crate::{Error, Misuse, PeerFault, Random};

const BODY_LEN: usize = 1536;
/// Length of the whole `ClientHello` record.
pub const CLIENT_HELLO_RECORD_LEN: usize = HEADER_LEN + BODY_LEN;

const MESSAGE: u8 = 1;
const FLAG_JOIN: u8 = 1 << 1;
const SIGNATURE_SSH_ED25519: u8 = 1;

const RANDOM: usize = 8;
const KEY: usize = RANDOM + 32;
const JOIN_ID: usize = KEY + ENCAPSULATION_KEY_LEN;
const BINDER: usize = JOIN_ID + 32;
const RESERVED: usize = BINDER + HASH_LEN;
const EXTENSIONS: usize = RESERVED + 64 + 8;
const KNOCK: usize = EXTENSIONS + 112;
const _: () = assert!(KNOCK + 16 == BODY_LEN);

/// Builds the whole `ClientHello` record.
///
/// Randomness is drawn in the order: random 32, then, without a join, id 32 and binder 48, then
/// 11 bytes of GREASE.
pub(crate) fn write(
    settings: &ClientSettings,
    encapsulation_key: &[u8; ENCAPSULATION_KEY_LEN],
    early: &EarlySecrets,
    random: &mut dyn Random,
) -> Result<Vec<u8>, Error> {
    let preferred = settings.suites.choose(settings.prefer_aes).ok_or(Misuse::NoSuite)?;
    let suites = settings.suites.bits().to_be_bytes();
    let mut record = vec![0; CLIENT_HELLO_RECORD_LEN];
    let (head, body) = record.split_at_mut(HEADER_LEN);
    head.copy_from_slice(&header(KIND_CLEAR, BODY_LEN).ok_or(Misuse::BufferLength)?);
    body[..RANDOM].copy_from_slice(&[
        MESSAGE,
        VERSION,
        if settings.join.is_some() { FLAG_JOIN } else { 0 },
        SIGNATURE_SSH_ED25519,
        suites[0],
        suites[1],
        preferred.code(),
        0,
    ]);
    random.fill(&mut body[RANDOM..KEY])?;
    body[KEY..JOIN_ID].copy_from_slice(encapsulation_key);
    if let Some(join) = &settings.join {
        body[JOIN_ID..BINDER].copy_from_slice(&join.id);
        let binder = early.binder(&body[..BINDER]);
        body[BINDER..RESERVED].copy_from_slice(&binder);
    } else {
        random.fill(&mut body[JOIN_ID..BINDER])?;
        random.fill(&mut body[BINDER..RESERVED])?;
    }
    extensions::write_grease(&mut body[EXTENSIONS..KNOCK], random)?;
    Ok(record)
}

/// A `ClientHello` whose form is right. Nothing in it is proved yet.
pub(crate) struct Parsed<'r> {
    body: &'r [u8; BODY_LEN],
    pub(crate) suites: Suites,
    pub(crate) prefers_aes: bool,
    pub(crate) join_id: Option<[u8; 32]>,
}

impl<'r> Parsed<'r> {
    pub(crate) fn read(record: &'r [u8]) -> Result<Self, Error> {
        let body = clear_body::<BODY_LEN>(record)?;
        let [message, version, flags, signatures, suites @ .., preferred, zero] =
            *body.first_chunk::<RANDOM>().ok_or(PeerFault::Length)?;
        if message != MESSAGE {
            return Err(PeerFault::MessageType.into());
        }
        if version != VERSION {
            return Err(PeerFault::Version.into());
        }
        let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        if flags & !FLAG_JOIN != 0
            || zero != 0
            || !is_zero(&body[RESERVED..EXTENSIONS])
            || !is_zero(&body[KNOCK..])
        {
            return Err(PeerFault::Reserved.into());
        }
        if signatures & SIGNATURE_SSH_ED25519 == 0 {
            return Err(Error::NoCommonSuite);
        }
        let suites = Suites::from_bits(u16::from_be_bytes(suites));
        let preferred = Suite::from_code(preferred).ok_or(PeerFault::Value)?;
        if !suites.contains(preferred) {
            return Err(PeerFault::Value.into());
        }
        extensions::check(&body[EXTENSIONS..KNOCK])?;
        let mut parsed =
            Self { body, suites, prefers_aes: preferred == Suite::Aes256Gcm, join_id: None };
        if flags & FLAG_JOIN != 0 {
            parsed.join_id = Some(*field(body, JOIN_ID)?);
        }
        Ok(parsed)
    }

    pub(crate) fn encapsulation_key(&self) -> Result<&'r [u8; ENCAPSULATION_KEY_LEN], Error> {
        field(self.body, KEY)
    }

    /// The bytes that the binder covers.
    pub(crate) fn bound(&self) -> &'r [u8] {
        &self.body[..BINDER]
    }

    pub(crate) fn binder(&self) -> &'r [u8] {
        &self.body[BINDER..RESERVED]
    }
}

fn field<const N: usize>(body: &[u8; BODY_LEN], offset: usize) -> Result<&[u8; N], Error> {
    body[offset..].first_chunk::<N>().ok_or(Error::Peer(PeerFault::Length))
}
