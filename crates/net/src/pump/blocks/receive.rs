//! The receiving side: read, open, hash, write, block by block.

use std::io::IoSlice;
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use e2eeftp_core::crypto::BlockHasher;
use e2eeftp_core::record::{HEADER_LEN, InnerType};
use e2eeftp_core::transfer::{BlockHead, End, KeptBlock, Notice, Reason, ReceivePlan};
use e2eeftp_vfs::BlockStaged;

use super::BlocksResult;
use super::map_body::{drain_map, hear_abort, send_map};
use super::receive_board::{FIRST_LANE, LaneId, ReceiveBoard};
use crate::buffer::{Buffer, RECORD_CONTENT, RECORD_STRIDE};
use crate::error::{Error, Result};
use crate::link::{elapsed_ms, refuse_flags};
use crate::pump::meter::Stage;
use crate::pump::reverse::Notices;
use crate::pump::space::until_space;
use crate::pump::wire::Wire;
use crate::pump::{PumpSettings, give_body_up, say_still_there};
use crate::transfer::Phase;

/// Records whose content is gathered for one write.
const MAX_PIECES: usize = 64;
/// Pause between two looks at the thread that proves what was kept.
const PATIENCE: Duration = Duration::from_millis(100);
/// Zeros that are hashed between two looks at whether the transfer goes on, in bytes.
const HOLE_STEP: u64 = 16 << 20;
/// Zeros to hash in place of a hole.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Receives a file by blocks into `staged`, after telling the sender what is there of it already.
///
/// `on_start` is called when the sender may begin: from then on further lanes may take part.
///
/// Returns once all blocks are there and their root has been compared; the caller commits. After a
/// failure what has arrived is claimed in the journal, where `staged` has one, so that a later transfer
/// goes on from there. On every failure that leaves the connection alive the sender has been stopped and
/// its remaining records were drained ([`Error::keeps_session`]).
///
/// # Errors
/// [`Error::Vfs`] when the target fails, [`Error::Integrity`] when blocks are missing or the root differs,
/// [`Error::Aborted`] after a cancel, [`Error::PeerAborted`]; connection errors.
pub(crate) fn receive_blocks(
    socket: &TcpStream,
    staged: Arc<dyn BlockStaged>,
    mut settings: PumpSettings<'_>,
    on_start: impl FnOnce(&Arc<ReceiveBoard>),
) -> Result<BlocksResult> {
    let transfer = settings.transfer;
    transfer.set_total(Some(staged.layout().size()));
    transfer.set_phase(Phase::Moving);
    let mut wire = Wire::to_receive(socket, &settings)?;
    let board = match adopt(&mut wire, &mut settings, &*staged) {
        Ok(adopted) => Arc::new(ReceiveBoard::new(staged, transfer.clone(), &adopted)),
        Err(error) if error.keeps_session() => {
            // The sender waits for a map; it gets none, and ends a body that has not begun.
            give_body_up(&mut wire, &mut settings, InnerType::Abort, &error)?;
            if !matches!(error, Error::PeerAborted(_)) {
                drain_map(&mut wire, &mut settings)?;
            }
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    let received = std::thread::scope(|scope| {
        let named = |name: &str| std::thread::Builder::new().name(name.into());
        let started = named("e2eeftp-prove")
            .spawn_scoped(scope, || board.prove_kept())
            .and_then(|_| named("e2eeftp-journal").spawn_scoped(scope, || board.keep_journal()))
            .map_err(|error| Error::Io("start a thread", error));
        let received = started.and_then(|_| {
            on_start(&board);
            send_map(&mut wire, &mut settings, &board.map())?;
            Receiver::new(&mut wire, &mut settings, &board, FIRST_LANE).run()
        });
        board.end();
        received
    });
    // Whoever comes next may have the file for itself.
    board.wait_for_lanes();
    if received.is_ok() {
        board.note();
    } else {
        // What brought the transfer down is the one to report. What can't be claimed is sent again.
        let _ = board.checkpoint();
    }
    transfer.set_phase(Phase::Done);
    received
}

/// Takes part in the transfer of `board` with another connection, until its sender closes it.
///
/// # Errors
/// Connection errors: the block that was arriving is missing then. What is wrong with the target is told on
/// the first lane.
pub(crate) fn receive_on_lane(
    socket: &TcpStream,
    board: &ReceiveBoard,
    mut settings: PumpSettings<'_>,
) -> Result<()> {
    let mut wire = Wire::to_receive(socket, &settings)?;
    let Some(place) = board.add_lane() else { return Ok(()) };
    let received = say_still_there(&mut wire, &mut settings)
        .and_then(|()| Receiver::new(&mut wire, &mut settings, board, place.id).receive_to_end());
    match received {
        Ok(_) | Err(Error::Closed) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Takes over blocks of the old file, however long that takes; the sender hears that it goes on.
fn adopt(
    wire: &mut Wire<'_>,
    settings: &mut PumpSettings<'_>,
    staged: &dyn BlockStaged,
) -> Result<Vec<KeptBlock>> {
    let kept = ReceivePlan::new(*staged.layout(), staged.kept().iter().copied());
    let missing: Vec<u32> = kept.map().missing().collect();
    let (transfer, is_unwanted) = (settings.transfer, AtomicBool::new(false));
    let cancelled = || is_unwanted.load(Ordering::Relaxed) || transfer.is_cancelled();
    let (done, outcome) = mpsc::channel();
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("e2eeftp-adopt".into())
            .spawn_scoped(scope, || {
                // Nobody waits any more where this can't be told.
                let _ = done.send(staged.adopt(&missing, &cancelled));
            })
            .map_err(|error| Error::Io("start a thread", error))?;
        let mut last = Instant::now();
        loop {
            match outcome.recv_timeout(PATIENCE) {
                Ok(adopted) => return Ok(adopted?),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Io("adopt", std::io::ErrorKind::Other.into()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let heard = hear_abort(wire, settings).and_then(|()| {
                if last.elapsed() < settings.keep_alive {
                    return Ok(());
                }
                last = Instant::now();
                say_still_there(wire, settings)
            });
            if heard.is_err() {
                is_unwanted.store(true, Ordering::Relaxed);
                heard?;
            }
        }
    })
}

struct Receiver<'a, 'w, 's> {
    wire: &'a mut Wire<'w>,
    settings: &'a mut PumpSettings<'s>,
    notices: Notices,
    board: &'a ReceiveBoard,
    lane: LaneId,
    current: Option<Current>,
    /// Bytes that are still to come, as far as is known; `None` where others take some of them.
    expected_len: Option<u64>,
    /// Why the transfer is being drained instead of kept.
    failure: Option<Error>,
}

/// The block that is arriving.
struct Current {
    index: u32,
    /// Where the block lies in the file.
    range: Range<u64>,
    hasher: BlockHasher,
    /// Up to where it is there, as a position in the file.
    at: u64,
    /// What is missing of the announced piece, in bytes.
    left: u64,
    is_last_piece: bool,
}

/// How a batch of records ended.
enum Outcome {
    More,
    Ended(End),
    Aborted(Reason),
}

impl<'a, 'w, 's> Receiver<'a, 'w, 's> {
    fn new(
        wire: &'a mut Wire<'w>,
        settings: &'a mut PumpSettings<'s>,
        board: &'a ReceiveBoard,
        lane: LaneId,
    ) -> Self {
        let is_first = lane == FIRST_LANE;
        let expected_len = is_first.then(|| board.layout.size() - board.kept_bytes());
        let notices = Notices::new(settings);
        let (current, failure) = (None, None);
        Self { wire, settings, notices, board, lane, current, expected_len, failure }
    }

    /// Whether this is the lane on which the transfer ends; failures of all of it are told here.
    fn is_first(&self) -> bool {
        self.lane == FIRST_LANE
    }

    fn run(&mut self) -> Result<BlocksResult> {
        let end = self.receive_to_end()?;
        self.settings.transfer.set_phase(Phase::Finishing);
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.wait_until_settled()?;
        let kept = self.board.check(&end)?;
        Ok(BlocksResult { bytes: end.total, root: end.root, kept })
    }

    fn receive_to_end(&mut self) -> Result<End> {
        let ended = self.receive();
        if let Some(current) = self.current.take() {
            self.board.lose(current.index);
        }
        ended
    }

    fn receive(&mut self) -> Result<End> {
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
                    return Ok(end);
                }
                Outcome::Aborted(reason) => {
                    self.settings.pending.splice(0..0, bytes[rest].iter().copied());
                    return Err(self.failure.take().unwrap_or(Error::PeerAborted(reason)));
                }
            }
            filled = rest.len();
            bytes.copy_within(rest, 0);
            if self.board.has_to_end(self.lane) {
                return Err(Error::Closed);
            }
            if self.failure.is_none() {
                if self.settings.transfer.is_cancelled() {
                    self.give_up(Error::Aborted)?;
                } else if self.is_first()
                    && let Some(failure) = self.board.take_failure()
                {
                    self.give_up(failure)?;
                }
            }
            if !self.settings.pending.is_empty() {
                continue;
            }
            if self.failure.is_none() && self.notices.is_due() && self.wire.is_limited() {
                self.notices.send(Notice::Alive, self.wire, self.settings)?;
            }
            let wanted = self.wanted(bytes.len() - filled);
            filled += self.wire.read(&mut bytes[filled..], wanted)?.unwrap_or(0);
        }
    }

    /// Opens whole records at the front of `bytes`, and writes the content of those that belong together
    /// with one call. Returns the bytes used up; 0 when there is no whole record.
    fn process(&mut self, bytes: &mut [u8], outcome: &mut Outcome) -> Result<usize> {
        let mut pieces: [Range<usize>; MAX_PIECES] = [const { 0..0 }; MAX_PIECES];
        let mut count = 0;
        let mut start = 0;
        // Where in the file the first of the pieces belongs.
        let mut offset = self.current.as_ref().map_or(0, |current| current.at);
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
                InnerType::Data if opened.content.is_empty() || self.failure.is_some() => {}
                InnerType::Data => {
                    let content_len = opened.content.len() as u64;
                    let current = self
                        .current
                        .as_mut()
                        .filter(|current| content_len <= current.left)
                        .ok_or(Error::Protocol("data that no block has announced"))?;
                    current.hasher.update(opened.content);
                    self.wire.meter.lap(Stage::Hash);
                    current.at += content_len;
                    current.left -= content_len;
                    self.expected_len =
                        self.expected_len.map(|len| len.saturating_sub(content_len));
                    let is_piece_whole = current.left == 0;
                    let range = opened.content_range;
                    pieces[count] = start + range.start..start + range.end;
                    count += 1;
                    if is_piece_whole {
                        self.write(bytes, &pieces[..count], offset)?;
                        count = 0;
                        self.end_piece()?;
                        offset = self.current.as_ref().map_or(0, |current| current.at);
                    }
                }
                InnerType::Block if self.failure.is_some() => {}
                InnerType::Block => {
                    let block = BlockHead::from_wire(&self.board.layout, opened.content)?;
                    self.begin_piece(&block)?;
                    offset = self.current.as_ref().map_or(0, |current| current.at);
                }
                InnerType::End if self.current.is_some() || !self.is_first() => {
                    return Err(Error::Protocol("an end within a block or on a further lane"));
                }
                InnerType::End => *outcome = Outcome::Ended(End::from_wire(opened.content)?),
                InnerType::Abort => *outcome = Outcome::Aborted(Reason::from_wire(opened.content)?),
                _ => return Err(Error::Protocol("a record that does not belong to a body")),
            }
            start += len;
        }
        self.write(bytes, &pieces[..count], offset)?;
        Ok(start)
    }

    /// A piece is announced, of a new block or further on in the one that is arriving.
    fn begin_piece(&mut self, block: &BlockHead) -> Result<()> {
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.begin_block(block.index)?,
        };
        let start = current.range.start + block.offset;
        if current.index != block.index || current.left > 0 || start < current.at {
            self.current = Some(current);
            return Err(Error::Protocol("a piece that does not follow the one before"));
        }
        let hole = current.at..start;
        current.at = start;
        current.left = block.len;
        current.is_last_piece = block.is_last;
        let is_empty = block.len == 0;
        self.current = Some(current);
        self.fill_hole(hole)?;
        if is_empty { self.end_piece() } else { Ok(()) }
    }

    fn begin_block(&mut self, index: u32) -> Result<Current> {
        let layout = &self.board.layout;
        let (Some(range), Some(hasher)) = (layout.range(index), BlockHasher::new(layout, index))
        else {
            return Err(Error::Protocol("a block that the file does not have"));
        };
        self.board.begin(index, self.lane)?;
        let at = range.start;
        Ok(Current { index, range, hasher, at, left: 0, is_last_piece: false })
    }

    /// The announced piece is written. If it was the last of its block, so is the block.
    fn end_piece(&mut self) -> Result<()> {
        let Some(current) = self.current.as_ref().filter(|current| current.is_last_piece) else {
            return Ok(());
        };
        self.fill_hole(current.at..current.range.end)?;
        if let Some(current) = self.current.take() {
            self.board.finish(current.index, current.hasher.finalize());
        }
        Ok(())
    }

    /// A range of the current block reads as zeros. Gives up where that can't be.
    fn fill_hole(&mut self, hole: Range<u64>) -> Result<()> {
        let len = hole.end - hole.start;
        let mut left = len;
        // A few bytes of the sender stand for all of it: it must be possible to end this.
        while left > 0 {
            if self.settings.dead.is_cancelled() {
                return Err(Error::Closed);
            }
            if self.settings.transfer.is_cancelled() {
                return self.give_up(Error::Aborted);
            }
            let Some(current) = &mut self.current else { return Ok(()) };
            let piece = left.min(HOLE_STEP);
            hash_zeros(&mut current.hasher, piece);
            left -= piece;
        }
        self.expected_len = self.expected_len.map(|expected| expected.saturating_sub(len));
        if len == 0 || self.failure.is_some() {
            return Ok(());
        }
        let staged = &self.board.staged;
        let zeroed = until_space(self.wire, self.settings, || Ok(staged.zero(hole.start, len)?));
        self.after_write(zeroed, len)
    }

    fn write(&mut self, bytes: &[u8], pieces: &[Range<usize>], offset: u64) -> Result<()> {
        if pieces.is_empty() || self.failure.is_some() {
            return Ok(());
        }
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        let staged = &self.board.staged;
        let written = until_space(self.wire, self.settings, || {
            let mut slices = [IoSlice::new(&[]); MAX_PIECES];
            for (slice, piece) in slices.iter_mut().zip(pieces) {
                *slice = IoSlice::new(&bytes[piece.clone()]);
            }
            Ok(staged.write_at(&mut slices[..pieces.len()], offset)?)
        });
        self.after_write(written, len)
    }

    /// Counts `len` bytes that were written; gives up what could not be.
    fn after_write(&mut self, written: Result<()>, len: u64) -> Result<()> {
        self.wire.lap(Stage::FileWrite);
        match written {
            Ok(()) => {
                self.settings.transfer.add(len);
                Ok(())
            }
            Err(error) if error.keeps_session() => self.give_up(error),
            Err(error) => Err(error),
        }
    }

    /// Asks the sender to stop; what still arrives is opened and dropped. A further lane ends instead.
    fn give_up(&mut self, failure: Error) -> Result<()> {
        if let Some(current) = self.current.take() {
            self.board.lose(current.index);
        }
        if !self.is_first() {
            if !matches!(failure, Error::Aborted) {
                self.board.fail(failure);
            }
            return Err(Error::Closed);
        }
        let told = give_body_up(self.wire, self.settings, InnerType::Stop, &failure);
        self.failure = Some(failure);
        told
    }

    /// The sender has ended; what was kept here may still be read, and other lanes may bring more.
    fn wait_until_settled(&mut self) -> Result<()> {
        let mut last = Instant::now();
        while !self.board.wait_until_settled(PATIENCE)? {
            if last.elapsed() >= self.settings.keep_alive {
                last = Instant::now();
                // The body is over; a new key is what may still be said, and shows that somebody is there.
                let mut record = Vec::new();
                let now_ms = elapsed_ms(self.settings.epoch);
                self.settings.sealer.seal_update(now_ms, &mut record)?;
                self.wire.write_all(&record)?;
            }
            if self.settings.transfer.is_cancelled() {
                return Err(Error::Aborted);
            }
            if self.settings.dead.is_cancelled() {
                return Err(Error::Closed);
            }
        }
        Ok(())
    }

    /// How many bytes are worth waiting for in one call: a full buffer, or what is left to come. What the
    /// heads of blocks take is left out: to wait for too little costs a call, for too much a tick.
    fn wanted(&self, room: usize) -> Option<usize> {
        let of_block = self.current.as_ref().map(|current| current.left);
        let left = if self.board.is_shared() { of_block } else { self.expected_len };
        let left = left.filter(|&left| left > 0 && self.failure.is_none())?;
        let full = left / RECORD_CONTENT as u64;
        let wire_len = full.saturating_mul(RECORD_STRIDE as u64) + left % RECORD_CONTENT as u64;
        Some(usize::try_from(wire_len).unwrap_or(usize::MAX).min(room))
    }
}

fn hash_zeros(hasher: &mut BlockHasher, mut len: u64) {
    while len > 0 {
        let piece = usize::try_from(len).unwrap_or(ZEROS.len()).min(ZEROS.len());
        hasher.update(&ZEROS[..piece]);
        len -= piece as u64;
    }
}
