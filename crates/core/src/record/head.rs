//! What a protected record says about its content, and the rules each type has.

use crate::PeerFault;
use crate::record::{MAX_CONTENT, MAX_CONTROL_CONTENT};
use crate::transfer::{BlockHead, End, Reason};

/// The type of a protected record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InnerType {
    /// 1: one control message of 1 to 16384 bytes; stream 0.
    Control,
    /// 2: the next bytes of a stream.
    Data,
    /// 3: a stream is complete; the content is an [`End`].
    End,
    /// 4: the sender gives a stream up; the content is a [`Reason`].
    Abort,
    /// 5: the receiver asks the sender of a stream to stop; the content is a [`Reason`].
    Stop,
    /// 6: the last record under this key; empty, stream 0.
    KeyUpdate,
    /// 7: the last record of this direction; the content is a [`Reason`], stream 0.
    Close,
    /// 9: data of a block of a stream follows; the content is a [`BlockHead`].
    Block,
    /// 0x20: messages of the handshake; never after it.
    Handshake,
}

impl InnerType {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Control => 1,
            Self::Data => 2,
            Self::End => 3,
            Self::Abort => 4,
            Self::Stop => 5,
            Self::KeyUpdate => 6,
            Self::Close => 7,
            Self::Block => 9,
            Self::Handshake => 0x20,
        }
    }

    /// `None` for every code that version 1 does not use: 8 (ping) and 0x10 to 0x1f
    /// (rekey) are reserved.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Control,
            2 => Self::Data,
            3 => Self::End,
            4 => Self::Abort,
            5 => Self::Stop,
            6 => Self::KeyUpdate,
            7 => Self::Close,
            9 => Self::Block,
            0x20 => Self::Handshake,
            _ => return None,
        })
    }

    fn allows_len(self, content_len: usize) -> bool {
        match self {
            Self::Control => (1..=MAX_CONTROL_CONTENT).contains(&content_len),
            Self::Data | Self::Handshake => content_len <= MAX_CONTENT,
            Self::End => content_len == End::WIRE_LEN,
            Self::Block => content_len == BlockHead::WIRE_LEN,
            Self::Abort | Self::Stop | Self::Close => content_len == Reason::WIRE_LEN,
            Self::KeyUpdate => content_len == 0,
        }
    }

    /// Whether records of this type belong to a stream; the others carry stream 0.
    fn has_stream(self) -> bool {
        matches!(self, Self::Data | Self::End | Self::Abort | Self::Stop | Self::Block)
    }

    /// Whether the layer above may set flags; the others carry flags 0.
    fn has_flags(self) -> bool {
        self.has_stream() || self == Self::Control
    }
}

/// The part of a record in front of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The type.
    pub kind: InnerType,
    /// Flags of the layer above for `Control`, `Data`, `End`, `Abort` and `Stop`; 0 for others.
    pub flags: u8,
    /// The stream for `Data`, `End`, `Abort` and `Stop`; 0 for others.
    pub stream: u32,
}

impl Head {
    /// Checks the rules of the type, the same ones in both directions.
    pub(super) fn check(self, content_len: usize) -> Result<(), PeerFault> {
        if !self.kind.allows_len(content_len) {
            return Err(PeerFault::Length);
        }
        if (!self.kind.has_stream() && self.stream != 0)
            || (!self.kind.has_flags() && self.flags != 0)
        {
            return Err(PeerFault::Value);
        }
        Ok(())
    }
}
