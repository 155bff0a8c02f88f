//! SHA-2 and HMAC-SHA384.

use ring::digest::{self, Context, SHA256, SHA384, SHA512};
use ring::hmac::{self, HMAC_SHA384};

use crate::Error;

/// Length of a SHA-384 hash, of every secret of the key schedule and of a Finished code.
pub(crate) const HASH_LEN: usize = 48;

/// `SHA-384("")`.
pub(crate) const EMPTY_HASH: [u8; HASH_LEN] = [
    0x38, 0xb0, 0x60, 0xa7, 0x51, 0xac, 0x96, 0x38, 0x4c, 0xd9, 0x32, 0x7e, 0xb1, 0xb1, 0xe3, 0x6a,
    0x21, 0xfd, 0xb7, 0x11, 0x14, 0xbe, 0x07, 0x43, 0x4c, 0x0c, 0xc7, 0xbf, 0x63, 0xf6, 0xe1, 0xda,
    0x27, 0x4e, 0xde, 0xbf, 0xe7, 0x6f, 0x65, 0xfb, 0xd5, 0x1a, 0xd2, 0xf1, 0x48, 0x98, 0xb9, 0x5b,
];

/// A running SHA-384.
#[derive(Clone)]
pub(crate) struct Sha384(Context);

impl Sha384 {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA384))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of everything so far; the running hash can go on.
    pub(crate) fn current(&self) -> [u8; HASH_LEN] {
        to_array(self.0.clone().finish().as_ref())
    }
}

pub(crate) fn sha384(bytes: &[u8]) -> [u8; HASH_LEN] {
    to_array(digest::digest(&SHA384, bytes).as_ref())
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    to_array(digest::digest(&SHA256, bytes).as_ref())
}

pub(crate) fn sha512(bytes: &[u8]) -> [u8; 64] {
    to_array(digest::digest(&SHA512, bytes).as_ref())
}

/// An HMAC-SHA384 key, ready for several codes.
pub(crate) struct HmacKey(hmac::Key);

impl HmacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(HMAC_SHA384, key))
    }

    /// The code over the concatenation of `parts`.
    pub(crate) fn code(&self, parts: &[&[u8]]) -> [u8; HASH_LEN] {
        let mut out = [0; HASH_LEN];
        self.code_into(parts, &mut out);
        out
    }

    /// [`code`](Self::code) into `out`, of which at most [`HASH_LEN`] bytes are filled.
    pub(crate) fn code_into(&self, parts: &[&[u8]], out: &mut [u8]) {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        for (byte, code) in out.iter_mut().zip(context.sign().as_ref()) {
            *byte = *code;
        }
    }
}

/// HMAC-SHA384 over the concatenation of `parts`, for a key that is used once.
pub(crate) fn hmac384(key: &[u8], parts: &[&[u8]]) -> [u8; HASH_LEN] {
    HmacKey::new(key).code(parts)
}

/// Compares an HMAC-SHA384 code in constant time.
///
/// # Errors
/// `fault` when the code is not the one of `message`.
pub(crate) fn verify_hmac384(
    key: &[u8],
    message: &[u8],
    code: &[u8],
    fault: impl Into<Error>,
) -> Result<(), Error> {
    hmac::verify(&hmac::Key::new(HMAC_SHA384, key), message, code).map_err(|_| fault.into())
}

/// Copies a digest, whose length its algorithm fixes, into an array of that length.
fn to_array<const N: usize>(digest: &[u8]) -> [u8; N] {
    debug_assert_eq!(digest.len(), N, "the algorithm fixes the length");
    let mut out = [0; N];
    out.copy_from_slice(digest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_hash_is_the_hash_of_nothing() {
        assert_eq!(EMPTY_HASH, sha384(b""));
    }
}
