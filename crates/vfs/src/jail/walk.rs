//! Resolution one component at a time with `O_NOFOLLOW`: every symbolic link is `ELOOP`.

use super::{ANCHOR, file_type, stat_name};
use crate::metadata::FileType;
use crate::sys::fs::{Mode, OFlags};
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, BorrowedFd, OwnedFd};

/// Opens `relative` beneath `root`.
pub(super) fn open(
    root: BorrowedFd<'_>,
    relative: &[u8],
    flags: OFlags,
) -> sys::io::Result<OwnedFd> {
    walk(root, relative, flags, |_| Ok(()))
}

/// See [`super::Lookup::open_strict`]. Another file system is told by its device number, so a
/// bind mount of the same one is not noticed.
pub(super) fn open_strict(
    base: BorrowedFd<'_>,
    relative: &[u8],
    flags: OFlags,
) -> sys::io::Result<OwnedFd> {
    let device = sys::fs::fstat(base)?.st_dev;
    walk(base, relative, flags, |found| {
        if sys::fs::fstat(found)?.st_dev == device { Ok(()) } else { Err(Errno::XDEV) }
    })
}

fn walk(
    base: BorrowedFd<'_>,
    relative: &[u8],
    flags: OFlags,
    check: impl Fn(BorrowedFd<'_>) -> sys::io::Result<()>,
) -> sys::io::Result<OwnedFd> {
    let mut components = relative.split(|&byte| byte == b'/').peekable();
    let mut directory: Option<OwnedFd> = None;
    while let Some(component) = components.next() {
        let from = directory.as_ref().map_or(base, AsFd::as_fd);
        let wanted = if components.peek().is_some() { ANCHOR } else { flags };
        let found = open_component(from, component, wanted)?;
        check(found.as_fd())?;
        if components.peek().is_none() {
            return Ok(found);
        }
        directory = Some(found);
    }
    // `split` always yields at least one component.
    Err(Errno::INVAL)
}

fn open_component(
    directory: BorrowedFd<'_>,
    component: &[u8],
    flags: OFlags,
) -> sys::io::Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        match sys::fs::openat(directory, component, flags, Mode::empty()) {
            Err(Errno::INTR) => {}
            // With O_DIRECTORY, a link and a file both give ENOTDIR: tell them apart.
            Err(Errno::NOTDIR) => {
                let stat = stat_name(directory, component)?;
                let is_link = file_type(&stat) == FileType::Symlink;
                return Err(if is_link { Errno::LOOP } else { Errno::NOTDIR });
            }
            result => return result,
        }
    }
}
