//! Trees by descriptors: what a transfer of a directory reads from and writes to.
//!
//! Every name is one component of a directory that is held open, so no path is walked for an entry
//! and no link is ever followed on the way. A directory that had to be closed meanwhile is opened
//! again from the top without following links, and must then be the same one.

mod content;
mod read;
mod write;

use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{Lookup, READ_DIRECTORY};
use crate::rename::identity;
use crate::sys::fs::{OFlags, Stat};
use crate::sys::{self, AsFd, BorrowedFd, OwnedFd};

pub use read::{LinkPolicy, NameIter, OpenFile, TreeReader};
pub use write::{Entered, TreeWriteOptions, TreeWriter};

/// A directory of a tree, held open.
#[derive(Debug)]
pub struct TreeDir {
    file: OwnedFd,
    identity: (u64, u64),
}

impl TreeDir {
    fn new(file: OwnedFd) -> Result<Self> {
        let identity = identity(&sys::fs::fstat(&file).during("open")?);
        Ok(Self { file, identity })
    }

    /// Device and inode.
    pub fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Device and inode of the regular file `name` in it; `None` if there is none.
    pub fn file_identity(&self, name: &[u8]) -> Option<(u64, u64)> {
        let stat = TreeStat::new(&crate::jail::stat_name(self.as_fd(), name).ok()?);
        (stat.file_type == crate::FileType::File).then_some(stat.identity)
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// What a name is, and everything that a transfer compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeStat {
    /// The type of the name itself, or of what it leads to where links are followed.
    pub file_type: crate::FileType,
    /// Bytes of content of a regular file.
    pub size: u64,
    /// Modification time: seconds since 1970 and nanoseconds below 1,000,000,000.
    pub modified: (i64, u32),
    /// Within `0o7777`.
    pub mode: u32,
    /// How many names the file has.
    pub name_count: u64,
    /// Device and inode.
    pub identity: (u64, u64),
    /// Time of the last change of content or attributes.
    changed: (i64, u32),
}

impl TreeStat {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        clippy::cast_lossless,
        trivial_numeric_casts,
        reason = "the widths of the fields of `stat` differ between platforms"
    )]
    fn new(stat: &Stat) -> Self {
        Self {
            file_type: crate::jail::file_type(stat),
            size: stat.st_size as u64,
            modified: (stat.st_mtime as i64, u32::try_from(stat.st_mtime_nsec).unwrap_or(0)),
            mode: (stat.st_mode as u32) & 0o7777,
            name_count: stat.st_nlink as u64,
            identity: identity(stat),
            changed: (stat.st_ctime as i64, u32::try_from(stat.st_ctime_nsec).unwrap_or(0)),
        }
    }
}

/// Opens a directory again by its path from `top` (empty: `top` itself), links not followed.
fn reopen(
    lookup: Lookup,
    top: BorrowedFd<'_>,
    path: &[u8],
    wanted: (u64, u64),
    flags: OFlags,
) -> Result<TreeDir> {
    let relative = if path.is_empty() { &b"."[..] } else { path };
    let file = lookup.open_without_links(top, relative, flags).during("open")?;
    let directory = TreeDir::new(file)?;
    if directory.identity == wanted {
        Ok(directory)
    } else {
        Err(Error::new(ErrorKind::SourceChanged, "open"))
    }
}

/// A directory of the tree again, readable: for a listing beside other work in it.
fn readable(directory: &TreeDir) -> Result<OwnedFd> {
    let mode = sys::fs::Mode::empty();
    sys::fs::openat(directory.as_fd(), c".", READ_DIRECTORY, mode).during("list")
}
