//! Opens the piece of a connection; see [`super::PieceSealer`] for its form.

use core::fmt;

use zeroize::Zeroizing;

use crate::classic::{BLOCK_LEN, IV_LEN, MAC_LEN, MIN_SEALED_LEN, PieceKeys};
use crate::crypto::cbc_hmac::Decryptor;
use crate::{Error, Misuse};

/// Opens one piece, in memory that does not depend on its length.
///
/// What [`PieceOpener::open`] hands out has been authenticated by nobody yet: it may be written to
/// a place where it can be thrown away again, and nothing else. Only [`PieceOpener::finish`] tells
/// whether it was good, and with it the end of the file.
pub struct PieceOpener {
    decryptor: Decryptor,
    /// Bytes of ciphertext still to come. Invariant: a multiple of [`BLOCK_LEN`].
    left: u64,
    /// The last block, once it was decrypted: how much of it is padding is not known before the
    /// end.
    last: Zeroizing<[u8; BLOCK_LEN]>,
}

/// The end of a file: what the last block holds beside its padding.
pub struct LastBlock {
    block: Zeroizing<[u8; BLOCK_LEN]>,
    len: usize,
}

impl PieceOpener {
    /// Starts to open a piece of `sealed_len` bytes, of which the iv is here.
    ///
    /// # Errors
    /// [`Error::Decrypt`] for a length that no piece has.
    #[expect(clippy::needless_pass_by_value, reason = "the keys are used up here")]
    pub fn new(keys: PieceKeys, sealed_len: u64, iv: &[u8; IV_LEN]) -> Result<Self, Error> {
        let left = ciphertext_len(sealed_len).ok_or(Error::Decrypt)?;
        let decryptor = Decryptor::new(keys.cipher(), keys.mac(), iv);
        Ok(Self { decryptor, left, last: Zeroizing::new([0; BLOCK_LEN]) })
    }

    /// Whether a piece can be this long: iv, at least one block, only whole blocks, code.
    pub fn is_sealed_len(sealed_len: u64) -> bool {
        ciphertext_len(sealed_len).is_some()
    }

    /// Bytes of ciphertext that are still to come; the code follows them.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Decrypts the next blocks in place and returns what is surely content: everything but the
    /// last block of the piece.
    ///
    /// # Errors
    /// [`Misuse::BufferLength`] unless `ciphertext` is a multiple of [`BLOCK_LEN`] and at most
    /// [`PieceOpener::left`] long.
    pub fn open<'a>(&mut self, ciphertext: &'a mut [u8]) -> Result<&'a mut [u8], Error> {
        let left = u64::try_from(ciphertext.len())
            .ok()
            .filter(|len| len.is_multiple_of(BLOCK_LEN as u64))
            .and_then(|len| self.left.checked_sub(len))
            .ok_or(Misuse::BufferLength)?;
        self.decryptor.decrypt(ciphertext);
        self.left = left;
        if left > 0 || ciphertext.is_empty() {
            return Ok(ciphertext);
        }
        let (content, last) = ciphertext
            .split_last_chunk_mut::<BLOCK_LEN>()
            .ok_or(Error::Misuse(Misuse::BufferLength))?;
        *self.last = *last;
        Ok(content)
    }

    /// Compares the code, then takes the padding off.
    ///
    /// The padding is looked at only when the code has matched: a peer without the keys learns
    /// nothing from how this fails.
    ///
    /// # Errors
    /// [`Error::Decrypt`] when the code or the padding is wrong: nothing of the piece is any good.
    /// [`Misuse::BufferLength`] when ciphertext is missing.
    pub fn finish(self, mac: &[u8; MAC_LEN]) -> Result<LastBlock, Error> {
        if self.left > 0 {
            return Err(Misuse::BufferLength.into());
        }
        self.decryptor.verify(mac)?;
        let len = content_len(&self.last).ok_or(Error::Decrypt)?;
        Ok(LastBlock { block: self.last, len })
    }
}

impl LastBlock {
    /// The content, 0 to 15 bytes.
    pub fn content(&self) -> &[u8] {
        &self.block[..self.len]
    }
}

/// What is left of a piece without iv and code; `None` for a length that no piece has.
fn ciphertext_len(sealed_len: u64) -> Option<u64> {
    let len = sealed_len.checked_sub((IV_LEN + MAC_LEN) as u64)?;
    (sealed_len >= MIN_SEALED_LEN && len.is_multiple_of(BLOCK_LEN as u64)).then_some(len)
}

/// Length of the content in a block that PKCS#7 has padded.
fn content_len(block: &[u8; BLOCK_LEN]) -> Option<usize> {
    let pad = usize::from(block[BLOCK_LEN - 1]);
    let len = BLOCK_LEN.checked_sub(pad).filter(|len| *len < BLOCK_LEN)?;
    block[len..].iter().all(|byte| usize::from(*byte) == pad).then_some(len)
}

impl fmt::Debug for PieceOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PieceOpener").field("left", &self.left).finish_non_exhaustive()
    }
}

impl fmt::Debug for LastBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastBlock").field("len", &self.len).finish_non_exhaustive()
    }
}
