//! The one message of the handshake, the same in both directions.

use crate::crypto::ed25519::{PUBLIC_LEN, SIGNATURE_LEN, verifies};
use crate::crypto::kem::check_x25519_share;
use crate::crypto::x25519::KEY_LEN;
use crate::identity::{IdentityKey, PublicKey, Signer as _};
use crate::{Error, PeerFault};

/// Length of the length in front.
const PREFIX_LEN: usize = 4;
/// Length of a hello without its length: ephemeral key, identity, signature.
const HELLO_LEN: usize = KEY_LEN + PUBLIC_LEN + SIGNATURE_LEN;
/// Length of a whole hello:
/// `u32be 128 ‖ X25519 ephemeral 32 ‖ Ed25519 identity 32 ‖ Ed25519 signature 64`.
pub const HELLO_MESSAGE_LEN: usize = PREFIX_LEN + HELLO_LEN;

const PREFIX: [u8; PREFIX_LEN] = [0, 0, 0, 128];
const _: () = assert!(HELLO_LEN == 128, "the length that PREFIX says");

/// A hello whose signature has been verified.
#[derive(Debug)]
pub(super) struct Hello {
    pub(super) ephemeral: [u8; KEY_LEN],
    pub(super) identity: PublicKey,
}

impl Hello {
    /// Writes the hello of `identity` for the ephemeral public key.
    ///
    /// The signature is over the 32 bytes of that key alone. No message that this product signs
    /// elsewhere has this form: those start with `SSHSIG` and are longer.
    pub(super) fn write(
        identity: &IdentityKey,
        ephemeral: &[u8; KEY_LEN],
    ) -> Result<[u8; HELLO_MESSAGE_LEN], Error> {
        let mut message = [0; HELLO_MESSAGE_LEN];
        let (prefix, rest) = message.split_at_mut(PREFIX_LEN);
        let (key, rest) = rest.split_at_mut(KEY_LEN);
        let (public, signature) = rest.split_at_mut(PUBLIC_LEN);
        prefix.copy_from_slice(&PREFIX);
        key.copy_from_slice(ephemeral);
        public.copy_from_slice(identity.public_key().as_bytes());
        signature.copy_from_slice(&identity.sign(ephemeral)?);
        Ok(message)
    }

    /// Reads and verifies a hello.
    ///
    /// # Errors
    /// [`PeerFault::Length`] for another length than 128, [`Error::WeakKey`] for either key,
    /// [`PeerFault::Signature`].
    pub(super) fn read(message: &[u8; HELLO_MESSAGE_LEN]) -> Result<Self, Error> {
        let (prefix, rest) = message.split_first_chunk::<PREFIX_LEN>().ok_or(PeerFault::Length)?;
        let (ephemeral, rest) = rest.split_first_chunk::<KEY_LEN>().ok_or(PeerFault::Length)?;
        let (public, rest) = rest.split_first_chunk::<PUBLIC_LEN>().ok_or(PeerFault::Length)?;
        let signature =
            rest.first_chunk::<SIGNATURE_LEN>().ok_or(Error::Peer(PeerFault::Length))?;
        if *prefix != PREFIX {
            return Err(PeerFault::Length.into());
        }
        check_x25519_share(ephemeral)?;
        let identity = PublicKey::from_bytes(public)?;
        if !verifies(identity.as_bytes(), ephemeral, signature) {
            return Err(PeerFault::Signature.into());
        }
        Ok(Self { ephemeral: *ephemeral, identity })
    }
}
