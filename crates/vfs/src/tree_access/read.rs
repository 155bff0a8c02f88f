//! Reading a tree.

use std::fmt;

use super::{TreeDir, TreeStat, readable, reopen};
use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{ANCHOR, Jail, Lookup, READ_DIRECTORY, READ_FILE, file_type, stat_name};
use crate::list::next_name;
use crate::metadata::FileType;
use crate::path::VPath;
use crate::sys::fs::{AtFlags, Dir, Mode, OFlags};
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, OwnedFd};

/// What becomes of symbolic links when a tree is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkPolicy {
    /// They are links.
    #[default]
    AsLinks,
    /// They are what they lead to, as far as that is in the storage.
    FollowBeneath,
    /// They are what they lead to, wherever that is: for the user's own trees.
    FollowAnywhere,
}

/// A tree to be read. Staged files are not part of it.
#[derive(Debug)]
pub struct TreeReader {
    top: OwnedFd,
    /// What links may lead into, and where the top is beneath it.
    jail_root: OwnedFd,
    top_path: Vec<u8>,
    lookup: Lookup,
    links: LinkPolicy,
}

impl TreeReader {
    /// Opens the directory `path` of `jail`; links on the way to it are followed inside the jail.
    pub(crate) fn open(jail: &Jail, path: &VPath, links: LinkPolicy) -> Result<Self> {
        let top = jail.open_at(path, READ_DIRECTORY, "open")?;
        let jail_root = jail.root().try_clone_to_owned().map_err(|error| {
            Error::from_errno("open", Errno::from_io_error(&error).unwrap_or(Errno::IO))
        })?;
        let top_path = path.as_relative().to_vec();
        Ok(Self { top, jail_root, top_path, lookup: jail.lookup(), links })
    }

    /// The top of the tree and its attributes.
    ///
    /// # Errors
    /// `NotFound` and others.
    pub fn top(&self) -> Result<(TreeDir, TreeStat)> {
        let stat = sys::fs::fstat(&self.top).during("stat")?;
        let file = sys::fs::openat(&self.top, c".", READ_DIRECTORY, Mode::empty());
        Ok((TreeDir::new(file.during("open")?)?, TreeStat::new(&stat)))
    }

    /// Opens a directory again that was closed meanwhile; `path` is from the top.
    ///
    /// # Errors
    /// `SourceChanged` when another one has its name; `NotFound` and others.
    pub fn reopen(&self, path: &[u8], identity: (u64, u64)) -> Result<TreeDir> {
        if self.links == LinkPolicy::AsLinks {
            return reopen(self.lookup, self.top.as_fd(), path, identity, READ_DIRECTORY);
        }
        let directory = TreeDir::new(self.open_following(path, READ_DIRECTORY)?)?;
        if directory.identity() == identity {
            Ok(directory)
        } else {
            Err(Error::new(ErrorKind::SourceChanged, "open"))
        }
    }

