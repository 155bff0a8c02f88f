//! The status of files, and the room of a volume.
//!
//! Windows has no permission bits. A file is told as `0o644` and a directory as `0o755`, without
//! the write bits when it has the read-only attribute: what a file gets that is sent on to a
//! system which has such bits. Setting them does nothing.

use std::os::windows::io::BorrowedHandle;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_READONLY, FILE_ATTRIBUTE_REPARSE_POINT,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_READ_ATTRIBUTES,
};

use super::AsFd;
use super::errno::Errno;
use super::flags::{AtFlags, FileType, RawMode, Timespec};
use super::io::Result;
use super::native;
use super::open::{Name, open_name, open_path};

/// What `stat` tells, as far as storage asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) st_mode: RawMode,
    pub(crate) st_size: u64,
    /// What the file takes, in units of 512 bytes.
    pub(crate) st_blocks: u64,
    pub(crate) st_mtime: i64,
    pub(crate) st_mtime_nsec: i64,
    /// When anything about the file changed last.
    pub(crate) st_ctime: i64,
    pub(crate) st_ctime_nsec: i64,
    /// The serial number of the volume.
    pub(crate) st_dev: u64,
    pub(crate) st_ino: u64,
    /// 0 for a file that is deleted and still open.
    pub(crate) st_nlink: u32,
}

/// Of the attributes, those that storage asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes {
    pub(super) is_directory: bool,
    is_reparse_point: bool,
}

impl Attributes {
    pub(super) fn new(bits: u32) -> Self {
        Self {
            is_directory: bits & FILE_ATTRIBUTE_DIRECTORY != 0,
            is_reparse_point: bits & FILE_ATTRIBUTE_REPARSE_POINT != 0,
        }
    }

    /// The type as far as the attributes tell.
    pub(super) fn file_type(self) -> FileType {
        match self {
            Self { is_reparse_point: true, .. } => FileType::Unknown,
            Self { is_directory: true, .. } => FileType::Directory,
            _ => FileType::RegularFile,
        }
    }
}

pub(super) fn attributes(file: BorrowedHandle<'_>) -> Result<Attributes> {
    if !native::is_on_disk(file) {
        return Ok(Attributes::new(0));
    }
    native::basic_information(file).map(|found| Attributes::new(found.FileAttributes))
}

/// Whether this is a reparse point that stands for another name: a symbolic link, a junction, a
/// mounted volume.
pub(super) fn is_link(file: BorrowedHandle<'_>, attributes: Attributes) -> Result<bool> {
    /// `IsReparseTagNameSurrogate` of `ntifs.h`.
    const NAME_SURROGATE: u32 = 0x2000_0000;
    Ok(attributes.is_reparse_point && native::reparse_tag(file)? & NAME_SURROGATE != 0)
}

/// The status of what is open.
pub(crate) fn fstat(file: impl AsFd) -> Result<Stat> {
    let file = file.as_fd();
    if !native::is_on_disk(file) {
        return Ok(device());
    }
    let found = native::file_information(file)?;
    let attributes = Attributes::new(found.dwFileAttributes);
    let file_type = match attributes.file_type() {
        FileType::Unknown if is_link(file, attributes)? => FileType::Symlink,
        FileType::Unknown if attributes.is_directory => FileType::Directory,
        // Its content is elsewhere, and only some driver knows where.
        FileType::Unknown => FileType::CharacterDevice,
        known => known,
    };
    let times = native::basic_information(file)?;
    let standard = native::standard_information(file)?;
    let (st_mtime, st_mtime_nsec) = unix_time(times.LastWriteTime);
    let (st_ctime, st_ctime_nsec) = unix_time(times.ChangeTime);
    let join = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    Ok(Stat {
        st_mode: file_type.as_raw_mode() | permissions(file_type, found.dwFileAttributes),
        st_size: join(found.nFileSizeHigh, found.nFileSizeLow),
        st_blocks: u64::try_from(standard.AllocationSize).unwrap_or(0).div_ceil(512),
        st_mtime,
        st_mtime_nsec,
        st_ctime,
        st_ctime_nsec,
        st_dev: found.dwVolumeSerialNumber.into(),
        st_ino: join(found.nFileIndexHigh, found.nFileIndexLow),
        st_nlink: if standard.DeletePending { 0 } else { found.nNumberOfLinks },
    })
}

