//! One direction of a dialog: messages packed into records, and taken out of them.
//!
//! A message is whole within a record. The hash of the end covers every byte but the contents of
//! files, for which their roots stand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use e2eeftp_core::crypto::RootHasher;
use e2eeftp_core::record::{CONTENT_OFFSET, HEADER_LEN, Head, InnerType, Opener, Sealer};
use e2eeftp_core::transfer::{End, Reason};
use e2eeftp_core::tree::{Message, write_content_head};

use crate::buffer::{Buffer, data_record_len, longest_record_len, record_content};
use crate::error::{Error, Result};
use crate::link::{elapsed_ms, refuse_flags};
use crate::pump::wire::Wire;

const ROOT_LEN: usize = 32;
/// Tag and length before a content.
const MAX_CONTENT_HEAD_LEN: usize = 11;

/// Packs messages into records and sends them.
pub(super) struct RecordWriter<'a> {
    wire: Wire<'a>,
    sealer: &'a mut Sealer,
    stream: u32,
    epoch: Instant,
    buffer: Buffer,
    /// Content bytes of a full record.
    full: usize,
    /// Sealed bytes in the buffer that have not been sent.
    unsent: std::ops::Range<usize>,
    /// Content bytes of the record that is being filled, which starts at `unsent.end`.
    used: usize,
    total: u64,
    hasher: RootHasher,
    scratch: Vec<u8>,
    last_sent: Instant,
    is_over: bool,
    /// Set by the other direction: a peer that is heard is waited for, also while it reads nothing.
    heard: Option<&'a AtomicBool>,
}

impl<'a> RecordWriter<'a> {
    pub(super) fn new(
        wire: Wire<'a>,
        sealer: &'a mut Sealer,
        stream: u32,
        epoch: Instant,
        heard: Option<&'a AtomicBool>,
    ) -> Self {
        Self {
            wire,
            full: record_content(sealer),
            sealer,
            stream,
            epoch,
            buffer: Buffer::take(),
            unsent: 0..0,
            used: 0,
            total: 0,
            hasher: RootHasher::new(),
            scratch: Vec::new(),
            last_sent: Instant::now(),
            is_over: false,
            heard,
        }
    }

    /// The longest content that one message can carry.
    pub(super) fn max_content(&self) -> usize {
        self.full - MAX_CONTENT_HEAD_LEN - ROOT_LEN
    }

    /// Adds one message. It leaves with the record that it is in.
    pub(super) fn message(&mut self, message: &Message<'_>) -> Result<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        message.write(&mut scratch);
        let added = self.reserve(scratch.len()).map(|room| room.copy_from_slice(&scratch));
        if added.is_ok() {
            self.hasher.update(&scratch);
            self.count(scratch.len());
        }
        self.scratch = scratch;
        added
    }

