//! The side that has the tree.

use std::cell::Cell;
use std::collections::VecDeque;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use e2eeftp_core::crypto::RootHasher;
use e2eeftp_core::transfer::Reason;
use e2eeftp_core::tree::{
    Answer, FileEntry, Message, Report, SMALL_MAX_LEN, TreeCounts, TreeTime, read_message,
};
use e2eeftp_vfs::{self as vfs, ErrorKind, TreeReader, TreeStat};

use super::dirs::{Node, OpenDirs};
use super::records::{Incoming, RecordReader, RecordWriter, StreamCheck};
use super::walk::{Directory, Walk};
use super::{
    Over, Shared, TreeChoice, TreeOptions, TreeSettings, WINDOW_COST, begin, broken, cost_of,
    drain_timeout,
};
use crate::error::{Error, Result};
use crate::pump::wire::Wire;
use crate::transfer::Phase;

/// Content that is hashed at once.
const HASH_LEN: usize = 1 << 20;
/// Waits are cut into pieces of this length, to notice a cancel.
const TICK: Duration = Duration::from_millis(50);

/// Sends a tree over a blocking socket. Returns when the sink has said what it made of it.
///
/// Names that can't be read are reported and left out. On every failure that leaves the connection
/// alive the peer has been told, and both sides are in step ([`Error::keeps_session`]).
///
/// # Errors
/// [`Error::Aborted`] after a cancel, [`Error::PeerAborted`], [`Error::Vfs`] when the top can't be
/// read; [`Error::Protocol`] and connection errors.
pub fn send_tree(
    socket: &TcpStream,
    reader: &TreeReader,
    options: &TreeOptions,
    settings: TreeSettings<'_>,
) -> Result<TreeCounts> {
    let TreeSettings { pump, keep_alive, events } = settings;
    let transfer = pump.transfer;
    begin(transfer);
    let (outbound, inbound) = (Wire::to_send(socket, &pump)?, Wire::to_receive(socket, &pump)?);
    let heard = AtomicBool::new(false);
    let out = RecordWriter::new(outbound, pump.sealer, pump.stream, pump.epoch, Some(&heard));
    let incoming = RecordReader::new(inbound, pump.opener, pump.pending, pump.stream, Some(&heard));
    let shared = Shared::new(out);
    let inbox = Inbox::default();
    let result = std::thread::scope(|scope| {
        let listening = scope.spawn(|| {
            inbox.listen(incoming, &shared, transfer, events.as_deref(), options.choice.is_none())
        });
        let ticking = scope.spawn(|| shared.keep_alive(keep_alive));
        let over = Over(&shared);
        let mut source = Source {
            open: OpenDirs::new(),
            pending: VecDeque::new(),
            pending_cost: 0,
            links: super::link_names::SourceLinks::default(),
            checksum_buffer: Vec::new(),
            reader,
            options,
            shared: &shared,
            inbox: &inbox,
            transfer,
            events: events.as_deref(),
            failed: Cell::new(0),
        };
        let mut result = source.run(options.choice.clone());
        if let Err(error) = &result
            && error.keeps_session()
            && let Err(lost) = shared.out().abort(error.reason())
        {
            result = Err(lost);
        }
        drop(over);
        ticking.thread().unpark();
        match listening.join() {
            // The first thing that went wrong; but a connection that broke is more than a file.
            Ok(Err(heard)) if !heard.keeps_session() => match &result {
                Err(error) if !error.keeps_session() => {}
                _ => result = Err(heard),
            },
            Ok(_) => {}
            Err(_) => result = Err(Error::Io("tree", std::io::Error::other("a thread failed"))),
        }
        result
    });
    transfer.set_phase(Phase::Done);
    result
}

/// What was heard from the sink.
#[derive(Default)]
struct Inbox {
    state: Mutex<InboxState>,
    changed: Condvar,
}

