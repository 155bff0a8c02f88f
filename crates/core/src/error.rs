//! One error type for the crate, grouped by who is to blame.
//!
//! Neither `Display` nor `Debug` ever shows a secret or bytes that a peer chose. What is sent
//! to a peer is the same for every cause, see [`crate::handshake::refusal_record`].

use core::fmt;

use crate::handshake::Refusal;

/// Everything that can go wrong in this crate.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The peer sent something the protocol does not allow.
    Peer(PeerFault),
    /// The server refused the connection.
    Refused(Refusal),
    /// A record did not authenticate. Wrong key, changed, reordered, repeated or lost bytes all
    /// look the same.
    Decrypt,
    /// A public key or key share with which no secret can be agreed, or which proves nothing.
    WeakKey(WeakKey),
    /// Client and server have no AEAD suite in common.
    NoCommonSuite,
    /// The key of this direction may not protect another record: it should have been updated.
    Limit,
    /// The caller broke a rule of this API.
    Misuse(Misuse),
    /// A key in text form can't be read.
    KeyFile(KeyFault),
    /// An ssh-agent did not do what it was asked for.
    Agent(AgentFault),
    /// A receipt of a transfer does not hold.
    Receipt(ReceiptFault),
    /// The random source failed.
    Random,
}

/// What a peer did wrong.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerFault {
    /// A record or message has a length that is not allowed here.
    Length,
    /// A record has a kind that is unknown or not allowed here.
    RecordKind,
    /// A message has a number or an inner type that is unknown or not allowed here.
    MessageType,
    /// The peer speaks another version of the protocol.
    Version,
    /// A field that must be zero is not.
    Reserved,
    /// A field has a value outside of its range.
    Value,
    /// The identity is not a well-formed key of a known type.
    Identity,
    /// The signature over the transcript does not verify.
    Signature,
    /// A statement about a change of the server's key does not hold.
    Rotation,
    /// The Finished code does not match the transcript.
    Finished,
    /// The proof of knowing the join secret is wrong, or the join id is unknown.
    Join,
    /// The server did not answer the join as asked.
    JoinIgnored,
    /// A key was used for longer than allowed without a key update.
    NoKeyUpdate,
    /// A record came after the authenticated end of the connection.
    AfterClose,
}

/// Which key is weak.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeakKey {
    /// An Ed25519 public key that is not canonical, not on the curve or of small order.
    Ed25519,
    /// An X25519 share of small order.
    X25519,
    /// An ML-KEM-768 encapsulation key with a coefficient outside of the field.
    MlKem,
}

/// Which rule of the API the caller broke.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// The record buffer is not exactly header, content, allowed padding and tag.
    BufferLength,
    /// The content is longer than, or not exactly as long as, its type demands.
    ContentLength,
    /// This record type, or a stream number with it, can't be sent with this call.
    RecordType,
    /// The sealer or opener has seen the end of the connection.
    Closed,
    /// The opener failed before; the connection is dead.
    Poisoned,
    /// A signature was given before one was asked for.
    NoSigningRequest,
    /// The signer returned a signature that its own public key does not verify.
    Signer,
    /// The call is for a joined handshake and this one is not, or the reverse.
    Joined,
    /// No AEAD suite is enabled.
    NoSuite,
    /// A label, context or output of a key derivation is too long.
    Derivation,
    /// A change of the server's key that leads to another key than the signer's, or to no new one.
    Rotation,
    /// Only the server hands out join ids, and only the client uses them.
    Role,
    /// A statement of a receipt is to be signed by somebody who is not one of its sides.
    Receipt,
}

/// What is wrong with a key in text form.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The text is in none of the formats that are understood.
    UnknownFormat,
    /// The format is known, its content is damaged or not minimal.
    Malformed,
    /// The key is of another type than Ed25519.
    NotEd25519,
    /// The private and the public half do not belong together.
    Mismatch,
    /// The key is encrypted and no passphrase was given.
    Encrypted,
    /// The key is encrypted in a way that is not supported.
    EncryptionUnsupported,
    /// The passphrase does not open the key, or its encrypted part is damaged.
    WrongPassphrase,
    /// A key is to be encrypted under an empty passphrase.
    EmptyPassphrase,
    /// The private half is inside of a security key; the file only says which.
    SecurityKey,
}

/// What an ssh-agent did wrong.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentFault {
    /// It refused: it is locked, has not the key, its user said no, or a security key was not
    /// touched.
    Refused,
    /// Its answer is not one to the question, or damaged.
    Malformed,
    /// Its answer is longer than is taken.
    TooLong,
}

/// Why a receipt does not hold.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptFault {
    /// The text is no receipt or statement, or not in its one form.
    Form,
    /// The name beside it is not the one in it.
    Name,
    /// The client's signature does not fit.
    ClientSignature,
    /// The server's signature does not fit.
    ServerSignature,
}

