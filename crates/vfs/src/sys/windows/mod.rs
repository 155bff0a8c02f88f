//! Windows: the calls of POSIX that storage is written with, made of handles.
//!
//! `NtCreateFile` opens one name in an open directory, and is told never to follow a reparse
//! point (a symbolic link, a junction, a mounted volume). What is found at a name is refused when
//! it is one. The kernel takes such names as they are: it knows neither `..` nor drives nor
//! devices in them. Only the user's own paths, on the client side, are opened by [`fs::open`] as
//! other programs do.
//!
//! What Windows does not have: permission bits (see [`stat`]), ownership, pipes in the tree, and
//! links that anybody may make; links are neither followed nor copied.
//!
//! `unsafe` is in [`native`] only.

mod directory;
mod errno;
mod flags;
mod native;
mod open;
mod remove;
mod rename;
mod stat;
mod transfer;

pub(crate) use std::os::windows::io::{BorrowedHandle as BorrowedFd, OwnedHandle as OwnedFd};

use std::os::windows::io::AsHandle;

pub(crate) use open::{open_parent, path_from_bytes};
pub(crate) use stat::{is_own, is_private};

/// The calls on files and directories.
pub(crate) mod fs {
    pub(crate) use super::directory::Dir;
    pub(crate) use super::flags::{
        AtFlags, FileType, FlockOperation, Mode, OFlags, RawMode, RenameFlags, Timespec,
        Timestamps, UTIME_OMIT,
    };
    pub(crate) use super::open::{fcntl_getfl, fcntl_setfl, mkdirat, open, openat};
    pub(crate) use super::remove::unlinkat;
    pub(crate) use super::rename::{linkat, readlinkat, renameat, renameat_with, symlinkat};
    pub(crate) use super::stat::{Stat, StatVfs, fstat, fstatvfs, stat, statat};
    pub(crate) use super::transfer::{
        fchmod, fdatasync, flock, fsync, ftruncate, futimens, utimensat,
    };
}

/// The calls on open files.
pub(crate) mod io {
    pub(crate) use super::errno::Errno;
    pub(crate) use super::open::fcntl_dupfd_cloexec;
    pub(crate) use super::transfer::{pread, pwrite, retry_on_intr};

    /// The result of a call.
    pub(crate) type Result<T> = std::result::Result<T, Errno>;
}

/// Whatever holds a handle.
pub(crate) trait AsFd {
    /// Lends the handle.
    fn as_fd(&self) -> BorrowedFd<'_>;
}

impl<T: AsHandle> AsFd for T {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.as_handle()
    }
}
