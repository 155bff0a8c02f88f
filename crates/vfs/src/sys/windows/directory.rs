//! The entries of a directory.

use std::os::windows::io::{BorrowedHandle, OwnedHandle};

use windows_sys::Win32::Storage::FileSystem::{
    FileIdBothDirectoryInfo, FileIdBothDirectoryRestartInfo,
};

use super::AsFd;
use super::errno::Errno;
use super::flags::{FileType, Mode, OFlags};
use super::io::Result;
use super::native::{Aligned, read_directory};
use super::open::openat;
use super::stat::Attributes;
use crate::sys::wide::from_wide;

const BUFFER_LEN: usize = 32 * 1024;
/// Offsets in `FILE_ID_BOTH_DIR_INFO` (`winbase.h`).
const ATTRIBUTES: usize = 56;
const NAME_LEN: usize = 60;
const NAME: usize = 104;

/// A directory that is being read.
#[derive(Debug)]
pub(crate) struct Dir {
    handle: OwnedHandle,
    buffer: Box<Aligned<BUFFER_LEN>>,
    /// Where the next entry begins; `None` when the buffer has no more.
    next: Option<usize>,
    /// Start from the first entry.
    restart: bool,
    is_over: bool,
}

/// A name that is not yet looked up.
#[derive(Debug)]
pub(crate) struct DirEntry {
    name: EntryName,
    file_type: FileType,
}

/// The bytes of a name.
#[derive(Debug)]
pub(crate) struct EntryName(Vec<u8>);

impl EntryName {
    pub(crate) fn to_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl DirEntry {
    pub(crate) fn file_name(&self) -> &EntryName {
        &self.name
    }

    /// The type as far as the directory tells.
    pub(crate) fn file_type(&self) -> FileType {
        self.file_type
    }
}

impl Dir {
    /// Takes a directory opened for reading.
    #[expect(clippy::unnecessary_wraps, reason = "as on other platforms")]
    pub(crate) fn new(handle: OwnedHandle) -> Result<Self> {
        let buffer = Box::new(Aligned([0; BUFFER_LEN]));
        Ok(Self { handle, buffer, next: None, restart: true, is_over: false })
    }

    /// Reads an open directory from its start, without moving whoever reads it, too.
    pub(crate) fn read_from(directory: impl AsFd) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        Self::new(openat(directory, c".", flags, Mode::empty())?)
    }

    /// The directory itself.
    #[expect(clippy::unnecessary_wraps, reason = "as on other platforms")]
    pub(crate) fn fd(&self) -> Result<BorrowedHandle<'_>> {
        Ok(self.handle.as_fd())
    }

    /// Starts again.
    pub(crate) fn rewind(&mut self) {
        (self.next, self.restart, self.is_over) = (None, true, false);
    }

    /// The next entry, `.` and `..` included.
    pub(crate) fn read(&mut self) -> Option<Result<DirEntry>> {
        if self.is_over {
            return None;
        }
        let at = match self.next.take() {
            Some(at) => at,
            None => match self.fill() {
                Ok(true) => 0,
                Ok(false) => {
                    self.is_over = true;
                    return None;
                }
                Err(errno) => return Some(self.fail(errno)),
            },
        };
        match entry(&self.buffer.0, at) {
            Some((entry, next)) => {
                self.next = next;
                Some(Ok(entry))
            }
            None => Some(self.fail(Errno::IO)),
        }
    }

    fn fill(&mut self) -> Result<bool> {
        let class = if std::mem::take(&mut self.restart) {
            FileIdBothDirectoryRestartInfo
        } else {
            FileIdBothDirectoryInfo
        };
        read_directory(self.handle.as_fd(), class, &mut self.buffer)
    }

    fn fail(&mut self, errno: Errno) -> Result<DirEntry> {
        self.is_over = true;
        Err(errno)
    }
}

/// The entry that begins at `at`, and where the next one does; `None` if it is cut short.
fn entry(buffer: &[u8], at: usize) -> Option<(DirEntry, Option<usize>)> {
    let record = buffer.get(at..)?;
    let number = |at: usize| {
        let bytes = record.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*bytes))
    };
    let name_len = usize::try_from(number(NAME_LEN)?).ok()?;
    let (units, _) = record.get(NAME..)?.get(..name_len)?.as_chunks::<2>();
    let name = EntryName(from_wide(units.iter().copied().map(u16::from_le_bytes)));
    let file_type = Attributes::new(number(ATTRIBUTES)?).file_type();
    let next = match usize::try_from(number(0)?).ok()? {
        0 => None,
        step => Some(at.checked_add(step)?),
    };
    Some((DirEntry { name, file_type }, next))
}
