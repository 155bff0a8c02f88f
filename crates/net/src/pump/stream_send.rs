//! The sending pump for what is no plain file: a source of unknown length, a compressed body, or
//! both.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2eeftp_core::compress::{Effort, Encoder, MAX_PIECE_LEN, Mode, max_coded_len};
use e2eeftp_core::crypto::RootHasher;
use e2eeftp_core::record::{CONTENT_OFFSET, Head, InnerType};
use e2eeftp_core::transfer::End;
use e2eeftp_vfs as vfs;
use e2eeftp_vfs::{ErrorKind, Source};

use super::meter::Stage;
use super::reverse::listen;
use super::send::write_batch;
use super::wire::Wire;
use super::{BodyResult, PumpSettings, give_body_up};
use crate::buffer::{Buffer, SMALLEST_CONTENT, data_record_len, record_content};
use crate::error::{Error, Result};
use crate::link::elapsed_ms;
use crate::transfer::Phase;

/// Longest wait for the source between two looks at the peer and at the cancel.
const TICK: Duration = Duration::from_millis(100);

/// What came of asking a source for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fed {
    /// So many, at least one.
    Bytes(usize),
    /// None for now.
    Nothing,
    /// None ever again.
    End,
}

/// Where the bytes of a body come from, in order.
pub trait StreamSource: Send {
    /// Fills the front of `room`, which is not empty. Waits for nothing but a disk.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn feed(&mut self, room: &mut [u8]) -> Result<Fed>;

    /// Waits until there may be bytes, at most `longest`.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    fn wait(&mut self, longest: Duration) -> Result<()>;

    /// Called behind the last byte: a source that knows that it has changed meanwhile says so.
    ///
    /// # Errors
    /// [`Error::Vfs`].
    fn finish(&mut self) -> Result<()>;
}

/// A part of a file as a source.
pub(crate) struct FilePart {
    source: Arc<dyn Source>,
    offset: u64,
    left: u64,
}

impl FilePart {
    pub(crate) fn new(source: Arc<dyn Source>, offset: u64, length: u64) -> Self {
        source.advise_sequential();
        Self { source, offset, left: length }
    }
}

impl StreamSource for FilePart {
    fn feed(&mut self, room: &mut [u8]) -> Result<Fed> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(room.len());
        if want == 0 {
            return Ok(Fed::End);
        }
        let read = self.source.read_at(&mut room[..want], self.offset)?;
        if read == 0 {
            return Err(vfs::Error::new(ErrorKind::SourceChanged, "read").into());
        }
        self.offset += read as u64;
        self.left -= read as u64;
        Ok(Fed::Bytes(read))
    }

    fn wait(&mut self, _: Duration) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(self.source.check_unchanged()?)
    }
}

/// Sends what `source` gives until its end as one body over a blocking socket, compressed as
/// `compress` says. While the source is silent, the peer is told every `keep_alive` that this side
/// is still there. Root and length are those of the content, not of its compressed form.
///
/// As [`send_body`](super::send_body) otherwise.
///
/// # Errors
/// [`Error::Pipe`] and [`Error::Vfs`] when the source fails, [`Error::Aborted`] after a cancel,
/// [`Error::PeerStopped`]; connection errors.
pub fn send_stream(
    socket: &TcpStream,
    source: &mut dyn StreamSource,
    compress: Option<Mode>,
    keep_alive: Duration,
    settings: PumpSettings<'_>,
) -> Result<BodyResult> {
    let transfer = settings.transfer;
    let wire = Wire::to_send(socket, &settings)?;
    transfer.set_phase(Phase::Moving);
    let full = record_content(settings.sealer);
    let mut sender = Sender { wire, settings, full, batch: Vec::new(), last: Instant::now() };
    let sent = match compress {
        None => sender.send_plain(source, keep_alive),
        Some(mode) => sender.send_coded(source, mode, keep_alive),
    };
    let is_held_up = transfer.progress().phase == Phase::WaitingForSpace;
    transfer.set_phase(Phase::Done);
    match sent {
        // The peer reads nothing until it has room: there is no way back into step.
        Err(Error::Aborted) if is_held_up => Err(Error::Closed),
        Err(error) if error.keeps_session() => {
            give_body_up(&mut sender.wire, &mut sender.settings, InnerType::Abort, &error)?;
            Err(error)
        }
        other => other,
    }
}

