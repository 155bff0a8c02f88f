//! How much room a file system has.

use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{ANCHOR, Jail};
use crate::path::VPath;
use crate::sys::fs::StatVfs;
use crate::sys::{self, BorrowedFd};

const OP: &str = "space";

/// The room of one file system, in bytes, and its inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes in all.
    pub total: u64,
    /// Bytes that nothing uses, those kept for the system's administrator included.
    pub free: u64,
    /// Bytes that the server's user may still fill; at most `free`.
    pub available: u64,
    /// Files and directories that can be in all; 0 where the file system has no such limit.
    pub files: u64,
    /// Files and directories that can still be made; 0 where the file system has no such limit.
    pub files_free: u64,
}

impl Space {
    #[allow(
        clippy::unnecessary_cast,
        trivial_numeric_casts,
        reason = "the widths of the fields of `statvfs` differ between platforms"
    )]
    fn from_stat(stat: &StatVfs) -> Self {
        // The unit of the block counts is the fragment (statvfs(3)).
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize as u64);
        Self {
            total: bytes(stat.f_blocks as u64),
            free: bytes(stat.f_bfree as u64),
            available: bytes(stat.f_bavail as u64),
            files: stat.f_files as u64,
            files_free: stat.f_favail as u64,
        }
    }
}

/// See [`crate::Storage::space`].
pub(crate) fn space(jail: &Jail, path: &VPath) -> Result<Space> {
    let directory = match (jail.open_at(path, ANCHOR, OP), path.parent()) {
        // A file takes its room from the directory that holds it.
        (Err(error), Some(parent)) if error.kind() == ErrorKind::NotDirectory => {
            // The name itself must be there: `file/x` is no directory either.
            jail.stat(path)?;
            jail.open_at(&parent, ANCHOR, OP)?
        }
        (result, _) => result?,
    };
    sys::fs::fstatvfs(&directory).during(OP).map(|stat| Space::from_stat(&stat))
}

/// Refuses what does not fit into the file system of `directory` at the moment.
///
/// Nothing is reserved: others may be faster, and then the write itself finds the disk full. A file
/// system that tells no size, or can't be asked, has room.
///
/// # Errors
/// `NoSpace`, with both numbers in its text.
pub(crate) fn check_room(directory: BorrowedFd<'_>, needed: u64, op: &'static str) -> Result<()> {
    let Ok(stat) = sys::fs::fstatvfs(directory) else { return Ok(()) };
    let space = Space::from_stat(&stat);
    if space.total == 0 || needed <= space.available {
        return Ok(());
    }
    Err(Error::no_room(op, needed, space.available))
}
