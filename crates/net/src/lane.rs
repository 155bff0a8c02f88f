//! A further connection of a session, for bodies only. It has the session's identity by a secret
//! of the session, keys of its own, and no control messages.

use std::net::SocketAddr;
use std::sync::Arc;

use e2eeftp_core::handshake::{ClientSettings, Established, Join};
use e2eeftp_core::transfer::Reason;
use e2eeftp_core::{self as core, Misuse};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::connect::client_settings;
use crate::connection::{Connection, ConnectionSettings};
use crate::error::{Error, Result};
use crate::handshake::client_until_proved;
use crate::limits::ClientLimits;
use crate::link::Link;
use crate::pump::PumpSettings;
use crate::session::Session;
use crate::transfer::Transfer;

/// An authenticated connection that belongs to a session and ends with it. Cheap to clone; all
/// clones are the same lane, and the connection ends with the last.
///
/// What may be said on it is up to the pump that runs on it; a control message is a breach of the
/// protocol for every one of them.
#[derive(Clone, Debug)]
pub struct Lane {
    connection: Arc<Connection>,
    id: [u8; 16],
    session_id: [u8; 16],
    address: SocketAddr,
}

impl Lane {
    pub(crate) fn new(
        stream: TcpStream,
        established: Established,
        (session_id, session): ([u8; 16], &CancellationToken),
        address: SocketAddr,
        settings: ConnectionSettings,
        places: Vec<OwnedSemaphorePermit>,
    ) -> Self {
        let Established { sealer, opener, session_id: id, .. } = established;
        let link = Link::new(stream, sealer, opener, session.child_token());
        Self { connection: Connection::new(link, settings, places), id, session_id, address }
    }

    /// The random name of this lane, the same on both sides.
    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    /// [`Session::session_id`] of the session that it belongs to.
    pub fn session_id(&self) -> [u8; 16] {
        self.session_id
    }

    /// The peer's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a pump is free and keeps it for the next [`Lane::run_pump`], so that the peer's
    /// waiting is no stalled body.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Aborted`] after a cancel of `transfer`.
    pub async fn reserve_pump(&self, transfer: &Transfer) -> Result<()> {
        self.connection.reserve_pump(transfer).await
    }

    /// Runs `work` with the socket, in blocking mode, on a thread of its own, once one of the
    /// places for pumps is free. `stream` is passed on in the [`PumpSettings`].
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Aborted`] after a cancel of `transfer` that came before `work`
    /// began, and of which the peer was told nothing; those of `work`, after which the lane stays
    /// usable where [`Error::keeps_session`] says so.
    pub async fn run_pump<T, F>(&self, transfer: &Transfer, stream: u32, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&std::net::TcpStream, PumpSettings<'_>) -> Result<T> + Send + 'static,
    {
        let place = self.connection.place(transfer).await?;
        self.connection.run_pump(place, transfer, stream, work).await
    }

    /// Says goodbye and ends the connection; waits at most a second for a running pump to end and
    /// for the goodbye to leave. Idempotent.
    pub async fn close(&self, reason: Reason) {
        self.connection.close(reason).await;
    }

    /// Ends the connection at once. A pump that runs on it fails with [`Error::Closed`].
    pub fn destroy(&self) {
        self.connection.link.destroy();
    }

    /// Whether the connection, or its session, has ended.
    pub fn is_closed(&self) -> bool {
        self.connection.link.is_dead()
    }
}

impl Session {
    /// Opens a lane with an id that the server has handed out in this session: a new connection to
    /// the address this one goes to, with a key exchange of its own and no signatures. The id is
    /// used up, whatever comes of it. `limits.connect_timeout` bounds all of it.
    ///
    /// # Errors
    /// [`Error::Refused`] when the id is no good; [`Error::Busy`], which leaves it good;
    /// [`Error::Connect`], [`Error::Timeout`], [`Error::ConnectionLost`]; [`Error::Closed`] when
    /// the session has ended; [`Error::Core`] when the other side does not know the session, and
    /// on the server's end of one.
    pub async fn connect_lane(&self, join_id: &[u8; 32], limits: &ClientLimits) -> Result<Lane> {
        if self.lane_source().is_some() {
            return Err(core::Error::from(Misuse::Role).into());
        }
        let session = self.connection().link.dead();
        let join = Join { id: *join_id, secret: self.exporter().join_secret(join_id) };
        let joining = timeout(limits.connect_timeout, Box::pin(join_at(self.address(), join)));
        let (stream, established) = tokio::select! {
            biased;
            () = session.cancelled() => return Err(Error::Closed),
            joined = joining => joined.map_err(|_| Error::Timeout("the server did not answer"))??,
        };
        let of = (self.session_id(), session);
        let settings = client_settings(limits);
        Ok(Lane::new(stream, established, of, self.address(), settings, Vec::new()))
    }
}

async fn join_at(address: SocketAddr, join: Join) -> Result<(TcpStream, Established)> {
    let mut stream = TcpStream::connect(address).await.map_err(Error::Connect)?;
    stream.set_nodelay(true).map_err(|error| Error::Io("set TCP_NODELAY", error))?;
    let settings = ClientSettings { join: Some(join), ..ClientSettings::default() };
    let (record, established) =
        client_until_proved(&mut stream, settings).await?.finish_joined()?;
    stream.write_all(&record).await.map_err(|error| Error::from_socket("handshake", error))?;
    Ok((stream, established))
}
