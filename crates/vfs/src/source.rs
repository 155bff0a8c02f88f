//! An open regular file of the local file system.

use std::ops::Range;

use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::file_type;
use crate::metadata::{FileType, Metadata};
use crate::rename::identity;
use crate::storage::Source;
#[cfg(target_os = "linux")]
use crate::sys::fs::SeekFrom;
use crate::sys::fs::{OFlags, Stat};
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, BorrowedFd, OwnedFd};

/// See [`Source`].
#[derive(Debug)]
pub(crate) struct LocalSource {
    file: OwnedFd,
    metadata: Metadata,
    at_open: Stat,
}

impl LocalSource {
    /// Takes a descriptor opened with [`crate::jail::READ_FILE`] if it is a regular file.
    pub(crate) fn new(file: OwnedFd) -> Result<Self> {
        let at_open = sys::fs::fstat(&file).during("open")?;
        match file_type(&at_open) {
            FileType::File => {}
            FileType::Directory => return Err(Error::new(ErrorKind::IsDirectory, "open")),
            _ => return Err(Error::new(ErrorKind::NotRegular, "open")),
        }
        let flags = sys::fs::fcntl_getfl(&file).during("open")?;
        sys::fs::fcntl_setfl(&file, flags.difference(OFlags::NONBLOCK)).during("open")?;
        Ok(Self { metadata: Metadata::from_stat(&at_open), file, at_open })
    }

    /// The file itself, for calls that move bytes inside the kernel. Its position is of no use.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Device and inode.
    pub(crate) fn identity(&self) -> (u64, u64) {
        identity(&self.at_open)
    }
}

/// The error of a failed open. A socket, or a device without its driver, answers `ENXIO`.
pub(crate) fn open_error(error: Error) -> Error {
    use std::error::Error as _;
    let errno = error
        .source()
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .and_then(Errno::from_io_error);
    match errno {
        Some(Errno::NXIO | Errno::NODEV) => Error::new(ErrorKind::NotRegular, "open"),
        _ => error,
    }
}

impl Source for LocalSource {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let position = offset
                .checked_add(filled as u64)
                .filter(|&position| i64::try_from(position).is_ok())
                .ok_or_else(|| Error::new(ErrorKind::TooLarge, "read"))?;
            match sys::io::pread(&self.file, rest, position) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::from_errno("read", errno)),
            }
        }
        Ok(filled)
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn check_unchanged(&self) -> Result<()> {
        let now = sys::fs::fstat(&self.file).during("stat")?;
        let then = &self.at_open;
        let same = now.st_size == then.st_size
            && (now.st_mtime, now.st_mtime_nsec) == (then.st_mtime, then.st_mtime_nsec)
            && (now.st_ctime, now.st_ctime_nsec) == (then.st_ctime, then.st_ctime_nsec)
            && (now.st_dev, now.st_ino) == (then.st_dev, then.st_ino)
            && now.st_nlink == then.st_nlink;
        if same { Ok(()) } else { Err(Error::new(ErrorKind::SourceChanged, "read")) }
    }

    fn next_data(&self, range: Range<u64>) -> Result<Option<Range<u64>>> {
        next_data(self.file.as_fd(), range)
    }

    fn is_sparse(&self) -> bool {
        let blocks = u64::try_from(self.at_open.st_blocks).unwrap_or(u64::MAX);
        // The unit of `st_blocks` is 512 bytes everywhere.
        blocks.saturating_mul(512) < self.metadata.size
    }

    fn advise_sequential(&self) {
        // Only a hint: a file system without it reads as before.
        #[cfg(target_os = "linux")]
        let _ = sys::fs::fadvise(&self.file, 0, None, sys::fs::Advice::Sequential);
    }
}

/// The next piece of `range` that is no hole; `None` when there is none. Where the file system
/// doesn't tell, that is all of it.
#[cfg(target_os = "linux")]
fn next_data(file: BorrowedFd<'_>, range: Range<u64>) -> Result<Option<Range<u64>>> {
    if range.is_empty() {
        return Ok(None);
    }
    let start = match sys::fs::seek(file, SeekFrom::Data(range.start)) {
        Ok(start) => start,
        // No data from here to the end.
        Err(Errno::NXIO) => return Ok(None),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => return Ok(Some(range)),
        Err(errno) => return Err(Error::from_errno("seek", errno)),
    };
    let end = match sys::fs::seek(file, SeekFrom::Hole(start)) {
        Ok(end) => end.min(range.end),
        Err(_) => range.end,
    };
    // The file was cut short or filled between the two calls; its check at the end will say so.
    if start < range.start || start >= range.end || end <= start {
        return Ok((start < range.end).then_some(range));
    }
    Ok(Some(start..end))
}

#[cfg(not(target_os = "linux"))]
fn next_data(_file: BorrowedFd<'_>, range: Range<u64>) -> Result<Option<Range<u64>>> {
    Ok((!range.is_empty()).then_some(range))
}
