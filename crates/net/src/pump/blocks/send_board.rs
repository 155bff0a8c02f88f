//! What the threads of one sending side share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use e2eeftp_core::crypto::BlockValue;
use e2eeftp_core::transfer::{BlockLayout, BlockMap, Next, SendPlan};
use e2eeftp_vfs::Source;

use super::prover::value_of;
use crate::error::{Error, Result};
use crate::transfer::Transfer;

/// One sending transfer.
pub(crate) struct SendBoard {
    pub(super) layout: BlockLayout,
    pub(super) source: Arc<dyn Source>,
    transfer: Transfer,
    state: Mutex<State>,
    changed: Condvar,
    is_over: AtomicBool,
}

struct State {
    plan: SendPlan,
    /// Why the transfer can't succeed any more, where the prover found out.
    failure: Option<Error>,
}

impl SendBoard {
    pub(super) fn new(
        layout: BlockLayout,
        source: Arc<dyn Source>,
        transfer: Transfer,
        map: &BlockMap,
    ) -> Self {
        let plan = SendPlan::new(layout, map);
        let kept = map.kept().map(|(index, _)| layout.len_of(index)).sum();
        transfer.keep(kept);
        Self {
            layout,
            source,
            transfer,
            state: Mutex::new(State { plan, failure: None }),
            changed: Condvar::new(),
            is_over: AtomicBool::new(false),
        }
    }

    /// What a lane does next. Waits for at most `patience` where there is nothing to do now.
    ///
    /// # Errors
    /// What the prover ran into.
    pub(super) fn next(&self, patience: Duration) -> Result<Next> {
        let mut state = self.lock();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        match state.plan.next_block() {
            Next::Wait => {
                let (mut state, _) = self
                    .changed
                    .wait_timeout(state, patience)
                    .unwrap_or_else(PoisonError::into_inner);
                Ok(state.plan.next_block())
            }
            next => Ok(next),
        }
    }

    pub(super) fn sent(&self, index: u32, value: BlockValue) {
        self.lock().plan.sent(index, value);
        self.changed.notify_all();
    }

    pub(super) fn unsent(&self, index: u32) {
        self.lock().plan.unsent(index);
        self.changed.notify_all();
    }

    /// Bytes that were proved, and the root; `None` while something is missing.
    pub(super) fn result(&self) -> Option<(u64, [u8; 32])> {
        let state = self.lock();
        state.plan.root().map(|root| (state.plan.kept_bytes(), root))
    }

    /// The transfer can't succeed any more.
    pub(super) fn fail(&self, error: Error) {
        self.lock().failure = Some(error);
        self.changed.notify_all();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Ends prover and lanes.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Proves the blocks that the receiver has kept, one after the other, until all are or the transfer
    /// is over. To be run on a thread of its own.
    pub(super) fn prove_kept(&self) {
        let stopped = || self.is_over() || self.transfer.is_cancelled();
        let read_at = |buf: &mut [u8], offset| Ok(self.source.read_at(buf, offset)?);
        let mut buffer = Vec::new();
        while !stopped() {
            let Some((index, claimed)) = self.lock().plan.next_proof() else { return };
            match value_of(&self.layout, index, &read_at, &stopped, &mut buffer) {
                Ok(value) => {
                    let matches = value == Some(claimed);
                    if !matches {
                        let len = self.layout.len_of(index);
                        self.transfer.move_kept(len);
                    }
                    self.lock().plan.proved(index, claimed, matches);
                }
                Err(Error::Aborted) => return,
                Err(error) => return self.fail(error),
            }
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