#[derive(Default)]
struct InboxState {
    answers: VecDeque<Answer>,
    /// The client's choice so far, and whether it is complete.
    choice: TreeChoice,
    has_begun: bool,
    counts: Option<TreeCounts>,
    /// The sink has ended its direction, after its counts.
    has_ended: bool,
    aborted: Option<Reason>,
    /// The connection failed, or the peer broke the protocol.
    is_lost: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, InboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the sink says until it ends or this side is over.
    fn listen(
        &self,
        mut incoming: RecordReader<'_>,
        shared: &Shared<'_>,
        transfer: &crate::Transfer,
        events: Option<&super::TreeEvents>,
        takes_choice: bool,
    ) -> Result<()> {
        let heard = self.read(&mut incoming, shared, transfer, events, takes_choice);
        if heard.is_err() {
            self.lock().is_lost = true;
        }
        self.changed.notify_all();
        heard
    }

    fn read(
        &self,
        incoming: &mut RecordReader<'_>,
        shared: &Shared<'_>,
        transfer: &crate::Transfer,
        events: Option<&super::TreeEvents>,
        takes_choice: bool,
    ) -> Result<()> {
        let mut check = StreamCheck::default();
        let mut deadline: Option<Instant> = None;
        loop {
            while let Some(record) = incoming.next()? {
                match record {
                    Incoming::Data(mut bytes) => {
                        while !bytes.is_empty() {
                            let (message, rest) = read_message(bytes)?;
                            check.message(&bytes[..bytes.len() - rest.len()], &message);
                            if deadline.is_none() {
                                self.take(message, transfer, events, takes_choice)?;
                            }
                            bytes = rest;
                        }
                    }
                    Incoming::End(end) => {
                        check.finish(&end)?;
                        let mut state = self.lock();
                        if state.counts.is_none() && deadline.is_none() {
                            return Err(broken("a sink that says nothing of what it did"));
                        }
                        state.has_ended = true;
                        return Ok(());
                    }
                    Incoming::Abort(reason) => {
                        self.lock().aborted = Some(reason);
                        return Ok(());
                    }
                }
            }
            // An end of this side that the sink has not followed yet: give it a moment.
            if shared.is_over() {
                let now = Instant::now();
                if now >= *deadline.get_or_insert_with(|| now + drain_timeout()) {
                    return Err(Error::Timeout("the peer did not wind the transfer up"));
                }
            }
            incoming.fill()?;
        }
    }

    fn take(
        &self,
        message: Message<'_>,
        transfer: &crate::Transfer,
        events: Option<&super::TreeEvents>,
        takes_choice: bool,
    ) -> Result<()> {
        match message {
            Message::Failure(Report { path, code, text }) => {
                if let Some(events) = events {
                    events.failure(transfer, path, code, text);
                }
                return Ok(());
            }
            Message::Deleted(path) => {
                if let Some(events) = events {
                    events.deleted(transfer, path);
                }
                return Ok(());
            }
            _ => {}
        }
        let mut state = self.lock();
        match message {
            Message::Rule { is_include, pattern } if takes_choice && !state.has_begun => {
                state.choice.filter.push(is_include, pattern)?;
            }
            Message::Chosen(path) if takes_choice && !state.has_begun => {
                state.choice.chosen.get_or_insert_default().push(path)?;
            }
            Message::Begin if takes_choice && !state.has_begun => {
                state.has_begun = true;
                self.changed.notify_all();
            }
            Message::Answer(answer) if state.counts.is_none() => {
                state.answers.push_back(answer);
                // More than there can be entries under way: the main thread judges each.
                if state.answers.len() > WINDOW_COST / super::ENTRY_COST {
                    return Err(broken("answers to nothing"));
                }
                self.changed.notify_all();
            }
            Message::Space { is_full } if state.counts.is_none() => {
                transfer.set_phase(if is_full { Phase::WaitingForSpace } else { Phase::Moving });
            }
            Message::Counts(counts) if state.counts.is_none() => state.counts = Some(counts),
            _ => return Err(broken("a message that a sink does not send here")),
        }
        Ok(())
    }
}

/// An entry that was sent and not answered.
enum Pending {
    Directory(Rc<Node<Directory>>),
    File { directory: Rc<Node<Directory>>, name: Vec<u8>, stat: TreeStat },
}

