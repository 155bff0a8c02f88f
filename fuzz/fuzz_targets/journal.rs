//! The journal of a staged file: any bytes, or parts whose checks are right, of which one byte is changed
//! perhaps.
#![no_main]

use e2eeftp_core::transfer::{BlockLayout, JournalContent, encode_entry};
use e2eeftp_fuzz::journal::{self, KEY};
use e2eeftp_fuzz::rules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&[mode, blocks], rest)) = data.split_first_chunk::<2>() else { return };
    let layout = BlockLayout::for_size(u64::from(blocks) << 20).unwrap();
    let count = layout.count();
    if mode & 1 == 0 {
        let read = JournalContent::decode(&KEY, &layout, rest);
        assert_eq!(read.is_some(), rules::journal_header(&KEY, layout.size(), rest));
        if let Some(read) = read {
            check(&read, &layout, rest);
        }
        return;
    }
    let Some((&[at, change, ..], rest)) = rest.split_first_chunk::<3>() else { return };
    let parts = journal::parts(rest);
    let (mut bytes, ends) = journal::seal(&parts);
    let at = usize::from(at) * 7 % bytes.len().max(1);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= change;
    }
    // All in front of the part with the changed byte holds.
    let sound = ends.iter().take_while(|end| change == 0 || **end <= at).count();
    let Some((header, entries)) = parts[..sound].split_first() else {
        assert!(JournalContent::decode(&KEY, &layout, &bytes).is_none());
        return;
    };
    let read = JournalContent::decode(&KEY, &layout, &bytes);
    assert_eq!(read.is_some(), rules::journal_header(&KEY, layout.size(), &bytes), "{header:?}");
    if let Some(read) = read {
        let (claimed, valid) = rules::journal_entries(count, entries);
        let blocks = read.blocks.iter().map(|block| (block.index, block.value));
        assert!(blocks.eq(claimed));
        assert_eq!(read.valid_len, ends[valid]);
        check(&read, &layout, &bytes);
    }
});

/// What was read can be written, and gone on with.
fn check(read: &JournalContent, layout: &BlockLayout, bytes: &[u8]) {
    assert!(read.valid_len <= bytes.len());
    let mut anew = read.header.encode().to_vec();
    let next = encode_entry(&read.header.check(), &read.blocks, &mut anew);
    let again = JournalContent::decode(&KEY, layout, &anew).unwrap();
    assert_eq!((&again.blocks, again.header), (&read.blocks, read.header));
    assert_eq!((again.valid_len, again.check), (anew.len(), next));
    let mut longer = bytes[..read.valid_len].to_vec();
    let next = encode_entry(&read.check, &read.blocks, &mut longer);
    let again = JournalContent::decode(&KEY, layout, &longer).unwrap();
    assert_eq!((again.blocks, again.check), (read.blocks.clone(), next));
    assert_eq!(again.valid_len, longer.len());
}
