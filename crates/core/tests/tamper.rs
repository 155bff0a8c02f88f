//! Handshakes that somebody interferes with: none may end in an agreement.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use common::{Peers, SeededRandom, UNIX_TIME, identity};
use e2eeftp_core::handshake::{ServerSettings, Suites, read_client_hello};
use e2eeftp_core::{Error, PeerFault};

/// What the client says to `m3` and `m4` in reply to its own first message.
fn client_verdict(peers: &Peers, m3: &[u8], m4: &[u8]) -> Result<(), Error> {
    let (client, _) = peers.start();
    client.handle(m3)?.handle(&mut m4.to_vec()).map(drop)
}

/// What the server says to `m5` as the reply to its answer to the genuine `m1`.
fn server_verdict(peers: &Peers, m1: &[u8], m5: &[u8]) -> Result<(), Error> {
    peers.answer(m1)?.0.handle(&mut m5.to_vec()).map(drop)
}

/// Whether client and server come to an agreement when the client's first message is changed
/// to `m1` under way.
fn agrees_on_m1(peers: &Peers, m1: &[u8]) -> bool {
    // A changed join id is looked up and not found; `answer` would find it.
    match peers.answer_unchecked(m1) {
        Ok((m3, m4)) => client_verdict(peers, &m3, &m4).is_ok(),
        Err(_) => false,
    }
}

impl Peers {
    fn answer_unchecked(&self, m1: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let hello = read_client_hello(&self.server_settings(), m1)?;
        let secret = hello.join_id().and(self.server_join_secret.as_ref());
        let (_, mut m3) = hello.respond(
            &identity("server identity"),
            secret,
            UNIX_TIME,
            &mut SeededRandom::new(&self.server_seed),
        )?;
        let m4 = m3.split_off(e2eeftp_core::handshake::SERVER_HELLO_RECORD_LEN);
        Ok((m3, m4))
    }
}

#[test]
fn any_changed_byte_ends_the_handshake() {
    for peers in Peers::all() {
        let done = peers.run();
        assert!(agrees_on_m1(&peers, &done.m1));
        for at in 0..done.m1.len() {
            let mut m1 = done.m1.clone();
            m1[at] ^= 1 << (at % 8);
            assert!(!agrees_on_m1(&peers, &m1), "M1 byte {at}");
        }
        client_verdict(&peers, &done.m3, &done.m4).unwrap();
        for at in 0..done.m3.len() {
            let mut m3 = done.m3.clone();
            m3[at] ^= 1 << (at % 8);
            assert!(client_verdict(&peers, &m3, &done.m4).is_err(), "M3 byte {at}");
        }
        for at in 0..done.m4.len() {
            let mut m4 = done.m4.clone();
            m4[at] ^= 1 << (at % 8);
            assert!(client_verdict(&peers, &done.m3, &m4).is_err(), "M4 byte {at}");
        }
        server_verdict(&peers, &done.m1, &done.m5).unwrap();
        for at in 0..done.m5.len() {
            let mut m5 = done.m5.clone();
            m5[at] ^= 1 << (at % 8);
            assert!(server_verdict(&peers, &done.m1, &m5).is_err(), "M5 byte {at}");
        }
    }
}

#[test]
fn only_whole_messages_are_taken() {
    let peers = Peers::aes();
    let done = peers.run();
    let settings = ServerSettings::default();
    let longer = |message: &[u8]| [message, &[0]].concat();
    for len in 0..done.m1.len() {
        assert!(read_client_hello(&settings, &done.m1[..len]).is_err(), "M1 {len}");
    }
    assert!(read_client_hello(&settings, &longer(&done.m1)).is_err());
    for len in 0..done.m3.len() {
        assert!(peers.start().0.handle(&done.m3[..len]).is_err(), "M3 {len}");
    }
    assert!(peers.start().0.handle(&longer(&done.m3)).is_err());
    for len in 0..done.m4.len() {
        assert!(client_verdict(&peers, &done.m3, &done.m4[..len]).is_err(), "M4 {len}");
    }
    assert!(client_verdict(&peers, &done.m3, &longer(&done.m4)).is_err());
    for len in 0..done.m5.len() {
        assert!(server_verdict(&peers, &done.m1, &done.m5[..len]).is_err(), "M5 {len}");
    }
    assert!(server_verdict(&peers, &done.m1, &longer(&done.m5)).is_err());
}