/// The running source.
pub(super) struct Source<'a, 'w> {
    pub(super) open: OpenDirs<Directory>,
    pending: VecDeque<Pending>,
    pending_cost: usize,
    links: super::link_names::SourceLinks,
    checksum_buffer: Vec<u8>,
    pub(super) reader: &'a TreeReader,
    pub(super) options: &'a TreeOptions,
    shared: &'a Shared<'w>,
    inbox: &'a Inbox,
    transfer: &'a crate::Transfer,
    events: Option<&'a super::TreeEvents>,
    /// Failures that the sink was not told of.
    failed: Cell<u64>,
}

impl Source<'_, '_> {
    fn run(&mut self, choice: Option<TreeChoice>) -> Result<TreeCounts> {
        let choice = match choice {
            Some(choice) => {
                let mut out = self.shared.out();
                for rule in choice.filter.rules() {
                    let (is_include, pattern) = (rule.is_include(), rule.text());
                    out.message(&Message::Rule { is_include, pattern })?;
                }
                out.message(&Message::Begin)?;
                drop(out);
                choice
            }
            None => self.await_choice()?,
        };
        let mut walk = Walk::begin(self, choice)?;
        while walk.step(self)? {
            self.hear(false)?;
            while self.pending_cost >= WINDOW_COST {
                self.hear(true)?;
            }
        }
        walk.finish(self)?;
        while !self.pending.is_empty() {
            self.hear(true)?;
        }
        while self.events.is_some_and(super::TreeEvents::has_open_larges) {
            self.hear(false)?;
            self.check_cancel()?;
            self.flush()?;
            std::thread::sleep(TICK);
        }
        self.check_cancel()?;
        self.send(&Message::Finished)?;
        self.shared.out().end()?;
        self.await_end()
    }

    /// Sends a message.
    pub(super) fn send(&self, message: &Message<'_>) -> Result<()> {
        self.shared.out().message(message)
    }

    fn flush(&self) -> Result<()> {
        self.shared.out().flush()
    }

    fn check_cancel(&self) -> Result<()> {
        if self.transfer.is_cancelled() { Err(Error::Aborted) } else { Ok(()) }
    }

    /// Reports a failure to this side's caller, or to the peer where that is the client.
    pub(super) fn fail(&self, path: &[u8], error: &vfs::Error) -> Result<()> {
        let text = error.to_string();
        if let Some(events) = self.events {
            self.failed.set(self.failed.get() + 1);
            events.failure(self.transfer, path, error.code(), &text);
        } else {
            let report = Report { path, code: error.code(), text: &text };
            self.send(&Message::Failure(report))?;
        }
        Ok(())
    }

    fn await_choice(&mut self) -> Result<TreeChoice> {
        let mut state = self.inbox.lock();
        loop {
            if state.has_begun {
                return Ok(std::mem::take(&mut state.choice));
            }
            check_state(&state)?;
            self.check_cancel()?;
            state = wait(&self.inbox.changed, state);
        }
    }

    fn await_end(&mut self) -> Result<TreeCounts> {
        self.transfer.set_phase(Phase::Finishing);
        let mut state = self.inbox.lock();
        loop {
            if state.has_ended {
                let mut counts = state.counts.ok_or_else(|| broken("no counts"))?;
                counts.failed += self.failed.get();
                return Ok(counts);
            }
            check_state(&state)?;
            self.check_cancel()?;
            state = wait(&self.inbox.changed, state);
        }
    }

    /// Acts on the answers that have arrived. With `wait` at least one is waited for.
    fn hear(&mut self, is_waiting: bool) -> Result<()> {
        self.check_cancel()?;
        let mut state = self.inbox.lock();
        if is_waiting && state.answers.is_empty() {
            drop(state);
            self.flush()?;
            state = self.inbox.lock();
            while state.answers.is_empty() {
                check_state(&state)?;
                if state.counts.is_some() || state.has_ended {
                    return Err(broken("a sink that ends before its answers"));
                }
                self.check_cancel()?;
                state = wait(&self.inbox.changed, state);
            }
        }
        check_state(&state)?;
        let answers = std::mem::take(&mut state.answers);
        drop(state);
        for answer in answers {
            self.act(answer)?;
        }
        Ok(())
    }