struct Sender<'a> {
    wire: Wire<'a>,
    settings: PumpSettings<'a>,
    /// Content bytes of a full record.
    full: usize,
    /// Sealed records that wait for more to leave with. Only of compressed bodies.
    batch: Vec<u8>,
    /// When the peer was last sent something.
    last: Instant,
}

impl Sender<'_> {
    /// Content goes from the source into the records that it leaves in.
    fn send_plain(
        &mut self,
        source: &mut dyn StreamSource,
        keep_alive: Duration,
    ) -> Result<BodyResult> {
        let mut buffer = Buffer::take();
        let mut hasher = RootHasher::new();
        let mut sent = 0u64;
        let mut fed = Fed::Nothing;
        while fed != Fed::End {
            self.renew_key()?;
            let (full, records) = self.wire.batch(self.full, buffer.batch, SMALLEST_CONTENT);
            let bytes = buffer.as_mut();
            let (mut filled, mut moved) = (0, 0u64);
            for _ in 0..records {
                let content = filled + CONTENT_OFFSET;
                let room = &mut bytes[content..content + full];
                let (len, ended) = match fill(source, room) {
                    Ok(ended) => ended,
                    Err(error) => {
                        // Records that are sealed have been counted: the peer must see them.
                        self.wire.write_all(&bytes[..filled])?;
                        return Err(error);
                    }
                };
                fed = ended;
                self.wire.meter.lap(Stage::FileRead);
                if len > 0 {
                    hasher.update(&bytes[content..content + len]);
                    self.wire.meter.lap(Stage::Hash);
                    let record = &mut bytes[filled..filled + data_record_len(len)];
                    self.settings.sealer.seal(self.head(InnerType::Data), len, record)?;
                    self.wire.meter.lap(Stage::Seal);
                    filled += record.len();
                    moved += len as u64;
                }
                if !matches!(fed, Fed::Bytes(_)) {
                    break;
                }
            }
            self.write(&bytes[..filled])?;
            sent += moved;
            self.settings.transfer.add(moved);
            self.look()?;
            if fed == Fed::Nothing {
                self.wait(source, keep_alive)?;
            }
        }
        self.end(source, sent, &hasher)
    }

    /// Content is gathered to pieces, which are cut into records without regard to their bounds.
    fn send_coded(
        &mut self,
        source: &mut dyn StreamSource,
        mode: Mode,
        keep_alive: Duration,
    ) -> Result<BodyResult> {
        let mut encoder = Encoder::new()?;
        let mut effort = Effort::new(mode);
        let mut plain = vec![0; MAX_PIECE_LEN];
        let mut coded = Vec::with_capacity(max_coded_len());
        let mut hasher = RootHasher::new();
        let mut sent = 0u64;
        let mut fed = Fed::Nothing;
        while fed != Fed::End {
            let (len, ended) = fill(source, &mut plain)?;
            self.wire.meter.lap(Stage::FileRead);
            fed = ended;
            if len > 0 {
                let content = &plain[..len];
                hasher.update(content);
                self.wire.meter.lap(Stage::Hash);
                coded.clear();
                let tries = effort.tries();
                let started = Instant::now();
                let coded_len = encoder.encode(content, tries, &mut coded)?;
                if tries {
                    effort.tried(len, coded_len, started.elapsed());
                }
                let started = Instant::now();
                let written = self.send_bytes(&coded)?;
                effort.wrote(written, started.elapsed());
                sent += len as u64;
                self.settings.transfer.add(len as u64);
                self.settings.transfer.add_coded(coded.len() as u64);
            }
            self.look()?;
            if fed == Fed::Nothing {
                self.wait(source, keep_alive)?;
            }
        }
        self.end(source, sent, &hasher)
    }

    /// Seals `bytes` into as many records as it takes, and sends them with one call.
    fn send_bytes(&mut self, bytes: &[u8]) -> Result<usize> {
        self.renew_key()?;
        self.batch.clear();
        let head = self.head(InnerType::Data);
        for content in bytes.chunks(self.full) {
            let start = self.batch.len();
            self.batch.resize(start + data_record_len(content.len()), 0);
            let record = &mut self.batch[start..];
            record[CONTENT_OFFSET..CONTENT_OFFSET + content.len()].copy_from_slice(content);
            self.settings.sealer.seal(head, content.len(), record)?;
        }
        let batch = std::mem::take(&mut self.batch);
        let written = self.write(&batch);
        self.batch = batch;
        written.map(|()| bytes.len())
    }

    fn end(
        &mut self,
        source: &mut dyn StreamSource,
        total: u64,
        hasher: &RootHasher,
    ) -> Result<BodyResult> {
        self.settings.transfer.set_phase(Phase::Finishing);
        source.finish()?;
        let result = BodyResult { bytes: total, root: hasher.finalize() };
        self.small(InnerType::End, &End { total, root: result.root }.to_wire())?;
        Ok(result)
    }

    /// Waits until the source may have bytes again.
    fn wait(&mut self, source: &mut dyn StreamSource, keep_alive: Duration) -> Result<()> {
        source.wait(TICK)?;
        self.wire.lap(Stage::FileRead);
        if self.last.elapsed() >= keep_alive {
            self.renew_key()?;
            let mut record = vec![0; data_record_len(0)];
            self.settings.sealer.seal(self.head(InnerType::Data), 0, &mut record)?;
            self.write(&record)?;
        }
        Ok(())
    }

    /// Looks for a cancel, for the end of the connection, and for what the peer may say.
    fn look(&mut self) -> Result<()> {
        if self.settings.transfer.is_cancelled() {
            return Err(Error::Aborted);
        }
        if self.settings.dead.is_cancelled() {
            return Err(Error::Closed);
        }
        match listen(&mut self.wire, &mut self.settings)? {
            Some(reason) => Err(Error::PeerStopped(reason)),
            None => Ok(()),
        }
    }

    fn renew_key(&mut self) -> Result<()> {
        let now_ms = elapsed_ms(self.settings.epoch);
        if self.settings.sealer.needs_update(now_ms) {
            let mut update = Vec::new();
            self.settings.sealer.seal_update(now_ms, &mut update)?;
            self.wire.write_all(&update)?;
        }
        Ok(())
    }

    fn small(&mut self, kind: InnerType, content: &[u8]) -> Result<()> {
        let mut record = Vec::new();
        self.settings.sealer.seal_small(self.head(kind), content, &mut record)?;
        self.wire.write_all(&record)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if !bytes.is_empty() {
            self.wire.meter.lap(Stage::Seal);
            let stopped = write_batch(&mut self.wire, &mut self.settings, bytes)?;
            self.last = Instant::now();
            if let Some(reason) = stopped {
                return Err(Error::PeerStopped(reason));
            }
        }
        Ok(())
    }

    fn head(&self, kind: InnerType) -> Head {
        Head { kind, flags: 0, stream: self.settings.stream }
    }
}

/// Fills `room` as far as the source goes now: how far, and why not further.
fn fill(source: &mut dyn StreamSource, room: &mut [u8]) -> Result<(usize, Fed)> {
    let mut len = 0;
    while len < room.len() {
        match source.feed(&mut room[len..])? {
            Fed::Bytes(read) => len += read,
            ended => return Ok((len, ended)),
        }
    }
    Ok((len, Fed::Bytes(len)))
}
