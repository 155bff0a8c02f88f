//! Renaming, further names of files, and symbolic links, which are not made.

use std::ffi::CString;
use std::os::windows::io::BorrowedHandle;

use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_NAME_NORMALIZED, FILE_READ_ATTRIBUTES, FILE_WRITE_ATTRIBUTES, VOLUME_NAME_GUID,
};

use super::AsFd;
use super::errno::Errno;
use super::flags::{AtFlags, RenameFlags};
use super::io::Result;
use super::native;
use super::open::{Name, component, is_own_name, open_name};
use super::stat::attributes;

/// Gives a name another one, in one step; what has that is replaced, open or not, unless it is a
/// directory.
pub(crate) fn renameat(
    from_directory: impl AsFd,
    from: impl Name,
    to_directory: impl AsFd,
    to: impl Name,
) -> Result<()> {
    rename(from_directory.as_fd(), from.bytes(), to_directory.as_fd(), to.bytes(), true)
}

/// As [`renameat`]; with `NOREPLACE` a name that is taken is `EXIST`.
pub(crate) fn renameat_with(
    from_directory: impl AsFd,
    from: impl Name,
    to_directory: impl AsFd,
    to: impl Name,
    flags: RenameFlags,
) -> Result<()> {
    let replace = !flags.contains(RenameFlags::NOREPLACE);
    rename(from_directory.as_fd(), from.bytes(), to_directory.as_fd(), to.bytes(), replace)
}

fn rename(
    from_directory: BorrowedHandle<'_>,
    from: &[u8],
    to_directory: BorrowedHandle<'_>,
    to: &[u8],
    replace: bool,
) -> Result<()> {
    let target = component(to)?;
    let source = open_name(from_directory, from, DELETE | FILE_READ_ATTRIBUTES)?;
    if attributes(source.as_fd())?.is_directory && is_within(to_directory, source.as_fd())? {
        return Err(Errno::INVAL);
    }
    refuse_alias(to_directory, to, &target)?;
    match native::rename(source.as_fd(), to_directory, &target, replace) {
        // What a directory answers that would have to be replaced.
        Err(Errno::ACCESS) if replace && is_directory(to_directory, to) => Err(Errno::ISDIR),
        result => result,
    }
}

fn is_directory(directory: BorrowedHandle<'_>, name: &[u8]) -> bool {
    let found = open_name(directory, name, FILE_READ_ATTRIBUTES);
    found.and_then(|found| attributes(found.as_fd())).is_ok_and(|found| found.is_directory)
}

/// Refuses a new name that is the short one of something else, which it would replace.
fn refuse_alias(directory: BorrowedHandle<'_>, name: &[u8], wide: &[u16]) -> Result<()> {
    use windows_sys::Wdk::Storage::FileSystem::FILE_OPEN;
    if !name.contains(&b'~') {
        return Ok(());
    }
    match native::create(directory, wide, FILE_READ_ATTRIBUTES, FILE_OPEN, 0) {
        Ok(found) if !is_own_name(found.as_fd(), name)? => Err(Errno::EXIST),
        Ok(_) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Whether `directory` is `above`, or beneath it.
fn is_within(directory: BorrowedHandle<'_>, above: BorrowedHandle<'_>) -> Result<bool> {
    let path = |file| native::final_path(file, FILE_NAME_NORMALIZED | VOLUME_NAME_GUID);
    let (directory, above) = (path(directory)?, path(above)?);
    let rest = directory.strip_prefix(&above[..]);
    Ok(rest.is_some_and(|rest| rest.first().is_none_or(|&unit| unit == u16::from(b'\\'))))
}

/// Gives a file a further name, unless that is taken.
pub(crate) fn linkat(
    from_directory: impl AsFd,
    from: impl Name,
    to_directory: impl AsFd,
    to: impl Name,
    _flags: AtFlags,
) -> Result<()> {
    let target = component(to.bytes())?;
    let source = open_name(from_directory.as_fd(), from.bytes(), FILE_WRITE_ATTRIBUTES)?;
    native::link(source.as_fd(), to_directory.as_fd(), &target)
}

/// Links are not copied: making one takes a right that few users have.
#[expect(clippy::unnecessary_wraps, reason = "as on other platforms")]
pub(crate) fn readlinkat(
    _directory: impl AsFd,
    _name: impl Name,
    _reuse: Vec<u8>,
) -> Result<CString> {
    Err(Errno::OPNOTSUPP)
}

/// See [`readlinkat`].
#[expect(clippy::unnecessary_wraps, reason = "as on other platforms")]
pub(crate) fn symlinkat<T>(_text: T, _directory: impl AsFd, _name: impl Name) -> Result<()> {
    Err(Errno::OPNOTSUPP)
}
