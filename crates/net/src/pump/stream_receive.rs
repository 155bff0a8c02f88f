//! The receiving pump for what is no plain file: a target that takes bytes in order and may be
//! slow, a compressed body, or both.

use std::io::IoSlice;
use std::net::TcpStream;
use std::time::Duration;

use e2eeftp_core::compress::{Decoder, PIECE_HEADER_LEN, PieceHeader};
use e2eeftp_core::crypto::RootHasher;
use e2eeftp_core::record::{HEADER_LEN, InnerType};
use e2eeftp_core::transfer::{End, Notice, Reason};
use e2eeftp_vfs::Staged;

use super::meter::Stage;
use super::reverse::Notices;
use super::space::until_space;
use super::wire::Wire;
use super::{BodyResult, PumpSettings, give_body_up};
use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::link::refuse_flags;
use crate::transfer::Phase;

/// Longest wait for the target between two looks at the cancel.
const TICK: Duration = Duration::from_millis(100);

/// Where the bytes of a body go, in order.
pub trait StreamSink: Send {
    /// Takes the front of `bytes`, which is not empty, and says how much; 0 while it has no room.
    ///
    /// # Errors
    /// Whatever keeps it from taking any.
    fn take(&mut self, bytes: &[u8]) -> Result<usize>;

    /// Waits until there may be room, at most `longest`.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    fn wait(&mut self, longest: Duration) -> Result<()>;
}

/// A staged file as a target.
pub(crate) struct StagedSink<'a> {
    staged: &'a mut dyn Staged,
    offset: u64,
}

impl<'a> StagedSink<'a> {
    pub(crate) fn new(staged: &'a mut dyn Staged) -> Self {
        Self { staged, offset: 0 }
    }
}

impl StreamSink for StagedSink<'_> {
    fn take(&mut self, bytes: &[u8]) -> Result<usize> {
        self.staged.write_at(&mut [IoSlice::new(bytes)], self.offset)?;
        self.offset += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn wait(&mut self, _: Duration) -> Result<()> {
        Ok(())
    }
}

/// Receives one body from a blocking socket into `sink`; `is_coded` says whether it is made of
/// pieces (`docs/PROTOCOL.md` §8.1). What the sink has taken by then is authentic; that it is all
/// is known only once this returns.
///
/// A compressed body takes two buffers of at most 1 MiB, whatever the sender says, and no more
/// than `expected_len` bytes are unpacked. As [`receive_body`](super::receive_body) otherwise.
///
/// # Errors
/// [`Error::Pipe`] and [`Error::Vfs`] when the target fails, [`Error::Integrity`] for damaged
/// pieces and when length or root differ, [`Error::Aborted`] after a cancel,
/// [`Error::PeerAborted`]; connection errors.
pub fn receive_stream(
    socket: &TcpStream,
    sink: &mut dyn StreamSink,
    expected_len: Option<u64>,
    is_coded: bool,
    settings: PumpSettings<'_>,
) -> Result<BodyResult> {
    let transfer = settings.transfer;
    transfer.set_total(expected_len);
    transfer.set_phase(Phase::Moving);
    let wire = Wire::to_receive(socket, &settings)?;
    let notices = Notices::new(&settings);
    let target = Target { sink, expected_len, hasher: RootHasher::new(), received: 0 };
    let pieces = if is_coded { Some(Pieces::new()?) } else { None };
    let mut receiver = Receiver { wire, settings, notices, target, pieces, failure: None };
    let received = receiver.run();
    transfer.set_phase(Phase::Done);
    received
}

/// The sink, and what is known of the content so far.
struct Target<'a> {
    sink: &'a mut dyn StreamSink,
    expected_len: Option<u64>,
    hasher: RootHasher,
    received: u64,
}

