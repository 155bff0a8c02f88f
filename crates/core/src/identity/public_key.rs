//! The public half of an identity.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::crypto::ed25519::{self, PUBLIC_LEN};
use crate::crypto::hash::sha256;
use crate::identity::wire::{SSH_ED25519, public_blob, take_string};
use crate::identity::{pem, pkcs8};
use crate::{Error, KeyFault};

const SPKI_LABEL: &str = "PUBLIC KEY";

/// An Ed25519 public key that is canonical and not of small order; no other can be made.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; PUBLIC_LEN]);

impl PublicKey {
    /// The key with these 32 bytes (RFC 8032 §5.1.5).
    ///
    /// # Errors
    /// [`WeakKey::Ed25519`](crate::WeakKey::Ed25519) when they are not the canonical encoding of
    /// a point, or one of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        ed25519::check_public(bytes)?;
        Ok(Self(*bytes))
    }

    /// Reads an SSH public key blob, `string "ssh-ed25519" ‖ string key`.
    ///
    /// # Errors
    /// [`KeyFault::NotEd25519`], [`KeyFault::Malformed`] and as [`from_bytes`](Self::from_bytes).
    pub fn from_ssh_blob(blob: &[u8]) -> Result<Self, Error> {
        let mut rest = blob;
        if take_string(&mut rest).ok_or(KeyFault::Malformed)? != SSH_ED25519 {
            return Err(KeyFault::NotEd25519.into());
        }
        let key = take_string(&mut rest).ok_or(KeyFault::Malformed)?;
        if !rest.is_empty() {
            return Err(KeyFault::Malformed.into());
        }
        Self::from_bytes(key.try_into().map_err(|_| KeyFault::Malformed)?)
    }

    /// Reads a key in one of the forms in which people keep them: `ssh-ed25519 AAAA… comment`,
    /// a PEM `PUBLIC KEY`, or the 32 bytes in base64. White space around it is ignored.
    ///
    /// # Errors
    /// [`KeyFault`] and as [`from_bytes`](Self::from_bytes).
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.starts_with("-----BEGIN ") {
            if !text.starts_with("-----BEGIN PUBLIC KEY-----") {
                return Err(KeyFault::UnknownFormat.into());
            }
            return Self::from_bytes(&pkcs8::read_public(&pem::decode(text, SPKI_LABEL)?)?);
        }
        let mut words = text.split_ascii_whitespace();
        let first = words.next().ok_or(KeyFault::UnknownFormat)?;
        let Some(blob) = words.next() else {
            let bytes = STANDARD.decode(first).map_err(|_| KeyFault::UnknownFormat)?;
            return Self::from_bytes(
                bytes.as_slice().try_into().map_err(|_| KeyFault::UnknownFormat)?,
            );
        };
        if text.contains(['\n', '\r']) {
            return Err(KeyFault::UnknownFormat.into());
        }
        if first.as_bytes() != SSH_ED25519 {
            let is_key_type = first.starts_with("ssh-") || first.starts_with("ecdsa-");
            let other = is_key_type || first.starts_with("sk-");
            let fault = if other { KeyFault::NotEd25519 } else { KeyFault::UnknownFormat };
            return Err(fault.into());
        }
        Self::from_ssh_blob(&STANDARD.decode(blob).map_err(|_| KeyFault::Malformed)?)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The SSH public key blob, 51 bytes.
    pub fn to_ssh_blob(&self) -> Vec<u8> {
        public_blob(&self.0)
    }

    /// `ssh-ed25519 AAAA… comment`, one line without its end. Line breaks and other control
    /// characters in `comment` become spaces.
    pub fn to_openssh_line(&self, comment: &str) -> String {
        let mut line = format!("ssh-ed25519 {}", STANDARD.encode(self.to_ssh_blob()));
        if !comment.is_empty() {
            line.push(' ');
            line.extend(comment.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
        line
    }

    /// A PEM `PUBLIC KEY` (RFC 8410).
    pub fn to_spki_pem(&self) -> String {
        pem::encode(&pkcs8::write_public(&self.0), SPKI_LABEL, 64).to_string()
    }

    /// The 32 bytes in base64, 44 characters.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// `SHA256:…` as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(sha256(&self.to_ssh_blob())))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}
