//! A server's key changes: what a client takes for a statement of the old key, and what not.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use common::reference::{self, Schedule, message, messages};
use common::{Peers, SeededRandom, identity, rotation};
use e2eeftp_core::handshake::ServerProved;
use e2eeftp_core::identity::rotation::{MAX_ROTATION_SEQUENCE, rotation_message};
use e2eeftp_core::identity::{PublicKey, RotationChain, Signer as _, sshsig};
use e2eeftp_core::{Error, KeyFault, Misuse, PeerFault, Random as _, WeakKey};

const WRONG: Error = Error::Peer(PeerFault::Rotation);
const LENGTH: Error = Error::Peer(PeerFault::Length);

fn key(name: &str) -> PublicKey {
    identity(name).public_key().clone()
}

/// A statement as bytes, signed by whoever and in whatever namespace.
fn statement(old: &str, new: &str, sequence: u64, signer: &str, namespace: &str) -> Vec<u8> {
    let (old, new) = (key(old), key(new));
    let signed = sshsig::signed_data(namespace, &rotation_message(&old, &new, sequence));
    let signature = identity(signer).sign(&signed).unwrap();
    [&old.as_bytes()[..], &sequence.to_be_bytes(), &signature].concat()
}

fn genuine(old: &str, new: &str, sequence: u64) -> Vec<u8> {
    statement(old, new, sequence, old, "rotate@e2eeftp")
}

/// What a client makes of an M4 of a server that holds the keys of "server identity" and puts
/// `rot` where ROT belongs, or at another place.
fn client_reads(rot: &[Vec<u8>], at: usize) -> Result<ServerProved, Error> {
    let peers = Peers::aes();
    let done = peers.run();
    let mut seed = [0; 32];
    SeededRandom::new(&peers.client_seed).fill(&mut seed).unwrap();
    let mut schedule = Schedule::new(seed, None, &done.m1, &done.m3);
    let secret = schedule.server_handshake.clone();
    let mut all = messages(&reference::open(schedule.suite, &secret, 0, &done.m4));
    all.pop();
    all.splice(at..at, rot.iter().map(|value| message(11, value)));
    schedule.add(&all.concat());
    all.push(message(7, &schedule.finished(&secret)));
    let mut record = schedule.flight(&secret, &all);
    let (client, _) = peers.start();
    client.handle(&done.m3).unwrap().handle(&mut record)
}

fn verdict(rot: &[u8]) -> Result<(), Error> {
    client_reads(&[rot.to_vec()], 3).map(drop)
}

#[test]
fn a_client_learns_of_the_older_keys() {
    let peers = Peers::rotated();
    let (client, m1) = peers.start();
    let (server, m3, mut m4) = peers.answer(&m1).unwrap();
    let proved = client.handle(&m3).unwrap().handle(&mut m4).unwrap();
    let steps: Vec<_> = proved.rotation().unwrap().steps().collect();
    let [(first, second_key), (second, third_key)] = steps[..] else { panic!("two steps") };
    assert_eq!((first.old_key(), first.sequence()), (&key("first"), 1));
    assert_eq!(second_key, &key("second"));
    assert_eq!((second.old_key(), second.sequence()), (&key("second"), 2));
    assert_eq!(Some(third_key), proved.server_key());
    let (mut m5, _) = peers.finish(proved).unwrap();
    server.handle(&mut m5).unwrap();
    // M4 is as long as ever, with none and with the most.
    let names = ["a", "b", "c", "d", "server identity"];
    let most = Peers { rotation: Some(rotation(&names)), ..Peers::aes() };
    assert_eq!(most.run().m4.len(), Peers::aes().run().m4.len());
    // A session that is joined has been judged before.
    let joined = Peers { rotation: peers.rotation, ..Peers::joined() };
    joined.run();
}

#[test]
fn the_forger_can_do_it_right() {
    verdict(&genuine("old", "server identity", 1)).unwrap();
    verdict(&[genuine("old", "mid", 1), genuine("mid", "server identity", 7)].concat()).unwrap();
    verdict(&genuine("old", "server identity", MAX_ROTATION_SEQUENCE)).unwrap();
}

#[test]
fn what_the_old_key_has_not_said_of_this_key_is_refused() {
    let here = "server identity";
    let right = genuine("old", here, 5);
    let mut forged = right.clone();
    forged[103] ^= 1;
    let mut renumbered = right.clone();
    renumbered[39] = 6;
    for bad in [
        forged,
        renumbered,
        // Signed by another key: the new one, or anybody's.
        statement("old", here, 5, here, "rotate@e2eeftp"),
        statement("old", here, 5, "mallory", "rotate@e2eeftp"),
        // A genuine statement about another new key.
        genuine("old", "another", 5),
        // A signature of the old key for something else.
        statement("old", here, 5, "old", "server-auth@e2eeftp"),
        statement("old", here, 5, "old", "file@e2eeftp"),
        // Numbers that do not rise, or are out of range.
        genuine("old", here, 0),
        genuine("old", here, MAX_ROTATION_SEQUENCE + 1),
        genuine("old", here, u64::MAX),
        [genuine("old", "mid", 5), genuine("mid", here, 5)].concat(),
        [genuine("old", "mid", 5), genuine("mid", here, 4)].concat(),
        // A chain with a hole, one in the wrong order, and one with a forged link.
        [genuine("old", "mid", 1), genuine("other", here, 2)].concat(),
        [genuine("mid", here, 1), genuine("old", "mid", 2)].concat(),
        [statement("old", "mid", 1, "mid", "rotate@e2eeftp"), genuine("mid", here, 2)].concat(),
        // A key that follows itself.
        genuine(here, here, 1),
    ] {
        assert_eq!(verdict(&bad), Err(WRONG), "{}", hex::encode(&bad));
    }
    let weak = [&[1][..], &[0; 31], &right[32..]].concat();
    assert_eq!(verdict(&weak), Err(Error::WeakKey(WeakKey::Ed25519)));
}

