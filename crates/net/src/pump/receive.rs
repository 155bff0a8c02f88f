//! The receiving pump: read, open, hash, write.

use std::io::IoSlice;
use std::net::TcpStream;
use std::ops::Range;

use e2eeftp_core::crypto::RootHasher;
use e2eeftp_core::record::{HEADER_LEN, InnerType, TAG_LEN};
use e2eeftp_core::transfer::{End, Notice, Reason};
use e2eeftp_vfs::Staged;

use super::meter::Stage;
use super::reverse::Notices;
use super::space::until_space;
use super::wire::Wire;
use super::{BodyResult, PumpSettings, give_body_up};
use crate::buffer::{Buffer, RECORD_CONTENT, RECORD_STRIDE, data_record_len};
use crate::error::{Error, Result};
use crate::link::refuse_flags;
use crate::transfer::Phase as TransferPhase;

/// Records whose content is gathered for one write.
const MAX_PIECES: usize = 64;
/// Length of an end record, padded as small records are.
const END_RECORD_LEN: usize = HEADER_LEN + 64 + TAG_LEN;

/// Receives one body from a blocking socket into `staged`, from its offset 0 on.
///
/// `expected_len` is what the sender announced; a longer body is refused, a shorter one fails the
/// comparison at the end. Returns once length and BLAKE3 root have been compared; the caller
/// commits or aborts the staged file. On every failure that leaves the connection alive the sender
/// has been stopped and its remaining records were drained ([`Error::keeps_session`]).
///
/// # Errors
/// [`Error::Vfs`] when the target fails, [`Error::Integrity`] when length or root differ,
/// [`Error::Aborted`] after a cancel, [`Error::PeerAborted`]; connection errors.
pub fn receive_body(
    socket: &TcpStream,
    staged: &mut dyn Staged,
    expected_len: Option<u64>,
    settings: PumpSettings<'_>,
) -> Result<BodyResult> {
    settings.transfer.set_total(expected_len);
    settings.transfer.set_phase(TransferPhase::Moving);
    let transfer = settings.transfer;
    let wire = Wire::to_receive(socket, &settings)?;
    let notices = Notices::new(&settings);
    let mut receiver = Receiver {
        wire,
        settings,
        notices,
        staged,
        expected_len,
        hasher: RootHasher::new(),
        received: 0,
        failure: None,
    };
    let received = receiver.run();
    transfer.set_phase(TransferPhase::Done);
    received
}

struct Receiver<'a, 'b> {
    wire: Wire<'b>,
    settings: PumpSettings<'b>,
    notices: Notices,
    staged: &'a mut dyn Staged,
    expected_len: Option<u64>,
    hasher: RootHasher,
    /// Content bytes hashed and written.
    received: u64,
    /// Why the body is being drained instead of kept.
    failure: Option<Error>,
}

/// How a batch of records ended.
enum Outcome {
    More,
    Ended(End),
    Aborted(Reason),
}

impl Receiver<'_, '_> {
    fn run(&mut self) -> Result<BodyResult> {
        let mut buffer = Buffer::take();
        let bytes = buffer.as_mut();
        let mut filled = 0;
        let mut outcome = Outcome::More;
        loop {
            filled += self.settings.take_pending(&mut bytes[filled..]);
            let mut consumed = 0;
            loop {
                let used = self.process(&mut bytes[consumed..filled], &mut outcome)?;
                consumed += used;
                if used == 0 || !matches!(outcome, Outcome::More) {
                    break;
                }
            }
            let rest = consumed..filled;
            match outcome {
                Outcome::More => {}
                Outcome::Ended(end) => {
                    self.settings.pending.splice(0..0, bytes[rest].iter().copied());
                    return self.finish(&end);
                }
                Outcome::Aborted(reason) => {
                    self.settings.pending.splice(0..0, bytes[rest].iter().copied());
                    return Err(self.failure.take().unwrap_or(Error::PeerAborted(reason)));
                }
            }
            filled = rest.len();
            bytes.copy_within(rest, 0);
            if self.settings.transfer.is_cancelled() && self.failure.is_none() {
                self.give_up(Error::Aborted)?;
            }
            if !self.settings.pending.is_empty() {
                continue;
            }
            if self.failure.is_none() && self.notices.is_due() && self.wire.is_limited() {
                self.notices.send(Notice::Alive, &mut self.wire, &mut self.settings)?;
            }
            let wanted = self.wanted(filled);
            filled += self.wire.read(&mut bytes[filled..], wanted)?.unwrap_or(0);
        }
    }

