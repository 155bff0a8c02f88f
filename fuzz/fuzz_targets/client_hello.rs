//! A server reads a `ClientHello`: it takes those that `docs/PROTOCOL.md` §2 allows and no other.
#![no_main]

use e2eeftp_core::handshake::read_client_hello;
use e2eeftp_fuzz::peers::Kind;
use e2eeftp_fuzz::rules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|record: &[u8]| {
    let is_accepted = read_client_hello(&Kind::server_settings(), record).is_ok();
    let share = |record: &[u8]| *record[1228..].first_chunk::<32>().expect("the form is right");
    let is_right = rules::client_hello(record) && rules::x25519_share(&share(record));
    assert_eq!(is_accepted, is_right);
});
