//! Files at the sink: whether one is wanted, and its content on its way to the disk.

use std::rc::Rc;

use e2eeftp_core::crypto::RootHasher;
use e2eeftp_core::tree::{FileEntry, SMALL_MAX_LEN, TreeTime};
use e2eeftp_vfs::{self as vfs, ErrorKind, FileType, TreeDir, TreeStat};

use super::link_names::Name;
use super::sink::{Dir, Sink};
use super::store_queue::StoreJob;
use super::{MAX_SINK_COST, broken, cost_of};
use crate::error::{Error, Result};

/// Files that are handed over to be stored at once.
const JOBS: usize = 16;
/// Content that is hashed at once when files are compared.
const COMPARE_LEN: usize = 1 << 20;

/// A file whose content is to come.
pub(super) struct Wanted {
    directory: Dir,
    name: Vec<u8>,
    size: u64,
    mode: u32,
    modified: TreeTime,
    /// Number of a file with several names.
    link: Option<u64>,
    /// Whether an answer was given, so that the cost counts.
    was_asked: bool,
    /// The content is not needed: it is there already, or can't be stored.
    is_dropped: bool,
}

impl Sink<'_, '_> {
    pub(super) fn file(&mut self, entry: &FileEntry<'_>) -> Result<()> {
        let directory = self.current()?;
        self.remember(&directory, entry.name);
        if let Some(events) = self.events {
            events.found(entry.size);
        }
        if let Some((number, false)) = entry.link {
            return self.further_name(number, &directory, entry.name);
        }
        let decision = self.decide(&directory, entry);
        let is_wanted = match decision {
            Ok(is_wanted) => is_wanted,
            Err(Error::Vfs(error)) => {
                if !directory.state.is_failed {
                    self.fail(&directory.child_path(entry.name), &error)?;
                }
                self.first_name(entry, &directory, None)?;
                false
            }
            Err(error) => return Err(error),
        };
        if entry.is_inline {
            self.inline = Some(self.wanted(&directory, entry, !is_wanted, false));
            return Ok(());
        }
        if is_wanted && self.options.dry_run {
            self.moved(&directory, entry.name, entry.size);
            self.first_name(entry, &directory, None)?;
            return self.answer(true);
        }
        if is_wanted && entry.is_large {
            self.want_large(&directory, entry);
            // Where this side is the client it fetches the file itself.
            return self.answer(self.events.is_none());
        }
        if is_wanted {
            self.wanted_cost += cost_of(directory.path.len() + entry.name.len());
            if self.wanted_cost > MAX_SINK_COST {
                return Err(broken("more entries under way than allowed"));
            }
            let wanted = self.wanted(&directory, entry, false, true);
            self.wanted.push_back(wanted);
        }
        self.answer(is_wanted)
    }

    fn wanted(
        &mut self,
        directory: &Dir,
        entry: &FileEntry<'_>,
        is_dropped: bool,
        was_asked: bool,
    ) -> Wanted {
        directory.state.due.set(directory.state.due.get() + 1);
        let link = entry.link.map(|(number, _)| number).filter(|_| !is_dropped);
        let link = link.filter(|_| self.links.has_room());
        if let Some(number) = link {
            self.links.expect(number, None);
        }
        Wanted {
            directory: Rc::clone(directory),
            name: entry.name.to_vec(),
            size: entry.size,
            mode: entry.mode,
            modified: entry.modified,
            link,
            was_asked,
            is_dropped,
        }
    }

    fn want_large(&mut self, directory: &Dir, entry: &FileEntry<'_>) {
        directory.state.due.set(directory.state.due.get() + 1);
        let is_noted = self.with_large.last().is_some_and(|last| Rc::ptr_eq(last, directory));
        if !is_noted {
            self.with_large.push(Rc::clone(directory));
        }
        if let Some((number, _)) = entry.link
            && self.links.has_room()
        {
            let (directory, name) = (Rc::clone(directory), entry.name.to_vec());
            self.links.expect(number, Some(Name { directory, name }));
        }
        if let Some(events) = self.events {
            events.large(self.transfer, directory.child_path(entry.name), entry.size);
        }
    }

    fn moved(&mut self, directory: &Dir, name: &[u8], size: u64) {
        self.counts.files += 1;
        self.counts.bytes += size;
        if let Some(events) = self.events {
            events.moved(self.transfer, || directory.child_path(name), size);
        }
    }

    /// Whether the content of a file is wanted.
    fn decide(&mut self, directory: &Dir, entry: &FileEntry<'_>) -> Result<bool> {
        if directory.state.is_failed {
            return Err(vfs::Error::new(ErrorKind::NotFound, "store").into());
        }
        self.writer.check_file(entry.name, entry.size)?;
        if directory.state.is_new || !self.writer.may_compare() {
            return Ok(true);
        }
        let handle = self.handle(directory)?;
        let Some(there) = self.writer.look(handle.as_deref(), entry.name)? else { return Ok(true) };
        let Some(handle) = handle else { return Ok(true) };
        match there.file_type {
            FileType::File => {}
            FileType::Symlink if self.writer.replaces() => return Ok(true),
            other => {
                let kind = match other {
                    FileType::Directory => ErrorKind::IsDirectory,
                    FileType::Symlink => ErrorKind::Exists,
                    _ => ErrorKind::NotRegular,
                };
                self.writer.clear(&handle, entry.name, vfs::Error::new(kind, "store"))?;
                self.removed(&directory.child_path(entry.name))?;
                return Ok(true);
            }
        }
        if !self.is_same(&handle, entry, &there)? {
            return if self.writer.replaces() {
                Ok(true)
            } else {
                Err(vfs::Error::new(ErrorKind::Exists, "store").into())
            };
        }
        let (mode, modified) = self.attributes(entry.mode, entry.modified);
        let mode = mode.filter(|mode| mode & 0o777 != there.mode & 0o777);
        let modified = modified.filter(|modified| *modified != there.modified);
        if mode.is_some() || modified.is_some() {
            self.writer.set_attributes(&handle, entry.name, mode, modified)?;
        }
        self.counts.skipped += 1;
        if let Some(events) = self.events {
            events.skipped(1);
        }
        self.first_name(entry, directory, Some(there.identity))?;
        Ok(false)
    }

