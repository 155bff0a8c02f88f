//! Outgoing connections: name look-up, TCP, handshake up to the proof of the server.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use e2eeftp_core as core;
use e2eeftp_core::handshake::{ClientSettings, Established, ServerProved};
use e2eeftp_core::identity::{PublicKey, RotationChain, Signer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::{timeout, timeout_at};

use crate::agent::Agent;
use crate::connection::ConnectionSettings;
use crate::error::{Error, Result};
use crate::handshake::client_until_proved;
use crate::limits::{ClientLimits, MAX_CLIENT_TRANSFERS};
use crate::session::Session;

/// Pumps of all outgoing sessions of this process.
pub(crate) static CLIENT_PUMPS: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(MAX_CLIENT_TRANSFERS)));

/// A connection on which the server has proved who it is, and the client has said nothing yet.
#[derive(Debug)]
pub struct Connecting {
    stream: TcpStream,
    proved: ServerProved,
    server_key: PublicKey,
    address: SocketAddr,
    limits: ClientLimits,
}

/// Connects to `host:port` and lets the server prove its identity.
///
/// All addresses of the name are tried in turn within `limits.connect_timeout`.
///
/// # Errors
/// [`Error::UnknownHost`], [`Error::Connect`], [`Error::Timeout`]; [`Error::Core`] when the server
/// does not speak the protocol or refuses; [`Error::ConnectionLost`].
pub async fn connect(host: &str, port: u16, limits: ClientLimits) -> Result<Connecting> {
    let deadline = tokio::time::Instant::from_std(Instant::now() + limits.connect_timeout);
    let opening = async {
        let mut stream = open_tcp(host, port).await?;
        stream.set_nodelay(true).map_err(|error| Error::Io("set TCP_NODELAY", error))?;
        let proved = client_until_proved(&mut stream, ClientSettings::default()).await?;
        Ok::<_, Error>((stream, proved))
    };
    let (stream, proved) = timeout_at(deadline, opening)
        .await
        .map_err(|_| Error::Timeout("the server did not answer"))??;
    let server_key =
        proved.server_key().cloned().ok_or(Error::Protocol("the server sent no identity"))?;
    let address = stream.peer_addr().map_err(|error| Error::Io("peer address", error))?;
    Ok(Connecting { stream, proved, server_key, address, limits })
}

pub(crate) async fn open_tcp(host: &str, port: u16) -> Result<TcpStream> {
    let addresses: Vec<SocketAddr> =
        lookup_host((host, port)).await.map_err(Error::UnknownHost)?.collect();
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(Error::Connect(last))
}

impl Connecting {
    /// The identity that the server has proved. The caller decides whether to trust it.
    pub fn server_key(&self) -> &PublicKey {
        &self.server_key
    }

    /// The server's clock at the handshake, in seconds since 1970.
    pub fn server_time(&self) -> u64 {
        self.proved.server_time()
    }

    /// The verified statements that lead from older keys of the server to the one it has. Whether
    /// to follow them is for the caller to decide, too.
    pub fn rotation(&self) -> Option<&RotationChain> {
        self.proved.rotation()
    }

    /// Proves the client's identity. The server's verdict is its first message or its refusal:
    /// both come with the first [`Session::next_control`].
    ///
    /// # Errors
    /// [`Error::Core`] when the signer fails, [`Error::ConnectionLost`], [`Error::Timeout`].
    pub async fn authenticate(self, signer: &dyn Signer) -> Result<Session> {
        let Self { stream, proved, address, limits, .. } = self;
        let (record, established) = proved.authenticate(signer)?;
        log_in(stream, &record, established, address, &limits).await
    }

    /// As [`authenticate`](Self::authenticate), with a `key` that `agent` holds. Its signature is
    /// verified before anything is sent. A person may have to be waited for.
    ///
    /// # Errors
    /// As [`authenticate`](Self::authenticate), and those of [`Agent::sign`].
    pub async fn authenticate_by_agent(self, agent: &Agent, key: &PublicKey) -> Result<Session> {
        let Self { stream, mut proved, address, limits, .. } = self;
        let request = proved.signing_request(key);
        let mut early = [0];
        let signature = tokio::select! {
            signature = agent.sign(key, &request) => signature?,
            // The server says nothing now, unless it has lost its patience.
            _ = stream.peek(&mut early) => {
                return Err(Error::Timeout("the server did not wait for the ssh-agent's signature"));
            }
        };
        let (record, established) = proved.finish(signature).map_err(|error| match error {
            core::Error::Misuse(core::Misuse::Signer) => {
                Error::Agent("it gave a signature that its key does not verify", None)
            }
            error => error.into(),
        })?;
        log_in(stream, &record, established, address, &limits).await
    }
}

/// Sends the client's proof. The connection is then a session that waits for the server's verdict.
async fn log_in(
    mut stream: TcpStream,
    record: &[u8],
    established: Established,
    address: SocketAddr,
    limits: &ClientLimits,
) -> Result<Session> {
    timeout(limits.connect_timeout, stream.write_all(record))
        .await
        .map_err(|_| Error::Timeout("the server takes no data"))?
        .map_err(|error| Error::from_socket("handshake", error))?;
    Ok(Session::new(stream, established, address, client_settings(limits), Vec::new(), None))
}

pub(crate) fn client_settings(limits: &ClientLimits) -> ConnectionSettings {
    ConnectionSettings {
        stall_timeout: limits.stall_timeout,
        keep_alive: limits.keep_alive,
        space_timeout: limits.space_timeout,
        rates: Arc::default(),
        pumps: Arc::clone(&CLIENT_PUMPS),
    }
}
