//! The one error type of storage: a kind with a stable code, and the system's reason beneath it.
//!
//! An error never carries a path of the host, so its text may be shown to a peer.

use std::{fmt, io};

use crate::sys;
use crate::sys::io::Errno;

/// The result of a storage operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, grouped by what a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing has that name, or the name is reserved.
    NotFound,
    /// The grant or the system refuses, or the name leads out of the root.
    NotPermitted,
    /// The name is taken and must not be replaced.
    Exists,
    /// A directory, where a file was needed.
    IsDirectory,
    /// Not a directory, where a directory was needed.
    NotDirectory,
    /// The directory still has entries.
    NotEmpty,
    /// A pipe, socket or device, where a regular file was needed.
    NotRegular,
    /// The name is malformed, too long, or reserved and can't be created.
    BadPath,
    /// The disk or the quota is full.
    NoSpace,
    /// Larger than the limit, than the announced length, or than the file system allows.
    TooLarge,
    /// The caller wanted no more.
    Cancelled,
    /// In use by another operation; the same call may succeed later.
    Busy,
    /// The file changed while it was read, or fewer bytes arrived than were announced.
    SourceChanged,
    /// The grant is past its end.
    Expired,
    /// The file system is mounted read-only.
    ReadOnlyStorage,
    /// The process or the system is out of file descriptors.
    TooManyOpen,
    /// The file system or the platform can't do this.
    Unsupported,
    /// Any other failure of the system; see the source of the error.
    Io,
}

impl ErrorKind {
    /// The stable code that all layers and the documentation use.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "E2EEFTP_NOT_FOUND",
            Self::NotPermitted => "E2EEFTP_NOT_PERMITTED",
            Self::Exists => "E2EEFTP_EXISTS",
            Self::IsDirectory => "E2EEFTP_IS_DIRECTORY",
            Self::NotDirectory => "E2EEFTP_NOT_DIRECTORY",
            Self::NotEmpty => "E2EEFTP_NOT_EMPTY",
            Self::NotRegular => "E2EEFTP_NOT_REGULAR",
            Self::BadPath => "E2EEFTP_BAD_PATH",
            Self::NoSpace => "E2EEFTP_NO_SPACE",
            Self::TooLarge => "E2EEFTP_TOO_LARGE",
            Self::Cancelled => "E2EEFTP_ABORTED",
            Self::Busy => "E2EEFTP_BUSY",
            Self::SourceChanged => "E2EEFTP_SOURCE_CHANGED",
            Self::Expired => "E2EEFTP_EXPIRED",
            Self::ReadOnlyStorage => "E2EEFTP_READ_ONLY",
            Self::TooManyOpen => "E2EEFTP_TOO_MANY_OPEN",
            Self::Unsupported => "E2EEFTP_UNSUPPORTED",
            Self::Io => "E2EEFTP_IO",
        }
    }

    fn from_errno(errno: Errno) -> Self {
        match errno {
            Errno::NOENT => Self::NotFound,
            Errno::ACCESS | Errno::PERM | Errno::XDEV | Errno::LOOP => Self::NotPermitted,
            Errno::EXIST => Self::Exists,
            Errno::ISDIR => Self::IsDirectory,
            Errno::NOTDIR => Self::NotDirectory,
            Errno::NOTEMPTY => Self::NotEmpty,
            Errno::NAMETOOLONG | Errno::ILSEQ => Self::BadPath,
            Errno::NOSPC | Errno::DQUOT => Self::NoSpace,
            Errno::FBIG | Errno::OVERFLOW => Self::TooLarge,
            Errno::BUSY | Errno::TXTBSY | Errno::AGAIN => Self::Busy,
            Errno::ROFS => Self::ReadOnlyStorage,
            Errno::MFILE | Errno::NFILE => Self::TooManyOpen,
            Errno::NOSYS | Errno::OPNOTSUPP => Self::Unsupported,
            _ => Self::Io,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such file or directory",
            Self::NotPermitted => "not permitted",
            Self::Exists => "already exists",
            Self::IsDirectory => "is a directory",
            Self::NotDirectory => "not a directory",
            Self::NotEmpty => "directory not empty",
            Self::NotRegular => "not a regular file",
            Self::BadPath => "bad path",
            Self::NoSpace => "no space left",
            Self::TooLarge => "too large",
            Self::Cancelled => "the operation was cancelled",
            Self::Busy => "in use",
            Self::SourceChanged => "the file changed while it was transferred",
            Self::Expired => "the grant has expired",
            Self::ReadOnlyStorage => "read-only storage",
            Self::TooManyOpen => "too many open files",
            Self::Unsupported => "not supported here",
            Self::Io => "input/output error",
        })
    }
}

/// A failed storage operation.
///
/// Its text is `operation: cause`, without any path; the source, if any, is the system's error.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    op: &'static str,
    source: Option<io::Error>,
    /// Of `NoSpace`, where known: bytes needed and bytes available.
    room: Option<(u64, u64)>,
}

impl Error {
    /// An error that this layer decided, without a failed system call.
    pub fn new(kind: ErrorKind, op: &'static str) -> Self {
        Self { kind, op, source: None, room: None }
    }

    pub(crate) fn from_errno(op: &'static str, errno: Errno) -> Self {
        Self { kind: ErrorKind::from_errno(errno), op, source: Some(errno.into()), room: None }
    }

    /// `NoSpace` before anything was written: `needed` bytes, of which `available` fit.
    pub(crate) fn no_room(op: &'static str, needed: u64, available: u64) -> Self {
        Self { kind: ErrorKind::NoSpace, op, source: None, room: Some((needed, available)) }
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The operation that failed, one word such as `open`.
    pub fn op(&self) -> &'static str {
        self.op
    }

    /// The stable code of [`Error::kind`].
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((needed, available)) = self.room {
            let (op, kind) = (self.op, self.kind);
            return write!(f, "{op}: {kind}: {needed} bytes needed, {available} available");
        }
        match (&self.source, self.kind) {
            (Some(source), ErrorKind::Io) => write!(f, "{}: {source}", self.op),
            _ => write!(f, "{}: {}", self.op, self.kind),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// Attaches the operation's name to a failed system call.
pub(crate) trait ErrnoExt<T> {
    fn during(self, op: &'static str) -> Result<T>;
}

impl<T> ErrnoExt<T> for sys::io::Result<T> {
    fn during(self, op: &'static str) -> Result<T> {
        self.map_err(|errno| Error::from_errno(op, errno))
    }
}
