//! Opening files and directories, and making directories.

use std::ffi::{CStr, OsString};
use std::fs::OpenOptions;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{BorrowedHandle, OwnedHandle};
use std::path::{Path, PathBuf};

use windows_sys::Wdk::Storage::FileSystem::{
    FILE_CREATE, FILE_DIRECTORY_FILE, FILE_NON_DIRECTORY_FILE, FILE_OPEN, FILE_OPEN_IF,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ADD_FILE, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_GENERIC_READ,
    FILE_GENERIC_WRITE, FILE_NAME_NORMALIZED, FILE_READ_ATTRIBUTES, FILE_TRAVERSE,
    FILE_WRITE_ATTRIBUTES, VOLUME_NAME_DOS, VOLUME_NAME_NONE,
};

use super::AsFd;
use super::errno::Errno;
use super::flags::{Mode, OFlags};
use super::io::Result;
use super::native;
use super::stat::{attributes, is_link};
use crate::sys::wide::{from_wide, to_wide};

/// A name in a directory.
pub(crate) trait Name {
    /// Its bytes.
    fn bytes(&self) -> &[u8];
}

impl Name for &[u8] {
    fn bytes(&self) -> &[u8] {
        self
    }
}

impl Name for &CStr {
    fn bytes(&self) -> &[u8] {
        self.to_bytes()
    }
}

/// Opens by a path of the host, links followed, as the user's other programs do. It makes nothing.
pub(crate) fn open(path: &Path, flags: OFlags, _mode: Mode) -> Result<OwnedHandle> {
    let file = open_path(path, access(flags), FILE_FLAG_BACKUP_SEMANTICS)?;
    check_opened(file.as_fd(), flags)?;
    Ok(file)
}

pub(super) fn open_path(path: &Path, access: u32, flags: u32) -> Result<OwnedHandle> {
    OpenOptions::new()
        .access_mode(access)
        .share_mode(native::SHARE_ALL)
        .custom_flags(flags)
        .open(path)
        .map(OwnedHandle::from)
        .map_err(|error| Errno::of(&error))
}

/// Opens `name` in `directory`; `.` is the directory itself. A link is `LOOP`.
pub(crate) fn openat(
    directory: impl AsFd,
    name: impl Name,
    flags: OFlags,
    _mode: Mode,
) -> Result<OwnedHandle> {
    let directory = directory.as_fd();
    if name.bytes() == b"." {
        let again = native::create(directory, &[], access(flags), FILE_OPEN, 0)?;
        check_opened(again.as_fd(), flags)?;
        return Ok(again);
    }
    let (disposition, options) =
        match (flags.contains(OFlags::CREATE), flags.contains(OFlags::EXCL)) {
            (false, _) => (FILE_OPEN, 0),
            (true, false) => (FILE_OPEN_IF, FILE_NON_DIRECTORY_FILE),
            (true, true) => (FILE_CREATE, FILE_NON_DIRECTORY_FILE),
        };
    let file = create_named(directory, name.bytes(), access(flags), disposition, options)?;
    check_opened(file.as_fd(), flags)?;
    Ok(file)
}

/// Opens the name itself, whatever it is.
pub(super) fn open_name(
    directory: BorrowedHandle<'_>,
    name: &[u8],
    access: u32,
) -> Result<OwnedHandle> {
    create_named(directory, name, access, FILE_OPEN, 0)
}

/// Makes a directory. Its access list is inherited from `directory`.
pub(crate) fn mkdirat(directory: impl AsFd, name: impl Name, _mode: Mode) -> Result<()> {
    let access = FILE_READ_ATTRIBUTES;
    create_named(directory.as_fd(), name.bytes(), access, FILE_CREATE, FILE_DIRECTORY_FILE)
        .map(drop)
}

fn create_named(
    directory: BorrowedHandle<'_>,
    name: &[u8],
    access: u32,
    disposition: u32,
    options: u32,
) -> Result<OwnedHandle> {
    let wide = component(name)?;
    let file = native::create(directory, &wide, access, disposition, options)?;
    if disposition == FILE_OPEN && !is_own_name(file.as_fd(), name)? {
        return Err(Errno::NOENT);
    }
    Ok(file)
}