/// Always: who may put a file into a directory is said by the directory's access list.
pub(crate) fn is_private(_stat: &Stat) -> bool {
    true
}

/// The status of a name in a directory, a link not followed.
pub(crate) fn statat(directory: impl AsFd, name: impl Name, _flags: AtFlags) -> Result<Stat> {
    fstat(open_name(directory.as_fd(), name.bytes(), FILE_READ_ATTRIBUTES)?)
}

/// The status of what a path of the host leads to.
pub(crate) fn stat(path: &Path) -> Result<Stat> {
    fstat(open_path(path, FILE_READ_ATTRIBUTES, FILE_FLAG_BACKUP_SEMANTICS)?)
}

fn permissions(file_type: FileType, attributes: u32) -> RawMode {
    match file_type {
        // Of a directory the attribute says something else.
        FileType::Directory => 0o755,
        _ if attributes & FILE_ATTRIBUTE_READONLY != 0 => 0o444,
        _ => 0o644,
    }
}

fn device() -> Stat {
    Stat {
        st_mode: FileType::CharacterDevice.as_raw_mode(),
        st_size: 0,
        st_blocks: 0,
        st_mtime: 0,
        st_mtime_nsec: 0,
        st_ctime: 0,
        st_ctime_nsec: 0,
        st_dev: 0,
        st_ino: 0,
        st_nlink: 1,
    }
}

/// Steps of 100 ns in a second.
const STEPS: i64 = 10_000_000;
/// 1970 in steps since 1601, where the time of Windows begins.
const EPOCH: i64 = 116_444_736_000_000_000;

/// Seconds and nanoseconds since 1970 of a time of Windows.
fn unix_time(steps: i64) -> (i64, i64) {
    let since = steps.saturating_sub(EPOCH);
    (since.div_euclid(STEPS), since.rem_euclid(STEPS) * 100)
}

/// The time of Windows; `None` before 1601 and after what it can hold. 0 would mean no time.
pub(super) fn windows_time(time: Timespec) -> Option<i64> {
    let whole = time.tv_sec.checked_mul(STEPS)?.checked_add(time.tv_nsec / 100)?;
    whole.checked_add(EPOCH).filter(|&steps| steps > 0)
}

/// The room of a volume, as `statvfs` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatVfs {
    pub(crate) f_frsize: u64,
    pub(crate) f_blocks: u64,
    pub(crate) f_bfree: u64,
    pub(crate) f_bavail: u64,
    pub(crate) f_files: u64,
    pub(crate) f_favail: u64,
}

/// The room of the volume that holds `file`. No file system here has a limit on its files.
pub(crate) fn fstatvfs(file: impl AsFd) -> Result<StatVfs> {
    let size = native::full_size(file.as_fd())?;
    let count = |units: i64| u64::try_from(units).map_err(|_| Errno::OVERFLOW);
    Ok(StatVfs {
        f_frsize: u64::from(size.sectors_per_unit) * u64::from(size.bytes_per_sector),
        f_blocks: count(size.total_units)?,
        f_bfree: count(size.free_units)?,
        f_bavail: count(size.available_units)?,
        f_files: 0,
        f_favail: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_both_ways() {
        for (tv_sec, tv_nsec) in
            [(0, 0), (1, 100), (-1, 999_999_900), (-7, 500), (4_000_000_000, 0)]
        {
            let steps = windows_time(Timespec { tv_sec, tv_nsec }).unwrap();
            assert_eq!(unix_time(steps), (tv_sec, tv_nsec));
        }
        assert_eq!(windows_time(Timespec { tv_sec: i64::MIN, tv_nsec: 0 }), None);
        assert_eq!(windows_time(Timespec { tv_sec: -11_644_473_600, tv_nsec: 0 }), None);
    }
}
