//! What a sender of blocks still has to do.

use std::collections::VecDeque;

use crate::crypto::{BlockValue, root_of_blocks};
use crate::transfer::{BlockLayout, BlockMap};

/// The sender's side of one transfer by blocks, without its bytes: which blocks to send, which of those
/// that the receiver has kept to prove, and the root of it all (`docs/PROTOCOL.md` §9.4).
///
/// Several lanes and a prover may take from it in any order; each block that was taken is given back
/// with its outcome. A kept block that does not match the source is sent like a missing one.
#[derive(Debug)]
pub struct SendPlan {
    layout: BlockLayout,
    /// Values of the blocks that were sent or proved.
    values: Vec<Option<BlockValue>>,
    to_send: VecDeque<u32>,
    to_prove: VecDeque<(u32, BlockValue)>,
    /// Taken to be sent or proved, outcome unknown.
    taken: u32,
    kept_bytes: u64,
    sent_bytes: u64,
}

/// What a lane does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send this block.
    Block(u32),
    /// Nothing now; a block that others have in hand may come back.
    Wait,
    /// Every block is sent or proved.
    Done,
}

impl SendPlan {
    /// The plan for a receiver that has `map`, which must be one of `layout`.
    pub fn new(layout: BlockLayout, map: &BlockMap) -> Self {
        Self {
            layout,
            values: vec![None; layout.count() as usize],
            to_send: map.missing().collect(),
            to_prove: map.kept().collect(),
            taken: 0,
            kept_bytes: 0,
            sent_bytes: 0,
        }
    }

    /// The next block for a lane. A block must be given back by [`SendPlan::sent`] or
    /// [`SendPlan::unsent`].
    pub fn next_block(&mut self) -> Next {
        if let Some(index) = self.to_send.pop_front() {
            self.taken += 1;
            return Next::Block(index);
        }
        if self.taken == 0 && self.to_prove.is_empty() { Next::Done } else { Next::Wait }
    }

    /// A block has been sent; `value` is that of the bytes that were.
    pub fn sent(&mut self, index: u32, value: BlockValue) {
        self.taken = self.taken.saturating_sub(1);
        self.sent_bytes += self.layout.len_of(index);
        self.set(index, value);
    }

    /// A block that was taken has not been sent, or nobody knows whether it has.
    pub fn unsent(&mut self, index: u32) {
        self.taken = self.taken.saturating_sub(1);
        self.to_send.push_front(index);
    }

    /// The next kept block to prove, with the value that the receiver claims. To be given back by
    /// [`SendPlan::proved`].
    pub fn next_proof(&mut self) -> Option<(u32, BlockValue)> {
        let proof = self.to_prove.pop_front()?;
        self.taken += 1;
        Some(proof)
    }

    /// What the source has in place of a kept block: if it `matches` what the receiver claims, the
    /// block is done, else it has to be sent.
    pub fn proved(&mut self, index: u32, value: BlockValue, matches: bool) {
        self.taken = self.taken.saturating_sub(1);
        if matches {
            self.kept_bytes += self.layout.len_of(index);
            self.set(index, value);
        } else {
            self.to_send.push_back(index);
        }
    }

    /// Bytes of the blocks that were kept and proved.
    pub fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    /// Bytes of the blocks that were sent, counted each time.
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// The root of the source, once every block is sent or proved.
    pub fn root(&self) -> Option<[u8; 32]> {
        let values: Option<Vec<BlockValue>> = self.values.iter().copied().collect();
        Some(root_of_blocks(&values?))
    }

    fn set(&mut self, index: u32, value: BlockValue) {
        if let Some(slot) = self.values.get_mut(index as usize) {
            *slot = Some(value);
        }
    }
}
