//! The hello of `classic`: a genuine one with changes, or any 132 bytes.
#![no_main]

use e2eeftp_core::classic::{ClientHello, ClientStart, HELLO_MESSAGE_LEN};
use e2eeftp_fuzz::peers::{SeededRandom, identity};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(message) = data.first_chunk::<HELLO_MESSAGE_LEN>() {
        drop(ClientHello::read(message));
    }
    let client = identity("client identity");
    let mut random = SeededRandom::new("classic hello");
    let (_, genuine) = ClientStart::new(&client, &mut random).unwrap();
    let mut message = genuine;
    for change in data.chunks_exact(2) {
        message[usize::from(change[0]) % HELLO_MESSAGE_LEN] ^= change[1];
    }
    match ClientHello::read(&message) {
        Ok(hello) => {
            assert_eq!(message, genuine, "only what was signed is taken");
            assert_eq!(hello.client_key(), client.public_key());
        }
        Err(_) => assert_ne!(message, genuine),
    }
});
