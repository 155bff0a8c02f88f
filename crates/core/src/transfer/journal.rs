//! The journal of a staged file: which of its blocks are on the disk, as bytes.
//!
//! A header, then entries that are only ever appended. Every part carries a check value that covers
//! all before it, so that an entry that was torn, changed, or belongs to another journal ends the
//! reading there: what it claimed is sent again.

use crate::crypto::{BlockValue, journal_check};
use crate::transfer::BlockLayout;

/// What a journal is about (`docs/PROTOCOL.md` §9.5):
///
/// ```text
/// "e2eeftpJ" ‖ version u8 = 1 ‖ flags u8 ‖ 0^6 ‖ key 16 ‖ size u64 ‖ boot id 16 ‖ check 16
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalHeader {
    /// Whose transfer it is and where it goes; a journal with another key is not read.
    pub key: [u8; 16],
    /// Length of the complete file in bytes.
    pub size: u64,
    /// The run of the operating system in which the entries hold; `None` when the data was on the disk
    /// before the entry, so that they hold for ever.
    pub boot_id: Option<[u8; 16]>,
}

/// One block that is claimed to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptBlock {
    /// Number of the block.
    pub index: u32,
    /// Its value.
    pub value: BlockValue,
}

/// What a journal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalContent {
    /// What it is about.
    pub header: JournalHeader,
    /// The blocks; a later entry about a block replaces an earlier one. Ascending, each once.
    pub blocks: Vec<KeptBlock>,
    /// Length of what could be read, in bytes; what follows is to be cut off before appending.
    pub valid_len: usize,
    /// The check value at `valid_len`, from which the next entry goes on.
    pub check: [u8; 16],
}

const MAGIC: &[u8; 8] = b"e2eeftpJ";
const VERSION: u8 = 1;
/// Flag: the entries hold only while the operating system runs.
const FLAG_THIS_BOOT: u8 = 1;
const CHECK_LEN: usize = 16;
const BLOCK_LEN: usize = 36;

impl JournalHeader {
    /// Length of the header in bytes.
    pub const LEN: usize = 72;

    /// The header's bytes.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..8].copy_from_slice(MAGIC);
        out[8] = VERSION;
        out[9] = if self.boot_id.is_some() { FLAG_THIS_BOOT } else { 0 };
        out[16..32].copy_from_slice(&self.key);
        out[32..40].copy_from_slice(&self.size.to_be_bytes());
        out[40..56].copy_from_slice(&self.boot_id.unwrap_or_default());
        let check = journal_check(&[0; CHECK_LEN], &out[..56]);
        out[56..].copy_from_slice(&check);
        out
    }

    /// The check value with which the first entry begins.
    pub fn check(&self) -> [u8; CHECK_LEN] {
        let mut check = [0; CHECK_LEN];
        check.copy_from_slice(&self.encode()[56..]);
        check
    }

    /// Reads a header; `None` if it is none of this version, or damaged.
    fn decode(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let (body, check) = bytes.split_at(56);
        if journal_check(&[0; CHECK_LEN], body) != check {
            return None;
        }
        let flags = body[9];
        let is_known =
            body.starts_with(MAGIC) && body[8] == VERSION && flags & !FLAG_THIS_BOOT == 0;
        if !is_known || body[10..16] != [0; 6] {
            return None;
        }
        let boot_id = <[u8; 16]>::try_from(&body[40..56]).ok()?;
        if flags == 0 && boot_id != [0; 16] {
            return None;
        }
        Some(Self {
            key: body[16..32].try_into().ok()?,
            size: u64::from_be_bytes(body[32..40].try_into().ok()?),
            boot_id: (flags == FLAG_THIS_BOOT).then_some(boot_id),
        })
    }
}

/// Appends one entry to `out` and returns the check value for the next one:
///
/// ```text
/// count u32 ‖ (index u32 ‖ value 32) × count ‖ check 16
/// ```
///
/// `check` is that of the header or of the entry before. Nothing is appended for no blocks.
pub fn encode_entry(check: &[u8; 16], blocks: &[KeptBlock], out: &mut Vec<u8>) -> [u8; 16] {
    let Ok(count) = u32::try_from(blocks.len()) else { return *check };
    if count == 0 {
        return *check;
    }
    let start = out.len();
    out.extend_from_slice(&count.to_be_bytes());
    for block in blocks {
        out.extend_from_slice(&block.index.to_be_bytes());
        out.extend_from_slice(&block.value);
    }
    let next = journal_check(check, &out[start..]);
    out.extend_from_slice(&next);
    next
}

impl JournalContent {
    /// Most bytes a journal of `layout` may have before it is written anew: each block twice, one to
    /// an entry.
    pub fn max_len(layout: &BlockLayout) -> u64 {
        let entry = (4 + BLOCK_LEN + CHECK_LEN) as u64;
        JournalHeader::LEN as u64 + 2 * u64::from(layout.count()) * entry
    }

