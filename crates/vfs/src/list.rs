//! The names of a local directory, with bounded memory.

use std::collections::VecDeque;

use crate::error::{ErrnoExt, Error, Result};
use crate::jail::stat_name;
use crate::metadata::{Entry, Metadata};
use crate::staging_name::is_reserved;
use crate::storage::Lister;
use crate::sys::fs::Dir;
use crate::sys::io::Errno;
use crate::sys::{AsFd, OwnedFd};

/// Up to this many names a directory is sorted; above, it streams in its own order. At 255 bytes
/// a name this bounds the memory of a listing to some 2.5 MiB.
pub(crate) const SORTED_MAX_COUNT: usize = 10_000;

/// See [`Lister`].
pub(crate) struct LocalLister {
    /// For the status of each name; the same directory as `rest`.
    directory: OwnedFd,
    /// Names read ahead and not yet given out.
    names: VecDeque<Vec<u8>>,
    /// The names after those; `None` when all are read.
    rest: Option<Dir>,
}

impl LocalLister {
    /// Takes a directory opened for reading.
    pub(crate) fn new(directory: OwnedFd) -> Result<Self> {
        let reader = directory.try_clone().map_err(|error| {
            Error::from_errno("list", Errno::from_io_error(&error).unwrap_or(Errno::IO))
        })?;
        let mut dir = Dir::new(reader).during("list")?;
        let mut names = Vec::new();
        let rest = loop {
            if names.len() > SORTED_MAX_COUNT {
                break Some(dir);
            }
            match next_name(&mut dir)? {
                Some(name) => names.push(name),
                None => break None,
            }
        };
        if rest.is_none() {
            names.sort_unstable();
        }
        Ok(Self { directory, names: names.into(), rest })
    }

    fn next_name(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(name) = self.names.pop_front() {
            return Ok(Some(name));
        }
        let Some(dir) = &mut self.rest else { return Ok(None) };
        let name = next_name(dir)?;
        if name.is_none() {
            self.rest = None;
        }
        Ok(name)
    }
}

/// The next name that is not reserved.
pub(crate) fn next_name(dir: &mut Dir) -> Result<Option<Vec<u8>>> {
    while let Some(entry) = dir.read() {
        let entry = entry.during("list")?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") && !is_reserved(name) {
            return Ok(Some(name.to_vec()));
        }
    }
    Ok(None)
}

impl Lister for LocalLister {
    fn next(&mut self, max_entries: usize) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        while entries.len() < max_entries.max(1) {
            let Some(name) = self.next_name()? else { break };
            match stat_name(self.directory.as_fd(), &name) {
                Ok(stat) => entries.push(Entry { name, metadata: Metadata::from_stat(&stat) }),
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(Error::from_errno("list", errno)),
            }
        }
        Ok(entries)
    }
}
