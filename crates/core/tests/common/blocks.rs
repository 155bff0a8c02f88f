//! The file `blocks.json`: layouts, values and roots of files, a map, a `Block` record and a journal.

use e2eeftp_core::crypto::{BlockHasher, BlockValue, root_of_blocks};
use e2eeftp_core::transfer::{
    BlockHead, BlockLayout, BlockMap, JournalHeader, KeptBlock, encode_entry,
};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;
/// Two blocks and a part of one: what the map and the journal are about.
const PARTIAL: u64 = 2 * MIB + 12_345;

/// The content of every file: byte `i` is `i mod 251`.
fn content(range: std::ops::Range<u64>) -> Vec<u8> {
    range.map(|at| u8::try_from(at % 251).unwrap()).collect()
}

fn layout(size: u64) -> BlockLayout {
    BlockLayout::for_size(size).unwrap()
}

fn values(size: u64) -> Vec<BlockValue> {
    let layout = layout(size);
    let value = |index| {
        let mut hasher = BlockHasher::new(&layout, index).unwrap();
        hasher.update(&content(layout.range(index).unwrap()));
        hasher.finalize()
    };
    (0..layout.count()).map(value).collect()
}

fn file(name: &str, size: u64) -> Value {
    let values = values(size);
    json!({
        "name": name,
        "size": size,
        "values": values.iter().map(hex::encode).collect::<Vec<_>>(),
        "root": hex::encode(root_of_blocks(&values)),
    })
}

fn layouts() -> Vec<Value> {
    const GIB: u64 = 1 << 30;
    const TIB: u64 = 1 << 40;
    let sizes = [
        0,
        1,
        MIB,
        MIB + 1,
        GIB,
        GIB + 1,
        2 * GIB,
        20 * GIB + 3,
        16 * TIB,
        16 * TIB + 1,
        i64::MAX.unsigned_abs(),
    ];
    let one = |size| {
        let layout = layout(size);
        json!({
            // Beyond what a JSON number holds exactly.
            "size": size.to_string(),
            "block_length": layout.block_len().to_string(),
            "count": layout.count(),
            "last_length": layout.len_of(layout.count().saturating_sub(1)).to_string(),
        })
    };
    sizes.map(one).to_vec()
}

fn kept(index: u32) -> KeptBlock {
    KeptBlock { index, value: values(PARTIAL)[index as usize] }
}

fn map() -> Value {
    let mut map = BlockMap::empty(&layout(PARTIAL));
    for block in [kept(0), kept(2)] {
        map.keep(block.index, block.value);
    }
    json!({ "size": PARTIAL, "kept": [0, 2], "map": hex::encode(map.to_wire()) })
}

fn block_records() -> Vec<Value> {
    let one = |index, is_last, offset, len| {
        let head = BlockHead { index, is_last, offset, len };
        json!({
            "block": index,
            "last": is_last,
            "offset": offset,
            "length": len,
            "content": hex::encode(head.to_wire()),
        })
    };
    vec![one(0, true, 0, MIB), one(1, false, 4096, 8192), one(2, true, 12_345, 0)]
}

/// A journal of two entries, the first of which has two blocks.
fn journal(boot_id: Option<[u8; 16]>) -> Value {
    let key: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let header = JournalHeader { key, size: PARTIAL, boot_id };
    let mut bytes = header.encode().to_vec();
    let check = encode_entry(&header.check(), &[kept(2), kept(0)], &mut bytes);
    encode_entry(&check, &[kept(1)], &mut bytes);
    json!({
        "size": PARTIAL,
        "key": hex::encode(key),
        "boot_id": boot_id.map(hex::encode),
        "entries": [[2, 0], [1]],
        "journal": hex::encode(bytes),
    })
}

pub(crate) fn all() -> Value {
    json!({
        "about": "Files by blocks. Byte i of every file is i mod 251. `layouts` have numbers as text, for they go beyond 2^53. The map and the journals are about the file `partial`; the numbers in `entries` are those of its blocks.",
        "cases": [
            file("one", 300_000),
            file("exact", 2 * MIB),
            file("partial", PARTIAL),
            file("odd", 5 * MIB + 1),
        ],
        "layouts": layouts(),
        "map": map(),
        "block_records": block_records(),
        "journals": [journal(None), journal(Some([0xb0; 16]))],
    })
}
