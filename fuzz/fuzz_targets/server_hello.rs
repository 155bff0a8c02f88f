//! A client reads a `ServerHello`: it takes those that `docs/PROTOCOL.md` §3 allows and no other.
//! The first byte says what the client asked for.
#![no_main]

use e2eeftp_fuzz::peers::Kind;
use e2eeftp_fuzz::rules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, record)) = data.split_first() else { return };
    let kind = Kind::from_byte(*kind);
    let is_accepted = kind.start().0.handle(record).is_ok();
    let share = |record: &[u8]| *record[1132..].first_chunk::<32>().expect("the form is right");
    let is_right =
        rules::server_hello(record, kind == Kind::Joined) && rules::x25519_share(&share(record));
    assert_eq!(is_accepted, is_right);
});
