//! Bodies that arrive: every length around the sizes of records and batches, all ways of sending
//! and receiving, and what stands right behind a body.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::files::{Gate, MemorySource, Sink, content};
use common::{NO_LIMIT, Pair, check_usable, dial_in, listen, move_body, next, pair, root};
use common::{say, until, within};
use e2eeftp_core::transfer::Reason;
use e2eeftp_net::{BodyResult, Error, Phase, ServerLimits, Session, Transfer};
use e2eeftp_vfs::{CommitOptions, StageOptions, local};
use tokio::task::JoinSet;

/// Around a record of 128 KiB, two of them, a batch of eight, and more than one batch.
const SIZES: [usize; 15] = [
    0,
    1,
    2,
    3,
    131_071,
    131_072,
    131_073,
    262_143,
    262_144,
    262_145,
    (1 << 20) - 1,
    1 << 20,
    (1 << 20) + 1,
    (2 << 20) + 131_073,
    (8 << 20) + 7,
];

/// For the ways that are not the fast one.
const FEW_SIZES: [usize; 8] = [0, 1, 16_384, 16_385, 131_072, 131_073, 262_145, (1 << 20) + 1];

fn assert_both(sent: BodyResult, received: BodyResult, bytes: &[u8]) {
    assert_eq!(sent, received);
    assert_eq!((sent.bytes, sent.root), (bytes.len() as u64, root(bytes)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_every_length_arrive_on_disk() {
    let pair = pair().await;
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    for (index, len) in SIZES.into_iter().enumerate() {
        let stream = u32::try_from(index).unwrap() + 1;
        // Once each way, with and without an announced length.
        let ways = [(&pair.client, &pair.server, true), (&pair.server, &pair.client, false)];
        for (sender, receiver, is_announced) in ways {
            let bytes = content(len, "on disk");
            std::fs::write(&from, &bytes).unwrap();
            let source = Arc::from(local::open_source(&from).unwrap());
            let staged = local::stage(&to, &StageOptions::default()).unwrap();
            let expected_len = is_announced.then_some(len as u64);
            let (sending, receiving) = (Transfer::new(), Transfer::new());
            let (sent, received) = within(async {
                tokio::join!(
                    sender.send_file(&sending, source, stream, 0, len as u64),
                    receiver.receive_file(&receiving, staged, stream, expected_len),
                )
            })
            .await;
            let (received, staged) = received.unwrap();
            assert_both(sent.unwrap(), received, &bytes);
            assert_eq!(staged.written_to(), len as u64);
            staged.commit(&CommitOptions::default()).unwrap();
            assert_eq!(std::fs::read(&to).unwrap(), bytes, "{len}");
            say(sender, receiver, b"sent").await;
            say(receiver, sender, b"received").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_a_file_is_a_body_too() {
    let Pair { client, server, .. } = pair().await;
    let bytes = content(400_000, "ranges");
    let len = bytes.len();
    let ranges = [0..0, 0..1, 1..2, len - 1..len, len..len, 7..131_079, 131_071..262_145, 3..len];
    for (stream, range) in (1..).zip(ranges) {
        let (sink, sending, receiving) = (Sink::new(), Transfer::new(), Transfer::new());
        let (offset, count) = (range.start as u64, range.len() as u64);
        let (sent, received) = within(async {
            tokio::join!(
                client.send_file(&sending, MemorySource::shared(&bytes), stream, offset, count),
                server.receive_file(&receiving, sink.staged(), stream, Some(count)),
            )
        })
        .await;
        assert_both(sent.unwrap(), received.unwrap().0, &bytes[range.clone()]);
        assert_eq!(sink.bytes(), bytes[range]);
    }
    check_usable(&client, &server).await;
}

/// Feeds a body in pieces of `piece_len`.
async fn write_all(session: &Session, stream: u32, bytes: &[u8], piece_len: usize) -> BodyResult {
    let mut writer = session.body_writer(stream);
    for piece in bytes.chunks(piece_len) {
        writer.write(piece).await.unwrap();
    }
    writer.finish().await.unwrap()
}

/// Takes a body in pieces of at most `piece_len`.
async fn read_all(session: &Session, stream: u32, piece_len: usize) -> (BodyResult, Vec<u8>) {
    let mut reader = session.body_reader(stream);
    let mut bytes = Vec::new();
    while let Some(piece) = reader.read(piece_len).await.unwrap() {
        assert!((1..=piece_len).contains(&piece.len()));
        assert_eq!(reader.result(), None, "nothing is verified before the end");
        bytes.extend_from_slice(&piece);
    }
    assert!(reader.read(piece_len).await.unwrap().is_none(), "the end stays the end");
    (reader.result().unwrap(), bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_feeds_a_file() {
    let Pair { client, server, .. } = pair().await;
    let mut stream = 0;
    for len in FEW_SIZES {
        for (piece_len, is_announced) in [(16_384, true), (131_072, false), (300_000, true)] {
            stream += 1;
            let (bytes, sink) = (content(len, "writer"), Sink::new());
            let expected_len = is_announced.then_some(len as u64);
            let transfer = Transfer::new();
            let (sent, received) = within(async {
                tokio::join!(
                    write_all(&client, stream, &bytes, piece_len),
                    server.receive_file(&transfer, sink.staged(), stream, expected_len),
                )
            })
            .await;
            assert_both(sent, received.unwrap().0, &bytes);
            assert_eq!(sink.bytes(), bytes, "{len} in pieces of {piece_len}");
            say(&server, &client, b"received").await;
        }
    }
    check_usable(&client, &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_feeds_a_reader() {
    let Pair { client, server, .. } = pair().await;
    let mut stream = 0;
    for len in FEW_SIZES {
        for piece_len in [1_000, 131_072, 1 << 20] {
            stream += 1;
            let bytes = content(len, "reader");
            let (source, transfer) = (MemorySource::shared(&bytes), Transfer::new());
            let (sent, (received, read)) = within(async {
                tokio::join!(
                    server.send_file(&transfer, source, stream, 0, len as u64),
                    read_all(&client, stream, piece_len),
                )
            })
            .await;
            assert_both(sent.unwrap(), received, &bytes);
            assert_eq!(read, bytes, "{len} in pieces of {piece_len}");
            say(&client, &server, b"received").await;
        }
    }
    check_usable(&client, &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_feeds_a_reader() {
    let Pair { client, server, .. } = pair().await;
    for (stream, len) in (1..).zip(FEW_SIZES) {
        let bytes = content(len, "streams");
        let (sent, (received, read)) = within(async {
            tokio::join!(
                write_all(&client, stream, &bytes, 50_000),
                read_all(&server, stream, 7_777)
            )
        })
        .await;
        assert_both(sent, received, &bytes);
        assert_eq!(read, bytes);
    }
    let (sent, (received, read)) = within(async {
        tokio::join!(write_all(&server, 99, &[1, 2, 3], 1), read_all(&client, 99, 1))
    })
    .await;
    assert_both(sent, received, &[1, 2, 3]);
    assert_eq!(read, [1, 2, 3]);
    check_usable(&client, &server).await;
}

/// A pump gathers the content of a limited number of records for one write; more of them may
/// already have been received.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_records_do_not_wait_for_one_another() {
    for expected_len in [None, Some(500)] {
        let Pair { client, server, .. } = pair().await;
        let bytes = content(500, "small records");
        let sent = within(write_all(&client, 1, &bytes, 1)).await;
        client.close(Reason::Done).await;
        // All of it is here, and nothing more will come: a wait for more would fail.
        let (sink, transfer) = (Sink::new(), Transfer::new());
        let receiving = server.receive_file(&transfer, sink.staged(), 1, expected_len);
        let (received, _) = within(receiving).await.unwrap();
        assert_both(sent, received, &bytes);
        assert_eq!(sink.bytes(), bytes);
        assert!(within(server.next_control(NO_LIMIT)).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_tells_what_has_moved() {
    let Pair { client, server, .. } = pair().await;
    let bytes = content((4 << 20) + 5, "progress");
    let len = bytes.len() as u64;
    let (held, gate) = (2 << 20, Gate::default());
    let source = MemorySource::held_at(&bytes, held, &gate);
    let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
    for transfer in [&sending, &receiving] {
        let before = transfer.progress();
        assert_eq!((before.transferred, before.total, before.phase), (0, None, Phase::Waiting));
    }
    let send = client.send_file(&sending, source, 1, 0, len);
    let receive = server.receive_file(&receiving, sink.staged(), 1, Some(len));
    let watch = async {
        gate.reached().await;
        let held_up = sending.progress();
        assert_eq!((held_up.transferred, held_up.total), (held, Some(len)));
        assert_eq!(held_up.phase, Phase::Moving);
        // What has been sent arrives, though not the whole batch has been filled.
        until("the receiver has what was sent", || receiving.progress().transferred == held).await;
        let held_up = receiving.progress();
        assert_eq!((held_up.total, held_up.phase), (Some(len), Phase::Moving));
        gate.open();
    };
    let (sent, received, ()) = within(async { tokio::join!(send, receive, watch) }).await;
    assert_both(sent.unwrap(), received.unwrap().0, &bytes);
    for transfer in [&sending, &receiving] {
        let after = transfer.progress();
        assert_eq!((after.transferred, after.total, after.phase), (len, Some(len), Phase::Done));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_a_body_directly_is_kept() {
    let Pair { client, server, .. } = pair().await;
    for (stream, expected_len) in [(1, Some(70_000)), (3, None)] {
        let (one, other) = (content(70_000, "one"), content(70_000, "other"));
        // All of this waits at the receiver before it takes the first byte.
        let transfer = Transfer::new();
        within(client.send_file(&transfer, MemorySource::shared(&one), stream, 0, 70_000))
            .await
            .unwrap();
        within(client.send_control(b"between")).await.unwrap();
        within(write_all(&client, stream + 1, &other, 70_000)).await;
        within(client.send_control(b"after")).await.unwrap();
        within(client.send_control(b"at last")).await.unwrap();

        let sink = Sink::new();
        let transfer = Transfer::new();
        let receiving = server.receive_file(&transfer, sink.staged(), stream, expected_len);
        within(receiving).await.unwrap();
        assert_eq!(sink.bytes(), one);
        let between = within(server.next_control(NO_LIMIT)).await.unwrap();
        assert_eq!(between.as_deref(), Some(&b"between"[..]));
        let (_, read) = within(read_all(&server, stream + 1, 1 << 20)).await;
        assert_eq!(read, other);
        for expected in [&b"after"[..], b"at last"] {
            let message = within(server.next_control(NO_LIMIT)).await.unwrap();
            assert_eq!(message.as_deref(), Some(expected));
        }
    }
    check_usable(&server, &client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_in_turn_from_both_sides() {
    let pair = pair().await;
    for round in 0..50_u32 {
        let (from, to) = if round % 2 == 0 {
            (&pair.client, &pair.server)
        } else {
            (&pair.server, &pair.client)
        };
        let bytes = content(1_000 * round as usize, "in turn");
        let sink = Sink::new();
        let (sent, received) = move_body(from, to, &bytes, &sink, round).await;
        assert_both(sent.unwrap(), received.unwrap(), &bytes);
        assert_eq!(sink.bytes(), bytes);
    }
    pair.check_usable().await;
}

/// More pumps than large buffers, and bodies that stand right behind one another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_sessions_at_once() {
    const SESSIONS: usize = 200;
    let listener = listen(ServerLimits::default());
    let mut sessions = JoinSet::new();
    for index in 0..SESSIONS {
        let client = dial_in(listener.address()).await.unwrap();
        let server = next(&listener).await.accept();
        sessions.spawn(async move {
            let bytes = content(300_000 + index, "many");
            let len = bytes.len() as u64;
            let send = async {
                for stream in 1..=3 {
                    let source = MemorySource::shared(&bytes);
                    client.send_file(&Transfer::new(), source, stream, 0, len).await?;
                }
                Ok::<_, Error>(())
            };
            let receive = async {
                for stream in 1..=3 {
                    let sink = Sink::new();
                    server.receive_file(&Transfer::new(), sink.staged(), stream, None).await?;
                    assert!(sink.bytes() == bytes, "session {index}, body {stream}");
                }
                Ok::<_, Error>(())
            };
            let (sent, received) = tokio::join!(send, receive);
            sent.unwrap();
            received.unwrap();
            say(&server, &client, b"done").await;
        });
    }
    within(async {
        while let Some(done) = sessions.join_next().await {
            done.unwrap();
        }
    })
    .await;
    assert_eq!(listener.stats().accepted, SESSIONS as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ends_know_the_same_session() {
    let Pair { client, server, listener } = pair().await;
    assert_eq!(client.session_id(), server.session_id());
    assert_eq!(client.address(), listener.address());
    let (mut one, mut other, mut third) = ([0; 48], [0; 48], [0; 48]);
    client.export("label", b"context", &mut one).unwrap();
    server.export("label", b"context", &mut other).unwrap();
    server.export("label", b"other context", &mut third).unwrap();
    assert_eq!(one, other);
    assert_ne!(one, third);
    let mut too_long = vec![0; 1 << 20];
    assert!(matches!(client.export("label", b"", &mut too_long), Err(Error::Core(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_beyond_the_limit_wait_for_their_turn() {
    let mut limits = ServerLimits::default();
    limits.max_transfers = 1;
    let listener = listen(limits);
    let (mut clients, mut servers) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        clients.push(dial_in(listener.address()).await.unwrap());
        servers.push(next(&listener).await.accept());
    }
    let bytes = content(100_000, "turns");
    let gate = Gate::default();
    let sinks = [Sink::held_at(0, &gate), Sink::new()];
    let (first, second) = (Transfer::new(), Transfer::new());
    let send = async {
        for client in &clients {
            let transfer = Transfer::new();
            client.send_file(&transfer, MemorySource::shared(&bytes), 1, 0, 100_000).await.unwrap();
        }
    };
    let one = servers[0].receive_file(&first, sinks[0].staged(), 1, Some(100_000));
    let other = async {
        gate.reached().await;
        tokio::join!(servers[1].receive_file(&second, sinks[1].staged(), 1, Some(100_000)), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(second.progress().phase, Phase::Waiting);
            gate.open();
        })
    };
    let ((), one, (other, ())) = within(async { tokio::join!(send, one, other) }).await;
    one.unwrap();
    other.unwrap();
    assert!(sinks.iter().all(|sink| sink.bytes() == bytes));
}
