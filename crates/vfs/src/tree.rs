//! Everything beneath a local directory, in the order of the bytes of the paths, with bounded
//! memory and a bounded number of descriptors.
//!
//! Each directory is opened from the listed one by its path, without following any link, so a
//! directory that is moved away or becomes a link meanwhile is not followed, and depth costs
//! neither descriptors nor stack. Other mounted file systems are entered, as a listing of each
//! directory would: what LIST shows of a directory, a recursive LIST shows, too.

use std::fmt;

use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{Jail, Lookup, READ_DIRECTORY, file_type, stat_name};
use crate::list::{SORTED_MAX_COUNT, next_name};
use crate::metadata::{FileType, Metadata};
use crate::path::VPath;
use crate::storage::{TreeItem, TreeLister};
use crate::sys::fs::{Dir, Stat};
use crate::sys::io::Errno;
use crate::sys::{AsFd, OwnedFd};

const OP: &str = "list";
/// What a kept name takes beside its bytes: its vector and the allocator's share.
const NAME_OVERHEAD: usize = 48;

/// What a listing may hold, whatever the tree.
#[derive(Clone, Copy)]
struct Limits {
    /// Names of a directory that is sorted.
    sorted_count: usize,
    /// Bytes of names that are kept in all directories on the way together, their overhead
    /// included. A directory whose names do not fit is not sorted.
    held_len: usize,
    /// Directories on the way that are not sorted: each keeps a descriptor and a buffer of 32 KiB.
    streamed_count: usize,
}

impl Limits {
    const DEFAULT: Self =
        Self { sorted_count: SORTED_MAX_COUNT, held_len: 8 << 20, streamed_count: 8 };
}

/// See [`TreeLister`].
pub(crate) struct LocalTreeLister {
    lookup: Lookup,
    limits: Limits,
    /// The listed directory.
    base: OwnedFd,
    /// The longest path from `base` that a client can name.
    max_path_len: usize,
    /// The deepest directory on the way, from `base`; empty for `base` itself.
    path: Vec<u8>,
    /// The directories on the way, `base` first.
    levels: Vec<Level>,
    /// Of the names in `levels`, with overhead.
    held_len: usize,
}

/// A directory whose entries are not all given out.
struct Level {
    /// How much of the path leads to the directory above.
    parent_len: usize,
    names: Names,
    /// Directories that were given out and are not entered yet, the next one last. Each but the
    /// first begins with the one before it, so there are fewer than 255.
    due: Vec<Vec<u8>>,
    /// Whether it was reported that a path in this directory is too long.
    is_too_deep: bool,
}

enum Names {
    /// The next one last. The directory is open while its names are looked at, but not while
    /// those below it are.
    Sorted { names: Vec<Vec<u8>>, directory: Option<OwnedFd> },
    /// In the order of the file system.
    Streamed(Dir),
}

enum Step {
    Name(Vec<u8>),
    Enter(Vec<u8>),
    Failed(Error),
    Over,
}

impl LocalTreeLister {
    /// Opens the directory `path` of `jail`; links on the way to it are followed inside the jail.
    pub(crate) fn open(jail: &Jail, path: &VPath) -> Result<Self> {
        Self::open_within(jail, path, Limits::DEFAULT)
    }

    fn open_within(jail: &Jail, path: &VPath, limits: Limits) -> Result<Self> {
        let above_len = if path.is_root() { 0 } else { path.as_bytes().len() };
        let mut lister = Self {
            lookup: jail.lookup(),
            limits,
            base: jail.open_at(path, READ_DIRECTORY, OP)?,
            max_path_len: VPath::MAX_LEN.saturating_sub(above_len + 1),
            path: Vec::new(),
            levels: Vec::new(),
            held_len: 0,
        };
        lister.push_level(0)?;
        Ok(lister)
    }

    fn open_here(&self) -> Result<OwnedFd> {
        let relative = if self.path.is_empty() { &b"."[..] } else { &self.path };
        self.lookup.open_without_links(self.base.as_fd(), relative, READ_DIRECTORY).during(OP)
    }

    /// Starts on the directory that `path` names now.
    fn push_level(&mut self, parent_len: usize) -> Result<()> {
        let names = self.read_names()?;
        self.levels.push(Level { parent_len, names, due: Vec::new(), is_too_deep: false });
        Ok(())
    }

