//! Small files: written whole to a file that has no name, which then gets its own in one step.
//!
//! A file without a name (`O_TMPFILE`) leaves nothing behind when its writer dies, so it needs
//! neither a lock nor a sweep. Where the file system has none, a staged file takes its place.

use std::io::IoSlice;

use super::TreeDir;
use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{file_type, stat_name};
use crate::metadata::FileType;
#[cfg(target_os = "linux")]
use crate::metadata::Metadata;
#[cfg(target_os = "linux")]
use crate::mode::{final_mode, umask};
use crate::staging::LocalStaged;
use crate::staging_name;
use crate::storage::{CommitOptions, Durability, Overwrite, StageOptions, Staged as _};
#[cfg(target_os = "linux")]
use crate::sys::AsFd;
#[cfg(target_os = "linux")]
use crate::sys::OwnedFd;
use crate::sys::fs::{AtFlags, Timespec, Timestamps, UTIME_OMIT};
#[cfg(target_os = "linux")]
use crate::sys::fs::{FlockOperation, Mode, OFlags, RawMode};
use crate::sys::io::Errno;
use crate::sys::{self, BorrowedFd};

const OP: &str = "store";
/// Of each file: all are made durable together at the end, where the system has a call for that.
const EACH: Durability = if cfg!(windows) { Durability::File } else { Durability::None };

/// The attributes of a new file.
#[derive(Clone, Copy)]
pub(super) struct Attributes {
    /// Permission bits; without, those of the file that is replaced, else the usual ones.
    pub(super) mode: Option<u32>,
    /// Seconds and nanoseconds.
    pub(super) modified: Option<(i64, u32)>,
}

/// Stores `content` as `name`, whole or not at all; what had the name is replaced if `overwrite`.
pub(super) fn store(
    directory: &TreeDir,
    name: &[u8],
    content: &[u8],
    attributes: Attributes,
    overwrite: bool,
) -> Result<()> {
    #[cfg(target_os = "linux")]
    if let Some(file) = unnamed(directory.as_fd(), attributes.mode) {
        return store_unnamed(&file?, directory, name, content, attributes, overwrite);
    }
    store_staged(directory, name, content, attributes, overwrite)
}

/// Sets the modification time of an open file or directory.
pub(super) fn set_modified(file: BorrowedFd<'_>, modified: (i64, u32)) -> Result<()> {
    sys::fs::futimens(file, &timestamps(modified)).during(OP)
}

pub(super) fn timestamps((seconds, nanoseconds): (i64, u32)) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() },
    }
}

#[cfg(target_os = "linux")]
/// Opens a file without a name; `None` where there is no such thing.
fn unnamed(directory: BorrowedFd<'_>, mode: Option<u32>) -> Option<Result<OwnedFd>> {
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    // What the umask takes away is given back with the content.
    let bits = mode.unwrap_or(0o600) & 0o777;
    let mode = RawMode::try_from(bits).map_or(Mode::RUSR, Mode::from_raw_mode);
    match sys::io::retry_on_intr(|| sys::fs::openat(directory, c".", flags, mode)) {
        Ok(file) => Some(Ok(file)),
        // EISDIR: a kernel that does not know the flag.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => None,
        Err(errno) => Some(Err(Error::from_errno(OP, errno))),
    }
}

#[cfg(target_os = "linux")]
fn store_unnamed(
    file: &OwnedFd,
    directory: &TreeDir,
    name: &[u8],
    content: &[u8],
    attributes: Attributes,
    overwrite: bool,
) -> Result<()> {
    write_all(file.as_fd(), content)?;
    match attributes.mode {
        Some(mode) if mode & 0o777 & umask() == 0 => {}
        Some(_) => sys::fs::fchmod(file, final_mode(attributes.mode)).during(OP)?,
        None => {
            let kept = replaced_mode(directory.as_fd(), name);
            sys::fs::fchmod(file, final_mode(kept)).during(OP)?;
        }
    }
    if let Some(modified) = attributes.modified {
        set_modified(file.as_fd(), modified)?;
    }
    match link(file.as_fd(), directory.as_fd(), name) {
        Ok(()) => return Ok(()),
        Err(Errno::EXIST) if overwrite => {}
        // Without /proc a file can't be given a name.
        Err(Errno::NOENT) if !has_proc() => {
            return store_staged(directory, name, content, attributes, overwrite);
        }
        Err(errno) => return Err(Error::from_errno(OP, errno)),
    }
    check_replaceable(directory.as_fd(), name)?;
    // A name can only be replaced by another: the staged one is there for a moment, and locked, so
    // that no sweep takes it for abandoned.
    match sys::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOLCK | Errno::INVAL) => {}
        Err(errno) => return Err(Error::from_errno(OP, errno)),
    }
    replace_by(directory.as_fd(), name, |staged| link(file.as_fd(), directory.as_fd(), staged))
}

