//! The content of a `Block` record.

use crate::transfer::BlockLayout;
use crate::{Error, PeerFault};

/// Announces data of one block (`docs/PROTOCOL.md` §9.3):
///
/// ```text
/// index u32 ‖ flags u8 ‖ 0^3 ‖ offset u64 ‖ len u64
/// ```
///
/// `len` bytes follow in `Data` records, which belong at `offset` within the block. The pieces of a
/// block follow each other at rising offsets; what lies between them, in front of the first and behind
/// the last is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHead {
    /// Which block.
    pub index: u32,
    /// Nothing more of this block follows.
    pub is_last: bool,
    /// Where in the block the piece begins, in bytes.
    pub offset: u64,
    /// Length of the piece in bytes; 0 only in the last piece of a block that ends with zeros.
    pub len: u64,
}

const FLAG_LAST: u8 = 1;

impl BlockHead {
    /// Length on the wire.
    pub const WIRE_LEN: usize = 24;

    /// The content of the record.
    pub fn to_wire(&self) -> [u8; Self::WIRE_LEN] {
        let mut out = [0; Self::WIRE_LEN];
        out[..4].copy_from_slice(&self.index.to_be_bytes());
        out[4] = if self.is_last { FLAG_LAST } else { 0 };
        out[8..16].copy_from_slice(&self.offset.to_be_bytes());
        out[16..].copy_from_slice(&self.len.to_be_bytes());
        out
    }

    /// Reads the content of a `Block` record about a file of `layout`.
    ///
    /// # Errors
    /// [`PeerFault::Length`], [`PeerFault::Reserved`]; [`PeerFault::Value`] when there is no such
    /// block, the piece does not lie in it, or is empty without being the last.
    pub fn from_wire(layout: &BlockLayout, content: &[u8]) -> Result<Self, Error> {
        let content = <[u8; Self::WIRE_LEN]>::try_from(content).map_err(|_| PeerFault::Length)?;
        let [i0, i1, i2, i3, flags, a, b, c, rest @ ..] = content;
        if flags & !FLAG_LAST != 0 || (a, b, c) != (0, 0, 0) {
            return Err(PeerFault::Reserved.into());
        }
        let (offset, len) = rest.split_at(8);
        let number = |bytes: &[u8]| {
            <[u8; 8]>::try_from(bytes).map(u64::from_be_bytes).map_err(|_| PeerFault::Length)
        };
        let head = Self {
            index: u32::from_be_bytes([i0, i1, i2, i3]),
            is_last: flags & FLAG_LAST != 0,
            offset: number(offset)?,
            len: number(len)?,
        };
        let block_len = layout.len_of(head.index);
        let fits = head.offset.checked_add(head.len).is_some_and(|end| end <= block_len);
        if block_len == 0 || !fits || (head.len == 0 && !head.is_last) {
            return Err(PeerFault::Value.into());
        }
        Ok(head)
    }
}
