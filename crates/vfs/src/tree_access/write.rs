//! Writing a tree, under a grant.

use std::time::SystemTime;

use super::content::{Attributes, check_replaceable, replace_by, set_modified, store, timestamps};
use super::{NameIter, OpenFile, TreeDir, TreeStat, reopen};
use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{Lookup, READ_DIRECTORY, READ_FILE, file_type, stat_name};
use crate::metadata::FileType;
use crate::mode::final_mode;
use crate::remove::remove_tree;
use crate::staging::{open_for_sync, sync_directory};
use crate::staging_name::is_reserved;
use crate::storage::{Durability, Overwrite};
use crate::sys::fs::{AtFlags, Mode, OFlags, RawMode};
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, BorrowedFd, OwnedFd};
use crate::view::Grant;

/// How a tree is written.
#[derive(Clone, Debug, Default)]
pub struct TreeWriteOptions {
    /// Whether files, links and attributes of what is there may be replaced.
    pub overwrite: Overwrite,
    /// Whether names may be removed.
    pub delete: bool,
    /// Whether symbolic links may lead out of the storage.
    pub any_links: bool,
    /// Look, and change nothing.
    pub dry_run: bool,
}

/// A directory of the tree that is written.
#[derive(Debug)]
pub struct Entered {
    /// `None` in a dry run for a directory that would have been made.
    pub directory: Option<TreeDir>,
    /// Whether it was made just now, or would have been.
    pub is_new: bool,
}

/// A tree to be written. It enforces its grant at each call.
#[derive(Debug)]
pub struct TreeWriter {
    /// `None` in a dry run into nothing.
    top: Option<OwnedFd>,
    /// Whether the top was made by this transfer.
    is_new: bool,
    /// Components of the top below the root of the storage.
    top_depth: usize,
    lookup: Lookup,
    grant: Grant,
    options: TreeWriteOptions,
}

impl TreeWriter {
    pub(crate) fn new(
        top: Option<OwnedFd>,
        is_new: bool,
        top_depth: usize,
        lookup: Lookup,
        grant: Grant,
        options: &TreeWriteOptions,
    ) -> Self {
        Self { top, is_new, top_depth, lookup, grant, options: options.clone() }
    }

    /// Whether nothing is changed.
    pub fn is_dry_run(&self) -> bool {
        self.options.dry_run
    }

    /// Whether the peer may learn what is there: without, everything has to be sent.
    pub fn may_compare(&self) -> bool {
        self.grant.list || self.grant.read
    }

    /// Whether names are removed that the source does not have.
    pub fn deletes(&self) -> bool {
        self.options.delete
    }

    /// Whether what is there may be replaced.
    pub fn replaces(&self) -> bool {
        self.options.overwrite == Overwrite::Replace
    }

    /// The top of the tree.
    ///
    /// # Errors
    /// `Expired` and others.
    pub fn top(&self) -> Result<Entered> {
        self.check()?;
        let Some(top) = &self.top else { return Ok(Entered { directory: None, is_new: true }) };
        let file = sys::fs::openat(top, c".", READ_DIRECTORY, Mode::empty()).during("open")?;
        Ok(Entered { directory: Some(TreeDir::new(file)?), is_new: self.is_new })
    }

    /// Opens a directory again that was closed meanwhile; `path` is from the top.
    ///
    /// # Errors
    /// `SourceChanged` when another one has its name; `NotFound` and others.
    pub fn reopen(&self, path: &[u8], identity: (u64, u64)) -> Result<TreeDir> {
        let top = self.top.as_ref().ok_or_else(|| Error::new(ErrorKind::NotFound, "open"))?;
        reopen(self.lookup, top.as_fd(), path, identity, READ_DIRECTORY)
    }

    /// Opens the directory `name`, after making it if it is missing. One that is made permits
    /// only its owner until [`TreeWriter::finish_directory`].
    ///
    /// # Errors
    /// `NotDirectory` when something else has the name and must not be removed; `NotPermitted` and
    /// others.
    pub fn enter(&self, directory: Option<&TreeDir>, name: &[u8]) -> Result<Entered> {
        self.check_name(name)?;
        let missing = Entered { directory: None, is_new: true };
        let Some(directory) = directory else { return Ok(missing) };
        match self.open_directory(directory, name) {
            Ok(found) => return Ok(Entered { directory: Some(found), is_new: false }),
            Err(error) => match error.kind() {
                ErrorKind::NotFound => {}
                ErrorKind::NotDirectory | ErrorKind::NotPermitted => {
                    self.clear(directory, name, error)?;
                }
                _ => return Err(error),
            },
        }
        if self.options.dry_run {
            return Ok(missing);
        }
        let is_new = match sys::fs::mkdirat(directory.as_fd(), name, Mode::RWXU) {
            Ok(()) => true,
            // Somebody else was faster.
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(Error::from_errno("mkdir", errno)),
        };
        Ok(Entered { directory: Some(self.open_directory(directory, name)?), is_new })
    }

