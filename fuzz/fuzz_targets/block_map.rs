//! The map of a receiver about a file of some length: four bytes of length, then the map.
#![no_main]

use e2eeftp_core::transfer::{BlockLayout, BlockMap};
use e2eeftp_fuzz::rules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((size, map)) = data.split_first_chunk::<4>() else { return };
    let layout = BlockLayout::for_size(u32::from_be_bytes(*size).into()).unwrap();
    let read = BlockMap::from_wire(&layout, map);
    let claimed = rules::block_map(layout.count(), map);
    assert_eq!(read.is_ok(), claimed.is_some());
    if let (Ok(read), Some(claimed)) = (read, claimed) {
        assert!(read.kept().eq(claimed));
        assert_eq!(read.to_wire(), map);
        assert!(map.len() as u64 <= BlockMap::max_wire_len(&layout));
        let missing = read.missing().count();
        assert_eq!(missing + read.kept().count(), layout.count() as usize);
    }
});