    /// Adds `len` bytes of content that `fill` puts in place; `fill` returns the root when it is
    /// the last part. When it fails, nothing is added.
    pub(super) fn content(
        &mut self,
        len: usize,
        is_last: bool,
        fill: impl FnOnce(&mut [u8]) -> Result<[u8; ROOT_LEN]>,
    ) -> Result<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        write_content_head(is_last, len, &mut scratch);
        let root_len = if is_last { ROOT_LEN } else { 0 };
        let whole = scratch.len() + len + root_len;
        let filled = self.reserve(whole).and_then(|room| {
            let (head, rest) = room.split_at_mut(scratch.len());
            head.copy_from_slice(&scratch);
            let (content, tail) = rest.split_at_mut(len);
            let root = fill(content)?;
            tail.copy_from_slice(&root[..root_len]);
            Ok(root)
        });
        let result = filled.map(|root| {
            self.hasher.update(&scratch);
            self.hasher.update(&root[..root_len]);
            self.count(whole);
        });
        self.scratch = scratch;
        result
    }

    /// Sends what is there.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.used > 0 {
            self.seal()?;
        }
        self.send()
    }

    /// Sends something if nothing was sent for `interval`.
    pub(super) fn keep_alive(&mut self, interval: Duration) -> Result<()> {
        if self.is_over || self.last_sent.elapsed() < interval {
            return Ok(());
        }
        if self.used == 0 {
            self.seal()?;
        }
        self.flush()
    }

    /// Ends this direction.
    pub(super) fn end(&mut self) -> Result<()> {
        self.flush()?;
        let end = End { total: self.total, root: self.hasher.finalize() };
        self.last_record(InnerType::End, &end.to_wire())
    }

    /// Gives this direction up, unless it has ended.
    pub(super) fn abort(&mut self, reason: Reason) -> Result<()> {
        if self.is_over {
            return Ok(());
        }
        // Records that are sealed have been counted: the peer must see them.
        self.wire.start_draining();
        self.used = 0;
        self.send()?;
        self.last_record(InnerType::Abort, &reason.to_wire())
    }

    fn last_record(&mut self, kind: InnerType, content: &[u8]) -> Result<()> {
        self.is_over = true;
        let mut record = Vec::new();
        let head = Head { kind, flags: 0, stream: self.stream };
        self.sealer.seal_small(head, content, &mut record)?;
        self.wire.write_all(&record)
    }

    fn count(&mut self, len: usize) {
        self.used += len;
        self.total += len as u64;
    }

    /// `len` bytes of content in one record.
    fn reserve(&mut self, len: usize) -> Result<&mut [u8]> {
        if self.is_over || len > self.full {
            return Err(e2eeftp_core::Error::from(e2eeftp_core::Misuse::ContentLength).into());
        }
        if self.used + len > self.full {
            self.seal()?;
            if self.unsent.end + longest_record_len(self.full) > self.buffer.as_mut().len() {
                self.send()?;
            }
        }
        let start = self.unsent.end + CONTENT_OFFSET + self.used;
        Ok(&mut self.buffer.as_mut()[start..start + len])
    }

    /// Seals the record that is being filled.
    fn seal(&mut self) -> Result<()> {
        let now_ms = elapsed_ms(self.epoch);
        if self.sealer.needs_update(now_ms) {
            self.write_unsent()?;
            self.unsent.start = self.unsent.end;
            let mut update = Vec::new();
            self.sealer.seal_update(now_ms, &mut update)?;
            self.wire.write_all(&update)?;
        }
        let record_len = data_record_len(self.used);
        let end = self.unsent.end + record_len;
        let record = &mut self.buffer.as_mut()[self.unsent.end..end];
        let head = Head { kind: InnerType::Data, flags: 0, stream: self.stream };
        self.sealer.seal(head, self.used, record)?;
        self.unsent.end = end;
        self.used = 0;
        Ok(())
    }

    fn write_unsent(&mut self) -> Result<()> {
        let range = self.unsent.clone();
        if range.is_empty() {
            return Ok(());
        }
        let mut bytes = &self.buffer.as_mut()[range];
        while !bytes.is_empty() {
            if self.heard.is_some_and(|heard| heard.swap(false, Ordering::Relaxed)) {
                self.wire.heard();
            }
            let written = self.wire.write_some(bytes)?;
            bytes = &bytes[written..];
        }
        self.last_sent = Instant::now();
        Ok(())
    }

    /// Sends the sealed records. Only while no record is being filled.
    fn send(&mut self) -> Result<()> {
        self.write_unsent()?;
        self.unsent = 0..0;
        Ok(())
    }
}

/// Takes records off the wire.
pub(super) struct RecordReader<'a> {
    pub(super) wire: Wire<'a>,
    opener: &'a mut Opener,
    pending: &'a mut Vec<u8>,
    stream: u32,
    buffer: Buffer,
    /// Received bytes that are not used up.
    unread: std::ops::Range<usize>,
    heard: Option<&'a AtomicBool>,
}

/// What a record brings.
pub(super) enum Incoming<'r> {
    /// Whole messages; empty for "still there".
    Data(&'r [u8]),
    /// The end of the direction.
    End(End),
    /// The peer gave it up.
    Abort(Reason),
}

