//! Reserving disk space ahead of the writes of a staged file of known length.
//!
//! It keeps large files in few extents and finds a full disk early. It never makes a file longer,
//! and where the file system has no such call, it does nothing.

use crate::error::{Error, Result};
use crate::sys::io::Errno;
use crate::sys::{self, BorrowedFd};

/// How much is reserved in one step.
const WINDOW_LEN: u64 = 64 * 1024 * 1024;
/// Below this length one reservation costs more than it gives.
const MIN_LEN: u64 = 1024 * 1024;

/// The reservation of one staged file.
#[derive(Debug)]
pub(crate) struct Preallocation {
    /// The announced length; nothing beyond is reserved. 0 when there is nothing to do.
    len: u64,
    /// Everything below is reserved.
    reserved_to: u64,
}

impl Preallocation {
    /// `expected_len` as announced; `on_disk` tells whether the file system has a disk.
    pub(crate) fn new(expected_len: Option<u64>, on_disk: bool) -> Self {
        let len = expected_len.filter(|&len| on_disk && len >= MIN_LEN).unwrap_or(0);
        Self { len, reserved_to: 0 }
    }

    /// Call before a write that ends at `end`.
    ///
    /// # Errors
    /// `NoSpace`, `TooLarge`.
    pub(crate) fn before_write(&mut self, file: BorrowedFd<'_>, end: u64) -> Result<()> {
        let end = end.min(self.len);
        if end <= self.reserved_to {
            return Ok(());
        }
        let target = end.div_ceil(WINDOW_LEN).saturating_mul(WINDOW_LEN).min(self.len);
        match reserve(file, self.reserved_to, target - self.reserved_to) {
            Ok(()) => self.reserved_to = target,
            Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => {
                return Err(Error::from_errno("reserve", errno));
            }
            // Not possible here, or broken: then the write itself will say so.
            Err(_) => self.len = 0,
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn reserve(file: BorrowedFd<'_>, offset: u64, len: u64) -> sys::io::Result<()> {
    sys::io::retry_on_intr(|| {
        sys::fs::fallocate(file, sys::fs::FallocateFlags::KEEP_SIZE, offset, len)
    })
}

#[cfg(not(target_os = "linux"))]
fn reserve(_file: BorrowedFd<'_>, _offset: u64, _len: u64) -> sys::io::Result<()> {
    Err(Errno::OPNOTSUPP)
}

/// `TMPFS_MAGIC` and `RAMFS_MAGIC` of `linux/magic.h`.
#[cfg(target_os = "linux")]
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];
/// `EXT4_SUPER_MAGIC`, which is that of ext2 and ext3, too.
#[cfg(target_os = "linux")]
const EXT: i64 = 0xef53;

/// Whether the file's data goes to a disk, unlike `tmpfs` and `ramfs`.
#[cfg(target_os = "linux")]
pub(crate) fn is_on_disk(file: BorrowedFd<'_>) -> bool {
    magic(file).is_some_and(|magic| !IN_MEMORY.contains(&magic))
}

/// Whether two files may share blocks on the file system of `file`: false where that is known to be
/// impossible.
#[cfg(target_os = "linux")]
pub(crate) fn may_share(file: BorrowedFd<'_>) -> bool {
    magic(file).is_none_or(|magic| magic != EXT && !IN_MEMORY.contains(&magic))
}

/// Whether two files may share blocks; not asked on this platform.
#[cfg(not(target_os = "linux"))]
pub(crate) fn may_share(_file: BorrowedFd<'_>) -> bool {
    true
}

#[cfg(target_os = "linux")]
#[allow(
    clippy::unnecessary_cast,
    clippy::cast_possible_wrap,
    clippy::cast_lossless,
    trivial_numeric_casts,
    reason = "the type of `f_type` differs between architectures"
)]
fn magic(file: BorrowedFd<'_>) -> Option<i64> {
    sys::fs::fstatfs(file).ok().map(|stat| stat.f_type as i64)
}

/// Whether the file's data goes to a disk; not asked on this platform.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_on_disk(_file: BorrowedFd<'_>) -> bool {
    false
}

#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "../tests/storage/tmpfs.rs"]
mod tmpfs;

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::error::ErrorKind;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn reserves_in_windows_and_never_beyond_the_length() {
        let file = tempfile::tempfile().unwrap();
        let mut preallocation = Preallocation::new(Some(65 * MIB), true);
        preallocation.before_write(file.as_fd(), 1).unwrap();
        assert_eq!(preallocation.reserved_to, 64 * MIB);
        preallocation.before_write(file.as_fd(), 64 * MIB + 1).unwrap();
        assert_eq!(preallocation.reserved_to, 65 * MIB);
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.len(), 0, "the file must not grow");
        assert!(metadata.blocks() * 512 >= 65 * MIB, "the blocks must be there");
        assert!(metadata.blocks() * 512 < 66 * MIB, "and no others");
    }

    #[test]
    fn leaves_small_and_in_memory_files_alone() {
        let file = tempfile::tempfile().unwrap();
        for (len, on_disk) in [(Some(MIB - 1), true), (Some(2 * MIB), false), (None, true)] {
            Preallocation::new(len, on_disk).before_write(file.as_fd(), 1).unwrap();
        }
        assert_eq!(file.metadata().unwrap().blocks(), 0);
    }

    #[test]
    fn a_full_disk_is_found_before_the_first_byte() {
        let small = tmpfs::Tmpfs::mount("1m");
        let file = File::create(small.path().join("file")).unwrap();
        assert!(!is_on_disk(file.as_fd()), "tmpfs must be recognised");
        let mut preallocation = Preallocation::new(Some(2 * MIB), true);
        let error = preallocation.before_write(file.as_fd(), 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        assert_eq!(file.metadata().unwrap().len(), 0);
    }
}