    fn read_names(&mut self) -> Result<Names> {
        let directory = self.open_here()?;
        let mut dir = Dir::read_from(&directory).during(OP)?;
        let mut names = Vec::new();
        let mut len = 0;
        while let Some(name) = next_name(&mut dir)? {
            len += name.len() + NAME_OVERHEAD;
            let Limits { sorted_count, held_len, .. } = self.limits;
            if names.len() == sorted_count || self.held_len + len > held_len {
                return self.streamed(dir);
            }
            names.push(name);
        }
        names.sort_unstable_by(|one, other| other.cmp(one));
        self.held_len += len;
        Ok(Names::Sorted { names, directory: Some(directory) })
    }

    fn streamed(&self, mut dir: Dir) -> Result<Names> {
        let is_streamed = |level: &&Level| matches!(level.names, Names::Streamed(_));
        if self.levels.iter().filter(is_streamed).count() >= self.limits.streamed_count {
            return Err(Error::new(ErrorKind::TooLarge, OP));
        }
        dir.rewind();
        Ok(Names::Streamed(dir))
    }

    fn leave(&mut self) {
        let Some(level) = self.levels.pop() else { return };
        if let Names::Sorted { names, .. } = level.names {
            self.held_len -= names.iter().map(|name| name.len() + NAME_OVERHEAD).sum::<usize>();
        }
        self.path.truncate(level.parent_len);
    }

    /// Ends the directory at hand.
    fn give_up(&mut self, error: Error) -> TreeItem {
        let item = TreeItem::Unreadable { path: self.path.clone(), error };
        self.leave();
        item
    }

    /// The path of a name in the directory at hand.
    fn path_of(&self, name: &[u8]) -> Vec<u8> {
        if self.path.is_empty() { name.to_vec() } else { [&self.path[..], b"/", name].concat() }
    }

    /// The entry of `name`, or `None` when there is nothing to tell.
    fn entry(&mut self, name: Vec<u8>) -> Option<TreeItem> {
        let path = self.path_of(&name);
        if path.len() > self.max_path_len {
            return self.too_deep();
        }
        match self.stat(&name) {
            Ok(stat) => {
                if file_type(&stat) == FileType::Directory {
                    self.levels.last_mut()?.due.push(name);
                }
                Some(TreeItem::Entry { path, metadata: Metadata::from_stat(&stat) })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => self.vanished(error),
            Err(error) => Some(self.give_up(error)),
        }
    }

    /// The status of a name in the directory at hand.
    fn stat(&mut self, name: &[u8]) -> Result<Stat> {
        let is_closed = matches!(
            self.levels.last(),
            Some(Level { names: Names::Sorted { directory: None, .. }, .. })
        );
        let reopened = if is_closed { Some(self.open_here()?) } else { None };
        match self.levels.last_mut().map(|level| &mut level.names) {
            Some(Names::Sorted { directory, .. }) => {
                if reopened.is_some() {
                    *directory = reopened;
                }
                directory.as_ref().ok_or(Errno::BADF).and_then(|open| stat_name(open.as_fd(), name))
            }
            Some(Names::Streamed(dir)) => dir.fd().and_then(|open| stat_name(open, name)),
            None => Err(Errno::BADF),
        }
        .during(OP)
    }

    /// A name can't be asked for, because its path is too long. One report for its directory is
    /// enough.
    fn too_deep(&mut self) -> Option<TreeItem> {
        let is_known = std::mem::replace(&mut self.levels.last_mut()?.is_too_deep, true);
        let error = Error::new(ErrorKind::BadPath, OP);
        (!is_known).then(|| TreeItem::Unreadable { path: self.path.clone(), error })
    }

    /// A name is gone, or the directory it was in.
    fn vanished(&mut self, error: Error) -> Option<TreeItem> {
        let level = self.levels.last()?;
        let is_open = !matches!(level.names, Names::Sorted { directory: None, .. });
        if is_open { None } else { Some(self.give_up(error)) }
    }

    /// Goes into the directory `name` of the one at hand.
    fn enter(&mut self, name: &[u8]) -> Option<TreeItem> {
        let parent_len = self.path.len();
        if let Some(Level { names: Names::Sorted { directory, .. }, .. }) = self.levels.last_mut() {
            *directory = None;
        }
        self.path = self.path_of(name);
        let error = self.push_level(parent_len).err()?;
        let path = self.path.clone();
        self.path.truncate(parent_len);
        Some(TreeItem::Unreadable { path, error })
    }
}

impl Level {
    /// What comes next. A directory is entered where its path with a slash at its end has its
    /// place among the names: so the whole is in the order of the bytes of the paths.
    fn step(&mut self, held_len: &mut usize) -> Step {
        match &mut self.names {
            Names::Sorted { names, .. } => {
                let is_due = self.due.last().is_some_and(|due| {
                    names.last().is_none_or(|name| due.iter().chain(b"/").lt(name.iter()))
                });
                if is_due && let Some(due) = self.due.pop() {
                    return Step::Enter(due);
                }
                let Some(name) = names.pop() else { return Step::Over };
                *held_len -= name.len() + NAME_OVERHEAD;
                Step::Name(name)
            }
            Names::Streamed(dir) => {
                if let Some(due) = self.due.pop() {
                    return Step::Enter(due);
                }
                match next_name(dir) {
                    Ok(Some(name)) => Step::Name(name),
                    Ok(None) => Step::Over,
                    Err(error) => Step::Failed(error),
                }
            }
        }
    }
}

impl TreeLister for LocalTreeLister {
    fn next(&mut self) -> Option<TreeItem> {
        loop {
            let item = match self.levels.last_mut()?.step(&mut self.held_len) {
                Step::Name(name) => self.entry(name),
                Step::Enter(name) => self.enter(&name),
                Step::Failed(error) => Some(self.give_up(error)),
                Step::Over => {
                    self.leave();
                    None
                }
            };
            if item.is_some() {
                return item;
            }
        }
    }
}

impl fmt::Debug for LocalTreeLister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTreeLister").field("depth", &self.levels.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;
    use crate::jail::Resolver;

