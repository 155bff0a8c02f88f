//! A connection that joins a session, without chance, and somebody who knows its secrets and can
//! send a wrong Finished under the right keys.

use e2eeftp_core::classic;
use e2eeftp_core::handshake::{
    ClientHello, ClientSettings, ExpectClientAuth, ExpectServerAuth, ExpectServerHello, Join,
    SERVER_HELLO_RECORD_LEN, ServerSettings, Suites, read_client_hello, start_client,
};
use e2eeftp_core::identity::IdentityKey;
use e2eeftp_core::record::RatchetLimits;
use e2eeftp_core::{Error, Random};
use zeroize::Zeroizing;

use crate::comparisons::Place;
use crate::reference::{self, Schedule};

const JOIN_ID: [u8; 32] = [3; 32];
/// The secret that both ends know.
pub const JOIN_SECRET: [u8; 48] = [4; 48];
/// Draws the client's key share: the first thing it does.
const CLIENT_SEED: u8 = 1;

/// The client after its first message, and that message.
pub fn start() -> (ExpectServerHello, Vec<u8>) {
    let join = Join { id: JOIN_ID, secret: Zeroizing::new(JOIN_SECRET) };
    let limits = RatchetLimits::default();
    // Under valgrind, ring's AES-GCM smears a mark over the whole record; ChaCha20 does not.
    let settings =
        ClientSettings { suites: Suites::ALL, prefer_aes: false, join: Some(join), limits };
    start_client(settings, &mut Counter(CLIENT_SEED)).expect("a client can start")
}

/// The server after the first message.
pub fn hear(m1: &[u8]) -> ClientHello {
    read_client_hello(&ServerSettings::default(), m1).expect("the form is right")
}

/// Whether the server accepts the join with this secret, and what it answers.
///
/// # Errors
/// What the core refuses.
pub fn answer(hello: ClientHello, secret: &[u8; 48]) -> Result<(ExpectClientAuth, Vec<u8>), Error> {
    let signer = IdentityKey::generate(&mut Counter(2)).expect("the source does not fail");
    hello.respond(&signer, Some(secret), 0, &mut Counter(3))
}

/// The opener of an empty piece of the old wire format before it checks the code, and that code.
pub fn classic_piece() -> (classic::PieceOpener, [u8; classic::MAC_LEN]) {
    let identity = |seed| IdentityKey::generate(&mut Counter(seed)).expect("a key");
    let (client, hello) =
        classic::ClientStart::new(&identity(4), &mut Counter(5)).expect("a client can start");
    let hello = classic::ClientHello::read(&hello).expect("it is genuine");
    let (keys, answer) = hello.respond(&identity(6), &mut Counter(7)).expect("a server answers");
    let (sealer, iv) = classic::PieceSealer::new(keys, &mut Counter(8)).expect("a sealer");
    let end = sealer.finish(&[]).expect("nothing is left over");
    let keys = client.handle(&answer).expect("it is genuine").keys;
    let mut opener = classic::PieceOpener::new(keys, classic::MIN_SEALED_LEN, &iv).expect("fits");
    let (block, code) = end.split_at(classic::BLOCK_LEN);
    opener.open(&mut block.to_vec()).expect("one block");
    (opener, code.try_into().expect("the rest is the code"))
}

/// Both ends before the client checks M4, and M4 with its Finished spoiled at `place`.
pub fn before_m4(place: Place) -> (ExpectServerAuth, Vec<u8>) {
    let (client, m1) = start();
    let (_, flight) = answer(hear(&m1), &JOIN_SECRET).expect("the binder is right");
    let (m3, m4) = flight.split_at(SERVER_HELLO_RECORD_LEN);
    let schedule = schedule(&m1, m3);
    let forged = spoiled(&schedule, &schedule.server_handshake, m4, place);
    (client.handle(m3).expect("M3 is genuine"), forged)
}

/// The server before it checks M5, and M5 with its Finished spoiled at `place`.
pub fn before_m5(place: Place) -> (ExpectClientAuth, Vec<u8>) {
    let (client, m1) = start();
    let (server, flight) = answer(hear(&m1), &JOIN_SECRET).expect("the binder is right");
    let (m3, m4) = flight.split_at(SERVER_HELLO_RECORD_LEN);
    let schedule = schedule(&m1, m3);
    let proved = client.handle(m3).and_then(|client| client.handle(&mut m4.to_vec()));
    let (m5, _) = proved.and_then(|client| client.finish_joined()).expect("M4 is genuine");
    let forged = spoiled(&schedule, &schedule.client_handshake, &m5, place);
    (server, forged)
}

/// The bytes of the Finished code in the record: the last message of a flight.
pub fn finished_of(flight: &mut [u8], messages_len: usize) -> &mut [u8] {
    &mut flight[12 + messages_len - 48..12 + messages_len]
}

fn schedule(m1: &[u8], m3: &[u8]) -> Schedule {
    let mut seed = [0; 32];
    Counter(CLIENT_SEED).fill(&mut seed).expect("the source does not fail");
    Schedule::new(seed, Some(&JOIN_SECRET), m1, m3)
}

fn spoiled(schedule: &Schedule, secret: &[u8], flight: &[u8], place: Place) -> Vec<u8> {
    let mut messages = reference::messages(&reference::open(schedule.suite, secret, 0, flight));
    let finished = messages.last_mut().expect("a flight ends with a Finished");
    place.spoil(&mut finished[4..]);
    schedule.flight(secret, &messages)
}

/// Bytes that are no secret here.
pub struct Counter(pub u8);

impl Random for Counter {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(3);
            *byte = self.0;
        }
        Ok(())
    }
}
