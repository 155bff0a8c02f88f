//! Records of an established connection: sizes, key updates, the end, and misuse.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use common::Peers;
use e2eeftp_core::handshake::Established;
use e2eeftp_core::record::{
    CONTENT_OFFSET, Head, InnerType, MAX_CONTENT, MAX_CONTROL_CONTENT, MAX_HANDSHAKE_BODY, MAX_PAD,
    MAX_RECORD_BODY, OVERHEAD, Opener, Phase, RatchetLimits, Sealer, TAG_LEN, record_len,
};
use e2eeftp_core::transfer::{End, Reason};
use e2eeftp_core::{Error, Misuse, PeerFault};

const DATA: Head = Head { kind: InnerType::Data, flags: 0, stream: 7 };

fn limits(bytes: u64, records: u64) -> RatchetLimits {
    RatchetLimits { bytes, records, age_ms: 1000 }
}

/// The sending half of a client and the receiving half of its server.
fn one_way(client: RatchetLimits, server: RatchetLimits) -> (Sealer, Opener) {
    let client = Peers { limits: client, ..Peers::aes() }.connect().0;
    let server = Peers { limits: server, ..Peers::aes() }.connect().1;
    (client.sealer, server.opener)
}

fn default_way() -> (Sealer, Opener) {
    one_way(RatchetLimits::default(), RatchetLimits::default())
}

fn sealed(sealer: &mut Sealer, content: &[u8]) -> Vec<u8> {
    let mut record = vec![0xee; OVERHEAD + content.len()];
    record[CONTENT_OFFSET..][..content.len()].copy_from_slice(content);
    sealer.seal(DATA, content.len(), &mut record).unwrap();
    record
}

#[test]
fn traffic_halves_can_move_to_threads() {
    fn is_send<T: Send + 'static>() {}
    is_send::<Sealer>();
    is_send::<Opener>();
    is_send::<Established>();
}

#[test]
fn a_record_comes_back_as_it_was() {
    let (mut sealer, mut opener) = default_way();
    for (content_len, pad) in
        [(0, 0), (1, 0), (1, 4096), (1000, 3), (MAX_CONTENT, 0), (MAX_CONTENT, MAX_PAD)]
    {
        let content: Vec<u8> = (0..=255).cycle().take(content_len).collect();
        let mut record = vec![0xee; OVERHEAD + content_len + pad];
        record[CONTENT_OFFSET..][..content_len].copy_from_slice(&content);
        let head = Head { kind: InnerType::Data, flags: 0x81, stream: 0xfeed_beef };
        sealer.seal(head, content_len, &mut record).unwrap();
        let header = record.first_chunk().unwrap();
        assert_eq!(record_len(header, Phase::Established), Ok(record.len()));
        let opened = opener.open(&mut record).unwrap();
        assert_eq!((opened.kind, opened.flags, opened.stream), (head.kind, 0x81, 0xfeed_beef));
        assert_eq!(opened.content, content);
        assert_eq!(opened.content_range, CONTENT_OFFSET..CONTENT_OFFSET + content_len);
    }
}

