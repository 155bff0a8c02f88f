//! Errors of the system under the names that storage tells them apart by.

use std::io;

use windows_sys::Win32::Foundation as code;

/// A Win32 error code. Several codes that mean the same are one of the constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(u32);

/// Names for one code each; no two are the same.
macro_rules! names {
    ($($name:ident = $code:ident,)+) => {
        #[allow(dead_code, reason = "the names that storage uses on some platform")]
        impl Errno {
            $(pub(crate) const $name: Self = Self(code::$code);)+
        }
    };
}

names! {
    NOENT = ERROR_FILE_NOT_FOUND,
    ACCESS = ERROR_ACCESS_DENIED,
    PERM = ERROR_PRIVILEGE_NOT_HELD,
    XDEV = ERROR_NOT_SAME_DEVICE,
    LOOP = ERROR_STOPPED_ON_SYMLINK,
    MLINK = ERROR_TOO_MANY_LINKS,
    EXIST = ERROR_ALREADY_EXISTS,
    ISDIR = ERROR_DIRECTORY_NOT_SUPPORTED,
    NOTDIR = ERROR_DIRECTORY,
    NOTEMPTY = ERROR_DIR_NOT_EMPTY,
    NAMETOOLONG = ERROR_FILENAME_EXCED_RANGE,
    ILSEQ = ERROR_INVALID_NAME,
    NOSPC = ERROR_DISK_FULL,
    DQUOT = ERROR_DISK_QUOTA_EXCEEDED,
    FBIG = ERROR_FILE_TOO_LARGE,
    OVERFLOW = ERROR_ARITHMETIC_OVERFLOW,
    BUSY = ERROR_BUSY,
    TXTBSY = ERROR_SHARING_VIOLATION,
    AGAIN = ERROR_LOCK_VIOLATION,
    ROFS = ERROR_WRITE_PROTECT,
    MFILE = ERROR_TOO_MANY_OPEN_FILES,
    NFILE = ERROR_NO_SYSTEM_RESOURCES,
    NOSYS = ERROR_CALL_NOT_IMPLEMENTED,
    OPNOTSUPP = ERROR_NOT_SUPPORTED,
    INVAL = ERROR_INVALID_PARAMETER,
    BADF = ERROR_INVALID_HANDLE,
    IO = ERROR_IO_DEVICE,
    NXIO = ERROR_DEV_NOT_EXIST,
    NODEV = ERROR_BAD_UNIT,
    NOLCK = ERROR_SHARING_BUFFER_EXCEEDED,
    INTR = ERROR_OPERATION_ABORTED,
}

impl Errno {
    /// What `flock` answers when somebody else has the lock.
    pub(crate) const WOULDBLOCK: Self = Self::AGAIN;

    /// The error of a Win32 call.
    pub(super) fn from_code(error: u32) -> Self {
        match error {
            code::ERROR_PATH_NOT_FOUND | code::ERROR_DELETE_PENDING => Self::NOENT,
            code::ERROR_FILE_EXISTS => Self::EXIST,
            code::ERROR_HANDLE_DISK_FULL => Self::NOSPC,
            code::ERROR_BAD_PATHNAME | code::ERROR_NO_UNICODE_TRANSLATION => Self::ILSEQ,
            code::ERROR_CANT_ACCESS_FILE | code::ERROR_CANT_RESOLVE_FILENAME => Self::LOOP,
            code::ERROR_INVALID_FUNCTION => Self::OPNOTSUPP,
            other => Self(other),
        }
    }

    /// The error of a call of the standard library, if it comes from the system.
    pub(crate) fn from_io_error(error: &io::Error) -> Option<Self> {
        let code = error.raw_os_error()?;
        Some(Self::from_code(code.cast_unsigned()))
    }

    /// As [`Self::from_io_error`]; what does not come from the system is `IO`.
    pub(super) fn of(error: &io::Error) -> Self {
        Self::from_io_error(error).unwrap_or(Self::IO)
    }
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.0.cast_signed())
    }
}
