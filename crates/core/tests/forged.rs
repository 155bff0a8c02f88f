//! A peer that holds the right keys and says the wrong things.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use common::reference::{self, Application, Schedule, inner, message, messages, signed_data};
use common::{Done, Peers, SeededRandom, identity};
use e2eeftp_core::handshake::Established;
use e2eeftp_core::identity::Signer as _;
use e2eeftp_core::record::{MAX_CONTENT, MAX_RECORD_BODY, MIN_RECORD_BODY_LIMIT};
use e2eeftp_core::{Error, Misuse, PeerFault, Random as _, WeakKey};

/// The schedule of a recorded handshake, with the transcript through the hellos.
fn schedule(peers: &Peers, done: &Done) -> Schedule {
    let mut seed = [0; 32];
    SeededRandom::new(&peers.client_seed).fill(&mut seed).unwrap();
    Schedule::new(seed, peers.join.as_ref().map(|(_, secret)| secret), &done.m1, &done.m3)
}

fn lv16(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn ssh_strings(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

fn id_of(key: &[u8]) -> Vec<u8> {
    [&[1][..], &lv16(&ssh_strings(&[b"ssh-ed25519", key]))].concat()
}

/// The other side of an attack: which message is forged.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Server,
    Client,
}

struct Forger {
    peers: Peers,
    done: Done,
    side: Side,
    genuine: Vec<Vec<u8>>,
}

impl Forger {
    fn new(peers: Peers, side: Side) -> Self {
        let done = peers.run();
        let schedule = schedule(&peers, &done);
        let (secret, record) = match side {
            Side::Server => (&schedule.server_handshake, &done.m4),
            Side::Client => (&schedule.client_handshake, &done.m5),
        };
        let genuine = messages(&reference::open(schedule.suite, secret, 0, record));
        Self { peers, done, side, genuine }
    }

    /// The schedule with the transcript up to the forged flight.
    fn schedule(&self) -> Schedule {
        let mut schedule = schedule(&self.peers, &self.done);
        if self.side == Side::Client {
            let m4 = reference::open(schedule.suite, &schedule.server_handshake, 0, &self.done.m4);
            schedule.add(&messages(&m4).concat());
        }
        schedule
    }

    fn secret(&self) -> Vec<u8> {
        match self.side {
            Side::Server => self.schedule().server_handshake,
            Side::Client => self.schedule().client_handshake,
        }
    }

    fn deliver(&self, record: &[u8]) -> Result<(), Error> {
        let mut record = record.to_vec();
        match self.side {
            Side::Server => {
                let (client, _) = self.peers.start();
                client.handle(&self.done.m3)?.handle(&mut record).map(drop)
            }
            Side::Client => {
                let (server, _, _) = self.peers.answer(&self.done.m1)?;
                server.handle(&mut record).map(drop)
            }
        }
    }

    /// Delivers these messages, the last of which is a Finished, computed anew.
    fn finish(&self, front: &[Vec<u8>]) -> Result<(), Error> {
        let mut schedule = self.schedule();
        schedule.add(&front.concat());
        let secret = self.secret();
        let code = schedule.finished(&secret);
        let kind = self.genuine.last().unwrap()[0];
        let mut all = front.to_vec();
        all.push(message(kind, &code));
        self.deliver(&schedule.flight(&secret, &all))
    }

    /// All but the Finished of the genuine flight.
    fn front(&self) -> Vec<Vec<u8>> {
        self.genuine[..self.genuine.len() - 1].to_vec()
    }

    /// As [`front`](Self::front) with another ID and a signature by `signer` over it.
    fn with_identity(&self, id: &[u8], signer: &str) -> Vec<Vec<u8>> {
        let mut front = self.front();
        let at = front.len() - 2;
        front[at] = message(front[at][0], id);
        let mut schedule = self.schedule();
        schedule.add(&front[..=at].concat());
        let role = if self.side == Side::Server { "server" } else { "client" };
        let signed = signed_data(role, &schedule.hash());
        let signature = identity(signer).sign(&signed).unwrap();
        front[at + 1] =
            message(front[at + 1][0], &lv16(&ssh_strings(&[b"ssh-ed25519", &signature])));
        front
    }
}

fn both_sides(peers: &Peers) -> [Forger; 2] {
    [Side::Server, Side::Client].map(|side| Forger::new(peers.clone(), side))
}

#[test]
fn the_forger_can_do_it_right() {
    for peers in Peers::all() {
        for forger in both_sides(&peers) {
            forger.finish(&forger.front()).unwrap();
        }
    }
    // Another identity with its own signature is a genuine peer too.
    for forger in both_sides(&Peers::aes()) {
        let mallory = id_of(identity("mallory").public_key().as_bytes());
        forger.finish(&forger.with_identity(&mallory, "mallory")).unwrap();
    }
}

#[test]
fn nobody_can_show_the_identity_of_another() {
    for forger in both_sides(&Peers::aes()) {
        let genuine =
            if forger.side == Side::Server { "server identity" } else { "client identity" };
        let id = id_of(identity(genuine).public_key().as_bytes());
        let wrong = Error::Peer(PeerFault::Signature);
        assert_eq!(forger.finish(&forger.with_identity(&id, "mallory")), Err(wrong));
        // The genuine signature of another connection.
        let elsewhere = Peers { server_seed: "elsewhere".into(), ..Peers::aes() };
        let stolen = Forger::new(elsewhere, forger.side).front();
        let mut front = forger.front();
        let at = front.len() - 1;
        front[at].clone_from(&stolen[at]);
        assert_eq!(forger.finish(&front), Err(wrong));
        // The genuine signature under another ID.
        let mut front = forger.front();
        let at = front.len() - 2;
        let mallory = id_of(identity("mallory").public_key().as_bytes());
        front[at] = message(front[at][0], &mallory);
        assert_eq!(forger.finish(&front), Err(wrong));
        // Somebody who can sign, and does not know the keys of the other end.
        let schedule = forger.schedule();
        let mut all = forger.front();
        all.push(message(forger.genuine.last().unwrap()[0], &[0; 48]));
        let verdict = forger.deliver(&schedule.flight(&forger.secret(), &all));
        assert_eq!(verdict, Err(Error::Peer(PeerFault::Finished)));
    }
}

#[test]
fn a_role_cannot_be_taken_over() {
    // The server signs as a client would, and the reverse.
    for forger in both_sides(&Peers::aes()) {
        let (name, wrong_role) = if forger.side == Side::Server {
            ("server identity", "client")
        } else {
            ("client identity", "server")
        };
        let mut front = forger.front();
        let at = front.len() - 1;
        let mut schedule = forger.schedule();
        schedule.add(&front[..at].concat());
        let signed = signed_data(wrong_role, &schedule.hash());
        let signature = identity(name).sign(&signed).unwrap();
        front[at] = message(front[at][0], &lv16(&ssh_strings(&[b"ssh-ed25519", &signature])));
        assert_eq!(forger.finish(&front), Err(Error::Peer(PeerFault::Signature)));
    }
}

#[test]
fn weak_and_malformed_identities_are_refused() {
    let key = identity("mallory");
    let key = key.public_key().as_bytes();
    let mut identity_point = [0; 32];
    identity_point[0] = 1;
    let fault = Error::Peer(PeerFault::Identity);
    for forger in both_sides(&Peers::aes()) {
        let weak = Err(Error::WeakKey(WeakKey::Ed25519));
        assert_eq!(forger.finish(&forger.with_identity(&id_of(&identity_point), "mallory")), weak);
        for id in [
            vec![],
            vec![1],
            [&[0][..], &id_of(key)[1..]].concat(),
            [&[2][..], &id_of(key)[1..]].concat(),
            id_of(&key[..31]),
            [&[1][..], &lv16(&ssh_strings(&[b"ssh-rsa", key]))].concat(),
            [&[1][..], &lv16(&ssh_strings(&[b"ssh-ed25519", key, b""]))].concat(),
        ] {
            let verdict = forger.finish(&forger.with_identity(&id, "mallory"));
            assert!(
                verdict == Err(fault) || verdict == Err(Error::Peer(PeerFault::Length)),
                "{id:?} {verdict:?}"
            );
        }
        let longer = [id_of(key), vec![0]].concat();
        assert_eq!(
            forger.finish(&forger.with_identity(&longer, "mallory")),
            Err(Error::Peer(PeerFault::Length))
        );
    }
}

#[test]
fn messages_carry_their_numbers() {
    for peers in Peers::all() {
        for forger in both_sides(&peers) {
            let (schedule, secret) = (forger.schedule(), forger.secret());
            for at in 0..forger.genuine.len() {
                for number in [0, forger.genuine[at][0] ^ 1, forger.genuine[at][0] ^ 0x80] {
                    let mut all = forger.genuine.clone();
                    all[at][0] = number;
                    let verdict = forger.deliver(&schedule.flight(&secret, &all));
                    assert_eq!(verdict, Err(Error::Peer(PeerFault::MessageType)), "{at} {number}");
                }
            }
        }
    }
}

#[test]
fn messages_have_one_order() {
    for peers in Peers::all() {
        for forger in both_sides(&peers) {
            let front = forger.front();
            for at in 0..front.len() {
                let (mut missing, mut twice) = (front.clone(), front.clone());
                missing.remove(at);
                twice.insert(at, front[at].clone());
                assert!(forger.finish(&missing).is_err(), "without {at}");
                assert!(forger.finish(&twice).is_err(), "twice {at}");
                for other in 0..at {
                    let mut swapped = front.clone();
                    swapped.swap(at, other);
                    assert!(forger.finish(&swapped).is_err(), "{at} and {other}");
                }
            }
            let (schedule, secret) = (forger.schedule(), forger.secret());
            for extra in [vec![0], vec![0; 4], message(99, b"more")] {
                let all = [forger.genuine.clone(), vec![extra]].concat();
                assert!(forger.deliver(&schedule.flight(&secret, &all)).is_err());
            }
            assert!(forger.deliver(&schedule.flight(&secret, &front)).is_err());
        }
    }
}

#[test]
fn parameters_have_ranges() {
    let forger = Forger::new(Peers::aes(), Side::Server);
    let with = |at: usize, bytes: &[u8]| {
        // The ID and signature have to be made anew over the changed parameters.
        let mut changed = Forger::new(Peers::aes(), Side::Server);
        changed.genuine[0][4 + at..4 + at + bytes.len()].copy_from_slice(bytes);
        let id = id_of(identity("server identity").public_key().as_bytes());
        changed.finish(&changed.with_identity(&id, "server identity"))
    };
    assert_eq!(forger.genuine[0].len(), 44);
    for limit in [MIN_RECORD_BODY_LIMIT, MAX_RECORD_BODY] {
        assert_eq!(with(0, &u32::try_from(limit).unwrap().to_be_bytes()), Ok(()));
    }
    for limit in [0, MIN_RECORD_BODY_LIMIT - 1, MAX_RECORD_BODY + 1, u32::MAX as usize] {
        let verdict = with(0, &u32::try_from(limit).unwrap().to_be_bytes());
        assert_eq!(verdict, Err(Error::Peer(PeerFault::Value)), "{limit}");
    }
    assert_eq!(with(4, &[0xff; 4]), Ok(()), "unknown features are ignored");
    assert_eq!(with(32, &[1]), Err(Error::Peer(PeerFault::Reserved)));
    assert_eq!(with(39, &[1]), Err(Error::Peer(PeerFault::Reserved)));
}

#[test]
fn a_lower_record_limit_is_kept_by_the_client_and_asked_of_the_server() {
    let mut forger = Forger::new(Peers::aes(), Side::Server);
    let limit = u32::try_from(MIN_RECORD_BODY_LIMIT).unwrap();
    forger.genuine[0][4..8].copy_from_slice(&limit.to_be_bytes());
    let id = id_of(identity("server identity").public_key().as_bytes());
    let front = forger.with_identity(&id, "server identity");
    let mut schedule = forger.schedule();
    schedule.add(&front.concat());
    let code = schedule.finished(&forger.secret());
    let all = [front, vec![message(7, &code)]].concat();
    let mut m4 = schedule.flight(&forger.secret(), &all);
    let (client, _) = forger.peers.start();
    let proved = client.handle(&forger.done.m3).unwrap().handle(&mut m4).unwrap();
    let (m5, mut client) = forger.peers.finish(proved).unwrap();
    assert_eq!(client.max_record_body, MIN_RECORD_BODY_LIMIT);
    let head = e2eeftp_core::record::Head {
        kind: e2eeftp_core::record::InnerType::Data,
        flags: 0,
        stream: 1,
    };
    let content_len = MIN_RECORD_BODY_LIMIT - 24;
    let mut record = vec![0; 4 + MIN_RECORD_BODY_LIMIT + 1];
    let refused = client.sealer.seal(head, content_len + 1, &mut record);
    assert_eq!(refused, Err(Error::Misuse(Misuse::BufferLength)));
    record.pop();
    assert_eq!(client.sealer.seal(head, content_len, &mut record), Ok(()));

    // The server's own records: decided by the header, and again by the record.
    let header = |len: usize| {
        let [.., high, middle, low] = len.to_be_bytes();
        [0x52, high, middle, low]
    };
    let whole = Ok(4 + MIN_RECORD_BODY_LIMIT);
    assert_eq!(client.opener.record_len(&header(MIN_RECORD_BODY_LIMIT)), whole);
    let too_long = Error::Peer(PeerFault::Length);
    assert_eq!(client.opener.record_len(&header(MIN_RECORD_BODY_LIMIT + 1)), Err(too_long));
    schedule.add(&message(7, &code));
    let m5 = reference::open(schedule.suite, &schedule.client_handshake, 0, &m5);
    schedule.add(&messages(&m5).concat());
    let server = schedule.application().server;
    for (len, verdict) in [(content_len, Ok(())), (content_len + 1, Err(too_long))] {
        let seq = u64::from(len > content_len);
        let mut record =
            reference::seal(schedule.suite, &server, seq, &inner(2, 0, 1, &vec![7; len], &[]));
        assert_eq!(client.opener.open(&mut record).map(drop), verdict, "{len}");
    }
}

#[test]
fn the_inner_head_of_a_flight_is_checked() {
    for forger in both_sides(&Peers::aes()) {
        let (schedule, secret) = (forger.schedule(), forger.secret());
        let content = forger.genuine.concat();
        let zeros = vec![0; 1016 - content.len()];
        let deliver =
            |inner: &[u8]| forger.deliver(&reference::seal(schedule.suite, &secret, 0, inner));
        assert_eq!(deliver(&inner(0x20, 0, 0, &content, &zeros)), Ok(()));
        let value = Err(Error::Peer(PeerFault::Value));
        assert_eq!(deliver(&inner(0x20, 1, 0, &content, &zeros)), value);
        assert_eq!(deliver(&inner(0x20, 0, 1, &content, &zeros)), value);
        for kind in [1, 2] {
            let verdict = deliver(&inner(kind, 0, 0, &content, &zeros));
            assert_eq!(verdict, Err(Error::Peer(PeerFault::MessageType)));
        }
        for at in [0, zeros.len() - 1] {
            let mut pad = zeros.clone();
            pad[at] = 1;
            let verdict = deliver(&inner(0x20, 0, 0, &content, &pad));
            assert_eq!(verdict, Err(Error::Peer(PeerFault::Reserved)));
        }
        let verdict = deliver(&inner(0x20, 0, 0, &content, &zeros[1..]));
        assert_eq!(verdict, Err(Error::Peer(PeerFault::Length)));
    }
}

/// A server's end of a connection and the client's traffic secrets.
fn connection(peers: &Peers) -> (Established, Application, u8) {
    let forger = Forger::new(peers.clone(), Side::Client);
    let mut schedule = forger.schedule();
    schedule.add(&forger.genuine.concat());
    (forger.done.server.into_established(), schedule.application(), schedule.suite)
}

/// The verdict of a fresh server on one record of its client.
fn verdict_on(inner: &[u8]) -> Result<(), Error> {
    let (mut server, secrets, suite) = connection(&Peers::aes());
    let mut record = reference::seal(suite, &secrets.client, 0, inner);
    let verdict = server.opener.open(&mut record).map(drop);
    if verdict.is_err() {
        assert!(record.iter().all(|byte| *byte == 0), "no plaintext is left");
        let next = server.opener.open(&mut [0; 40]).unwrap_err();
        assert_eq!(next, Error::Misuse(Misuse::Poisoned));
    }
    verdict
}

#[test]
fn the_reference_and_the_crate_seal_alike() {
    for peers in Peers::all() {
        let (mut server, secrets, suite) = connection(&peers);
        for (seq, text) in (0..).zip([&b"one"[..], b"two", b"three"]) {
            let mut record =
                reference::seal(suite, &secrets.client, seq, &inner(1, 0, 0, text, &[0; 7]));
            assert_eq!(server.opener.open(&mut record).unwrap().content, text);
        }
    }
}

#[test]
fn types_that_version_1_does_not_have_are_refused() {
    for kind in 0..=255 {
        let len = match kind {
            3 => 40,
            4 | 5 | 7 => 2,
            6 => 0,
            9 => 24,
            _ => 5,
        };
        let verdict = verdict_on(&inner(kind, 0, 0, &vec![0; len], &[0; 20]));
        if (1..=7).contains(&kind) || kind == 9 {
            assert_eq!(verdict, Ok(()), "{kind}");
        } else {
            assert_eq!(verdict, Err(Error::Peer(PeerFault::MessageType)), "{kind}");
        }
    }
}

#[test]
fn the_rules_of_each_type_hold() {
    let (length, value) = (Err(Error::Peer(PeerFault::Length)), Err(Error::Peer(PeerFault::Value)));
    for (kind, len, verdict) in [
        (1, 0, length),
        (1, 16 * 1024, Ok(())),
        (1, 16 * 1024 + 1, length),
        (2, 0, Ok(())),
        (2, MAX_CONTENT, Ok(())),
        (2, MAX_CONTENT + 1, length),
        (3, 39, length),
        (3, 41, length),
        (4, 1, length),
        (5, 3, length),
        (6, 1, length),
        (7, 0, length),
    ] {
        assert_eq!(verdict_on(&inner(kind, 0, 0, &vec![1; len], &[])), verdict, "{kind} {len}");
    }
    for (kind, len) in [(1, 1), (6, 0), (7, 2)] {
        assert_eq!(verdict_on(&inner(kind, 0, 1, &vec![1; len], &[])), value, "{kind}");
    }
    for (kind, len) in [(6, 0), (7, 2)] {
        assert_eq!(verdict_on(&inner(kind, 1, 0, &vec![1; len], &[])), value, "{kind}");
    }
}

#[test]
fn padding_is_zero_and_bounded() {
    assert_eq!(verdict_on(&inner(2, 0, 1, b"data", &[0; 4096])), Ok(()));
    let length = Err(Error::Peer(PeerFault::Length));
    assert_eq!(verdict_on(&inner(2, 0, 1, b"data", &[0; 4097])), length);
    for at in 0..9 {
        let mut pad = [0; 9];
        pad[at] = 0x80;
        let reserved = Err(Error::Peer(PeerFault::Reserved));
        assert_eq!(verdict_on(&inner(2, 0, 1, b"data", &pad)), reserved);
    }
    // A padding that would reach into the head.
    let mut lying = inner(2, 0, 1, b"data", &[]);
    lying[3] = 5;
    lying[8..].fill(0);
    assert_eq!(verdict_on(&lying), length);
}
