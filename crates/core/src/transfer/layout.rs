//! How a file is cut into blocks.

use core::ops::Range;

/// The blocks of a file of known length (`docs/PROTOCOL.md` §9.1).
///
/// Both sides compute the same layout from the length alone. All blocks but the last have
/// [`BlockLayout::block_len`] bytes, a power of two, so that each is a whole subtree of the
/// BLAKE3 tree over the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLayout {
    size: u64,
    block_len: u64,
    count: u32,
}

impl BlockLayout {
    /// Shortest block: files of up to 1 GiB have these.
    pub const MIN_BLOCK_LEN: u64 = 1 << 20;
    /// Longest block, unless the file would have more than [`BlockLayout::MAX_COUNT`] of them.
    pub const USUAL_MAX_BLOCK_LEN: u64 = 16 << 20;
    /// About so many blocks are aimed at between the two.
    const WANTED_COUNT: u64 = 1 << 10;
    /// Most blocks a file may have.
    pub const MAX_COUNT: u32 = 1 << 20;
    /// Longest file: what a file offset can address.
    pub const MAX_SIZE: u64 = i64::MAX.unsigned_abs();

    /// The layout of a file of `size` bytes, or `None` above [`BlockLayout::MAX_SIZE`].
    pub fn for_size(size: u64) -> Option<Self> {
        if size > Self::MAX_SIZE {
            return None;
        }
        let wanted = size.div_ceil(Self::WANTED_COUNT).next_power_of_two();
        let least = size.div_ceil(u64::from(Self::MAX_COUNT)).next_power_of_two();
        let block_len = wanted.clamp(Self::MIN_BLOCK_LEN, Self::USUAL_MAX_BLOCK_LEN).max(least);
        let count = u32::try_from(size.div_ceil(block_len)).ok()?;
        Some(Self { size, block_len, count })
    }

    /// Length of the file in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Length of every block but the last, in bytes.
    pub fn block_len(&self) -> u64 {
        self.block_len
    }

    /// Number of blocks: 0 for an empty file.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The bytes of block `index` within the file, or `None` if there is no such block.
    pub fn range(&self, index: u32) -> Option<Range<u64>> {
        if index >= self.count {
            return None;
        }
        let start = u64::from(index) * self.block_len;
        Some(start..(start + self.block_len).min(self.size))
    }

    /// Length of block `index` in bytes; 0 if there is no such block.
    pub fn len_of(&self, index: u32) -> u64 {
        self.range(index).map_or(0, |range| range.end - range.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    #[test]
    fn blocks_grow_with_the_file() {
        for (size, block_len, count) in [
            (0, MIB, 0),
            (1, MIB, 1),
            (MIB, MIB, 1),
            (MIB + 1, MIB, 2),
            (GIB, MIB, 1024),
            (GIB + 1, 2 * MIB, 513),
            (2 * GIB, 2 * MIB, 1024),
            (16 * GIB, 16 * MIB, 1024),
            (20 * GIB, 16 * MIB, 1280),
            (16 << 40, 16 * MIB, 1 << 20),
            ((16 << 40) + 1, 32 * MIB, (1 << 19) + 1),
        ] {
            let layout = BlockLayout::for_size(size).unwrap();
            assert_eq!((layout.block_len(), layout.count()), (block_len, count), "{size}");
        }
        assert!(BlockLayout::for_size(BlockLayout::MAX_SIZE).unwrap().count() <= 1 << 20);
        assert_eq!(BlockLayout::for_size(BlockLayout::MAX_SIZE + 1), None);
    }

    #[test]
    fn ranges_cover_the_file_once() {
        for size in [1, MIB, MIB + 1, 3 * MIB - 1, GIB + 5 * MIB + 7] {
            let layout = BlockLayout::for_size(size).unwrap();
            let mut end = 0;
            for index in 0..layout.count() {
                let range = layout.range(index).unwrap();
                assert_eq!(range.start, end);
                assert!(range.end > range.start);
                end = range.end;
            }
            assert_eq!(end, size);
            assert_eq!(layout.range(layout.count()), None);
            assert_eq!(layout.len_of(layout.count()), 0);
        }
    }
}
