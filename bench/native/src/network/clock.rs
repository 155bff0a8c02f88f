//! The monotonic clock in nanoseconds, and sleeping by it.

use std::time::Duration;

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a `timespec` of this frame. This clock is always there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    seconds * 1_000_000_000 + nanos
}

/// Lets timers of this thread and those it starts end on time, not up to 50 µs late (prctl(2)).
pub fn sleep_precisely() {
    // SAFETY: this request takes numbers only.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64) };
}

/// Gives this thread and those it starts a real-time priority; says whether that was permitted.
pub fn take_precedence() -> bool {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: the pointer is to a `sched_param` of this frame.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameters) == 0 }
}

/// A time for ppoll(2).
pub fn timespec(nanos: u64) -> libc::timespec {
    let duration = Duration::from_nanos(nanos);
    libc::timespec {
        tv_sec: libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(duration.subsec_nanos()),
    }
}
