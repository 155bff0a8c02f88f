//! The server's side of lanes: join ids handed out, lanes awaited.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::handshake::Join;
use e2eeftp_core::transfer::Reason;
use e2eeftp_core::{self as core, Misuse, Random};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::{Error, Result};
use crate::join_ids::{Entry, ExpectedLane, JoinIds};
use crate::lane::Lane;
use crate::limits::MAX_LANES;
use crate::session::Session;

/// What the server's end of a session makes lanes from.
#[derive(Debug)]
pub(crate) struct LaneSource {
    ids: Arc<JoinIds>,
    /// How long an id is good.
    lifetime: Duration,
    /// [`MAX_LANES`] for ids that are not used up and lanes that are open.
    places: Arc<Semaphore>,
}

impl LaneSource {
    pub(crate) fn new(ids: Arc<JoinIds>, lifetime: Duration) -> Self {
        Self { ids, lifetime, places: Arc::new(Semaphore::new(MAX_LANES)) }
    }
}

/// Join ids that were handed out together, and the lanes that come with them.
///
/// Dropping it withdraws the ids that nobody has used and closes the lanes that nobody has taken.
pub struct LaneOffer {
    ids: Vec<[u8; 32]>,
    registry: Arc<JoinIds>,
    arrived: Mutex<mpsc::Receiver<Lane>>,
    /// Cancelled when the session ends.
    session: CancellationToken,
    runtime: Handle,
    /// Ends the wait for the ids to expire.
    _withdrawn: DropGuard,
}

impl Session {
    /// Hands out join ids: `count` of them, or fewer where the session would have more than
    /// [`MAX_LANES`] lanes, those included for which an id is out. Each is good once, for
    /// [`ServerLimits::join_id_lifetime`](crate::ServerLimits::join_id_lifetime), from the address
    /// that this session comes from, and as long as it lasts. Must be called on a tokio runtime.
    ///
    /// The caller tells the peer the ids within this session, and nobody else.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Core`] on the client's end of a session, or when the system has
    /// no random numbers.
    pub fn offer_lanes(&self, count: usize) -> Result<LaneOffer> {
        let LaneSource { ids: registry, lifetime, places } =
            self.lane_source().ok_or(core::Error::from(Misuse::Role))?;
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let session = self.connection().link.dead();
        let expires = Instant::now() + *lifetime;
        let (sender, arrived) = mpsc::channel(MAX_LANES);
        let (mut entries, mut ids) = (Vec::new(), Vec::new());
        while ids.len() < count {
            let Ok(place) = Arc::clone(places).try_acquire_owned() else { break };
            let mut id = [0; 32];
            OsRandom::new().fill(&mut id)?;
            let join = Join { id, secret: self.exporter().join_secret(&id) };
            let lane = ExpectedLane {
                session_id: self.session_id(),
                session: session.clone(),
                from: self.address().ip().to_canonical(),
                arrived: sender.clone(),
                place,
            };
            entries.push(Entry { join, expires, lane });
            ids.push(id);
        }
        registry.add(entries);
        let withdrawn = CancellationToken::new();
        let runtime = Handle::current();
        runtime.spawn(withdraw_in_time(
            Arc::clone(registry),
            ids.clone(),
            expires,
            session.clone(),
            withdrawn.clone(),
        ));
        Ok(LaneOffer {
            ids,
            registry: Arc::clone(registry),
            arrived: Mutex::new(arrived),
            session: session.clone(),
            runtime,
            _withdrawn: withdrawn.drop_guard(),
        })
    }
}

impl LaneOffer {
    /// The ids, to be told to the peer. Whoever names one in a hello uses it up.
    pub fn ids(&self) -> &[[u8; 32]] {
        &self.ids
    }

    /// The next lane, or `None` when no more can come: every id is used up or has expired, or the
    /// session has ended. Cancel safe.
    pub async fn next(&self) -> Option<Lane> {
        let mut arrived = self.arrived.lock().await;
        tokio::select! {
            biased;
            () = self.session.cancelled() => None,
            lane = arrived.recv() => lane,
        }
    }
}

impl Drop for LaneOffer {
    fn drop(&mut self) {
        self.registry.withdraw(&self.ids);
        let arrived = self.arrived.get_mut();
        arrived.close();
        while let Ok(lane) = arrived.try_recv() {
            self.runtime.spawn(async move { lane.close(Reason::Cancelled).await });
        }
    }
}

impl fmt::Debug for LaneOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaneOffer").field("count", &self.ids.len()).finish_non_exhaustive()
    }
}

/// Forgets ids that nobody can use any more, and with them the wait of their offer.
async fn withdraw_in_time(
    registry: Arc<JoinIds>,
    ids: Vec<[u8; 32]>,
    expires: Instant,
    session: CancellationToken,
    withdrawn: CancellationToken,
) {
    tokio::select! {
        () = session.cancelled() => {}
        () = withdrawn.cancelled() => {}
        () = tokio::time::sleep_until(expires.into()) => {}
    }
    registry.withdraw(&ids);
}
