//! What the threads of one receiving side share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use e2eeftp_core::crypto::BlockValue;
use e2eeftp_core::transfer::{BlockLayout, BlockMap, End, KeptBlock, ReceivePlan, Shortfall};
use e2eeftp_vfs::BlockStaged;

use super::checkpoints::Checkpoints;
use super::prover::value_of;
use crate::error::{Error, Result};
use crate::transfer::Transfer;

/// One receiving transfer.
pub(crate) struct ReceiveBoard {
    pub(super) layout: BlockLayout,
    pub(super) staged: Arc<dyn BlockStaged>,
    transfer: Transfer,
    /// Blocks whose content is not proved by having been read or written here in this transfer.
    unproved: Vec<KeptBlock>,
    state: Mutex<State>,
    /// Something has arrived, been lost, or been proved.
    changed: Condvar,
    checkpoints: Checkpoints,
    is_over: AtomicBool,
}

struct State {
    plan: ReceivePlan,
    is_proved: bool,
    /// All of it was compared: nothing may be written any more.
    is_checked: bool,
    /// Lanes beside the first one that take part now; true for one that has to end.
    lanes: BTreeMap<LaneId, bool>,
    last_lane: LaneId,
    /// The blocks that are arriving, and where.
    arriving: BTreeMap<u32, LaneId>,
    /// Why the transfer can't succeed any more, where another thread found out.
    failure: Option<Error>,
}

/// One connection of a transfer.
pub(super) type LaneId = u64;
/// The session's own.
pub(super) const FIRST_LANE: LaneId = 0;
/// A lane that has lost its block notices it in a tick of its socket.
const PATIENCE: Duration = Duration::from_millis(100);

/// A further lane as long as it takes part.
pub(super) struct LanePlace<'a> {
    board: &'a ReceiveBoard,
    pub(super) id: LaneId,
}

impl Drop for LanePlace<'_> {
    fn drop(&mut self) {
        let mut state = self.board.lock();
        state.lanes.remove(&self.id);
        let State { arriving, plan, .. } = &mut *state;
        // One whose end its thread did not come to tell.
        arriving.retain(|index, lane| {
            if *lane == self.id {
                plan.lose(*index);
            }
            *lane != self.id
        });
        drop(state);
        self.board.changed.notify_all();
    }
}