    /// Reads a journal about a file of `layout` as far as it is sound. `None` if the header is
    /// damaged, of another version, or about another key or length, so that nothing of it can be used.
    pub fn decode(key: &[u8; 16], layout: &BlockLayout, bytes: &[u8]) -> Option<Self> {
        let header = JournalHeader::decode(bytes.first_chunk()?)?;
        if header.key != *key || header.size != layout.size() {
            return None;
        }
        let mut content = Self {
            header,
            blocks: Vec::new(),
            valid_len: JournalHeader::LEN,
            check: header.check(),
        };
        let mut values: Vec<Option<BlockValue>> = vec![None; layout.count() as usize];
        while let Some(len) = read_entry(&content.check, &bytes[content.valid_len..], &mut values) {
            let end = content.valid_len + len;
            content.check.copy_from_slice(&bytes[end - CHECK_LEN..end]);
            content.valid_len = end;
        }
        let kept = (0..).zip(values);
        content.blocks =
            kept.filter_map(|(index, value)| Some(KeptBlock { index, value: value? })).collect();
        Some(content)
    }
}

/// Takes in the entry at the front of `bytes` and returns its length; `None` when there is no sound
/// one, and then `values` is as it was.
fn read_entry(
    check: &[u8; CHECK_LEN],
    bytes: &[u8],
    values: &mut [Option<BlockValue>],
) -> Option<usize> {
    let count = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    if count == 0 || count > values.len() {
        return None;
    }
    let body_len = 4 + count * BLOCK_LEN;
    let body = bytes.get(..body_len)?;
    if journal_check(check, body) != bytes.get(body_len..body_len + CHECK_LEN)? {
        return None;
    }
    let blocks = body[4..].chunks_exact(BLOCK_LEN).map(|block| {
        let (index, value) = block.split_first_chunk::<4>()?;
        Some((u32::from_be_bytes(*index) as usize, BlockValue::try_from(value).ok()?))
    });
    let blocks: Vec<(usize, BlockValue)> = blocks.collect::<Option<_>>()?;
    if blocks.iter().any(|(index, _)| *index >= values.len()) {
        return None;
    }
    for (index, value) in blocks {
        values[index] = Some(value);
    }
    Some(body_len + CHECK_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [7; 16];

    fn block(index: u32, byte: u8) -> KeptBlock {
        KeptBlock { index, value: [byte; 32] }
    }

    fn journal(boot_id: Option<[u8; 16]>, entries: &[&[KeptBlock]]) -> Vec<u8> {
        let header = JournalHeader { key: KEY, size: 10 << 20, boot_id };
        let mut bytes = header.encode().to_vec();
        let mut check = header.check();
        for entry in entries {
            check = encode_entry(&check, entry, &mut bytes);
        }
        bytes
    }

    fn layout() -> BlockLayout {
        BlockLayout::for_size(10 << 20).unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        for boot_id in [None, Some([9; 16])] {
            let bytes = journal(boot_id, &[&[block(3, 1), block(0, 2)], &[], &[block(3, 5)]]);
            let content = JournalContent::decode(&KEY, &layout(), &bytes).unwrap();
            assert_eq!(content.header.boot_id, boot_id);
            assert_eq!(content.blocks, [block(0, 2), block(3, 5)]);
            assert_eq!(content.valid_len, bytes.len());
        }
    }

    #[test]
    fn each_changed_byte_costs_its_entry_and_no_other_block_appears() {
        let whole = journal(None, &[&[block(1, 1)], &[block(2, 2)]]);
        let first_end = JournalHeader::LEN + 4 + BLOCK_LEN + CHECK_LEN;
        for position in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[position] ^= 0x40;
            let read = JournalContent::decode(&KEY, &layout(), &bytes);
            let blocks = read.as_ref().map(|content| &content.blocks[..]);
            if position < JournalHeader::LEN {
                assert_eq!(read, None, "{position}");
            } else if position < first_end {
                assert_eq!(blocks, Some(&[][..]), "{position}");
            } else {
                assert_eq!(blocks, Some(&[block(1, 1)][..]), "{position}");
                assert_eq!(read.unwrap().valid_len, first_end);
            }
        }
    }

    #[test]
    fn a_torn_tail_is_left_out() {
        let whole = journal(None, &[&[block(1, 1)], &[block(2, 2), block(3, 3)]]);
        let first_end = JournalHeader::LEN + 4 + BLOCK_LEN + CHECK_LEN;
        for len in 0..whole.len() {
            let read = JournalContent::decode(&KEY, &layout(), &whole[..len]);
            match read {
                None => assert!(len < JournalHeader::LEN),
                Some(content) if len < first_end => assert_eq!(content.blocks, []),
                Some(content) => assert_eq!(content.blocks, [block(1, 1)]),
            }
        }
    }

    #[test]
    fn a_journal_of_something_else_is_not_read() {
        let bytes = journal(None, &[&[block(1, 1)]]);
        assert_eq!(JournalContent::decode(&[8; 16], &layout(), &bytes), None);
        let other = BlockLayout::for_size(11 << 20).unwrap();
        assert_eq!(JournalContent::decode(&KEY, &other, &bytes), None);
        // An entry of another journal does not go on from this header.
        let mut mixed =
            JournalHeader { key: KEY, size: 10 << 20, boot_id: Some([1; 16]) }.encode().to_vec();
        mixed.extend_from_slice(&bytes[JournalHeader::LEN..]);
        assert_eq!(JournalContent::decode(&KEY, &layout(), &mixed).unwrap().blocks, []);
        // A block that the file does not have.
        let beyond = journal(None, &[&[block(10, 1)]]);
        assert_eq!(JournalContent::decode(&KEY, &layout(), &beyond).unwrap().blocks, []);
    }
}
