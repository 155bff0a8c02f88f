//! The side that a tree is copied to.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use e2eeftp_core::tree::{
    Answer, MAX_PATH_LEN, Message, Report, TreeCounts, TreeTime, read_message,
};
use e2eeftp_vfs::{self as vfs, ErrorKind, TreeDir, TreeWriter};

use super::dirs::{Node, OpenDirs};
use super::link_names::SinkLinks;
use super::records::{Incoming, RecordReader, RecordWriter, StreamCheck};
use super::removal::Removal;
use super::sink_files::Wanted;
use super::space::Space;
use super::store_queue::{StoreJob, StoreQueue};
use super::{Over, Shared, TreeChoice, TreeEvents, TreeOptions, TreeSettings, begin, broken};
use crate::error::{Error, Result};
use crate::pump::wire::Wire;
use crate::transfer::{Phase, Transfer};

/// Waits are cut into pieces of this length, to notice a cancel.
const TICK: Duration = Duration::from_millis(50);

/// Receives a tree over a blocking socket. Returns when everything that was stored is durable and
/// the source was told so.
///
/// What fails for one name is reported and the rest goes on. On every failure that leaves the
/// connection alive the peer has been told, and both sides are in step
/// ([`Error::keeps_session`]); what was stored until then stays.
///
/// # Errors
/// [`Error::Aborted`] after a cancel, [`Error::PeerAborted`], [`Error::Vfs`] when what was stored
/// can't be made durable; [`Error::Protocol`] and connection errors.
pub fn receive_tree(
    socket: &TcpStream,
    writer: &TreeWriter,
    options: &TreeOptions,
    settings: TreeSettings<'_>,
) -> Result<TreeCounts> {
    let TreeSettings { pump, keep_alive, events } = settings;
    let transfer = pump.transfer;
    begin(transfer);
    let (outbound, inbound) = (Wire::to_send(socket, &pump)?, Wire::to_receive(socket, &pump)?);
    let heard = AtomicBool::new(false);
    let out = RecordWriter::new(outbound, pump.sealer, pump.stream, pump.epoch, Some(&heard));
    let mut incoming =
        RecordReader::new(inbound, pump.opener, pump.pending, pump.stream, Some(&heard));
    let shared = Shared::new(out);
    let queue = StoreQueue::new(writer, Space::new(&shared, transfer, pump.space_timeout));
    let result = std::thread::scope(|scope| {
        let ticking = scope.spawn(|| shared.keep_alive(keep_alive));
        for _ in 0..StoreQueue::threads() {
            scope.spawn(|| queue.work());
        }
        let (over, ended_queue) = (Over(&shared), queue.ending());
        let mut sink = Sink::new(writer, options, (&shared, &queue), transfer, events.as_deref());
        let mut ended = false;
        let mut result = sink.run(&mut incoming, &mut ended);
        if result.is_err() {
            // What has arrived is stored, but no room is waited for.
            shared.set_broken();
        }
        queue.push(&mut sink.jobs);
        drop(ended_queue);
        if let Err(error) = &result
            && error.keeps_session()
        {
            let told = shared.out().abort(error.reason());
            if let Err(lost) = told.and_then(|()| drain(&mut incoming, ended)) {
                result = Err(lost);
            }
        }
        drop(over);
        ticking.thread().unpark();
        result
    });
    transfer.set_phase(Phase::Done);
    result
}

/// Drops what the source sends until it ends.
pub(super) fn drain(incoming: &mut RecordReader<'_>, mut ended: bool) -> Result<()> {
    incoming.wire.start_draining();
    while !ended {
        while let Some(record) = incoming.next()? {
            if !matches!(record, Incoming::Data(_)) {
                ended = true;
                break;
            }
        }
        if !ended {
            incoming.fill()?;
        }
    }
    Ok(())
}

/// What a sink keeps about a directory.
pub(super) struct Directory {
    pub(super) is_new: bool,
    /// Nothing in it can be stored.
    pub(super) is_failed: bool,
    mode: u32,
    modified: TreeTime,
    /// Files in it that are still to come.
    pub(super) due: Cell<usize>,
    is_left: Cell<bool>,
    /// The names that the source has, by a keyed hash; only where others are removed.
    names: RefCell<HashSet<u64>>,
}

pub(super) type Dir = Rc<Node<Directory>>;

