//! A client reads M4 from a server that knows all keys and says what it likes: only the genuine
//! messages are accepted. First byte: what the client asked for; second: how the rest is wrapped.
#![no_main]

use e2eeftp_fuzz::peers::{Kind, flight_inner};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&[kind, mode], rest)) = data.split_first_chunk::<2>() else { return };
    let kind = Kind::from_byte(kind);
    let transcript = kind.recorded();
    let mut record = match mode % 3 {
        2 => rest.to_vec(),
        mode => transcript.seal_server_flight(&flight_inner(mode == 0, rest)),
    };
    let is_genuine = record == transcript.m4;
    let client = kind.start().0.handle(&transcript.m3).expect("M3 is genuine");
    assert_eq!(client.handle(&mut record).is_ok(), is_genuine);
});