#[test]
fn the_largest_record_is_what_the_constants_say() {
    assert_eq!(MAX_RECORD_BODY, 8 + 262_144 + 4096 + 16);
    let header = |kind: u8, len: usize| {
        let len = u32::try_from(len).unwrap().to_be_bytes();
        [kind, len[1], len[2], len[3]]
    };
    let length = Err(Error::Peer(PeerFault::Length));
    let kind = Err(Error::Peer(PeerFault::RecordKind));
    for (kind_byte, len, phase, verdict) in [
        (0x52, 23, Phase::Established, length),
        (0x52, 24, Phase::Established, Ok(28)),
        (0x52, MAX_RECORD_BODY, Phase::Established, Ok(4 + MAX_RECORD_BODY)),
        (0x52, MAX_RECORD_BODY + 1, Phase::Established, length),
        (0x52, 0xff_ffff, Phase::Established, length),
        (0x51, 1536, Phase::Established, kind),
        (0x53, 4, Phase::Established, Ok(8)),
        (0x53, 5, Phase::Established, length),
        (0x52, 23, Phase::Handshake, length),
        (0x52, MAX_HANDSHAKE_BODY, Phase::Handshake, Ok(4100)),
        (0x52, MAX_HANDSHAKE_BODY + 1, Phase::Handshake, length),
        (0x51, 0, Phase::Handshake, length),
        (0x51, 1536, Phase::Handshake, Ok(1540)),
        (0x51, MAX_HANDSHAKE_BODY + 1, Phase::Handshake, length),
        (0x53, 3, Phase::Handshake, length),
        (0x50, 4, Phase::Handshake, kind),
        (0x00, 4, Phase::Handshake, kind),
    ] {
        assert_eq!(record_len(&header(kind_byte, len), phase), verdict, "{kind_byte:#x} {len}");
    }
}

#[test]
fn control_records_hide_their_length() {
    let (mut sealer, mut opener) = default_way();
    let mut sizes = Vec::new();
    for len in 1..=2000 {
        let mut out = Vec::new();
        sealer.seal_control(&vec![0xa0; len], &mut out).unwrap();
        assert_eq!(opener.open(&mut out).unwrap().content.len(), len);
        sizes.push(out.len());
    }
    assert_eq!(sizes[0], 4 + 64 + 16);
    sizes.dedup();
    // 64, then 8 buckets up to 128, 8 up to 256, and 16 each up to 512, 1024 and 2048.
    assert_eq!(sizes.len(), 1 + 8 + 8 + 16 + 16 + 16);
    let mut out = b"before".to_vec();
    sealer.seal_control(&[1; MAX_CONTROL_CONTENT], &mut out).unwrap();
    assert_eq!(out[..6], *b"before");
    opener.open(&mut out[6..]).unwrap();
    for content in [vec![], vec![1; MAX_CONTROL_CONTENT + 1]] {
        let mut out = b"before".to_vec();
        let refused = sealer.seal_control(&content, &mut out);
        assert_eq!(refused, Err(Error::Misuse(Misuse::ContentLength)));
        assert_eq!(out, b"before");
    }
}

#[test]
fn ends_and_reasons_travel() {
    let (mut sealer, mut opener) = default_way();
    let end = End { total: 1 << 40, root: [3; 32] };
    let mut out = Vec::new();
    let head = Head { kind: InnerType::End, flags: 0, stream: 5 };
    sealer.seal_small(head, &end.to_wire(), &mut out).unwrap();
    let opened = opener.open(&mut out).unwrap();
    assert_eq!((opened.kind, opened.stream), (InnerType::End, 5));
    assert_eq!(End::from_wire(opened.content), Ok(end));
    for kind in [InnerType::Abort, InnerType::Stop] {
        let mut out = Vec::new();
        let head = Head { kind, flags: 0, stream: 5 };
        sealer.seal_small(head, &Reason::NoSpace.to_wire(), &mut out).unwrap();
        let opened = opener.open(&mut out).unwrap();
        assert_eq!((opened.kind, Reason::from_wire(opened.content)), (kind, Ok(Reason::NoSpace)));
    }
    for code in 0..100 {
        assert_eq!(Reason::from(code).code(), code);
        assert_eq!(matches!(Reason::from(code), Reason::Unknown(_)), code > 11);
    }
    for len in [0, 1, 39, 41] {
        assert_eq!(End::from_wire(&vec![0; len]), Err(Error::Peer(PeerFault::Length)));
    }
    for len in [0, 1, 3] {
        assert_eq!(Reason::from_wire(&vec![0; len]), Err(Error::Peer(PeerFault::Length)));
    }
}

