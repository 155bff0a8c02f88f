//! Ed25519 (RFC 8032), with the checks of public keys that the verification itself leaves out.

use curve25519_dalek::edwards::CompressedEdwardsY;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::{Error, KeyFault, WeakKey};

/// Length of a public key.
pub(crate) const PUBLIC_LEN: usize = 32;
/// Length of a seed, which is the private key.
pub(crate) const SEED_LEN: usize = 32;
/// Length of a signature.
pub(crate) const SIGNATURE_LEN: usize = 64;

/// Accepts a public key only if it is the canonical encoding of a point that is not of small
/// order. With a small-order key one signature can fit every message.
pub(crate) fn check_public(public: &[u8; PUBLIC_LEN]) -> Result<(), Error> {
    let weak = Error::WeakKey(WeakKey::Ed25519);
    let point = CompressedEdwardsY(*public).decompress().ok_or(weak)?;
    // The other encoding that is not canonical, a sign with x = 0, is of small order.
    if !is_reduced(public) || point.is_small_order() { Err(weak) } else { Ok(()) }
}

/// Whether y, without the sign of x in the top bit, is below p = 2^255 - 19. Not secret.
fn is_reduced(public: &[u8; PUBLIC_LEN]) -> bool {
    let [low, middle @ .., high] = public;
    high & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff) || *low < 0xed
}

/// Whether `signature` over `message` verifies under `public`.
pub(crate) fn verifies(
    public: &[u8; PUBLIC_LEN],
    message: &[u8],
    signature: &[u8; SIGNATURE_LEN],
) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

/// A private key, expanded for signing.
pub(crate) struct KeyPair(Ed25519KeyPair);

impl KeyPair {
    pub(crate) fn from_seed(seed: &[u8; SEED_LEN]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyFault::Malformed)?;
        Ok(Self(pair))
    }

    /// The public key that belongs to the seed.
    pub(crate) fn public(&self) -> Result<[u8; PUBLIC_LEN], Error> {
        let public = self.0.public_key().as_ref();
        <[u8; PUBLIC_LEN]>::try_from(public).map_err(|_| KeyFault::Malformed.into())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_LEN], Error> {
        let signature = self.0.sign(message);
        <[u8; SIGNATURE_LEN]>::try_from(signature.as_ref()).map_err(|_| KeyFault::Malformed.into())
    }
}
