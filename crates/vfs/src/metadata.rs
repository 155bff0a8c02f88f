//! What storage tells about a name: type, size, time and mode.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::sys;
use crate::sys::fs::{RawMode, Stat, Timespec};

/// The type of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; only a listing reports it, because other operations follow links.
    Symlink,
    /// A pipe, socket or device.
    Other,
}

/// What is known about a file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The type.
    pub file_type: FileType,
    /// Bytes of content; for anything but a regular file, whatever the file system says.
    pub size: u64,
    /// When the content last changed, to the nanosecond where the file system keeps it.
    pub modified: SystemTime,
    /// Permission, set-id and sticky bits, within `0o7777`.
    pub mode: u32,
}

/// One name of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, one component, any bytes but `/` and NUL.
    pub name: Vec<u8>,
    /// About the name itself: a symbolic link is reported as such, not followed.
    pub metadata: Metadata,
}

impl Metadata {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        trivial_numeric_casts,
        reason = "the widths of the fields of `stat` differ between platforms"
    )]
    pub(crate) fn from_stat(stat: &Stat) -> Self {
        Self {
            file_type: FileType::from_mode(stat.st_mode as RawMode),
            size: stat.st_size as u64,
            modified: system_time(
                stat.st_mtime as i64,
                u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
            ),
            mode: (stat.st_mode as u32) & 0o7777,
        }
    }
}

impl FileType {
    pub(crate) fn from_mode(mode: RawMode) -> Self {
        sys::fs::FileType::from_raw_mode(mode).into()
    }
}

impl From<sys::fs::FileType> for FileType {
    fn from(file_type: sys::fs::FileType) -> Self {
        match file_type {
            sys::fs::FileType::RegularFile => Self::File,
            sys::fs::FileType::Directory => Self::Directory,
            sys::fs::FileType::Symlink => Self::Symlink,
            _ => Self::Other,
        }
    }
}

/// The time of `stat`. One that the platform's `SystemTime` can't hold becomes the epoch.
fn system_time(seconds: i64, nanoseconds: u32) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let base =
        if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    base.and_then(|time| time.checked_add(Duration::from_nanos(nanoseconds.into())))
        .unwrap_or(UNIX_EPOCH)
}

/// The inverse of [`system_time`]; `None` outside what the system can store.
pub(crate) fn timespec(time: SystemTime) -> Option<Timespec> {
    let (seconds, nanoseconds) = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).ok()?, after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let seconds = i64::try_from(before.as_secs()).ok()?.checked_neg()?;
            match before.subsec_nanos() {
                0 => (seconds, 0),
                nanoseconds => (seconds.checked_sub(1)?, 1_000_000_000 - nanoseconds),
            }
        }
    };
    Some(Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip_on_both_sides_of_the_epoch() {
        // Windows counts in steps of 100 ns.
        let least = if cfg!(windows) { 100 } else { 1 };
        let last = 1_000_000_000 - least;
        for (seconds, nanoseconds) in [(0, 0), (1, least), (-1, 0), (-1, last), (-7, 500)] {
            let spec = timespec(system_time(seconds, nanoseconds)).unwrap();
            assert_eq!((spec.tv_sec, spec.tv_nsec), (seconds, i64::from(nanoseconds)));
        }
    }
}
