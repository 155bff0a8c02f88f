//! Ends of a body that touch no disk, to measure the path between two sides: a source of generated
//! bytes, and a target that forgets what it is given.

use std::io::IoSlice;
use std::sync::LazyLock;
use std::time::SystemTime;

use e2eeftp_vfs::{CommitOptions, Error, ErrorKind, FileType, Metadata, Result, Source, Staged};

/// Length of the bytes that are repeated; far longer than what a compressor looks back.
const PATTERN_LEN: usize = 1 << 20;

/// `SplitMix64` from a fixed start: nothing on the way can make these bytes fewer.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0_u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    };
    (0..PATTERN_LEN / 8).flat_map(|_| next()).collect()
});

/// A source of `size` bytes that costs no more than copying them.
#[derive(Debug)]
pub struct GeneratedSource {
    metadata: Metadata,
}

impl GeneratedSource {
    /// A source of `size` bytes.
    pub fn new(size: u64) -> Self {
        let metadata =
            Metadata { file_type: FileType::File, size, modified: SystemTime::UNIX_EPOCH, mode: 0 };
        Self { metadata }
    }
}

impl Source for GeneratedSource {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let left = usize::try_from(self.metadata.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = left.min(buf.len());
        let start = usize::try_from(offset % PATTERN_LEN as u64).unwrap_or(0);
        let mut filled = 0;
        while filled < len {
            let from = (start + filled) % PATTERN_LEN;
            let count = (PATTERN_LEN - from).min(len - filled);
            buf[filled..filled + count].copy_from_slice(&PATTERN[from..from + count]);
            filled += count;
        }
        Ok(len)
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn check_unchanged(&self) -> Result<()> {
        Ok(())
    }

    fn advise_sequential(&self) {}
}

/// A target that stores nothing and can't be committed.
#[derive(Debug, Default)]
pub struct DiscardedTarget {
    written_to: u64,
}

impl Staged for DiscardedTarget {
    fn write_at(&mut self, bufs: &mut [IoSlice<'_>], offset: u64) -> Result<()> {
        let len: u64 = bufs.iter().map(|buf| buf.len() as u64).sum();
        self.written_to = self.written_to.max(offset.saturating_add(len));
        Ok(())
    }

    fn written_to(&self) -> u64 {
        self.written_to
    }

    fn commit(self: Box<Self>, _: &CommitOptions) -> Result<Metadata> {
        Err(Error::new(ErrorKind::Unsupported, "commit"))
    }

    fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_depend_on_the_offset_only() {
        let source = GeneratedSource::new(3 * PATTERN_LEN as u64 + 5);
        let mut whole = vec![0; 3 * PATTERN_LEN + 100];
        assert_eq!(source.read_at(&mut whole, 0).unwrap(), 3 * PATTERN_LEN + 5);
        assert_eq!(whole[..PATTERN_LEN], whole[PATTERN_LEN..2 * PATTERN_LEN]);
        let mut part = vec![0; PATTERN_LEN + 7];
        let offset = PATTERN_LEN - 3;
        assert_eq!(source.read_at(&mut part, offset as u64).unwrap(), part.len());
        assert_eq!(part, whole[offset..offset + part.len()]);
        assert_eq!(source.read_at(&mut part, u64::MAX).unwrap(), 0);
    }

    #[test]
    fn what_was_discarded_is_nothing_to_keep() {
        let mut target = Box::new(DiscardedTarget::default());
        target.write_at(&mut [IoSlice::new(b"gone")], 96).unwrap();
        assert_eq!(target.written_to(), 100);
        assert!(target.commit(&CommitOptions::default()).is_err());
    }
}
