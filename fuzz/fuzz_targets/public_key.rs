//! Public keys in every form in which people keep them. First byte: text, SSH blob or 32 bytes.
#![no_main]

use e2eeftp_core::identity::PublicKey;
use e2eeftp_fuzz::keys::{armor, check_public};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else { return };
    match mode % 4 {
        0 => check_public(&String::from_utf8_lossy(rest)),
        1 => {
            if let Ok(key) = PublicKey::from_ssh_blob(rest) {
                assert_eq!(key.to_ssh_blob(), rest);
            }
        }
        2 => {
            if let Some(Ok(key)) = rest.first_chunk().map(PublicKey::from_bytes) {
                check_public(&key.to_base64());
            }
        }
        _ => check_public(&armor("PUBLIC KEY", rest)),
    }
});
