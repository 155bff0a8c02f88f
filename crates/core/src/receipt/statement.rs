//! What both sides of a transfer sign.

use crate::identity::{KeyKind, PublicKey, Signature, sshsig};
use crate::receipt::hex::{from_hex, to_hex};
use crate::receipt::{RECEIPT_NAMESPACE, utc};
use crate::{Error, Misuse, ReceiptFault};

/// The longest text of a statement, in bytes.
pub const MAX_STATEMENT_LEN: usize = 2048;
/// The largest size: a whole number that every language has.
pub const MAX_SIZE: u64 = (1 << 53) - 1;

const FIRST_LINE: &str = "e2eeftp-receipt 1";

/// Which way the file went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Send,
    /// From the server to the client.
    Get,
}

impl Direction {
    /// `send` or `get`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Get => "get",
        }
    }

    /// Reads what [`as_str`](Self::as_str) gives.
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "send" => Some(Self::Send),
            "get" => Some(Self::Get),
            _ => None,
        }
    }
}

/// A statement about one whole file that was moved and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Random; no two receipts of an honest client share it.
    pub id: [u8; 16],
    /// Which way the file went.
    pub direction: Direction,
    /// Length in bytes, at most [`MAX_SIZE`].
    pub size: u64,
    /// BLAKE3 root of the content.
    pub root: [u8; 32],
    /// [`Name::commitment`](super::Name::commitment).
    pub name_commitment: [u8; 32],
    /// The client's key.
    pub client: PublicKey,
    /// The server's key, a plain `ssh-ed25519` one.
    pub server: PublicKey,
    /// When the client wrote it, in seconds since 1970, up to the year 9999.
    pub time: u64,
}

impl Statement {
    /// The text that is signed: nine lines of ASCII, each with its end.
    ///
    /// # Errors
    /// [`ReceiptFault::Form`] for a size, a time or a server's key that no statement may have.
    pub fn to_text(&self) -> Result<String, Error> {
        if self.size > MAX_SIZE
            || self.time > utc::MAX_TIME
            || self.server.kind() != KeyKind::Ed25519
        {
            return Err(ReceiptFault::Form.into());
        }
        Ok(format!(
            "{FIRST_LINE}\nid {}\ndirection {}\nsize {}\nroot {}\nname-commitment {}\n\
             client {}\nserver {}\ntime {}\n",
            to_hex(&self.id),
            self.direction.as_str(),
            self.size,
            to_hex(&self.root),
            to_hex(&self.name_commitment),
            self.client.to_openssh_line(""),
            self.server.to_openssh_line(""),
            utc::format(self.time),
        ))
    }

    /// Reads exactly what [`to_text`](Self::to_text) writes.
    ///
    /// # Errors
    /// [`ReceiptFault::Form`] for anything else.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_STATEMENT_LEN {
            return Err(ReceiptFault::Form.into());
        }
        let statement = read(text).ok_or(ReceiptFault::Form)?;
        if statement.to_text()? == text { Ok(statement) } else { Err(ReceiptFault::Form.into()) }
    }

    /// What `key`, the client's or the server's, signs: the SSHSIG signed-data blob of
    /// [`to_text`](Self::to_text).
    ///
    /// # Errors
    /// [`Misuse::Receipt`] for another key; as [`to_text`](Self::to_text).
    pub fn signing_request(&self, key: &PublicKey) -> Result<Vec<u8>, Error> {
        if *key == self.client || *key == self.server {
            self.signed_data()
        } else {
            Err(Misuse::Receipt.into())
        }
    }

    fn signed_data(&self) -> Result<Vec<u8>, Error> {
        Ok(sshsig::signed_data(RECEIPT_NAMESPACE, self.to_text()?.as_bytes()))
    }

    /// Checks the client's signature.
    ///
    /// # Errors
    /// [`ReceiptFault::ClientSignature`].
    pub fn verify_client(&self, signature: &Signature) -> Result<(), Error> {
        self.verify(&self.client, signature, ReceiptFault::ClientSignature)
    }

    /// Checks the server's signature.
    ///
    /// # Errors
    /// [`ReceiptFault::ServerSignature`].
    pub fn verify_server(&self, signature: &Signature) -> Result<(), Error> {
        self.verify(&self.server, signature, ReceiptFault::ServerSignature)
    }

    fn verify(
        &self,
        key: &PublicKey,
        signature: &Signature,
        fault: ReceiptFault,
    ) -> Result<(), Error> {
        if key.verifies(&self.signed_data()?, signature) { Ok(()) } else { Err(fault.into()) }
    }
}

/// Reads a statement, and texts that are nearly one: the caller compares.
fn read(text: &str) -> Option<Statement> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
    let statement = Statement {
        id: from_hex(field("id")?)?,
        direction: Direction::from_text(field("direction")?)?,
        size: field("size")?.parse().ok()?,
        root: from_hex(field("root")?)?,
        name_commitment: from_hex(field("name-commitment")?)?,
        client: PublicKey::from_text(field("client")?).ok()?,
        server: PublicKey::from_text(field("server")?).ok()?,
        time: utc::parse(field("time")?)?,
    };
    lines.next().is_none().then_some(statement)
}
