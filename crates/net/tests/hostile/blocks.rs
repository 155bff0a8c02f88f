//! A sender of blocks that has proved itself, and does not keep to what it said.

use e2eeftp_core::record::InnerType::{self, Abort, Block, Close, Control, Data, KeyUpdate, Stop};
use e2eeftp_core::transfer::{End, Reason};
use e2eeftp_core::{Error as CoreError, PeerFault};
use e2eeftp_net::{BlocksResult, Error, Lanes, ServerLimits, Session};

use crate::common::blocks::{MIB, STREAM, Target, block_of, end_of, head, receive};
use crate::common::files::content;
use crate::common::raw::{RawPeer, server_of_raw_client};
use crate::common::{NO_LIMIT, SHORT, within};

const SIZE: usize = 3 * MIB + 5;

async fn peers() -> (Session, RawPeer) {
    server_of_raw_client(ServerLimits::default()).await
}

/// A record of the body, or of another stream.
type Said = (InnerType, u32, Vec<u8>);

fn said(kind: InnerType, content: impl Into<Vec<u8>>) -> Said {
    (kind, STREAM, content.into())
}

/// What comes of a transfer whose sender says `records` after the map.
async fn receive_said(
    target: &Target,
    records: &[Said],
) -> (Result<BlocksResult, Error>, Session, RawPeer) {
    let (session, mut peer) = peers().await;
    let staged = target.stage();
    let mut bytes = Vec::new();
    let saying = async {
        peer.receive_map(target.size).await;
        for (kind, stream, content) in records {
            bytes.extend_from_slice(&peer.seal(*kind, *stream, content));
        }
        peer.send_bytes(&bytes).await;
    };
    let (received, ()) = tokio::join!(receive(&session, &staged, Lanes::None), saying);
    (received, session, peer)
}

