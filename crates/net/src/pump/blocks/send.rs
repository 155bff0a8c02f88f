//! The sending side: read, hash, seal, write, block by block.

use std::net::TcpStream;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2eeftp_core::crypto::BlockHasher;
use e2eeftp_core::record::{CONTENT_OFFSET, Head, InnerType, OVERHEAD};
use e2eeftp_core::transfer::{BlockHead, BlockLayout, End, Next};
use e2eeftp_vfs::{self as vfs, ErrorKind, Source};

use super::BlocksResult;
use super::map_body::{drain_map, receive_map};
use super::send_board::SendBoard;
use crate::buffer::{Buffer, SMALLEST_CONTENT, data_record_len, record_content};
use crate::error::{Error, Result};
use crate::link::elapsed_ms;
use crate::pump::inbox::{Received, read_record};
use crate::pump::meter::Stage;
use crate::pump::reverse::listen;
use crate::pump::send::{read_exactly, write_batch};
use crate::pump::wire::Wire;
use crate::pump::{PumpSettings, give_body_up, say_still_there};
use crate::transfer::Phase;

/// Longest wait for something to do; a cancel is heard as soon.
const PATIENCE: Duration = Duration::from_millis(100);
/// A `Block` record is so long that content behind it starts on a cache line, as in a full batch.
const BLOCK_RECORD_LEN: usize = 128;
/// A block in more pieces than this is sent whole, holes and all.
const MAX_PIECES: usize = 64;
/// Zeros to hash in place of a hole.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Sends the file of `size` bytes that is `source` to a receiver that tells first what it has of it.
///
/// `on_start` is called when it is known what to send: from then on further lanes may take part.
///
/// Returns once the end record is written; whether the receiver has it all is told by its reply. On every
/// failure that leaves the connection alive the peer has been told ([`Error::keeps_session`]).
///
/// # Errors
/// [`Error::Vfs`] when the source fails or changed under way, [`Error::Aborted`] after a cancel,
/// [`Error::PeerStopped`]; connection errors.
pub(crate) fn send_blocks(
    socket: &TcpStream,
    source: Arc<dyn Source>,
    size: u64,
    mut settings: PumpSettings<'_>,
    on_start: impl FnOnce(&Arc<SendBoard>),
) -> Result<BlocksResult> {
    let layout = BlockLayout::for_size(size)
        .ok_or_else(|| Error::from(vfs::Error::new(ErrorKind::TooLarge, "send")))?;
    let transfer = settings.transfer;
    let mut wire = Wire::to_send(socket, &settings)?;
    transfer.set_total(Some(size));
    transfer.set_phase(Phase::Moving);
    let sent = match receive_map(&mut wire, &mut settings, &layout) {
        // The receiver does not know yet, and may take its time with the map.
        Err(Error::Aborted) => {
            give_body_up(&mut wire, &mut settings, InnerType::Abort, &Error::Aborted)?;
            drain_map(&mut wire, &mut settings)?;
            return Err(Error::Aborted);
        }
        Err(error) => Err(error),
        Ok(map) => {
            let board = SendBoard::new(layout, source, transfer.clone(), &map);
            send_missing(&mut wire, &Arc::new(board), &mut settings, on_start)
        }
    };
    let is_held_up = transfer.progress().phase == Phase::WaitingForSpace;
    transfer.set_phase(Phase::Done);
    match sent {
        // The peer reads nothing until it has room: there is no way back into step.
        Err(Error::Aborted) if is_held_up => Err(Error::Closed),
        Err(error) if error.keeps_session() => {
            give_body_up(&mut wire, &mut settings, InnerType::Abort, &error)?;
            Err(error)
        }
        other => other,
    }
}

fn send_missing(
    wire: &mut Wire<'_>,
    board: &Arc<SendBoard>,
    settings: &mut PumpSettings<'_>,
    on_start: impl FnOnce(&Arc<SendBoard>),
) -> Result<BlocksResult> {
    on_start(board);
    std::thread::scope(|scope| {
        let prover = std::thread::Builder::new().name("e2eeftp-prove".into());
        let sent = prover
            .spawn_scoped(scope, || board.prove_kept())
            .map_err(|error| Error::Io("start a thread", error))
            .and_then(|_| send_lane(wire, board, settings))
            .and_then(|()| send_end(wire, board, settings));
        board.end();
        sent
    })
}