#[test]
fn messages_out_of_order_and_reflected_are_refused() {
    for peers in Peers::all() {
        let done = peers.run();
        let (m1, m3, m4, m5) = (&done.m1, &done.m3, &done.m4, &done.m5);
        for first in [m3, m4, m5] {
            assert!(read_client_hello(&peers.server_settings(), first).is_err());
        }
        // A client that gets its own ClientHello back, or M4 before M3.
        for wrong in [m1, m4, m5] {
            assert!(peers.start().0.handle(wrong).is_err());
        }
        // A client that gets its own ClientAuth back, or a repeated M3.
        for wrong in [m1, m3, m5] {
            assert!(client_verdict(&peers, m3, wrong).is_err());
        }
        // A server that gets its own messages back.
        for wrong in [m1, m3, m4] {
            assert!(server_verdict(&peers, m1, wrong).is_err());
        }
    }
}

#[test]
fn a_replayed_hello_gets_other_keys() {
    for peers in Peers::all() {
        let done = peers.run();
        let again = Peers { server_seed: "another time".into(), ..peers.clone() };
        let (server, m3, m4) = again.answer(&done.m1).unwrap();
        assert_ne!(m3, done.m3);
        assert_ne!(m4, done.m4);
        // The recorded end of the first connection does not fit the second.
        assert_eq!(server.handle(&mut done.m5.clone()).unwrap_err(), Error::Decrypt);
    }
}

#[test]
fn recorded_records_do_not_fit_another_connection() {
    let peers = Peers::aes();
    let (mut client, _) = peers.connect();
    let mut record = Vec::new();
    client.sealer.seal_control(b"delete everything", &mut record).unwrap();
    for other in [
        Peers { server_seed: "another time".into(), ..peers.clone() },
        Peers { client_seed: "another time".into(), ..peers },
    ] {
        let (mut client, mut server) = other.connect();
        assert_eq!(server.opener.open(&mut record.clone()).unwrap_err(), Error::Decrypt);
        // Nor do a side's own records fit itself.
        let mut own = Vec::new();
        client.sealer.seal_control(b"request", &mut own).unwrap();
        assert_eq!(client.opener.open(&mut own).unwrap_err(), Error::Decrypt);
    }
}

#[test]
fn messages_of_two_connections_do_not_mix() {
    for peers in Peers::all() {
        let other = Peers {
            client_seed: "second client".into(),
            server_seed: "second server".into(),
            ..peers.clone()
        };
        let (first, second) = (peers.run(), other.run());
        assert_eq!(client_verdict(&peers, &first.m3, &second.m4), Err(Error::Decrypt));
        assert_eq!(client_verdict(&peers, &second.m3, &second.m4), Err(Error::Decrypt));
        assert_eq!(server_verdict(&peers, &first.m1, &second.m5), Err(Error::Decrypt));
        // Same ClientHello, two answers.
        let third = Peers { server_seed: "third".into(), ..peers.clone() }.run();
        assert_eq!(client_verdict(&peers, &first.m3, &third.m4), Err(Error::Decrypt));
    }
}

/// An attacker who is a server of its own relays a client's handshake to another server, in
/// the hope that the two ends see different peers.
#[test]
fn identities_cannot_be_misbound() {
    let peers = Peers::aes();
    let mallory = identity("mallory");
    let (client, m1) = peers.start();
    // Mallory answers the client herself...
    let (_, mut m3) = read_client_hello(&peers.server_settings(), &m1)
        .unwrap()
        .respond(&mallory, None, UNIX_TIME, &mut SeededRandom::new("mallory"))
        .unwrap();
    let mut m4 = m3.split_off(e2eeftp_core::handshake::SERVER_HELLO_RECORD_LEN);
    let proved = client.handle(&m3).unwrap().handle(&mut m4).unwrap();
    // ...and the client sees whom it talks to.
    assert_eq!(proved.server_key(), Some(mallory.public_key()));
    let (mut m5, _) = proved.authenticate(&identity("client identity")).unwrap();
    // The client's proof is of no use with the genuine server, which got the same hello.
    let (server, _, _) = peers.answer(&m1).unwrap();
    assert_eq!(server.handle(&mut m5).unwrap_err(), Error::Decrypt);
}

