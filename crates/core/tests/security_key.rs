//! Keys in security keys: who may have one, what has to be signed, what is refused.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::reference::{self, Schedule, message, messages, signed_data};
use common::vectors::{security_key, touch};
use common::{Peers, SeededRandom, UNIX_TIME, identity};
use e2eeftp_core::handshake::{
    ExpectClientAuth, FLIGHT_RECORD_LEN, SERVER_HELLO_RECORD_LEN, ServerProved, read_client_hello,
};
use e2eeftp_core::identity::{KeyKind, PublicKey, Signature, Signer};
use e2eeftp_core::{Error, KeyFault, Misuse, PeerFault, WeakKey};

const SEED: [u8; 32] = [9; 32];
const TOUCHED: (u8, u32) = (1, 7);

fn ssh_strings(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

fn blob(point: &[u8], application: &[u8]) -> Vec<u8> {
    ssh_strings(&[b"sk-ssh-ed25519@openssh.com", point, application])
}

/// A client that the server has proved itself to, and the server that waits for its answer.
fn halfway(peers: &Peers) -> (ServerProved, ExpectClientAuth) {
    let (client, m1) = peers.start();
    let (server, m3, mut m4) = peers.answer(&m1).unwrap();
    (client.handle(&m3).unwrap().handle(&mut m4).unwrap(), server)
}

#[test]
fn a_client_logs_in_with_a_security_key() {
    for peers in [Peers::aes(), Peers::chacha()] {
        // The longest application leaves the record as long as every other.
        for application in ["ssh:", "ssh:work", &format!("ssh:{}", "x".repeat(251))] {
            for flags in [1, 5, 0xff] {
                let key = security_key(&SEED, application);
                let (mut client, server) = halfway(&peers);
                let request = client.signing_request(&key);
                let (_, signature) = touch(&SEED, application, (flags, u32::MAX), &request);
                let (mut m5, mut client) = client.finish(signature).unwrap();
                assert_eq!(m5.len(), FLIGHT_RECORD_LEN);
                let proved = server.handle(&mut m5).unwrap();
                assert_eq!(proved.client_key(), Some(&key));
                let mut record = Vec::new();
                client
                    .sealer
                    .seal_close(e2eeftp_core::transfer::Reason::Done, &mut record)
                    .unwrap();
                proved.into_established().opener.open(&mut record).unwrap();
            }
        }
    }
}

#[test]
fn what_nobody_has_touched_is_refused() {
    let key = security_key(&SEED, "ssh:");
    let message = b"a message";
    let (_, good) = touch(&SEED, "ssh:", TOUCHED, message);
    assert!(key.verifies(message, &good) && good.is_user_present());
    for flags in [0, 4, 0xfe] {
        let (_, signature) = touch(&SEED, "ssh:", (flags, 7), message);
        assert!(!signature.is_user_present());
        assert!(!key.verifies(message, &signature), "{flags}");
        let (mut client, _) = halfway(&Peers::aes());
        let request = client.signing_request(&key);
        let (_, signature) = touch(&SEED, "ssh:", (flags, 7), &request);
        assert_eq!(client.finish(signature).unwrap_err(), Error::Misuse(Misuse::Signer));
    }
}

#[test]
fn a_signature_fits_one_key_one_application_one_count_and_one_message() {
    let message = b"a message";
    let (signed, good) = touch(&SEED, "ssh:", TOUCHED, message);
    let key = security_key(&SEED, "ssh:");
    let Signature::SecurityKey { signature, flags, counter } = good else { panic!("{good:?}") };
    assert!(!key.verifies(b"another", &good));
    assert!(!security_key(&SEED, "ssh:x").verifies(message, &good));
    assert!(!security_key(&[8; 32], "ssh:").verifies(message, &good));
    for (flags, counter) in [(flags, counter + 1), (flags | 4, counter), (flags, 0)] {
        assert!(!key.verifies(message, &Signature::SecurityKey { signature, flags, counter }));
    }
    // The same point as a plain key is another key, and neither takes the other's signatures.
    let plain = PublicKey::from_bytes(key.as_bytes()).unwrap();
    assert_ne!(plain, key);
    assert_ne!(plain.fingerprint(), key.fingerprint());
    assert_ne!(plain.to_base64(), key.to_base64());
    assert!(!plain.verifies(message, &good));
    assert!(!plain.verifies(&signed, &good));
    assert!(plain.verifies(&signed, &Signature::Ed25519(signature)));
    assert!(!key.verifies(message, &Signature::Ed25519(signature)));
    assert!(!key.verifies(&signed, &Signature::Ed25519(signature)));
}

#[test]
fn a_forged_login_is_refused_by_the_server() {
    // `finish` refuses to send a wrong signature, so the forger writes the flight itself.
    let peers = Peers::aes();
    let done = peers.run();
    let mut seed = [0; 32];
    e2eeftp_core::Random::fill(&mut SeededRandom::new(&peers.client_seed), &mut seed).unwrap();
    let schedule = || {
        let mut schedule = Schedule::new(seed, None, &done.m1, &done.m3);
        let m4 = reference::open(schedule.suite, &schedule.server_handshake, 0, &done.m4);
        schedule.add(&messages(&m4).concat());
        schedule
    };
    let lv16 = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let deliver = |id_blob: &[u8], sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        let mut schedule = schedule();
        let id = message(8, &[&[1][..], &lv16(id_blob)].concat());
        schedule.add(&id);
        let signature = message(9, &lv16(&sign(&signed_data("client", &schedule.hash()))));
        schedule.add(&signature);
        let code = message(10, &schedule.finished(&schedule.client_handshake));
        let secret = schedule.client_handshake.clone();
        let (server, _, _) = peers.answer(&done.m1).unwrap();
        server.handle(&mut schedule.flight(&secret, &[id, signature, code])).map(drop)
    };
    let key = security_key(&SEED, "ssh:");
    let touched =
        |flags| move |request: &[u8]| touch(&SEED, "ssh:", (flags, 7), request).1.to_ssh_blob();
    deliver(&key.to_ssh_blob(), &touched(1)).unwrap();
    let wrong = Err(Error::Peer(PeerFault::Signature));
    assert_eq!(deliver(&key.to_ssh_blob(), &touched(0)), wrong);
    // The plain key behind it, a plain signature, and the blob of a signature that is too long.
    assert_eq!(deliver(identity("x").public_key().to_ssh_blob().as_slice(), &touched(1)), wrong);
    let plain = PublicKey::from_bytes(key.as_bytes()).unwrap();
    assert_eq!(deliver(&plain.to_ssh_blob(), &touched(1)), wrong);
    let signer =
        |request: &[u8]| Signature::from(identity("x").sign(request).unwrap()).to_ssh_blob();
    assert_eq!(deliver(&key.to_ssh_blob(), &signer), wrong);
    let longer = |request: &[u8]| [touched(1)(request), vec![0]].concat();
    assert_eq!(deliver(&key.to_ssh_blob(), &longer), wrong);
    let shorter = |request: &[u8]| touched(1)(request)[..102].to_vec();
    assert_eq!(deliver(&key.to_ssh_blob(), &shorter), wrong);
    let malformed = Err(Error::Peer(PeerFault::Identity));
    let web = blob(key.as_bytes(), b"example.org");
    assert_eq!(deliver(&web, &touched(1)), malformed);
    assert_eq!(deliver(&[&key.to_ssh_blob()[..], &[0]].concat(), &touched(1)), malformed);
    let weak = Err(Error::WeakKey(WeakKey::Ed25519));
    assert_eq!(deliver(&blob(&[0; 32], b"ssh:"), &touched(1)), weak);
}

