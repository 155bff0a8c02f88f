//! Unix: `rustix` as it is.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub(crate) use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub(crate) use rustix::{fs, io};

/// Opens the directory that holds `directory`; the root's own is itself. Only for looking at its
/// identity.
pub(crate) fn open_parent(directory: BorrowedFd<'_>, flags: fs::OFlags) -> io::Result<OwnedFd> {
    fs::openat(directory, c"..", flags | fs::OFlags::NOFOLLOW, fs::Mode::empty())
}

/// Whether the file belongs to the user of this process, who alone may open it.
pub(crate) fn is_private(stat: &fs::Stat) -> bool {
    stat.st_uid == rustix::process::geteuid().as_raw()
        && !fs::Mode::from_raw_mode(stat.st_mode).intersects(fs::Mode::RWXG | fs::Mode::RWXO)
}

/// A path is any bytes.
#[expect(clippy::unnecessary_wraps, reason = "other platforms have other paths")]
pub(crate) fn path_from_bytes(bytes: &[u8]) -> Option<&Path> {
    Some(Path::new(OsStr::from_bytes(bytes)))
}
