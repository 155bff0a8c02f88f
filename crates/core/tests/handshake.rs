//! Handshakes that succeed, what they agree on, and misuse by the caller.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use common::{FailingRandom, Peers, SeededRandom, UNIX_TIME, identity};
use e2eeftp_core::handshake::{
    ClientSettings, Established, Refusal, SERVER_HELLO_RECORD_LEN, ServerSettings, Suite, Suites,
    read_client_hello, refusal_record, start_client,
};
use e2eeftp_core::identity::{IdentityKey, PublicKey, Signer};
use e2eeftp_core::record::{InnerType, MAX_RECORD_BODY, Phase, record_len};
use e2eeftp_core::{Error, Misuse, PeerFault};

/// Sends a control record each way.
fn talk(mut client: Established, mut server: Established) {
    for text in [&b"request"[..], b"again"] {
        let mut record = Vec::new();
        client.sealer.seal_control(text, &mut record).unwrap();
        let opened = server.opener.open(&mut record).unwrap();
        assert_eq!((opened.kind, &*opened.content), (InnerType::Control, text));
        let mut record = Vec::new();
        server.sealer.seal_control(text, &mut record).unwrap();
        assert_eq!(client.opener.open(&mut record).unwrap().content, text);
    }
}

#[test]
fn both_sides_agree() {
    for (peers, suite) in [
        (Peers::aes(), Suite::Aes256Gcm),
        (Peers::chacha(), Suite::ChaCha20Poly1305),
        (Peers::joined(), Suite::Aes256Gcm),
        (Peers { client_prefers_aes: false, ..Peers::joined() }, Suite::ChaCha20Poly1305),
    ] {
        let done = peers.run();
        let client_key = identity("client identity");
        let expected = peers.join.is_none().then_some(client_key.public_key());
        assert_eq!(done.server.client_key(), expected);
        let (client, server) = (done.client, done.server.into_established());
        assert_eq!((client.suite, server.suite), (suite, suite));
        assert_eq!(client.session_id, server.session_id);
        assert_ne!(client.session_id, [0; 16]);
        assert_eq!(client.max_record_body, MAX_RECORD_BODY);
        assert_eq!(server.max_record_body, MAX_RECORD_BODY);
        assert_eq!(client.exporter.channel_binding(), server.exporter.channel_binding());
        let (mut ours, mut theirs) = ([0; 100], [0; 100]);
        client.exporter.export("label", b"context", &mut ours).unwrap();
        server.exporter.export("label", b"context", &mut theirs).unwrap();
        assert_eq!(ours, theirs);
        assert_ne!(ours[..32], client.exporter.channel_binding());
        talk(client, server);
    }
}

#[test]
fn the_client_learns_about_the_server() {
    let peers = Peers::aes();
    let (client, m1) = peers.start();
    let (_, m3, mut m4) = peers.answer(&m1).unwrap();
    let proved = client.handle(&m3).unwrap().handle(&mut m4).unwrap();
    assert_eq!(proved.server_key(), Some(identity("server identity").public_key()));
    assert_eq!(proved.server_time(), UNIX_TIME);
    let session_id = proved.session_id();
    assert_eq!(peers.finish(proved).unwrap().1.session_id, session_id);
}

#[test]
fn suites_are_chosen_by_both() {
    use Suite::{Aes256Gcm, ChaCha20Poly1305};
    const AES: Suites = Suites::AES_256_GCM;
    const CHACHA: Suites = Suites::CHACHA20_POLY1305;
    const ALL: Suites = Suites::ALL;
    for (client_suites, client_prefers_aes, server_suites, server_prefers_aes, suite) in [
        (ALL, true, ALL, true, Some(Aes256Gcm)),
        (ALL, true, ALL, false, Some(ChaCha20Poly1305)),
        (ALL, false, ALL, true, Some(ChaCha20Poly1305)),
        (ALL, false, ALL, false, Some(ChaCha20Poly1305)),
        (AES, false, ALL, false, Some(Aes256Gcm)),
        (ALL, true, CHACHA, true, Some(ChaCha20Poly1305)),
        (CHACHA, true, ALL, true, Some(ChaCha20Poly1305)),
        (AES, true, CHACHA, true, None),
        (CHACHA, true, AES, true, None),
    ] {
        let peers = Peers {
            client_suites,
            client_prefers_aes,
            server_suites,
            server_prefers_aes,
            ..Peers::aes()
        };
        if let Some(suite) = suite {
            assert_eq!(peers.run().client.suite, suite);
        } else {
            let refused = peers.answer(&peers.start().1).unwrap_err();
            assert_eq!(refused, Error::NoCommonSuite);
        }
    }
}