/// `name` as the system takes it: one component, which the kernel can't take for anything else.
pub(super) fn component(name: &[u8]) -> Result<Vec<u16>> {
    let is_separator = |byte: &u8| matches!(byte, b'/' | b'\\' | b':' | 0);
    if matches!(name, b"" | b"." | b"..") || name.iter().any(is_separator) {
        return Err(Errno::ILSEQ);
    }
    to_wide(name).ok_or(Errno::ILSEQ)
}

/// Whether what was opened as `name` has that name. Older file systems give each file a second,
/// short one, such as `E2EEFT~1.PAR`; nobody but the system chose that, so nothing has it here.
pub(super) fn is_own_name(file: BorrowedHandle<'_>, name: &[u8]) -> Result<bool> {
    if !name.contains(&b'~') {
        return Ok(true);
    }
    let path = native::final_path(file, FILE_NAME_NORMALIZED | VOLUME_NAME_NONE)?;
    let own = from_wide(
        path.rsplit(|&unit| unit == u16::from(b'\\')).next().unwrap_or(&[]).iter().copied(),
    );
    let upper = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_uppercase();
    Ok(upper(&own) == upper(name))
}

fn access(flags: OFlags) -> u32 {
    if flags.contains(OFlags::PATH) {
        FILE_TRAVERSE | FILE_READ_ATTRIBUTES
    } else if flags.contains(OFlags::RDWR) {
        FILE_GENERIC_READ | FILE_GENERIC_WRITE
    } else {
        FILE_GENERIC_READ
    }
}

fn check_opened(file: BorrowedHandle<'_>, flags: OFlags) -> Result<()> {
    let found = attributes(file)?;
    if is_link(file, found)? {
        return Err(Errno::LOOP);
    }
    let is_directory = found.is_directory;
    match is_directory {
        false if flags.contains(OFlags::DIRECTORY) => Err(Errno::NOTDIR),
        true if flags.contains(OFlags::RDWR) => Err(Errno::ISDIR),
        _ => Ok(()),
    }
}

/// The directory, opened so that it can be synchronised.
pub(super) fn reopen_for_flush(directory: BorrowedHandle<'_>) -> Result<OwnedHandle> {
    native::create(directory, &[], FILE_ADD_FILE | FILE_READ_ATTRIBUTES, FILE_OPEN, 0)
}

/// What is open, opened so that its times can be set.
pub(super) fn reopen_for_times(file: BorrowedHandle<'_>) -> Result<OwnedHandle> {
    native::create(file, &[], FILE_WRITE_ATTRIBUTES, FILE_OPEN, 0)
}

/// Opens the directory that holds `directory`; the root's own is itself. Only for looking at its
/// identity: it goes by the path that the system tells, which may change meanwhile.
pub(crate) fn open_parent(directory: BorrowedHandle<'_>, flags: OFlags) -> Result<OwnedHandle> {
    let path = PathBuf::from(OsString::from_wide(&native::final_path(
        directory,
        FILE_NAME_NORMALIZED | VOLUME_NAME_DOS,
    )?));
    match path.parent() {
        Some(parent) => {
            let options = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT;
            open_path(parent, access(flags), options)
        }
        None => fcntl_dupfd_cloexec(directory, 0),
    }
}

/// A second handle of the same opening.
pub(crate) fn fcntl_dupfd_cloexec(file: impl AsFd, _least: i32) -> Result<OwnedHandle> {
    file.as_fd().try_clone_to_owned().map_err(|error| Errno::of(&error))
}

/// No flag of an open file can be changed.
#[expect(clippy::unnecessary_wraps, reason = "as on other platforms")]
pub(crate) fn fcntl_getfl(_file: impl AsFd) -> Result<OFlags> {
    Ok(OFlags::empty())
}

/// No flag of an open file can be changed.
#[expect(clippy::unnecessary_wraps, reason = "as on other platforms")]
pub(crate) fn fcntl_setfl(_file: impl AsFd, _flags: OFlags) -> Result<()> {
    Ok(())
}

/// A path is text.
pub(crate) fn path_from_bytes(bytes: &[u8]) -> Option<&Path> {
    std::str::from_utf8(bytes).ok().map(Path::new)
}
