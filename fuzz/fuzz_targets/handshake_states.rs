//! Any bytes into any state of either machine: refused, unless they are the very message that
//! this state waits for. First byte: what the two do; second: the state.
#![no_main]

use e2eeftp_core::handshake::read_client_hello;
use e2eeftp_fuzz::peers::{Kind, Transcript};
use e2eeftp_fuzz::rules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&[kind, state], record)) = data.split_first_chunk::<2>() else { return };
    let kind = Kind::from_byte(kind);
    let (client, m1) = kind.start();
    let mut record = record.to_vec();
    match state % 4 {
        0 => {
            // Anyone may say hello; a server that goes on answers with records of fixed lengths.
            let hello = read_client_hello(&Kind::server_settings(), &record);
            assert!(hello.is_err() || rules::client_hello(&record));
            if let Ok((_, m3, m4)) = Kind::answer(&record) {
                assert_eq!((m3.len(), m4.len()), (1220, 1044));
            }
        }
        1 => {
            if let Ok(next) = client.handle(&record) {
                // Without the right keys nobody can go on from here.
                let Transcript { m3, m4, .. } = kind.recorded();
                assert_eq!(next.handle(&mut m4.clone()).is_ok(), record == *m3);
            }
        }
        2 => {
            let is_genuine = record == kind.recorded().m4;
            let next = client.handle(&kind.recorded().m3).expect("M3 is genuine");
            assert_eq!(next.handle(&mut record).is_ok(), is_genuine);
        }
        _ => {
            let is_genuine = record == kind.recorded().m5;
            let (server, ..) = Kind::answer(&m1).expect("M1 is genuine");
            assert_eq!(server.handle(&mut record).is_ok(), is_genuine);
        }
    }
});
