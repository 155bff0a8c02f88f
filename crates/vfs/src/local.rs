//! The user's own files on the client side: no jail, the same staging.
//!
//! Paths are those of the host and links in them are followed, as the user's other programs do.
//! Never pass a name that a peer chose.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::blocks::{BlockStageOptions, BlockStaged, LocalBlocks};
use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{ANCHOR, READ_FILE, file_type};
use crate::metadata::FileType;
use crate::path::VPath;
use crate::source::{LocalSource, open_error};
use crate::staging::LocalStaged;
use crate::staging_name::is_reserved;
use crate::storage::{Source, StageOptions, Staged};
use crate::sweep::sweep_directory;
use crate::sys::fs::Mode;
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, BorrowedFd, OwnedFd};

/// A path of the host from its bytes; on Windows they are UTF-8.
///
/// # Errors
/// `BadPath` on Windows for bytes that are not.
pub fn path_from_bytes(bytes: &[u8]) -> Result<&Path> {
    sys::path_from_bytes(bytes).ok_or_else(|| Error::new(ErrorKind::BadPath, "path"))
}

/// Opens a regular file for reading, links followed.
///
/// # Errors
/// `NotFound`, `IsDirectory`, `NotRegular` for a pipe, socket or device, `NotPermitted`.
pub fn open_source(path: &Path) -> Result<Box<dyn Source>> {
    // Asked first because opening alone can act on some devices.
    check_regular(path, "open")?;
    let file = sys::io::retry_on_intr(|| sys::fs::open(path, READ_FILE, Mode::empty()))
        .during("open")
        .map_err(open_error)?;
    Ok(Box::new(LocalSource::new(file)?))
}

/// Starts a new file that will appear as `path` when it is committed. A symbolic link at `path`
/// is replaced itself; if it leads to a directory or a device, it is refused like one.
///
/// Staged files that a killed process has left in the same directory are removed, unless a later
/// transfer can go on with them.
///
/// # Errors
/// As [`crate::Storage::stage`]; `BadPath` if `path` does not end in a name.
pub fn stage(path: &Path, options: &StageOptions) -> Result<Box<dyn Staged>> {
    let (directory, name) = staging_place(path, options)?;
    Ok(Box::new(LocalStaged::create(directory, name, options)?))
}

/// As [`stage`], for a file that is filled by blocks.
///
/// # Errors
/// As [`crate::Storage::stage_blocks`]; `BadPath` if `path` does not end in a name.
pub fn stage_blocks(path: &Path, options: &BlockStageOptions) -> Result<Box<dyn BlockStaged>> {
    let (directory, name) = staging_place(path, &options.stage)?;
    Ok(Box::new(LocalBlocks::open(directory, name, options)?))
}

/// The directory and the name of a new file; the directory has been swept.
fn staging_place<'p>(path: &'p Path, options: &StageOptions) -> Result<(OwnedFd, &'p [u8])> {
    let bad = || Error::new(ErrorKind::BadPath, "stage");
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(bad());
    }
    if names_directory(bytes) {
        return Err(Error::new(ErrorKind::IsDirectory, "stage"));
    }
    let name = path.file_name().ok_or_else(bad)?.as_encoded_bytes();
    if name.len() > VPath::MAX_COMPONENT_LEN || is_reserved(name) || !sys::can_name(name) {
        return Err(bad());
    }
    // A name that is missing, dangling or unreadable is for the staging itself to decide.
    if let Err(error) = check_regular(path, "stage")
        && matches!(error.kind(), ErrorKind::IsDirectory | ErrorKind::NotRegular)
    {
        return Err(error);
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if options.make_parents {
        std::fs::create_dir_all(parent).map_err(|error| {
            let errno = match Errno::from_io_error(&error).unwrap_or(Errno::IO) {
                // Something that is no directory has the name of one that is needed.
                Errno::EXIST => Errno::NOTDIR,
                errno => errno,
            };
            Error::from_errno("mkdir", errno)
        })?;
    }
    let directory = sys::fs::open(parent, ANCHOR, Mode::empty()).during("stage")?;
    sweep_unless_recent(directory.as_fd());
    Ok((directory, name))
}

/// Many files that go into one directory within this time need one sweep.
const SWEEP_PAUSE: Duration = Duration::from_secs(10);
/// The directory that was swept last (device, inode), and when.
static LAST_SWEEP: Mutex<Option<(u64, u64, Instant)>> = Mutex::new(None);

/// Sweeps `directory`, unless that was just done.
///
/// Tidying up after others is no part of what the caller asked for: where it fails, files stay.
#[allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    trivial_numeric_casts,
    reason = "the types of `st_dev` and `st_ino` differ between platforms"
)]
fn sweep_unless_recent(directory: BorrowedFd<'_>) {
    let Ok(stat) = sys::fs::fstat(directory) else { return };
    let (device, inode, now) = (stat.st_dev as u64, stat.st_ino as u64, Instant::now());
    let mut last = LAST_SWEEP.lock().unwrap_or_else(PoisonError::into_inner);
    let is_recent = last.is_some_and(|(last_device, last_inode, at)| {
        (last_device, last_inode) == (device, inode) && now.duration_since(at) < SWEEP_PAUSE
    });
    if is_recent {
        return;
    }
    *last = Some((device, inode, now));
    drop(last);
    let _ = sweep_directory(directory);
}

/// Whether a path ends as only that of a directory does.
fn names_directory(path: &[u8]) -> bool {
    let is_separator = |byte: &u8| std::path::is_separator(char::from(*byte));
    match path {
        [.., last] if is_separator(last) => true,
        [.., before, b'.'] => is_separator(before),
        path => path == b".",
    }
}

fn check_regular(path: &Path, op: &'static str) -> Result<()> {
    let stat = sys::fs::stat(path).during(op)?;
    match file_type(&stat) {
        FileType::File => Ok(()),
        FileType::Directory => Err(Error::new(ErrorKind::IsDirectory, op)),
        _ => Err(Error::new(ErrorKind::NotRegular, op)),
    }
}
