//! The files in `testdata/vectors/` are what this crate says, byte for byte.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use std::path::Path;

use common::vectors;
use e2eeftp_core::receipt::Receipt;
use e2eeftp_core::transfer::{BlockHead, BlockLayout, BlockMap, JournalContent};
use serde_json::Value;

fn stored(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/vectors").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{name}: {error}; make it with `cargo run -p e2eeftp-core --example make-vectors`")
    });
    serde_json::from_str(&text).unwrap()
}

/// Names the first value that differs, instead of printing both files.
fn compare(path: &str, stored: &Value, made: &Value) {
    match (stored, made) {
        (Value::Object(stored), Value::Object(made)) => {
            let names = |object: &serde_json::Map<String, Value>| {
                object.keys().cloned().collect::<Vec<_>>()
            };
            assert_eq!(names(stored), names(made), "{path}");
            for (name, value) in stored {
                compare(&format!("{path}.{name}"), value, &made[name]);
            }
        }
        (Value::Array(stored), Value::Array(made)) => {
            assert_eq!(stored.len(), made.len(), "{path}");
            for (index, (stored, made)) in stored.iter().zip(made).enumerate() {
                compare(&format!("{path}[{index}]"), stored, made);
            }
        }
        _ => assert_eq!(stored, made, "{path}"),
    }
}

#[test]
fn every_vector_is_reproduced() {
    let mut values = 0;
    for (name, made) in vectors::all() {
        let stored = stored(name);
        compare(name, &stored, &made);
        values += stored["cases"].as_array().unwrap().len();
    }
    assert_eq!(values, 4 + 4 + 4 + 2 + 2 + 1 + 1 + 2);
}

/// The stored bytes alone, without the code that made them: a client that draws the stored
/// randomness accepts the stored answers, and opens nothing else.
#[test]
fn stored_handshakes_are_accepted() {
    for case in stored("handshake.json")["cases"].as_array().unwrap() {
        vectors::replay(case);
    }
    for name in ["security-key.json", "rotation.json"] {
        for case in stored(name)["cases"].as_array().unwrap() {
            vectors::replay(case);
        }
    }
}

/// The stored maps and journals say what stands beside them.
#[test]
fn stored_blocks_are_read() {
    let stored = stored("blocks.json");
    let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    let layout = |value: &Value| BlockLayout::for_size(value["size"].as_u64().unwrap()).unwrap();
    let partial = stored["cases"].as_array().unwrap().iter().find(|case| case["name"] == "partial");
    let values = partial.unwrap()["values"].as_array().unwrap();
    let map = &stored["map"];
    let read = BlockMap::from_wire(&layout(map), &bytes(&map["map"])).unwrap();
    for (index, value) in values.iter().enumerate() {
        let claimed = read.get(u32::try_from(index).unwrap());
        let is_kept = map["kept"].as_array().unwrap().contains(&Value::from(index));
        assert_eq!(claimed.map(|value| value.to_vec()), is_kept.then(|| bytes(value)));
    }
    for head in stored["block_records"].as_array().unwrap() {
        let read = BlockHead::from_wire(&layout(map), &bytes(&head["content"])).unwrap();
        assert_eq!(u64::from(read.index), head["block"].as_u64().unwrap());
        assert_eq!(read.is_last, head["last"].as_bool().unwrap());
        assert_eq!(
            (read.offset, read.len),
            (head["offset"].as_u64().unwrap(), head["length"].as_u64().unwrap())
        );
    }
    for journal in stored["journals"].as_array().unwrap() {
        let key = bytes(&journal["key"]).try_into().unwrap();
        let raw = bytes(&journal["journal"]);
        let read = JournalContent::decode(&key, &layout(journal), &raw).unwrap();
        assert_eq!(read.valid_len, raw.len());
        let claimed: Vec<_> = read.blocks.iter().map(|block| block.value.to_vec()).collect();
        assert_eq!(claimed, values.iter().map(bytes).collect::<Vec<_>>());
        assert_eq!(read.header.boot_id.is_some(), journal["boot_id"].is_string());
    }
}

/// The stored receipts hold, and say what stands beside them.
#[test]
fn stored_receipts_are_accepted() {
    for case in stored("receipt.json")["cases"].as_array().unwrap() {
        let receipt = Receipt::from_text(case["file"].as_str().unwrap()).unwrap();
        assert_eq!(receipt.statement().to_text().unwrap(), case["statement"].as_str().unwrap());
        assert_eq!(receipt.name().is_some(), case["path"].is_string());
    }
}