#[test]
fn nothing_follows_the_end() {
    let (mut sealer, mut opener) = default_way();
    assert!(!opener.is_closed());
    let mut out = Vec::new();
    sealer.seal_close(Reason::ShuttingDown, &mut out).unwrap();
    let opened = opener.open(&mut out).unwrap();
    assert_eq!(opened.kind, InnerType::Close);
    assert_eq!(Reason::from_wire(opened.content), Ok(Reason::ShuttingDown));
    assert!(opener.is_closed());

    let closed = Err(Error::Misuse(Misuse::Closed));
    let mut out = Vec::new();
    assert_eq!(sealer.seal_control(b"more", &mut out), closed);
    assert_eq!(sealer.seal_update(0, &mut out), closed);
    assert_eq!(sealer.seal_close(Reason::Done, &mut out), closed);
    assert_eq!(sealer.seal(DATA, 0, &mut [0; OVERHEAD]), closed);
    assert!(out.is_empty());
    let refused = opener.open(&mut [0; OVERHEAD]).unwrap_err();
    assert_eq!(refused, Error::Peer(PeerFault::AfterClose));
    assert!(!opener.is_closed());
}

#[test]
fn what_has_forgotten_its_keys_is_over() {
    let (mut sealer, mut opener) = default_way();
    let mut record = sealed(&mut sealer, b"too late");
    opener.forget();
    let poisoned = Error::Misuse(Misuse::Poisoned);
    assert_eq!(opener.open(&mut record).unwrap_err(), poisoned);
    assert!(!opener.is_closed());
    sealer.forget();
    let closed = Err(Error::Misuse(Misuse::Closed));
    let mut out = Vec::new();
    assert_eq!(sealer.seal_control(b"more", &mut out), closed);
    assert_eq!(sealer.seal_update(0, &mut out), closed);
    assert_eq!(sealer.seal_close(Reason::Done, &mut out), closed);
    assert_eq!(sealer.seal(DATA, 0, &mut [0; OVERHEAD]), closed);
    assert!(out.is_empty());

    // An end that was heard stays heard.
    let (mut sealer, mut opener) = default_way();
    sealer.seal_close(Reason::Done, &mut out).unwrap();
    opener.open(&mut out).unwrap();
    opener.forget();
    assert!(opener.is_closed());
    assert!(opener.open(&mut out).is_err());
}

#[test]
fn close_may_be_sealed_in_place_too() {
    let (mut sealer, mut opener) = default_way();
    let head = Head { kind: InnerType::Close, flags: 0, stream: 0 };
    let mut out = vec![0; OVERHEAD + 2];
    sealer.seal(head, 2, &mut out).unwrap();
    assert_eq!(opener.open(&mut out).unwrap().kind, InnerType::Close);
    assert_eq!(sealer.seal(DATA, 0, &mut [0; OVERHEAD]), Err(Error::Misuse(Misuse::Closed)));
}

#[test]
fn one_failure_is_final() {
    let (mut sealer, mut opener) = default_way();
    let (mut first, mut second) = (sealed(&mut sealer, b"first"), sealed(&mut sealer, b"second"));
    let mut changed = first.clone();
    changed[20] ^= 1;
    assert_eq!(opener.open(&mut changed).unwrap_err(), Error::Decrypt);
    assert_eq!(changed[4..], vec![0; changed.len() - 4]);
    for mut record in [first.clone(), second.clone()] {
        let poisoned = Error::Misuse(Misuse::Poisoned);
        assert_eq!(opener.open(&mut record).unwrap_err(), poisoned);
    }
    // Repeated, skipped and swapped records fail as changed ones do.
    let fresh = || Peers::aes().connect().1.opener;
    let mut opener = fresh();
    assert_eq!(opener.open(&mut second).unwrap_err(), Error::Decrypt);
    let mut opener = fresh();
    opener.open(&mut first.clone()).unwrap();
    assert_eq!(opener.open(&mut first).unwrap_err(), Error::Decrypt);
}

