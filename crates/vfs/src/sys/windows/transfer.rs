//! What is done with the content of an open file.

use std::fs::{File, FileTimes};
use std::os::windows::fs::FileExt;
use std::time::{Duration, UNIX_EPOCH};

use super::AsFd;
use super::errno::Errno;
use super::flags::{AtFlags, FlockOperation, Mode, Timestamps};
use super::io::Result;
use super::open::{reopen_for_flush, reopen_for_times};
use super::stat::{attributes, windows_time};
use super::{OwnedFd, native};

/// Calls once: nothing interrupts a call here.
pub(crate) fn retry_on_intr<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    call()
}

/// The standard library's view of an open file: a second handle of the same opening.
fn file(handle: impl AsFd) -> std::io::Result<File> {
    handle.as_fd().try_clone_to_owned().map(|handle: OwnedFd| File::from(handle))
}

/// Runs `call` on an open file.
fn on_file<T>(handle: impl AsFd, call: impl FnOnce(&File) -> std::io::Result<T>) -> Result<T> {
    file(handle).and_then(|file| call(&file)).map_err(|error| Errno::of(&error))
}

/// Reads at `offset`; 0 at the end of the file.
pub(crate) fn pread(handle: impl AsFd, buffer: &mut [u8], offset: u64) -> Result<usize> {
    on_file(handle, |file| file.seek_read(buffer, offset))
}

/// Writes some of `bytes` at `offset`.
pub(crate) fn pwrite(handle: impl AsFd, bytes: &[u8], offset: u64) -> Result<usize> {
    on_file(handle, |file| file.seek_write(bytes, offset))
}

/// Sets the length.
pub(crate) fn ftruncate(handle: impl AsFd, len: u64) -> Result<()> {
    on_file(handle, |file| file.set_len(len))
}

/// Nothing: Windows has no permission bits.
#[expect(clippy::unnecessary_wraps, reason = "as on other platforms")]
pub(crate) fn fchmod(_handle: impl AsFd, _mode: Mode) -> Result<()> {
    Ok(())
}

/// Sets the time of the last modification; `last_access` stays as it is.
pub(crate) fn futimens(handle: impl AsFd, times: &Timestamps) -> Result<()> {
    let time = times.last_modification;
    // What the system can't store.
    windows_time(time).ok_or(Errno::INVAL)?;
    let nanoseconds = Duration::from_nanos(time.tv_nsec.unsigned_abs());
    let whole = Duration::from_secs(time.tv_sec.unsigned_abs());
    let seconds =
        if time.tv_sec < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    let modified = seconds.and_then(|base| base.checked_add(nanoseconds)).ok_or(Errno::INVAL)?;
    let set = |file: &File| file.set_times(FileTimes::new().set_modified(modified));
    match on_file(handle.as_fd(), set) {
        // It was opened for reading, as every directory is.
        Err(Errno::ACCESS) => on_file(reopen_for_times(handle.as_fd())?, set),
        result => result,
    }
}

/// Not for names: files are open when their times are set.
#[expect(clippy::unnecessary_wraps, reason = "as on other platforms")]
pub(crate) fn utimensat<N>(
    _directory: impl AsFd,
    _name: N,
    _times: &Timestamps,
    _flags: AtFlags,
) -> Result<()> {
    Err(Errno::OPNOTSUPP)
}

/// Content and length are on the disk.
pub(crate) fn fdatasync(handle: impl AsFd) -> Result<()> {
    on_file(handle, File::sync_all)
}

/// Of a directory: its names are on the disk. `INVAL` where the file system has nothing to do, or
/// does not let this user ask: NTFS keeps names in its own journal, in order.
pub(crate) fn fsync(handle: impl AsFd) -> Result<()> {
    let handle = handle.as_fd();
    if !attributes(handle)?.is_directory {
        return fdatasync(handle);
    }
    match reopen_for_flush(handle).and_then(fdatasync) {
        Err(Errno::ACCESS | Errno::OPNOTSUPP | Errno::NOSYS | Errno::BADF) => Err(Errno::INVAL),
        result => result,
    }
}

/// Locks the file against others who lock it; nothing else is held up.
pub(crate) fn flock(handle: impl AsFd, operation: FlockOperation) -> Result<()> {
    match operation {
        FlockOperation::NonBlockingLockExclusive => native::lock(handle.as_fd()),
        FlockOperation::Unlock => native::unlock(handle.as_fd()),
    }
}