async fn assert_in_step(session: &Session, peer: &mut RawPeer) {
    peer.send(Control, 0, b"still here").await;
    let next = within(session.next_control(NO_LIMIT)).await.unwrap();
    assert_eq!(next.as_deref(), Some(&b"still here"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_lie_about_their_place() {
    let with = |change: fn(&mut Vec<u8>)| {
        let mut head = head(0, true, 0, 10);
        change(&mut head);
        head
    };
    let cases = [
        (head(4, true, 0, 1), PeerFault::Value),
        (head(u32::MAX, true, 0, 1), PeerFault::Value),
        (head(0, true, 0, MIB + 1), PeerFault::Value),
        (head(3, true, 0, 6), PeerFault::Value),
        (head(3, true, 5, 1), PeerFault::Value),
        (head(0, true, usize::MAX, 2), PeerFault::Value),
        (head(0, true, 2, usize::MAX), PeerFault::Value),
        (head(0, false, 0, 0), PeerFault::Value),
        (with(|head| head[4] = 2), PeerFault::Reserved),
        (with(|head| head[6] = 1), PeerFault::Reserved),
    ];
    for (head, fault) in cases {
        let target = Target::new(SIZE);
        let (received, session, _peer) = receive_said(&target, &[said(Block, head.clone())]).await;
        let expected = CoreError::Peer(fault);
        assert!(
            matches!(received, Err(Error::Core(error)) if error == expected),
            "{head:?}: {received:?}"
        );
        assert!(session.is_closed());
        target.assert_no_file();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_do_not_follow_each_other() {
    let ten = || said(Data, content(10, "ten"));
    let end = || said(InnerType::End, end_of(&content(SIZE, "sent")));
    let cases: [(&str, Vec<Said>); 13] = [
        ("data without a head", vec![ten()]),
        ("more than announced", vec![said(Block, head(0, true, 0, 9)), ten()]),
        ("more behind it", vec![said(Block, head(3, true, 0, 5)), said(Data, *b"fives"), ten()]),
        (
            "a head in a piece",
            vec![said(Block, head(0, false, 0, 20)), ten(), said(Block, head(0, true, 10, 10))],
        ),
        (
            "a piece that goes back",
            vec![said(Block, head(0, false, 0, 10)), ten(), said(Block, head(0, true, 9, 10))],
        ),
        (
            "another block between",
            vec![said(Block, head(0, false, 0, 10)), ten(), said(Block, head(1, true, 0, 10))],
        ),
        ("an end in a piece", vec![said(Block, head(0, true, 0, 20)), ten(), end()]),
        ("an end in a block", vec![said(Block, head(0, false, 0, 10)), ten(), end()]),
        ("a message", vec![said(Block, head(0, true, 0, 20)), (Control, 0, b"now?".to_vec())]),
        ("data of another body", vec![(Data, STREAM + 1, vec![1])]),
        ("a block of another body", vec![(Block, STREAM + 1, head(0, true, 0, 10))]),
        ("an end of another body", vec![(InnerType::End, STREAM + 1, end_of(b""))]),
        ("an abort of another body", vec![(Abort, STREAM + 1, Reason::Io.to_wire().to_vec())]),
    ];
    for (what, records) in cases {
        let target = Target::new(SIZE);
        let (received, session, _peer) = receive_said(&target, &records).await;
        assert!(matches!(received, Err(Error::Protocol(_))), "{what}: {received:?}");
        assert!(session.is_closed(), "{what}");
        target.assert_no_file();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_record_in_a_plain_body_and_before_the_map() {
    let (session, mut peer) = peers().await;
    let target = Target::new(SIZE);
    let staged = target.stage();
    // What comes before the map is read after it, and judged by the same rules.
    peer.send(Data, STREAM, b"too soon").await;
    let received = receive(&session, &staged, Lanes::None).await;
    assert!(matches!(received, Err(Error::Protocol(_))), "{received:?}");
    assert!(session.is_closed());

    let (session, mut peer) = peers().await;
    peer.send(Block, 1, &head(0, true, 0, 1)).await;
    let (sink, transfer) = (crate::common::files::Sink::new(), e2eeftp_net::Transfer::new());
    let received = within(session.receive_file(&transfer, sink.staged(), 1, None)).await;
    assert!(matches!(received, Err(Error::Protocol(_))));
    assert!(session.is_closed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_stand_between_blocks() {
    let (session, mut peer) = peers().await;
    let target = Target::new(SIZE);
    let staged = target.stage();
    let mut bytes = content(SIZE, "honest");
    bytes[MIB + 3..MIB + 50].fill(0);
    bytes[2 * MIB..3 * MIB].fill(0);
    let sending = async {
        let map = peer.receive_map(SIZE).await;
        assert_eq!(map.missing().collect::<Vec<_>>(), [0, 1, 2, 3]);
        // Nothing of a block, in any order, with whatever may come at any time.
        peer.send(Stop, STREAM - 1, &Reason::Io.to_wire()).await;
        peer.send(Block, STREAM, &head(2, true, 0, 0)).await;
        peer.send(Data, STREAM, b"").await;
        peer.send(Block, STREAM, &head(1, false, 0, 3)).await;
        peer.send(KeyUpdate, 0, b"").await;
        peer.send(Data, STREAM, b"").await;
        peer.send(Data, STREAM, &bytes[MIB..MIB + 3]).await;
        let rest = head(1, true, 50, MIB - 50);
        peer.send(Block, STREAM, &rest).await;
        for piece in bytes[MIB + 50..2 * MIB].chunks(200_000) {
            peer.send(Data, STREAM, piece).await;
        }
        // A block that was damaged on the first try counts as it came last.
        peer.send_block(3, b"wrong").await;
        peer.send_block(0, block_of(&bytes, 0)).await;
        peer.send_block(3, block_of(&bytes, 3)).await;
        peer.send(InnerType::End, STREAM, &end_of(&bytes)).await;
    };
    let (received, ()) = tokio::join!(receive(&session, &staged, Lanes::None), sending);
    assert_eq!(received.unwrap().bytes, SIZE as u64);
    target.assert_commits(&*staged, &bytes);
    assert_in_step(&session, &mut peer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_is_not_that_of_the_file() {
    let bytes = content(SIZE, "ended");
    let whole: Vec<u32> = (0..4).collect();
    let shorter = End { total: SIZE as u64 - 1, root: crate::common::root(&bytes) };
    let other_root = End { total: SIZE as u64, root: [7; 32] };
    let cases = [
        ("another root", whole.clone(), other_root.to_wire().to_vec(), vec![]),
        ("another length", whole.clone(), shorter.to_wire().to_vec(), whole.clone()),
        ("a block is missing", vec![0, 1, 3], end_of(&bytes), vec![0, 1, 3]),
        ("nothing was sent", vec![], end_of(&bytes), vec![]),
    ];
    for (what, sent, end, kept) in cases {
        let (session, mut peer) = peers().await;
        let target = Target::new(SIZE);
        let staged = target.stage();
        let sending = async {
            peer.receive_map(SIZE).await;
            for index in sent {
                peer.send_block(index, block_of(&bytes, index)).await;
            }
            peer.send(InnerType::End, STREAM, &end).await;
        };
        let (received, ()) = tokio::join!(receive(&session, &staged, Lanes::None), sending);
        assert!(matches!(received, Err(Error::Integrity(_))), "{what}: {received:?}");
        assert_in_step(&session, &mut peer).await;
        target.assert_no_file();
        staged.leave().unwrap();
        assert_eq!(target.kept(), kept, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_within_the_body() {
    let target = Target::new(SIZE);
    let goodbye = (Close, 0, Reason::Done.to_wire().to_vec());
    let (received, session, _peer) = receive_said(&target, &[goodbye]).await;
    assert!(matches!(received, Err(Error::Closed)), "{received:?}");
    assert!(session.is_closed());
    target.assert_no_file();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_may_give_up_at_any_moment() {
    let bytes = content(SIZE, "given up");
    for moment in 0..4 {
        let (session, mut peer) = peers().await;
        let target = Target::new(SIZE);
        let staged = target.stage();
        let sending = async {
            if moment > 0 {
                peer.receive_map(SIZE).await;
            }
            if moment > 1 {
                peer.send_block(1, block_of(&bytes, 1)).await;
            }
            if moment > 2 {
                peer.send(Block, STREAM, &head(2, true, 0, MIB)).await;
                peer.send(Data, STREAM, &bytes[2 * MIB..2 * MIB + 1000]).await;
            }
            peer.send(Abort, STREAM, &Reason::SourceChanged.to_wire()).await;
        };
        let (received, ()) = tokio::join!(receive(&session, &staged, Lanes::None), sending);
        let is_told = matches!(received, Err(Error::PeerAborted(Reason::SourceChanged)));
        assert!(is_told, "{moment}: {received:?}");
        assert_in_step(&session, &mut peer).await;
        target.assert_no_file();
        staged.leave().unwrap();
        assert_eq!(target.kept(), if moment > 1 { vec![1] } else { vec![] }, "{moment}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_falls_silent_is_given_up() {
    let mut limits = ServerLimits::default();
    limits.stall_timeout = SHORT;
    for says in [0, 1000] {
        let (session, mut peer) = server_of_raw_client(limits.clone()).await;
        let target = Target::new(SIZE);
        let staged = target.stage();
        let sending = async {
            peer.receive_map(SIZE).await;
            if says > 0 {
                peer.send(Block, STREAM, &head(2, true, 0, MIB)).await;
                peer.send(Data, STREAM, &content(says, "silent")).await;
            }
        };
        let (received, ()) = tokio::join!(receive(&session, &staged, Lanes::None), sending);
        assert!(matches!(received, Err(Error::Timeout(_))), "{received:?}");
        assert!(session.is_closed());
        target.assert_no_file();
    }
}

/// Eight Tebibytes of hole in a few bytes: the work that they stand for can be ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_without_end_can_be_ended() {
    let (session, mut peer) = peers().await;
    // As large as the file system of the test lets a file be, or smaller.
    let size = (0..20).map(|shift| (1_u64 << 62) >> shift).find(|size| {
        let directory = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(directory.path().join("file")).unwrap();
        file.set_len(*size).is_ok()
    });
    let target = Target::new(usize::try_from(size.unwrap()).unwrap());
    let staged = target.stage();
    let transfer = e2eeftp_net::Transfer::new();
    let receiving = async {
        let staged = std::sync::Arc::clone(&staged);
        within(session.receive_blocks(&transfer, staged, STREAM, Lanes::None)).await
    };
    let sending = async {
        peer.receive_map(target.size).await;
        let mut records = Vec::new();
        for index in 0..1000 {
            records.extend_from_slice(&peer.seal(Block, STREAM, &head(index, true, 0, 0)));
        }
        peer.send_bytes(&records).await;
        transfer.cancel();
        let mut told = peer.receive().await;
        while told.0 == KeyUpdate {
            told = peer.receive().await;
        }
        assert_eq!(told.0, Stop);
        peer.send(Abort, STREAM, &Reason::Cancelled.to_wire()).await;
    };
    let (received, ()) = tokio::join!(receiving, sending);
    assert!(matches!(received, Err(Error::Aborted)), "{received:?}");
    assert_in_step(&session, &mut peer).await;
}
