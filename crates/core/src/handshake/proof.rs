//! Tokens that only a successful verification can make.
//!
//! [`Established`](super::Established) asks for both, so that traffic keys can't be reached on a
//! path that has left a check out.

use crate::crypto::hash::HASH_LEN;
use crate::handshake::schedule::{EarlySecrets, TrafficSecret};
use crate::identity::{PublicKey, Signature, sshsig};
use crate::{Error, PeerFault};

/// Who the peer is.
pub(crate) enum IdentityProof {
    /// The holder of this key has signed the transcript.
    Key(VerifiedKey),
    /// Somebody who knows the join secret of the session.
    Joined(KnowsJoinSecret),
}

impl IdentityProof {
    /// The key that was proved; `None` for a join.
    pub(crate) fn key(&self) -> Option<&PublicKey> {
        match self {
            Self::Key(verified) => Some(&verified.0),
            Self::Joined(_) => None,
        }
    }
}

/// A key whose holder has signed the transcript.
pub(crate) struct VerifiedKey(PublicKey);

impl VerifiedKey {
    /// The key.
    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.0
    }
}

/// The peer has computed a code with the join secret.
pub(crate) struct KnowsJoinSecret(());

/// The peer's Finished code was right: it knows the keys and saw the same transcript.
pub(crate) struct FinishedVerified(());

/// What is signed: 64 spaces, the role and the transcript hash, framed as SSHSIG does.
pub(crate) fn signed_data(role: Role, transcript: &[u8; HASH_LEN]) -> Vec<u8> {
    let (namespace, text) = match role {
        Role::Server => (super::SERVER_NAMESPACE, "e2eeftp/1 server signature"),
        Role::Client => (super::CLIENT_NAMESPACE, "e2eeftp/1 client signature"),
    };
    let mut message = vec![0x20; 64];
    message.extend_from_slice(text.as_bytes());
    message.push(0);
    message.extend_from_slice(transcript);
    sshsig::signed_data(namespace, &message)
}

/// Whose signature.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    Server,
    Client,
}

/// Checks the peer's signature over the transcript through its ID.
pub(crate) fn verify_signature(
    role: Role,
    key: PublicKey,
    transcript: &[u8; HASH_LEN],
    signature: &Signature,
) -> Result<VerifiedKey, Error> {
    if !key.verifies(&signed_data(role, transcript), signature) {
        return Err(PeerFault::Signature.into());
    }
    Ok(VerifiedKey(key))
}

/// Checks the peer's Finished over the transcript through its signature.
pub(crate) fn verify_finished(
    secret: &TrafficSecret,
    transcript: &[u8; HASH_LEN],
    code: &[u8],
) -> Result<FinishedVerified, Error> {
    secret.verify_finished(transcript, code)?;
    Ok(FinishedVerified(()))
}

/// As [`verify_finished`], where the keys come from a join secret too: then the code also
/// proves that the peer knows it.
pub(crate) fn verify_joined_finished(
    secret: &TrafficSecret,
    transcript: &[u8; HASH_LEN],
    code: &[u8],
) -> Result<(KnowsJoinSecret, FinishedVerified), Error> {
    Ok((KnowsJoinSecret(()), verify_finished(secret, transcript, code)?))
}

/// Checks a client's proof that it knows the join secret.
pub(crate) fn verify_binder(
    early: &EarlySecrets,
    bound: &[u8],
    binder: &[u8],
) -> Result<KnowsJoinSecret, Error> {
    early.verify_binder(bound, binder)?;
    Ok(KnowsJoinSecret(()))
}
