//! Resolution by the kernel: `openat2` with `RESOLVE_BENEATH` (Linux 5.6, `openat2(2)`).

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// A rename anywhere on the system can make the kernel give up on a path with a `..` inside a
/// link (`EAGAIN`). So many tries before the caller hears of it.
const MAX_TRIES: u32 = 256;

/// Opens `relative` beneath `root`, following links that stay beneath it.
pub(super) fn open(
    root: BorrowedFd<'_>,
    relative: &[u8],
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    resolve(root, relative, flags, ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)
}

/// See [`super::Lookup::open_strict`].
pub(super) fn open_strict(
    base: BorrowedFd<'_>,
    relative: &[u8],
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    let resolve_flags = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    resolve(base, relative, flags, resolve_flags)
}

/// See [`super::Lookup::open_without_links`].
pub(super) fn open_without_links(
    base: BorrowedFd<'_>,
    relative: &[u8],
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    resolve(base, relative, flags, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
}

fn resolve(
    base: BorrowedFd<'_>,
    relative: &[u8],
    flags: OFlags,
    resolve_flags: ResolveFlags,
) -> rustix::io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC;
    for _ in 1..MAX_TRIES {
        match rustix::fs::openat2(base, relative, flags, Mode::empty(), resolve_flags) {
            Err(Errno::AGAIN | Errno::INTR) => std::thread::yield_now(),
            result => return result,
        }
    }
    rustix::fs::openat2(base, relative, flags, Mode::empty(), resolve_flags)
}