#[test]
fn a_lane_joins_with_the_secret_of_its_session() {
    let (client, server) = Peers::aes().connect();
    let id = [9; 32];
    let (ours, theirs) = (client.exporter.join_secret(&id), server.exporter.join_secret(&id));
    assert_eq!(ours, theirs);
    assert_ne!(ours, client.exporter.join_secret(&[8; 32]));
    let lane = Peers { join: Some((id, *ours)), server_join_secret: Some(*theirs), ..Peers::aes() };
    let done = lane.run();
    assert_eq!(done.server.client_key(), None);
    talk(done.client, done.server.into_established());
}

#[test]
fn a_join_is_accepted_or_refused_and_nothing_else() {
    let join = Some(([3; 32], [4; 48]));
    for server_join_secret in [None, Some([5; 48])] {
        let peers = Peers { join, server_join_secret, ..Peers::aes() };
        let refused = peers.answer(&peers.start().1).unwrap_err();
        assert_eq!(refused, Error::Peer(PeerFault::Join));
    }
    let peers = Peers { server_join_secret: Some([4; 48]), ..Peers::aes() };
    let refused = peers.answer(&peers.start().1).unwrap_err();
    assert_eq!(refused, Error::Misuse(Misuse::Joined));
}

#[test]
fn a_signature_from_outside() {
    let peers = Peers::aes();
    let key = identity("client identity");
    let proved = || {
        let (client, m1) = peers.start();
        let (server, m3, mut m4) = peers.answer(&m1).unwrap();
        (client.handle(&m3).unwrap().handle(&mut m4).unwrap(), server)
    };
    let (mut client, server) = proved();
    // Only the last request counts.
    client.signing_request(identity("another").public_key());
    let request = client.signing_request(key.public_key());
    let (mut m5, _) = client.finish(key.sign(&request).unwrap()).unwrap();
    assert_eq!(server.handle(&mut m5).unwrap().client_key(), Some(key.public_key()));

    let (client, _) = proved();
    assert_eq!(client.finish([0; 64]).unwrap_err(), Error::Misuse(Misuse::NoSigningRequest));
    let (mut client, _) = proved();
    let request = client.signing_request(key.public_key());
    let wrong = identity("another").sign(&request).unwrap();
    assert_eq!(client.finish(wrong).unwrap_err(), Error::Misuse(Misuse::Signer));
    let (client, _) = proved();
    assert_eq!(client.finish_joined().unwrap_err(), Error::Misuse(Misuse::Joined));
}

#[test]
fn a_joined_handshake_shows_no_identity() {
    let peers = Peers::joined();
    for how in 0..2 {
        let (client, m1) = peers.start();
        let (_, m3, mut m4) = peers.answer(&m1).unwrap();
        let mut proved = client.handle(&m3).unwrap().handle(&mut m4).unwrap();
        assert_eq!(proved.server_key(), None);
        let key = identity("client identity");
        let refused = if how == 0 {
            proved.authenticate(&key).unwrap_err()
        } else {
            let request = proved.signing_request(key.public_key());
            proved.finish(key.sign(&request).unwrap()).unwrap_err()
        };
        assert_eq!(refused, Error::Misuse(Misuse::Joined));
    }
}

/// A signer whose signatures fit nothing.
struct BadSigner(PublicKey);

impl Signer for BadSigner {
    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    fn sign(&self, _message: &[u8]) -> Result<[u8; 64], Error> {
        Ok([7; 64])
    }
}

/// A key that is kept elsewhere: its signatures are checked before they are sent.
struct Elsewhere(IdentityKey);

impl Signer for Elsewhere {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Error> {
        self.0.sign(message)
    }
}

