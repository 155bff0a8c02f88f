//! One protected record, in place: header, inner head, padding and tag around the content.

use core::ops::Range;

use crate::crypto::aead::DirectionKey;
use crate::record::length::{KIND_PROTECTED, header};
use crate::record::{CONTENT_OFFSET, HEADER_LEN, Head, INNER_LEN, InnerType, MAX_PAD, TAG_LEN};
use crate::{Error, Misuse, PeerFault};

/// Seals `record`, whose content lies at [`CONTENT_OFFSET`]; all that follows the content but
/// for the last [`TAG_LEN`] bytes becomes padding.
///
/// # Errors
/// [`Misuse`] when the buffer or the content does not fit the type, [`Error::Limit`] when the
/// key is used up. Nothing has been sealed then.
pub(crate) fn seal_frame(
    key: &mut DirectionKey,
    head: Head,
    content_len: usize,
    record: &mut [u8],
) -> Result<(), Error> {
    head.check(content_len).map_err(|fault| match fault {
        PeerFault::Length => Misuse::ContentLength,
        _ => Misuse::RecordType,
    })?;
    let content_end = CONTENT_OFFSET + content_len;
    let tag_start = record.len().checked_sub(TAG_LEN).ok_or(Misuse::BufferLength)?;
    let pad_len = tag_start.checked_sub(content_end).ok_or(Misuse::BufferLength)?;
    let pad = u16::try_from(pad_len).map_err(|_| Misuse::BufferLength)?;
    if pad_len > MAX_PAD {
        return Err(Misuse::BufferLength.into());
    }
    let header = header(KIND_PROTECTED, record.len() - HEADER_LEN).ok_or(Misuse::BufferLength)?;

    record[content_end..tag_start].fill(0);
    record[..HEADER_LEN].copy_from_slice(&header);
    let (pad, stream) = (pad.to_be_bytes(), head.stream.to_be_bytes());
    record[HEADER_LEN..CONTENT_OFFSET].copy_from_slice(&[
        head.kind.code(),
        head.flags,
        pad[0],
        pad[1],
        stream[0],
        stream[1],
        stream[2],
        stream[3],
    ]);
    let tag = key.seal(header, &mut record[HEADER_LEN..tag_start])?;
    record[tag_start..].copy_from_slice(&tag);
    Ok(())
}

/// Opens `record`, the whole of one protected record; returns its head and where its content
/// lies.
///
/// # Errors
/// [`Error::Decrypt`] when it does not authenticate, [`PeerFault`] when it does and breaks a
/// rule, [`Error::Limit`] when the key is used up. `record` holds no plaintext then.
pub(crate) fn open_frame(
    key: &mut DirectionKey,
    record: &mut [u8],
) -> Result<(Head, Range<usize>), Error> {
    let Some((head_bytes, sealed)) = record.split_first_chunk_mut::<HEADER_LEN>() else {
        return Err(PeerFault::Length.into());
    };
    if head_bytes[0] != KIND_PROTECTED {
        return Err(PeerFault::RecordKind.into());
    }
    if sealed.len() < INNER_LEN + TAG_LEN
        || header(KIND_PROTECTED, sealed.len()) != Some(*head_bytes)
    {
        return Err(PeerFault::Length.into());
    }
    key.open(*head_bytes, sealed)?;
    let inner_end = record.len() - TAG_LEN;
    read_inner(record, inner_end).inspect_err(|_| record.fill(0))
}

/// Reads the head of an authenticated record and checks its padding.
fn read_inner(record: &[u8], inner_end: usize) -> Result<(Head, Range<usize>), Error> {
    let [code, flags, pad_high, pad_low, stream @ ..] =
        *record[HEADER_LEN..].first_chunk::<INNER_LEN>().ok_or(PeerFault::Length)?;
    let pad = usize::from(u16::from_be_bytes([pad_high, pad_low]));
    let content_end = inner_end
        .checked_sub(pad)
        .filter(|end| *end >= CONTENT_OFFSET && pad <= MAX_PAD)
        .ok_or(PeerFault::Length)?;
    if record[content_end..inner_end].iter().any(|byte| *byte != 0) {
        return Err(PeerFault::Reserved.into());
    }
    let kind = InnerType::from_code(code).ok_or(PeerFault::MessageType)?;
    let head = Head { kind, flags, stream: u32::from_be_bytes(stream) };
    head.check(content_end - CONTENT_OFFSET)?;
    Ok((head, CONTENT_OFFSET..content_end))
}
