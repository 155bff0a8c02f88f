//! A receiver of blocks that has proved itself, and lies about what it has or does not answer.

use e2eeftp_core::record::InnerType::{self, Abort, Block, Close, Control, Data, Stop};
use e2eeftp_core::transfer::{BlockLayout, BlockMap, End, Reason};
use e2eeftp_core::{Error as CoreError, PeerFault};
use e2eeftp_net::{BlocksResult, Error, Lanes, ServerLimits, Session, Transfer};

use crate::common::blocks::{MIB, STREAM, block_of, end_of, head};
use crate::common::files::{MemorySource, content};
use crate::common::raw::{RawPeer, server_of_raw_client};
use crate::common::{NO_LIMIT, SHORT, root, within};

const SIZE: usize = 2 * MIB + 5;

/// A record, with its stream.
type Said = (InnerType, u32, Vec<u8>);

async fn peers() -> (Session, RawPeer) {
    server_of_raw_client(ServerLimits::default()).await
}

async fn send(session: &Session, bytes: &[u8]) -> Result<BlocksResult, Error> {
    let (transfer, source, size) =
        (Transfer::new(), MemorySource::shared(bytes), bytes.len() as u64);
    within(session.send_blocks(&transfer, source, STREAM, size, Lanes::None)).await
}

fn layout() -> BlockLayout {
    BlockLayout::for_size(SIZE as u64).unwrap()
}

/// A map that claims the blocks of `values`.
fn map_of(values: &[(u32, [u8; 32])]) -> Vec<u8> {
    let mut map = BlockMap::empty(&layout());
    for (index, value) in values {
        map.keep(*index, *value);
    }
    map.to_wire()
}

