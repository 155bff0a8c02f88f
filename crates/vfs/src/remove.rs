//! Removal of directories, by descriptors, links never followed.

use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{ANCHOR, Lookup, READ_DIRECTORY};
use crate::path::VPath;
use crate::staging_name::{is_reserved, is_staged};
use crate::sweep::{Orphan, discard, in_use};
use crate::sys::fs::{AtFlags, Dir};
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, BorrowedFd, OwnedFd};

/// Names may be added while a directory is emptied; after so many rounds it is `NotEmpty`.
const MAX_ROUNDS: u32 = 64;
const OP: &str = "remove";

/// Removes the empty directory `name`. Abandoned staged files in it, which no user sees, are
/// removed too.
pub(crate) fn remove_empty(lookup: Lookup, parent: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    match sys::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        result => return result.during(OP),
    }
    let directory = lookup.open_strict(parent, name, READ_DIRECTORY).during(OP)?;
    let mut dir = Dir::read_from(&directory).during(OP)?;
    let mut staged = Vec::new();
    while let Some(entry) = dir.read() {
        let entry = entry.during(OP)?;
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            name if is_staged(name) => staged.push(name.to_vec()),
            _ => return Err(Error::new(ErrorKind::NotEmpty, OP)),
        }
    }
    for name in staged {
        if discard(directory.as_fd(), &name).during(OP)? == Orphan::InUse {
            return Err(in_use(OP));
        }
    }
    sys::fs::unlinkat(parent, name, AtFlags::REMOVEDIR).during(OP)
}

/// Removes the directory `name` and everything in it.
///
/// Only one directory is open at a time: each is opened again from `parent`, so depth costs
/// neither descriptors nor stack, and a directory moved away meanwhile is not followed.
pub(crate) fn remove_tree(lookup: Lookup, parent: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    let mut path = name.to_vec();
    let mut rounds = 0;
    loop {
        let found = match lookup.open_strict(parent, &path, READ_DIRECTORY) {
            Ok(directory) => empty(&directory)?,
            Err(Errno::NOENT) if path.len() > name.len() => Emptied::Completely,
            Err(errno) => return Err(Error::from_errno(OP, errno)),
        };
        if let Emptied::UpTo(child) = found {
            path.push(b'/');
            path.extend_from_slice(&child);
            if path.len() >= VPath::MAX_LEN {
                return Err(Error::new(ErrorKind::BadPath, OP));
            }
            rounds = 0;
            continue;
        }
        let slash = path.iter().rposition(|&byte| byte == b'/');
        let removed = match slash {
            None => sys::fs::unlinkat(parent, &path[..], AtFlags::REMOVEDIR),
            Some(slash) => lookup.open_strict(parent, &path[..slash], ANCHOR).and_then(|above| {
                sys::fs::unlinkat(&above, &path[slash + 1..], AtFlags::REMOVEDIR)
            }),
        };
        match (removed, slash) {
            (Ok(()), None) => return Ok(()),
            (Ok(()) | Err(Errno::NOENT), Some(slash)) => {
                path.truncate(slash);
                rounds = 0;
            }
            (Err(Errno::NOTEMPTY | Errno::EXIST), _) if rounds < MAX_ROUNDS => rounds += 1,
            (Err(errno), _) => return Err(Error::from_errno(OP, errno)),
        }
    }
}

/// How far [`empty`] came.
enum Emptied {
    Completely,
    /// There is a directory of this name that is not empty.
    UpTo(Vec<u8>),
}

/// Removes the entries of a directory up to the first one that is a directory with entries.
fn empty(directory: &OwnedFd) -> Result<Emptied> {
    let mut dir = Dir::read_from(directory).during(OP)?;
    while let Some(entry) = dir.read() {
        let entry = entry.during(OP)?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        if is_reserved(name) && is_staged(name) {
            if discard(directory.as_fd(), name).during(OP)? == Orphan::InUse {
                return Err(in_use(OP));
            }
            continue;
        }
        match remove_entry(directory.as_fd(), name) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => return Ok(Emptied::UpTo(name.to_vec())),
            Err(errno) => return Err(Error::from_errno(OP, errno)),
        }
    }
    Ok(Emptied::Completely)
}

/// Removes a name of any type; `ENOTEMPTY` or `EEXIST` for a directory with entries.
fn remove_entry(directory: BorrowedFd<'_>, name: &[u8]) -> sys::io::Result<()> {
    match sys::fs::unlinkat(directory, name, AtFlags::empty()) {
        // Linux answers EISDIR for a directory, POSIX allows EPERM.
        Err(refused @ (Errno::ISDIR | Errno::PERM)) => {
            match sys::fs::unlinkat(directory, name, AtFlags::REMOVEDIR) {
                Err(Errno::NOTDIR) => Err(refused),
                result => result,
            }
        }
        result => result,
    }
}
