//! The calls of the system that the standard library lacks, each behind a safe function.

#![allow(unsafe_code, reason = "the standard library opens nothing relative to a directory")]

use std::ffi::c_void;
use std::mem::{offset_of, size_of};
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem::{
    FILE_INFORMATION_CLASS, FILE_OPEN_REPARSE_POINT, FILE_RENAME_INFORMATION,
    FILE_SYNCHRONOUS_IO_NONALERT, FileFsFullSizeInformation, NtCreateFile,
    NtQueryVolumeInformationFile, NtSetInformationFile,
};
use windows_sys::Win32::Foundation::{
    HANDLE, NTSTATUS, OBJ_CASE_INSENSITIVE, RtlNtStatusToDosError, STATUS_DELETE_PENDING,
    STATUS_FILE_IS_A_DIRECTORY, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER, STATUS_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED, UNICODE_STRING,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_NORMAL, FILE_ATTRIBUTE_TAG_INFO, FILE_BASIC_INFO,
    FILE_INFO_BY_HANDLE_CLASS, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE,
    FILE_STANDARD_INFO, FILE_TYPE_DISK, FileAttributeTagInfo, FileBasicInfo, FileStandardInfo,
    GetFileInformationByHandle, GetFileInformationByHandleEx, GetFileType,
    GetFinalPathNameByHandleW, LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx,
    SYNCHRONIZE, UnlockFileEx,
};
use windows_sys::Win32::System::IO::{IO_STATUS_BLOCK, OVERLAPPED};

use super::errno::Errno;
use super::io::Result;

/// Other programs may do with an open file what they may do on Unix.
pub(super) const SHARE_ALL: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
/// `GetFinalPathNameByHandleW` never needs more than a path can have.
const MAX_PATH_LEN: usize = 32 * 1024 + 64;

/// Opens `name` in the directory `base`, a reparse point as itself; no name opens `base` again.
pub(super) fn create(
    base: BorrowedHandle<'_>,
    name: &[u16],
    access: u32,
    disposition: u32,
    options: u32,
) -> Result<OwnedHandle> {
    let len = u16::try_from(size_of::<u16>() * name.len()).map_err(|_| Errno::NAMETOOLONG)?;
    let object_name =
        UNICODE_STRING { Length: len, MaximumLength: len, Buffer: name.as_ptr().cast_mut() };
    let attributes = OBJECT_ATTRIBUTES {
        Length: u32::try_from(size_of::<OBJECT_ATTRIBUTES>()).map_err(|_| Errno::OVERFLOW)?,
        RootDirectory: base.as_raw_handle(),
        ObjectName: &raw const object_name,
        Attributes: OBJ_CASE_INSENSITIVE,
        SecurityDescriptor: null(),
        SecurityQualityOfService: null(),
    };
    let mut handle: HANDLE = null_mut();
    let mut status_block = IO_STATUS_BLOCK::default();
    // SAFETY: all pointers are to live values of the types that the call wants; it reads `name`
    // within the length given, writes `handle` and `status_block`, and keeps none of them, because
    // an open that is asked to be synchronous is complete when it returns.
    let status = unsafe {
        NtCreateFile(
            &raw mut handle,
            access | SYNCHRONIZE,
            &raw const attributes,
            &raw mut status_block,
            null(),
            FILE_ATTRIBUTE_NORMAL,
            SHARE_ALL,
            disposition,
            options | FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_REPARSE_POINT,
            null(),
            0,
        )
    };
    check(status)?;
    // SAFETY: the call has succeeded, so `handle` is open, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// A structure that `GetFileInformationByHandleEx` fills.
///
/// # Safety
/// `CLASS` must be the class whose answer is exactly this structure, all zeros must be a value of
/// it, and it must hold no pointers.
unsafe trait Information: Default {
    const CLASS: FILE_INFO_BY_HANDLE_CLASS;
}

// SAFETY: the class and its structure, plain numbers, as Microsoft documents them.
unsafe impl Information for FILE_BASIC_INFO {
    const CLASS: FILE_INFO_BY_HANDLE_CLASS = FileBasicInfo;
}

// SAFETY: as above; its two booleans are written as 0 or 1.
unsafe impl Information for FILE_STANDARD_INFO {
    const CLASS: FILE_INFO_BY_HANDLE_CLASS = FileStandardInfo;
}

// SAFETY: as above.
unsafe impl Information for FILE_ATTRIBUTE_TAG_INFO {
    const CLASS: FILE_INFO_BY_HANDLE_CLASS = FileAttributeTagInfo;
}

fn information<T: Information>(file: BorrowedHandle<'_>) -> Result<T> {
    let mut found = T::default();
    let len = u32::try_from(size_of::<T>()).map_err(|_| Errno::OVERFLOW)?;
    // SAFETY: `file` is open, and `found` has room for what the class answers, see the trait.
    let done = unsafe {
        GetFileInformationByHandleEx(
            file.as_raw_handle(),
            T::CLASS,
            (&raw mut found).cast::<c_void>(),
            len,
        )
    };
    if done == 0 { Err(last_error()) } else { Ok(found) }
}

/// Times and attributes.
pub(super) fn basic_information(file: BorrowedHandle<'_>) -> Result<FILE_BASIC_INFO> {
    information(file)
}

/// Whether the file is deleted, among others.
pub(super) fn standard_information(file: BorrowedHandle<'_>) -> Result<FILE_STANDARD_INFO> {
    information(file)
}

/// The kind of reparse point.
pub(super) fn reparse_tag(file: BorrowedHandle<'_>) -> Result<u32> {
    information::<FILE_ATTRIBUTE_TAG_INFO>(file).map(|found| found.ReparseTag)
}

/// Size, number of links and identity.
pub(super) fn file_information(file: BorrowedHandle<'_>) -> Result<BY_HANDLE_FILE_INFORMATION> {
    let mut found = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: `file` is open, and `found` is the structure that the call fills.
    let done = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut found) };
    if done == 0 { Err(last_error()) } else { Ok(found) }
}