impl Error {
    /// The stable code of this error, as documented in `docs/ERRORS.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Peer(PeerFault::Version) | Self::NoCommonSuite => "E2EEFTP_INCOMPATIBLE",
            Self::Peer(PeerFault::Signature | PeerFault::Rotation | PeerFault::Finished)
            | Self::Decrypt => "E2EEFTP_INTEGRITY",
            Self::Peer(_) => "E2EEFTP_PROTOCOL",
            Self::Refused(Refusal::General) => "E2EEFTP_AUTH_REFUSED",
            Self::Refused(Refusal::Busy) => "E2EEFTP_RATE_LIMITED",
            Self::Refused(Refusal::ShuttingDown) => "E2EEFTP_SHUTTING_DOWN",
            Self::WeakKey(_) => "E2EEFTP_WEAK_KEY",
            Self::KeyFile(KeyFault::Encrypted) => "E2EEFTP_KEY_ENCRYPTED",
            Self::KeyFile(KeyFault::WrongPassphrase) => "E2EEFTP_WRONG_PASSPHRASE",
            Self::KeyFile(KeyFault::EncryptionUnsupported) => "E2EEFTP_UNSUPPORTED",
            Self::KeyFile(KeyFault::EmptyPassphrase) => "E2EEFTP_INVALID_ARGUMENT",
            Self::KeyFile(_) => "E2EEFTP_KEY_FILE",
            Self::Agent(_) => "E2EEFTP_AGENT",
            Self::Receipt(_) => "E2EEFTP_RECEIPT",
            Self::Limit | Self::Misuse(_) | Self::Random => "E2EEFTP_INTERNAL",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(fault) => write!(f, "the peer broke the protocol: {fault}"),
            Self::Refused(Refusal::General) => f.write_str("the server refused the connection"),
            Self::Refused(Refusal::Busy) => f.write_str("the server is busy"),
            Self::Refused(Refusal::ShuttingDown) => f.write_str("the server is shutting down"),
            Self::Decrypt => f.write_str("a record did not authenticate"),
            Self::WeakKey(WeakKey::Ed25519) => f.write_str("weak or invalid Ed25519 public key"),
            Self::WeakKey(WeakKey::X25519) => f.write_str("weak X25519 key share"),
            Self::WeakKey(WeakKey::MlKem) => f.write_str("invalid ML-KEM-768 key"),
            Self::NoCommonSuite => f.write_str("no cipher suite in common with the peer"),
            Self::Limit => f.write_str("the traffic key is used up and was not updated"),
            Self::Misuse(misuse) => write!(f, "internal error: {misuse}"),
            Self::KeyFile(fault) => write!(f, "the key can't be read: {fault}"),
            Self::Agent(AgentFault::Refused) => f.write_str("the ssh-agent refused"),
            Self::Agent(AgentFault::Malformed) => {
                f.write_str("the ssh-agent gave an answer that is not understood")
            }
            Self::Agent(AgentFault::TooLong) => f.write_str("the ssh-agent's answer is too long"),
            Self::Receipt(ReceiptFault::Form) => {
                f.write_str("this is no receipt in its one form: it was changed, or never was one")
            }
            Self::Receipt(ReceiptFault::Name) => {
                f.write_str("the name beside the statement is not the one that was signed")
            }
            Self::Receipt(ReceiptFault::ClientSignature) => {
                f.write_str("the client's signature does not fit")
            }
            Self::Receipt(ReceiptFault::ServerSignature) => {
                f.write_str("the server's signature does not fit")
            }
            Self::Random => f.write_str("the random source failed"),
        }
    }
}

impl core::error::Error for Error {}

impl fmt::Display for PeerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a length is not allowed",
            Self::RecordKind => "unexpected kind of record",
            Self::MessageType => "unexpected message",
            Self::Version => "another protocol version",
            Self::Reserved => "a reserved field is not zero",
            Self::Value => "a value is out of range",
            Self::Identity => "malformed identity",
            Self::Signature => "the signature does not verify",
            Self::Rotation => "a statement about a change of the server's key does not hold",
            Self::Finished => "the handshake was tampered with",
            Self::Join => "the join is not valid",
            Self::JoinIgnored => "the join was not answered as asked",
            Self::NoKeyUpdate => "a key was used for too long",
            Self::AfterClose => "data after the end of the connection",
        })
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferLength => "the record buffer has a wrong length",
            Self::ContentLength => "the content has a wrong length",
            Self::RecordType => "this record type can't be sent here",
            Self::Closed => "the connection is closed",
            Self::Poisoned => "the connection failed before",
            Self::NoSigningRequest => "no signature was asked for",
            Self::Signer => "the signer returned a wrong signature",
            Self::Joined => "wrong call for a joined or not joined handshake",
            Self::NoSuite => "no cipher suite is enabled",
            Self::Derivation => "a derivation input or output is too long",
            Self::Rotation => "the change of the server's key does not fit the signer",
            Self::Role => "this is for the other side of a session",
            Self::Receipt => "only the two sides of a receipt sign it",
        })
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownFormat => "unknown format",
            Self::Malformed => "damaged or not in canonical form",
            Self::NotEd25519 => "not an Ed25519 key",
            Self::Mismatch => "private and public key do not belong together",
            Self::Encrypted => "it is encrypted, a passphrase is needed",
            Self::EncryptionUnsupported => "it is encrypted in a way that is not supported",
            Self::WrongPassphrase => "the passphrase is wrong",
            Self::EmptyPassphrase => "an empty passphrase protects nothing",
            Self::SecurityKey => {
                "its private half is in a security key; use it through an ssh-agent"
            }
        })
    }
}

impl From<PeerFault> for Error {
    fn from(fault: PeerFault) -> Self {
        Self::Peer(fault)
    }
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<KeyFault> for Error {
    fn from(fault: KeyFault) -> Self {
        Self::KeyFile(fault)
    }
}

impl From<AgentFault> for Error {
    fn from(fault: AgentFault) -> Self {
        Self::Agent(fault)
    }
}

impl From<ReceiptFault> for Error {
    fn from(fault: ReceiptFault) -> Self {
        Self::Receipt(fault)
    }
}

impl From<WeakKey> for Error {
    fn from(weak: WeakKey) -> Self {
        Self::WeakKey(weak)
    }
}