impl Target<'_> {
    /// Refuses what would be more than was announced, before it is unpacked or written.
    fn check_room(&self, len: usize) -> Result<()> {
        let end = self.received.saturating_add(len as u64);
        match self.expected_len {
            Some(expected) if end > expected => {
                Err(Error::Integrity("the body is longer than announced"))
            }
            _ => Ok(()),
        }
    }

    fn write(
        &mut self,
        mut bytes: &[u8],
        wire: &mut Wire<'_>,
        settings: &mut PumpSettings<'_>,
    ) -> Result<()> {
        self.check_room(bytes.len())?;
        self.hasher.update(bytes);
        wire.meter.lap(Stage::Hash);
        while !bytes.is_empty() {
            let taken = until_space(wire, settings, || self.sink.take(bytes))?;
            wire.lap(Stage::FileWrite);
            bytes = &bytes[taken..];
            self.received += taken as u64;
            settings.transfer.add(taken as u64);
            if settings.dead.is_cancelled() {
                return Err(Error::Closed);
            }
            if settings.transfer.is_cancelled() {
                return Err(Error::Aborted);
            }
            if taken == 0 {
                self.sink.wait(TICK)?;
                wire.lap(Stage::FileWrite);
            }
        }
        Ok(())
    }
}

/// Puts pieces together from the records that they were cut into.
struct Pieces {
    decoder: Decoder,
    /// The front of a piece that has not arrived in full; never longer than one piece.
    partial: Vec<u8>,
}

impl Pieces {
    fn new() -> Result<Self> {
        Ok(Self { decoder: Decoder::new()?, partial: Vec::new() })
    }

    /// Takes the content of one record and gives every piece that is complete to `target`.
    fn take(
        &mut self,
        mut bytes: &[u8],
        target: &mut Target<'_>,
        wire: &mut Wire<'_>,
        settings: &mut PumpSettings<'_>,
    ) -> Result<()> {
        settings.transfer.add_coded(bytes.len() as u64);
        loop {
            if self.partial.len() < PIECE_HEADER_LEN {
                self.gather(PIECE_HEADER_LEN, &mut bytes);
            }
            let Some(header) = self.partial.first_chunk() else { return Ok(()) };
            let header = PieceHeader::read(header).map_err(|_| BAD_PIECE)?;
            target.check_room(header.plain_len())?;
            let whole = PIECE_HEADER_LEN + header.coded_len();
            self.gather(whole, &mut bytes);
            if self.partial.len() < whole {
                return Ok(());
            }
            let coded = &self.partial[PIECE_HEADER_LEN..];
            let plain = self.decoder.decode(&header, coded).map_err(|_| BAD_PIECE)?;
            wire.meter.lap(Stage::Open);
            target.write(plain, wire, settings)?;
            self.partial.clear();
        }
    }

    /// Moves bytes over until there are `len`, or no more.
    fn gather(&mut self, len: usize, bytes: &mut &[u8]) {
        let (taken, rest) = bytes.split_at(bytes.len().min(len - self.partial.len()));
        self.partial.extend_from_slice(taken);
        *bytes = rest;
    }
}

const BAD_PIECE: Error = Error::Integrity("a piece of the compressed body is damaged");

struct Receiver<'a, 'b> {
    wire: Wire<'b>,
    settings: PumpSettings<'b>,
    notices: Notices,
    target: Target<'a>,
    pieces: Option<Pieces>,
    /// Why the body is being drained instead of kept.
    failure: Option<Error>,
}

enum Outcome {
    Ended(End),
    Aborted(Reason),
}

