//! A peer that has said hello and waits for the verdict.

use std::net::SocketAddr;
use std::sync::Arc;

use e2eeftp_core::classic::ClientHello;
use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::identity::{IdentityKey, PublicKey};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connection::{Connection, Settings};
use crate::error::{Error, Result};
use crate::limits::ServerLimits;

/// A peer whose hello verifies. Dropping it refuses the peer, which gets a close and not a byte.
#[derive(Debug)]
pub struct Incoming {
    pub(super) stream: TcpStream,
    pub(super) hello: ClientHello,
    pub(super) address: SocketAddr,
    pub(super) limits: Arc<ServerLimits>,
    pub(super) pumps: Arc<Semaphore>,
    pub(super) slot: OwnedSemaphorePermit,
}

impl Incoming {
    /// The identity that signed the peer's ephemeral key; when it did so is not known.
    pub fn client_key(&self) -> &PublicKey {
        self.hello.client_key()
    }

    /// The peer's ephemeral key. One that was seen before is a replay, to be refused.
    pub fn ephemeral(&self) -> &[u8; 32] {
        self.hello.ephemeral()
    }

    /// Where the peer connects from.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the peer in: sends the server's hello.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::ConnectionLost`].
    pub async fn accept(self, identity: &IdentityKey) -> Result<Connection> {
        let Self { mut stream, hello, address, limits, pumps, slot } = self;
        let (keys, reply) = hello.respond(identity, &mut OsRandom::new())?;
        timeout(limits.handshake_timeout, stream.write_all(&reply))
            .await
            .map_err(|_| Error::Timeout("the client takes no data"))?
            .map_err(|error| Error::from_socket("handshake", error))?;
        let settings = Settings { stall_timeout: limits.stall_timeout, pumps, slot: Some(slot) };
        Ok(Connection::new(stream, keys, address, settings))
    }
}
