//! The join ids that the sessions of one server have handed out and nobody has used yet, and what
//! waits for the lane behind each (`docs/PROTOCOL.md` §2.1). Never says why an id is no good.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use e2eeftp_core::Random;
use e2eeftp_core::handshake::{Established, Join};
use e2eeftp_core::transfer::Reason;
use tokio::net::TcpStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

use crate::connection::ConnectionSettings;
use crate::error::Result;
use crate::lane::Lane;

/// The ids of all sessions of a server, over all addresses it listens on.
#[derive(Debug)]
pub(crate) struct JoinIds {
    /// At most [`MAX_LANES`](crate::MAX_LANES) of each session.
    open: Mutex<HashMap<[u8; 32], Entry>>,
    /// Stands where an id has no secret, so that it is refused by the same steps as a wrong one.
    decoy: Join,
}

/// One id.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) join: Join,
    pub(crate) expires: Instant,
    pub(crate) lane: ExpectedLane,
}

/// What an id leads to: the right of one connection to become a lane.
#[derive(Debug)]
pub(crate) struct ExpectedLane {
    pub(crate) session_id: [u8; 16],
    /// Cancelled when the session ends.
    pub(crate) session: CancellationToken,
    /// Where the session comes from, in canonical form.
    pub(crate) from: IpAddr,
    /// Has room for every lane of its offer.
    pub(crate) arrived: mpsc::Sender<Lane>,
    /// Among the lanes of the session.
    pub(crate) place: OwnedSemaphorePermit,
}

/// An id that a hello has named, and that is used up by it.
#[derive(Debug)]
pub(crate) struct Claim {
    /// With which the binder of the hello is checked.
    pub(crate) join: Join,
    /// `None` when there is no such id: the hello is then to be refused even if its binder fits.
    pub(crate) lane: Option<ExpectedLane>,
}

impl JoinIds {
    pub(crate) fn new(random: &mut dyn Random) -> Result<Self> {
        let mut decoy = Join { id: [0; 32], secret: [0; 48].into() };
        random.fill(&mut *decoy.secret)?;
        Ok(Self { open: Mutex::default(), decoy })
    }

    pub(crate) fn add(&self, entries: Vec<Entry>) {
        let mut open = self.lock();
        open.extend(entries.into_iter().map(|entry| (entry.join.id, entry)));
    }

    /// Makes ids worthless that have not been used; the others are left alone.
    pub(crate) fn withdraw(&self, ids: &[[u8; 32]]) {
        let mut open = self.lock();
        let entries: Vec<Entry> = ids.iter().filter_map(|id| open.remove(id)).collect();
        drop(open);
        drop(entries);
    }

    /// Uses `id` up for a connection that comes from `from`, whether it is good for it or not.
    pub(crate) fn claim(&self, id: &[u8; 32], from: IpAddr) -> Claim {
        let entry = self.lock().remove(id);
        let good = entry.filter(|Entry { expires, lane, .. }| {
            Instant::now() < *expires
                && !lane.session.is_cancelled()
                && lane.from == from.to_canonical()
        });
        good.map_or_else(
            || Claim { join: Join { id: *id, secret: self.decoy.secret.clone() }, lane: None },
            |Entry { join, lane, .. }| Claim { join, lane: Some(lane) },
        )
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ExpectedLane {
    /// Waits for the end of the session.
    pub(crate) async fn session_ended(&self) {
        self.session.cancelled().await;
    }

    /// Gives the proved connection to whoever waits for it; `slot` is its place among the
    /// connections. Nobody waits any more when the offer was withdrawn: then says goodbye.
    pub(crate) async fn arrive(
        self,
        stream: TcpStream,
        established: Established,
        address: SocketAddr,
        settings: ConnectionSettings,
        slot: OwnedSemaphorePermit,
    ) {
        let Self { session_id, session, arrived, place, .. } = self;
        // In this order: a connection that is over leaves room for its successor in the session.
        let places = vec![place, slot];
        let lane =
            Lane::new(stream, established, (session_id, &session), address, settings, places);
        if let Err(TrySendError::Closed(lane) | TrySendError::Full(lane)) = arrived.try_send(lane) {
            lane.close(Reason::Cancelled).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::time::Duration;

    use e2eeftp_core::crypto::OsRandom;
    use tokio::sync::Semaphore;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const ID: [u8; 32] = [1; 32];
    const SECRET: [u8; 48] = [2; 48];

    /// A registry with one id, which is good for a minute, and the end of its session.
    fn registry() -> (JoinIds, CancellationToken, Arc<Semaphore>) {
        let ids = JoinIds::new(&mut OsRandom::new()).unwrap();
        let (session, places) = (CancellationToken::new(), Arc::new(Semaphore::new(1)));
        let lane = ExpectedLane {
            session_id: [3; 16],
            session: session.clone(),
            from: HERE,
            arrived: mpsc::channel(1).0,
            place: Arc::clone(&places).try_acquire_owned().unwrap(),
        };
        let join = Join { id: ID, secret: SECRET.into() };
        let expires = Instant::now() + Duration::from_secs(60);
        ids.add(vec![Entry { join, expires, lane }]);
        (ids, session, places)
    }

    /// Gets no lane, and a secret that nobody has.
    fn assert_worthless(claim: &Claim) {
        assert!(claim.lane.is_none());
        assert!(![SECRET, [0; 48]].contains(&claim.join.secret));
    }

    #[test]
    fn an_id_is_good_once_and_from_its_address() {
        let (ids, ..) = registry();
        assert_worthless(&ids.claim(&[7; 32], HERE));
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped().into();
        let claim = ids.claim(&ID, mapped);
        assert_eq!((*claim.join.secret, claim.lane.unwrap().session_id), (SECRET, [3; 16]));
        assert_worthless(&ids.claim(&ID, HERE));

        let (ids, _, places) = registry();
        assert_worthless(&ids.claim(&ID, Ipv4Addr::new(127, 0, 0, 2).into()));
        assert_worthless(&ids.claim(&ID, HERE));
        assert_eq!(places.available_permits(), 1, "what is used up gives its place back");
    }

    /// Also before anything has withdrawn it.
    #[test]
    fn an_id_ends_with_its_time_and_with_its_session() {
        let (ids, ..) = registry();
        ids.lock().get_mut(&ID).unwrap().expires = Instant::now();
        assert_worthless(&ids.claim(&ID, HERE));
        let (ids, session, _) = registry();
        session.cancel();
        assert_worthless(&ids.claim(&ID, HERE));
        let (ids, _, places) = registry();
        ids.withdraw(&[[7; 32], ID]);
        assert_eq!(places.available_permits(), 1);
        assert_worthless(&ids.claim(&ID, HERE));
    }
}
