//! Starting the writing of dirty pages early, so that the final synchronisation is short.

use crate::sys::BorrowedFd;

/// The system is told after each completed piece of this length.
const STEP_LEN: u64 = 8 * 1024 * 1024;

/// How far the writing of one staged file has been started.
#[derive(Debug)]
pub(crate) struct Writeback {
    started_to: u64,
    enabled: bool,
}

impl Writeback {
    /// `on_disk` tells whether the file system has a disk.
    pub(crate) fn new(on_disk: bool) -> Self {
        Self { started_to: 0, enabled: on_disk }
    }

    /// Call after a write; `written_to` is the end of the highest one.
    pub(crate) fn after_write(&mut self, file: BorrowedFd<'_>, written_to: u64) {
        let complete = written_to - written_to % STEP_LEN;
        if self.enabled && complete > self.started_to {
            start(file, self.started_to, complete - self.started_to);
            self.started_to = complete;
        }
    }
}

/// Starts writing the dirty pages of a range without waiting for the disk.
///
/// Only a hint: an error of the disk is reported by `fdatasync` at commit, which sees it too.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "rustix has no sync_file_range")]
fn start(file: BorrowedFd<'_>, offset: u64, len: u64) {
    use std::os::fd::AsRawFd;
    let (Ok(offset), Ok(len)) = (i64::try_from(offset), i64::try_from(len)) else { return };
    // SAFETY: `sync_file_range(2)` takes an open descriptor, which `file` keeps open during the
    // call, and three integers; it touches no memory of this process.
    unsafe {
        libc::sync_file_range(file.as_raw_fd(), offset, len, libc::SYNC_FILE_RANGE_WRITE);
    }
}

#[cfg(not(target_os = "linux"))]
fn start(_file: BorrowedFd<'_>, _offset: u64, _len: u64) {}
