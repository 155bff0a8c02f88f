//! Several connections for one transfer by blocks: who opens them, how many, and their ends.
//!
//! All lanes take blocks from one queue. The transfer begins and ends on the session's own connection; a
//! lane that fails costs the blocks that were on their way on it, and no more.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2eeftp_core::transfer::Reason;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::error::Result;
use crate::lane::Lane;
use crate::lane_offer::LaneOffer;
use crate::limits::ClientLimits;
use crate::pump::PumpSettings;
use crate::session::Session;
use crate::transfer::Transfer;

/// The connections that a transfer by blocks may use beside the session's own.
#[derive(Debug)]
#[non_exhaustive]
pub enum Lanes {
    /// None.
    None,
    /// Those that the peer opens: the server's side.
    Offered(LaneOffer),
    /// Those that this side opens: the client's.
    Opened(OpenLanes),
}

/// How a client opens lanes.
#[derive(Debug)]
pub struct OpenLanes {
    /// Ids that the server has handed out for this transfer: one lane for each, at most.
    pub ids: Vec<[u8; 32]>,
    /// Limits of each connection.
    pub limits: ClientLimits,
    /// Open all of them at once; otherwise one after the other, as long as that makes it faster.
    pub at_once: bool,
}

/// A transfer that is over by then has no use for another lane.
const SETTLE: Duration = Duration::from_millis(200);
/// Nor has one with less than this left.
const LEAST_LEFT: u64 = 16 << 20;
/// TCP connection and handshake take two round trips: a peer for which they take longer is far away.
/// There, what one connection carries is bounded by its window and by each loss, not by processors.
const FAR: Duration = Duration::from_millis(20);
/// Lanes for a peer that is near, at most: more only take each other's place on the processors.
const MAX_NEAR: usize = 3;
/// Time over which the effect of another lane is judged.
const TRIAL: Duration = Duration::from_secs(1);
/// Time over which a first rate is taken.
const FIRST_LOOK: Duration = Duration::from_millis(300);
/// Another lane is worth it while the transfer would go on for longer than this.
const WORTH: Duration = Duration::from_secs(2);

/// What a lane does for the transfer of the board `B`.
pub(crate) type LaneWork<B> = fn(&TcpStream, &B, PumpSettings<'_>) -> Result<()>;

/// Opens or awaits lanes for the transfer `stream` once its board is `told`, and lets each of them
/// `work`. Never comes to an end: to be dropped with the transfer. Lanes that run then end by themselves.
pub(crate) async fn run_lanes<B: Send + Sync + 'static>(
    session: Session,
    lanes: Lanes,
    transfer: Transfer,
    stream: u32,
    told: oneshot::Receiver<Arc<B>>,
    work: LaneWork<B>,
) -> std::convert::Infallible {
    // A transfer that ends before it has begun tells nothing.
    if let Ok(board) = told.await {
        let crew = Crew { transfer, stream, board, work };
        match lanes {
            Lanes::None => {}
            Lanes::Offered(offer) => {
                while let Some(lane) = offer.next().await {
                    crew.put_to_work(lane);
                }
            }
            Lanes::Opened(open) if open.at_once => {
                crew.open_all(&session, &open.ids, &open.limits).await;
            }
            Lanes::Opened(open) => crew.open_while_faster(&session, &open).await,
        }
    }
    std::future::pending().await
}

struct Crew<B> {
    transfer: Transfer,
    stream: u32,
    board: Arc<B>,
    work: LaneWork<B>,
}

impl<B> Clone for Crew<B> {
    fn clone(&self) -> Self {
        let (transfer, board) = (self.transfer.clone(), Arc::clone(&self.board));
        Self { transfer, stream: self.stream, board, work: self.work }
    }
}

impl<B: Send + Sync + 'static> Crew<B> {
    fn put_to_work(&self, lane: Lane) {
        let (transfer, stream) = (self.transfer.clone(), self.stream);
        let (board, work) = (Arc::clone(&self.board), self.work);
        tokio::spawn(async move {
            let worked = lane.run_pump(&transfer, stream, move |socket, settings| {
                work(socket, &board, settings)
            });
            match worked.await {
                Ok(()) => lane.close(Reason::Done).await,
                // Its blocks are taken over by others, or asked for again: nobody has to be told.
                Err(_) => lane.destroy(),
            }
        });
    }

    /// Opens lanes side by side: each takes some round trips.
    async fn open_all(&self, session: &Session, ids: &[[u8; 32]], limits: &ClientLimits) {
        let mut opening = JoinSet::new();
        for id in ids {
            let (crew, session, id, limits) = (self.clone(), session.clone(), *id, limits.clone());
            opening.spawn(async move { crew.open(&session, &id, &limits).await });
        }
        while opening.join_next().await.is_some() {}
    }

    /// False when that lane could not be had: the transfer goes on without.
    async fn open(&self, session: &Session, id: &[u8; 32], limits: &ClientLimits) -> bool {
        match session.connect_lane(id, limits).await {
            Ok(lane) => {
                self.put_to_work(lane);
                true
            }
            Err(_) => false,
        }
    }

    /// To a peer that is far away all lanes at once; to one that is near one after the other, as long as
    /// each makes the transfer faster by a tenth.
    async fn open_while_faster(&self, session: &Session, open: &OpenLanes) {
        sleep(SETTLE).await;
        if self.left() < LEAST_LEFT {
            return;
        }
        let Some((first, others)) = open.ids.split_first() else { return };
        let before = self.measure(FIRST_LOOK).await;
        let began = Instant::now();
        if !self.is_worth(before) || !self.open(session, first, &open.limits).await {
            return;
        }
        if began.elapsed() >= FAR {
            return self.open_all(session, others, &open.limits).await;
        }
        let mut rate = before;
        for id in others.iter().map(Some).chain([None]).take(MAX_NEAR) {
            // The new one finds its pace first.
            sleep(TRIAL).await;
            let faster = self.measure(TRIAL).await;
            if faster < rate + rate / 10 {
                return;
            }
            rate = faster;
            let Some(id) = id else { return };
            if !self.is_worth(rate) || !self.open(session, id, &open.limits).await {
                return;
            }
        }
    }

    /// Bytes a second, now.
    async fn measure(&self, time: Duration) -> u64 {
        let moved = || {
            let progress = self.transfer.progress();
            progress.transferred.saturating_sub(progress.kept)
        };
        let before = moved();
        sleep(time).await;
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        moved().saturating_sub(before).saturating_mul(1000) / millis
    }

    fn is_worth(&self, rate: u64) -> bool {
        rate > 0 && self.left() / rate >= WORTH.as_secs()
    }

    fn left(&self) -> u64 {
        let progress = self.transfer.progress();
        progress.total.unwrap_or(0).saturating_sub(progress.transferred)
    }
}