    /// `depth` directories in one another, each with five files beside the next one.
    fn tree(depth: usize) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let mut directory = root.path().to_path_buf();
        for _ in 0..depth {
            directory.push("d");
            fs::create_dir(&directory).unwrap();
            for name in ["a", "b", "c", "e", "f"] {
                fs::write(directory.join(name), b"").unwrap();
            }
        }
        root
    }

    /// All paths, and the kinds of the reports.
    fn list(root: &tempfile::TempDir, limits: Limits) -> (Vec<String>, Vec<(String, ErrorKind)>) {
        let jail = Jail::open(root.path(), Resolver::Auto).unwrap();
        let mut lister = LocalTreeLister::open_within(&jail, &VPath::root(), limits).unwrap();
        let (mut paths, mut reports) = (Vec::new(), Vec::new());
        while let Some(item) = lister.next() {
            match item {
                TreeItem::Entry { path, .. } => paths.push(String::from_utf8(path).unwrap()),
                TreeItem::Unreadable { path, error } => {
                    reports.push((String::from_utf8(path).unwrap(), error.kind()));
                }
            }
            assert!(lister.held_len <= limits.held_len);
        }
        assert_eq!(lister.held_len, 0);
        (paths, reports)
    }

    #[test]
    fn what_does_not_fit_is_listed_unsorted() {
        let root = tree(4);
        let (sorted, reports) = list(&root, Limits::DEFAULT);
        assert_eq!((sorted.len(), reports.len()), (24, 0));
        assert!(sorted.is_sorted());
        let name_len = 1 + NAME_OVERHEAD;
        // The first needs one name kept, the next ones six each, less those already given out.
        for held_len in [name_len, 6 * name_len, 8 * name_len, 12 * name_len] {
            let limits = Limits { held_len, ..Limits::DEFAULT };
            let (paths, reports) = list(&root, limits);
            assert_eq!(reports, [], "{held_len}");
            let expected: BTreeSet<_> = sorted.iter().cloned().collect();
            assert_eq!(paths.iter().cloned().collect::<BTreeSet<_>>(), expected, "{held_len}");
            assert_eq!(paths.len(), sorted.len(), "each once");
        }
        let limits = Limits { sorted_count: 6, ..Limits::DEFAULT };
        assert_eq!(list(&root, limits).0, sorted, "a limit may be reached");
    }

    #[test]
    fn more_unsorted_directories_than_may_be_open_are_reported() {
        let root = tree(4);
        let limits = Limits { sorted_count: 5, streamed_count: 3, ..Limits::DEFAULT };
        let (paths, reports) = list(&root, limits);
        // The first three have six names, the last one five.
        assert_eq!((paths.len(), reports.len()), (24, 0));
        let limits = Limits { streamed_count: 2, ..limits };
        let (paths, reports) = list(&root, limits);
        assert_eq!(reports, [("d/d/d".to_owned(), ErrorKind::TooLarge)]);
        assert_eq!(paths.len(), 1 + 6 + 6);
    }
}
