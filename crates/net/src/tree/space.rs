//! A full disk holds a sink up instead of failing one name after the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use e2eeftp_core::tree::Message;
use e2eeftp_vfs::{ErrorKind, Result};

use super::Shared;
use crate::transfer::{Phase, Transfer};

/// Time between two tries.
const RETRY: Duration = Duration::from_secs(1);
/// Longest sleep: how soon a cancel is heard.
const NAP: Duration = Duration::from_millis(50);

/// Waits for room, for all threads of a sink.
pub(super) struct Space<'a, 'w> {
    shared: &'a Shared<'w>,
    transfer: &'a Transfer,
    timeout: Duration,
    /// How many threads wait, and the phase that they have interrupted.
    waiting: Mutex<(usize, Phase)>,
    /// There was no room for as long as one waits; nobody waits again until something fits.
    has_given_up: AtomicBool,
}

impl<'a, 'w> Space<'a, 'w> {
    pub(super) fn new(shared: &'a Shared<'w>, transfer: &'a Transfer, timeout: Duration) -> Self {
        let waiting = Mutex::new((0, Phase::Moving));
        Self { shared, transfer, timeout, waiting, has_given_up: AtomicBool::new(false) }
    }

    /// Runs `work`, which may be repeated as a whole, and again each second for as long as there is
    /// no space for it. Meanwhile both sides are in [`Phase::WaitingForSpace`].
    ///
    /// # Errors
    /// Those of `work`, `NoSpace` also after a cancel and on a connection that broke.
    pub(super) fn until_there<T>(&self, mut work: impl FnMut() -> Result<T>) -> Result<T> {
        let is_full =
            |done: &Result<T>| done.as_ref().is_err_and(|error| error.kind() == ErrorKind::NoSpace);
        let mut done = work();
        if !is_full(&done) {
            if done.is_ok() && self.has_given_up.load(Ordering::Relaxed) {
                self.has_given_up.store(false, Ordering::Relaxed);
            }
            return done;
        }
        if self.timeout.is_zero() || self.has_given_up.load(Ordering::Relaxed) {
            return done;
        }
        let deadline = Instant::now() + self.timeout;
        self.begin();
        while is_full(&done) {
            if Instant::now() >= deadline {
                self.has_given_up.store(true, Ordering::Relaxed);
                break;
            }
            if !self.nap() {
                break;
            }
            done = work();
        }
        self.end();
        done
    }

    fn begin(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.0 == 0 {
            waiting.1 = self.transfer.progress().phase;
            self.transfer.set_phase(Phase::WaitingForSpace);
            self.tell(true);
        }
        waiting.0 += 1;
    }

    fn end(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.0 -= 1;
        if waiting.0 == 0 {
            self.transfer.set_phase(waiting.1);
            self.tell(false);
        }
    }

    fn tell(&self, is_full: bool) {
        let mut out = self.shared.out();
        let told = out.message(&Message::Space { is_full }).and_then(|()| out.flush());
        if told.is_err() {
            // Whoever receives meets the same failure.
            self.shared.set_broken();
        }
    }

    /// `false` when there is nobody to wait for.
    fn nap(&self) -> bool {
        let until = Instant::now() + RETRY;
        loop {
            if self.transfer.is_cancelled() || self.shared.is_broken() || self.shared.is_over() {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(NAP));
        }
    }
}
