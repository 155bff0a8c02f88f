//! When what has arrived is claimed in the journal.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use e2eeftp_core::transfer::KeptBlock;

/// So much is claimed at once, or what has come in [`INTERVAL`], whichever is first.
const BYTES: u64 = 256 * 1024 * 1024;
const INTERVAL: Duration = Duration::from_secs(5);

/// Blocks that are written and not claimed yet.
pub(super) struct Checkpoints {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    blocks: Vec<KeptBlock>,
    bytes: u64,
    last: Instant,
    is_over: bool,
}

impl Checkpoints {
    pub(super) fn new() -> Self {
        let state = State { blocks: Vec::new(), bytes: 0, last: Instant::now(), is_over: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// A block of `len` bytes is written.
    pub(super) fn add(&self, block: KeptBlock, len: u64) {
        let mut state = self.lock();
        state.blocks.push(block);
        state.bytes += len;
        if state.bytes >= BYTES {
            self.changed.notify_all();
        }
    }

    /// Waits until it is time for a claim; false when there will be none any more.
    pub(super) fn wait(&self) -> bool {
        let mut state = self.lock();
        loop {
            if state.is_over {
                return false;
            }
            let rest = INTERVAL.saturating_sub(state.last.elapsed());
            if !state.blocks.is_empty() && (state.bytes >= BYTES || rest.is_zero()) {
                return true;
            }
            let pause = if rest.is_zero() { INTERVAL } else { rest };
            (state, _) =
                self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What is to be claimed now.
    pub(super) fn take(&self) -> Vec<KeptBlock> {
        let mut state = self.lock();
        state.bytes = 0;
        state.last = Instant::now();
        std::mem::take(&mut state.blocks)
    }

    /// What was written is not to be claimed.
    pub(super) fn forget(&self) {
        drop(self.take());
    }

    /// Ends [`Checkpoints::wait`].
    pub(super) fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
