//! Why a stream or a connection ends.

use crate::{Error, PeerFault};

/// The code in an `Abort`, `Stop` or `Close` record (`docs/PROTOCOL.md` §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// 0: nothing is left to do.
    Done,
    /// 1: a user or program cancelled.
    Cancelled,
    /// 2: the source changed while it was read.
    SourceChanged,
    /// 3: no space or quota left at the receiver.
    NoSpace,
    /// 4: reading or writing failed.
    Io,
    /// 5: not permitted.
    NotPermitted,
    /// 6: length or hash did not match.
    Integrity,
    /// 7: it took too long.
    TimedOut,
    /// 8: this side is shutting down.
    ShuttingDown,
    /// 9: larger than this side accepts.
    TooLarge,
    /// 10: the other side broke the protocol.
    Protocol,
    /// 11: a fault of this side.
    Internal,
    /// A code this version does not know.
    Unknown(u16),
}

impl Reason {
    /// Length on the wire.
    pub const WIRE_LEN: usize = 2;

    /// The code.
    pub fn code(self) -> u16 {
        match self {
            Self::Done => 0,
            Self::Cancelled => 1,
            Self::SourceChanged => 2,
            Self::NoSpace => 3,
            Self::Io => 4,
            Self::NotPermitted => 5,
            Self::Integrity => 6,
            Self::TimedOut => 7,
            Self::ShuttingDown => 8,
            Self::TooLarge => 9,
            Self::Protocol => 10,
            Self::Internal => 11,
            Self::Unknown(code) => code,
        }
    }

    /// The content of the record, big-endian.
    pub fn to_wire(self) -> [u8; Self::WIRE_LEN] {
        self.code().to_be_bytes()
    }

    /// Reads the content of an `Abort`, `Stop` or `Close` record.
    ///
    /// # Errors
    /// [`PeerFault::Length`] unless `content` has two bytes.
    pub fn from_wire(content: &[u8]) -> Result<Self, Error> {
        let code = <[u8; 2]>::try_from(content).map_err(|_| PeerFault::Length)?;
        Ok(Self::from(u16::from_be_bytes(code)))
    }
}

impl From<u16> for Reason {
    fn from(code: u16) -> Self {
        match code {
            0 => Self::Done,
            1 => Self::Cancelled,
            2 => Self::SourceChanged,
            3 => Self::NoSpace,
            4 => Self::Io,
            5 => Self::NotPermitted,
            6 => Self::Integrity,
            7 => Self::TimedOut,
            8 => Self::ShuttingDown,
            9 => Self::TooLarge,
            10 => Self::Protocol,
            11 => Self::Internal,
            other => Self::Unknown(other),
        }
    }
}
