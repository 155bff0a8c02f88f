//! Keying material for the layers above, bound to one connection.

use core::fmt;

use zeroize::Zeroizing;

use crate::Error;
use crate::crypto::hash::{EMPTY_HASH, sha384};
use crate::crypto::kdf::{self, Secret};

/// Derives secrets that only the two ends of this connection know (`docs/PROTOCOL.md` §5).
///
/// Both ends get the same bytes for the same label and context; nothing about the traffic keys
/// or about other labels can be learned from them.
pub struct Exporter {
    export: Secret,
    resume: Secret,
}

impl Exporter {
    pub(crate) fn new(export: Secret, resume: Secret) -> Self {
        Self { export, resume }
    }

    /// Fills `out` with key material for `label` and `context`.
    ///
    /// `label` is a short constant of the application, at most 245 bytes; `context` may have any
    /// length; `out` may have 1 to 12240 bytes.
    ///
    /// # Errors
    /// [`Misuse::Derivation`](crate::Misuse::Derivation) when a length is out of range.
    pub fn export(&self, label: &str, context: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let mut per_label = Secret::zeros();
        kdf::expand(&self.export, label, &EMPTY_HASH, &mut *per_label)?;
        kdf::expand(&per_label, "exporter", &sha384(context), out)
    }

    /// 32 bytes that name this connection and no other: `export("channel-binding", "")`.
    pub fn channel_binding(&self) -> [u8; 32] {
        let per_label: Secret = kdf::derive(&self.export, "channel-binding", &EMPTY_HASH);
        *kdf::derive::<32>(&per_label, "exporter", &EMPTY_HASH)
    }

    /// The secret with which one further connection may join this session under `join_id`.
    ///
    /// Both ends derive the same one. A join id must be random, handed out by the server and
    /// accepted once.
    pub fn join_secret(&self, join_id: &[u8; 32]) -> Zeroizing<[u8; 48]> {
        Zeroizing::new(*kdf::derive(&self.resume, "join", join_id))
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}
