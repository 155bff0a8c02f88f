//! The one boundary to the operating system.
//!
//! Everything above it is written once, with the calls of POSIX that work relative to an open
//! directory. On Unix they are those of `rustix`, unchanged. On Windows the same names stand for
//! the same calls made of handles ([`windows`](self)): each takes an open directory and *one*
//! name, so that no path is ever put together, and none follows a reparse point.
//!
//! A call that a platform lacks answers `NOSYS` or `OPNOTSUPP`, and the code above goes its plain
//! way.

mod name;
#[cfg(unix)]
mod unix;
#[cfg(any(windows, test))]
mod wide;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{
    AsFd, BorrowedFd, OwnedFd, fs, io, is_private, open_parent, path_from_bytes,
};
#[cfg(windows)]
pub(crate) use windows::{
    AsFd, BorrowedFd, OwnedFd, fs, io, is_private, open_parent, path_from_bytes,
};

use crate::path::VPath;

/// Whether this platform can have something of that name; names that it takes for a device, a
/// stream or another name can't be asked for.
pub(crate) fn can_name(name: &[u8]) -> bool {
    cfg!(not(windows)) || name::is_plain_on_windows(name)
}

/// Whether [`can_name`] holds for each component.
pub(crate) fn can_name_all(path: &VPath) -> bool {
    path.components().all(can_name)
}
