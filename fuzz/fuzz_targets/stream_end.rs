//! The bodies of `End`, `Abort`, `Stop` and `Close` records.
#![no_main]

use e2eeftp_core::transfer::{End, Reason};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    match End::from_wire(content) {
        Ok(end) => assert_eq!(end.to_wire(), content),
        Err(_) => assert_ne!(content.len(), End::WIRE_LEN),
    }
    match Reason::from_wire(content) {
        Ok(reason) => assert_eq!(reason.to_wire(), content),
        Err(_) => assert_ne!(content.len(), Reason::WIRE_LEN),
    }
});
