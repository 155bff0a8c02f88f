//! The key schedule (`docs/PROTOCOL.md` §5): from the shared secrets to the traffic keys.
//!
//! Each stage consumes the one before it, so that a secret is wiped as soon as the next exists.

use zeroize::{Zeroize as _, Zeroizing};

use crate::crypto::aead::{DirectionKey, KEY_LEN, NONCE_LEN};
use crate::crypto::hash::{EMPTY_HASH, HASH_LEN, hmac384, sha384, verify_hmac384};
use crate::crypto::kdf::{Expander, Secret, derive, extract};
use crate::handshake::Suite;
use crate::{Error, Exporter, PeerFault};

/// The stage that knows the join secret, or that there is none.
pub(crate) struct EarlySecrets(Secret);

impl EarlySecrets {
    pub(crate) fn new(join_secret: Option<&[u8; HASH_LEN]>) -> Self {
        let zero = [0; HASH_LEN];
        Self(extract(&zero, join_secret.unwrap_or(&zero)))
    }

    /// The code with which a `ClientHello` proves that its sender knows the join secret;
    /// `hello_start` is the `ClientHello` up to and including the join id.
    pub(crate) fn binder(&self, hello_start: &[u8]) -> [u8; HASH_LEN] {
        hmac384(&*self.binder_key(), &[&sha384(hello_start)])
    }

    /// Checks a binder in constant time.
    pub(crate) fn verify_binder(&self, hello_start: &[u8], binder: &[u8]) -> Result<(), Error> {
        verify_hmac384(&*self.binder_key(), &sha384(hello_start), binder, PeerFault::Join)
    }

    fn binder_key(&self) -> Secret {
        derive(&self.0, "join binder", &EMPTY_HASH)
    }

    /// The next stage: `shared` is the X-Wing secret, `hellos` the transcript through M3.
    pub(crate) fn into_handshake(
        self,
        shared: &[u8; 32],
        hellos: &[u8; HASH_LEN],
    ) -> HandshakeSecrets {
        let salt: Secret = derive(&self.0, "derived", &EMPTY_HASH);
        let handshake = extract(&salt, shared);
        let expander = Expander::new(&handshake);
        let salt: Secret = expander.derive("derived", &EMPTY_HASH);
        HandshakeSecrets {
            client: TrafficSecret(expander.derive("c hs", hellos)),
            server: TrafficSecret(expander.derive("s hs", hellos)),
            master: extract(&salt, &[0; HASH_LEN]),
        }
    }
}

/// The stage that seals M4 and M5.
pub(crate) struct HandshakeSecrets {
    pub(crate) client: TrafficSecret,
    pub(crate) server: TrafficSecret,
    master: Secret,
}

impl HandshakeSecrets {
    /// The last stage: `whole` is the transcript through the client's Finished.
    pub(crate) fn into_application(self, whole: &[u8; HASH_LEN]) -> ApplicationSecrets {
        let expander = Expander::new(&self.master);
        ApplicationSecrets {
            client: TrafficSecret(expander.derive("c ap", whole)),
            server: TrafficSecret(expander.derive("s ap", whole)),
            exporter: Exporter::new(
                expander.derive("exp master", whole),
                expander.derive("res master", whole),
            ),
        }
    }
}

/// The stage that protects what is said after the handshake.
pub(crate) struct ApplicationSecrets {
    pub(crate) client: TrafficSecret,
    pub(crate) server: TrafficSecret,
    pub(crate) exporter: Exporter,
}

/// The secret behind the keys of one direction.
pub(crate) struct TrafficSecret(Secret);

impl TrafficSecret {
    /// The key and iv of this secret, with sequence numbers from 0.
    pub(crate) fn direction_key(&self, suite: Suite) -> Result<DirectionKey, Error> {
        let expander = Expander::new(&self.0);
        let key = expander.derive::<KEY_LEN>("key", b"");
        let iv = Zeroizing::new(*expander.derive::<NONCE_LEN>("iv", b""));
        DirectionKey::new(suite, &key, iv)
    }

    /// Replaces the secret by its successor and wipes it.
    pub(crate) fn advance(&mut self) {
        self.0 = derive(&self.0, "upd", b"");
    }

    /// Wipes the secret.
    pub(crate) fn forget(&mut self) {
        self.0.zeroize();
    }

    /// The Finished code over `transcript`.
    pub(crate) fn finished(&self, transcript: &[u8; HASH_LEN]) -> [u8; HASH_LEN] {
        hmac384(&*self.finished_key(), &[transcript])
    }

    /// Checks a Finished code in constant time.
    pub(crate) fn verify_finished(
        &self,
        transcript: &[u8; HASH_LEN],
        code: &[u8],
    ) -> Result<(), Error> {
        verify_hmac384(&*self.finished_key(), transcript, code, PeerFault::Finished)
    }

    fn finished_key(&self) -> Secret {
        derive(&self.0, "finished", b"")
    }
}
