//! The AEAD of one direction: key, nonce and the counter that makes nonces unique.
//!
//! A nonce is `iv XOR (0^32 ‖ seq64)`. The sequence number is a token that only the counter of
//! the same key can mint and that sealing or opening consumes, so using one twice does not
//! compile.

use ring::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::Error;
use crate::handshake::Suite;

/// Length of the authentication tag, for both suites.
pub(crate) const TAG_LEN: usize = 16;
/// Length of a key, for both suites.
pub(crate) const KEY_LEN: usize = 32;
/// Length of a nonce, for both suites.
pub(crate) const NONCE_LEN: usize = 12;
/// No key ever protects more records than this.
pub(crate) const MAX_RECORDS_PER_KEY: u64 = 1 << 32;

/// A sequence number that has not been used yet. Neither `Clone` nor `Copy`.
struct Seq(u64);

/// Key, iv and sequence counter of one direction.
pub(crate) struct DirectionKey {
    /// On the heap, so that moving it leaves no copy behind. The library does not wipe it.
    key: Box<LessSafeKey>,
    suite: Suite,
    iv: Zeroizing<[u8; NONCE_LEN]>,
    /// The sequence number of the next record; grows by one with each attempt.
    next_seq: u64,
}

impl DirectionKey {
    pub(crate) fn new(
        suite: Suite,
        key: &[u8; KEY_LEN],
        iv: Zeroizing<[u8; NONCE_LEN]>,
    ) -> Result<Self, Error> {
        Ok(Self { key: Box::new(expand(suite, key)?), suite, iv, next_seq: 0 })
    }

    /// Encrypts `inner` in place and returns its tag.
    ///
    /// # Errors
    /// [`Error::Limit`] when the key may not be used any more.
    pub(crate) fn seal(&mut self, aad: [u8; 4], inner: &mut [u8]) -> Result<[u8; TAG_LEN], Error> {
        self.seal_with(&aad, inner)
    }

    /// [`seal`](Self::seal) with additional data of any length, as public vectors have it.
    pub(super) fn seal_with(
        &mut self,
        aad: &[u8],
        inner: &mut [u8],
    ) -> Result<[u8; TAG_LEN], Error> {
        let seq = self.mint()?;
        // Sealing fails only for more bytes than one nonce may cover, 64 GiB.
        let tag = self
            .key
            .seal_in_place_separate_tag(self.nonce(seq), Aad::from(aad), inner)
            .map_err(|_| Error::Limit)?;
        let mut out = [0; TAG_LEN];
        out.copy_from_slice(tag.as_ref());
        Ok(out)
    }

    /// Decrypts `sealed` (ciphertext and tag) in place; the plaintext is all but the last
    /// [`TAG_LEN`] bytes.
    ///
    /// # Errors
    /// [`Error::Decrypt`] when it does not authenticate; `sealed` is then all zero.
    /// [`Error::Limit`] when the key may not be used any more.
    pub(crate) fn open(&mut self, aad: [u8; 4], sealed: &mut [u8]) -> Result<(), Error> {
        self.open_with(&aad, sealed)
    }

    /// [`open`](Self::open) with additional data of any length, as public vectors have it.
    pub(super) fn open_with(&mut self, aad: &[u8], sealed: &mut [u8]) -> Result<(), Error> {
        let seq = self.mint()?;
        if self.key.open_in_place(self.nonce(seq), Aad::from(aad), sealed).is_err() {
            sealed.fill(0);
            return Err(Error::Decrypt);
        }
        Ok(())
    }

    fn mint(&mut self) -> Result<Seq, Error> {
        if self.next_seq >= MAX_RECORDS_PER_KEY {
            return Err(Error::Limit);
        }
        let seq = Seq(self.next_seq);
        self.next_seq += 1;
        Ok(seq)
    }

    #[expect(clippy::needless_pass_by_value, reason = "a sequence number is used up here")]
    fn nonce(&self, seq: Seq) -> Nonce {
        let mut nonce = *self.iv;
        for (byte, seq_byte) in nonce[NONCE_LEN - 8..].iter_mut().zip(seq.0.to_be_bytes()) {
            *byte ^= seq_byte;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    #[cfg(test)]
    pub(crate) fn set_next_seq(&mut self, next_seq: u64) {
        self.next_seq = next_seq;
    }
}

impl Drop for DirectionKey {
    /// Overwrites the key with one that is worth nothing.
    fn drop(&mut self) {
        // Expanding fails for no suite there is.
        if let Ok(worthless) = expand(self.suite, &[0; KEY_LEN]) {
            *self.key = worthless;
        }
    }
}

fn expand(suite: Suite, key: &[u8; KEY_LEN]) -> Result<LessSafeKey, Error> {
    let algorithm = match suite {
        Suite::Aes256Gcm => &AES_256_GCM,
        Suite::ChaCha20Poly1305 => &CHACHA20_POLY1305,
    };
    // Both algorithms take 32-byte keys, so this cannot fail for a length.
    UnboundKey::new(algorithm, key).map(LessSafeKey::new).map_err(|_| Error::Limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(suite: Suite) -> DirectionKey {
        DirectionKey::new(suite, &[1; KEY_LEN], Zeroizing::new([2; NONCE_LEN])).unwrap()
    }

    #[test]
    fn the_hard_limit_is_exact() {
        for suite in [Suite::Aes256Gcm, Suite::ChaCha20Poly1305] {
            let (mut sealing, mut opening) = (key(suite), key(suite));
            sealing.set_next_seq(MAX_RECORDS_PER_KEY - 1);
            opening.set_next_seq(MAX_RECORDS_PER_KEY - 1);
            let mut last = [5; 8 + TAG_LEN];
            let tag = sealing.seal([0; 4], &mut last[..8]).unwrap();
            last[8..].copy_from_slice(&tag);
            opening.open([0; 4], &mut last).unwrap();
            assert_eq!(last[..8], [5; 8]);
            assert_eq!(sealing.seal([0; 4], &mut [5; 8]), Err(Error::Limit));
            assert_eq!(opening.open([0; 4], &mut last), Err(Error::Limit));
        }
    }

    #[test]
    fn nonces_follow_the_counter() {
        let mut sealing = key(Suite::Aes256Gcm);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..300 {
            let seq = sealing.mint().unwrap();
            assert!(seen.insert(*sealing.nonce(seq).as_ref()));
        }
    }

    #[test]
    fn a_failed_open_leaves_zeros() {
        let mut record = [9; 40];
        assert_eq!(key(Suite::Aes256Gcm).open([0; 4], &mut record), Err(Error::Decrypt));
        assert_eq!(record, [0; 40]);
    }
}
