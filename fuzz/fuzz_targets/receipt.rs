//! Receipts: any text as a receipt or as a statement, or a genuine receipt with changes. First byte:
//! which.
#![no_main]

use std::sync::LazyLock;

use e2eeftp_core::receipt::{Receipt, Statement};
use e2eeftp_fuzz::receipts::genuine;
use libfuzzer_sys::fuzz_target;

static GENUINE: LazyLock<String> = LazyLock::new(|| genuine().to_text().unwrap());

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else { return };
    match mode % 3 {
        0 => {
            let text = String::from_utf8_lossy(rest);
            if let Ok(receipt) = Receipt::from_text(&text) {
                assert_eq!(receipt.to_text().as_deref(), Ok(&*text));
            }
        }
        1 => {
            let text = String::from_utf8_lossy(rest);
            if let Ok(statement) = Statement::from_text(&text) {
                assert_eq!(statement.to_text().as_deref(), Ok(&*text));
            }
        }
        _ => {
            let mut bytes = GENUINE.as_bytes().to_vec();
            for change in rest.chunks_exact(3) {
                let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % bytes.len();
                bytes[at] ^= change[2];
            }
            let is_genuine = bytes == GENUINE.as_bytes();
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(Receipt::from_text(&text).is_ok(), is_genuine);
        }
    }
});