    fn act(&mut self, answer: Answer) -> Result<()> {
        let (count, is_wanted) = match answer {
            Answer::Want(count) => (count, true),
            Answer::Skip(count) => (count, false),
            Answer::DirectoryNew | Answer::DirectoryOld | Answer::DirectoryFailed => {
                let Some(Pending::Directory(node)) = self.pending.pop_front() else {
                    return Err(broken("an answer to nothing"));
                };
                self.pending_cost -= cost_of(node.path.len());
                let can_inline = answer == Answer::DirectoryNew && !self.options.dry_run;
                node.state.is_fresh.set(can_inline);
                node.state.is_refused.set(answer == Answer::DirectoryFailed);
                return Ok(());
            }
        };
        if count > self.pending.len() as u64 {
            return Err(broken("more answers than entries"));
        }
        for _ in 0..count {
            self.check_cancel()?;
            let Some(Pending::File { directory, name, stat }) = self.pending.pop_front() else {
                return Err(broken("an answer to nothing"));
            };
            self.pending_cost -= cost_of(directory.path.len() + name.len());
            if is_wanted {
                self.deliver(&directory, &name, stat)?;
            } else if let Some(events) = self.events {
                events.skipped(1);
            }
        }
        Ok(())
    }

    /// Announces a file, and sends it at once where nothing is there to compare with.
    pub(super) fn file(
        &mut self,
        directory: &Rc<Node<Directory>>,
        name: &[u8],
        stat: TreeStat,
    ) -> Result<()> {
        let link = self.links.number(&stat);
        let is_large = stat.size > SMALL_MAX_LEN;
        let has_content = !is_large && link.is_none_or(|(_, is_first)| is_first);
        let is_inline = has_content && directory.state.is_fresh.get();
        let mut root = None;
        if self.options.checksum && !is_inline && link.is_none_or(|(_, is_first)| is_first) {
            match self.hash(directory, name, stat) {
                Ok(hashed) => root = Some(hashed),
                Err(Error::Vfs(error)) => return self.fail(&directory.child_path(name), &error),
                Err(error) => return Err(error),
            }
        }
        if let Some(events) = self.events {
            events.found(stat.size);
        }
        let entry = FileEntry {
            name,
            size: stat.size,
            modified: time_of(&stat),
            mode: stat.mode,
            root,
            is_inline,
            is_large,
            link,
        };
        self.send(&Message::File(entry))?;
        if is_inline {
            return self.small_content(directory, name, stat);
        }
        if link.is_none_or(|(_, is_first)| is_first) {
            let name = name.to_vec();
            self.pending_cost += cost_of(directory.path.len() + name.len());
            self.pending.push_back(Pending::File { directory: Rc::clone(directory), name, stat });
        }
        Ok(())
    }

    /// Announces a directory.
    pub(super) fn enter(
        &mut self,
        node: &Rc<Node<Directory>>,
        name: &[u8],
        stat: &TreeStat,
    ) -> Result<()> {
        self.send(&Message::Enter { name, modified: time_of(stat), mode: stat.mode })?;
        self.pending_cost += cost_of(node.path.len());
        self.pending.push_back(Pending::Directory(Rc::clone(node)));
        Ok(())
    }

    /// Sends a file that is wanted, or hands it over.
    fn deliver(
        &mut self,
        directory: &Rc<Node<Directory>>,
        name: &[u8],
        stat: TreeStat,
    ) -> Result<()> {
        if self.options.dry_run {
            if let Some(events) = self.events {
                events.moved(self.transfer, || directory.child_path(name), stat.size);
            }
            return Ok(());
        }
        if stat.size <= SMALL_MAX_LEN {
            return self.small_content(directory, name, stat);
        }
        match self.events {
            Some(events) => {
                self.flush()?;
                events.large(self.transfer, directory.child_path(name), stat.size);
                Ok(())
            }
            None => Err(broken("a large file asked for inside the dialog")),
        }
    }

