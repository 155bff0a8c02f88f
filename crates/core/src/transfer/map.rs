//! What a receiver has already, told to the sender before the first block.

use crate::crypto::BlockValue;
use crate::transfer::BlockLayout;
use crate::{Error, PeerFault};

/// The blocks that a receiver claims to have, with their values (`docs/PROTOCOL.md` §9.2):
///
/// ```text
/// version u8 = 1 ‖ 0^3 ‖ kept u32 ‖ bitmap ⌈count/8⌉ ‖ value 32 × kept
/// ```
///
/// Block `i` is bit `i mod 8` of byte `⌊i/8⌋` of the bitmap, the lowest bit being 0; bits behind the
/// last block are 0. Values are in the order of their blocks. Invariant: one slot per block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockMap {
    values: Vec<Option<BlockValue>>,
}

const VERSION: u8 = 1;
const HEAD_LEN: usize = 8;
const VALUE_LEN: usize = 32;

impl BlockMap {
    /// A map of nothing.
    pub fn empty(layout: &BlockLayout) -> Self {
        Self { values: vec![None; layout.count() as usize] }
    }

    /// Claims block `index`. Blocks that the layout does not have are ignored.
    pub fn keep(&mut self, index: u32, value: BlockValue) {
        if let Some(slot) = self.values.get_mut(index as usize) {
            *slot = Some(value);
        }
    }

    /// The value that is claimed for block `index`.
    pub fn get(&self, index: u32) -> Option<BlockValue> {
        self.values.get(index as usize).copied().flatten()
    }

    /// The claimed blocks in ascending order.
    pub fn kept(&self) -> impl Iterator<Item = (u32, BlockValue)> {
        (0..).zip(&self.values).filter_map(|(index, value)| value.map(|value| (index, value)))
    }

    /// The blocks that are not claimed, in ascending order.
    pub fn missing(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.values).filter(|(_, value)| value.is_none()).map(|(index, _)| index)
    }

    /// Most bytes that a map of `layout` has on the wire.
    pub fn max_wire_len(layout: &BlockLayout) -> u64 {
        let count = u64::from(layout.count());
        HEAD_LEN as u64 + count.div_ceil(8) + count * VALUE_LEN as u64
    }

    /// The map as it travels.
    pub fn to_wire(&self) -> Vec<u8> {
        let bitmap_len = self.values.len().div_ceil(8);
        let mut out = vec![0; HEAD_LEN + bitmap_len];
        out[0] = VERSION;
        let mut kept: u32 = 0;
        for (index, value) in self.kept() {
            let position = index as usize;
            out[HEAD_LEN + position / 8] |= 1 << (position % 8);
            out.extend_from_slice(&value);
            kept += 1;
        }
        out[4..HEAD_LEN].copy_from_slice(&kept.to_be_bytes());
        out
    }

    /// Reads a map for a file of `layout`.
    ///
    /// # Errors
    /// [`PeerFault::Version`], [`PeerFault::Reserved`], [`PeerFault::Length`] unless the length is
    /// exactly right, [`PeerFault::Value`] when bitmap and count differ or a bit stands for no block.
    pub fn from_wire(layout: &BlockLayout, bytes: &[u8]) -> Result<Self, Error> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_LEN>().ok_or(PeerFault::Length)?;
        let [version, a, b, c, kept @ ..] = head;
        if *version != VERSION {
            return Err(PeerFault::Version.into());
        }
        if (*a, *b, *c) != (0, 0, 0) {
            return Err(PeerFault::Reserved.into());
        }
        let kept = u32::from_be_bytes(*kept) as usize;
        let count = layout.count() as usize;
        let (bitmap, values) = rest.split_at_checked(count.div_ceil(8)).ok_or(PeerFault::Length)?;
        if kept > count || values.len() != kept * VALUE_LEN {
            return Err(PeerFault::Length.into());
        }
        let set: usize = bitmap.iter().map(|byte| byte.count_ones() as usize).sum();
        if set != kept {
            return Err(PeerFault::Value.into());
        }
        let mut map = Self::empty(layout);
        let mut values = values.chunks_exact(VALUE_LEN);
        for index in 0..bitmap.len() * 8 {
            if bitmap[index / 8] & (1 << (index % 8)) == 0 {
                continue;
            }
            let slot = map.values.get_mut(index).ok_or(PeerFault::Value)?;
            let value = values.next().ok_or(PeerFault::Length)?;
            *slot = Some(BlockValue::try_from(value).map_err(|_| PeerFault::Length)?);
        }
        Ok(map)
    }
}
