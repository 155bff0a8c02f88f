//! The receiving side of an established connection.

use core::fmt;
use core::ops::Range;

use crate::handshake::{Refusal, Suite, TrafficSecret};
use crate::record::frame::open_frame;
use crate::record::ratchet::RatchetKey;
use crate::record::{HEADER_LEN, InnerType, Phase, RatchetLimits, TAG_LEN, record_len};
use crate::{Error, Misuse, PeerFault};

/// Opens the records of the peer, in the order in which they arrive.
///
/// The first failure is final: whatever comes after it is refused, because a record is missing,
/// changed or not the peer's. An end of the byte stream before [`is_closed`](Self::is_closed)
/// is a truncation.
///
/// An opener can't be copied:
///
/// ```compile_fail,E0277
/// fn needs_clone<T: Clone>() {}
/// needs_clone::<e2eeftp_core::record::Opener>();
/// ```
pub struct Opener {
    ratchet: RatchetKey,
    /// The largest record body of this connection.
    max_body: usize,
    state: State,
    /// A client may still learn that the server refused its identity, in place of the first
    /// record.
    may_be_refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    Failed,
}

/// A record that has been opened; the content lies in the buffer it came in.
#[derive(Debug)]
pub struct Opened<'r> {
    /// The type. After a [`InnerType::KeyUpdate`] there is nothing to do: the opener has already
    /// gone on to the next key.
    pub kind: InnerType,
    /// Flags of the layer above; 0 for `KeyUpdate` and `Close`.
    pub flags: u8,
    /// The stream for `Data`, `End`, `Abort` and `Stop`; 0 for others.
    pub stream: u32,
    /// The content, without padding.
    pub content: &'r mut [u8],
    /// Where `content` lies in the record.
    pub content_range: Range<usize>,
}

impl Opener {
    pub(crate) fn new(
        secret: TrafficSecret,
        suite: Suite,
        limits: RatchetLimits,
        max_body: usize,
        may_be_refused: bool,
    ) -> Result<Self, Error> {
        let ratchet = RatchetKey::new(secret, suite, limits)?;
        Ok(Self { ratchet, max_body, state: State::Open, may_be_refused })
    }

    /// The total length in bytes, header included, of the peer's record that starts with
    /// `header`: [`record_len`] within the limit of this connection, which the server has set.
    ///
    /// # Errors
    /// [`PeerFault::RecordKind`] and [`PeerFault::Length`].
    pub fn record_len(&self, header: &[u8; HEADER_LEN]) -> Result<usize, Error> {
        let len = record_len(header, Phase::Established)?;
        if len > HEADER_LEN + self.max_body { Err(PeerFault::Length.into()) } else { Ok(len) }
    }

    /// Opens `record`, the whole of one record with its header, in place and without allocating.
    ///
    /// # Errors
    /// [`Error::Decrypt`] when the record does not authenticate, [`PeerFault`] when it breaks a
    /// rule, [`Error::Refused`] when a client's first record is a refusal. `record` holds no
    /// plaintext then, and every later call fails with [`Misuse::Poisoned`].
    pub fn open<'r>(&mut self, record: &'r mut [u8]) -> Result<Opened<'r>, Error> {
        match self.state {
            State::Open => {}
            State::Closed => {
                self.state = State::Failed;
                return Err(PeerFault::AfterClose.into());
            }
            State::Failed => return Err(Misuse::Poisoned.into()),
        }
        // Failed unless everything below succeeds.
        self.state = State::Failed;
        if self.may_be_refused
            && let Some(refusal) = Refusal::from_record(record)
        {
            return Err(Error::Refused(refusal));
        }
        if record.len() > HEADER_LEN + self.max_body {
            return Err(PeerFault::Length.into());
        }
        if !self.ratchet.has_room() {
            return Err(PeerFault::NoKeyUpdate.into());
        }
        let (head, content_range) = open_frame(&mut self.ratchet.key, record)?;
        self.ratchet.count(record.len() - HEADER_LEN - TAG_LEN);
        match head.kind {
            InnerType::Handshake => {
                record.fill(0);
                return Err(PeerFault::MessageType.into());
            }
            InnerType::KeyUpdate => self.ratchet.advance()?,
            _ => {}
        }
        self.may_be_refused = false;
        self.state = if head.kind == InnerType::Close { State::Closed } else { State::Open };
        Ok(Opened {
            kind: head.kind,
            flags: head.flags,
            stream: head.stream,
            content: &mut record[content_range.clone()],
            content_range,
        })
    }

    /// Wipes the secrets when the connection is over, for an opener that may be kept for long.
    /// Every later call of [`open`](Self::open) fails with [`Misuse::Poisoned`].
    pub fn forget(&mut self) {
        if self.state == State::Open {
            self.state = State::Failed;
        }
        self.ratchet.forget();
    }

    /// Whether the peer has ended its direction with an authenticated `Close`.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("ratchet", &self.ratchet)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
