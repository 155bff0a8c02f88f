//! Identity keys and public keys.

use std::sync::Arc;

use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::identity::{IdentityKey, KeyKind, PublicKey};
use e2eeftp_net::Agent;
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi_derive::napi;
use zeroize::Zeroizing;

use crate::error::{IntoThrown, blocking, promise, thrown};

/// A public key in all the forms people use.
#[napi(object)]
pub struct PublicKeyInfo {
    /// `ssh-ed25519`, or `sk-ssh-ed25519@openssh.com` for a key in a security key.
    pub kind: String,
    /// 32 bytes; of a key in a security key the SSH blob.
    pub raw: Buffer,
    /// `raw` in base64: of a plain key the form of `authorized_clients.pub`. No two keys share it.
    pub base64: String,
    /// `ssh-ed25519 AAAA…` or `sk-ssh-ed25519@openssh.com AAAA…`, without a comment.
    pub openssh: String,
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// `SubjectPublicKeyInfo` in PEM, the form of `known_server.pub`; empty for a key in a
    /// security key.
    pub pem: String,
}

impl From<&PublicKey> for PublicKeyInfo {
    fn from(key: &PublicKey) -> Self {
        let raw = match key.kind() {
            KeyKind::Ed25519 => key.as_bytes().to_vec(),
            KeyKind::SecurityKey => key.to_ssh_blob(),
        };
        Self {
            kind: key.type_name().to_owned(),
            raw: raw.into(),
            base64: key.to_base64(),
            openssh: key.to_openssh_line("").trim_end().to_owned(),
            fingerprint: key.fingerprint(),
            pem: key.to_spki_pem(),
        }
    }
}

/// Reads a public key: base64 of the raw key, an OpenSSH line, or PEM.
#[napi(catch_unwind)]
pub fn parse_public_key(text: String) -> napi::Result<PublicKeyInfo> {
    PublicKey::from_text(&text).map(|key| PublicKeyInfo::from(&key)).or_throw()
}

/// The public key that a private key file names; needs no passphrase, and proves nothing.
#[napi(catch_unwind)]
pub fn read_public_half(text: &[u8]) -> napi::Result<PublicKeyInfo> {
    IdentityKey::public_half(text).map(|key| PublicKeyInfo::from(&key)).or_throw()
}

/// A key that an ssh-agent holds.
#[napi(object)]
pub struct NativeAgentKey {
    pub key: PublicKeyInfo,
    /// What its owner called it.
    pub comment: String,
}

/// The keys of the ssh-agent behind a socket that can be used, in its order.
#[napi]
pub fn list_agent_keys(
    env: &Env,
    socket: String,
) -> napi::Result<PromiseRaw<'_, Vec<NativeAgentKey>>> {
    promise(env, async move {
        let keys = Agent::new(socket).keys().await.or_throw()?;
        Ok(keys
            .into_iter()
            .map(|entry| NativeAgentKey { key: (&entry.key).into(), comment: entry.comment })
            .collect())
    })
}

/// Who signs for an identity.
#[derive(Clone)]
pub(crate) enum Holder {
    /// This process.
    Process(Arc<IdentityKey>),
    /// An ssh-agent.
    Agent(Agent, PublicKey),
}

/// An identity: an Ed25519 key pair. A private half that is here never leaves this object except
/// as a file.
#[napi]
pub struct NativeIdentity {
    pub(crate) holder: Holder,
}

impl NativeIdentity {
    /// The private key, where this process has it.
    pub(crate) fn key(&self) -> napi::Result<&Arc<IdentityKey>> {
        match &self.holder {
            Holder::Process(key) => Ok(key),
            Holder::Agent(..) => Err(thrown(
                "E2EEFTP_UNSUPPORTED",
                "this needs the private key itself, and an ssh-agent gives none away",
            )),
        }
    }
}

impl From<IdentityKey> for NativeIdentity {
    fn from(key: IdentityKey) -> Self {
        Self { holder: Holder::Process(Arc::new(key)) }
    }
}

#[napi]
impl NativeIdentity {
    /// Makes a new identity.
    #[napi(factory, catch_unwind)]
    pub fn generate() -> napi::Result<Self> {
        Ok(IdentityKey::generate(&mut OsRandom::new()).or_throw()?.into())
    }

    /// Reads an identity in OpenSSH's format or as PKCS#8 PEM, without passphrase.
    #[napi(factory, catch_unwind)]
    pub fn from_text(text: &[u8]) -> napi::Result<Self> {
        Ok(IdentityKey::from_text(text, None).or_throw()?.into())
    }

    /// As `fromText`, with a passphrase.
    #[napi]
    pub fn decrypt<'env>(
        env: &'env Env,
        text: &[u8],
        passphrase: &[u8],
    ) -> napi::Result<PromiseRaw<'env, NativeIdentity>> {
        let text = Zeroizing::new(text.to_vec());
        let passphrase = Zeroizing::new(passphrase.to_vec());
        promise(
            env,
            blocking(move || {
                Ok(IdentityKey::from_text(&text, Some(&passphrase)).or_throw()?.into())
            }),
        )
    }

    /// An identity whose private half the ssh-agent behind `socket` has. Nothing is asked yet.
    #[napi(factory, catch_unwind)]
    pub fn from_agent(socket: String, public_key: String) -> napi::Result<Self> {
        let key = PublicKey::from_text(&public_key).or_throw()?;
        Ok(Self { holder: Holder::Agent(Agent::new(socket), key) })
    }

    /// The public half.
    #[napi(getter)]
    pub fn public_key(&self) -> PublicKeyInfo {
        match &self.holder {
            Holder::Process(key) => key.public_key().into(),
            Holder::Agent(_, key) => key.into(),
        }
    }

    /// The comment of the file it was read from.
    #[napi(getter)]
    pub fn comment(&self) -> String {
        match &self.holder {
            Holder::Process(key) => key.comment().to_owned(),
            Holder::Agent(..) => String::new(),
        }
    }

    /// Whether an ssh-agent has the private half.
    #[napi(getter)]
    pub fn is_in_agent(&self) -> bool {
        matches!(self.holder, Holder::Agent(..))
    }

    /// The private key in OpenSSH's format, not encrypted.
    #[napi(catch_unwind)]
    pub fn to_openssh(&self, comment: String) -> napi::Result<String> {
        Ok(self.key()?.to_openssh(&comment).or_throw()?.to_string())
    }

    /// The private key in OpenSSH's format, encrypted under a passphrase.
    #[napi]
    pub fn to_encrypted_openssh<'env>(
        &self,
        env: &'env Env,
        comment: String,
        passphrase: &[u8],
    ) -> napi::Result<PromiseRaw<'env, String>> {
        let key = Arc::clone(self.key()?);
        let passphrase = Zeroizing::new(passphrase.to_vec());
        promise(
            env,
            blocking(move || {
                let mut random = OsRandom::new();
                let text = key.to_encrypted_openssh(&comment, &passphrase, &mut random);
                Ok(text.or_throw()?.to_string())
            }),
        )
    }
}