impl<'a> RecordReader<'a> {
    pub(super) fn new(
        wire: Wire<'a>,
        opener: &'a mut Opener,
        pending: &'a mut Vec<u8>,
        stream: u32,
        heard: Option<&'a AtomicBool>,
    ) -> Self {
        Self { wire, opener, pending, stream, buffer: Buffer::take(), unread: 0..0, heard }
    }

    /// The next record, if all of it was received.
    pub(super) fn next(&mut self) -> Result<Option<Incoming<'_>>> {
        loop {
            self.take_pending();
            let Self { opener, buffer, unread, stream, .. } = self;
            let bytes = &mut buffer.as_mut()[unread.clone()];
            let Some(header) = bytes.first_chunk::<HEADER_LEN>() else { return Ok(None) };
            let len = opener.record_len(header)?;
            if bytes.len() < len {
                return Ok(None);
            }
            let start = unread.start;
            unread.start += len;
            let opened = opener.open(&mut bytes[..len])?;
            if let Some(heard) = self.heard {
                heard.store(true, Ordering::Relaxed);
            }
            refuse_flags(opened.flags)?;
            let (kind, range) = (opened.kind, opened.content_range.clone());
            match kind {
                // A Stop may have crossed the end of an earlier body on the way.
                InnerType::KeyUpdate | InnerType::Stop => {}
                InnerType::Close => return Err(Error::Closed),
                _ if opened.stream != *stream => {
                    return Err(Error::Protocol("a record of another body"));
                }
                InnerType::Data => {
                    let range = start + range.start..start + range.end;
                    return Ok(Some(Incoming::Data(&self.buffer.as_mut()[range])));
                }
                InnerType::End => {
                    let end = End::from_wire(opened.content)?;
                    self.give_back();
                    return Ok(Some(Incoming::End(end)));
                }
                InnerType::Abort => {
                    let reason = Reason::from_wire(opened.content)?;
                    self.give_back();
                    return Ok(Some(Incoming::Abort(reason)));
                }
                _ => return Err(Error::Protocol("a record that does not belong to a dialog")),
            }
        }
    }

    /// Waits for more bytes, at most one tick.
    pub(super) fn fill(&mut self) -> Result<()> {
        let bytes = self.buffer.as_mut();
        bytes.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        let read = self.wire.read(&mut bytes[self.unread.end..], None)?;
        self.unread.end += read.unwrap_or(0);
        Ok(())
    }

    fn take_pending(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let bytes = self.buffer.as_mut();
        bytes.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        let room = &mut bytes[self.unread.end..];
        let len = room.len().min(self.pending.len());
        room[..len].copy_from_slice(&self.pending[..len]);
        self.pending.drain(..len);
        self.unread.end += len;
    }

    /// What stands behind the end of the direction is for whoever reads next.
    fn give_back(&mut self) {
        let rest = self.unread.clone();
        self.pending.splice(0..0, self.buffer.as_mut()[rest].iter().copied());
        self.unread = 0..0;
    }
}

/// Counts and hashes what is received, as the sender's end has it.
#[derive(Default)]
pub(super) struct StreamCheck {
    total: u64,
    hasher: RootHasher,
}

impl StreamCheck {
    /// Takes in one message; `raw` is all of it.
    pub(super) fn message(&mut self, raw: &[u8], message: &Message<'_>) {
        self.total += raw.len() as u64;
        match message {
            Message::Content(content) => self.hasher.update(&raw[..raw.len() - content.len()]),
            Message::ContentEnd(content, root) => {
                self.hasher.update(&raw[..raw.len() - content.len() - ROOT_LEN]);
                self.hasher.update(root);
            }
            _ => self.hasher.update(raw),
        }
    }

    pub(super) fn finish(&self, end: &End) -> Result<()> {
        if end.total == self.total && end.root == self.hasher.finalize() {
            Ok(())
        } else {
            Err(Error::Protocol("the end of a dialog does not match what was received"))
        }
    }
}
