//! Accepts connections, runs their handshakes side by side, and hands proved peers to the caller.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use e2eeftp_core as core;
use e2eeftp_core::Misuse;
use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::handshake::{ClientProved, Established, Refusal, ServerSettings};
use e2eeftp_core::identity::{IdentityKey, PublicKey, RotationChain};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::accept::Acceptor;
use crate::error::{Error, Result};
use crate::handshake::{client_proof, refuse, server_until_answered};
use crate::join_ids::{ExpectedLane, JoinIds};
use crate::lane_offer::LaneSource;
use crate::limits::ServerLimits;
use crate::network::Network;
use crate::places::{Places, Taken};
use crate::session::Session;

/// Proved peers that wait for the caller's verdict.
pub(crate) const MAX_WAITING: usize = 256;

/// A listening socket with its handshakes.
///
/// A server that listens on several addresses makes the first listener with [`Listener::bind`] and
/// the others with [`Listener::bind_beside`]: every limit then counts over all of them together.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    incoming: Mutex<mpsc::Receiver<Incoming>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    identity: Arc<IdentityKey>,
    settings: ServerSettings,
    /// Shared with the listeners beside this one.
    places: Arc<Places>,
    /// Likewise: a lane may reach its server at any of its addresses.
    join_ids: Arc<JoinIds>,
    closed: CancellationToken,
    accepted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

/// Counters of a listener since it was bound.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ListenerStats {
    /// TCP connections accepted.
    pub accepted: u64,
    /// Turned away: by a limit, or by the caller's verdict.
    pub refused: u64,
    /// Ended during the handshake by a fault of the peer or by time.
    pub failed: u64,
    /// Open now, handshakes included, over all listeners that share their limits.
    pub open: u64,
}

/// A peer that has proved its identity and waits for the verdict.
///
/// Dropping it refuses the peer by closing the connection.
#[derive(Debug)]
pub struct Incoming {
    stream: TcpStream,
    proved: ClientProved,
    client_key: PublicKey,
    address: SocketAddr,
    shared: Arc<Shared>,
    slot: OwnedSemaphorePermit,
}

impl Listener {
    /// Binds `address` and starts to accept. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Io`] when the address can't be bound.
    pub fn bind(
        address: SocketAddr,
        identity: Arc<IdentityKey>,
        limits: ServerLimits,
    ) -> Result<Self> {
        Self::bind_rotated(address, identity, None, limits)
    }

    /// As [`Listener::bind`], for a server whose key has changed: clients are shown the statements of
    /// `rotation`.
    ///
    /// # Errors
    /// As [`Listener::bind`]; [`Error::Core`] when `rotation` leads to another key than `identity`.
    pub fn bind_rotated(
        address: SocketAddr,
        identity: Arc<IdentityKey>,
        rotation: Option<Arc<RotationChain>>,
        limits: ServerLimits,
    ) -> Result<Self> {
        if rotation.as_ref().is_some_and(|chain| chain.key() != identity.public_key()) {
            return Err(core::Error::from(Misuse::Rotation).into());
        }
        let settings = ServerSettings { rotation, ..ServerSettings::default() };
        let join_ids = JoinIds::new(&mut OsRandom::new())?;
        let (places, join_ids) = (Arc::new(Places::new(limits)), Arc::new(join_ids));
        Self::start(address, identity, settings, places, join_ids)
    }

    /// Binds a further address for the same identity, under the same limits: what is open, under
    /// way or moving through one of the listeners counts for all, and a session through one may
    /// have lanes through another. Each is closed on its own.
    ///
    /// # Errors
    /// As [`Listener::bind`].
    pub fn bind_beside(&self, address: SocketAddr) -> Result<Self> {
        let shared = &self.shared;
        let (identity, places) = (Arc::clone(&shared.identity), Arc::clone(&shared.places));
        Self::start(
            address,
            identity,
            shared.settings.clone(),
            places,
            Arc::clone(&shared.join_ids),
        )
    }

    fn start(
        address: SocketAddr,
        identity: Arc<IdentityKey>,
        settings: ServerSettings,
        places: Arc<Places>,
        join_ids: Arc<JoinIds>,
    ) -> Result<Self> {
        let acceptor = Acceptor::bind(address)?;
        let address = acceptor.address();
        let shared = Arc::new(Shared {
            identity,
            settings,
            places,
            join_ids,
            closed: CancellationToken::new(),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        });
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let (closed, accepting) = (shared.closed.clone(), Arc::clone(&shared));
        tokio::spawn(acceptor.run(closed, move |stream, address| {
            arrived(stream, address, &accepting, &sender);
        }));
        Ok(Self { address, incoming: Mutex::new(receiver), shared })
    }

    /// The bound address, with the port the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next peer with a proved identity, or `None` after [`Listener::close`].
    pub async fn next(&self) -> Option<Incoming> {
        let mut incoming = self.incoming.lock().await;
        tokio::select! {
            biased;
            () = self.shared.closed.cancelled() => None,
            next = incoming.recv() => next,
        }
    }

    /// Stops accepting and ends the handshakes under way. Sessions live on. Idempotent.
    pub fn close(&self) {
        self.shared.closed.cancel();
    }

    /// What it gives away, for a listener of another protocol beside it.
    pub(crate) fn places(&self) -> Arc<Places> {
        Arc::clone(&self.shared.places)
    }

