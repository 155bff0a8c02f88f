//! The file that holds a receipt.

use crate::identity::{PublicKey, Signature, sshsig};
use crate::receipt::hex::{from_hex, to_hex};
use crate::receipt::name::SALT_LEN;
use crate::receipt::{Name, RECEIPT_NAMESPACE, Statement};
use crate::{Error, ReceiptFault};

/// The longest text of a receipt, in bytes: every byte of the name may take three.
pub const MAX_RECEIPT_LEN: usize = 32 * 1024;

const CLIENT_LINE: &str = "client-signature\n";
const SERVER_LINE: &str = "server-signature\n";

/// A statement with both signatures. Invariant: the signatures fit, and so does the name where
/// there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    statement: Statement,
    name: Option<Name>,
    client_signature: Signature,
    server_signature: Signature,
}

impl Receipt {
    /// Puts a receipt together and verifies all of it.
    ///
    /// # Errors
    /// [`ReceiptFault::Name`], [`ReceiptFault::ClientSignature`],
    /// [`ReceiptFault::ServerSignature`], and as [`Statement::to_text`].
    pub fn new(
        statement: Statement,
        name: Option<Name>,
        client_signature: Signature,
        server_signature: Signature,
    ) -> Result<Self, Error> {
        if name.as_ref().is_some_and(|name| name.commitment() != statement.name_commitment) {
            return Err(ReceiptFault::Name.into());
        }
        statement.verify_client(&client_signature)?;
        statement.verify_server(&server_signature)?;
        Ok(Self { statement, name, client_signature, server_signature })
    }

    /// Reads what [`to_text`](Self::to_text) writes, byte for byte, and verifies all of it.
    ///
    /// # Errors
    /// [`ReceiptFault::Form`] for anything else, and as [`new`](Self::new).
    pub fn from_text(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_RECEIPT_LEN {
            return Err(ReceiptFault::Form.into());
        }
        let parts = read(text).ok_or(ReceiptFault::Form)?;
        if parts.to_text()? != text {
            return Err(ReceiptFault::Form.into());
        }
        Self::new(parts.statement, parts.name, parts.client_signature, parts.server_signature)
    }

    /// The text of the file: the statement; `name` and `salt`, unless the name is withheld; then
    /// each signature as `ssh-keygen -Y verify` takes it, under a line that says whose it is.
    ///
    /// # Errors
    /// As [`Statement::to_text`].
    pub fn to_text(&self) -> Result<String, Error> {
        let mut text = self.statement.to_text()?;
        if let Some(name) = &self.name {
            let (path, salt) = (name.to_text(), to_hex(name.salt()));
            text.extend(["name ", &path, "\nsalt ", &salt, "\n"]);
        }
        let Statement { client, server, .. } = &self.statement;
        for (line, key, signature) in [
            (CLIENT_LINE, client, &self.client_signature),
            (SERVER_LINE, server, &self.server_signature),
        ] {
            text.push_str(line);
            text.push_str(&sshsig::armored_signature(key, RECEIPT_NAMESPACE, signature));
        }
        Ok(text)
    }

    /// What was signed.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The name, unless it is withheld.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }
}

/// Reads the parts without verifying any; texts that are nearly a receipt pass: the caller compares.
fn read(text: &str) -> Option<Receipt> {
    let end_of_time = text.find("\ntime ")? + 1;
    let end = end_of_time + text.get(end_of_time..)?.find('\n')? + 1;
    let (statement, mut rest) = text.split_at_checked(end)?;
    let statement = Statement::from_text(statement).ok()?;
    let mut name = None;
    if let Some(after) = rest.strip_prefix("name ") {
        let (path, after) = after.split_once('\n')?;
        let (salt, after) = after.strip_prefix("salt ")?.split_once('\n')?;
        name = Some(Name::from_text(path, from_hex::<SALT_LEN>(salt)?)?);
        rest = after;
    }
    let (client, server) = rest.strip_prefix(CLIENT_LINE)?.split_once(SERVER_LINE)?;
    let read = |key: &PublicKey, text| sshsig::read_armored(text, key, RECEIPT_NAMESPACE);
    let client_signature = read(&statement.client, client)?;
    let server_signature = read(&statement.server, server)?;
    Some(Receipt { statement, name, client_signature, server_signature })
}