    /// Opens whole records at the front of `bytes`, at most [`MAX_PIECES`] of them with content,
    /// and writes that with one call. Returns the bytes used up; 0 when there is no whole record.
    fn process(&mut self, bytes: &mut [u8], outcome: &mut Outcome) -> Result<usize> {
        let mut pieces: [Range<usize>; MAX_PIECES] = [const { 0..0 }; MAX_PIECES];
        let mut count = 0;
        let mut start = 0;
        while count < MAX_PIECES && matches!(outcome, Outcome::More) {
            let Some(header) = bytes[start..].first_chunk::<HEADER_LEN>() else { break };
            let len = self.settings.opener.record_len(header)?;
            if bytes.len() - start < len {
                break;
            }
            let record = &mut bytes[start..start + len];
            let opened = self.settings.opener.open(record)?;
            self.wire.meter.lap(Stage::Open);
            refuse_flags(opened.flags)?;
            match opened.kind {
                // A Stop may have crossed the end of an earlier body on the way.
                InnerType::KeyUpdate | InnerType::Stop => {}
                InnerType::Close => return Err(Error::Closed),
                _ if opened.stream != self.settings.stream => {
                    return Err(Error::Protocol("a record of another body"));
                }
                InnerType::Data => {
                    if self.failure.is_none() {
                        self.hasher.update(opened.content);
                        self.wire.meter.lap(Stage::Hash);
                        let range = opened.content_range;
                        pieces[count] = start + range.start..start + range.end;
                        count += 1;
                    }
                }
                InnerType::End => *outcome = Outcome::Ended(End::from_wire(opened.content)?),
                InnerType::Abort => *outcome = Outcome::Aborted(Reason::from_wire(opened.content)?),
                _ => return Err(Error::Protocol("a record that does not belong to a body")),
            }
            start += len;
        }
        self.write(bytes, &pieces[..count])?;
        Ok(start)
    }

    fn write(&mut self, bytes: &[u8], pieces: &[Range<usize>]) -> Result<()> {
        if pieces.is_empty() {
            return Ok(());
        }
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        if self.expected_len.is_some_and(|expected| self.received + len > expected) {
            return self.give_up(Error::Integrity("the body is longer than announced"));
        }
        let (staged, offset) = (&mut self.staged, self.received);
        let written = until_space(&mut self.wire, &mut self.settings, || {
            let mut slices = [IoSlice::new(&[]); MAX_PIECES];
            for (slice, piece) in slices.iter_mut().zip(pieces) {
                *slice = IoSlice::new(&bytes[piece.clone()]);
            }
            Ok(staged.write_at(&mut slices[..pieces.len()], offset)?)
        });
        self.wire.lap(Stage::FileWrite);
        match written {
            Ok(()) => {
                self.received += len;
                self.settings.transfer.add(len);
                Ok(())
            }
            Err(error) if error.keeps_session() => self.give_up(error),
            Err(error) => Err(error),
        }
    }

    /// Asks the sender to stop; what still arrives of this body is opened and dropped.
    fn give_up(&mut self, failure: Error) -> Result<()> {
        let told = give_body_up(&mut self.wire, &mut self.settings, InnerType::Stop, &failure);
        self.failure = Some(failure);
        told
    }

    fn finish(&mut self, end: &End) -> Result<BodyResult> {
        self.settings.transfer.set_phase(TransferPhase::Finishing);
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if end.total != self.received || self.expected_len.is_some_and(|len| len != end.total) {
            return Err(Error::Integrity("the body has not the announced length"));
        }
        let root = self.hasher.finalize();
        if root != end.root {
            return Err(Error::Integrity("the BLAKE3 root does not match what was received"));
        }
        Ok(BodyResult { bytes: self.received, root })
    }

    /// How many bytes are worth waiting for in one call: a full buffer, or what is left of a body
    /// of known length. A guess about the peer's record sizes; a wrong one costs a tick, not more.
    fn wanted(&self, filled: usize) -> Option<usize> {
        let expected = self.expected_len.filter(|_| self.failure.is_none())?;
        let left = expected.saturating_sub(self.received);
        let full = left / RECORD_CONTENT as u64;
        let tail = usize::try_from(left % RECORD_CONTENT as u64).unwrap_or(0);
        let tail = if tail == 0 { 0 } else { data_record_len(tail) };
        let rest = u64::try_from(tail + END_RECORD_LEN).unwrap_or(0);
        let wire_len = full.saturating_mul(RECORD_STRIDE as u64).saturating_add(rest);
        let wanted = usize::try_from(wire_len).unwrap_or(usize::MAX).saturating_sub(filled);
        // Used up, and the end has not come: the guess was wrong.
        (wanted > 0).then_some(wanted)
    }
}