/// A signer that shows a security key as its own.
struct Pretender(PublicKey);

impl Signer for Pretender {
    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Error> {
        let (_, signature) = touch(&SEED, "ssh:", TOUCHED, message);
        match signature {
            Signature::SecurityKey { signature, .. } | Signature::Ed25519(signature) => {
                Ok(signature)
            }
        }
    }
}

#[test]
fn a_server_has_no_security_key() {
    let peers = Peers::aes();
    let (_, m1) = peers.start();
    let hello = read_client_hello(&peers.server_settings(), &m1).unwrap();
    let signer = Pretender(security_key(&SEED, "ssh:"));
    let refused = hello.respond(&signer, None, UNIX_TIME, &mut SeededRandom::new("server"));
    assert_eq!(refused.unwrap_err(), Error::Misuse(Misuse::Signer));

    // One that sends it all the same is refused by the client.
    let done = peers.run();
    let mut seed = [0; 32];
    e2eeftp_core::Random::fill(&mut SeededRandom::new(&peers.client_seed), &mut seed).unwrap();
    let mut schedule = Schedule::new(seed, None, &done.m1, &done.m3);
    let m4 = reference::open(schedule.suite, &schedule.server_handshake, 0, &done.m4);
    let parameters = messages(&m4)[0].clone();
    let key = signer.public_key().to_ssh_blob();
    let id_len = u16::try_from(key.len()).unwrap().to_be_bytes();
    let id = message(5, &[&[1][..], &id_len, &key].concat());
    schedule.add(&parameters);
    schedule.add(&id);
    let request = signed_data("server", &schedule.hash());
    let signature = touch(&SEED, "ssh:", TOUCHED, &request).1.to_ssh_blob();
    let len = u16::try_from(signature.len()).unwrap().to_be_bytes();
    let signature = message(6, &[&len[..], &signature].concat());
    schedule.add(&signature);
    let code = message(7, &schedule.finished(&schedule.server_handshake));
    let secret = schedule.server_handshake.clone();
    let mut record = schedule.flight(&secret, &[parameters, id, signature, code]);
    assert_eq!(done.m3.len(), SERVER_HELLO_RECORD_LEN);
    let (client, _) = peers.start();
    let refused = client.handle(&done.m3).unwrap().handle(&mut record).unwrap_err();
    assert_eq!(refused, Error::Peer(PeerFault::Identity));
}