/// Takes part in the transfer of `board` with another connection, until nothing is left to send. The
/// receiver says first that it takes part too.
///
/// # Errors
/// Connection errors: the block that was being sent goes to another lane. What is wrong with the source
/// is told on the first lane.
pub(crate) fn send_on_lane(
    socket: &TcpStream,
    board: &SendBoard,
    mut settings: PumpSettings<'_>,
) -> Result<()> {
    let mut wire = Wire::to_send(socket, &settings)?;
    let Received { kind, stream, content } = read_record(&mut wire, &mut settings)?;
    if kind != InnerType::Data || stream != settings.stream || !content.is_empty() {
        return Err(Error::Protocol("a lane begins with the receiver's word"));
    }
    match send_lane(&mut wire, board, &mut settings) {
        Err(error @ Error::Vfs(_)) => {
            board.fail(error);
            Err(Error::Closed)
        }
        sent => sent,
    }
}

/// Sends blocks until every one of the transfer is sent or proved.
fn send_lane(
    wire: &mut Wire<'_>,
    board: &SendBoard,
    settings: &mut PumpSettings<'_>,
) -> Result<()> {
    let mut buffer = Buffer::take();
    let mut last = Instant::now();
    loop {
        if settings.transfer.is_cancelled() {
            return Err(Error::Aborted);
        }
        if board.is_over() {
            return Ok(());
        }
        if let Some(reason) = listen(wire, settings)? {
            return Err(Error::PeerStopped(reason));
        }
        match board.next(PATIENCE)? {
            Next::Done => return Ok(()),
            Next::Wait if last.elapsed() < settings.keep_alive => {}
            Next::Wait => {
                say_still_there(wire, settings)?;
                last = Instant::now();
            }
            Next::Block(index) => {
                let sent = send_block(wire, board, settings, &mut buffer, index);
                if sent.is_err() {
                    board.unsent(index);
                }
                sent?;
                last = Instant::now();
            }
        }
    }
}

fn send_block(
    wire: &mut Wire<'_>,
    board: &SendBoard,
    settings: &mut PumpSettings<'_>,
    buffer: &mut Buffer,
    index: u32,
) -> Result<()> {
    let (Some(range), Some(hasher)) =
        (board.layout.range(index), BlockHasher::new(&board.layout, index))
    else {
        return Err(Error::Protocol("a block that the file does not have"));
    };
    // A change is found before more of a file that can't be completed is sent.
    board.source.check_unchanged()?;
    let pieces = data_in(&*board.source, range.clone())?;
    let largest = record_content(settings.sealer);
    let (full, batch) = wire.batch(largest, buffer.batch, SMALLEST_CONTENT);
    let mut sending =
        Sending { wire, settings, buffer, filled: 0, records: 0, full, batch, hasher };
    let mut done = range.start;
    for (position, piece) in pieces.iter().enumerate() {
        sending.hash_zeros(piece.start - done);
        let head = BlockHead {
            index,
            is_last: position + 1 == pieces.len(),
            offset: piece.start - range.start,
            len: piece.end - piece.start,
        };
        sending.send_head(&head)?;
        sending.send_piece(&*board.source, piece.clone())?;
        done = piece.end;
    }
    sending.hash_zeros(range.end - done);
    sending.flush()?;
    let value = sending.hasher.finalize();
    board.sent(index, value);
    Ok(())
}

/// One block on its way through the buffer.
struct Sending<'a, 'w, 's> {
    wire: &'a mut Wire<'w>,
    settings: &'a mut PumpSettings<'s>,
    buffer: &'a mut Buffer,
    /// Bytes of sealed records at the front of the buffer.
    filled: usize,
    /// Data records among them.
    records: usize,
    /// Content of a full record.
    full: usize,
    /// Full records of a batch.
    batch: usize,
    hasher: BlockHasher,
}

