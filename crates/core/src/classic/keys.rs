//! The keys of a connection, which seal one piece.

use core::fmt;

use zeroize::Zeroizing;

use crate::Error;
use crate::crypto::cbc_hmac::{KEY_LEN, hkdf_sha256};

/// The context of the key derivation.
const INFO: &[u8] = b"file-transfer-e2ee";

/// The keys of one connection: AES-256-CBC, then HMAC-SHA256. Both directions share them, so they
/// are used for one piece only: sealer and opener consume them. Wiped when dropped.
pub struct PieceKeys {
    cipher: Zeroizing<[u8; KEY_LEN]>,
    mac: Zeroizing<[u8; KEY_LEN]>,
}

impl PieceKeys {
    /// `HKDF-SHA256(shared, no salt, "file-transfer-e2ee", 64)`, cut in half.
    pub(super) fn derive(shared: &[u8; 32]) -> Result<Self, Error> {
        let out = hkdf_sha256(shared, INFO)?;
        let mut keys =
            Self { cipher: Zeroizing::new([0; KEY_LEN]), mac: Zeroizing::new([0; KEY_LEN]) };
        let (cipher, mac) = out.split_at(KEY_LEN);
        keys.cipher.copy_from_slice(cipher);
        keys.mac.copy_from_slice(mac);
        Ok(keys)
    }

    pub(super) fn cipher(&self) -> &[u8; KEY_LEN] {
        &self.cipher
    }

    pub(super) fn mac(&self) -> &[u8; KEY_LEN] {
        &self.mac
    }
}

impl fmt::Debug for PieceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PieceKeys").finish_non_exhaustive()
    }
}