impl Receiver<'_, '_> {
    fn run(&mut self) -> Result<BodyResult> {
        let mut buffer = Buffer::take();
        let bytes = buffer.as_mut();
        let mut filled = 0;
        loop {
            filled += self.take_pending(&mut bytes[filled..]);
            let (consumed, outcome) = self.process(&mut bytes[..filled])?;
            if let Some(outcome) = outcome {
                self.settings.pending.splice(0..0, bytes[consumed..filled].iter().copied());
                return self.conclude(&outcome);
            }
            bytes.copy_within(consumed..filled, 0);
            filled -= consumed;
            if self.settings.transfer.is_cancelled() && self.failure.is_none() {
                self.give_up(Error::Aborted)?;
            }
            if self.failure.is_none() && self.notices.is_due() && self.wire.is_limited() {
                self.notices.send(Notice::Alive, &mut self.wire, &mut self.settings)?;
            }
            if self.settings.pending.is_empty() {
                filled += self.wire.read(&mut bytes[filled..], None)?.unwrap_or(0);
            }
        }
    }

    /// Moves as much as fits of what was received ahead to the front of `room`.
    fn take_pending(&mut self, room: &mut [u8]) -> usize {
        let len = self.settings.pending.len().min(room.len());
        room[..len].copy_from_slice(&self.settings.pending[..len]);
        self.settings.pending.drain(..len);
        len
    }

    /// Opens the whole records at the front of `bytes`; says how many bytes they were, and how the
    /// body ended if it did.
    fn process(&mut self, bytes: &mut [u8]) -> Result<(usize, Option<Outcome>)> {
        let mut start = 0;
        while let Some(header) = bytes[start..].first_chunk::<HEADER_LEN>() {
            let len = self.settings.opener.record_len(header)?;
            if bytes.len() - start < len {
                break;
            }
            let opened = self.settings.opener.open(&mut bytes[start..start + len])?;
            self.wire.meter.lap(Stage::Open);
            start += len;
            refuse_flags(opened.flags)?;
            match opened.kind {
                // A Stop may have crossed the end of an earlier body on the way.
                InnerType::KeyUpdate | InnerType::Stop => {}
                InnerType::Close => return Err(Error::Closed),
                _ if opened.stream != self.settings.stream => {
                    return Err(Error::Protocol("a record of another body"));
                }
                InnerType::Data if self.failure.is_some() => {}
                InnerType::Data => {
                    let (wire, settings) = (&mut self.wire, &mut self.settings);
                    let taken = match &mut self.pieces {
                        None => self.target.write(opened.content, wire, settings),
                        Some(pieces) => {
                            pieces.take(opened.content, &mut self.target, wire, settings)
                        }
                    };
                    match taken {
                        Err(error) if error.keeps_session() => self.give_up(error)?,
                        other => other?,
                    }
                }
                InnerType::End => {
                    return Ok((start, Some(Outcome::Ended(End::from_wire(opened.content)?))));
                }
                InnerType::Abort => {
                    let reason = Reason::from_wire(opened.content)?;
                    return Ok((start, Some(Outcome::Aborted(reason))));
                }
                _ => return Err(Error::Protocol("a record that does not belong to a body")),
            }
        }
        Ok((start, None))
    }

    /// Asks the sender to stop; what still arrives of this body is opened and dropped.
    fn give_up(&mut self, failure: Error) -> Result<()> {
        give_body_up(&mut self.wire, &mut self.settings, InnerType::Stop, &failure)?;
        self.failure = Some(failure);
        Ok(())
    }

    fn conclude(&mut self, outcome: &Outcome) -> Result<BodyResult> {
        self.settings.transfer.set_phase(Phase::Finishing);
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let end = match outcome {
            Outcome::Ended(end) => end,
            Outcome::Aborted(reason) => return Err(Error::PeerAborted(*reason)),
        };
        if self.pieces.as_ref().is_some_and(|pieces| !pieces.partial.is_empty()) {
            return Err(Error::Integrity("the body ends within a piece"));
        }
        let Target { received, expected_len, hasher, .. } = &self.target;
        if end.total != *received || expected_len.is_some_and(|len| len != end.total) {
            return Err(Error::Integrity("the body has not the announced length"));
        }
        let root = hasher.finalize();
        if root != end.root {
            return Err(Error::Integrity("the BLAKE3 root does not match what was received"));
        }
        Ok(BodyResult { bytes: *received, root })
    }
}
