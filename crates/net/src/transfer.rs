//! The handle of one running operation: what it has moved so far, and the switch that ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use crate::pump::limiter::RateLimiter;
use crate::pump::meter::{Totals, TransferStats};

/// Where an operation stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Phase {
    /// Not started, or waiting for a free pump.
    Waiting,
    /// Bytes are moving.
    Moving,
    /// A disk is full, here or at the peer: bytes move again once there is room.
    WaitingForSpace,
    /// All bytes have moved; the root is being compared.
    Finishing,
    /// Over, well or badly.
    Done,
}

impl Phase {
    /// The name used in progress events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Moving => "moving",
            Self::WaitingForSpace => "waiting-for-space",
            Self::Finishing => "finishing",
            Self::Done => "done",
        }
    }
}

/// A snapshot of a running operation.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Content bytes moved so far, and those of `kept`.
    pub transferred: u64,
    /// Content bytes that were there already and are not moved again.
    pub kept: u64,
    /// Bytes that have crossed the network for a compressed body; 0 for any other.
    pub coded: u64,
    /// Content bytes in all, where known.
    pub total: Option<u64>,
    /// Where the operation stands.
    pub phase: Phase,
}

/// Shared by the pump, which counts, and the caller, who samples and may cancel.
///
/// Cloning gives another handle of the same operation. Sampling costs three atomic loads, so the
/// caller decides how often; the pump never calls back.
#[derive(Clone, Debug, Default)]
pub struct Transfer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    transferred: AtomicU64,
    kept: AtomicU64,
    /// Content bytes that have crossed the network for them, where that is another number.
    coded: AtomicU64,
    /// -1 while unknown.
    total: AtomicI64,
    phase: AtomicU8,
    cancel: CancellationToken,
    limiter: Arc<RateLimiter>,
    totals: Arc<Totals>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            transferred: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            coded: AtomicU64::new(0),
            total: AtomicI64::new(-1),
            phase: AtomicU8::new(0),
            cancel: CancellationToken::new(),
            limiter: Arc::default(),
            totals: Arc::default(),
        }
    }
}

impl Transfer {
    /// A handle for an operation that has not started.
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle for another operation that keeps to the rate limit of this one, together with it.
    #[must_use]
    pub fn limited_with(&self) -> Self {
        let limiter = Arc::clone(&self.shared.limiter);
        Self { shared: Arc::new(Shared { limiter, ..Shared::default() }) }
    }

    /// Asks the operation to stop. It answers with [`crate::Error::Aborted`] within a fraction of
    /// a second where the peer plays its part. Where it does not, the connection is given up with
    /// [`crate::Error::Timeout`] after 5 s.
    pub fn cancel(&self) {
        self.shared.cancel.cancel();
    }

    /// Whether [`Transfer::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancel.is_cancelled()
    }

    /// Counts from nothing again, for another try of the same operation. A cancel stays.
    pub fn restart(&self) {
        self.shared.transferred.store(0, Ordering::Relaxed);
        self.shared.kept.store(0, Ordering::Relaxed);
        self.set_total(None);
        self.set_phase(Phase::Waiting);
    }

    /// What has moved so far.
    pub fn progress(&self) -> Progress {
        Progress {
            transferred: self.shared.transferred.load(Ordering::Relaxed),
            kept: self.shared.kept.load(Ordering::Relaxed),
            coded: self.shared.coded.load(Ordering::Relaxed),
            total: u64::try_from(self.shared.total.load(Ordering::Relaxed)).ok(),
            phase: match self.shared.phase.load(Ordering::Relaxed) {
                0 => Phase::Waiting,
                1 => Phase::Moving,
                2 => Phase::Finishing,
                4 => Phase::WaitingForSpace,
                _ => Phase::Done,
            },
        }
    }

    /// Limits the bytes a second of all pumps of this operation together, from now on; 0 means no
    /// limit. Bytes are those of the wire. See [`RateLimiter`].
    pub fn set_rate_limit(&self, rate: u64) {
        self.shared.limiter.set_rate(rate);
    }

    /// Where the time goes, and what the kernel knows of the connections; at most 50 ms old.
    pub fn stats(&self) -> TransferStats {
        self.shared.totals.snapshot()
    }

    pub(crate) fn limiter(&self) -> &RateLimiter {
        &self.shared.limiter
    }

    pub(crate) fn totals(&self) -> Arc<Totals> {
        Arc::clone(&self.shared.totals)
    }

    pub(crate) async fn cancelled(&self) {
        self.shared.cancel.cancelled().await;
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.shared.transferred.fetch_add(bytes, Ordering::Relaxed);
    }

    /// `bytes` are there already.
    pub(crate) fn keep(&self, bytes: u64) {
        self.shared.kept.fetch_add(bytes, Ordering::Relaxed);
        self.add(bytes);
    }

    /// `bytes` of those that were thought to be there have to be moved after all.
    pub(crate) fn move_kept(&self, bytes: u64) {
        self.shared.kept.fetch_sub(bytes, Ordering::Relaxed);
        self.shared.transferred.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_coded(&self, bytes: u64) {
        self.shared.coded.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn set_total(&self, total: Option<u64>) {
        let total = total.and_then(|total| i64::try_from(total).ok()).unwrap_or(-1);
        self.shared.total.store(total, Ordering::Relaxed);
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        let number = match phase {
            Phase::Waiting => 0,
            Phase::Moving => 1,
            Phase::Finishing => 2,
            Phase::Done => 3,
            Phase::WaitingForSpace => 4,
        };
        self.shared.phase.store(number, Ordering::Relaxed);
    }
}