#[test]
fn lengths_are_exact() {
    let right = genuine("old", "server identity", 1);
    for len in [0, 1, 31, 32, 40, 103] {
        assert_eq!(verdict(&right[..len]), Err(LENGTH), "{len}");
    }
    assert_eq!(verdict(&[&right[..], &[0]].concat()), Err(LENGTH));
    let names = ["a", "b", "c", "d", "e", "server identity"];
    let five: Vec<u8> = names
        .windows(2)
        .zip(1..)
        .flat_map(|(pair, sequence)| genuine(pair[0], pair[1], sequence))
        .collect();
    assert_eq!(verdict(&five), Err(LENGTH));
    verdict(&five[104..]).unwrap();
}

#[test]
fn statements_have_one_place() {
    let right = genuine("old", "server identity", 1);
    let unexpected = Error::Peer(PeerFault::MessageType);
    client_reads(std::slice::from_ref(&right), 3).unwrap();
    for at in 0..3 {
        assert_eq!(client_reads(std::slice::from_ref(&right), at).unwrap_err(), unexpected, "{at}");
    }
    assert_eq!(client_reads(&[right.clone(), right], 3).unwrap_err(), unexpected);
}

#[test]
fn a_server_shows_only_what_leads_to_its_key() {
    let peers = Peers { rotation: Some(rotation(&["first", "second"])), ..Peers::aes() };
    let (_, m1) = peers.start();
    assert_eq!(peers.answer(&m1).unwrap_err(), Error::Misuse(Misuse::Rotation));
}

#[test]
fn a_chain_grows_and_forgets_its_oldest_steps() {
    let extend = |before: Option<RotationChain>, old: &str, new: &str, at_least| {
        RotationChain::extended(before, &identity(old), &key(new), at_least)
    };
    let one = extend(None, "a", "b", 1000).unwrap();
    let two = extend(Some(one), "b", "c", 7).unwrap();
    assert_eq!(two.steps().map(|(s, _)| s.sequence()).collect::<Vec<_>>(), [1000, 1001]);
    // A rotation that was broken off, and one more attempt: what led nowhere is dropped.
    let again = extend(Some(two.clone()), "b", "d", 7).unwrap();
    assert_eq!(again.steps().map(|(s, _)| s.sequence()).collect::<Vec<_>>(), [1000, 1002]);
    assert_eq!(again.key(), &key("d"));
    // A chain of other keys has nothing to do with this one.
    let other = extend(Some(two.clone()), "x", "y", 7).unwrap();
    assert_eq!(other.steps().count(), 1);
    let mut chain = two;
    for pair in ["c", "d", "e", "f"].windows(2) {
        chain = extend(Some(chain), pair[0], pair[1], 1).unwrap();
    }
    assert_eq!(chain.steps().next().unwrap().0.old_key(), &key("b"));
    assert_eq!(chain.steps().count(), 4);
    let misuse = Err(Error::Misuse(Misuse::Rotation));
    assert_eq!(extend(None, "a", "a", 1), misuse);
    assert_eq!(extend(None, "a", "b", MAX_ROTATION_SEQUENCE + 1), misuse);
    let last = extend(None, "a", "b", MAX_ROTATION_SEQUENCE).unwrap();
    assert_eq!(extend(Some(last), "b", "c", 1), misuse);
}

#[test]
fn the_file_is_read_whole_or_not_at_all() {
    let chain = rotation(&["a", "b", "c"]);
    let text = chain.to_text();
    assert_eq!(RotationChain::from_text(&text), Ok(chain.as_ref().clone()));
    let spaced = format!("\n# a remark\r\n{}", text.replace('\n', "\r\n"));
    assert_eq!(RotationChain::from_text(&spaced), Ok(chain.as_ref().clone()));
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let five = rotation(&["x", "a"]).to_text() + &rotation(&["a", "b", "c", "d", "e"]).to_text();
    for bad in [
        String::new(),
        "# nothing".into(),
        lines[0][..lines[0].len() - 4].into(),
        lines[0].replacen('1', "2", 1),
        lines[0].replacen('1', "+1", 1),
        format!("{} more", lines[0]),
        format!("{}\n{}", lines[1], lines[0]),
        format!("{text}{}", lines[1]),
        five,
        "1 a b c".into(),
    ] {
        let malformed = Err(Error::KeyFile(KeyFault::Malformed));
        assert_eq!(RotationChain::from_text(&bad), malformed, "{bad}");
    }
    // Random bytes never pass.
    let mut random = SeededRandom::new("noise");
    for _ in 0..200 {
        let mut bytes = vec![0; 104];
        random.fill(&mut bytes).unwrap();
        assert!(RotationChain::from_wire(&bytes, &key("server identity")).is_err());
    }
}