impl ReceiveBoard {
    /// For a file of which `staged` has kept and `adopted` some blocks.
    pub(super) fn new(
        staged: Arc<dyn BlockStaged>,
        transfer: Transfer,
        adopted: &[KeptBlock],
    ) -> Self {
        let layout = *staged.layout();
        let unproved = staged.kept().to_vec();
        let plan = ReceivePlan::new(layout, unproved.iter().chain(adopted).copied());
        transfer.keep(plan.kept_bytes());
        let state = State {
            plan,
            is_proved: false,
            is_checked: false,
            lanes: BTreeMap::new(),
            last_lane: FIRST_LANE,
            arriving: BTreeMap::new(),
            failure: None,
        };
        Self {
            layout,
            staged,
            transfer,
            unproved,
            state: Mutex::new(state),
            changed: Condvar::new(),
            checkpoints: Checkpoints::new(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Bytes that are there and have not come again.
    pub(super) fn kept_bytes(&self) -> u64 {
        self.lock().plan.kept_bytes()
    }

    pub(super) fn map(&self) -> BlockMap {
        self.lock().plan.map()
    }

    /// Data of a block is about to be written by `lane`. A further lane on which the same block is arriving
    /// has to end, and is waited for: its sender has found it broken before this side did.
    ///
    /// # Errors
    /// [`Error::Protocol`] when the block is arriving on the first lane, [`Error::Closed`] when nothing may be
    /// written any more; as [`ReceivePlan::begin`].
    pub(super) fn begin(&self, index: u32, lane: LaneId) -> Result<()> {
        let mut state = self.lock();
        while let Some(&other) = state.arriving.get(&index) {
            let Some(has_to_end) = state.lanes.get_mut(&other) else {
                return Err(Error::Protocol("a block that is arriving already"));
            };
            *has_to_end = true;
            if lane != FIRST_LANE && self.is_over() {
                return Err(Error::Closed);
            }
            (state, _) =
                self.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_checked || self.is_over() {
            return Err(Error::Closed);
        }
        let before = state.plan.kept_bytes();
        state.plan.begin(index).map_err(e2eeftp_core::Error::from)?;
        self.transfer.move_kept(before - state.plan.kept_bytes());
        state.arriving.insert(index, lane);
        Ok(())
    }

    /// A block is written.
    pub(super) fn finish(&self, index: u32, value: BlockValue) {
        let mut state = self.lock();
        state.arriving.remove(&index);
        state.plan.finish(index, value);
        drop(state);
        self.checkpoints.add(KeptBlock { index, value }, self.layout.len_of(index));
        self.changed.notify_all();
    }

    /// A block that was begun ends here.
    pub(super) fn lose(&self, index: u32) {
        let mut state = self.lock();
        state.arriving.remove(&index);
        state.plan.lose(index);
        drop(state);
        self.changed.notify_all();
    }

    /// A further lane takes part from now on; `None` when it is too late for that.
    pub(super) fn add_lane(&self) -> Option<LanePlace<'_>> {
        let mut state = self.lock();
        if state.is_checked || self.is_over() {
            return None;
        }
        state.last_lane += 1;
        let id = state.last_lane;
        state.lanes.insert(id, false);
        Some(LanePlace { board: self, id })
    }

    /// Whether the lane has to end: the transfer is over, or what was arriving on it comes elsewhere.
    pub(super) fn has_to_end(&self, lane: LaneId) -> bool {
        lane != FIRST_LANE
            && (self.is_over() || self.lock().lanes.get(&lane).is_none_or(|has_to_end| *has_to_end))
    }

    /// Whether other lanes take a part of what is to come.
    pub(super) fn is_shared(&self) -> bool {
        !self.lock().lanes.is_empty()
    }

    /// Waits until no further lane takes part any more, after [`ReceiveBoard::end`]: from then on nothing
    /// is written.
    pub(super) fn wait_for_lanes(&self) {
        let mut state = self.lock();
        while !state.lanes.is_empty() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What another thread ran into.
    pub(super) fn take_failure(&self) -> Option<Error> {
        self.lock().failure.take()
    }

    /// Waits for at most `patience` until the kept blocks are proved and nothing more can arrive on
    /// other lanes. True once that is so.
    ///
    /// # Errors
    /// What another thread ran into.
    pub(super) fn wait_until_settled(&self, patience: Duration) -> Result<bool> {
        let is_settled =
            |state: &State| state.is_proved && (state.lanes.is_empty() || state.plan.is_complete());
        let state = self.lock();
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, patience, |state| {
                !is_settled(state) && state.failure.is_none()
            })
            .unwrap_or_else(PoisonError::into_inner);
        match state.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(is_settled(&state)),
        }
    }

    /// Compares what is there with what the sender says about the file. From then on no lane writes.
    ///
    /// # Errors
    /// [`Error::Integrity`]. Blocks that are there are kept for another attempt, unless their root is wrong.
    pub(super) fn check(&self, end: &End) -> Result<u64> {
        let mut state = self.lock();
        state.is_checked = true;
        match state.plan.check(end) {
            Ok(()) => Ok(state.plan.kept_bytes()),
            Err(Shortfall::Length) => {
                Err(Error::Integrity("the file has not the announced length"))
            }
            Err(Shortfall::Missing(_)) => {
                Err(Error::Integrity("blocks are missing or damaged; the others are kept"))
            }
            Err(Shortfall::Root) => {
                let all: Vec<u32> = (0..self.layout.count()).collect();
                drop(state);
                // Which block is wrong nobody knows: none of them may be believed again.
                self.checkpoints.forget();
                self.staged.retract(&all)?;
                Err(Error::Integrity("the BLAKE3 root does not match what was received"))
            }
        }
    }

    /// Whether the first lane has come to its end.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Ends the other threads.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.checkpoints.end();
        self.changed.notify_all();
    }

    /// Claims what has arrived since the last claim.
    ///
    /// # Errors
    /// As [`BlockStaged::checkpoint`].
    pub(super) fn checkpoint(&self) -> Result<()> {
        let blocks = self.checkpoints.take();
        if blocks.is_empty() { Ok(()) } else { Ok(self.staged.checkpoint(&blocks)?) }
    }

    /// All is there: what has arrived since the last claim is claimed only if no commit follows.
    pub(super) fn note(&self) {
        self.staged.note(self.checkpoints.take());
    }

    /// Claims what arrives, now and then, until the transfer is over. To be run on a thread of its own.
    pub(super) fn keep_journal(&self) {
        while self.checkpoints.wait() {
            if let Err(error) = self.checkpoint() {
                self.fail(error);
                return;
            }
        }
    }

    /// Reads the kept blocks; those that are not what was claimed are missing from then on. To be run on
    /// a thread of its own.
    pub(super) fn prove_kept(&self) {
        if let Err(error) = self.prove_each() {
            self.fail(error);
        }
        self.lock().is_proved = true;
        self.changed.notify_all();
    }

    fn prove_each(&self) -> Result<()> {
        let stopped = || self.is_over();
        let read_at = |buf: &mut [u8], offset| Ok(self.staged.read_at(buf, offset)?);
        let mut buffer = Vec::new();
        let mut damaged = Vec::new();
        for block in &self.unproved {
            let value = match value_of(&self.layout, block.index, &read_at, &stopped, &mut buffer) {
                Ok(value) => value,
                Err(Error::Aborted) => return Ok(()),
                // What can't be read is as good as changed.
                Err(_) => None,
            };
            // A block that has come again meanwhile is no longer what was kept.
            if value != Some(block.value) && self.lock().plan.damaged(block.index) {
                self.transfer.move_kept(self.layout.len_of(block.index));
                damaged.push(block.index);
            }
        }
        if damaged.is_empty() { Ok(()) } else { Ok(self.staged.retract(&damaged)?) }
    }

    /// The transfer can't succeed any more; the first lane will find out.
    pub(super) fn fail(&self, error: Error) {
        self.lock().failure = Some(error);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
