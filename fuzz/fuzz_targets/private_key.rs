//! Private key files. First byte: the text of a file, or what is inside of one of either format.
#![no_main]

use e2eeftp_fuzz::keys::{armor, check_private};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else { return };
    match mode % 3 {
        0 => check_private(rest),
        1 => check_private(armor("OPENSSH PRIVATE KEY", rest).as_bytes()),
        _ => check_private(armor("PRIVATE KEY", rest).as_bytes()),
    }
});
