//! Outgoing connections.

use std::sync::Arc;
use std::time::Instant;

use e2eeftp_core::classic::ClientStart;
use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::identity::{IdentityKey, PublicKey};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout_at;

use super::connection::{Connection, Settings};
use super::listener::read_hello;
use crate::connect::{CLIENT_PUMPS, open_tcp};
use crate::error::{Error, Result};
use crate::limits::ClientLimits;

/// Connects to `host:port` and exchanges hellos. Also returns the server's identity, which the
/// caller judges before it says anything on the connection. The server, whoever it is, and every
/// listener have learned the client's identity by then: the protocol has the client speak first.
///
/// # Errors
/// [`Error::UnknownHost`], [`Error::Connect`], [`Error::Timeout`]; [`Error::Refused`] when the
/// server closes without its hello, which is how it refuses a client; [`Error::Protocol`] and
/// [`Error::Core`] when what answers is no such server.
pub async fn connect(
    host: &str,
    port: u16,
    identity: &IdentityKey,
    limits: ClientLimits,
) -> Result<(Connection, PublicKey)> {
    let deadline = tokio::time::Instant::from_std(Instant::now() + limits.connect_timeout);
    let opening = async {
        let mut stream = open_tcp(host, port).await?;
        stream.set_nodelay(true).map_err(|error| Error::Io("set TCP_NODELAY", error))?;
        let (start, hello) = ClientStart::new(identity, &mut OsRandom::new())?;
        stream.write_all(&hello).await.map_err(|error| Error::from_socket("handshake", error))?;
        let reply = match read_hello(&mut stream).await {
            Err(Error::ConnectionLost(_)) => return Err(Error::Refused),
            reply => reply?,
        };
        Ok((stream, start.handle(&reply)?))
    };
    let (stream, proved) = timeout_at(deadline, opening)
        .await
        .map_err(|_| Error::Timeout("the server did not answer"))??;
    let address = stream.peer_addr().map_err(|error| Error::Io("peer address", error))?;
    let settings = Settings {
        stall_timeout: limits.stall_timeout,
        pumps: Arc::clone(&CLIENT_PUMPS),
        slot: None,
    };
    Ok((Connection::new(stream, proved.keys, address, settings), proved.server_key))
}
