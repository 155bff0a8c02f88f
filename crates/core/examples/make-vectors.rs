//! Writes `testdata/vectors/*.json`: `cargo run -p e2eeftp-core --example make-vectors`.
#![allow(clippy::unwrap_used, reason = "vectors that do not hold are not written")]
#![allow(dead_code, reason = "the modules are shared with the tests")]

use std::path::Path;

#[path = "../tests/common/blocks.rs"]
mod blocks;
#[path = "../tests/common/receipts.rs"]
mod receipts;
#[path = "../tests/common/reference.rs"]
mod reference;
#[path = "../tests/common/vectors.rs"]
mod vectors;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/vectors");
    std::fs::create_dir_all(&folder)?;
    for (name, content) in vectors::all() {
        let text = serde_json::to_string_pretty(&content)?;
        std::fs::write(folder.join(name), text + "\n")?;
    }
    Ok(())
}
