//! What each side brings to a handshake.

use core::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::has_aes_hardware;
use crate::handshake::Suites;
use crate::identity::RotationChain;
use crate::record::RatchetLimits;

/// The client's side. The default offers both suites and prefers what this processor is good at.
#[derive(Debug)]
pub struct ClientSettings {
    /// The suites to offer; at least one.
    pub suites: Suites,
    /// Whether AES-256-GCM is preferred. It is used only if the server prefers it too.
    pub prefer_aes: bool,
    /// Join an existing session instead of proving identities.
    pub join: Option<Join>,
    /// When keys are updated.
    pub limits: RatchetLimits,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            suites: Suites::ALL,
            prefer_aes: has_aes_hardware(),
            join: None,
            limits: RatchetLimits::default(),
        }
    }
}

/// The server's side. The default takes both suites and prefers what this processor is good at.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The suites to accept; at least one.
    pub suites: Suites,
    /// Whether AES-256-GCM is preferred. It is used only if the client prefers it too.
    pub prefer_aes: bool,
    /// How the server's key has changed, for clients that know an old one. It leads to the key that
    /// signs the handshake.
    pub rotation: Option<Arc<RotationChain>>,
    /// When keys are updated.
    pub limits: RatchetLimits,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            suites: Suites::ALL,
            prefer_aes: has_aes_hardware(),
            rotation: None,
            limits: RatchetLimits::default(),
        }
    }
}

/// The right to add one connection to a session.
pub struct Join {
    /// The single-use id that the server handed out inside of the session.
    pub id: [u8; 32],
    /// [`Exporter::join_secret`](crate::Exporter::join_secret) of the session for this id.
    pub secret: Zeroizing<[u8; 48]>,
}

impl fmt::Debug for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").finish_non_exhaustive()
    }
}