    /// Whether what is there is what the source has.
    fn is_same(
        &mut self,
        handle: &TreeDir,
        entry: &FileEntry<'_>,
        there: &TreeStat,
    ) -> Result<bool> {
        if there.size != entry.size {
            return Ok(false);
        }
        let Some(root) = entry.root else {
            return Ok(there.modified == (entry.modified.seconds, entry.modified.nanoseconds));
        };
        let file = self.writer.open_file(handle, entry.name)?;
        let mut hasher = RootHasher::new();
        let mut piece = vec![0; COMPARE_LEN];
        let mut offset = 0;
        while offset < entry.size {
            self.check_cancel()?;
            let left = usize::try_from(entry.size - offset).unwrap_or(COMPARE_LEN);
            let part = &mut piece[..left.min(COMPARE_LEN)];
            file.read_exactly(part, offset)?;
            hasher.update(part);
            offset += part.len() as u64;
        }
        Ok(hasher.finalize() == root)
    }

    pub(super) fn content(&mut self, bytes: &[u8], root: Option<[u8; 32]>) -> Result<()> {
        let due = self.inline.as_ref().or(self.wanted.front());
        let due = due.ok_or_else(|| broken("a content that nobody wants"))?;
        let len = self.content.len() + bytes.len();
        if len as u64 > due.size.min(SMALL_MAX_LEN) {
            return Err(broken("a content longer than announced"));
        }
        let Some(root) = root else {
            self.content.extend_from_slice(bytes);
            return Ok(());
        };
        let mut whole = std::mem::take(&mut self.content);
        if whole.is_empty() {
            whole = self.spare.pop().unwrap_or_default();
        }
        whole.extend_from_slice(bytes);
        let wanted = self.next_due()?;
        if wanted.is_dropped {
            return self.settle(&wanted, Ok(()));
        }
        let directory = match self.handle(&wanted.directory) {
            Ok(Some(directory)) => directory,
            Ok(None) => {
                return self.settle(&wanted, Err(vfs::Error::new(ErrorKind::NotFound, "store")));
            }
            Err(error) => return self.settle(&wanted, Err(error)),
        };
        let (mode, modified) = self.attributes(wanted.mode, wanted.modified);
        let (ticket, name, size) = (self.next_ticket, wanted.name.clone(), wanted.size);
        self.next_ticket += 1;
        self.in_queue.insert(ticket, wanted);
        let content = whole;
        let job = StoreJob { ticket, directory, name, content, size, root, mode, modified };
        self.jobs.push(job);
        if self.jobs.len() >= JOBS { self.settle_stored(false) } else { Ok(()) }
    }

    /// Hands what was received to those who store, and settles what they have done. With
    /// `is_waiting`, all of it.
    pub(super) fn settle_stored(&mut self, is_waiting: bool) -> Result<()> {
        if !self.jobs.is_empty() {
            self.queue.push(&mut self.jobs);
        }
        if self.in_queue.is_empty() {
            return Ok(());
        }
        for stored in self.queue.stored(is_waiting) {
            if let Some(wanted) = self.in_queue.remove(&stored.ticket) {
                self.settle(&wanted, stored.result)?;
            }
        }
        if self.spare.is_empty() {
            self.spare = self.queue.spare();
        }
        if is_waiting && !self.in_queue.is_empty() {
            return Err(Error::Io("tree", std::io::Error::other("a thread failed")));
        }
        Ok(())
    }

    fn next_due(&mut self) -> Result<Wanted> {
        if let Some(inline) = self.inline.take() {
            return Ok(inline);
        }
        let wanted = self.wanted.pop_front().ok_or_else(|| broken("a content for nothing"))?;
        if wanted.was_asked {
            self.wanted_cost -= cost_of(wanted.directory.path.len() + wanted.name.len());
        }
        Ok(wanted)
    }

    /// After a content: counts, and further names that have waited.
    fn settle(&mut self, wanted: &Wanted, result: vfs::Result<()>) -> Result<()> {
        let directory = &wanted.directory;
        let is_stored = result.is_ok() && !wanted.is_dropped;
        match result {
            Ok(()) if is_stored => {
                self.transfer.add(wanted.size);
                self.moved(directory, &wanted.name, wanted.size);
            }
            Ok(()) => {}
            Err(error) => self.fail(&directory.child_path(&wanted.name), &error)?,
        }
        if let Some(number) = wanted.link {
            let identity = if is_stored { self.identity(directory, &wanted.name) } else { None };
            self.settle_first(number, directory, &wanted.name, identity)?;
        }
        directory.state.due.set(directory.state.due.get() - 1);
        self.finish_directory(directory)
    }

    pub(super) fn content_failed(&mut self) -> Result<()> {
        // The source has told, or tells, why.
        self.content.clear();
        let mut wanted = self.next_due()?;
        wanted.is_dropped = true;
        self.settle(&wanted, Ok(()))
    }
}