    /// Opens the directory `name` of `directory`. `path` is its path from the top.
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`, `NotPermitted` and others.
    pub fn enter(&self, directory: &TreeDir, name: &[u8], path: &[u8]) -> Result<TreeDir> {
        if self.links == LinkPolicy::AsLinks {
            let file = self.lookup.open_without_links(directory.as_fd(), name, READ_DIRECTORY);
            return TreeDir::new(file.during("open")?);
        }
        TreeDir::new(self.open_following(path, READ_DIRECTORY)?)
    }

    /// What `name` in `directory` is. `path` is its path from the top.
    ///
    /// # Errors
    /// `NotFound` when it vanished, or where a link is followed and leads nowhere.
    pub fn stat(&self, directory: &TreeDir, name: &[u8], path: &[u8]) -> Result<TreeStat> {
        let stat = stat_name(directory.as_fd(), name).during("stat")?;
        if self.links == LinkPolicy::AsLinks || file_type(&stat) != FileType::Symlink {
            return Ok(TreeStat::new(&stat));
        }
        #[cfg(target_os = "linux")]
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        #[cfg(not(target_os = "linux"))]
        let flags = READ_FILE;
        let found = self.open_following(path, flags)?;
        Ok(TreeStat::new(&sys::fs::fstat(&found).during("stat")?))
    }

    /// Opens the regular file `name` of `directory` for reading.
    ///
    /// # Errors
    /// `NotRegular`, `NotFound`, `NotPermitted` and others.
    pub fn open_file(&self, directory: &TreeDir, name: &[u8], path: &[u8]) -> Result<OpenFile> {
        let flags = READ_FILE | OFlags::NOFOLLOW;
        let opened = sys::io::retry_on_intr(|| {
            sys::fs::openat(directory.as_fd(), name, flags, Mode::empty())
        });
        let file = match opened {
            Err(Errno::LOOP | Errno::MLINK) if self.links != LinkPolicy::AsLinks => {
                self.open_following(path, READ_FILE)?
            }
            opened => opened.during("open").map_err(crate::source::open_error)?,
        };
        OpenFile::from_file(file)
    }

    /// As [`TreeReader::open_file`], for a file that was just looked at: [`OpenFile::check_unchanged`]
    /// notices when another one has its name by now.
    ///
    /// # Errors
    /// `NotFound`, `NotPermitted` and others.
    pub fn open_known(
        &self,
        directory: &TreeDir,
        name: &[u8],
        path: &[u8],
        stat: TreeStat,
    ) -> Result<OpenFile> {
        if self.links != LinkPolicy::AsLinks {
            return self.open_file(directory, name, path);
        }
        let flags = READ_FILE | OFlags::NOFOLLOW;
        let file = sys::io::retry_on_intr(|| {
            sys::fs::openat(directory.as_fd(), name, flags, Mode::empty())
        });
        Ok(OpenFile { file: file.during("open").map_err(crate::source::open_error)?, stat })
    }

    /// The target of the symbolic link `name`.
    ///
    /// # Errors
    /// `NotFound` and others.
    pub fn read_link(&self, directory: &TreeDir, name: &[u8]) -> Result<Vec<u8>> {
        let target = sys::fs::readlinkat(directory.as_fd(), name, Vec::new());
        Ok(target.during("readlink")?.into_bytes())
    }

    /// The names of `directory`.
    ///
    /// # Errors
    /// Those of reading a directory.
    pub fn names(&self, directory: &TreeDir) -> Result<NameIter> {
        NameIter::of(directory)
    }

    /// Whether something has the path `path` from the top, reached without links.
    pub fn exists(&self, path: &[u8]) -> bool {
        let (above, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b"."[..], path),
        };
        self.lookup
            .open_without_links(self.top.as_fd(), above, ANCHOR)
            .and_then(|directory| sys::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW))
            .is_ok()
    }

    fn open_following(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        let relative = if path.is_empty() { &b"."[..] } else { path };
        if self.links == LinkPolicy::FollowAnywhere {
            return sys::fs::openat(&self.top, relative, flags, Mode::empty()).during("open");
        }
        let full = [&self.top_path[..], b"/", relative].concat();
        self.lookup.open_beneath(self.jail_root.as_fd(), &full, flags).during("open")
    }
}

/// The names of one directory, in the order of the file system.
pub struct NameIter {
    dir: Dir,
}

impl NameIter {
    pub(super) fn of(directory: &TreeDir) -> Result<Self> {
        Ok(Self { dir: Dir::new(readable(directory)?).during("list")? })
    }

    /// The next name; `None` at the end. Staged files are left out.
    ///
    /// # Errors
    /// `Io` and others if the directory can't be read on.
    pub fn next_name(&mut self) -> Result<Option<Vec<u8>>> {
        next_name(&mut self.dir)
    }

    /// Starts from the first name again.
    pub fn rewind(&mut self) {
        self.dir.rewind();
    }
}

impl fmt::Debug for NameIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameIter").finish_non_exhaustive()
    }
}

/// A regular file that is open for reading.
#[derive(Debug)]
pub struct OpenFile {
    file: OwnedFd,
    stat: TreeStat,
}

impl OpenFile {
    pub(super) fn from_file(file: OwnedFd) -> Result<Self> {
        let stat = TreeStat::new(&sys::fs::fstat(&file).during("stat")?);
        if stat.file_type != FileType::File {
            return Err(Error::new(ErrorKind::NotRegular, "open"));
        }
        Ok(Self { file, stat })
    }

    /// What was known when it was opened.
    pub fn stat(&self) -> &TreeStat {
        &self.stat
    }

    /// Fills `buf` from `offset` on.
    ///
    /// # Errors
    /// `SourceChanged` if the file ends before; `Io`.
    pub fn read_exactly(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            match sys::io::pread(&self.file, &mut buf[filled..], offset + filled as u64) {
                Ok(0) => return Err(Error::new(ErrorKind::SourceChanged, "read")),
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::from_errno("read", errno)),
            }
        }
        Ok(())
    }

    /// Compares size, times and identity with those at open.
    ///
    /// # Errors
    /// `SourceChanged`.
    pub fn check_unchanged(&self) -> Result<()> {
        let now = TreeStat::new(&sys::fs::fstat(&self.file).during("stat")?);
        let same = (now.size, now.modified, now.changed, now.identity)
            == (self.stat.size, self.stat.modified, self.stat.changed, self.stat.identity);
        if same { Ok(()) } else { Err(Error::new(ErrorKind::SourceChanged, "read")) }
    }
}
