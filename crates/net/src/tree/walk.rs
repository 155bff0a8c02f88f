//! The order in which a source describes its tree: a directory, what is in it and no directory, its
//! directories one after the other, and the way back. Names are sorted where there are few enough.

use std::cell::Cell;
use std::rc::Rc;

use e2eeftp_core::tree::{MAX_LINK_TARGET_LEN, MAX_PATH_LEN, Message, TreeTime};
use e2eeftp_vfs::{self as vfs, ErrorKind, FileType, NameIter, TreeStat};

use super::TreeChoice;
use super::dirs::Node;
use super::source::Source;
use crate::error::{Error, Result};

/// Up to so many names a directory is sorted; above, it is read twice in its own order.
const SORTED_MAX_COUNT: usize = 10_000;
/// Bytes of names that are kept for the directories on the way, with overhead.
const MAX_HELD_LEN: usize = 8 << 20;
const NAME_OVERHEAD: usize = 48;
/// Directories on the way that are not sorted: each keeps a descriptor and a buffer.
const MAX_STREAMED: usize = 8;

/// What a source keeps about a directory.
pub(super) struct Directory {
    /// The sink has nothing to compare with.
    pub(super) is_fresh: Cell<bool>,
    /// The sink can't make it.
    pub(super) is_refused: Cell<bool>,
    above: Option<Rc<Node<Self>>>,
}

struct Level {
    node: Rc<Node<Directory>>,
    names: Names,
    /// Whether directories are due, and not the rest.
    is_second_pass: bool,
    /// Whether every name was read and told.
    is_complete: bool,
    held_len: usize,
    /// Whether it was begun as a stream.
    is_streamed: bool,
}

enum Names {
    /// The next one last; the directories among them, in order, wait in the second list.
    Sorted {
        names: Vec<Vec<u8>>,
        directories: Vec<Vec<u8>>,
    },
    Streamed(NameIter),
}

/// A walk through the tree.
pub(super) struct Walk {
    levels: Vec<Level>,
    choice: TreeChoice,
    held_len: usize,
    streamed: usize,
}

impl Walk {
    /// Enters the top.
    pub(super) fn begin(source: &mut Source<'_, '_>, choice: TreeChoice) -> Result<Self> {
        let (top, stat) = source.reader.top()?;
        let state =
            Directory { is_fresh: Cell::new(false), is_refused: Cell::new(false), above: None };
        let node = source.open.add(Vec::new(), 0, Some(top), state);
        let mut walk = Self { levels: Vec::new(), choice, held_len: 0, streamed: 0 };
        source.enter(&node, b"", &stat)?;
        walk.push(source, node)?;
        Ok(walk)
    }

    /// Handles one name. `false` at the end.
    pub(super) fn step(&mut self, source: &mut Source<'_, '_>) -> Result<bool> {
        let Some(level) = self.levels.last_mut() else { return Ok(false) };
        if level.node.state.is_refused.get() {
            level.names = Names::Sorted { names: Vec::new(), directories: Vec::new() };
            level.is_complete = false;
        }
        let name = match level.next() {
            Ok(name) => name,
            Err(error) => {
                level.is_complete = false;
                level.names = Names::Sorted { names: Vec::new(), directories: Vec::new() };
                source.fail(&level.node.path, &error)?;
                None
            }
        };
        match name {
            Some(name) if level.is_second_pass => self.directory(source, &name)?,
            Some(name) => self.name(source, name)?,
            None if level.is_second_pass => self.pop(source)?,
            None => level.turn(),
        }
        Ok(true)
    }

    /// Reports the chosen paths that are not there.
    pub(super) fn finish(self, source: &mut Source<'_, '_>) -> Result<()> {
        for path in self.choice.chosen.iter().flat_map(e2eeftp_core::tree::ChosenPaths::missing) {
            if !source.reader.exists(path) {
                source.fail(path, &vfs::Error::new(ErrorKind::NotFound, "open"))?;
            }
        }
        Ok(())
    }