#[test]
fn keys_are_updated_when_due() {
    // After 3 records, and after 100 bytes.
    for (limits, due_after) in [(limits(1 << 30, 3), 3), (limits(100, 1 << 20), 4)] {
        let (mut sealer, mut opener) = one_way(limits, limits);
        for round in 0..50 {
            for _ in 0..due_after {
                assert!(!sealer.needs_update(round));
                // 8 + 20 bytes inside of the record.
                let mut record = sealed(&mut sealer, &[1; 20]);
                assert_eq!(opener.open(&mut record).unwrap().content, [1; 20]);
            }
            assert!(sealer.needs_update(round));
            let mut update = Vec::new();
            sealer.seal_update(round, &mut update).unwrap();
            assert_eq!(opener.open(&mut update).unwrap().kind, InnerType::KeyUpdate);
        }
    }
}

#[test]
fn the_smallest_protected_record_is_the_same_in_both_phases() {
    for phase in [Phase::Handshake, Phase::Established] {
        assert_eq!(record_len(&[0x52, 0, 0, 24], phase), Ok(28));
        assert_eq!(record_len(&[0x52, 0, 0, 23], phase), Err(PeerFault::Length.into()));
    }
}

#[test]
fn keys_grow_old() {
    let (mut sealer, mut opener) = default_way();
    assert!(!sealer.needs_update(3_599_999));
    assert!(sealer.needs_update(3_600_000));
    let mut update = Vec::new();
    sealer.seal_update(3_600_000, &mut update).unwrap();
    opener.open(&mut update).unwrap();
    assert!(!sealer.needs_update(7_199_999));
    assert!(sealer.needs_update(7_200_000));
    // A clock that runs backwards does not break anything.
    assert!(!sealer.needs_update(0));
    let short = RatchetLimits { age_ms: 5, ..RatchetLimits::default() };
    let (sealer, _) = one_way(short, short);
    assert!(!sealer.needs_update(4) && sealer.needs_update(5));
}

#[test]
fn each_update_gives_another_key() {
    let (mut sealer, mut opener) = default_way();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        // Always sequence number 0 with the same content.
        let mut record = sealed(&mut sealer, b"same");
        assert!(seen.insert(record.clone()));
        opener.open(&mut record).unwrap();
        let mut update = Vec::new();
        sealer.seal_update(0, &mut update).unwrap();
        opener.open(&mut update).unwrap();
    }
}

#[test]
fn a_peer_that_does_not_update_is_refused() {
    let lazy = RatchetLimits::default();
    // 28 bytes inside of each record: seven of them are exactly twice 98.
    let by_bytes = [(limits(100, 1 << 20), 8), (limits(98, 1 << 20), 7)];
    for (strict, allowed) in [(limits(1 << 30, 3), 6)].into_iter().chain(by_bytes) {
        let (mut sealer, mut opener) = one_way(lazy, strict);
        for _ in 0..allowed {
            opener.open(&mut sealed(&mut sealer, &[1; 20])).unwrap();
        }
        let refused = opener.open(&mut sealed(&mut sealer, &[1; 20])).unwrap_err();
        assert_eq!(refused, Error::Peer(PeerFault::NoKeyUpdate));
        // A sealer stops at the same point by itself.
        let (mut sealer, _) = one_way(strict, lazy);
        for _ in 0..allowed {
            sealed(&mut sealer, &[1; 20]);
        }
        let mut record = [0; OVERHEAD];
        assert_eq!(sealer.seal(DATA, 0, &mut record), Err(Error::Limit));
        assert_eq!(sealer.seal_update(0, &mut Vec::new()), Err(Error::Limit));
    }
}

#[test]
fn limits_cannot_be_raised_above_the_protocol() {
    let endless = RatchetLimits { bytes: u64::MAX, records: u64::MAX, age_ms: u64::MAX };
    let (sealer, _) = one_way(endless, endless);
    assert!(sealer.needs_update(3_600_000));
}

