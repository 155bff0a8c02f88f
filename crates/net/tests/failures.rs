//! Bodies that do not arrive: both sides learn why, nothing half is kept, and where the
//! connection lives on it is in step.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

mod common;

use std::fs::{File, FileTimes, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::files::{Gate, MemorySource, Sink, content};
use common::raw::{client_of_raw_server, server_of_raw_client};
use common::{Pair, check_usable, impatient_pair, move_body, pair, root, within};
use e2eeftp_core::record::InnerType;
use e2eeftp_core::transfer::{End, Reason};
use e2eeftp_net::{Error, ServerLimits, Transfer};
use e2eeftp_vfs::{ErrorKind, Source, StageOptions, local};

fn assert_vfs<T: std::fmt::Debug>(result: &Result<T, Error>, kind: ErrorKind) {
    assert!(matches!(result, Err(Error::Vfs(error)) if error.kind() == kind), "{result:?}");
}

fn assert_stopped<T: std::fmt::Debug>(result: &Result<T, Error>, reason: Reason) {
    assert!(matches!(result, Err(Error::PeerStopped(why)) if *why == reason), "{result:?}");
}

fn assert_peer_aborted<T: std::fmt::Debug>(result: &Result<T, Error>, reason: Reason) {
    assert!(matches!(result, Err(Error::PeerAborted(why)) if *why == reason), "{result:?}");
}

fn assert_aborted<T: std::fmt::Debug>(result: &Result<T, Error>) {
    assert!(matches!(result, Err(Error::Aborted)), "{result:?}");
}

fn assert_integrity<T: std::fmt::Debug>(result: &Result<T, Error>) {
    assert!(matches!(result, Err(Error::Integrity(_))), "{result:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_is_cancelled_before_the_start() {
    let pair = pair().await;
    for (from, to) in [(&pair.client, &pair.server), (&pair.server, &pair.client)] {
        let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
        sending.cancel();
        let (sent, received) = within(async {
            tokio::join!(
                from.send_file(&sending, MemorySource::shared(b"never"), 1, 0, 5),
                to.receive_file(&receiving, sink.staged(), 1, Some(5)),
            )
        })
        .await;
        assert_aborted(&sent);
        assert_peer_aborted(&received.map(|_| ()), Reason::Cancelled);
        assert!(sink.is_dropped() && sink.bytes().is_empty());
    }
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_cancelled_before_the_start() {
    let pair = pair().await;
    let bytes = content(32 << 20, "unwanted");
    for (from, to) in [(&pair.client, &pair.server), (&pair.server, &pair.client)] {
        let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
        receiving.cancel();
        let (sent, received) = within(async {
            tokio::join!(
                from.send_file(&sending, MemorySource::shared(&bytes), 1, 0, 32 << 20),
                to.receive_file(&receiving, sink.staged(), 1, None),
            )
        })
        .await;
        assert_stopped(&sent, Reason::Cancelled);
        assert_aborted(&received.map(|_| ()));
        assert!(sink.is_dropped() && sink.bytes().is_empty());
    }
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_is_cancelled_in_the_middle() {
    let pair = pair().await;
    let (bytes, gate, sink) = (content(4 << 20, "middle"), Gate::default(), Sink::new());
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let source = MemorySource::held_at(&bytes, 2 << 20, &gate);
    let (sent, received, ()) = within(async {
        tokio::join!(
            pair.client.send_file(&sending, source, 1, 0, 4 << 20),
            pair.server.receive_file(&receiving, sink.staged(), 1, Some(4 << 20)),
            async {
                gate.reached().await;
                sending.cancel();
                gate.open();
            }
        )
    })
    .await;
    assert_aborted(&sent);
    assert_peer_aborted(&received.map(|_| ()), Reason::Cancelled);
    assert!(sink.is_dropped());
    assert!(bytes.starts_with(&sink.bytes()));
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_cancelled_in_the_middle() {
    let pair = pair().await;
    let (bytes, gate) = (content(32 << 20, "middle"), Gate::default());
    let sink = Sink::held_at(1 << 20, &gate);
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let (sent, received, ()) = within(async {
        tokio::join!(
            pair.client.send_file(&sending, MemorySource::shared(&bytes), 1, 0, 32 << 20),
            pair.server.receive_file(&receiving, sink.staged(), 1, Some(32 << 20)),
            async {
                gate.reached().await;
                receiving.cancel();
                gate.open();
            }
        )
    })
    .await;
    assert_stopped(&sent, Reason::Cancelled);
    assert_aborted(&received.map(|_| ()));
    assert!(sink.is_dropped());
    pair.check_usable().await;
}

/// Waits until a transfer has moved something and then stands still.
async fn standstill(transfer: &Transfer) {
    let mut last = 0;
    let mut same = 0;
    while same < 20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let moved = transfer.progress().transferred;
        same = if moved == last && moved > 0 { same + 1 } else { 0 };
        last = moved;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_is_cancelled_while_the_peer_takes_nothing() {
    let pair = pair().await;
    let (bytes, gate) = (content(64 << 20, "standstill"), Gate::default());
    let sink = Sink::held_at(0, &gate);
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let (sent, received, ()) = within(async {
        tokio::join!(
            pair.client.send_file(&sending, MemorySource::shared(&bytes), 1, 0, 64 << 20),
            pair.server.receive_file(&receiving, sink.staged(), 1, Some(64 << 20)),
            async {
                gate.reached().await;
                standstill(&sending).await;
                sending.cancel();
                gate.open();
            }
        )
    })
    .await;
    assert_aborted(&sent);
    assert_peer_aborted(&received.map(|_| ()), Reason::Cancelled);
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_cancelled_while_the_peer_sends_nothing() {
    let pair = pair().await;
    let (bytes, gate) = (content(4 << 20, "silence"), Gate::default());
    let source = MemorySource::held_at(&bytes, 1 << 20, &gate);
    let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
    let (sent, received, ()) = within(async {
        tokio::join!(
            pair.client.send_file(&sending, source, 1, 0, 4 << 20),
            pair.server.receive_file(&receiving, sink.staged(), 1, Some(4 << 20)),
            async {
                standstill(&receiving).await;
                receiving.cancel();
                // Time for the Stop to be on its way before the sender looks for it.
                tokio::time::sleep(Duration::from_millis(300)).await;
                gate.open();
            }
        )
    })
    .await;
    assert_stopped(&sent, Reason::Cancelled);
    assert_aborted(&received.map(|_| ()));
    pair.check_usable().await;
}

/// A cancel needs the peer's help to keep the connection; without it the connection is given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_ends_even_when_the_peer_does_not_help() {
    let (client, mut silent_server) = client_of_raw_server().await;
    let (server, _silent_client) = server_of_raw_client(ServerLimits::default()).await;
    let bytes = content(64 << 20, "no help");
    let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
    let sender = async {
        let sent = client.send_file(&sending, MemorySource::shared(&bytes), 1, 0, 64 << 20).await;
        assert!(matches!(sent, Err(Error::Timeout(_))), "{sent:?}");
        assert!(client.is_closed());
    };
    let receiver = async {
        let received = server.receive_file(&receiving, sink.staged(), 1, Some(5)).await;
        let received = received.map(|_| ());
        assert!(matches!(received, Err(Error::Timeout(_))), "{received:?}");
        assert!(server.is_closed() && sink.is_dropped());
    };
    within(async {
        tokio::join!(sender, receiver, async {
            standstill(&sending).await;
            sending.cancel();
            receiving.cancel();
        })
    })
    .await;
    // Whatever got through is whole records of that body.
    for _ in 0..4 {
        let (kind, stream, _) = silent_server.receive().await;
        assert_eq!((kind, stream), (InnerType::Data, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_given_up_by_either_side() {
    let pair = pair().await;
    let (client, server) = (&pair.client, &pair.server);

    // The writer gives up: a reader and a pump learn why.
    let mut writer = client.body_writer(1);
    within(writer.write(b"some")).await.unwrap();
    within(writer.abort(Reason::SourceChanged)).await.unwrap();
    within(writer.abort(Reason::Io)).await.unwrap();
    assert!(matches!(writer.write(b"more").await, Err(Error::Closed)));
    assert!(matches!(writer.finish().await, Err(Error::Closed)));
    let mut reader = server.body_reader(1);
    assert_eq!(within(reader.read(10)).await.unwrap().as_deref(), Some(&b"some"[..]));
    assert_peer_aborted(&within(reader.read(10)).await, Reason::SourceChanged);
    assert_eq!(reader.result(), None);

    let mut writer = client.body_writer(2);
    within(writer.write(b"some")).await.unwrap();
    within(writer.abort(Reason::Io)).await.unwrap();
    let (sink, transfer) = (Sink::new(), Transfer::new());
    let received = within(server.receive_file(&transfer, sink.staged(), 2, None)).await;
    assert_peer_aborted(&received.map(|_| ()), Reason::Io);
    assert!(sink.is_dropped());

    // The reader gives up: a pump and a writer learn why.
    let bytes = content(32 << 20, "streams");
    let transfer = Transfer::new();
    let (sent, ()) = within(async {
        tokio::join!(
            client.send_file(&transfer, MemorySource::shared(&bytes), 3, 0, 32 << 20),
            async {
                let mut reader = server.body_reader(3);
                assert!(reader.read(1000).await.unwrap().is_some());
                reader.stop(Reason::TooLarge).await.unwrap();
                reader.stop(Reason::Io).await.unwrap();
            }
        )
    })
    .await;
    assert_stopped(&sent, Reason::TooLarge);

    let (sent, ()) = within(async {
        tokio::join!(
            async {
                let mut writer = client.body_writer(4);
                let sent = writer.write(&bytes).await;
                assert!(matches!(writer.write(b"more").await, Err(Error::Closed)));
                sent
            },
            async {
                let mut reader = server.body_reader(4);
                assert!(reader.read(1000).await.unwrap().is_some());
                reader.stop(Reason::NotPermitted).await.unwrap();
            }
        )
    })
    .await;
    assert_stopped(&sent, Reason::NotPermitted);
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_fails() {
    let pair = pair().await;
    let bytes = content(32 << 20, "no space");
    let failures = [
        (0, ErrorKind::NoSpace, Reason::NoSpace),
        (1 << 20, ErrorKind::Io, Reason::Io),
        (5_000_000, ErrorKind::TooLarge, Reason::TooLarge),
        (1, ErrorKind::Expired, Reason::NotPermitted),
    ];
    for (stream, (offset, kind, reason)) in (1..).zip(failures) {
        let sink = Sink::failing_at(offset, kind);
        let (sent, received) = move_body(&pair.client, &pair.server, &bytes, &sink, stream).await;
        assert_vfs(&received, kind);
        assert_stopped(&sent, reason);
        assert!(sink.is_dropped());
        assert!(bytes.starts_with(&sink.bytes()) && sink.bytes().len() as u64 <= offset);
        check_usable(&pair.client, &pair.server).await;
    }
    pair.check_usable().await;
}

/// The body is over before its sender hears that it was not kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_fails_at_the_very_end() {
    let pair = pair().await;
    let bytes = content(1000, "too late");
    let transfer = Transfer::new();
    let source = MemorySource::shared(&bytes);
    within(pair.client.send_file(&transfer, source, 1, 0, 1000)).await.unwrap();
    let sink = Sink::failing_at(999, ErrorKind::NoSpace);
    let transfer = Transfer::new();
    let received = within(pair.server.receive_file(&transfer, sink.staged(), 1, Some(1000))).await;
    assert_vfs(&received.map(|_| ()), ErrorKind::NoSpace);
    // The Stop of the first body is still under way when the next ones start, in each direction
    // and in each way.
    let big = content(3 << 20, "next");
    let (sent, received) = move_body(&pair.client, &pair.server, &big, &Sink::new(), 2).await;
    sent.unwrap();
    received.unwrap();
    pair.check_usable().await;
}

/// Opens `path`, lets `change` do something to it, and sends it.
async fn send_changed(pair: &Pair, stream: u32, change: impl FnOnce(&Path)) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("source");
    let bytes = content(4 << 20, "changing");
    std::fs::write(&path, &bytes).unwrap();
    let source: Arc<dyn Source> = Arc::from(local::open_source(&path).unwrap());
    change(&path);
    let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
    let (sent, received) = within(async {
        tokio::join!(
            pair.client.send_file(&sending, source, stream, 0, 4 << 20),
            pair.server.receive_file(&receiving, sink.staged(), stream, Some(4 << 20)),
        )
    })
    .await;
    assert_vfs(&sent, ErrorKind::SourceChanged);
    assert_peer_aborted(&received.map(|_| ()), Reason::SourceChanged);
    assert!(sink.is_dropped());
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_changes() {
    let pair = pair().await;
    let open = |path: &Path| OpenOptions::new().append(true).open(path).unwrap();
    let mut stream = 0;
    // Cut to nothing, within a record, between records, between batches, by a byte.
    for len in [0, 1, 131_072 * 3, 131_072 * 3 + 77, 1 << 20, 2 << 20, (4 << 20) - 1] {
        stream += 1;
        send_changed(&pair, stream, |path| open(path).set_len(len).unwrap()).await;
    }
    send_changed(&pair, 10, |path| open(path).write_all(b"x").unwrap()).await;
    send_changed(&pair, 11, |path| std::fs::remove_file(path).unwrap()).await;
    send_changed(&pair, 12, |path| {
        let other = path.with_extension("new");
        std::fs::write(&other, content(4 << 20, "another")).unwrap();
        std::fs::rename(other, path).unwrap();
    })
    .await;
    send_changed(&pair, 13, |path| {
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let times = FileTimes::new().set_modified(long_ago);
        File::options().write(true).open(path).unwrap().set_times(times).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_beyond_the_end_of_the_source() {
    let pair = pair().await;
    for (stream, (offset, length)) in (1..).zip([(0, 11), (10, 1), (5, 300_000)]) {
        let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
        let source = MemorySource::shared(b"ten bytes.");
        let (sent, received) = within(async {
            tokio::join!(
                pair.client.send_file(&sending, source, stream, offset, length),
                pair.server.receive_file(&receiving, sink.staged(), stream, Some(length)),
            )
        })
        .await;
        assert_vfs(&sent, ErrorKind::SourceChanged);
        assert_peer_aborted(&received.map(|_| ()), Reason::SourceChanged);
    }
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_not_as_long_as_announced() {
    let pair = pair().await;
    // Length of the body, announced length, what a sender that is told in time says.
    let cases = [
        (1000, 1001, false),
        (0, 1, false),
        (1000, 999, false),
        (1, 0, false),
        (1_000_000, 20_000_000, false),
        (32 << 20, 10, true),
        (3 << 20, 2 << 20, false),
    ];
    for (stream, (len, announced, is_told_in_time)) in (1..).zip(cases) {
        let bytes = content(len, "announced");
        let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
        let (sent, received) = within(async {
            let source = MemorySource::shared(&bytes);
            tokio::join!(
                pair.client.send_file(&sending, source, stream, 0, len as u64),
                pair.server.receive_file(&receiving, sink.staged(), stream, Some(announced)),
            )
        })
        .await;
        assert_integrity(&received.map(|_| ()));
        assert!(sink.bytes().len() as u64 <= announced, "nothing beyond what was announced");
        assert!(sink.is_dropped());
        if is_told_in_time {
            assert_stopped(&sent, Reason::Integrity);
        } else {
            // Over before it could hear of it, or not.
            assert!(sent.is_ok() || matches!(sent, Err(Error::PeerStopped(Reason::Integrity))));
        }
        pair.check_usable().await;
    }
}

/// The sender holds the session's keys and says one thing in the data and another at the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_lies() {
    let (session, mut liar) = server_of_raw_client(ServerLimits::default()).await;
    let honest = End { total: 8, root: root(b"contents") };
    let lies = [
        (&b"contentz"[..], honest),
        (b"content", honest),
        (b"contents.", honest),
        (b"contents", End { total: 7, ..honest }),
        (b"contents", End { total: u64::MAX, ..honest }),
        (b"contents", End { root: [0; 32], ..honest }),
        (b"", honest),
    ];
    for (stream, (data, end)) in (1..).zip(lies) {
        for is_pump in [true, false] {
            if !data.is_empty() {
                liar.send(InnerType::Data, stream, data).await;
            }
            liar.send(InnerType::End, stream, &end.to_wire()).await;
            if is_pump {
                let (sink, transfer) = (Sink::new(), Transfer::new());
                let receiving = session.receive_file(&transfer, sink.staged(), stream, None);
                assert_integrity(&within(receiving).await.map(|_| ()));
                assert!(sink.is_dropped());
            } else {
                let mut reader = session.body_reader(stream);
                while let Ok(Some(_)) = within(reader.read(3)).await {}
                assert_eq!(reader.result(), None);
            }
        }
    }
    // The same by the truth, after all these lies.
    liar.send(InnerType::Data, 99, b"contents").await;
    liar.send(InnerType::End, 99, &honest.to_wire()).await;
    let (sink, transfer) = (Sink::new(), Transfer::new());
    let (received, _) =
        within(session.receive_file(&transfer, sink.staged(), 99, Some(8))).await.unwrap();
    assert_eq!((received.bytes, received.root), (8, honest.root));
    assert_eq!(sink.bytes(), b"contents");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_hears_of_a_lie_as_an_error_not_as_an_end() {
    let (session, mut liar) = server_of_raw_client(ServerLimits::default()).await;
    liar.send(InnerType::Data, 1, b"contentz").await;
    let end = End { total: 8, root: root(b"contents") };
    liar.send(InnerType::End, 1, &end.to_wire()).await;
    let mut reader = session.body_reader(1);
    assert!(within(reader.read(100)).await.unwrap().is_some());
    assert_integrity(&within(reader.read(100)).await);
    assert_eq!(reader.result(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_dies_in_the_middle() {
    let Pair { client, server, .. } = pair().await;
    let directory = tempfile::tempdir().unwrap();
    let (bytes, gate) = (content(4 << 20, "dies"), Gate::default());
    let source = MemorySource::held_at(&bytes, 2 << 20, &gate);
    let options = StageOptions { expected_len: Some(4 << 20), ..StageOptions::default() };
    let staged = local::stage(&directory.path().join("target"), &options).unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let (sent, (received, ())) = within(async {
        tokio::join!(client.send_file(&sending, source, 1, 0, 4 << 20), async {
            let receive = server.receive_file(&receiving, staged, 1, Some(4 << 20));
            let kill = async {
                standstill(&receiving).await;
                client.destroy();
                gate.open();
            };
            tokio::join!(receive, kill)
        })
    })
    .await;
    assert!(matches!(sent, Err(Error::Closed)), "{sent:?}");
    let received = received.map(|_| ());
    assert!(matches!(received, Err(Error::ConnectionLost(_))), "{received:?}");
    assert!(server.is_closed());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing half is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_dies_in_the_middle() {
    let Pair { client, server, .. } = pair().await;
    let (bytes, gate) = (content(64 << 20, "dies"), Gate::default());
    let sink = Sink::held_at(1 << 20, &gate);
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let (sent, received, ()) = within(async {
        tokio::join!(
            client.send_file(&sending, MemorySource::shared(&bytes), 1, 0, 64 << 20),
            server.receive_file(&receiving, sink.staged(), 1, Some(64 << 20)),
            async {
                gate.reached().await;
                server.destroy();
                gate.open();
            }
        )
    })
    .await;
    assert!(matches!(sent, Err(Error::ConnectionLost(_))), "{sent:?}");
    let received = received.map(|_| ());
    assert!(matches!(received, Err(Error::Closed)), "{received:?}");
    assert!(sink.is_dropped());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_stands_still() {
    let bytes = content(64 << 20, "standstill");
    // The receiver of this body waits for a gate that opens too late.
    let Pair { client, server, .. } = impatient_pair().await;
    let gate = Gate::default();
    let sink = Sink::held_at(0, &gate);
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let (sent, received) = within(async {
        tokio::join!(
            async {
                let source = MemorySource::shared(&bytes);
                let sent = client.send_file(&sending, source, 1, 0, 64 << 20).await;
                gate.open();
                sent
            },
            server.receive_file(&receiving, sink.staged(), 1, Some(64 << 20)),
        )
    })
    .await;
    assert!(matches!(sent, Err(Error::Timeout(_))), "{sent:?}");
    assert!(client.is_closed());
    assert!(received.is_err());

    // Nobody sends this body.
    let Pair { client, server, .. } = impatient_pair().await;
    let (transfer, sink) = (Transfer::new(), Sink::new());
    let received = within(server.receive_file(&transfer, sink.staged(), 1, Some(5))).await;
    let received = received.map(|_| ());
    assert!(matches!(received, Err(Error::Timeout(_))), "{received:?}");
    assert!(server.is_closed() && sink.is_dropped());
    drop(client);

    // The same for streams.
    let Pair { client, server, .. } = impatient_pair().await;
    let read = within(server.body_reader(1).read(10)).await;
    assert!(matches!(read, Err(Error::Timeout(_))), "{read:?}");
    assert!(server.is_closed());
    drop(client);
    let Pair { client, server, .. } = impatient_pair().await;
    let mut writer = client.body_writer(1);
    let written = within(writer.write(&bytes)).await;
    assert!(matches!(written, Err(Error::Timeout(_))), "{written:?}");
    assert!(client.is_closed());
    drop(server);
}
