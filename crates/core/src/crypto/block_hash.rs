//! Hashing a file block by block, in any order.

use core::fmt;

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use crate::transfer::BlockLayout;

/// What one block contributes to the BLAKE3 root of its file: the chaining value of its subtree,
/// or the root itself where the file has only this block (`docs/PROTOCOL.md` §9.1).
pub type BlockValue = [u8; 32];

/// The running hash of one block.
pub struct BlockHasher {
    hasher: blake3::Hasher,
    /// A file of one block has no tree above it.
    is_only: bool,
}

impl BlockHasher {
    /// The hasher for block `index` of `layout`, or `None` if there is no such block.
    pub fn new(layout: &BlockLayout, index: u32) -> Option<Self> {
        let range = layout.range(index)?;
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(range.start);
        Some(Self { hasher, is_only: layout.count() == 1 })
    }

    /// Takes in the next bytes of the block; all of them together must be the whole block.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// The value of the block whose bytes have all been taken in.
    pub fn finalize(&self) -> BlockValue {
        if self.is_only {
            *self.hasher.finalize().as_bytes()
        } else {
            self.hasher.finalize_non_root()
        }
    }
}

impl fmt::Debug for BlockHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockHasher").field("is_only", &self.is_only).finish_non_exhaustive()
    }
}

/// The BLAKE3 root of a file, as `b3sum` prints it, from the values of its blocks in order; no
/// value at all is the empty file.
pub fn root_of_blocks(values: &[BlockValue]) -> [u8; 32] {
    match values {
        [] => *blake3::hash(&[]).as_bytes(),
        [only] => *only,
        _ => {
            let (left, right) = halves(values);
            *merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).as_bytes()
        }
    }
}

fn subtree(values: &[BlockValue]) -> BlockValue {
    if let [only] = values {
        return *only;
    }
    let (left, right) = halves(values);
    merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
}

/// The left part is the largest power of two that leaves something on the right (BLAKE3 paper,
/// section 2.1). At least two values, so the depth is at most 20.
fn halves(values: &[BlockValue]) -> (&[BlockValue], &[BlockValue]) {
    values.split_at(values.len().div_ceil(2).next_power_of_two())
}

/// The check value of a piece of a journal that follows `before`: the first half of a BLAKE3 hash.
/// It finds damage; it is no secret and keeps nobody from writing a journal.
pub(crate) fn journal_check(before: &[u8; 16], piece: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("e2eeftp 2026-11-22 journal check");
    hasher.update(before).update(piece);
    let mut check = [0; 16];
    hasher.finalize_xof().fill(&mut check);
    check
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "the numbers of a test are small")]
mod tests {
    use super::*;

    #[test]
    fn blocks_in_any_order_give_the_ordinary_root() {
        const MIB: usize = 1 << 20;
        for size in [0, 1, 1023, MIB, MIB + 1, 2 * MIB, 3 * MIB - 5, 7 * MIB + 1, 8 * MIB] {
            let bytes: Vec<u8> = (0..size).map(|i| (i * 31 % 251) as u8).collect();
            let layout = BlockLayout::for_size(size as u64).unwrap();
            let mut values = vec![[0; 32]; layout.count() as usize];
            for index in (0..layout.count()).rev() {
                let range = layout.range(index).unwrap();
                let mut hasher = BlockHasher::new(&layout, index).unwrap();
                for piece in bytes[range.start as usize..range.end as usize].chunks(100_000) {
                    hasher.update(piece);
                }
                values[index as usize] = hasher.finalize();
            }
            assert_eq!(root_of_blocks(&values), *blake3::hash(&bytes).as_bytes(), "{size}");
            assert!(BlockHasher::new(&layout, layout.count()).is_none());
        }
    }
}
