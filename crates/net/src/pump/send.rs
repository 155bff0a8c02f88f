//! The sending pump: read, hash, seal, write.

use std::net::TcpStream;

use e2eeftp_core::crypto::RootHasher;
use e2eeftp_core::record::{CONTENT_OFFSET, Head, InnerType, OVERHEAD, TAG_LEN};
use e2eeftp_core::transfer::{End, Reason};
use e2eeftp_vfs as vfs;
use e2eeftp_vfs::{ErrorKind, Source};

use super::meter::Stage;
use super::reverse::listen;
use super::wire::Wire;
use super::{BodyResult, PumpSettings, give_body_up};
use crate::buffer::{Buffer, SMALLEST_CONTENT, data_record_len, record_content};
use crate::error::{Error, Result};
use crate::link::elapsed_ms;
use crate::transfer::Phase as TransferPhase;

/// Sends `length` bytes of `source` from `offset` on as one body over a blocking socket.
///
/// Returns once the end record is written; whether the receiver kept the bytes is told by its
/// reply. On every failure that leaves the connection alive the peer has been told, and both sides
/// are in step ([`Error::keeps_session`]).
///
/// # Errors
/// [`Error::Vfs`] when the source fails or changed under way, [`Error::Aborted`] after a cancel,
/// [`Error::PeerStopped`]; connection errors.
pub fn send_body(
    socket: &TcpStream,
    source: &dyn Source,
    offset: u64,
    length: u64,
    mut settings: PumpSettings<'_>,
) -> Result<BodyResult> {
    let mut wire = Wire::to_send(socket, &settings)?;
    settings.transfer.set_total(Some(length));
    settings.transfer.set_phase(TransferPhase::Moving);
    let sent = send_content(&mut wire, source, offset, length, &mut settings);
    let is_held_up = settings.transfer.progress().phase == TransferPhase::WaitingForSpace;
    settings.transfer.set_phase(TransferPhase::Done);
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

fn send_content(
    wire: &mut Wire<'_>,
    source: &dyn Source,
    offset: u64,
    length: u64,
    settings: &mut PumpSettings<'_>,
) -> Result<BodyResult> {
    source.advise_sequential();
    let mut buffer = Buffer::take();
    let largest = record_content(settings.sealer);
    let mut hasher = RootHasher::new();
    let mut sent = 0;
    while sent < length {
        let now_ms = elapsed_ms(settings.epoch);
        if settings.sealer.needs_update(now_ms) {
            let mut update = Vec::new();
            settings.sealer.seal_update(now_ms, &mut update)?;
            wire.write_all(&update)?;
        }
        let (full, batch) = wire.batch(largest, buffer.batch, SMALLEST_CONTENT);
        let bytes = buffer.as_mut();
        let mut filled = 0;
        let mut moved = 0;
        for _ in 0..batch {
            let want = (length - sent - moved).min(full as u64);
            if want == 0 {
                break;
            }
            let want = usize::try_from(want).unwrap_or(full);
            let record = &mut bytes[filled..filled + data_record_len(want)];
            let content = &mut record[CONTENT_OFFSET..CONTENT_OFFSET + want];
            if let Err(error) = read_exactly(source, content, offset + sent + moved) {
                // Records that are sealed have been counted: the peer must see them.
                wire.write_all(&bytes[..filled])?;
                return Err(error);
            }
            wire.meter.lap(Stage::FileRead);
            hasher.update(content);
            wire.meter.lap(Stage::Hash);
            let head = Head { kind: InnerType::Data, flags: 0, stream: settings.stream };
            settings.sealer.seal(head, want, record)?;
            wire.meter.lap(Stage::Seal);
            filled += record.len();
            moved += want as u64;
        }
        let mut stopped = write_batch(wire, settings, &bytes[..filled])?;
        sent += moved;
        settings.transfer.add(moved);
        if settings.transfer.is_cancelled() {
            return Err(Error::Aborted);
        }
        if stopped.is_none() {
            stopped = listen(wire, settings)?;
        }
        if let Some(reason) = stopped {
            return Err(Error::PeerStopped(reason));
        }
    }
    settings.transfer.set_phase(TransferPhase::Finishing);
    source.check_unchanged()?;
    let result = BodyResult { bytes: length, root: hasher.finalize() };
    let end = End { total: result.bytes, root: result.root };
    let head = Head { kind: InnerType::End, flags: 0, stream: settings.stream };
    let mut record = Vec::new();
    settings.sealer.seal_small(head, &end.to_wire(), &mut record)?;
    wire.write_all(&record)?;
    Ok(result)
}

/// Fills `content` from `offset` on; a source that ends before has changed.
pub(crate) fn read_exactly(
    source: &dyn Source,
    mut content: &mut [u8],
    mut offset: u64,
) -> Result<()> {
    while !content.is_empty() {
        let read = source.read_at(content, offset)?;
        if read == 0 {
            return Err(vfs::Error::new(ErrorKind::SourceChanged, "read").into());
        }
        offset += read as u64;
        content = &mut content[read..];
    }
    Ok(())
}

/// Sends whole records, and hears the receiver while it takes none. A Stop does not cut the batch
/// in two; its reason is returned.
pub(crate) fn write_batch(
    wire: &mut Wire<'_>,
    settings: &mut PumpSettings<'_>,
    mut bytes: &[u8],
) -> Result<Option<Reason>> {
    let mut stopped = None;
    while !bytes.is_empty() {
        let written = wire.write_some(bytes)?;
        bytes = &bytes[written..];
        if written == 0 && stopped.is_none() {
            stopped = listen(wire, settings)?;
        }
    }
    Ok(stopped)
}

const _: () = assert!(OVERHEAD == CONTENT_OFFSET + TAG_LEN, "a record is frame, content, tag");
