//! Whole records out of the bytes that a blocking socket gives.

use e2eeftp_core::record::{HEADER_LEN, InnerType};
use e2eeftp_core::transfer::Reason;

use super::PumpSettings;
use super::wire::Wire;
use crate::error::{Error, Result};
use crate::link::refuse_flags;

/// One record whose content was copied out.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) kind: InnerType,
    pub(crate) stream: u32,
    pub(crate) content: Vec<u8>,
}

/// Waits for the next record, however small it comes; for what is rare, not for file content.
pub(crate) fn read_record(
    wire: &mut Wire<'_>,
    settings: &mut PumpSettings<'_>,
) -> Result<Received> {
    loop {
        if let Some(received) = read_some_record(wire, settings)? {
            return Ok(received);
        }
        if settings.transfer.is_cancelled() {
            return Err(Error::Aborted);
        }
    }
}

/// As [`read_record`], but gives up with `None` when a tick passed without a byte.
pub(crate) fn read_some_record(
    wire: &mut Wire<'_>,
    settings: &mut PumpSettings<'_>,
) -> Result<Option<Received>> {
    let mut record = std::mem::take(settings.pending);
    loop {
        let filled = record.len();
        let len = match record.first_chunk::<HEADER_LEN>() {
            Some(header) => settings.opener.record_len(header)?,
            None => HEADER_LEN,
        };
        // A whole record is longer than its header, so `len` is final when it is reached.
        if filled >= len && len > HEADER_LEN {
            *settings.pending = record.split_off(len);
            break;
        }
        record.resize(len, 0);
        let read = wire.read(&mut record[filled..], None);
        let count = read.as_ref().ok().copied().flatten().unwrap_or(0);
        record.truncate(filled + count);
        if !matches!(read, Ok(Some(_))) {
            *settings.pending = record;
            return read.map(|_| None);
        }
    }
    let opened = settings.opener.open(&mut record)?;
    refuse_flags(opened.flags)?;
    let (kind, stream, range) = (opened.kind, opened.stream, opened.content_range);
    record.truncate(range.end);
    record.drain(..range.start);
    Ok(Some(Received { kind, stream, content: record }))
}

/// What the receiver of a running body has said, if it has said anything: it may say Stop.
pub(crate) fn hear_stop(
    wire: &mut Wire<'_>,
    settings: &mut PumpSettings<'_>,
) -> Result<Option<Error>> {
    if settings.pending.is_empty() && !wire.has_input()? {
        return Ok(None);
    }
    let Received { kind, stream, content } = read_record(wire, settings)?;
    match (kind, stream) {
        (InnerType::Stop, stream) if stream == settings.stream => {
            Ok(Some(Error::PeerStopped(Reason::from_wire(&content)?)))
        }
        // A new key before the Stop, which the next check finds; or a Stop that has crossed the
        // end of an earlier body on the way.
        (InnerType::KeyUpdate | InnerType::Stop, _) => Ok(None),
        // The receiver is still there, and busy.
        (InnerType::Data, stream) if stream == settings.stream && content.is_empty() => Ok(None),
        (InnerType::Close, _) => Err(Error::Closed),
        _ => Err(Error::Protocol("only Stop may answer a running body")),
    }
}