/// Whether the handle is that of something on a disk, not of a pipe or device.
pub(super) fn is_on_disk(file: BorrowedHandle<'_>) -> bool {
    // SAFETY: `file` is open; the call touches no memory.
    let file_type = unsafe { GetFileType(file.as_raw_handle()) };
    file_type == FILE_TYPE_DISK
}

/// Memory for what the system writes in structures that begin at multiples of eight.
#[derive(Debug)]
#[repr(align(8))]
pub(super) struct Aligned<const LEN: usize>(pub(super) [u8; LEN]);

/// Reads entries of a directory; false when there are no more.
pub(super) fn read_directory<const LEN: usize>(
    directory: BorrowedHandle<'_>,
    class: FILE_INFO_BY_HANDLE_CLASS,
    buffer: &mut Aligned<LEN>,
) -> Result<bool> {
    let len = u32::try_from(LEN).map_err(|_| Errno::OVERFLOW)?;
    // SAFETY: `directory` is open, and the call writes at most `len` bytes into `buffer`, which is
    // aligned for them.
    let done = unsafe {
        GetFileInformationByHandleEx(
            directory.as_raw_handle(),
            class,
            buffer.0.as_mut_ptr().cast::<c_void>(),
            len,
        )
    };
    if done != 0 {
        return Ok(true);
    }
    match std::io::Error::last_os_error() {
        error if error.raw_os_error() == Some(ERROR_NO_MORE_FILES) => Ok(false),
        error => Err(Errno::of(&error)),
    }
}

const ERROR_NO_MORE_FILES: i32 = windows_sys::Win32::Foundation::ERROR_NO_MORE_FILES.cast_signed();

/// The path of what is open, as the system calls it now.
pub(super) fn final_path(file: BorrowedHandle<'_>, flags: u32) -> Result<Vec<u16>> {
    let mut path = vec![0; MAX_PATH_LEN];
    let capacity = u32::try_from(path.len()).map_err(|_| Errno::OVERFLOW)?;
    // SAFETY: `file` is open, and the call writes at most `capacity` units into `path`.
    let len = unsafe {
        GetFinalPathNameByHandleW(file.as_raw_handle(), path.as_mut_ptr(), capacity, flags)
    };
    match usize::try_from(len) {
        Ok(0) | Err(_) => Err(last_error()),
        Ok(len) if len >= path.len() => Err(Errno::NAMETOOLONG),
        Ok(len) => {
            path.truncate(len);
            Ok(path)
        }
    }
}

