//! Writes the seeds into `corpus/TARGET/seed-NAME`, from the folder of this crate. To be run again
//! when the protocol changes: `cargo run --example make-seeds`.

use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    for (target, name, content) in e2eeftp_fuzz::seeds::all() {
        let folder = Path::new("corpus").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{name}")), content)?;
    }
    Ok(())
}