#[test]
fn a_right_signature_from_elsewhere_is_sent() {
    let peers = Peers::aes();
    let (client, m1) = peers.start();
    let (server, mut m3) = read_client_hello(&peers.server_settings(), &m1)
        .unwrap()
        .respond(&Elsewhere(identity("server")), None, UNIX_TIME, &mut SeededRandom::new("server"))
        .unwrap();
    let mut m4 = m3.split_off(SERVER_HELLO_RECORD_LEN);
    let proved = client.handle(&m3).unwrap().handle(&mut m4).unwrap();
    assert_eq!(proved.server_key(), Some(identity("server").public_key()));
    let (mut m5, _) = proved.authenticate(&Elsewhere(identity("client"))).unwrap();
    let client = server.handle(&mut m5).unwrap();
    assert_eq!(client.client_key(), Some(identity("client").public_key()));
}

#[test]
fn a_wrong_signature_is_never_sent() {
    let peers = Peers::aes();
    let (client, m1) = peers.start();
    let signer = BadSigner(identity("server identity").public_key().clone());
    let refused = read_client_hello(&peers.server_settings(), &m1)
        .unwrap()
        .respond(&signer, None, UNIX_TIME, &mut SeededRandom::new("server"))
        .unwrap_err();
    assert_eq!(refused, Error::Misuse(Misuse::Signer));
    let (_, m3, mut m4) = peers.answer(&m1).unwrap();
    let proved = client.handle(&m3).unwrap().handle(&mut m4).unwrap();
    assert_eq!(proved.authenticate(&signer).unwrap_err(), Error::Misuse(Misuse::Signer));
}

#[test]
fn no_suite_and_no_randomness_are_errors() {
    let none = Suites::from_bits(0);
    let settings = ClientSettings { suites: none, ..ClientSettings::default() };
    let refused = start_client(settings, &mut SeededRandom::new("c")).unwrap_err();
    assert_eq!(refused, Error::Misuse(Misuse::NoSuite));
    let (_, m1) = Peers::aes().start();
    let settings = ServerSettings { suites: none, ..ServerSettings::default() };
    assert_eq!(read_client_hello(&settings, &m1).unwrap_err(), Error::Misuse(Misuse::NoSuite));

    for bytes in 0..155 {
        let refused = start_client(ClientSettings::default(), &mut FailingRandom(bytes));
        assert_eq!(refused.unwrap_err(), Error::Random, "{bytes}");
    }
    assert!(start_client(ClientSettings::default(), &mut FailingRandom(155)).is_ok());
    let respond = |bytes| {
        read_client_hello(&ServerSettings::default(), &m1).unwrap().respond(
            &identity("server identity"),
            None,
            UNIX_TIME,
            &mut FailingRandom(bytes),
        )
    };
    for bytes in 0..112 {
        assert_eq!(respond(bytes).unwrap_err(), Error::Random, "{bytes}");
    }
    assert!(respond(112).is_ok());
}

#[test]
fn a_refusal_is_understood_at_each_step_of_the_client() {
    for refusal in [Refusal::General, Refusal::Busy, Refusal::ShuttingDown] {
        let mut record = refusal_record(refusal);
        for phase in [Phase::Handshake, Phase::Established] {
            assert_eq!(record_len(record.first_chunk().unwrap(), phase), Ok(record.len()));
        }
        let peers = Peers::aes();
        let (client, m1) = peers.start();
        assert_eq!(client.handle(&record).unwrap_err(), Error::Refused(refusal));
        let (client, _) = peers.start();
        let (_, m3, _) = peers.answer(&m1).unwrap();
        let refused = client.handle(&m3).unwrap().handle(&mut record).unwrap_err();
        assert_eq!(refused, Error::Refused(refusal));
        let (mut client, mut server) = peers.connect();
        assert_eq!(client.opener.open(&mut record).unwrap_err(), Error::Refused(refusal));
        // A client has nothing to refuse, and neither has a server once it has spoken.
        let kind = Error::Peer(PeerFault::RecordKind);
        assert_eq!(server.opener.open(&mut record).unwrap_err(), kind);
        let (mut client, mut server) = peers.connect();
        let mut first = Vec::new();
        server.sealer.seal_control(b"first", &mut first).unwrap();
        client.opener.open(&mut first).unwrap();
        assert_eq!(client.opener.open(&mut record).unwrap_err(), kind);
    }
    assert_eq!(refusal_record(Refusal::General), [0x53, 0, 0, 4, 0, 0, 0, 1]);
}