#[test]
fn misuse_makes_no_record() {
    let (mut sealer, mut opener) = default_way();
    let (buffer, content) =
        (Err(Error::Misuse(Misuse::BufferLength)), Err(Error::Misuse(Misuse::ContentLength)));
    let kind = Err(Error::Misuse(Misuse::RecordType));
    let head = |kind, stream, flags| Head { kind, flags, stream };
    for (head, content_len, record_len, verdict) in [
        (DATA, 0, OVERHEAD - 1, buffer),
        (DATA, 0, 0, buffer),
        (DATA, 1, OVERHEAD, buffer),
        (DATA, 0, OVERHEAD + MAX_PAD + 1, buffer),
        (DATA, MAX_CONTENT, OVERHEAD + MAX_CONTENT + MAX_PAD + 1, buffer),
        (DATA, MAX_CONTENT + 1, OVERHEAD + MAX_CONTENT + 1, content),
        (DATA, usize::MAX, OVERHEAD, content),
        (head(InnerType::Control, 0, 0), MAX_CONTROL_CONTENT + 1, 20_000, content),
        (head(InnerType::End, 1, 0), 39, 100, content),
        (head(InnerType::Stop, 1, 0), 3, 100, content),
        (head(InnerType::Control, 1, 0), 5, 100, kind),
        (head(InnerType::Close, 1, 0), 2, 100, kind),
        (head(InnerType::Close, 0, 1), 2, 100, kind),
        (head(InnerType::KeyUpdate, 0, 0), 0, 100, kind),
        (head(InnerType::Handshake, 0, 0), 10, 100, kind),
    ] {
        let mut record = vec![1; record_len];
        assert_eq!(sealer.seal(head, content_len, &mut record), verdict, "{head:?} {content_len}");
    }
    for kind_of in [InnerType::KeyUpdate, InnerType::Handshake] {
        let mut out = Vec::new();
        assert_eq!(sealer.seal_small(head(kind_of, 0, 0), &[], &mut out), kind);
        assert!(out.is_empty());
    }
    // No sequence number was used up.
    opener.open(&mut sealed(&mut sealer, b"still in step")).unwrap();
}

#[test]
fn a_record_that_is_not_one_is_refused() {
    let length = Error::Peer(PeerFault::Length);
    let kind = Error::Peer(PeerFault::RecordKind);
    let fresh = || Peers::aes().connect();
    let good = sealed(&mut fresh().0.sealer, b"content");
    let mut clear = good.clone();
    clear[0] = 0x51;
    let mut lying = good.clone();
    lying[3] += 1;
    for (record, fault) in [
        (vec![], length),
        (vec![0x52, 0, 0], length),
        (vec![0x52, 0, 0, 0], length),
        ([&[0x52, 0, 0, 23], &[0; 23][..]].concat(), length),
        (clear, kind),
        (lying, length),
        ([&good[..], &[0]].concat(), length),
        (good[..good.len() - 1].to_vec(), length),
        (vec![0x52; 4 + MAX_RECORD_BODY + 1], length),
    ] {
        let mut opener = fresh().1.opener;
        assert_eq!(opener.open(&mut record.clone()).unwrap_err(), fault, "{} bytes", record.len());
    }
    assert_eq!(good.len(), OVERHEAD + 7);
    assert_eq!(TAG_LEN, 16);
}

#[test]
fn both_directions_are_independent() {
    let (mut client, mut server) = Peers::chacha().connect();
    let mut ours = sealed(&mut client.sealer, b"same");
    let mut theirs = sealed(&mut server.sealer, b"same");
    assert_ne!(ours, theirs);
    let mut update = Vec::new();
    client.sealer.seal_update(0, &mut update).unwrap();
    server.opener.open(&mut ours).unwrap();
    server.opener.open(&mut update).unwrap();
    // An update of one direction leaves the other alone.
    client.opener.open(&mut theirs).unwrap();
}
