//! Both sides of the handshake. Each state is consumed by its only step.

use core::fmt;

use crate::classic::hello::{HELLO_MESSAGE_LEN, Hello};
use crate::classic::keys::PieceKeys;
use crate::crypto::x25519::EphemeralSecret;
use crate::identity::{IdentityKey, PublicKey};
use crate::{Error, Random};

/// A client that has made its hello and waits for the server's.
pub struct ClientStart {
    secret: EphemeralSecret,
}

impl ClientStart {
    /// Makes the client's hello. It shows the client's identity to whoever listens: the protocol
    /// has the client speak first.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn new(
        identity: &IdentityKey,
        random: &mut dyn Random,
    ) -> Result<(Self, [u8; HELLO_MESSAGE_LEN]), Error> {
        let secret = EphemeralSecret::generate(random)?;
        let message = Hello::write(identity, &secret.public())?;
        Ok((Self { secret }, message))
    }

    /// Takes the server's hello.
    ///
    /// # Errors
    /// [`PeerFault::Length`](crate::PeerFault::Length) and
    /// [`PeerFault::Signature`](crate::PeerFault::Signature), [`Error::WeakKey`].
    pub fn handle(self, message: &[u8; HELLO_MESSAGE_LEN]) -> Result<ServerProved, Error> {
        let hello = Hello::read(message)?;
        let shared = self.secret.agree(&hello.ephemeral)?;
        Ok(ServerProved { server_key: hello.identity, keys: PieceKeys::derive(&shared)? })
    }
}

impl fmt::Debug for ClientStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStart").finish_non_exhaustive()
    }
}

/// What the client knows after the handshake.
#[derive(Debug)]
pub struct ServerProved {
    /// The identity that signed the server's ephemeral key, at some time: see the module.
    pub server_key: PublicKey,
    /// What the piece of this connection is sealed with.
    pub keys: PieceKeys,
}

/// A client's hello as a server sees it. Whether that identity may come in, and whether its
/// ephemeral key is a new one, is for the caller to judge before it answers.
#[derive(Debug)]
pub struct ClientHello(Hello);

impl ClientHello {
    /// Reads a client's hello.
    ///
    /// # Errors
    /// As [`ClientStart::handle`].
    pub fn read(message: &[u8; HELLO_MESSAGE_LEN]) -> Result<Self, Error> {
        Hello::read(message).map(Self)
    }

    /// The identity that signed the client's ephemeral key, at some time: see the module.
    pub fn client_key(&self) -> &PublicKey {
        &self.0.identity
    }

    /// The client's ephemeral key. A client makes a new one for each connection, so one that was
    /// seen before is a replay.
    pub fn ephemeral(&self) -> &[u8; 32] {
        &self.0.ephemeral
    }

    /// Makes the server's hello.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn respond(
        self,
        identity: &IdentityKey,
        random: &mut dyn Random,
    ) -> Result<(PieceKeys, [u8; HELLO_MESSAGE_LEN]), Error> {
        let secret = EphemeralSecret::generate(random)?;
        let message = Hello::write(identity, &secret.public())?;
        let shared = secret.agree(&self.0.ephemeral)?;
        Ok((PieceKeys::derive(&shared)?, message))
    }
}
