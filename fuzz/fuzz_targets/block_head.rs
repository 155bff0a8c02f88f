//! The content of a `Block` record about a file of some length: eight bytes of length, then the content.
#![no_main]

use e2eeftp_core::transfer::{BlockHead, BlockLayout};
use e2eeftp_fuzz::rules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((size, content)) = data.split_first_chunk::<8>() else { return };
    let size = u64::from_be_bytes(*size);
    let Some(layout) = BlockLayout::for_size(size) else {
        assert!(i64::try_from(size).is_err());
        return;
    };
    let read = BlockHead::from_wire(&layout, content);
    assert_eq!(read.is_ok(), rules::block_head(size, content));
    if let Ok(head) = read {
        assert_eq!(head.to_wire(), content);
        let block = layout.range(head.index).unwrap();
        assert!(block.start + head.offset + head.len <= block.end && block.end <= size);
    }
});
