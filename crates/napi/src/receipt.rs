//! Receipts of transfers, signed by both sides: `docs/PROTOCOL.md` §7.6.

use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::identity::{PublicKey, Signature, Signer as _};
use e2eeftp_core::receipt::{Direction, Name, Receipt, SALT_LEN, Statement};
use e2eeftp_core::{Error, Misuse, Random as _, ReceiptFault};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi_derive::napi;

use crate::error::{IntoThrown, len, number, promise};
use crate::identity::{Holder, NativeIdentity, PublicKeyInfo};

/// A transfer that a client has a receipt made of.
#[napi(object)]
pub struct NativeReceiptSubject {
    /// `send` or `get`, as the client sees it.
    pub direction: String,
    pub size: f64,
    /// BLAKE3 root, 32 bytes.
    pub root: Buffer,
    /// The path on the server in its one form, `/a/b`.
    pub path: Buffer,
    /// The client's key.
    pub client: String,
    /// The server's key.
    pub server: String,
    /// Seconds since 1970.
    pub time: f64,
}

/// A statement that is to be signed, and the salt that hides the name in it.
#[napi(object)]
pub struct NativeReceiptDraft {
    pub statement: String,
    /// 32 random bytes.
    pub salt: Buffer,
}

/// What a statement says.
#[napi(object)]
pub struct NativeReceiptStatement {
    /// 16 bytes.
    pub id: Buffer,
    /// `send` or `get`, as the client sees it.
    pub direction: String,
    pub size: f64,
    /// BLAKE3 root, 32 bytes.
    pub root: Buffer,
    /// 32 bytes.
    pub name_commitment: Buffer,
    pub client: PublicKeyInfo,
    pub server: PublicKeyInfo,
    /// Seconds since 1970.
    pub time: f64,
}

/// A receipt all of whose signatures fit.
#[napi(object)]
pub struct NativeReceipt {
    /// The text that both keys have signed.
    pub text: String,
    pub statement: NativeReceiptStatement,
    /// The path on the server; null when the name is withheld.
    pub path: Option<Buffer>,
}

impl From<&Statement> for NativeReceiptStatement {
    fn from(statement: &Statement) -> Self {
        Self {
            id: statement.id.to_vec().into(),
            direction: statement.direction.as_str().to_owned(),
            size: number(statement.size),
            root: statement.root.to_vec().into(),
            name_commitment: statement.name_commitment.to_vec().into(),
            client: (&statement.client).into(),
            server: (&statement.server).into(),
            time: number(statement.time),
        }
    }
}

/// Drafts the statement about a transfer, with a new id and a new salt.
#[napi(catch_unwind)]
pub fn draft_receipt(subject: NativeReceiptSubject) -> napi::Result<NativeReceiptDraft> {
    let mut random = OsRandom::new();
    let (mut id, mut salt) = ([0; 16], [0; SALT_LEN]);
    random.fill(&mut id).or_throw()?;
    random.fill(&mut salt).or_throw()?;
    let name = Name::new(&subject.path, salt).or_throw()?;
    let statement = Statement {
        id,
        direction: Direction::from_text(&subject.direction).ok_or_else(form).or_throw()?,
        size: len(subject.size)?,
        root: subject.root[..].try_into().map_err(|_| form()).or_throw()?,
        name_commitment: name.commitment(),
        client: PublicKey::from_text(&subject.client).or_throw()?,
        server: PublicKey::from_text(&subject.server).or_throw()?,
        time: len(subject.time)?,
    };
    let statement = statement.to_text().or_throw()?;
    Ok(NativeReceiptDraft { statement, salt: salt.to_vec().into() })
}

/// Reads a statement; throws `E2EEFTP_RECEIPT` unless it has its one form.
#[napi(catch_unwind)]
pub fn read_receipt_statement(text: String) -> napi::Result<NativeReceiptStatement> {
    Ok((&Statement::from_text(&text).or_throw()?).into())
}

/// Whether a statement is about the file `path`, of which the client says that it hid it with `salt`.
#[napi(catch_unwind)]
pub fn receipt_names(statement: String, path: &[u8], salt: &[u8]) -> napi::Result<bool> {
    let statement = Statement::from_text(&statement).or_throw()?;
    Ok(name_of(path, salt)?.commitment() == statement.name_commitment)
}

/// Throws `E2EEFTP_RECEIPT` unless `signature` is the client's under the statement.
#[napi(catch_unwind)]
pub fn check_receipt_client(statement: String, signature: &[u8]) -> napi::Result<()> {
    let statement = Statement::from_text(&statement).or_throw()?;
    statement.verify_client(&signature_of(signature, ReceiptFault::ClientSignature)?).or_throw()
}

/// The text of a receipt; throws `E2EEFTP_RECEIPT` unless all of it fits together.
#[napi(catch_unwind)]
pub fn compose_receipt(
    statement: String,
    path: &[u8],
    salt: &[u8],
    client_signature: &[u8],
    server_signature: &[u8],
) -> napi::Result<String> {
    let receipt = Receipt::new(
        Statement::from_text(&statement).or_throw()?,
        Some(name_of(path, salt)?),
        signature_of(client_signature, ReceiptFault::ClientSignature)?,
        signature_of(server_signature, ReceiptFault::ServerSignature)?,
    );
    receipt.or_throw()?.to_text().or_throw()
}

/// Reads a receipt and verifies all of it; throws `E2EEFTP_RECEIPT`.
#[napi(catch_unwind)]
pub fn read_receipt(text: String) -> napi::Result<NativeReceipt> {
    let receipt = Receipt::from_text(&text).or_throw()?;
    let statement = receipt.statement();
    Ok(NativeReceipt {
        text: statement.to_text().or_throw()?,
        statement: statement.into(),
        path: receipt.name().map(|name| name.path().to_vec().into()),
    })
}

#[napi]
impl NativeIdentity {
    /// Signs a statement of which this identity is a side; gives an SSH signature blob.
    #[napi]
    pub fn sign_receipt<'env>(
        &self,
        env: &'env Env,
        statement: String,
    ) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let holder = self.holder.clone();
        promise(env, async move {
            let statement = Statement::from_text(&statement).or_throw()?;
            let (key, signature) = match &holder {
                Holder::Process(key) => {
                    let request = statement.signing_request(key.public_key()).or_throw()?;
                    (key.public_key(), Signature::from(key.sign(&request).or_throw()?))
                }
                Holder::Agent(agent, key) => {
                    let request = statement.signing_request(key).or_throw()?;
                    (key, agent.sign(key, &request).await.or_throw()?)
                }
            };
            let request = statement.signing_request(key).or_throw()?;
            if !key.verifies(&request, &signature) {
                return Err(Error::from(Misuse::Signer)).or_throw();
            }
            Ok(signature.to_ssh_blob().into())
        })
    }
}

fn form() -> Error {
    ReceiptFault::Form.into()
}

fn name_of(path: &[u8], salt: &[u8]) -> napi::Result<Name> {
    let salt = salt.try_into().map_err(|_| form()).or_throw()?;
    Name::new(path, salt).or_throw()
}

fn signature_of(blob: &[u8], fault: ReceiptFault) -> napi::Result<Signature> {
    Signature::from_ssh_blob(blob).ok_or(Error::from(fault)).or_throw()
}