async fn assert_in_step(session: &Session, peer: &mut RawPeer) {
    peer.send(Control, 0, b"still here").await;
    let next = within(session.next_control(NO_LIMIT)).await.unwrap();
    assert_eq!(next.as_deref(), Some(&b"still here"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maps_that_are_none() {
    let one = map_of(&[(1, [3; 32])]);
    let with = |change: fn(&mut Vec<u8>)| {
        let mut map = one.clone();
        change(&mut map);
        map
    };
    let cases = [
        ("version", with(|map| map[0] = 2), PeerFault::Version),
        ("reserved", with(|map| map[3] = 1), PeerFault::Reserved),
        ("nothing", vec![1], PeerFault::Length),
        ("no bitmap", one[..8].to_vec(), PeerFault::Length),
        ("no value", one[..9].to_vec(), PeerFault::Length),
        ("half a value", one[..one.len() - 1].to_vec(), PeerFault::Length),
        ("a value too many", [&one[..], &[3; 32]].concat(), PeerFault::Length),
        ("fewer than counted", with(|map| map[8] = 0), PeerFault::Value),
        ("more than counted", with(|map| map[8] = 0b101), PeerFault::Value),
        ("a block behind the end", with(|map| map[8] = 0b1000), PeerFault::Value),
        ("a count beyond reason", with(|map| map[4] = 0xff), PeerFault::Length),
    ];
    for (what, map, fault) in cases {
        let (session, mut peer) = peers().await;
        peer.send_map(&map).await;
        let sent = send(&session, &content(SIZE, "maps")).await;
        let expected = CoreError::Peer(fault);
        assert!(matches!(sent, Err(Error::Core(error)) if error == expected), "{what}: {sent:?}");
        assert!(session.is_closed(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_belong_into_a_map() {
    let map = map_of(&[]);
    let end = |total: usize, bytes: &[u8]| {
        End { total: total as u64, root: root(bytes) }.to_wire().to_vec()
    };
    let too_long = vec![0; usize::try_from(BlockMap::max_wire_len(&layout())).unwrap() + 1];
    let cases: [(&str, Vec<Said>); 9] = [
        ("too long", vec![(Data, STREAM, too_long)]),
        ("another hash", vec![(Data, STREAM, map.clone()), (InnerType::End, STREAM, end(9, b"x"))]),
        (
            "another length",
            vec![(Data, STREAM, map.clone()), (InnerType::End, STREAM, end(8, &map))],
        ),
        ("a block", vec![(Block, STREAM, head(0, true, 0, 10))]),
        ("a message", vec![(Control, 0, b"now?".to_vec())]),
        ("data of another body", vec![(Data, STREAM + 1, map.clone())]),
        ("an end of another body", vec![(InnerType::End, STREAM - 1, end(0, b""))]),
        ("an abort of another body", vec![(Abort, STREAM + 1, Reason::Io.to_wire().to_vec())]),
        (
            "a message behind it",
            vec![
                (Data, STREAM, map.clone()),
                (InnerType::End, STREAM, end_of(&map)),
                (Control, 0, b"and?".to_vec()),
            ],
        ),
    ];
    for (what, records) in cases {
        let (session, mut peer) = peers().await;
        for (kind, stream, content) in &records {
            peer.send(*kind, *stream, content).await;
        }
        let sent = send(&session, &content(SIZE, "maps")).await;
        assert!(matches!(sent, Err(Error::Protocol(_))), "{what}: {sent:?}");
        assert!(session.is_closed(), "{what}");
    }
    let (session, mut peer) = peers().await;
    peer.send(Close, 0, &Reason::Done.to_wire()).await;
    let sent = send(&session, &content(SIZE, "maps")).await;
    assert!(matches!(sent, Err(Error::Closed)), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_may_decline_in_place_of_its_map() {
    for kind in [Abort, Stop] {
        let (session, mut peer) = peers().await;
        peer.send(Data, STREAM, &map_of(&[])[..4]).await;
        peer.send(kind, STREAM, &Reason::NoSpace.to_wire()).await;
        let sent = send(&session, &content(SIZE, "declined")).await;
        assert!(matches!(sent, Err(Error::PeerStopped(Reason::NoSpace))), "{sent:?}");
        let (told, stream, _) = peer.receive().await;
        assert_eq!((told, stream), (Abort, STREAM));
        assert_in_step(&session, &mut peer).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_never_sends_its_map_is_given_up() {
    let mut limits = ServerLimits::default();
    limits.stall_timeout = SHORT;
    for says in [0, 4] {
        let (session, mut peer) = server_of_raw_client(limits.clone()).await;
        if says > 0 {
            peer.send(Data, STREAM, &map_of(&[])[..says]).await;
        }
        let sent = send(&session, &content(SIZE, "waiting")).await;
        assert!(matches!(sent, Err(Error::Timeout(_))), "{sent:?}");
        assert!(session.is_closed());
    }
}

/// What the receiver claims and the source does not have is sent; what nobody can know is wrong, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_that_lies_changes_nothing_but_what_is_sent() {
    let bytes = content(SIZE, "claimed");
    let (session, mut peer) = peers().await;
    peer.send_map(&map_of(&[(0, [0; 32]), (1, [0xff; 32]), (2, root(b"guessed"))])).await;
    let (sent, (mut blocks, kind, end)) =
        tokio::join!(send(&session, &bytes), peer.receive_blocks());
    assert_eq!((kind, end), (InnerType::End, end_of(&bytes)));
    assert_eq!(sent.unwrap().kept, 0);
    blocks.sort();
    let whole: Vec<_> = (0..3).map(|index| (index, block_of(&bytes, index).to_vec())).collect();
    assert!(blocks == whole);
    assert_in_step(&session, &mut peer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_may_stop_at_any_moment() {
    // More than the sockets hold.
    let bytes = content(40 * MIB, "stopped");
    for is_early in [true, false] {
        let (session, mut peer) = peers().await;
        let map = BlockMap::empty(&BlockLayout::for_size(bytes.len() as u64).unwrap()).to_wire();
        let stopping = async {
            peer.send_map(&map).await;
            if !is_early {
                assert_eq!(peer.receive().await.0, Block);
                assert_eq!(peer.receive().await.0, Data);
            }
            peer.send(Stop, STREAM, &Reason::NoSpace.to_wire()).await;
            // What is under way goes on to its end.
            loop {
                match peer.receive().await.0 {
                    Block | Data | InnerType::KeyUpdate => {}
                    kind => return kind,
                }
            }
        };
        let (sent, kind) = tokio::join!(send(&session, &bytes), stopping);
        assert!(matches!(sent, Err(Error::PeerStopped(Reason::NoSpace))), "{sent:?}");
        assert_eq!(kind, Abort);
        assert_in_step(&session, &mut peer).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_receiver_may_not_say_behind_its_map() {
    let bytes = content(40 * MIB, "answered");
    let map = BlockMap::empty(&BlockLayout::for_size(bytes.len() as u64).unwrap()).to_wire();
    for (kind, stream, content) in [
        (Data, STREAM, b"more".to_vec()),
        (Data, STREAM + 1, Vec::new()),
        (InnerType::End, STREAM, end_of(&map)),
        (Block, STREAM, head(0, true, 0, 1)),
        (Abort, STREAM, Reason::Io.to_wire().to_vec()),
    ] {
        let (session, mut peer) = peers().await;
        peer.send_map(&map).await;
        peer.send(kind, stream, &content).await;
        let sent = send(&session, &bytes).await;
        assert!(matches!(sent, Err(Error::Protocol(_))), "{kind:?}: {sent:?}");
        assert!(session.is_closed());
    }
}