/// Lets `make` make a staged name, and renames that to `name`.
pub(super) fn replace_by(
    directory: BorrowedFd<'_>,
    name: &[u8],
    make: impl FnOnce(&[u8]) -> sys::io::Result<()>,
) -> Result<()> {
    let staged = staging_name::generate()?;
    make(&staged).during(OP)?;
    let renamed = sys::fs::renameat(directory, &staged[..], directory, name);
    // Two names of one file are left as they are by a rename.
    match sys::fs::unlinkat(directory, &staged[..], AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(Error::from_errno(OP, errno)),
    }
    renamed.during(OP)
}

/// Refuses to replace a directory, a pipe, socket or device.
pub(super) fn check_replaceable(directory: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    match stat_name(directory, name).map(|stat| file_type(&stat)) {
        Ok(FileType::File | FileType::Symlink) | Err(Errno::NOENT) => Ok(()),
        Ok(FileType::Directory) => Err(Error::new(ErrorKind::IsDirectory, OP)),
        Ok(FileType::Other) => Err(Error::new(ErrorKind::NotRegular, OP)),
        Err(errno) => Err(Error::from_errno(OP, errno)),
    }
}

/// Gives a file without a name one. From Linux 6.10 on by its descriptor alone; before, that takes a
/// capability, and it goes by the descriptor's name in /proc.
#[cfg(target_os = "linux")]
fn link(file: BorrowedFd<'_>, directory: BorrowedFd<'_>, name: &[u8]) -> sys::io::Result<()> {
    use std::sync::atomic::{AtomicBool, Ordering};
    static NEEDS_PROC: AtomicBool = AtomicBool::new(false);
    if !NEEDS_PROC.load(Ordering::Relaxed) {
        match sys::fs::linkat(file, c"", directory, name, AtFlags::EMPTY_PATH) {
            // Also where the directory was removed: then the other way fails, too.
            Err(Errno::NOENT | Errno::PERM) => {}
            result => return result,
        }
    }
    let result = link_by_proc(file, directory, name);
    if result.is_ok() {
        NEEDS_PROC.store(true, Ordering::Relaxed);
    }
    result
}

#[cfg(target_os = "linux")]
fn link_by_proc(
    file: BorrowedFd<'_>,
    directory: BorrowedFd<'_>,
    name: &[u8],
) -> sys::io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let mut path = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0\0";
    let mut digits = [0_u8; 10];
    let mut number = file.as_raw_fd().unsigned_abs();
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let len = 14 + digits.len() - at;
    path[14..len].copy_from_slice(&digits[at..]);
    sys::fs::linkat(sys::fs::CWD, &path[..len], directory, name, AtFlags::SYMLINK_FOLLOW)
}

#[cfg(target_os = "linux")]
fn has_proc() -> bool {
    sys::fs::stat(c"/proc/self/fd").is_ok()
}

#[cfg(target_os = "linux")]
fn replaced_mode(directory: BorrowedFd<'_>, name: &[u8]) -> Option<u32> {
    let stat = stat_name(directory, name).ok()?;
    (file_type(&stat) == FileType::File).then(|| Metadata::from_stat(&stat).mode)
}

fn store_staged(
    directory: &TreeDir,
    name: &[u8],
    content: &[u8],
    attributes: Attributes,
    overwrite: bool,
) -> Result<()> {
    let copy = sys::io::fcntl_dupfd_cloexec(directory.as_fd(), 0).during(OP)?;
    let options = StageOptions {
        expected_len: Some(content.len() as u64),
        mode: attributes.mode,
        overwrite: if overwrite { Overwrite::Replace } else { Overwrite::Refuse },
        ..StageOptions::default()
    };
    let mut staged = LocalStaged::create(copy, name, &options)?;
    staged.write_at(&mut [IoSlice::new(content)], 0)?;
    if let Some(modified) = attributes.modified {
        set_modified(staged.as_fd(), modified)?;
    }
    let options = CommitOptions { modified: None, durability: EACH };
    Box::new(staged).commit(&options).map(drop)
}

#[cfg(target_os = "linux")]
fn write_all(file: BorrowedFd<'_>, mut content: &[u8]) -> Result<()> {
    while !content.is_empty() {
        match sys::io::write(file, content) {
            Ok(0) => return Err(Error::from_errno("write", Errno::IO)),
            Ok(count) => content = content.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::from_errno("write", errno)),
        }
    }
    Ok(())
}
