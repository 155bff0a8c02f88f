//! The user's own files on the client side: no jail, the same staging.
//!
//! Paths are those of the host and links in them are followed, as the user's other programs do.
//! Never pass a name that a peer chose.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::Mode;
use rustix::io::Errno;

use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{ANCHOR, READ_FILE, file_type};
use crate::metadata::FileType;
use crate::path::VPath;
use crate::source::{LocalSource, open_error};
use crate::staging::LocalStaged;
use crate::staging_name::is_reserved;
use crate::storage::{Source, StageOptions, Staged};

/// Opens a regular file for reading, links followed.
///
/// # Errors
/// `NotFound`, `IsDirectory`, `NotRegular` for a pipe, socket or device, `NotPermitted`.
pub fn open_source(path: &Path) -> Result<Box<dyn Source>> {
    // Asked first because opening alone can act on some devices.
    check_regular(path, "open")?;
    let file = rustix::io::retry_on_intr(|| rustix::fs::open(path, READ_FILE, Mode::empty()))
        .during("open")
        .map_err(open_error)?;
    Ok(Box::new(LocalSource::new(file)?))
}

/// Starts a new file that will appear as `path` when it is committed. A symbolic link at `path`
/// is replaced itself; if it leads to a directory or a device, it is refused like one.
///
/// # Errors
/// As [`crate::Storage::stage`]; `BadPath` if `path` does not end in a name.
pub fn stage(path: &Path, options: &StageOptions) -> Result<Box<dyn Staged>> {
    let bad = || Error::new(ErrorKind::BadPath, "stage");
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(bad());
    }
    if bytes.ends_with(b"/") || bytes.ends_with(b"/.") || bytes == b"." {
        return Err(Error::new(ErrorKind::IsDirectory, "stage"));
    }
    let name = path.file_name().ok_or_else(bad)?.as_bytes();
    if name.len() > VPath::MAX_COMPONENT_LEN || is_reserved(name) {
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
            Error::from_errno("mkdir", Errno::from_io_error(&error).unwrap_or(Errno::IO))
        })?;
    }
    let directory = rustix::fs::open(parent, ANCHOR, Mode::empty()).during("stage")?;
    Ok(Box::new(LocalStaged::create(directory, name, options)?))
}

fn check_regular(path: &Path, op: &'static str) -> Result<()> {
    let stat = rustix::fs::stat(path).during(op)?;
    match file_type(&stat) {
        FileType::File => Ok(()),
        FileType::Directory => Err(Error::new(ErrorKind::IsDirectory, op)),
        _ => Err(Error::new(ErrorKind::NotRegular, op)),
    }
}
