//! The calls of a pump on its socket, none of which waits longer than a tick.
//!
//! On Unix the socket blocks with a time limit, which costs no system call of its own. On Windows a
//! call that runs into such a limit may lose what it has moved by then, so there the socket does
//! not block and is waited for. Both answer `WouldBlock` or `TimedOut` when a tick has passed.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::{peek, prepare, receive, receive_ready, send};
#[cfg(windows)]
pub(super) use windows::{peek, prepare, receive, receive_ready, send};

use std::time::Duration;

/// Longest time until a cancel is noticed while the socket stands still.
const TICK: Duration = Duration::from_millis(100);