    fn open_directory(&self, directory: &TreeDir, name: &[u8]) -> Result<TreeDir> {
        let opened = self.lookup.open_without_links(directory.as_fd(), name, READ_DIRECTORY);
        TreeDir::new(opened.during("mkdir")?)
    }

    /// What has the name, if anything. Only for comparing: see [`TreeWriter::may_compare`].
    ///
    /// # Errors
    /// `NotPermitted` when the grant does not let the peer look.
    pub fn look(&self, directory: Option<&TreeDir>, name: &[u8]) -> Result<Option<TreeStat>> {
        self.check_name(name)?;
        if !self.may_compare() {
            return Err(Error::new(ErrorKind::NotPermitted, "stat"));
        }
        let Some(directory) = directory else { return Ok(None) };
        match stat_name(directory.as_fd(), name) {
            Ok(stat) => Ok(Some(TreeStat::new(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::from_errno("stat", errno)),
        }
    }

    /// Opens what is there for comparing contents.
    ///
    /// # Errors
    /// `NotRegular`, `NotPermitted` and others.
    pub fn open_file(&self, directory: &TreeDir, name: &[u8]) -> Result<OpenFile> {
        if !self.may_compare() {
            return Err(Error::new(ErrorKind::NotPermitted, "open"));
        }
        OpenFile::open(directory, name)
    }

    /// Refuses a file that is too large for the grant.
    ///
    /// # Errors
    /// `TooLarge`, `BadPath` for a reserved name, `Expired`.
    pub fn check_file(&self, name: &[u8], len: u64) -> Result<()> {
        self.check_name(name)?;
        if self.grant.max_size.is_some_and(|max| len > max) {
            return Err(Error::new(ErrorKind::TooLarge, "store"));
        }
        Ok(())
    }

    /// Stores a small file, whole or not at all. Without a time the file has that of its arrival.
    ///
    /// # Errors
    /// As [`TreeWriter::check_file`]; `Exists` when the name is taken and must not be replaced,
    /// `IsDirectory`, `NotRegular`, `NoSpace`, `Io` and others.
    pub fn store(
        &self,
        directory: &TreeDir,
        name: &[u8],
        content: &[u8],
        mode: Option<u32>,
        modified: Option<(i64, u32)>,
    ) -> Result<()> {
        self.check_file(name, content.len() as u64)?;
        self.check_wet()?;
        store(directory, name, content, Attributes { mode, modified }, self.replaces())
    }

    /// Removes what has the name of something of another type, where names may be removed at all.
    ///
    /// # Errors
    /// `otherwise` when they may not.
    pub fn clear(&self, directory: &TreeDir, name: &[u8], otherwise: Error) -> Result<()> {
        if !(self.options.delete && self.replaces()) {
            return Err(otherwise);
        }
        self.remove(directory, name)
    }

    /// Makes a symbolic link; `depth` is how many directories of the tree are above it. Whether
    /// anything was changed.
    ///
    /// # Errors
    /// `NotPermitted` for a target that leads out of the storage; as [`TreeWriter::store`].
    pub fn symlink(
        &self,
        directory: Option<&TreeDir>,
        name: &[u8],
        target: &[u8],
        depth: usize,
        modified: Option<(i64, u32)>,
    ) -> Result<bool> {
        self.check_name(name)?;
        if !self.options.any_links && !stays_inside(target, self.top_depth + depth) {
            return Err(Error::new(ErrorKind::NotPermitted, "symlink"));
        }
        let Some(directory) = directory else { return Ok(true) };
        let fd = directory.as_fd();
        if self.may_compare()
            && sys::fs::readlinkat(fd, name, Vec::new())
                .is_ok_and(|found| found.as_bytes() == target)
        {
            return Ok(false);
        }
        if self.options.dry_run {
            return Ok(true);
        }
        match sys::fs::symlinkat(target, fd, name) {
            Ok(()) => {}
            Err(Errno::EXIST) if self.replaces() => {
                if let Err(error) = check_replaceable(fd, name) {
                    self.clear(directory, name, error)?;
                }
                replace_by(fd, name, |staged| sys::fs::symlinkat(target, fd, staged))?;
            }
            Err(errno) => return Err(Error::from_errno("symlink", errno)),
        }
        if let Some(modified) = modified {
            // Not every file system keeps times of links.
            let times = timestamps(modified);
            let _ = sys::fs::utimensat(fd, name, &times, AtFlags::SYMLINK_NOFOLLOW);
        }
        Ok(true)
    }

    /// Gives the file `from` (its directory, name and identity) the further name `to`. Whether
    /// anything was changed.
    ///
    /// # Errors
    /// `SourceChanged` when `from` is another file meanwhile; as [`TreeWriter::store`].
    pub fn hard_link(
        &self,
        from: (&TreeDir, &[u8], (u64, u64)),
        to: (&TreeDir, &[u8]),
    ) -> Result<bool> {
        self.check_name(from.1)?;
        self.check_name(to.1)?;
        let (from_fd, to_fd) = (from.0.as_fd(), to.0.as_fd());
        let found = TreeStat::new(&stat_name(from_fd, from.1).during("link")?);
        if found.file_type != FileType::File || found.identity != from.2 {
            return Err(Error::new(ErrorKind::SourceChanged, "link"));
        }
        let there = stat_name(to_fd, to.1).map(|stat| TreeStat::new(&stat).identity);
        if there == Ok(from.2) {
            return Ok(false);
        }
        if self.options.dry_run {
            return Ok(true);
        }
        match sys::fs::linkat(from_fd, from.1, to_fd, to.1, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) if self.replaces() => {
                if let Err(error) = check_replaceable(to_fd, to.1) {
                    self.clear(to.0, to.1, error)?;
                }
                replace_by(to_fd, to.1, |staged| {
                    sys::fs::linkat(from_fd, from.1, to_fd, staged, AtFlags::empty())
                })?;
                Ok(true)
            }
            Err(errno) => Err(Error::from_errno("link", errno)),
        }
    }

    /// Gives a file that is there other attributes, if that is permitted; `None` leaves one.
    ///
    /// # Errors
    /// `NotPermitted` and others.
    pub fn set_attributes(
        &self,
        directory: &TreeDir,
        name: &[u8],
        mode: Option<u32>,
        modified: Option<(i64, u32)>,
    ) -> Result<()> {
        self.check_name(name)?;
        if !self.replaces() || self.options.dry_run {
            return Ok(());
        }
        let flags = READ_FILE | OFlags::NOFOLLOW;
        let file = sys::fs::openat(directory.as_fd(), name, flags, Mode::empty()).during("open")?;
        if file_type(&sys::fs::fstat(&file).during("open")?) != FileType::File {
            return Err(Error::new(ErrorKind::NotRegular, "open"));
        }
        if mode.is_some() {
            sys::fs::fchmod(&file, final_mode(mode)).during("chmod")?;
        }
        modified.map_or(Ok(()), |modified| set_modified(file.as_fd(), modified))
    }

    /// Gives a directory its attributes, after everything in it is done. Those of a directory that
    /// was there stay where nothing may be replaced.
    ///
    /// # Errors
    /// `NotPermitted` and others.
    pub fn finish_directory(
        &self,
        directory: &TreeDir,
        is_new: bool,
        mode: Option<u32>,
        modified: Option<(i64, u32)>,
    ) -> Result<()> {
        if self.options.dry_run || !(is_new || self.replaces()) {
            return Ok(());
        }
        let stat = TreeStat::new(&sys::fs::fstat(directory.as_fd()).during("stat")?);
        let bits = match mode {
            Some(mode) => Some(mode & 0o777),
            None => is_new.then(|| 0o777 & !crate::mode::umask()),
        };
        if let Some(bits) = bits.filter(|bits| *bits != stat.mode & 0o777) {
            // Set-group-id and the like of a directory that was there stay.
            let kept = stat.mode & 0o7000;
            let raw = RawMode::try_from(bits | kept).unwrap_or(0o700);
            sys::fs::fchmod(directory.as_fd(), Mode::from_raw_mode(raw)).during("chmod")?;
        }
        match modified {
            Some(modified) if modified != stat.modified => {
                set_modified(directory.as_fd(), modified)
            }
            _ => Ok(()),
        }
    }

    /// The names of a directory, for finding those that the source does not have.
    ///
    /// # Errors
    /// `NotPermitted` where nothing may be removed.
    pub fn names(&self, directory: &TreeDir) -> Result<NameIter> {
        self.check()?;
        if !self.options.delete {
            return Err(Error::new(ErrorKind::NotPermitted, "list"));
        }
        NameIter::of(directory)
    }

    /// Opens a directory in one that is being cleaned; it is not made.
    ///
    /// # Errors
    /// As [`TreeWriter::names`], and `NotFound`.
    pub fn open_directory_in(&self, directory: &TreeDir, name: &[u8]) -> Result<TreeDir> {
        self.check_name(name)?;
        if !self.options.delete {
            return Err(Error::new(ErrorKind::NotPermitted, "list"));
        }
        self.open_directory(directory, name)
    }

    /// Removes a name of any type, a directory with all that is in it. In a dry run nothing.
    ///
    /// # Errors
    /// `NotPermitted` where nothing may be removed; `Busy` when a staged file in it is being
    /// written.
    pub fn remove(&self, directory: &TreeDir, name: &[u8]) -> Result<()> {
        self.check_name(name)?;
        if !self.options.delete {
            return Err(Error::new(ErrorKind::NotPermitted, "remove"));
        }
        if self.options.dry_run {
            return Ok(());
        }
        let fd = directory.as_fd();
        let stat = stat_name(fd, name).during("remove")?;
        if file_type(&stat) == FileType::Directory {
            remove_tree(self.lookup, fd, name)
        } else {
            sys::fs::unlinkat(fd, name, AtFlags::empty()).during("remove")
        }
    }

    /// Makes everything that was stored durable.
    ///
    /// # Errors
    /// Those of writing to the disk: nothing may be acknowledged then.
    pub fn sync(&self, durability: Durability) -> Result<()> {
        let Some(top) = self.top.as_ref().filter(|_| !self.options.dry_run) else { return Ok(()) };
        match durability {
            Durability::None => Ok(()),
            // One call for any number of files, their directories included.
            Durability::File | Durability::Directory => sync_file_system(top.as_fd()),
        }
    }

    fn check_wet(&self) -> Result<()> {
        if self.options.dry_run {
            return Err(Error::new(ErrorKind::NotPermitted, "store"));
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if self.grant.expires_at.is_some_and(|end| SystemTime::now() >= end) {
            return Err(Error::new(ErrorKind::Expired, "store"));
        }
        Ok(())
    }

    fn check_name(&self, name: &[u8]) -> Result<()> {
        let is_name = !name.is_empty()
            && name.len() <= crate::VPath::MAX_COMPONENT_LEN
            && !matches!(name, b"." | b"..")
            && !name.iter().any(|byte| matches!(byte, b'/' | 0));
        if !is_name || is_reserved(name) || !sys::can_name(name) {
            return Err(Error::new(ErrorKind::BadPath, "store"));
        }
        self.check()
    }
}

impl OpenFile {
    fn open(directory: &TreeDir, name: &[u8]) -> Result<Self> {
        let flags = READ_FILE | OFlags::NOFOLLOW;
        let file = sys::fs::openat(directory.as_fd(), name, flags, Mode::empty());
        Self::from_file(file.during("open")?)
    }
}

/// Whether a link `depth` directories below the root, taken as text, leads to something in it.
fn stays_inside(target: &[u8], depth: usize) -> bool {
    if target.first() == Some(&b'/') {
        return false;
    }
    let mut depth = depth;
    for component in target.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." if depth == 0 => return false,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

#[cfg(target_os = "linux")]
fn sync_file_system(top: BorrowedFd<'_>) -> Result<()> {
    let directory = open_for_sync(top)?;
    sys::io::retry_on_intr(|| sys::fs::syncfs(&directory)).during("sync")?;
    sync_directory(directory.as_fd())
}

/// Each file was made durable when it was stored; this is for their names.
#[cfg(windows)]
fn sync_file_system(top: BorrowedFd<'_>) -> Result<()> {
    sync_directory(open_for_sync(top)?.as_fd())
}

#[cfg(not(any(target_os = "linux", windows)))]
fn sync_file_system(top: BorrowedFd<'_>) -> Result<()> {
    // Without a call for one file system: all of them, started here and waited for by the system.
    sys::fs::sync();
    sync_directory(open_for_sync(top)?.as_fd())
}

#[cfg(test)]
mod tests {
    use super::stays_inside;

    #[test]
    fn targets_are_judged_by_their_text() {
        for (target, depth, expected) in [
            (&b"a"[..], 0, true),
            (b"..", 0, false),
            (b"..", 1, true),
            (b"a/../..", 0, false),
            (b"a/../../b", 1, true),
            (b"../../b", 1, false),
            (b"/a", 5, false),
            (b"./././a", 0, true),
        ] {
            assert_eq!(stays_inside(target, depth), expected, "{target:?} at {depth}");
        }
    }
}
