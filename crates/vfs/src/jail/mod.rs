//! Name resolution that never leaves the root descriptor.
//!
//! Two ways give the same promise. `openat2` lets the kernel resolve the whole path and follows
//! links that stay beneath the root. The walk opens one component after another and refuses every
//! link. Neither ever passes a path with `..` or a leading slash to the system.

#[cfg(target_os = "linux")]
mod openat2;
mod walk;

use std::path::Path;

use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::metadata::FileType;
use crate::path::VPath;
use crate::sys::fs::{AtFlags, Mode, OFlags, Stat};
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, BorrowedFd, OwnedFd};

/// How a [`crate::LocalStorage`] resolves names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resolver {
    /// [`Resolver::Openat2`] where the system allows it, else [`Resolver::Walk`].
    #[default]
    Auto,
    /// The kernel resolves beneath the root (Linux 5.6); links that stay inside are followed.
    Openat2,
    /// One component at a time; every symbolic link is refused with `NotPermitted`.
    Walk,
}

/// A directory held only as a starting point for other calls.
#[cfg(any(target_os = "linux", windows))]
pub(crate) const ANCHOR: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// A directory held only as a starting point for other calls.
#[cfg(not(any(target_os = "linux", windows)))]
pub(crate) const ANCHOR: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);
/// A directory to be read or synchronised.
pub(crate) const READ_DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// A file to be read; neither a pipe nor a terminal can hold the caller up.
pub(crate) const READ_FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// The way that was found to work for a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    #[cfg(target_os = "linux")]
    Openat2,
    Walk,
}

impl Lookup {
    /// Opens `relative` beneath `base` without following any link or entering another mounted
    /// file system. `relative` has no leading slash, `.` is `base` itself.
    pub(crate) fn open_strict(
        self,
        base: BorrowedFd<'_>,
        relative: &[u8],
        flags: OFlags,
    ) -> sys::io::Result<OwnedFd> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Openat2 => openat2::open_strict(base, relative, flags),
            Self::Walk => walk::open_strict(base, relative, flags),
        }
    }

    /// Opens `relative` beneath `root`, following links that stay beneath it where that is possible.
    pub(crate) fn open_beneath(
        self,
        root: BorrowedFd<'_>,
        relative: &[u8],
        flags: OFlags,
    ) -> sys::io::Result<OwnedFd> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Openat2 => openat2::open(root, relative, flags),
            Self::Walk => walk::open(root, relative, flags),
        }
    }

    /// As [`Lookup::open_strict`], but other mounted file systems are entered.
    pub(crate) fn open_without_links(
        self,
        base: BorrowedFd<'_>,
        relative: &[u8],
        flags: OFlags,
    ) -> sys::io::Result<OwnedFd> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Openat2 => openat2::open_without_links(base, relative, flags),
            Self::Walk => walk::open(base, relative, flags),
        }
    }
}

/// A root directory and the way to resolve beneath it.
#[derive(Debug)]
pub(crate) struct Jail {
    root: OwnedFd,
    lookup: Lookup,
}

impl Jail {
    /// Opens the root by its path on the host; the last time that a host path is used.
    pub(crate) fn open(path: &Path, resolver: Resolver) -> Result<Self> {
        let root = sys::fs::open(path, ANCHOR, Mode::empty()).during("root")?;
        let lookup = choose(root.as_fd(), resolver)?;
        Ok(Self { root, lookup })
    }

    /// The jail whose root is the directory `path` of this one.
    pub(crate) fn enter(&self, path: &VPath) -> Result<Self> {
        Ok(Self { root: self.open_at(path, ANCHOR, "enter")?, lookup: self.lookup })
    }

    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    pub(crate) fn lookup(&self) -> Lookup {
        self.lookup
    }

    /// Whether links that stay inside are followed.
    pub(crate) fn follows_links(&self) -> bool {
        self.lookup != Lookup::Walk
    }

    /// Opens what `path` leads to. `flags` must not create.
    pub(crate) fn open_at(&self, path: &VPath, flags: OFlags, op: &'static str) -> Result<OwnedFd> {
        let relative = path.as_relative();
        self.lookup.open_beneath(self.root(), relative, flags).during(op)
    }

    /// The directory that holds `path`, and the last component; `None` for the root, which has
    /// no name.
    pub(crate) fn parent<'a>(
        &self,
        path: &'a VPath,
        op: &'static str,
    ) -> Result<Option<(OwnedFd, &'a [u8])>> {
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => Ok(Some((self.open_at(&parent, ANCHOR, op)?, name))),
            _ => Ok(None),
        }
    }

    /// The status of what `path` leads to.
    pub(crate) fn stat(&self, path: &VPath) -> Result<Stat> {
        #[cfg(target_os = "linux")]
        if self.lookup == Lookup::Openat2 {
            let found = self.open_at(path, OFlags::PATH | OFlags::CLOEXEC, "stat")?;
            return sys::fs::fstat(&found).during("stat");
        }
        let Some((directory, name)) = self.parent(path, "stat")? else {
            return sys::fs::fstat(&self.root).during("stat");
        };
        let stat = stat_name(directory.as_fd(), name).during("stat")?;
        if file_type(&stat) == FileType::Symlink {
            return Err(Error::from_errno("stat", Errno::LOOP));
        }
        Ok(stat)
    }
}

/// The status of the name itself, a link not followed.
pub(crate) fn stat_name(directory: BorrowedFd<'_>, name: &[u8]) -> sys::io::Result<Stat> {
    sys::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// The type that a status tells.
#[allow(
    clippy::unnecessary_cast,
    trivial_numeric_casts,
    reason = "the width of `st_mode` differs between platforms"
)]
pub(crate) fn file_type(stat: &Stat) -> FileType {
    FileType::from_mode(stat.st_mode as sys::fs::RawMode)
}

#[cfg(target_os = "linux")]
fn choose(root: BorrowedFd<'_>, resolver: Resolver) -> Result<Lookup> {
    if resolver == Resolver::Walk {
        return Ok(Lookup::Walk);
    }
    match openat2::open(root, b".", ANCHOR) {
        Ok(_) => Ok(Lookup::Openat2),
        // ENOSYS: older kernel; EPERM: a seccomp filter; EINVAL: a kernel without these flags.
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => match resolver {
            Resolver::Auto => Ok(Lookup::Walk),
            _ => Err(Error::new(ErrorKind::Unsupported, "root")),
        },
        Err(errno) => Err(Error::from_errno("root", errno)),
    }
}

#[cfg(not(target_os = "linux"))]
fn choose(_root: BorrowedFd<'_>, resolver: Resolver) -> Result<Lookup> {
    match resolver {
        Resolver::Auto | Resolver::Walk => Ok(Lookup::Walk),
        Resolver::Openat2 => Err(Error::new(ErrorKind::Unsupported, "root")),
    }
}
