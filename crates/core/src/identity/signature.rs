//! Signatures as SSH writes them: Ed25519, and Ed25519 made by a security key.

use core::fmt;

use crate::crypto::ed25519::SIGNATURE_LEN;
use crate::identity::wire::{SK_SSH_ED25519, SSH_ED25519, put_string, take_string};

/// The bit of [`Signature::SecurityKey`]'s flags that says: somebody has touched the key.
const USER_PRESENT: u8 = 1;

/// A signature. Whether it fits is for [`PublicKey::verifies`](super::PublicKey::verifies) to say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// `ssh-ed25519`: R and S (RFC 8032 §5.1.6).
    Ed25519([u8; 64]),
    /// `sk-ssh-ed25519@openssh.com`: made inside of a security key (`PROTOCOL.u2f` in the sources
    /// of OpenSSH).
    SecurityKey {
        /// R and S, over the application, flags, counter and message.
        signature: [u8; 64],
        /// Bit 0: somebody has touched the key. Bit 2: the key has verified who.
        flags: u8,
        /// How often the key has signed.
        counter: u32,
    },
}

impl Signature {
    /// The SSH signature blob: `string "ssh-ed25519" ‖ string signature` (83 bytes), or
    /// `string "sk-ssh-ed25519@openssh.com" ‖ string signature ‖ flags u8 ‖ counter u32` (103).
    pub fn to_ssh_blob(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(103);
        match self {
            Self::Ed25519(signature) => {
                put_string(&mut out, SSH_ED25519);
                put_string(&mut out, signature);
            }
            Self::SecurityKey { signature, flags, counter } => {
                put_string(&mut out, SK_SSH_ED25519);
                put_string(&mut out, signature);
                out.push(*flags);
                out.extend_from_slice(&counter.to_be_bytes());
            }
        }
        out
    }

    /// Reads an SSH signature blob, which must be used up; `None` when it is anything else.
    pub fn from_ssh_blob(blob: &[u8]) -> Option<Self> {
        let mut rest = blob;
        let kind = take_string(&mut rest)?;
        let signature: [u8; SIGNATURE_LEN] = take_string(&mut rest)?.try_into().ok()?;
        match (kind, rest) {
            (SSH_ED25519, []) => Some(Self::Ed25519(signature)),
            (SK_SSH_ED25519, &[flags, c0, c1, c2, c3]) => Some(Self::SecurityKey {
                signature,
                flags,
                counter: u32::from_be_bytes([c0, c1, c2, c3]),
            }),
            _ => None,
        }
    }

    /// Whether a security key says that somebody has touched it; `false` for other signatures.
    pub fn is_user_present(&self) -> bool {
        matches!(self, Self::SecurityKey { flags, .. } if flags & USER_PRESENT != 0)
    }
}

impl From<[u8; 64]> for Signature {
    fn from(signature: [u8; 64]) -> Self {
        Self::Ed25519(signature)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519(_) => "Signature(ssh-ed25519)",
            Self::SecurityKey { .. } => "Signature(sk-ssh-ed25519)",
        })
    }
}