impl Sending<'_, '_, '_> {
    /// Nothing of a hole travels.
    fn hash_zeros(&mut self, mut len: u64) {
        self.settings.transfer.add(len);
        while len > 0 {
            let piece = usize::try_from(len).unwrap_or(ZEROS.len()).min(ZEROS.len());
            self.hasher.update(&ZEROS[..piece]);
            len -= piece as u64;
        }
    }

    fn send_head(&mut self, block: &BlockHead) -> Result<()> {
        self.flush()?;
        let content = block.to_wire();
        let record = &mut self.buffer.as_mut()[..BLOCK_RECORD_LEN];
        record[CONTENT_OFFSET..CONTENT_OFFSET + content.len()].copy_from_slice(&content);
        let head = Head { kind: InnerType::Block, flags: 0, stream: self.settings.stream };
        self.settings.sealer.seal(head, content.len(), record)?;
        self.filled = BLOCK_RECORD_LEN;
        Ok(())
    }

    fn send_piece(&mut self, source: &dyn Source, piece: Range<u64>) -> Result<()> {
        let mut at = piece.start;
        while at < piece.end {
            let want = usize::try_from(piece.end - at).unwrap_or(self.full).min(self.full);
            // Several ends of pieces in one batch, each padded, may need more than full records do.
            let has_room = self.filled + data_record_len(want) <= self.buffer.as_mut().len();
            if self.records == self.batch || !has_room {
                self.flush()?;
                if self.settings.transfer.is_cancelled() {
                    return Err(Error::Aborted);
                }
                if let Some(reason) = listen(self.wire, self.settings)? {
                    return Err(Error::PeerStopped(reason));
                }
            }
            let end = self.filled + data_record_len(want);
            let record = &mut self.buffer.as_mut()[self.filled..end];
            let content = &mut record[CONTENT_OFFSET..CONTENT_OFFSET + want];
            if let Err(error) = read_exactly(source, content, at) {
                // Records that are sealed have been counted: the peer must see them.
                self.flush()?;
                return Err(error);
            }
            self.wire.meter.lap(Stage::FileRead);
            self.hasher.update(content);
            self.wire.meter.lap(Stage::Hash);
            let head = Head { kind: InnerType::Data, flags: 0, stream: self.settings.stream };
            self.settings.sealer.seal(head, want, record)?;
            self.wire.meter.lap(Stage::Seal);
            self.filled = end;
            self.records += 1;
            at += want as u64;
            self.settings.transfer.add(want as u64);
        }
        Ok(())
    }

    /// Sends what is sealed. A key update goes behind it when due.
    fn flush(&mut self) -> Result<()> {
        let filled = std::mem::take(&mut self.filled);
        self.records = 0;
        let batch = &self.buffer.as_mut()[..filled];
        if let Some(reason) = write_batch(self.wire, self.settings, batch)? {
            return Err(Error::PeerStopped(reason));
        }
        let now_ms = elapsed_ms(self.settings.epoch);
        if self.settings.sealer.needs_update(now_ms) {
            let mut update = Vec::new();
            self.settings.sealer.seal_update(now_ms, &mut update)?;
            self.wire.write_all(&update)?;
        }
        Ok(())
    }
}

/// The pieces of `range` that are no holes, in order; at least one, which may be empty.
fn data_in(source: &dyn Source, range: Range<u64>) -> Result<Vec<Range<u64>>> {
    if !source.is_sparse() {
        return Ok(vec![range]);
    }
    let mut pieces = Vec::new();
    let mut at = range.start;
    while let Some(piece) = source.next_data(at..range.end)? {
        if pieces.len() == MAX_PIECES {
            return Ok(vec![range]);
        }
        at = piece.end;
        pieces.push(piece);
    }
    if pieces.is_empty() {
        pieces.push(range.start..range.start);
    }
    Ok(pieces)
}

fn send_end(
    wire: &mut Wire<'_>,
    board: &SendBoard,
    settings: &mut PumpSettings<'_>,
) -> Result<BlocksResult> {
    settings.transfer.set_phase(Phase::Finishing);
    board.source.check_unchanged()?;
    let bytes = board.layout.size();
    let (kept, root) = board.result().ok_or(Error::Protocol("a block is missing"))?;
    let head = Head { kind: InnerType::End, flags: 0, stream: settings.stream };
    let mut record = Vec::new();
    settings.sealer.seal_small(head, &End { total: bytes, root }.to_wire(), &mut record)?;
    wire.write_all(&record)?;
    Ok(BlocksResult { bytes, root, kept })
}

const _: () = {
    let least = OVERHEAD + BlockHead::WIRE_LEN;
    assert!(
        BLOCK_RECORD_LEN >= least && BLOCK_RECORD_LEN.is_multiple_of(64),
        "a Block record fits"
    );
};
