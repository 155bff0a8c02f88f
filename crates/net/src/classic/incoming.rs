//! A peer that has said hello and waits for the verdict.

use std::net::SocketAddr;
use std::sync::Arc;

use e2eeftp_core::classic::ClientHello;
use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::identity::{IdentityKey, PublicKey};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::connection::{Connection, Settings};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::places::Places;

/// A peer whose hello verifies. Dropping it refuses the peer, which gets a close and not a byte.
#[derive(Debug)]
pub struct Incoming {
    pub(super) stream: TcpStream,
    pub(super) hello: ClientHello,
    pub(super) address: SocketAddr,
    pub(super) places: Arc<Places>,
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

    /// Goes on only with a peer that connects from one of `networks`; every other one is refused,
    /// also when there is no network at all. IPv4-mapped IPv6 addresses count as IPv4.
    pub fn only_from(self, networks: &[Network]) -> Option<Self> {
        let address = self.address.ip();
        networks.iter().any(|network| network.contains(address)).then_some(self)
    }

    /// Lets the peer in: sends the server's hello.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::ConnectionLost`].
    pub async fn accept(self, identity: &IdentityKey) -> Result<Connection> {
        let Self { mut stream, hello, address, places, slot } = self;
        let (keys, reply) = hello.respond(identity, &mut OsRandom::new())?;
        timeout(places.limits().handshake_timeout, stream.write_all(&reply))
            .await
            .map_err(|_| Error::Timeout("the client takes no data"))?
            .map_err(|error| Error::from_socket("handshake", error))?;
        let settings = Settings {
            stall_timeout: places.limits().stall_timeout,
            pumps: places.pumps(),
            slot: Some(slot),
        };
        Ok(Connection::new(stream, keys, address, settings))
    }
}