/// Takes a lock that only others who ask for it meet: it is on one byte far beyond any content.
/// It goes with the last handle of this opening.
pub(super) fn lock(file: BorrowedHandle<'_>) -> Result<()> {
    let mut overlapped = OVERLAPPED::default();
    overlapped.Anonymous.Anonymous.Offset = u32::MAX - 1;
    overlapped.Anonymous.Anonymous.OffsetHigh = i32::MAX.cast_unsigned();
    let flags = LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY;
    // SAFETY: `file` is open and synchronous, so the call is done with `overlapped` on return.
    let done = unsafe { LockFileEx(file.as_raw_handle(), flags, 0, 1, 0, &raw mut overlapped) };
    if done == 0 { Err(last_error()) } else { Ok(()) }
}

/// Gives the lock back that [`lock`] has taken with this opening.
pub(super) fn unlock(file: BorrowedHandle<'_>) -> Result<()> {
    let mut overlapped = OVERLAPPED::default();
    overlapped.Anonymous.Anonymous.Offset = u32::MAX - 1;
    overlapped.Anonymous.Anonymous.OffsetHigh = i32::MAX.cast_unsigned();
    // SAFETY: `file` is open and synchronous, so the call is done with `overlapped` on return.
    let done = unsafe { UnlockFileEx(file.as_raw_handle(), 0, 1, 0, &raw mut overlapped) };
    if done == 0 { Err(last_error()) } else { Ok(()) }
}

/// The answer to `FileFsFullSizeInformation`, in units of so many sectors of so many bytes.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct FullSize {
    pub(super) total_units: i64,
    /// What this user may fill.
    pub(super) available_units: i64,
    pub(super) free_units: i64,
    pub(super) sectors_per_unit: u32,
    pub(super) bytes_per_sector: u32,
}

/// The room of the volume that holds `file`.
pub(super) fn full_size(file: BorrowedHandle<'_>) -> Result<FullSize> {
    let mut found = FullSize::default();
    let mut status_block = IO_STATUS_BLOCK::default();
    let len = u32::try_from(size_of::<FullSize>()).map_err(|_| Errno::OVERFLOW)?;
    // SAFETY: `file` is open and synchronous; `found` is laid out as the class answers, and both
    // are written before the call returns.
    let status = unsafe {
        NtQueryVolumeInformationFile(
            file.as_raw_handle(),
            &raw mut status_block,
            (&raw mut found).cast::<c_void>(),
            len,
            FileFsFullSizeInformation,
        )
    };
    check(status)?;
    Ok(found)
}

/// Asks for a change; with `old`, once more in words that older systems know, if need be.
///
/// # Errors
/// Whatever the last one answers.
fn change(
    file: BorrowedHandle<'_>,
    new: (FILE_INFORMATION_CLASS, &[u64]),
    old: (FILE_INFORMATION_CLASS, &[u64]),
) -> Result<()> {
    let status = set_information(file, new.0, new.1)?;
    let is_unknown = matches!(
        status,
        STATUS_INVALID_PARAMETER
            | STATUS_INVALID_INFO_CLASS
            | STATUS_INVALID_DEVICE_REQUEST
            | STATUS_NOT_SUPPORTED
            | STATUS_NOT_IMPLEMENTED
    );
    check(if is_unknown { set_information(file, old.0, old.1)? } else { status })
}

fn set_information(
    file: BorrowedHandle<'_>,
    class: FILE_INFORMATION_CLASS,
    content: &[u64],
) -> Result<NTSTATUS> {
    let mut status_block = IO_STATUS_BLOCK::default();
    let len = u32::try_from(size_of_val(content)).map_err(|_| Errno::OVERFLOW)?;
    // SAFETY: `file` is open and synchronous; the call reads `len` bytes of `content`, which is
    // aligned for any of these structures. What they mean is up to the callers in this file.
    Ok(unsafe {
        NtSetInformationFile(
            file.as_raw_handle(),
            &raw mut status_block,
            content.as_ptr().cast::<c_void>(),
            len,
            class,
        )
    })
}