pub(super) struct Sink<'a, 'w> {
    pub(super) writer: &'a TreeWriter,
    pub(super) options: &'a TreeOptions,
    pub(super) shared: &'a Shared<'w>,
    pub(super) queue: &'a StoreQueue<'a, 'w>,
    /// Files for the queue, and those that are in it, by their tickets.
    pub(super) jobs: Vec<StoreJob>,
    pub(super) in_queue: HashMap<u64, Wanted>,
    pub(super) next_ticket: u64,
    pub(super) spare: Vec<Vec<u8>>,
    pub(super) transfer: &'a Transfer,
    pub(super) events: Option<&'a TreeEvents>,
    pub(super) choice: TreeChoice,
    has_begun: bool,
    open: OpenDirs<Directory>,
    levels: Vec<Dir>,
    has_top: bool,
    is_finished: bool,
    pub(super) wanted: VecDeque<Wanted>,
    /// A file whose content follows its entry at once.
    pub(super) inline: Option<Wanted>,
    pub(super) wanted_cost: usize,
    pub(super) content: Vec<u8>,
    /// Equal answers that were not sent yet.
    run: Option<(bool, u64)>,
    pub(super) links: SinkLinks<Directory>,
    /// Directories that get a large file, and their times after it.
    pub(super) with_large: Vec<Dir>,
    pub(super) counts: TreeCounts,
    hasher: std::hash::RandomState,
}

