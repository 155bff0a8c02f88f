//! What can sign for an identity at once: a key in memory.

use crate::Error;
use crate::identity::PublicKey;

/// Signs for one identity, whose key is a plain `ssh-ed25519` one, without waiting for anything.
///
/// An agent or a security key takes its time: its signature is asked for with
/// [`ServerProved::signing_request`](crate::handshake::ServerProved::signing_request).
pub trait Signer: Send + Sync {
    /// The public key that verifies the signatures.
    fn public_key(&self) -> &PublicKey;

    /// The Ed25519 signature over `message`, which is a complete SSHSIG signed-data blob
    /// (`SSHSIG ‖ namespace ‖ reserved ‖ hash algorithm ‖ hash`) and is signed as it is. Only
    /// [`classic`](crate::classic) has keys in memory sign something else: 32 bytes.
    ///
    /// # Errors
    /// Whatever keeps the key from being used. A wrong signature is noticed by the caller.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Error>;

    /// Whether a signature is sent without being verified here first. Only for keys of this
    /// process: an agent or a token that answers with a wrong signature is found out at once, and
    /// not by a refusal of the peer.
    fn is_trusted(&self) -> bool {
        false
    }
}