    /// Sends the content of a small file, or says that it does not come.
    fn small_content(
        &mut self,
        directory: &Rc<Node<Directory>>,
        name: &[u8],
        stat: TreeStat,
    ) -> Result<()> {
        let sent = self.try_small_content(directory, name, stat);
        match sent {
            Ok(()) => {
                self.transfer.add(stat.size);
                if let Some(events) = self.events {
                    events.moved(self.transfer, || directory.child_path(name), stat.size);
                }
                Ok(())
            }
            Err(Error::Vfs(error)) => {
                self.send(&Message::ContentFailed)?;
                self.fail(&directory.child_path(name), &error)
            }
            Err(error) => Err(error),
        }
    }

    fn try_small_content(
        &mut self,
        directory: &Rc<Node<Directory>>,
        name: &[u8],
        stat: TreeStat,
    ) -> Result<()> {
        let path = directory.child_path(name);
        let handle = self.handle(directory)?;
        let file = self.reader.open_known(&handle, name, &path, stat)?;
        let size = usize::try_from(stat.size).unwrap_or(usize::MAX);
        let mut out = self.shared.out();
        let piece = out.max_content();
        if size <= piece {
            return out.content(size, true, |content| {
                file.read_exactly(content, 0)?;
                check_same(&file, &stat)?;
                let mut hasher = RootHasher::new();
                hasher.update(content);
                Ok(hasher.finalize())
            });
        }
        let mut hasher = RootHasher::new();
        let mut offset = 0;
        while offset < size {
            let len = (size - offset).min(piece);
            let is_last = offset + len == size;
            out.content(len, is_last, |content| {
                file.read_exactly(content, offset as u64)?;
                hasher.update(content);
                if is_last {
                    check_same(&file, &stat)?;
                }
                Ok(hasher.finalize())
            })?;
            offset += len;
        }
        Ok(())
    }

    /// Length and root of a file that is to be compared by content.
    fn hash(
        &mut self,
        directory: &Rc<Node<Directory>>,
        name: &[u8],
        stat: TreeStat,
    ) -> Result<[u8; 32]> {
        let path = directory.child_path(name);
        let handle = self.handle(directory)?;
        let file = self.reader.open_known(&handle, name, &path, stat)?;
        let mut hasher = RootHasher::new();
        self.checksum_buffer.resize(HASH_LEN, 0);
        let mut offset = 0;
        while offset < stat.size {
            self.check_cancel()?;
            let len = usize::try_from(stat.size - offset).unwrap_or(usize::MAX);
            let len = len.min(self.checksum_buffer.len());
            let piece = &mut self.checksum_buffer[..len];
            file.read_exactly(piece, offset)?;
            hasher.update(piece);
            offset += len as u64;
        }
        check_same(&file, &stat)?;
        Ok(hasher.finalize())
    }

    /// The open directory.
    pub(super) fn handle(
        &mut self,
        node: &Rc<Node<Directory>>,
    ) -> Result<Arc<e2eeftp_vfs::TreeDir>> {
        let handle = self.open.get(node, |path, identity| self.reader.reopen(path, identity))?;
        Ok(handle.ok_or_else(|| vfs::Error::new(ErrorKind::NotFound, "open"))?)
    }
}

/// The file must be the one that was announced.
fn check_same(file: &vfs::OpenFile, announced: &TreeStat) -> Result<()> {
    let now = file.stat();
    if (now.size, now.modified) != (announced.size, announced.modified) {
        return Err(vfs::Error::new(ErrorKind::SourceChanged, "read").into());
    }
    Ok(file.check_unchanged()?)
}

fn time_of(stat: &TreeStat) -> TreeTime {
    TreeTime { seconds: stat.modified.0, nanoseconds: stat.modified.1 }
}

fn check_state(state: &InboxState) -> Result<()> {
    if let Some(reason) = state.aborted {
        return Err(Error::PeerAborted(reason));
    }
    // The listening thread has the reason.
    if state.is_lost { Err(Error::Aborted) } else { Ok(()) }
}

fn wait<'a>(changed: &Condvar, state: MutexGuard<'a, InboxState>) -> MutexGuard<'a, InboxState> {
    changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0
}