impl<'a, 'w> Sink<'a, 'w> {
    fn new(
        writer: &'a TreeWriter,
        options: &'a TreeOptions,
        (shared, queue): (&'a Shared<'w>, &'a StoreQueue<'a, 'w>),
        transfer: &'a Transfer,
        events: Option<&'a TreeEvents>,
    ) -> Self {
        Self {
            writer,
            options,
            shared,
            queue,
            jobs: Vec::new(),
            in_queue: HashMap::new(),
            next_ticket: 0,
            spare: Vec::new(),
            transfer,
            events,
            choice: TreeChoice::default(),
            has_begun: false,
            open: OpenDirs::new(),
            levels: Vec::new(),
            has_top: false,
            is_finished: false,
            wanted: VecDeque::new(),
            inline: None,
            wanted_cost: 0,
            content: Vec::new(),
            run: None,
            links: SinkLinks::new(),
            with_large: Vec::new(),
            counts: TreeCounts::default(),
            hasher: std::hash::RandomState::new(),
        }
    }

    fn run(&mut self, incoming: &mut RecordReader<'_>, ended: &mut bool) -> Result<TreeCounts> {
        if let Some(choice) = self.options.choice.clone() {
            self.tell(choice)?;
        }
        let mut check = StreamCheck::default();
        loop {
            while let Some(record) = incoming.next()? {
                match record {
                    Incoming::Data(mut bytes) => {
                        while !bytes.is_empty() {
                            let (message, rest) = read_message(bytes)?;
                            check.message(&bytes[..bytes.len() - rest.len()], &message);
                            self.take(message)?;
                            bytes = rest;
                        }
                    }
                    Incoming::End(end) => {
                        *ended = true;
                        check.finish(&end)?;
                        if !self.is_finished {
                            return Err(broken("a tree without its end"));
                        }
                        return self.finish();
                    }
                    Incoming::Abort(reason) => {
                        *ended = true;
                        return Err(Error::PeerAborted(reason));
                    }
                }
                self.check_cancel()?;
                self.settle_stored(false)?;
            }
            self.flush_answers()?;
            self.shared.out().flush()?;
            self.check_cancel()?;
            incoming.fill()?;
        }
    }

    pub(super) fn check_cancel(&self) -> Result<()> {
        if self.transfer.is_cancelled() { Err(Error::Aborted) } else { Ok(()) }
    }

    /// The client's choice: kept, and told to a server.
    fn tell(&mut self, choice: TreeChoice) -> Result<()> {
        for rule in choice.filter.rules() {
            let (is_include, pattern) = (rule.is_include(), rule.text());
            self.send(&Message::Rule { is_include, pattern })?;
        }
        for path in choice.chosen.iter().flat_map(e2eeftp_core::tree::ChosenPaths::paths) {
            self.send(&Message::Chosen(path))?;
        }
        self.send(&Message::Begin)?;
        self.choice = choice;
        self.has_begun = true;
        Ok(())
    }

    pub(super) fn send(&self, message: &Message<'_>) -> Result<()> {
        self.shared.out().message(message)
    }

    pub(super) fn answer(&mut self, is_wanted: bool) -> Result<()> {
        match &mut self.run {
            Some((wanted, count)) if *wanted == is_wanted => *count += 1,
            _ => {
                self.flush_answers()?;
                self.run = Some((is_wanted, 1));
            }
        }
        Ok(())
    }

    fn flush_answers(&mut self) -> Result<()> {
        match self.run.take() {
            Some((true, count)) => self.send(&Message::Answer(Answer::Want(count))),
            Some((false, count)) => self.send(&Message::Answer(Answer::Skip(count))),
            None => Ok(()),
        }
    }

    fn take(&mut self, message: Message<'_>) -> Result<()> {
        match message {
            Message::Rule { is_include, pattern } if !self.has_begun => {
                Ok(self.choice.filter.push(is_include, pattern)?)
            }
            Message::Begin if !self.has_begun => {
                self.has_begun = true;
                Ok(())
            }
            _ if !self.has_begun || self.is_finished => Err(broken("a message at the wrong time")),
            Message::Content(content) => self.content(content, None),
            Message::ContentEnd(content, root) => self.content(content, Some(root)),
            Message::ContentFailed => self.content_failed(),
            _ if self.inline.is_some() => Err(broken("a content that does not follow")),
            Message::Enter { name, modified, mode } => self.enter(name, modified, mode),
            Message::Leave { is_complete } => self.leave(is_complete),
            Message::File(entry) => self.file(&entry),
            Message::Symlink { name, target, modified } => self.symlink(name, target, modified),
            Message::Failure(Report { path, code, text }) => {
                self.counts.failed += 1;
                if let Some(events) = self.events {
                    events.failure(self.transfer, path, code, text);
                }
                Ok(())
            }
            Message::Finished
                if self.levels.is_empty() && self.has_top && self.wanted.is_empty() =>
            {
                self.is_finished = true;
                Ok(())
            }
            _ => Err(broken("a message that a source does not send here")),
        }
    }

    /// Reports a failure to this side's caller, or to the peer where that is the client.
    pub(super) fn fail(&mut self, path: &[u8], error: &vfs::Error) -> Result<()> {
        self.counts.failed += 1;
        let text = error.to_string();
        if let Some(events) = self.events {
            events.failure(self.transfer, path, error.code(), &text);
        } else {
            let report = Report { path, code: error.code(), text: &text };
            self.send(&Message::Failure(report))?;
        }
        Ok(())
    }

    /// Counts and tells a name that was removed.
    pub(super) fn removed(&mut self, path: &[u8]) -> Result<()> {
        self.counts.deleted += 1;
        match self.events {
            Some(events) => events.deleted(self.transfer, path),
            None => self.send(&Message::Deleted(path))?,
        }
        self.check_cancel()
    }

    pub(super) fn current(&self) -> Result<Dir> {
        self.levels.last().cloned().ok_or_else(|| broken("an entry outside of the tree"))
    }

    /// The open directory; `None` for one that a dry run did not make.
    pub(super) fn handle(&mut self, directory: &Dir) -> vfs::Result<Option<Arc<TreeDir>>> {
        self.open.get(directory, |path, identity| self.writer.reopen(path, identity))
    }

    fn enter(&mut self, name: &[u8], modified: TreeTime, mode: u32) -> Result<()> {
        if name.is_empty() == self.has_top {
            return Err(broken("a directory in the wrong place"));
        }
        let (path, depth, entered) = if name.is_empty() {
            self.has_top = true;
            (Vec::new(), 0, self.writer.top())
        } else {
            let above = self.current()?;
            let path = above.child_path(name);
            self.remember(&above, name);
            let entered = self.enter_child(&above, name, path.len());
            (path, above.depth + 1, entered)
        };
        let (directory, is_new, failure) = match entered {
            Ok(entered) => (entered.directory, entered.is_new, None),
            Err(error) => (None, false, Some(error)),
        };
        let above_failed = self.levels.last().is_some_and(|above| above.state.is_failed);
        if let Some(error) = failure.as_ref().filter(|_| !above_failed) {
            self.fail(&path, error)?;
        }
        if is_new && failure.is_none() {
            self.counts.directories += 1;
        }
        self.flush_answers()?;
        self.send(&Message::Answer(match failure {
            Some(_) => Answer::DirectoryFailed,
            // Who may not look has nothing to compare with, whatever is there.
            None if is_new || !self.writer.may_compare() => Answer::DirectoryNew,
            None => Answer::DirectoryOld,
        }))?;
        let state = Directory {
            is_new,
            is_failed: failure.is_some(),
            mode,
            modified,
            due: Cell::new(0),
            is_left: Cell::new(false),
            names: RefCell::default(),
        };
        let node = self.open.add(path, depth, directory, state);
        self.levels.push(node);
        Ok(())
    }

    fn enter_child(
        &mut self,
        above: &Dir,
        name: &[u8],
        path_len: usize,
    ) -> vfs::Result<vfs::Entered> {
        if above.state.is_failed {
            return Err(vfs::Error::new(ErrorKind::NotFound, "mkdir"));
        }
        if path_len > MAX_PATH_LEN {
            return Err(vfs::Error::new(ErrorKind::BadPath, "mkdir"));
        }
        let handle = self.handle(above)?;
        self.queue.space.until_there(|| self.writer.enter(handle.as_deref(), name))
    }

    fn leave(&mut self, is_complete: bool) -> Result<()> {
        let directory = self.levels.pop().ok_or_else(|| broken("a way up from the top"))?;
        let state = &directory.state;
        if is_complete && self.writer.deletes() && !state.is_new && !state.is_failed {
            let names = state.names.take();
            if let Err(error) = self.remove_others(&directory, &names) {
                match error {
                    Error::Vfs(error) => self.fail(&directory.path, &error)?,
                    error => return Err(error),
                }
            }
        }
        state.names.take();
        state.is_left.set(true);
        self.finish_directory(&directory)
    }

    fn remove_others(&mut self, directory: &Dir, names: &HashSet<u64>) -> Result<()> {
        self.settle_stored(true)?;
        let Some(handle) = self.handle(directory)? else { return Ok(()) };
        let hasher = self.hasher.clone();
        let is_known = move |name: &[u8]| names.contains(&hash(&hasher, name));
        Removal { sink: self }.run(&handle, &directory.path, &is_known)
    }

    pub(super) fn remember(&self, directory: &Dir, name: &[u8]) {
        if self.writer.deletes() && !directory.state.is_new {
            directory.state.names.borrow_mut().insert(hash(&self.hasher, name));
        }
    }

    /// Gives a directory its attributes once nothing more comes into it.
    pub(super) fn finish_directory(&mut self, directory: &Dir) -> Result<()> {
        let state = &directory.state;
        if state.is_failed || !state.is_left.get() || state.due.get() > 0 {
            return Ok(());
        }
        let result = self.handle(directory).and_then(|handle| {
            let Some(handle) = handle else { return Ok(()) };
            let (mode, modified) = self.attributes(state.mode, state.modified);
            self.writer.finish_directory(&handle, state.is_new, mode, modified)
        });
        match result {
            Ok(()) => Ok(()),
            Err(error) => self.fail(&directory.path, &error),
        }
    }

    pub(super) fn attributes(
        &self,
        mode: u32,
        modified: TreeTime,
    ) -> (Option<u32>, Option<(i64, u32)>) {
        if self.options.preserve {
            (Some(mode), Some((modified.seconds, modified.nanoseconds)))
        } else {
            (None, None)
        }
    }

    fn symlink(&mut self, name: &[u8], target: &[u8], modified: TreeTime) -> Result<()> {
        let directory = self.current()?;
        self.remember(&directory, name);
        if directory.state.is_failed {
            return Ok(());
        }
        let made = self.handle(&directory).and_then(|handle| {
            let (_, modified) = self.attributes(0, modified);
            let depth = directory.depth;
            let handle = handle.as_deref();
            self.queue
                .space
                .until_there(|| self.writer.symlink(handle, name, target, depth, modified))
        });
        match made {
            Ok(made) => {
                self.counts.links += u64::from(made);
                Ok(())
            }
            Err(error) => self.fail(&directory.child_path(name), &error),
        }
    }

    /// Everything was received: what waited for large files, the disk, and the last word.
    fn finish(&mut self) -> Result<TreeCounts> {
        self.flush_answers()?;
        self.shared.out().flush()?;
        while self.events.is_some_and(TreeEvents::has_open_larges) {
            self.check_cancel()?;
            std::thread::sleep(TICK);
        }
        self.transfer.set_phase(Phase::Finishing);
        self.settle_stored(true)?;
        self.late_links()?;
        for directory in std::mem::take(&mut self.with_large) {
            directory.state.due.set(0);
            self.finish_directory(&directory)?;
        }
        self.writer.sync(self.options.durability)?;
        let mut out = self.shared.out();
        out.message(&Message::Counts(self.counts))?;
        out.end()?;
        Ok(self.counts)
    }
}

fn hash(hasher: &std::hash::RandomState, name: &[u8]) -> u64 {
    use std::hash::BuildHasher;
    hasher.hash_one(name)
}
