//! Record headers: kinds and how many bytes follow.

use crate::handshake::Refusal;
use crate::record::{HEADER_LEN, INNER_LEN, MAX_HANDSHAKE_BODY, MAX_RECORD_BODY, TAG_LEN};
use crate::{Error, PeerFault};

/// Kind of a clear handshake record.
pub(crate) const KIND_CLEAR: u8 = 0x51;
/// Kind of a protected record.
pub(crate) const KIND_PROTECTED: u8 = 0x52;
/// Kind of a refusal.
pub(crate) const KIND_REFUSAL: u8 = 0x53;

/// How far a connection has come; it decides which records may arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Until the handshake has returned an [`Established`](crate::handshake::Established).
    Handshake,
    /// Afterwards.
    Established,
}

/// The total length in bytes, header included, of the record that starts with `header`.
///
/// Decides from the header alone, so that nothing is read or stored for a record that is
/// refused. In [`Phase::Established`] a refusal is still possible: a server refuses a client's
/// identity after the client has finished.
///
/// # Errors
/// [`PeerFault::RecordKind`] and [`PeerFault::Length`].
pub fn record_len(header: &[u8; HEADER_LEN], phase: Phase) -> Result<usize, Error> {
    let [kind, high, middle, low] = *header;
    let len = u32::from_be_bytes([0, high, middle, low]) as usize;
    let allowed = match (kind, phase) {
        (KIND_CLEAR, Phase::Handshake) => 1..=MAX_HANDSHAKE_BODY,
        (KIND_PROTECTED, Phase::Handshake) => INNER_LEN + TAG_LEN..=MAX_HANDSHAKE_BODY,
        (KIND_PROTECTED, Phase::Established) => INNER_LEN + TAG_LEN..=MAX_RECORD_BODY,
        (KIND_REFUSAL, _) => Refusal::WIRE_LEN..=Refusal::WIRE_LEN,
        _ => return Err(PeerFault::RecordKind.into()),
    };
    if !allowed.contains(&len) {
        return Err(PeerFault::Length.into());
    }
    Ok(HEADER_LEN + len)
}

/// The header of a record of `kind` with `body_len` bytes after it; `None` if that is too long.
pub(crate) fn header(kind: u8, body_len: usize) -> Option<[u8; HEADER_LEN]> {
    let [0, high, middle, low] = u32::try_from(body_len).ok()?.to_be_bytes() else {
        return None;
    };
    Some([kind, high, middle, low])
}

/// The body of a clear handshake record that must be exactly `N` bytes long.
///
/// # Errors
/// [`PeerFault::RecordKind`] for another kind and [`PeerFault::Length`] for another length.
pub(crate) fn clear_body<const N: usize>(record: &[u8]) -> Result<&[u8; N], Error> {
    let (head, body) = record.split_first_chunk::<HEADER_LEN>().ok_or(PeerFault::Length)?;
    if head[0] != KIND_CLEAR {
        return Err(PeerFault::RecordKind.into());
    }
    if header(KIND_CLEAR, N) != Some(*head) {
        return Err(PeerFault::Length.into());
    }
    <&[u8; N]>::try_from(body).map_err(|_| PeerFault::Length.into())
}
