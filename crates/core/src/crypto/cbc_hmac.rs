//! AES-256-CBC and HMAC-SHA256, encrypt then MAC, for `classic` alone: the rest of the protocol
//! has AEADs. Also the HKDF-SHA256 that makes their keys.
//!
//! Padding is none of this module's business: it takes whole blocks.

use aes::Aes256;
use cbc::cipher::{Array, BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::hmac::{self, HMAC_SHA256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{Error, Misuse};

/// Length of an AES block.
pub(crate) const BLOCK_LEN: usize = 16;
/// Length of the initialisation vector, one block.
pub(crate) const IV_LEN: usize = BLOCK_LEN;
/// Length of an HMAC-SHA256 code.
pub(crate) const MAC_LEN: usize = 32;
/// Length of either key.
pub(crate) const KEY_LEN: usize = 32;

/// `HKDF-SHA256(secret, no salt, info, 64 bytes)` (RFC 5869).
///
/// # Errors
/// [`Misuse::Derivation`], which the fixed lengths rule out.
pub(crate) fn hkdf_sha256(
    secret: &[u8; 32],
    info: &[u8],
) -> Result<Zeroizing<[u8; 2 * KEY_LEN]>, Error> {
    struct Len;
    impl KeyType for Len {
        fn len(&self) -> usize {
            2 * KEY_LEN
        }
    }
    let mut out = Zeroizing::new([0; 2 * KEY_LEN]);
    Salt::new(HKDF_SHA256, &[])
        .extract(secret)
        .expand(&[info], Len)
        .and_then(|okm| okm.fill(&mut *out))
        .map_err(|_| Misuse::Derivation)?;
    Ok(out)
}

/// Encrypts blocks and authenticates iv and ciphertext.
pub(crate) struct Encryptor {
    cipher: cbc::Encryptor<Aes256>,
    mac: hmac::Context,
}

impl Encryptor {
    pub(crate) fn new(key: &[u8; KEY_LEN], mac_key: &[u8; KEY_LEN], iv: &[u8; IV_LEN]) -> Self {
        Self { cipher: cbc::Encryptor::new(key.into(), iv.into()), mac: start_mac(mac_key, iv) }
    }

    /// Encrypts whole blocks in place. Bytes beyond the last whole block stay as they are and are
    /// not authenticated; callers have none.
    pub(crate) fn encrypt(&mut self, bytes: &mut [u8]) {
        let (blocks, rest) = Array::slice_as_chunks_mut(bytes);
        debug_assert!(rest.is_empty(), "whole blocks");
        self.cipher.encrypt_blocks(blocks);
        self.mac.update(bytes);
    }

    /// The code over the iv and all that was encrypted.
    pub(crate) fn finish(self) -> [u8; MAC_LEN] {
        code(self.mac)
    }
}

/// Authenticates iv and ciphertext, and decrypts. What it decrypts is worth nothing before
/// [`Decryptor::verify`] has said yes.
pub(crate) struct Decryptor {
    cipher: cbc::Decryptor<Aes256>,
    mac: hmac::Context,
}

impl Decryptor {
    pub(crate) fn new(key: &[u8; KEY_LEN], mac_key: &[u8; KEY_LEN], iv: &[u8; IV_LEN]) -> Self {
        Self { cipher: cbc::Decryptor::new(key.into(), iv.into()), mac: start_mac(mac_key, iv) }
    }

    /// Decrypts whole blocks in place; see [`Encryptor::encrypt`] for other lengths.
    pub(crate) fn decrypt(&mut self, bytes: &mut [u8]) {
        self.mac.update(bytes);
        let (blocks, rest) = Array::slice_as_chunks_mut(bytes);
        debug_assert!(rest.is_empty(), "whole blocks");
        self.cipher.decrypt_blocks(blocks);
    }

    /// Compares the code in constant time.
    ///
    /// # Errors
    /// [`Error::Decrypt`] when it is not the one over iv and ciphertext.
    pub(crate) fn verify(self, expected: &[u8; MAC_LEN]) -> Result<(), Error> {
        if bool::from(code(self.mac).ct_eq(expected)) { Ok(()) } else { Err(Error::Decrypt) }
    }
}

fn start_mac(key: &[u8; KEY_LEN], iv: &[u8; IV_LEN]) -> hmac::Context {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, key));
    mac.update(iv);
    mac
}

fn code(mac: hmac::Context) -> [u8; MAC_LEN] {
    let mut out = [0; MAC_LEN];
    out.copy_from_slice(mac.sign().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn cbc_is_that_of_nist_sp_800_38a() {
        // F.2.5 CBC-AES256.Encrypt, all four blocks.
        let key = bytes("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        let iv = bytes("000102030405060708090a0b0c0d0e0f");
        let plain: [u8; 64] = bytes(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        );
        let sealed: [u8; 64] = bytes(
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d\
             39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
        );
        let mut text = plain;
        let mut encryptor = Encryptor::new(&key, &[0; 32], &iv);
        let (first, rest) = text.split_at_mut(16);
        encryptor.encrypt(first);
        encryptor.encrypt(rest);
        assert_eq!(text, sealed);
        let code = encryptor.finish();
        let mut decryptor = Decryptor::new(&key, &[0; 32], &iv);
        let (first, rest) = text.split_at_mut(48);
        decryptor.decrypt(first);
        decryptor.decrypt(rest);
        assert_eq!(text, plain);
        decryptor.verify(&code).unwrap();
    }

    #[test]
    fn hkdf_without_a_salt_is_that_of_rfc_5869() {
        // RFC 5869 §2.2: without a salt, the key of the extraction is as many zeros as a hash has.
        let out = hkdf_sha256(&[0x0b; 32], b"abc").unwrap();
        let by_hmac = {
            let prk = hmac::sign(&hmac::Key::new(HMAC_SHA256, &[0; 32]), &[0x0b; 32]);
            let key = hmac::Key::new(HMAC_SHA256, prk.as_ref());
            let first = hmac::sign(&key, b"abc\x01");
            let second = hmac::sign(&key, &[first.as_ref(), b"abc\x02"].concat());
            [first.as_ref(), second.as_ref()].concat()
        };
        assert_eq!(out[..], by_hmac);
    }
}
