//! The sending side of an established connection.

use core::fmt;

use crate::handshake::{Suite, TrafficSecret};
use crate::record::frame::seal_frame;
use crate::record::padding::bucket;
use crate::record::ratchet::RatchetKey;
use crate::record::{
    CONTENT_OFFSET, HEADER_LEN, Head, INNER_LEN, InnerType, MAX_CONTROL_CONTENT, OVERHEAD,
    RatchetLimits, TAG_LEN,
};
use crate::transfer::Reason;
use crate::{Error, Misuse};

/// Seals records for the peer, in the order in which they are to be sent.
///
/// Each record takes the next sequence number. A record that was sealed and not sent makes the
/// connection useless: the peer can't open anything that follows.
///
/// A sealer can't be copied, because two copies would use the same nonces:
///
/// ```compile_fail,E0277
/// fn needs_clone<T: Clone>() {}
/// needs_clone::<e2eeftp_core::record::Sealer>();
/// ```
pub struct Sealer {
    ratchet: RatchetKey,
    /// When the current key was made, in milliseconds since the handshake.
    since_ms: u64,
    /// The largest record body the peer takes.
    max_body: usize,
    is_closed: bool,
}

impl Sealer {
    pub(crate) fn new(
        secret: TrafficSecret,
        suite: Suite,
        limits: RatchetLimits,
        max_body: usize,
    ) -> Result<Self, Error> {
        let ratchet = RatchetKey::new(secret, suite, limits)?;
        Ok(Self { ratchet, since_ms: 0, max_body, is_closed: false })
    }

    /// Seals the record in `record`, in place and without allocating.
    ///
    /// `record` is the whole record: the content already lies at
    /// [`CONTENT_OFFSET`], after it room for 0 to [`MAX_PAD`](crate::record::MAX_PAD) bytes of
    /// padding, then [`TAG_LEN`] bytes for the tag. Everything but the content is written here.
    ///
    /// # Errors
    /// [`Misuse`] when the buffer or the content does not fit the type, for
    /// [`InnerType::KeyUpdate`] and [`InnerType::Handshake`], and after the end;
    /// [`Error::Limit`] when the key is used up. No record has been made then.
    pub fn seal(&mut self, head: Head, content_len: usize, record: &mut [u8]) -> Result<(), Error> {
        if matches!(head.kind, InnerType::KeyUpdate | InnerType::Handshake) {
            return Err(Misuse::RecordType.into());
        }
        self.seal_any(head, content_len, record)
    }

    /// The most bytes that a record body for this peer may have, header of the record excluded.
    pub fn max_record_body(&self) -> usize {
        self.max_body
    }

    fn seal_any(&mut self, head: Head, content_len: usize, record: &mut [u8]) -> Result<(), Error> {
        if self.is_closed {
            return Err(Misuse::Closed.into());
        }
        if record.len() > HEADER_LEN + self.max_body || record.len() < OVERHEAD {
            return Err(Misuse::BufferLength.into());
        }
        if !self.ratchet.has_room() {
            return Err(Error::Limit);
        }
        seal_frame(&mut self.ratchet.key, head, content_len, record)?;
        self.ratchet.count(record.len() - HEADER_LEN - TAG_LEN);
        self.is_closed = head.kind == InnerType::Close;
        Ok(())
    }

    /// Appends a control record with `content` to `out`, padded to the next bucket.
    ///
    /// # Errors
    /// As [`seal`](Self::seal); `out` is unchanged then.
    pub fn seal_control(&mut self, content: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.seal_small(Head { kind: InnerType::Control, flags: 0, stream: 0 }, content, out)
    }

    /// Appends a record with at most [`MAX_CONTROL_CONTENT`] bytes of content to `out`, padded
    /// to the next bucket.
    ///
    /// # Errors
    /// As [`seal`](Self::seal); `out` is unchanged then.
    pub fn seal_small(
        &mut self,
        head: Head,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if matches!(head.kind, InnerType::KeyUpdate | InnerType::Handshake) {
            return Err(Misuse::RecordType.into());
        }
        self.append(head, content, out)
    }

    fn append(&mut self, head: Head, content: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        if content.len() > MAX_CONTROL_CONTENT {
            return Err(Misuse::ContentLength.into());
        }
        let start = out.len();
        out.resize(start + HEADER_LEN + bucket(INNER_LEN + content.len()) + TAG_LEN, 0);
        let record = &mut out[start..];
        record[CONTENT_OFFSET..CONTENT_OFFSET + content.len()].copy_from_slice(content);
        let sealed = self.seal_any(head, content.len(), record);
        if sealed.is_err() {
            out[start..].fill(0);
            out.truncate(start);
        }
        sealed
    }

    /// Whether [`seal_update`](Self::seal_update) must be called before the next record.
    ///
    /// `now_ms` counts milliseconds from the end of the handshake on a clock that never goes
    /// back. A clock with another start only makes the first update come early.
    pub fn needs_update(&self, now_ms: u64) -> bool {
        self.ratchet.is_due()
            || now_ms.saturating_sub(self.since_ms) >= self.ratchet.limits().age_ms
    }

    /// Appends a key update to `out` and goes on to the next key.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn seal_update(&mut self, now_ms: u64, out: &mut Vec<u8>) -> Result<(), Error> {
        self.append(Head { kind: InnerType::KeyUpdate, flags: 0, stream: 0 }, &[], out)?;
        self.since_ms = now_ms;
        self.ratchet.advance().inspect_err(|_| self.is_closed = true)
    }

    /// Appends the authenticated end of this direction to `out`. Every further call fails.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn seal_close(&mut self, reason: Reason, out: &mut Vec<u8>) -> Result<(), Error> {
        let head = Head { kind: InnerType::Close, flags: 0, stream: 0 };
        self.append(head, &reason.to_wire(), out)
    }

    /// Wipes the secrets when the connection is over, for a sealer that may be kept for long.
    /// Every later call fails with [`Misuse::Closed`].
    pub fn forget(&mut self) {
        self.is_closed = true;
        self.ratchet.forget();
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("ratchet", &self.ratchet)
            .field("is_closed", &self.is_closed)
            .finish_non_exhaustive()
    }
}