    fn pop(&mut self, source: &mut Source<'_, '_>) -> Result<()> {
        let Some(level) = self.levels.pop() else { return Ok(()) };
        self.held_len -= level.held_len;
        self.streamed -= usize::from(level.is_streamed);
        source.send(&Message::Leave { is_complete: level.is_complete })
    }

    /// A name on the first pass.
    fn name(&mut self, source: &mut Source<'_, '_>, name: Vec<u8>) -> Result<()> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        let node = Rc::clone(&level.node);
        let path = node.child_path(&name);
        let stat = match source
            .handle(&node)
            .and_then(|directory| Ok(source.reader.stat(&directory, &name, &path)?))
        {
            Ok(stat) => stat,
            // It vanished since the directory was read.
            Err(Error::Vfs(error)) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(Error::Vfs(error)) => {
                level.is_complete = false;
                return source.fail(&path, &error);
            }
            Err(error) => return Err(error),
        };
        let is_directory = stat.file_type == FileType::Directory;
        if is_directory && matches!(level.names, Names::Streamed(_)) {
            return Ok(());
        }
        if !self.choice.filter.takes(&path, is_directory)
            || self.choice.chosen.as_mut().is_some_and(|chosen| !chosen.takes(&path, is_directory))
        {
            return Ok(());
        }
        if path.len() > MAX_PATH_LEN {
            level.is_complete = false;
            return source.fail(&node.path, &vfs::Error::new(ErrorKind::BadPath, "path"));
        }
        match stat.file_type {
            FileType::Directory => {
                if let Names::Sorted { directories, .. } = &mut level.names {
                    directories.push(name);
                }
                Ok(())
            }
            FileType::File => source.file(&node, &name, stat),
            FileType::Symlink => self.symlink(source, &node, &name, &path, &stat),
            // Pipes, sockets and devices are no part of a tree that can travel.
            FileType::Other => Ok(()),
        }
    }

    fn symlink(
        &mut self,
        source: &mut Source<'_, '_>,
        node: &Rc<Node<Directory>>,
        name: &[u8],
        path: &[u8],
        stat: &TreeStat,
    ) -> Result<()> {
        if source.options.skip_links {
            return Ok(());
        }
        let target = source
            .handle(node)
            .and_then(|directory| Ok(source.reader.read_link(&directory, name)?));
        let failure = match target {
            Ok(target) if target.len() <= MAX_LINK_TARGET_LEN && !target.is_empty() => {
                let (seconds, nanoseconds) = stat.modified;
                let modified = TreeTime { seconds, nanoseconds };
                return source.send(&Message::Symlink { name, target: &target, modified });
            }
            Ok(_) => vfs::Error::new(ErrorKind::BadPath, "readlink"),
            Err(Error::Vfs(error)) => error,
            Err(error) => return Err(error),
        };
        if let Some(level) = self.levels.last_mut() {
            level.is_complete = false;
        }
        source.fail(path, &failure)
    }

    /// A name on the second pass.
    fn directory(&mut self, source: &mut Source<'_, '_>, name: &[u8]) -> Result<()> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        let node = Rc::clone(&level.node);
        let path = node.child_path(name);
        let is_streamed = matches!(level.names, Names::Streamed(_));
        let found = source.handle(&node).and_then(|directory| {
            let stat = source.reader.stat(&directory, name, &path)?;
            Ok((directory, stat))
        });
        let (directory, stat) = match found {
            Ok(found) => found,
            Err(Error::Vfs(error)) => {
                if error.kind() != ErrorKind::NotFound {
                    level.is_complete = false;
                    source.fail(&path, &error)?;
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if stat.file_type != FileType::Directory {
            return Ok(());
        }
        if is_streamed {
            if path.len() > MAX_PATH_LEN {
                level.is_complete = false;
                return source.fail(&node.path, &vfs::Error::new(ErrorKind::BadPath, "path"));
            }
            if !self.choice.filter.takes(&path, true)
                || self.choice.chosen.as_mut().is_some_and(|chosen| !chosen.takes(&path, true))
            {
                return Ok(());
            }
        }
        let is_loop = is_above(&node, stat.identity);
        let opened = if is_loop {
            // A link that is followed leads back to where it is.
            Err(vfs::Error::new(ErrorKind::BadPath, "a link that leads to itself"))
        } else {
            source.reader.enter(&directory, name, &path)
        };
        let state = Directory {
            is_fresh: Cell::new(node.state.is_fresh.get()),
            is_refused: Cell::new(node.state.is_refused.get()),
            above: Some(Rc::clone(&node)),
        };
        let depth = node.depth + 1;
        match opened {
            Ok(opened) => {
                let child = source.open.add(path, depth, Some(opened), state);
                source.enter(&child, name, &stat)?;
                self.push(source, child)
            }
            Err(error) => {
                // The name is told, so that what the sink has of it stays.
                source.fail(&path, &error)?;
                let child = source.open.add(path, depth, None, state);
                source.enter(&child, name, &stat)?;
                source.send(&Message::Leave { is_complete: false })
            }
        }
    }

    /// Reads the names of a directory that was entered.
    fn push(&mut self, source: &mut Source<'_, '_>, node: Rc<Node<Directory>>) -> Result<()> {
        let read = source.handle(&node).and_then(|directory| {
            let names = source.reader.names(&directory)?;
            Ok(read_names(names, MAX_HELD_LEN.saturating_sub(self.held_len))?)
        });
        let (names, failure) = match read {
            Ok(Names::Streamed(_)) if self.streamed >= MAX_STREAMED => {
                (None, Some(vfs::Error::new(ErrorKind::TooLarge, "list")))
            }
            Ok(names) => (Some(names), None),
            Err(Error::Vfs(error)) => (None, Some(error)),
            Err(error) => return Err(error),
        };
        let is_complete = failure.is_none();
        if let Some(error) = failure {
            source.fail(&node.path, &error)?;
        }
        let names = names.unwrap_or(Names::Sorted { names: Vec::new(), directories: Vec::new() });
        let held_len = match &names {
            Names::Sorted { names, .. } => {
                names.iter().map(|name| name.len() + NAME_OVERHEAD).sum()
            }
            Names::Streamed(_) => 0,
        };
        self.held_len += held_len;
        let is_streamed = matches!(names, Names::Streamed(_));
        self.streamed += usize::from(is_streamed);
        let is_second_pass = false;
        self.levels.push(Level { node, names, is_second_pass, is_complete, held_len, is_streamed });
        Ok(())
    }
}

impl Level {
    fn next(&mut self) -> vfs::Result<Option<Vec<u8>>> {
        match &mut self.names {
            Names::Sorted { names, directories } => {
                Ok(if self.is_second_pass { directories.pop() } else { names.pop() })
            }
            Names::Streamed(names) => names.next_name(),
        }
    }

    /// Goes on to the directories.
    fn turn(&mut self) {
        self.is_second_pass = true;
        match &mut self.names {
            Names::Sorted { directories, .. } => directories.reverse(),
            Names::Streamed(names) => names.rewind(),
        }
    }
}

/// All names, the last first; or a stream of them where they are too many.
fn read_names(mut iter: NameIter, room: usize) -> vfs::Result<Names> {
    let mut names = Vec::new();
    let mut len = 0;
    while let Some(name) = iter.next_name()? {
        len += name.len() + NAME_OVERHEAD;
        names.push(name);
        if names.len() > SORTED_MAX_COUNT || len > room {
            iter.rewind();
            return Ok(Names::Streamed(iter));
        }
    }
    names.sort_unstable_by(|one, other| other.cmp(one));
    Ok(Names::Sorted { names, directories: Vec::new() })
}

/// Whether a directory is this one or above it.
fn is_above(node: &Rc<Node<Directory>>, identity: (u64, u64)) -> bool {
    let mut next = Some(node);
    while let Some(node) = next {
        if node.identity() == Some(identity) {
            return true;
        }
        next = node.state.above.as_ref();
    }
    false
}
