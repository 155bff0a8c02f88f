//! Seals the piece of a connection: `iv 16 ‖ ciphertext ‖ hmac(iv ‖ ciphertext) 32`.

use core::fmt;

use crate::classic::{BLOCK_LEN, IV_LEN, MAC_LEN, PieceKeys};
use crate::crypto::cbc_hmac::Encryptor;
use crate::{Error, Misuse, Random};

/// Length of the piece that seals `plain_len` bytes: `16 + 16·(⌊n/16⌋+1) + 32`. `None` when that
/// is more than a `u64` holds.
pub fn sealed_len(plain_len: u64) -> Option<u64> {
    let block = BLOCK_LEN as u64;
    (plain_len / block + 1).checked_mul(block)?.checked_add((IV_LEN + MAC_LEN) as u64)
}

/// Seals one piece, in memory that does not depend on its length. To be sent in this order: the
/// iv, what [`PieceSealer::seal`] made of each part, the end.
pub struct PieceSealer(Encryptor);

impl PieceSealer {
    /// Starts a piece and returns its first bytes, the iv.
    ///
    /// # Errors
    /// [`Error::Random`].
    #[expect(clippy::needless_pass_by_value, reason = "the keys are used up here")]
    pub fn new(keys: PieceKeys, random: &mut dyn Random) -> Result<(Self, [u8; IV_LEN]), Error> {
        let mut iv = [0; IV_LEN];
        random.fill(&mut iv)?;
        Ok((Self(Encryptor::new(keys.cipher(), keys.mac(), &iv)), iv))
    }

    /// Encrypts whole blocks in place.
    ///
    /// # Errors
    /// [`Misuse::BufferLength`] when `bytes` is not a multiple of [`BLOCK_LEN`] long; nothing
    /// was encrypted then.
    pub fn seal(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        if !bytes.len().is_multiple_of(BLOCK_LEN) {
            return Err(Misuse::BufferLength.into());
        }
        self.0.encrypt(bytes);
        Ok(())
    }

    /// Ends the piece with its last bytes, fewer than a block, and returns the last block and the
    /// code.
    ///
    /// # Errors
    /// [`Misuse::BufferLength`] for a whole block or more.
    pub fn finish(mut self, tail: &[u8]) -> Result<[u8; BLOCK_LEN + MAC_LEN], Error> {
        let missing = BLOCK_LEN.checked_sub(tail.len()).filter(|missing| *missing > 0);
        let pad = missing.and_then(|missing| u8::try_from(missing).ok());
        // PKCS#7 (RFC 5652 §6.3): n bytes of the value n, never none.
        let mut block = [pad.ok_or(Misuse::BufferLength)?; BLOCK_LEN];
        block[..tail.len()].copy_from_slice(tail);
        self.0.encrypt(&mut block);
        let mut end = [0; BLOCK_LEN + MAC_LEN];
        let (last, mac) = end.split_at_mut(BLOCK_LEN);
        last.copy_from_slice(&block);
        mac.copy_from_slice(&self.0.finish());
        Ok(end)
    }
}

impl fmt::Debug for PieceSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PieceSealer").finish_non_exhaustive()
    }
}
