//! Removing names.

use windows_sys::Win32::Storage::FileSystem::{DELETE, FILE_READ_ATTRIBUTES};

use super::AsFd;
use super::errno::Errno;
use super::flags::AtFlags;
use super::io::Result;
use super::native;
use super::open::{Name, open_name};
use super::stat::{attributes, is_link};

/// Removes a name: a file or a link itself, or with `REMOVEDIR` an empty directory. The name is
/// free at once; who has the file open keeps it.
pub(crate) fn unlinkat(directory: impl AsFd, name: impl Name, flags: AtFlags) -> Result<()> {
    let access = DELETE | FILE_READ_ATTRIBUTES;
    let found = open_name(directory.as_fd(), name.bytes(), access)?;
    let attributes = attributes(found.as_fd())?;
    let is_directory = attributes.is_directory && !is_link(found.as_fd(), attributes)?;
    match (is_directory, flags.contains(AtFlags::REMOVEDIR)) {
        (true, false) => Err(Errno::ISDIR),
        (false, true) => Err(Errno::NOTDIR),
        _ => native::delete(found.as_fd()),
    }
}
