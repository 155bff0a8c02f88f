//! What a receiver of blocks has, and what it lacks.

use crate::PeerFault;
use crate::crypto::{BlockValue, root_of_blocks};
use crate::transfer::{BlockLayout, BlockMap, End, KeptBlock};

/// The receiver's side of one transfer by blocks, without its bytes (`docs/PROTOCOL.md` §9.4).
///
/// Blocks may arrive in any order and over several lanes, and a block may come again: the sender sends a
/// kept one whose source is another now, and one of which it does not know whether it has arrived.
#[derive(Debug)]
pub struct ReceivePlan {
    layout: BlockLayout,
    blocks: Vec<State>,
    kept_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Missing,
    /// There since before this transfer.
    Kept(BlockValue),
    /// On its way on one lane.
    Arriving,
    Arrived(BlockValue),
}

/// Why a file is not complete although the sender has ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// The sender speaks of another length.
    Length,
    /// So many blocks are not there: they did not arrive, or were found damaged.
    Missing(u32),
    /// All blocks are there, and their root is not that of the sender.
    Root,
}

impl ReceivePlan {
    /// A plan that starts with `kept` blocks; those that the layout does not have are ignored.
    pub fn new(layout: BlockLayout, kept: impl IntoIterator<Item = KeptBlock>) -> Self {
        let mut plan =
            Self { layout, blocks: vec![State::Missing; layout.count() as usize], kept_bytes: 0 };
        for KeptBlock { index, value } in kept {
            if let Some(slot) = plan.blocks.get_mut(index as usize) {
                *slot = State::Kept(value);
            }
        }
        plan.kept_bytes = plan.kept().map(|block| layout.len_of(block.index)).sum();
        plan
    }

    /// The layout of the file.
    pub fn layout(&self) -> &BlockLayout {
        &self.layout
    }

    /// What is to be told to the sender before it begins.
    pub fn map(&self) -> BlockMap {
        let mut map = BlockMap::empty(&self.layout);
        for KeptBlock { index, value } in self.kept() {
            map.keep(index, value);
        }
        map
    }

    /// The blocks that were there before, and have neither come again nor been found damaged.
    pub fn kept(&self) -> impl Iterator<Item = KeptBlock> {
        (0..).zip(&self.blocks).filter_map(|(index, state)| match state {
            State::Kept(value) => Some(KeptBlock { index, value: *value }),
            _ => None,
        })
    }

    /// Bytes of [`ReceivePlan::kept`].
    pub fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    /// Data of block `index` is about to come.
    ///
    /// # Errors
    /// [`PeerFault::Value`] if there is no such block or it is coming already.
    pub fn begin(&mut self, index: u32) -> Result<(), PeerFault> {
        let state = self.blocks.get_mut(index as usize).ok_or(PeerFault::Value)?;
        match std::mem::replace(state, State::Arriving) {
            State::Arriving => return Err(PeerFault::Value),
            State::Kept(_) => self.kept_bytes -= self.layout.len_of(index),
            State::Missing | State::Arrived(_) => {}
        }
        Ok(())
    }

    /// Block `index`, which was begun, will not come to its end.
    pub fn lose(&mut self, index: u32) {
        if let Some(state @ State::Arriving) = self.blocks.get_mut(index as usize) {
            *state = State::Missing;
        }
    }

    /// Block `index`, which was begun, is written; `value` is that of what was.
    pub fn finish(&mut self, index: u32, value: BlockValue) {
        if let Some(state @ State::Arriving) = self.blocks.get_mut(index as usize) {
            *state = State::Arrived(value);
        }
    }

    /// Kept block `index` is not what it was. Returns whether it counted until now.
    pub fn damaged(&mut self, index: u32) -> bool {
        match self.blocks.get_mut(index as usize) {
            Some(state @ State::Kept(_)) => {
                *state = State::Missing;
                self.kept_bytes -= self.layout.len_of(index);
                true
            }
            _ => false,
        }
    }

    /// The blocks that are there, kept or arrived.
    pub fn present(&self) -> impl Iterator<Item = KeptBlock> {
        (0..).zip(&self.blocks).filter_map(|(index, state)| match state {
            State::Kept(value) | State::Arrived(value) => Some(KeptBlock { index, value: *value }),
            _ => None,
        })
    }

    /// Whether no block is missing or on its way.
    pub fn is_complete(&self) -> bool {
        self.blocks.iter().all(|state| matches!(state, State::Kept(_) | State::Arrived(_)))
    }

    /// Compares all of it with what the sender says about the whole file.
    ///
    /// # Errors
    /// [`Shortfall`] says what is wrong.
    pub fn check(&self, end: &End) -> Result<(), Shortfall> {
        if end.total != self.layout.size() {
            return Err(Shortfall::Length);
        }
        let values: Vec<BlockValue> = self.present().map(|block| block.value).collect();
        let missing = self.blocks.len() - values.len();
        if missing > 0 {
            return Err(Shortfall::Missing(u32::try_from(missing).unwrap_or(u32::MAX)));
        }
        if root_of_blocks(&values) == end.root { Ok(()) } else { Err(Shortfall::Root) }
    }
}