/// Deletes what `file` is open on with the right to: at once where the system can, else when its
/// last handle is closed.
pub(super) fn delete(file: BorrowedHandle<'_>) -> Result<()> {
    use windows_sys::Wdk::Storage::FileSystem::{
        FILE_DISPOSITION_DELETE, FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE,
        FILE_DISPOSITION_POSIX_SEMANTICS, FileDispositionInformation, FileDispositionInformationEx,
    };
    let flags = FILE_DISPOSITION_DELETE
        | FILE_DISPOSITION_POSIX_SEMANTICS
        | FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE;
    // The older structure is one boolean.
    change(
        file,
        (FileDispositionInformationEx, &[flags.into()]),
        (FileDispositionInformation, &[1]),
    )
}

/// Gives what `file` is open on the name `name` in `directory`.
pub(super) fn rename(
    file: BorrowedHandle<'_>,
    directory: BorrowedHandle<'_>,
    name: &[u16],
    replace: bool,
) -> Result<()> {
    use windows_sys::Wdk::Storage::FileSystem::{
        FILE_RENAME_IGNORE_READONLY_ATTRIBUTE, FILE_RENAME_POSIX_SEMANTICS,
        FILE_RENAME_REPLACE_IF_EXISTS, FileRenameInformation, FileRenameInformationEx,
    };
    let replace = if replace { FILE_RENAME_REPLACE_IF_EXISTS } else { 0 };
    let flags = replace | FILE_RENAME_POSIX_SEMANTICS | FILE_RENAME_IGNORE_READONLY_ATTRIBUTE;
    // The older structure has a boolean where the newer one has its flags.
    change(
        file,
        (FileRenameInformationEx, &rename_information(flags, directory, name)?),
        (FileRenameInformation, &rename_information(replace, directory, name)?),
    )
}

/// Gives the file that `file` is open on the further name `name` in `directory`.
pub(super) fn link(
    file: BorrowedHandle<'_>,
    directory: BorrowedHandle<'_>,
    name: &[u16],
) -> Result<()> {
    use windows_sys::Wdk::Storage::FileSystem::FileLinkInformation;
    // `FILE_LINK_INFORMATION` has the layout of the older structure for renaming.
    let content = rename_information(0, directory, name)?;
    check(set_information(file, FileLinkInformation, &content)?)
}

/// `FILE_RENAME_INFORMATION` with all of its name.
fn rename_information(flags: u32, directory: BorrowedHandle<'_>, name: &[u16]) -> Result<Vec<u64>> {
    const NAME: usize = offset_of!(FILE_RENAME_INFORMATION, FileName);
    const NAME_LEN: usize = offset_of!(FILE_RENAME_INFORMATION, FileNameLength);
    const DIRECTORY: usize = offset_of!(FILE_RENAME_INFORMATION, RootDirectory);
    let name: Vec<u8> = name.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let name_len = u32::try_from(name.len()).map_err(|_| Errno::NAMETOOLONG)?;
    let len = size_of::<FILE_RENAME_INFORMATION>().max(NAME + name.len());
    let mut bytes = vec![0; len.next_multiple_of(size_of::<u64>())];
    let mut put = |at: usize, content: &[u8]| {
        if let Some(place) = bytes.get_mut(at..at + content.len()) {
            place.copy_from_slice(content);
        }
    };
    put(0, &flags.to_le_bytes());
    put(DIRECTORY, &directory.as_raw_handle().expose_provenance().to_le_bytes());
    put(NAME_LEN, &name_len.to_le_bytes());
    put(NAME, &name);
    let (words, _) = bytes.as_chunks::<{ size_of::<u64>() }>();
    Ok(words.iter().copied().map(u64::from_le_bytes).collect())
}

fn check(status: NTSTATUS) -> Result<()> {
    match status {
        0.. => Ok(()),
        STATUS_DELETE_PENDING => Err(Errno::NOENT),
        STATUS_FILE_IS_A_DIRECTORY => Err(Errno::ISDIR),
        _ => {
            // SAFETY: the call takes a number and gives one.
            let code = unsafe { RtlNtStatusToDosError(status) };
            Err(Errno::from_code(code))
        }
    }
}

fn last_error() -> Errno {
    Errno::of(&std::io::Error::last_os_error())
}
