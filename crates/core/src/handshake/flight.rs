//! M4 and M5, the sealed messages: one protected record each, always 1044 bytes.
//!
//! The content is a list of messages `type u8 ‖ len u24 ‖ value` in a fixed order, padded so that
//! the inner part has 1024 bytes: `EE ID SIG FIN` from the server, with `ROT`
//! before `FIN` where its key has changed, `ID SIG FIN` from the client,
//! without `ID` and `SIG` when the client joins a session.

use core::ops::Range;

use crate::crypto::aead::DirectionKey;
use crate::identity::{self, KeyKind, PublicKey, Signature};
use crate::record::{
    CONTENT_OFFSET, HEADER_LEN, Head, InnerType, TAG_LEN, header, open_frame, seal_frame,
};
use crate::{Error, Misuse, PeerFault};

const INNER_LEN: usize = 1024;
/// Length of the whole record that carries M4 or M5.
pub const FLIGHT_RECORD_LEN: usize = HEADER_LEN + INNER_LEN + TAG_LEN;

/// An identity that is an SSH public key.
const ID_SSH_KEY: u8 = 1;

/// The type of a message inside of a flight.
#[derive(Clone, Copy)]
pub(crate) enum Message {
    Parameters = 4,
    ServerId = 5,
    ServerSignature = 6,
    ServerFinished = 7,
    ClientId = 8,
    ClientSignature = 9,
    ClientFinished = 10,
    ServerRotation = 11,
}

/// Builds a flight message by message.
pub(crate) struct FlightWriter(Vec<u8>);

impl FlightWriter {
    pub(crate) fn new() -> Self {
        let mut record = Vec::with_capacity(FLIGHT_RECORD_LEN);
        record.resize(CONTENT_OFFSET, 0);
        Self(record)
    }

    /// Appends a message and returns its bytes for the transcript.
    pub(crate) fn message(&mut self, kind: Message, value: &[u8]) -> Result<&[u8], Error> {
        let header = header(kind as u8, value.len()).ok_or(Misuse::ContentLength)?;
        let start = self.0.len();
        self.0.extend_from_slice(&header);
        self.0.extend_from_slice(value);
        Ok(&self.0[start..])
    }

    /// Appends a message that has its header already.
    pub(crate) fn append(&mut self, message: &[u8]) {
        self.0.extend_from_slice(message);
    }

    pub(crate) fn seal(mut self, key: &mut DirectionKey) -> Result<Vec<u8>, Error> {
        let content_len = self.0.len() - CONTENT_OFFSET;
        if self.0.len() + TAG_LEN > FLIGHT_RECORD_LEN {
            return Err(Misuse::ContentLength.into());
        }
        self.0.resize(FLIGHT_RECORD_LEN, 0);
        let head = Head { kind: InnerType::Handshake, flags: 0, stream: 0 };
        seal_frame(key, head, content_len, &mut self.0)?;
        Ok(self.0)
    }
}

/// Opens the record of a flight and returns its messages.
pub(crate) fn open(key: &mut DirectionKey, record: &mut [u8]) -> Result<Range<usize>, Error> {
    if record.len() != FLIGHT_RECORD_LEN {
        return Err(PeerFault::Length.into());
    }
    let (head, content) = open_frame(key, record)?;
    if head.kind != InnerType::Handshake {
        return Err(PeerFault::MessageType.into());
    }
    Ok(content)
}

/// Reads the messages of a flight in their order.
pub(crate) struct FlightReader<'r>(pub(crate) &'r [u8]);

impl<'r> FlightReader<'r> {
    /// Whether the next message is a `kind`.
    pub(crate) fn is_next(&self, kind: Message) -> bool {
        self.0.first() == Some(&(kind as u8))
    }

    /// The next message, which must be a `kind`: the whole of it and its value.
    pub(crate) fn expect(&mut self, kind: Message) -> Result<(&'r [u8], &'r [u8]), Error> {
        let (head, rest) = self.0.split_first_chunk::<4>().ok_or(PeerFault::Length)?;
        if head[0] != kind as u8 {
            return Err(PeerFault::MessageType.into());
        }
        let len = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
        let value = rest.get(..len).ok_or(PeerFault::Length)?;
        let (whole, after) = self.0.split_at(head.len() + len);
        self.0 = after;
        Ok((whole, value))
    }

    /// Checks that nothing is left.
    pub(crate) fn finish(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(PeerFault::Length.into()) }
    }
}

/// The value of an ID message.
pub(crate) fn id_value(key: &PublicKey) -> Vec<u8> {
    let mut value = vec![ID_SSH_KEY];
    identity::put_lv16(&mut value, &key.to_ssh_blob());
    value
}

/// A client's ID with its header.
pub(crate) fn id_message(key: &PublicKey) -> Vec<u8> {
    let value = id_value(key);
    let [.., len_high, len_low] = value.len().to_be_bytes();
    let mut message = vec![Message::ClientId as u8, 0, len_high, len_low];
    message.extend_from_slice(&value);
    message
}

/// Reads the value of a server's ID message: servers have no security keys.
pub(crate) fn read_server_id(value: &[u8]) -> Result<PublicKey, Error> {
    let key = read_client_id(value)?;
    match key.kind() {
        KeyKind::Ed25519 => Ok(key),
        KeyKind::SecurityKey => Err(PeerFault::Identity.into()),
    }
}

/// Reads the value of a client's ID message.
pub(crate) fn read_client_id(value: &[u8]) -> Result<PublicKey, Error> {
    let Some((&ID_SSH_KEY, blob)) = value.split_first() else {
        return Err(PeerFault::Identity.into());
    };
    PublicKey::from_ssh_blob(lv16(blob)?).map_err(|error| match error {
        Error::WeakKey(_) => error,
        _ => PeerFault::Identity.into(),
    })
}

/// The value of a SIG message.
pub(crate) fn signature_value(signature: &Signature) -> Vec<u8> {
    let mut value = Vec::new();
    identity::put_lv16(&mut value, &signature.to_ssh_blob());
    value
}

/// Reads the value of a SIG message.
pub(crate) fn read_signature(value: &[u8]) -> Result<Signature, Error> {
    Signature::from_ssh_blob(lv16(value)?).ok_or(Error::Peer(PeerFault::Signature))
}

/// The value behind a two-byte length that must use up `bytes`.
fn lv16(bytes: &[u8]) -> Result<&[u8], Error> {
    let (len, value) = bytes.split_first_chunk().ok_or(PeerFault::Length)?;
    if usize::from(u16::from_be_bytes(*len)) != value.len() {
        return Err(PeerFault::Length.into());
    }
    Ok(value)
}
