//! The public half of an identity.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::crypto::ed25519::{self, PUBLIC_LEN};
use crate::crypto::hash::sha256;
use crate::identity::wire::{SK_SSH_ED25519, SSH_ED25519, put_string, take_string};
use crate::identity::{Signature, pem, pkcs8};
use crate::{Error, KeyFault};

const SPKI_LABEL: &str = "PUBLIC KEY";

/// What every application of a security key for SSH begins with: no web site's does.
const APPLICATION_PREFIX: &str = "ssh:";
/// Longest application that is taken, in bytes; mostly it is the prefix alone.
const MAX_APPLICATION_LEN: usize = 255;

/// An Ed25519 public key that is canonical and not of small order; no other can be made.
///
/// Keys are equal when their type, their point and their application are: the same point in a
/// security key is another key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    /// Invariant: canonical, not of small order.
    point: [u8; PUBLIC_LEN],
    /// Of a key in a security key. Invariant: begins with [`APPLICATION_PREFIX`], and is no longer
    /// than [`MAX_APPLICATION_LEN`].
    application: Option<Box<str>>,
}

/// The type of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `ssh-ed25519`.
    Ed25519,
    /// `sk-ssh-ed25519@openssh.com`: the private half is in a security key, which somebody has to
    /// touch for each signature.
    SecurityKey,
}

impl PublicKey {
    /// The `ssh-ed25519` key with these 32 bytes (RFC 8032 §5.1.5).
    ///
    /// # Errors
    /// [`WeakKey::Ed25519`](crate::WeakKey::Ed25519) when they are not the canonical encoding of
    /// a point, or one of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        ed25519::check_public(bytes)?;
        Ok(Self { point: *bytes, application: None })
    }

    /// Reads an SSH public key blob: `string "ssh-ed25519" ‖ string key`, or
    /// `string "sk-ssh-ed25519@openssh.com" ‖ string key ‖ string application`. An application
    /// begins with `ssh:` and has at most 255 bytes.
    ///
    /// # Errors
    /// [`KeyFault::NotEd25519`], [`KeyFault::Malformed`] and as [`from_bytes`](Self::from_bytes).
    pub fn from_ssh_blob(blob: &[u8]) -> Result<Self, Error> {
        let mut rest = blob;
        let kind = take_string(&mut rest).ok_or(KeyFault::Malformed)?;
        if kind != SSH_ED25519 && kind != SK_SSH_ED25519 {
            return Err(KeyFault::NotEd25519.into());
        }
        let point = take_string(&mut rest).ok_or(KeyFault::Malformed)?;
        let point = point.try_into().map_err(|_| KeyFault::Malformed)?;
        let mut application = None;
        if kind == SK_SSH_ED25519 {
            let text = take_string(&mut rest).ok_or(KeyFault::Malformed)?;
            let text = core::str::from_utf8(text).map_err(|_| KeyFault::Malformed)?;
            if text.len() > MAX_APPLICATION_LEN || !text.starts_with(APPLICATION_PREFIX) {
                return Err(KeyFault::Malformed.into());
            }
            application = Some(text.into());
        }
        if !rest.is_empty() {
            return Err(KeyFault::Malformed.into());
        }
        Ok(Self { application, ..Self::from_bytes(point)? })
    }

    /// Reads a key in one of the forms in which people keep them: `ssh-ed25519 AAAA… comment`,
    /// `sk-ssh-ed25519@openssh.com AAAA… comment`, a PEM `PUBLIC KEY`, or the 32 bytes in base64.
    /// White space around it is ignored.
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
        if first.as_bytes() != SSH_ED25519 && first.as_bytes() != SK_SSH_ED25519 {
            let is_key_type = first.starts_with("ssh-") || first.starts_with("ecdsa-");
            let other = is_key_type || first.starts_with("sk-");
            let fault = if other { KeyFault::NotEd25519 } else { KeyFault::UnknownFormat };
            return Err(fault.into());
        }
        let key = Self::from_ssh_blob(&STANDARD.decode(blob).map_err(|_| KeyFault::Malformed)?)?;
        // The word in front says the same as the blob.
        if key.type_name() == first { Ok(key) } else { Err(KeyFault::Malformed.into()) }
    }

    /// The type of the key.
    pub fn kind(&self) -> KeyKind {
        if self.application.is_some() { KeyKind::SecurityKey } else { KeyKind::Ed25519 }
    }

    /// `ssh-ed25519` or `sk-ssh-ed25519@openssh.com`.
    pub fn type_name(&self) -> &'static str {
        match self.kind() {
            KeyKind::Ed25519 => "ssh-ed25519",
            KeyKind::SecurityKey => "sk-ssh-ed25519@openssh.com",
        }
    }

    /// Whether `signature` over `message` is one of this key. One of a security key must say that
    /// somebody has touched it, and covers
    /// `SHA-256(application) ‖ flags ‖ counter ‖ SHA-256(message)`.
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        match (&self.application, signature) {
            (None, Signature::Ed25519(signature)) => {
                ed25519::verifies(&self.point, message, signature)
            }
            (Some(application), Signature::SecurityKey { signature: bytes, flags, counter }) => {
                let mut signed = Vec::with_capacity(32 + 1 + 4 + 32);
                signed.extend_from_slice(&sha256(application.as_bytes()));
                signed.push(*flags);
                signed.extend_from_slice(&counter.to_be_bytes());
                signed.extend_from_slice(&sha256(message));
                signature.is_user_present() && ed25519::verifies(&self.point, &signed, bytes)
            }
            _ => false,
        }
    }

    /// The 32 bytes of the point. They do not tell a key in a security key from a plain one:
    /// compare keys, or their fingerprints.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.point
    }

    /// The SSH public key blob: 51 bytes, or 74 and more for a key in a security key.
    pub fn to_ssh_blob(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(74);
        put_string(&mut out, self.type_name().as_bytes());
        put_string(&mut out, &self.point);
        if let Some(application) = &self.application {
            put_string(&mut out, application.as_bytes());
        }
        out
    }

    /// `ssh-ed25519 AAAA… comment`, one line without its end. Line breaks and other control
    /// characters in `comment` become spaces.
    pub fn to_openssh_line(&self, comment: &str) -> String {
        let mut line = format!("{} {}", self.type_name(), STANDARD.encode(self.to_ssh_blob()));
        if !comment.is_empty() {
            line.push(' ');
            line.extend(comment.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
        line
    }

    /// A PEM `PUBLIC KEY` (RFC 8410); `""` for a key in a security key, which has no such form.
    pub fn to_spki_pem(&self) -> String {
        match self.kind() {
            KeyKind::Ed25519 => {
                pem::encode(&pkcs8::write_public(&self.point), SPKI_LABEL, 64).to_string()
            }
            KeyKind::SecurityKey => String::new(),
        }
    }

    /// The 32 bytes in base64, 44 characters; of a key in a security key the whole SSH blob, which
    /// is longer, so that no two keys share this text.
    pub fn to_base64(&self) -> String {
        match self.kind() {
            KeyKind::Ed25519 => STANDARD.encode(self.point),
            KeyKind::SecurityKey => STANDARD.encode(self.to_ssh_blob()),
        }
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
