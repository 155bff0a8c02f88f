//! Renaming within one storage: one atomic step between two directories that were resolved inside
//! the root. The name itself is moved; a symbolic link is never followed.

use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{Jail, file_type, stat_name};
use crate::metadata::FileType;
use crate::path::VPath;
use crate::staging::{open_for_sync, sync_directory};
use crate::storage::{Durability, Overwrite};
use crate::sys::fs::{AtFlags, Mode, Stat};
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, BorrowedFd, OwnedFd};

const OP: &str = "move";

/// How a name is moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenameOptions {
    /// Whether the new name may be taken, by something that is no directory.
    pub overwrite: Overwrite,
    /// With [`Durability::Directory`], both names are on the disk before the call returns.
    pub durability: Durability,
}

/// See [`crate::Storage::rename`].
pub(crate) fn rename(jail: &Jail, from: &VPath, to: &VPath, options: &RenameOptions) -> Result<()> {
    let Some((from_directory, from_name)) = jail.parent(from, OP)? else {
        return Err(Error::new(ErrorKind::NotPermitted, OP));
    };
    let Some((to_directory, to_name)) = jail.parent(to, OP)? else {
        return Err(Error::new(ErrorKind::IsDirectory, OP));
    };
    let source = stat_name(from_directory.as_fd(), from_name).during(OP)?;
    let is_same_name =
        from_name == to_name && is_same_directory(from_directory.as_fd(), to_directory.as_fd())?;
    if is_same_name {
        return Err(Error::new(ErrorKind::Exists, OP));
    }
    check_target(&source, to_directory.as_fd(), to_name, options.overwrite)?;
    // Opened first, so that a directory that can't be synchronised fails before the rename.
    let to_sync = match options.durability {
        Durability::Directory => Some(open_both(&from_directory, &to_directory)?),
        Durability::None | Durability::File => None,
    };
    let (from_directory, to_directory) = (from_directory.as_fd(), to_directory.as_fd());
    match options.overwrite {
        Overwrite::Replace => sys::fs::renameat(from_directory, from_name, to_directory, to_name),
        Overwrite::Refuse => {
            let is_directory = file_type(&source) == FileType::Directory;
            refusing(from_directory, from_name, to_directory, to_name, is_directory)
        }
    }
    .map_err(|errno| match errno {
        // A directory can't go into itself.
        Errno::INVAL => Error::new(ErrorKind::BadPath, OP),
        // Another file system: that would be a copy, and a copy is no single step.
        Errno::XDEV => Error::new(ErrorKind::Unsupported, OP),
        errno => Error::from_errno(OP, errno),
    })?;
    if let Some((from_directory, to_directory)) = to_sync {
        sync_directory(to_directory.as_fd())?;
        sync_directory(from_directory.as_fd())?;
    }
    Ok(())
}

/// Renames unless the new name is taken (`EEXIST`), in one step also where the file system does
/// not know how to.
pub(crate) fn refusing(
    from_directory: BorrowedFd<'_>,
    from: &[u8],
    to_directory: BorrowedFd<'_>,
    to: &[u8],
    is_directory: bool,
) -> sys::io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple", windows))]
    match sys::fs::renameat_with(
        from_directory,
        from,
        to_directory,
        to,
        sys::fs::RenameFlags::NOREPLACE,
    ) {
        // File systems and kernels that don't know the flag; `EINVAL` is also the answer to a
        // directory that is to go into itself, and stays that below.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        result => return result,
    }
    if is_directory {
        over_own_directory(from_directory, from, to_directory, to)
    } else {
        by_link(from_directory, from, to_directory, to)
    }
}

/// Moves what is no directory by giving it a second name, which fails if that is taken.
fn by_link(
    from_directory: BorrowedFd<'_>,
    from: &[u8],
    to_directory: BorrowedFd<'_>,
    to: &[u8],
) -> sys::io::Result<()> {
    sys::fs::linkat(from_directory, from, to_directory, to, AtFlags::empty())?;
    sys::fs::unlinkat(from_directory, from, AtFlags::empty())
}

/// Moves a directory over an empty one that was just made, which fails if the name is taken. If
/// somebody puts something into that one meanwhile, it stays (`ENOTEMPTY`).
fn over_own_directory(
    from_directory: BorrowedFd<'_>,
    from: &[u8],
    to_directory: BorrowedFd<'_>,
    to: &[u8],
) -> sys::io::Result<()> {
    sys::fs::mkdirat(to_directory, to, Mode::RWXU)?;
    let renamed = sys::fs::renameat(from_directory, from, to_directory, to);
    if renamed.is_err() {
        // Not empty any more: then it is no longer ours.
        let _ = sys::fs::unlinkat(to_directory, to, AtFlags::REMOVEDIR);
    }
    renamed
}

