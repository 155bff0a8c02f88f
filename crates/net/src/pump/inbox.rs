//! Whole records out of the bytes that a blocking socket gives.

use e2eeftp_core::record::{HEADER_LEN, InnerType};

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
