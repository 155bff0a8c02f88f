//! Ed25519 (RFC 8032), with the checks of public keys that the verification itself leaves out.

use curve25519_dalek::edwards::CompressedEdwardsY;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

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
    if point.is_small_order() || point.compress().as_bytes() != public {
        return Err(weak);
    }
    Ok(())
}

/// Whether `signature` over `message` verifies under `public`.
pub(crate) fn verifies(
    public: &[u8; PUBLIC_LEN],
    message: &[u8],
    signature: &[u8; SIGNATURE_LEN],
) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

/// The public key that belongs to `seed`.
pub(crate) fn public_of(seed: &[u8; SEED_LEN]) -> Result<[u8; PUBLIC_LEN], Error> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyFault::Malformed)?;
    <[u8; PUBLIC_LEN]>::try_from(pair.public_key().as_ref()).map_err(|_| KeyFault::Malformed.into())
}

/// Signs `message`. Seed and public key are checked to belong together.
pub(crate) fn sign(
    seed: &[u8; SEED_LEN],
    public: &[u8; PUBLIC_LEN],
    message: &[u8],
) -> Result<[u8; SIGNATURE_LEN], Error> {
    let pair =
        Ed25519KeyPair::from_seed_and_public_key(seed, public).map_err(|_| KeyFault::Mismatch)?;
    <[u8; SIGNATURE_LEN]>::try_from(pair.sign(message).as_ref())
        .map_err(|_| KeyFault::Malformed.into())
}
