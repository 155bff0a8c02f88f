//! What a finished handshake gives.

use core::fmt;

use crate::handshake::proof::{FinishedVerified, IdentityProof};
use crate::handshake::schedule::HandshakeSecrets;
use crate::handshake::transcript::Transcript;
use crate::handshake::{Suite, TrafficSecret};
use crate::record::{Opener, RatchetLimits, Sealer};
use crate::{Error, Exporter};

/// A connection to a verified peer.
///
/// Only the last state of a handshake makes one, after the peer's identity and its Finished
/// have been verified.
pub struct Established {
    /// Seals what this side sends.
    pub sealer: Sealer,
    /// Opens what the peer sends.
    pub opener: Opener,
    /// Further secrets of this connection.
    pub exporter: Exporter,
    /// A random id that the server chose; both sides may log it.
    pub session_id: [u8; 16],
    /// The AEAD.
    pub suite: Suite,
    /// The largest `len` a record may carry in either direction.
    pub max_record_body: usize,
}

/// What both sides have agreed on and that is no secret.
#[derive(Clone, Copy)]
pub(crate) struct Agreed {
    pub(crate) suite: Suite,
    pub(crate) session_id: [u8; 16],
    pub(crate) max_record_body: usize,
    pub(crate) limits: RatchetLimits,
}

/// The proofs that traffic keys require.
pub(crate) struct Verified {
    pub(crate) identity: IdentityProof,
    #[expect(dead_code, reason = "that the token exists is all there is to know")]
    pub(crate) finished: FinishedVerified,
}

impl Established {
    pub(crate) fn for_client(
        verified: &Verified,
        agreed: Agreed,
        secrets: HandshakeSecrets,
        transcript: &Transcript,
    ) -> Result<Self, Error> {
        let secrets = secrets.into_application(&transcript.hash());
        Self::new(verified, agreed, (secrets.client, secrets.server), secrets.exporter, true)
    }

    pub(crate) fn for_server(
        verified: &Verified,
        agreed: Agreed,
        secrets: HandshakeSecrets,
        transcript: &Transcript,
    ) -> Result<Self, Error> {
        let secrets = secrets.into_application(&transcript.hash());
        Self::new(verified, agreed, (secrets.server, secrets.client), secrets.exporter, false)
    }

    fn new(
        _proofs: &Verified,
        agreed: Agreed,
        (sending, receiving): (TrafficSecret, TrafficSecret),
        exporter: Exporter,
        is_client: bool,
    ) -> Result<Self, Error> {
        let Agreed { suite, session_id, max_record_body, limits } = agreed;
        Ok(Self {
            sealer: Sealer::new(sending, suite, limits, max_record_body)?,
            opener: Opener::new(receiving, suite, limits, max_record_body, is_client)?,
            exporter,
            session_id,
            suite,
            max_record_body,
        })
    }
}

impl fmt::Debug for Established {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Established").field("suite", &self.suite).finish_non_exhaustive()
    }
}