/// Refuses a target that must not be replaced, or could not be. What changes after this check is
/// up to the rename, which replaces no directory that has entries and nothing by another type.
fn check_target(
    source: &Stat,
    directory: BorrowedFd<'_>,
    name: &[u8],
    overwrite: Overwrite,
) -> Result<()> {
    let target = match stat_name(directory, name) {
        Ok(target) => target,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(Error::from_errno(OP, errno)),
    };
    let is_same_file = identity(source) == identity(&target);
    let kind = match (file_type(&target), overwrite) {
        // Two names of one file: a rename would do nothing and call that a success.
        (FileType::File, _) if is_same_file && target.st_nlink > 1 => ErrorKind::Exists,
        // The same entry by another spelling, on a file system that ignores letter case.
        _ if is_same_file => return Ok(()),
        (FileType::Directory, _) => ErrorKind::IsDirectory,
        (_, Overwrite::Refuse) => ErrorKind::Exists,
        (FileType::Other, Overwrite::Replace) => ErrorKind::NotRegular,
        (FileType::File | FileType::Symlink, Overwrite::Replace)
            if file_type(source) == FileType::Directory =>
        {
            ErrorKind::NotDirectory
        }
        (FileType::File | FileType::Symlink, Overwrite::Replace) => return Ok(()),
    };
    Err(Error::new(kind, OP))
}

fn is_same_directory(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> Result<bool> {
    let (one, other) = (sys::fs::fstat(one).during(OP)?, sys::fs::fstat(other).during(OP)?);
    Ok(identity(&one) == identity(&other))
}

/// What makes two descriptors or names the same file: device and inode.
#[allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    trivial_numeric_casts,
    reason = "the types of `st_dev` and `st_ino` differ between platforms"
)]
pub(crate) fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

fn open_both(from: &OwnedFd, to: &OwnedFd) -> Result<(OwnedFd, OwnedFd)> {
    Ok((open_for_sync(from.as_fd())?, open_for_sync(to.as_fd())?))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;

    use super::*;

    fn descriptor(path: &std::path::Path) -> OwnedFd {
        OwnedFd::from(fs::File::open(path).unwrap())
    }

    #[test]
    fn without_the_flag_a_file_moves_by_its_link_and_replaces_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let fd = descriptor(directory.path());
        let path = |name: &str| directory.path().join(name);
        fs::write(path("a"), b"a").unwrap();
        fs::write(path("b"), b"b").unwrap();
        std::os::unix::fs::symlink("nowhere", path("link")).unwrap();
        assert_eq!(by_link(fd.as_fd(), b"a", fd.as_fd(), b"b"), Err(Errno::EXIST));
        assert_eq!(by_link(fd.as_fd(), b"a", fd.as_fd(), b"link"), Err(Errno::EXIST));
        by_link(fd.as_fd(), b"a", fd.as_fd(), b"c").unwrap();
        by_link(fd.as_fd(), b"link", fd.as_fd(), b"moved").unwrap();
        assert_eq!(
            (fs::read(path("b")).unwrap(), fs::read(path("c")).unwrap()),
            (b"b".into(), b"a".into())
        );
        assert_eq!(fs::read_link(path("moved")).unwrap(), std::path::Path::new("nowhere"));
        assert!(!path("a").exists() && fs::symlink_metadata(path("link")).is_err());
    }

    #[test]
    fn without_the_flag_a_directory_moves_over_its_own_and_replaces_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let fd = descriptor(directory.path());
        let path = |name: &str| directory.path().join(name);
        fs::create_dir_all(path("a/inside")).unwrap();
        fs::create_dir(path("empty")).unwrap();
        fs::write(path("file"), b"").unwrap();
        for taken in [&b"empty"[..], b"file"] {
            let refused = over_own_directory(fd.as_fd(), b"a", fd.as_fd(), taken);
            assert_eq!(refused, Err(Errno::EXIST));
        }
        let inside = descriptor(&path("a/inside"));
        let into_itself = over_own_directory(fd.as_fd(), b"a", inside.as_fd(), b"a");
        assert_eq!(into_itself, Err(Errno::INVAL));
        assert!(!path("a/inside/a").exists(), "the directory made for it is gone again");
        over_own_directory(fd.as_fd(), b"a", fd.as_fd(), b"b").unwrap();
        assert!(path("b/inside").is_dir() && !path("a").exists());
    }
}
