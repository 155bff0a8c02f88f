//! Identity keys and public keys.

use std::sync::Arc;

use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::identity::{IdentityKey, PublicKey};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::error::IntoThrown;

/// A public key in all the forms people use.
#[napi(object)]
pub struct PublicKeyInfo {
    /// 32 bytes.
    pub raw: Buffer,
    /// The raw key in base64, the form of `authorized_clients.pub`.
    pub base64: String,
    /// `ssh-ed25519 AAAA…`, without a comment.
    pub openssh: String,
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// `SubjectPublicKeyInfo` in PEM, the form of `known_server.pub`.
    pub pem: String,
}

impl From<&PublicKey> for PublicKeyInfo {
    fn from(key: &PublicKey) -> Self {
        Self {
            raw: key.as_bytes().to_vec().into(),
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

/// An identity: an Ed25519 key pair. The private half never leaves this object except as a file.
#[napi]
pub struct NativeIdentity {
    pub(crate) key: Arc<IdentityKey>,
}

#[napi]
impl NativeIdentity {
    /// Makes a new identity.
    #[napi(factory, catch_unwind)]
    pub fn generate() -> napi::Result<Self> {
        let key = IdentityKey::generate(&mut OsRandom::new()).or_throw()?;
        Ok(Self { key: Arc::new(key) })
    }

    /// Reads an identity in OpenSSH's format or as PKCS#8 PEM.
    #[napi(factory, catch_unwind)]
    pub fn from_text(text: &[u8], passphrase: Option<&[u8]>) -> napi::Result<Self> {
        let key = IdentityKey::from_text(text, passphrase).or_throw()?;
        Ok(Self { key: Arc::new(key) })
    }

    /// The public half.
    #[napi(getter)]
    pub fn public_key(&self) -> PublicKeyInfo {
        self.key.public_key().into()
    }

    /// The private key in OpenSSH's format, not encrypted.
    #[napi(catch_unwind)]
    pub fn to_openssh(&self, comment: String) -> napi::Result<String> {
        Ok(self.key.to_openssh(&comment).or_throw()?.to_string())
    }
}