/// A signature that was made for another transcript is refused even where it is sealed with
/// the right key: whoever holds the channel must also hold the identity.
#[test]
fn a_signing_request_is_bound_to_its_connection_and_key() {
    let peers = Peers::aes();
    let request = |peers: &Peers, key: &str| {
        let (client, m1) = peers.start();
        let (_, m3, mut m4) = peers.answer(&m1).unwrap();
        let mut proved = client.handle(&m3).unwrap().handle(&mut m4).unwrap();
        proved.signing_request(identity(key).public_key())
    };
    let genuine = request(&peers, "client identity");
    assert_eq!(genuine, request(&peers, "client identity"));
    assert_ne!(genuine, request(&peers, "another"));
    let other = Peers { server_seed: "another time".into(), ..peers };
    assert_ne!(genuine, request(&other, "client identity"));
}

#[test]
fn suites_cannot_be_edited() {
    // M1: offer less, prefer the other. M3: choose the other.
    let peers = Peers::aes();
    let done = peers.run();
    for (suites, preferred) in [(2, 2), (3, 2), (1, 1)] {
        let mut m1 = done.m1.clone();
        m1[4 + 5] = suites;
        m1[4 + 6] = preferred;
        assert!(peers.answer(&m1).is_ok());
        assert!(!agrees_on_m1(&peers, &m1));
    }
    let mut m3 = done.m3.clone();
    m3[4 + 2] = 2;
    assert_eq!(client_verdict(&peers, &m3, &done.m4), Err(Error::Decrypt));
    // A suite that was not offered is refused before any key is made.
    let strict = Peers { client_suites: Suites::AES_256_GCM, ..Peers::aes() };
    let mut m3 = strict.run().m3;
    m3[4 + 2] = 2;
    let refused = strict.start().0.handle(&m3).unwrap_err();
    assert_eq!(refused, Error::Peer(PeerFault::Value));
}

#[test]
fn a_join_cannot_be_edited() {
    let done = Peers::joined().run();
    // Turn a join into none, and the reverse.
    let mut m1 = done.m1.clone();
    m1[4 + 2] = 0;
    assert!(!agrees_on_m1(&Peers::joined(), &m1));
    let plain = Peers::aes().run();
    let mut m1 = plain.m1.clone();
    m1[4 + 2] = 2;
    assert!(!agrees_on_m1(&Peers::aes(), &m1));
    let ignored = Error::Peer(PeerFault::JoinIgnored);
    for (peers, m3) in [(Peers::joined(), plain.m3), (Peers::aes(), done.m3)] {
        assert_eq!(peers.start().0.handle(&m3).unwrap_err(), ignored);
    }
}

#[test]
fn reserved_and_unknown_values_have_their_fault() {
    let peers = Peers::aes();
    let done = peers.run();
    let reserved = Error::Peer(PeerFault::Reserved);
    let first = |at: usize, value: u8| {
        let mut m1 = done.m1.clone();
        m1[4 + at] = value;
        read_client_hello(&peers.server_settings(), &m1).map(drop)
    };
    assert_eq!(first(0, 3), Err(Error::Peer(PeerFault::MessageType)));
    assert_eq!(first(1, 2), Err(Error::Peer(PeerFault::Version)));
    for flags in [1, 4, 0x80] {
        assert_eq!(first(2, flags), Err(reserved));
    }
    assert_eq!(first(3, 2), Err(Error::NoCommonSuite));
    assert_eq!(first(5, 0xfc), Err(Error::Peer(PeerFault::Value)));
    for preferred in [0, 3, 255] {
        assert_eq!(first(6, preferred), Err(Error::Peer(PeerFault::Value)));
    }
    // Unknown signature kinds and suites are for versions of tomorrow.
    assert_eq!(first(3, 0xff), Ok(()));
    assert_eq!(first(4, 0xff), Ok(()));
    for at in [7].into_iter().chain(1336..1408).chain(1519..1536) {
        assert_eq!(first(at, 1), Err(reserved), "{at}");
    }

    let second = |at: usize, value: u8| {
        let mut m3 = done.m3.clone();
        m3[4 + at] = value;
        peers.start().0.handle(&m3).map(drop)
    };
    assert_eq!(second(0, 1), Err(Error::Peer(PeerFault::MessageType)));
    assert_eq!(second(1, 2), Err(Error::Peer(PeerFault::Version)));
    assert_eq!(second(2, 0), Err(Error::Peer(PeerFault::Value)));
    assert_eq!(second(3, 2), Err(reserved));
    for at in (4..8).chain(1164..1216) {
        assert_eq!(second(at, 1), Err(reserved), "{at}");
    }
}
