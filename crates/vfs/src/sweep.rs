//! Removal of staged files that nobody writes any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::error::{ErrnoExt, Error, Result};
use crate::jail::{Jail, Lookup, READ_DIRECTORY, file_type, stat_name};
use crate::metadata::{FileType, Metadata};
use crate::path::VPath;
use crate::staging_name::{is_staged, partner};
use crate::storage::SweepReport;
use crate::sys::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, Stat};
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, BorrowedFd};

/// How long a transfer can be gone on with: staged files that have a journal are kept until nobody has
/// written either for this long.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What became of a staged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Orphan {
    /// Nobody held its lock; it is gone.
    Removed,
    /// Somebody holds its lock.
    InUse,
    /// Its writer committed or removed it meanwhile.
    Gone,
    /// A later transfer may go on with it.
    Kept,
}

/// Removes the staged file or journal `name` if nobody can go on with it any more.
pub(crate) fn discard_expired(directory: BorrowedFd<'_>, name: &[u8]) -> sys::io::Result<Orphan> {
    match stat_name(directory, name) {
        // Not looked at closer: a lock held for a moment would be in its writer's way.
        Ok(stat) if is_just_made(&stat) => return Ok(Orphan::InUse),
        Ok(_) => {}
        Err(Errno::NOENT) => return Ok(Orphan::Gone),
        Err(errno) => return Err(errno),
    }
    if can_go_on(directory, name)? { Ok(Orphan::Kept) } else { discard(directory, name) }
}

/// Whether both a staged file and its journal are there, and one of them is young.
fn can_go_on(directory: BorrowedFd<'_>, name: &[u8]) -> sys::io::Result<bool> {
    let Some(partner) = partner(name) else { return Ok(false) };
    let now = SystemTime::now();
    let mut youngest = None;
    for name in [name, &partner[..]] {
        let modified = match stat_name(directory, name) {
            Ok(stat) => Metadata::from_stat(&stat).modified,
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(errno),
        };
        youngest = youngest.max(Some(modified));
    }
    // A time in the future is no age.
    Ok(youngest.is_some_and(|modified| now.duration_since(modified).unwrap_or_default() < KEPT_FOR))
}

/// An empty file of this age may be one whose writer has not come to lock it.
const JUST_MADE: Duration = Duration::from_secs(2);

fn is_just_made(stat: &Stat) -> bool {
    let age = SystemTime::now().duration_since(Metadata::from_stat(stat).modified);
    stat.st_size == 0 && age.unwrap_or_default() < JUST_MADE
}

/// Removes the staged file `name` unless its writer is alive.
pub(crate) fn discard(directory: BorrowedFd<'_>, name: &[u8]) -> sys::io::Result<Orphan> {
    let open = |access: OFlags| {
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        sys::io::retry_on_intr(|| sys::fs::openat(directory, name, flags, Mode::empty()))
    };
    // Some network file systems lock only what is open for writing.
    let opened = match open(OFlags::RDWR) {
        Err(Errno::ACCESS) => open(OFlags::RDONLY),
        result => result,
    };
    let file = match opened {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(Orphan::Gone),
        Err(errno) => return Err(errno),
    };
    if file_type(&sys::fs::fstat(&file)?) != FileType::File {
        return Err(Errno::INVAL);
    }
    match sys::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(Orphan::InUse),
        Err(errno) => return Err(errno),
    }
    // If it was committed since the open, the name is gone and the file stays.
    match sys::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) => Ok(Orphan::Removed),
        Err(Errno::NOENT) => Ok(Orphan::Gone),
        Err(errno) => Err(errno),
    }
}

/// See [`crate::Storage::sweep`].
pub(crate) fn sweep(jail: &Jail, cancel: &AtomicBool) -> Result<SweepReport> {
    let mut sweep = Sweep { lookup: jail.lookup(), cancel, report: SweepReport::default() };
    let mut pending = Vec::new();
    sweep.visit(jail.root(), b".", &mut pending).during("sweep")?;
    while let Some(relative) = pending.pop() {
        if sweep.is_cancelled() {
            break;
        }
        match sweep.visit(jail.root(), &relative, &mut pending) {
            // Gone meanwhile, another file system, or a directory that became a link.
            Ok(()) | Err(Errno::NOENT | Errno::XDEV | Errno::LOOP) => {}
            Err(_) => sweep.report.failed += 1,
        }
    }
    Ok(sweep.report)
}

/// Removes the staged files in one directory, not below it, that nobody writes or can go on with.
///
/// # Errors
/// Those of opening and reading the directory. A file that can't be removed stays.
pub(crate) fn sweep_directory(directory: BorrowedFd<'_>) -> sys::io::Result<()> {
    let readable = sys::fs::openat(directory, c".", READ_DIRECTORY, Mode::empty())?;
    let mut dir = Dir::read_from(&readable)?;
    while let Some(entry) = dir.read() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if is_staged(name) {
            // In use, somebody else's, or gone by itself.
            let _ = discard_expired(readable.as_fd(), name);
        }
    }
    Ok(())
}

struct Sweep<'a> {
    lookup: Lookup,
    cancel: &'a AtomicBool,
    report: SweepReport,
}

impl Sweep<'_> {
    fn is_cancelled(&mut self) -> bool {
        self.report.cancelled |= self.cancel.load(Ordering::Relaxed);
        self.report.cancelled
    }

    /// Sweeps one directory and notes those in it.
    fn visit(
        &mut self,
        root: BorrowedFd<'_>,
        relative: &[u8],
        pending: &mut Vec<Vec<u8>>,
    ) -> sys::io::Result<()> {
        let directory = self.lookup.open_strict(root, relative, READ_DIRECTORY)?;
        self.report.directories += 1;
        let mut dir = Dir::read_from(&directory)?;
        while let Some(entry) = dir.read() {
            if self.is_cancelled() {
                return Ok(());
            }
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let found = match entry.file_type() {
                sys::fs::FileType::Unknown => match stat_name(directory.as_fd(), name) {
                    Ok(stat) => file_type(&stat),
                    Err(Errno::NOENT) => continue,
                    Err(errno) => return Err(errno),
                },
                known => known.into(),
            };
            match found {
                FileType::Directory => self.note(relative, name, pending),
                FileType::File if is_staged(name) => self.discard(directory.as_fd(), name),
                _ => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, relative: &[u8], name: &[u8], pending: &mut Vec<Vec<u8>>) {
        let path = match relative {
            b"." => name.to_vec(),
            _ => [relative, b"/", name].concat(),
        };
        // Deeper than a path can name: nothing was staged there.
        if path.len() < VPath::MAX_LEN {
            pending.push(path);
        } else {
            self.report.failed += 1;
        }
    }

    fn discard(&mut self, directory: BorrowedFd<'_>, name: &[u8]) {
        match discard_expired(directory, name) {
            Ok(Orphan::Kept) => self.report.kept += 1,
            Ok(Orphan::Removed) => self.report.removed += 1,
            Ok(Orphan::InUse) => self.report.in_use += 1,
            Ok(Orphan::Gone) => {}
            Err(_) => self.report.failed += 1,
        }
    }
}

/// The error of a directory that holds a staged file in use.
pub(crate) fn in_use(op: &'static str) -> Error {
    Error::from_errno(op, Errno::BUSY)
}
