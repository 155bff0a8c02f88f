//! X25519 (RFC 7748) on its own. Everything but `classic` takes it as a part of X-Wing.

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::kem::check_x25519_share;
use crate::{Error, Random, WeakKey};

/// Length of a public key, of a private key and of the secret that two of them agree on.
pub(crate) const KEY_LEN: usize = 32;

/// A private key for one agreement. Using it consumes it; dropping it wipes it.
pub(crate) struct EphemeralSecret(StaticSecret);

impl EphemeralSecret {
    /// A new key from 32 random bytes.
    pub(crate) fn generate(random: &mut dyn Random) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        random.fill(&mut *bytes)?;
        Ok(Self(StaticSecret::from(*bytes)))
    }

    pub(crate) fn public(&self) -> [u8; KEY_LEN] {
        PublicKey::from(&self.0).to_bytes()
    }

    /// The secret shared with the holder of `share`.
    ///
    /// # Errors
    /// [`WeakKey::X25519`] for a share of small order.
    pub(crate) fn agree(self, share: &[u8; KEY_LEN]) -> Result<Zeroizing<[u8; KEY_LEN]>, Error> {
        check_x25519_share(share)?;
        let shared = self.0.diffie_hellman(&PublicKey::from(*share));
        if !shared.was_contributory() {
            return Err(WeakKey::X25519.into());
        }
        Ok(Zeroizing::new(shared.to_bytes()))
    }
}
