//! Removing what the source does not have, and never what the rules protect.

use e2eeftp_vfs::{self as vfs, ErrorKind, FileType, TreeDir};

use super::sink::Sink;
use crate::error::{Error, Result};

/// Names that are looked at between two changes of a directory.
const BATCH: usize = 1000;
/// Deepest tree that is removed name by name.
const MAX_DEPTH: usize = 128;

pub(super) struct Removal<'s, 'a, 'w> {
    pub(super) sink: &'s mut Sink<'a, 'w>,
}

impl Removal<'_, '_, '_> {
    /// Removes from a directory every name that `is_known` does not know.
    pub(super) fn run(
        &mut self,
        directory: &TreeDir,
        path: &[u8],
        is_known: &dyn Fn(&[u8]) -> bool,
    ) -> Result<()> {
        self.clean(directory, path, is_known, 0).map(drop)
    }

    /// Whether something stays.
    fn clean(
        &mut self,
        directory: &TreeDir,
        path: &[u8],
        is_known: &dyn Fn(&[u8]) -> bool,
        depth: usize,
    ) -> Result<bool> {
        let mut names = self.sink.writer.names(directory)?;
        let mut stays = false;
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH {
                match names.next_name()? {
                    Some(name) if is_known(&name) => stays = true,
                    Some(name) => batch.push(name),
                    None => break,
                }
            }
            if batch.is_empty() {
                return Ok(stays);
            }
            for name in batch {
                stays |= self.remove(directory, path, &name, depth)?;
            }
        }
    }

    /// Removes one name; whether it stays.
    fn remove(
        &mut self,
        directory: &TreeDir,
        above: &[u8],
        name: &[u8],
        depth: usize,
    ) -> Result<bool> {
        let path = if above.is_empty() { name.to_vec() } else { [above, b"/", name].concat() };
        match self.try_remove(directory, &path, name, depth) {
            Ok(stays) => Ok(stays),
            Err(Error::Vfs(error)) => {
                self.sink.fail(&path, &error)?;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    fn try_remove(
        &mut self,
        directory: &TreeDir,
        path: &[u8],
        name: &[u8],
        depth: usize,
    ) -> Result<bool> {
        let writer = self.sink.writer;
        let Some(there) = writer.look(Some(directory), name)? else { return Ok(false) };
        let is_directory = there.file_type == FileType::Directory;
        if !self.sink.choice.filter.takes(path, is_directory) {
            return Ok(true);
        }
        // With rules, something in it may be protected.
        if is_directory && !self.sink.choice.filter.is_empty() {
            if depth >= MAX_DEPTH {
                return Err(vfs::Error::new(ErrorKind::TooLarge, "remove").into());
            }
            let child = writer.open_directory_in(directory, name)?;
            if self.clean(&child, path, &|_| false, depth + 1)? {
                return Ok(true);
            }
        }
        writer.remove(directory, name)?;
        self.sink.removed(path)?;
        Ok(false)
    }
}