#[test]
fn lines_and_blobs_are_read_and_written() {
    let key = security_key(&SEED, "ssh:");
    assert_eq!(key.kind(), KeyKind::SecurityKey);
    let line = key.to_openssh_line("a comment");
    assert!(
        line.starts_with("sk-ssh-ed25519@openssh.com AAAAGnNr") && line.ends_with(" a comment")
    );
    assert_eq!(PublicKey::from_text(&line), Ok(key.clone()));
    assert_eq!(PublicKey::from_ssh_blob(&key.to_ssh_blob()), Ok(key.clone()));
    assert_eq!(key.to_spki_pem(), "");
    // Its base64 alone is no key in the short form.
    assert!(PublicKey::from_text(&key.to_base64()).is_err());
    // The word in front has to be that of the blob.
    let data = STANDARD.encode(key.to_ssh_blob());
    let other = PublicKey::from_text(&format!("ssh-ed25519 {data}"));
    assert_eq!(other, Err(Error::KeyFile(KeyFault::Malformed)));
    for len in 0..key.to_ssh_blob().len() {
        assert!(PublicKey::from_ssh_blob(&key.to_ssh_blob()[..len]).is_err(), "{len}");
    }
    let long = [&b"ssh:"[..], &[b'x'; 252]].concat();
    for application in [&b""[..], b"ssh", b"SSH:", b"web:ssh:", b"ssh:\xff", &long] {
        let read = PublicKey::from_ssh_blob(&blob(key.as_bytes(), application));
        assert_eq!(read, Err(Error::KeyFile(KeyFault::Malformed)), "{application:?}");
    }
    let weak = PublicKey::from_ssh_blob(&blob(&[0; 32], b"ssh:"));
    assert_eq!(weak, Err(Error::WeakKey(WeakKey::Ed25519)));
}

#[test]
fn signature_blobs_have_one_form() {
    let (_, signature) = touch(&SEED, "ssh:", (1, 0x0102_0304), b"m");
    let blob = signature.to_ssh_blob();
    assert_eq!((blob.len(), &blob[98..]), (103, &[1, 1, 2, 3, 4][..]));
    assert_eq!(Signature::from_ssh_blob(&blob), Some(signature));
    let plain = Signature::Ed25519([3; 64]).to_ssh_blob();
    assert_eq!(plain.len(), 83);
    assert_eq!(Signature::from_ssh_blob(&plain), Some(Signature::Ed25519([3; 64])));
    for blob in [blob, plain] {
        for len in 0..blob.len() {
            assert_eq!(Signature::from_ssh_blob(&blob[..len]), None, "{len}");
        }
        assert_eq!(Signature::from_ssh_blob(&[&blob[..], &[0]].concat()), None);
    }
}
