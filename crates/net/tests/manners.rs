//! Bodies that are held up: by a rate limit, or by a full disk. Both sides know why, nobody gives up,
//! and a cancel is heard.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::files::{MemorySource, Sink, content};
use common::{Pair, check_usable, pair, pair_with, root, say, until, within};
use e2eeftp_core::transfer::Reason;
use e2eeftp_net::{ClientLimits, Error, Phase, ServerLimits, Stage, Transfer};
use e2eeftp_vfs::ErrorKind;

/// What each side waits for a byte. Less than a disk stays full here.
const STALL: Duration = Duration::from_millis(1500);
/// How long a disk stays full.
const FULL: Duration = Duration::from_secs(3);

/// Both sides wait 1.5 s for a byte, say twice that they are there, and wait for space.
async fn patient_pair() -> Pair {
    let (mut server, mut client) = (ServerLimits::default(), ClientLimits::default());
    server.stall_timeout = STALL;
    client.stall_timeout = STALL;
    server.keep_alive = STALL / 3;
    client.keep_alive = STALL / 3;
    pair_with(server, client).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_side_limits_the_rate() {
    let pair = pair().await;
    let bytes = content(600_000, "slow");
    for (stream, at_sender) in [(1, true), (2, false)] {
        let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
        let limited = if at_sender { &sending } else { &receiving };
        limited.set_rate_limit(400_000);
        let start = Instant::now();
        let source = MemorySource::shared(&bytes);
        let send = pair.client.send_file(&sending, source, stream, 0, 600_000);
        let receive = pair.server.receive_file(&receiving, sink.staged(), stream, Some(600_000));
        let (sent, received) = within(async { tokio::join!(send, receive) }).await;
        assert_eq!(sent.unwrap(), received.unwrap().0);
        assert_eq!(sink.bytes(), bytes);
        // A limit is a bound from below on the time; the bucket holds a tenth of a second.
        assert!(start.elapsed() >= Duration::from_millis(1300), "{:?}", start.elapsed());
        assert!(limited.stats().stages.get(Stage::RateLimit) > Duration::from_millis(500));
    }
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_limits_all_of_its_bodies_together() {
    let mut limits = ServerLimits::default();
    limits.rate_limit = 400_000;
    let one = pair_with(limits, ClientLimits::default()).await;
    let other = common::dial_in(one.listener.address()).await.unwrap();
    let other_server = common::next(&one.listener).await.accept();
    let (bytes, sinks) = (content(300_000, "share"), [Sink::new(), Sink::new()]);
    let start = Instant::now();
    let ((sent, _), (sent_too, _)) = within(async {
        tokio::join!(
            common::move_body(&one.client, &one.server, &bytes, &sinks[0], 1),
            common::move_body(&other, &other_server, &bytes, &sinks[1], 1),
        )
    })
    .await;
    sent.unwrap();
    sent_too.unwrap();
    say(&one.server, &one.client, b"end").await;
    assert!(sinks.iter().all(|sink| sink.bytes() == bytes));
    assert!(start.elapsed() >= Duration::from_millis(1300), "{:?}", start.elapsed());
}

/// A receiver at the lowest rate takes nothing from a full socket for longer than the sender's
/// patience; the limit is lifted in the middle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_receiver_is_not_taken_for_a_dead_one() {
    let pair = patient_pair().await;
    let len = 64 << 20;
    let bytes = content(len, "crawl");
    let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
    receiving.set_rate_limit(1);
    let send = pair.server.send_file(&sending, MemorySource::shared(&bytes), 1, 0, len as u64);
    let receive = pair.client.receive_file(&receiving, sink.staged(), 1, Some(len as u64));
    let lift = async {
        tokio::time::sleep(FULL).await;
        receiving.set_rate_limit(0);
    };
    let (sent, received, ()) = within(async { tokio::join!(send, receive, lift) }).await;
    assert_eq!(sent.unwrap(), received.unwrap().0);
    check_usable(&pair.client, &pair.server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_is_heard_while_a_limit_holds() {
    let pair = pair().await;
    let bytes = content(8 << 20, "cancelled");
    for (stream, at_sender) in [(1, true), (2, false)] {
        let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
        let limited = if at_sender { &sending } else { &receiving };
        limited.set_rate_limit(20_000);
        let source = MemorySource::shared(&bytes);
        let send = pair.client.send_file(&sending, source, stream, 0, 8 << 20);
        let receive = pair.server.receive_file(&receiving, sink.staged(), stream, Some(8 << 20));
        let cancel = async {
            until("something moved", || limited.progress().transferred > 0).await;
            limited.cancel();
        };
        let (sent, received, ()) = within(async { tokio::join!(send, receive, cancel) }).await;
        let (own, others) = (sent.err(), received.err());
        let (own, others) = if at_sender { (own, others) } else { (others, own) };
        assert!(matches!(own, Some(Error::Aborted)), "{own:?}");
        assert!(
            matches!(
                others,
                Some(Error::PeerAborted(Reason::Cancelled) | Error::PeerStopped(Reason::Cancelled))
            ),
            "{others:?}"
        );
    }
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_waited_for_and_both_sides_know() {
    let pair = patient_pair().await;
    // More than the sockets hold, and so little that all of it is under way.
    for (stream, len) in [(1, 64 << 20), (2, 2_000_u32)] {
        let bytes = content(len as usize, "full");
        let is_full = Arc::new(AtomicBool::new(true));
        let (sending, receiving) = (Transfer::new(), Transfer::new());
        let sink = Sink::full_at(u64::from(len) / 4, &is_full);
        let source = MemorySource::shared(&bytes);
        let upload = async {
            let sent = pair.client.send_file(&sending, source, stream, 0, len.into()).await;
            // The client waits for the final reply.
            let reply = pair.client.next_control(STALL).await;
            (sent, reply)
        };
        let answer = async {
            let (result, _) = pair
                .server
                .receive_file(&receiving, sink.staged(), stream, Some(len.into()))
                .await
                .unwrap();
            pair.server.send_control(b"226").await.unwrap();
            result
        };
        let make_room = async {
            let waits = |transfer: &Transfer| transfer.progress().phase == Phase::WaitingForSpace;
            until("both wait", || waits(&receiving) && waits(&sending)).await;
            tokio::time::sleep(FULL).await;
            assert!(waits(&receiving) && waits(&sending), "nobody has given up");
            is_full.store(false, Ordering::Release);
        };
        let ((sent, reply), result, ()) =
            within(async { tokio::join!(upload, answer, make_room) }).await;
        assert_eq!(sent.unwrap(), result);
        assert_eq!(reply.unwrap().as_deref(), Some(&b"226"[..]));
        assert_eq!((result.root, sink.bytes() == bytes), (root(&bytes), true));
        assert_eq!(sending.progress().phase, Phase::Done);
        assert!(receiving.stats().stages.get(Stage::SpaceWait) >= FULL);
    }
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_held_up_by_a_full_disk_too() {
    let pair = patient_pair().await;
    let bytes = content(64 << 20, "stream");
    let is_full = Arc::new(AtomicBool::new(true));
    let (receiving, sink) = (Transfer::new(), Sink::full_at(1000, &is_full));
    let send = async {
        let mut writer = pair.client.body_writer(1);
        for piece in bytes.chunks(1 << 20) {
            writer.write(piece).await.unwrap();
        }
        writer.finish().await.unwrap()
    };
    let make_room = async {
        tokio::time::sleep(FULL).await;
        is_full.store(false, Ordering::Release);
    };
    let receive = pair.server.receive_file(&receiving, sink.staged(), 1, None);
    let (sent, received, ()) = within(async { tokio::join!(send, receive, make_room) }).await;
    assert_eq!(sent, received.unwrap().0);
    assert_eq!(sink.bytes(), bytes);
    check_usable(&pair.client, &pair.server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wait_for_space_has_an_end() {
    let mut limits = ServerLimits::default();
    limits.space_timeout = Duration::from_millis(1500);
    let pair = pair_with(limits, ClientLimits::default()).await;
    let sink = Sink::full_at(1 << 20, &Arc::new(AtomicBool::new(true)));
    let bytes = content(16 << 20, "for ever");
    let (sent, received) = common::move_body(&pair.client, &pair.server, &bytes, &sink, 1).await;
    assert!(matches!(sent, Err(Error::PeerStopped(Reason::NoSpace))), "{sent:?}");
    assert!(matches!(received, Err(Error::Vfs(error)) if error.kind() == ErrorKind::NoSpace));
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_ends_the_wait_for_space() {
    let bytes = content(64 << 20, "given up");
    for at_sender in [true, false] {
        let pair = patient_pair().await;
        let sink = Sink::full_at(1 << 20, &Arc::new(AtomicBool::new(true)));
        let (sending, receiving) = (Transfer::new(), Transfer::new());
        let source = MemorySource::shared(&bytes);
        let send = pair.client.send_file(&sending, source, 1, 0, 64 << 20);
        let receive = pair.server.receive_file(&receiving, sink.staged(), 1, Some(64 << 20));
        let cancel = async {
            let who = if at_sender { &sending } else { &receiving };
            until("it waits", || who.progress().phase == Phase::WaitingForSpace).await;
            who.cancel();
        };
        let (sent, received, ()) = within(async { tokio::join!(send, receive, cancel) }).await;
        if at_sender {
            // The receiver reads nothing: the connection is the only thing to give up.
            assert!(matches!(sent, Err(Error::Closed)), "{sent:?}");
            let received = received.err();
            assert!(matches!(received, Some(Error::ConnectionLost(_))), "{received:?}");
        } else {
            assert!(matches!(sent, Err(Error::PeerStopped(Reason::Cancelled))), "{sent:?}");
            assert!(matches!(received, Err(Error::Aborted)));
            pair.check_usable().await;
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_tells_where_its_time_went() {
    let pair = pair().await;
    let bytes = content(32 << 20, "figures");
    let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
    let start = Instant::now();
    let send = pair.client.send_file(&sending, MemorySource::shared(&bytes), 1, 0, 32 << 20);
    let receive = pair.server.receive_file(&receiving, sink.staged(), 1, Some(32 << 20));
    let (sent, received) = within(async { tokio::join!(send, receive) }).await;
    assert_eq!(sent.unwrap(), received.unwrap().0);
    let elapsed = start.elapsed();
    let (sent, received) = (sending.stats(), receiving.stats());
    for stage in [Stage::FileRead, Stage::Hash, Stage::Seal, Stage::SocketWrite] {
        assert!(sent.stages.get(stage) > Duration::ZERO, "{stage:?}");
    }
    for stage in [Stage::SocketRead, Stage::Open, Stage::Hash, Stage::FileWrite] {
        assert!(received.stages.get(stage) > Duration::ZERO, "{stage:?}");
    }
    for stats in [&sent, &received] {
        assert!(stats.stages.sum() <= elapsed && stats.cpu <= elapsed);
        assert!(stats.cpu > Duration::ZERO);
        assert_eq!(stats.connections.len(), 1);
    }
    assert!(sent.connections[0].segments_out > 0, "{:?}", sent.connections);
    assert!(received.connections[0].segments_in > 0);
}
