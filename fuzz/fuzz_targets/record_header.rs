//! Four bytes decide how much is read: as `docs/PROTOCOL.md` §1 has it.
#![no_main]

use e2eeftp_core::record::{Phase, record_len};
use e2eeftp_fuzz::rules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: [u8; 4]| {
    for phase in [Phase::Handshake, Phase::Established] {
        let expected = rules::record_len(header, phase == Phase::Established);
        assert_eq!(record_len(&header, phase).ok(), expected);
    }
});
