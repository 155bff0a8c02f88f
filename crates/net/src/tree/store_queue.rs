//! Small files on their way to the disk: threads of their own check and store them, beside the one
//! that receives. That one helps when they can't keep up, so what waits is bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use e2eeftp_core::crypto::RootHasher;
use e2eeftp_vfs::{Error, ErrorKind, Result, TreeDir, TreeWriter};

use super::space::Space;

/// Most threads of one transfer that store.
const MAX_THREADS: usize = 4;
/// Files that wait, at most.
const MAX_WAITING: usize = 256;
/// Bytes that wait, at most, beside one file.
const MAX_WAITING_LEN: usize = 4 << 20;
/// Files that a thread takes at once, and that are handed over at once.
const BATCH: usize = 16;
/// Buffers that are kept for the next files, and how long one may be for that.
const MAX_SPARE: usize = 512;
const MAX_SPARE_LEN: usize = 64 << 10;

/// A file that was received.
pub(super) struct StoreJob {
    /// Tells the receiving side which file it was.
    pub(super) ticket: u64,
    pub(super) directory: Arc<TreeDir>,
    pub(super) name: Vec<u8>,
    pub(super) content: Vec<u8>,
    /// What the source says of the content.
    pub(super) size: u64,
    pub(super) root: [u8; 32],
    pub(super) mode: Option<u32>,
    pub(super) modified: Option<(i64, u32)>,
}

/// What became of it.
pub(super) struct Stored {
    pub(super) ticket: u64,
    pub(super) result: Result<()>,
}

/// Shared by the thread that receives and those that store.
pub(super) struct StoreQueue<'a, 'w> {
    writer: &'a TreeWriter,
    pub(super) space: Space<'a, 'w>,
    state: Mutex<State>,
    /// Files have come, or no more will.
    came: Condvar,
    /// Files were stored.
    went: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<StoreJob>,
    waiting_len: usize,
    /// Files that a thread has taken and not given back.
    running: usize,
    stored: Vec<Stored>,
    spare: Vec<Vec<u8>>,
    is_over: bool,
}

impl<'a, 'w> StoreQueue<'a, 'w> {
    pub(super) fn new(writer: &'a TreeWriter, space: Space<'a, 'w>) -> Self {
        let state = Mutex::default();
        Self { writer, space, state, came: Condvar::new(), went: Condvar::new() }
    }

    /// How many threads are worth their while.
    pub(super) fn threads() -> usize {
        available_parallelism().map_or(1, |count| (count.get() / 2).clamp(1, MAX_THREADS))
    }

    /// Stores what comes, until the end.
    pub(super) fn work(&self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut state = self.lock();
        loop {
            state.take(&mut batch);
            if batch.is_empty() {
                if state.is_over {
                    return;
                }
                state = self.came.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.running += batch.len();
            drop(state);
            let running = Running { queue: self, count: batch.len() };
            let mut stored = Vec::with_capacity(batch.len());
            let mut emptied = Vec::with_capacity(batch.len());
            for job in batch.drain(..) {
                let (one, content) = self.store(job);
                stored.push(one);
                emptied.push(content);
            }
            state = self.lock();
            state.stored.append(&mut stored);
            for content in emptied {
                state.keep(content);
            }
            drop(state);
            drop(running);
            state = self.lock();
        }
    }

    /// No more files come. Those that wait are stored: they have arrived, and need not come again.
    fn end(&self) {
        self.lock().is_over = true;
        self.came.notify_all();
    }

    /// Ends it when dropped, also in a panic: the threads would never be over else.
    pub(super) fn ending(&self) -> Ending<'_, 'a, 'w> {
        Ending(self)
    }

    /// Hands files over, and stores some itself when too many wait. `jobs` is empty afterwards.
    pub(super) fn push(&self, jobs: &mut Vec<StoreJob>) {
        let mut state = self.lock();
        for job in jobs.drain(..) {
            state.waiting_len += job.content.len();
            state.waiting.push_back(job);
        }
        self.came.notify_one();
        while state.waiting.len() > MAX_WAITING || state.waiting_len > MAX_WAITING_LEN {
            let Some(job) = state.waiting.pop_front() else { return };
            state.waiting_len -= job.content.len();
            drop(state);
            let (stored, content) = self.store(job);
            state = self.lock();
            state.stored.push(stored);
            state.keep(content);
        }
    }

    /// Everything that was stored since the last call. With `is_waiting` nothing is under way any
    /// more when it returns.
    pub(super) fn stored(&self, is_waiting: bool) -> Vec<Stored> {
        let mut state = self.lock();
        while is_waiting && !(state.waiting.is_empty() && state.running == 0) {
            state = self.went.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut state.stored)
    }

    /// Empty buffers for the next contents.
    pub(super) fn spare(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.lock().spare)
    }

    fn store(&self, job: StoreJob) -> (Stored, Vec<u8>) {
        let StoreJob { ticket, directory, name, content, size, root, mode, modified } = job;
        let store = || self.writer.store(&directory, &name, &content, mode, modified);
        let result = check(&content, size, root).and_then(|()| self.space.until_there(store));
        (Stored { ticket, result }, content)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`StoreQueue::ending`].
pub(super) struct Ending<'q, 'a, 'w>(&'q StoreQueue<'a, 'w>);

impl Drop for Ending<'_, '_, '_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Files that a thread has taken; over when they are stored, or when the thread dies.
struct Running<'q, 'a, 'w> {
    queue: &'q StoreQueue<'a, 'w>,
    count: usize,
}

impl Drop for Running<'_, '_, '_> {
    fn drop(&mut self) {
        self.queue.lock().running -= self.count;
        self.queue.went.notify_one();
    }
}

impl State {
    fn take(&mut self, batch: &mut Vec<StoreJob>) {
        while batch.len() < BATCH
            && let Some(job) = self.waiting.pop_front()
        {
            self.waiting_len -= job.content.len();
            batch.push(job);
        }
    }

    fn keep(&mut self, mut content: Vec<u8>) {
        if self.spare.len() < MAX_SPARE && content.capacity() <= MAX_SPARE_LEN {
            content.clear();
            self.spare.push(content);
        }
    }
}

/// The content must be the one that the source has announced.
fn check(content: &[u8], size: u64, root: [u8; 32]) -> Result<()> {
    if content.len() as u64 != size {
        return Err(Error::new(ErrorKind::SourceChanged, "store"));
    }
    let mut hasher = RootHasher::new();
    hasher.update(content);
    if hasher.finalize() != root {
        return Err(Error::new(ErrorKind::SourceChanged, "verify"));
    }
    Ok(())
}
