//! What a running tree transfer tells its caller: counts that can be read at any time, and a queue
//! of what happened to single names, bounded so that a slow caller slows the transfer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::transfer::Transfer;

/// Events that wait for the caller, at most.
const MAX_WAITING: usize = 1024;
const TICK: Duration = Duration::from_millis(100);

/// What happened to a name.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TreeEvent {
    /// What.
    pub kind: TreeEventKind,
    /// From the top of the tree.
    pub path: Vec<u8>,
    /// Bytes of a file.
    pub size: u64,
    /// Of a failure: its code and its text.
    pub failure: Option<(String, String)>,
}

/// The kinds of [`TreeEvent`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TreeEventKind {
    /// A small file, or in a dry run any file, was moved or would be.
    Moved,
    /// A large file is to be moved by a request of its own; tell [`TreeEvents::settle`] its end.
    Large,
    /// A name at the sink was removed, or would be.
    Deleted,
    /// Something did not work; the rest goes on.
    Failed,
}

impl TreeEventKind {
    /// The name used by callers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Large => "large",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
        }
    }
}

/// Counts of a running transfer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct TreeProgress {
    /// Files that were found to belong to the tree.
    pub found: u64,
    /// Their bytes.
    pub found_bytes: u64,
    /// Small files that were moved.
    pub moved: u64,
    /// Files that were there already.
    pub skipped: u64,
    /// Failures.
    pub failed: u64,
}

/// Shared by a running transfer and its caller.
#[derive(Debug, Default)]
pub struct TreeEvents {
    /// Whether every moved file is an event.
    wants_moved: bool,
    queue: Mutex<Queue>,
    room: Condvar,
    arrived: Notify,
    found: AtomicU64,
    found_bytes: AtomicU64,
    moved: AtomicU64,
    skipped: AtomicU64,
    failed: AtomicU64,
    open_larges: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<TreeEvent>,
    is_over: bool,
}

impl TreeEvents {
    /// A queue without events. With `wants_moved` every file that is moved is one.
    pub fn new(wants_moved: bool) -> Self {
        Self { wants_moved, ..Self::default() }
    }

    /// The counts so far.
    pub fn progress(&self) -> TreeProgress {
        TreeProgress {
            found: self.found.load(Ordering::Relaxed),
            found_bytes: self.found_bytes.load(Ordering::Relaxed),
            moved: self.moved.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }

    /// The next events, at most `max`; waits for the first. Empty when the transfer is over.
    pub async fn next(&self, max: usize) -> Vec<TreeEvent> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut queue = self.lock();
                if !queue.events.is_empty() {
                    let count = queue.events.len().min(max.max(1));
                    let taken = queue.events.drain(..count).collect();
                    drop(queue);
                    self.room.notify_all();
                    return taken;
                }
                if queue.is_over {
                    return Vec::new();
                }
            }
            arrived.await;
        }
    }

    /// One large file has come to its end, well or badly.
    pub fn settle(&self) {
        // More calls than files are a fault of the caller and must not wrap.
        let _ = self
            .open_larges
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| count.checked_sub(1));
    }

    /// The transfer is over: [`TreeEvents::next`] gives what is left and then nothing. Idempotent.
    pub fn finish(&self) {
        self.lock().is_over = true;
        self.arrived.notify_waiters();
        self.arrived.notify_one();
        self.room.notify_all();
    }

    pub(super) fn has_open_larges(&self) -> bool {
        self.open_larges.load(Ordering::Acquire) > 0
    }

    pub(super) fn found(&self, size: u64) {
        self.found.fetch_add(1, Ordering::Relaxed);
        self.found_bytes.fetch_add(size, Ordering::Relaxed);
    }

    pub(super) fn skipped(&self, count: u64) {
        self.skipped.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn moved(&self, transfer: &Transfer, path: impl FnOnce() -> Vec<u8>, size: u64) {
        self.moved.fetch_add(1, Ordering::Relaxed);
        if self.wants_moved {
            let event = TreeEvent { kind: TreeEventKind::Moved, path: path(), size, failure: None };
            self.push(transfer, event);
        }
    }

    pub(super) fn large(&self, transfer: &Transfer, path: Vec<u8>, size: u64) {
        self.open_larges.fetch_add(1, Ordering::AcqRel);
        let event = TreeEvent { kind: TreeEventKind::Large, path, size, failure: None };
        self.push(transfer, event);
    }

    pub(super) fn deleted(&self, transfer: &Transfer, path: &[u8]) {
        let kind = TreeEventKind::Deleted;
        self.push(transfer, TreeEvent { kind, path: path.to_vec(), size: 0, failure: None });
    }

    pub(super) fn failure(&self, transfer: &Transfer, path: &[u8], code: &str, text: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let failure = Some((code.to_owned(), text.to_owned()));
        let kind = TreeEventKind::Failed;
        self.push(transfer, TreeEvent { kind, path: path.to_vec(), size: 0, failure });
    }

    /// Waits for room; gives the event up when the transfer is cancelled or over.
    fn push(&self, transfer: &Transfer, event: TreeEvent) {
        let mut queue = self.lock();
        while queue.events.len() >= MAX_WAITING {
            if queue.is_over || transfer.is_cancelled() {
                return;
            }
            queue = self.room.wait_timeout(queue, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.events.push_back(event);
        drop(queue);
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
