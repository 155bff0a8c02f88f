//! Files with several names at the sink: the first name is stored as any file, the others are made
//! of it once it is there. Only a file that this transfer has stored or found equal gets one.

use std::rc::Rc;

use e2eeftp_core::tree::FileEntry;
use e2eeftp_vfs::{self as vfs, ErrorKind};

use super::link_names::{FirstName, Late, Name};
use super::sink::{Dir, Sink};
use crate::error::Result;

impl Sink<'_, '_> {
    pub(super) fn identity(&mut self, directory: &Dir, name: &[u8]) -> Option<(u64, u64)> {
        let handle = self.handle(directory).ok()??;
        handle.file_identity(name)
    }

    /// The first name of a file with several is settled at once; without an identity it is not there.
    pub(super) fn first_name(
        &mut self,
        entry: &FileEntry<'_>,
        directory: &Dir,
        identity: Option<(u64, u64)>,
    ) -> Result<()> {
        match entry.link {
            Some((number, _)) if self.links.has_room() => {
                self.settle_first(number, directory, entry.name, identity)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn settle_first(
        &mut self,
        number: u64,
        directory: &Dir,
        name: &[u8],
        identity: Option<(u64, u64)>,
    ) -> Result<()> {
        let first = if identity.is_some() || self.options.dry_run {
            let (directory, name) = (Rc::clone(directory), name.to_vec());
            FirstName::Stored { directory, name, identity }
        } else {
            FirstName::Failed
        };
        for waiting in self.links.settle(number, first) {
            self.link(number, &waiting.directory, &waiting.name)?;
            let due = &waiting.directory.state.due;
            due.set(due.get() - 1);
            self.finish_directory(&waiting.directory)?;
        }
        Ok(())
    }

    /// A further name of a file.
    pub(super) fn further_name(&mut self, number: u64, directory: &Dir, name: &[u8]) -> Result<()> {
        if directory.state.is_failed {
            return Ok(());
        }
        if matches!(self.links.get(number), Some(FirstName::Waiting { .. }))
            && self.links.has_room()
        {
            directory.state.due.set(directory.state.due.get() + 1);
            let (directory, name) = (Rc::clone(directory), name.to_vec());
            self.links.wait(number, Name { directory, name });
            return Ok(());
        }
        self.link(number, directory, name)
    }

    fn link(&mut self, number: u64, directory: &Dir, name: &[u8]) -> Result<()> {
        let first = match self.links.get(number) {
            Some(FirstName::Stored { directory, name, identity }) => {
                Some((Rc::clone(directory), name.clone(), *identity))
            }
            _ => None,
        };
        let made = match first {
            Some((_, _, None)) if self.options.dry_run => Ok(true),
            Some((from, from_name, Some(identity))) => {
                self.link_to(&from, &from_name, identity, directory, name)
            }
            _ => Err(vfs::Error::new(ErrorKind::NotFound, "link")),
        };
        match made {
            Ok(made) => {
                self.counts.links += u64::from(made);
                Ok(())
            }
            Err(error) => self.fail(&directory.child_path(name), &error),
        }
    }

    fn link_to(
        &mut self,
        from: &Dir,
        from_name: &[u8],
        identity: (u64, u64),
        directory: &Dir,
        name: &[u8],
    ) -> vfs::Result<bool> {
        let missing = || vfs::Error::new(ErrorKind::NotFound, "link");
        let from = self.handle(from)?.ok_or_else(missing)?;
        let to = self.handle(directory)?.ok_or_else(missing)?;
        self.writer.hard_link((&from, from_name, identity), (&to, name))
    }

    /// Further names of large files, which are there by now.
    pub(super) fn late_links(&mut self) -> Result<()> {
        for Late { number, first, names } in self.links.drain_waiting() {
            let identity = first
                .as_ref()
                .filter(|_| self.writer.may_compare())
                .and_then(|first| self.identity(&first.directory, &first.name));
            if let (Some(first), Some(_)) = (first, identity) {
                let Name { directory, name } = first;
                self.links.settle(number, FirstName::Stored { directory, name, identity });
            }
            for Name { directory, name } in names {
                self.link(number, &directory, &name)?;
                directory.state.due.set(directory.state.due.get().saturating_sub(1));
                self.finish_directory(&directory)?;
            }
        }
        Ok(())
    }
}