    /// Counters since the listener was bound.
    pub fn stats(&self) -> ListenerStats {
        let shared = &self.shared;
        ListenerStats {
            accepted: shared.accepted.load(Ordering::Relaxed),
            refused: shared.refused.load(Ordering::Relaxed),
            failed: shared.failed.load(Ordering::Relaxed),
            open: shared.places.open(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

impl Incoming {
    /// The identity that the peer has proved.
    pub fn client_key(&self) -> &PublicKey {
        &self.client_key
    }

    /// Where the peer connects from.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Goes on only with a peer that connects from one of `networks`; every other one is turned
    /// away as by [`Incoming::refuse`], also when there is no network at all. IPv4-mapped IPv6
    /// addresses count as IPv4.
    pub async fn only_from(self, networks: &[Network]) -> Option<Self> {
        let address = self.address.ip();
        if networks.iter().any(|network| network.contains(address)) {
            return Some(self);
        }
        self.refuse().await;
        None
    }

    /// Lets the peer in. The caller sends the first control message.
    pub fn accept(self) -> Session {
        let Shared { places, join_ids, .. } = &*self.shared;
        let lanes = LaneSource::new(Arc::clone(join_ids), places.limits().join_id_lifetime);
        Session::new(
            self.stream,
            self.proved.into_established(),
            self.address,
            places.connection_settings(),
            vec![self.slot],
            Some(lanes),
        )
    }

    /// Turns the peer away with the one refusal there is, the same as for a bad signature.
    pub async fn refuse(self) {
        self.shared.refused.fetch_add(1, Ordering::Relaxed);
        refuse(self.stream, Refusal::General).await;
    }
}

/// Starts the handshake of a connection that has just come, or turns it away.
fn arrived(
    stream: TcpStream,
    address: SocketAddr,
    shared: &Arc<Shared>,
    sender: &mpsc::Sender<Incoming>,
) {
    shared.accepted.fetch_add(1, Ordering::Relaxed);
    if let Some(Taken { slot, half_open }) = shared.places.take(address.ip()) {
        let handshake = run_handshake(stream, address, Arc::clone(shared), slot, sender.clone());
        tokio::spawn(async move {
            handshake.await;
            drop(half_open);
        });
    } else {
        shared.refused.fetch_add(1, Ordering::Relaxed);
        turn_away_busy(stream, shared);
    }
}

/// Over a limit, nothing is read from the peer: it gets a refusal, or where too many are being
/// turned away already, just a close.
fn turn_away_busy(stream: TcpStream, shared: &Shared) {
    if let Some(permit) = shared.places.turn_away() {
        tokio::spawn(async move {
            refuse(stream, Refusal::Busy).await;
            drop(permit);
        });
    }
}

/// Runs a handshake to its end. A peer goes to the caller for its verdict, a lane to its session,
/// and all else gets the one refusal.
async fn run_handshake(
    mut stream: TcpStream,
    address: SocketAddr,
    shared: Arc<Shared>,
    slot: OwnedSemaphorePermit,
    sender: mpsc::Sender<Incoming>,
) {
    let proved = tokio::select! {
        biased;
        () = shared.closed.cancelled() => Err(Error::ShuttingDown),
        proved = prove(&mut stream, address.ip(), &shared) => proved,
    };
    match proved {
        Ok(Proved::Peer(proved, client_key)) => {
            let shared = Arc::clone(&shared);
            let closed = shared.closed.clone();
            let incoming = Incoming { stream, proved, client_key, address, shared, slot };
            tokio::select! {
                biased;
                () = closed.cancelled() => {}
                // Fails only when the listener is gone; the peer then sees the connection close.
                _ = sender.send(incoming) => {}
            }
        }
        Ok(Proved::Lane(established, lane)) => {
            let settings = shared.places.connection_settings();
            lane.arrive(stream, established, address, settings, slot).await;
        }
        Err(_) => {
            shared.failed.fetch_add(1, Ordering::Relaxed);
            refuse(stream, Refusal::General).await;
        }
    }
}

/// What a handshake has come to.
enum Proved {
    Peer(ClientProved, PublicKey),
    Lane(Established, ExpectedLane),
}

async fn prove(stream: &mut TcpStream, from: IpAddr, shared: &Shared) -> Result<Proved> {
    let late = |_| Error::Timeout("the handshake took too long");
    let limits = shared.places.limits();
    stream.set_nodelay(true).map_err(|error| Error::Io("set TCP_NODELAY", error))?;
    let answering =
        server_until_answered(stream, &shared.settings, &*shared.identity, &shared.join_ids, from);
    let (answered, lane) = timeout(limits.handshake_timeout, answering).await.map_err(late)??;
    let proof = client_proof(stream, answered);
    let Some(lane) = lane else {
        let proved = timeout(limits.proof_timeout, proof).await.map_err(late)??;
        let key = proved.client_key().cloned().ok_or(Error::Protocol("no identity was proved"))?;
        return Ok(Proved::Peer(proved, key));
    };
    // Nobody has to be waited for who would touch a key.
    let proved = tokio::select! {
        biased;
        () = lane.session_ended() => return Err(Error::Closed),
        proved = timeout(limits.handshake_timeout, proof) => proved.map_err(late)??,
    };
    Ok(Proved::Lane(proved.into_established(), lane))
}
