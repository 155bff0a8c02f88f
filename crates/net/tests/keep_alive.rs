//! Bodies whose source is silent: the receiver is told that the sender is still there, and what the
//! sender hears meanwhile is not lost.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

mod common;

use std::time::Duration;

use common::files::{Sink, content};
use common::{Pair, SHORT, check_usable, pair_with, root, say, within};
use e2eeftp_core::transfer::Reason;
use e2eeftp_net::{BodyWriter, ClientLimits, Error, ServerLimits, Transfer};

/// What the server waits for a byte; long enough for a busy machine to give a sign in time.
const STALL: Duration = Duration::from_secs(1);
/// Pause between two signs.
const PAUSE: Duration = Duration::from_millis(50);

/// A pair whose client says that it is there whenever it is asked to. The server gives up after
/// [`STALL`] without a byte.
async fn talkative_pair() -> Pair {
    let (mut server, mut client) = (ServerLimits::default(), ClientLimits::default());
    server.stall_timeout = STALL;
    client.keep_alive = Duration::ZERO;
    pair_with(server, client).await
}

/// Keeps the body alive for longer than the receiver waits for a byte.
async fn stay_silent(writer: &mut BodyWriter) {
    for _ in 0..30 {
        tokio::time::sleep(PAUSE).await;
        assert!(within(writer.keep_alive()).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_may_be_silent_for_longer_than_the_receiver_waits() {
    let Pair { client, server, .. } = talkative_pair().await;
    let bytes = content(3_000, "silent");
    // To a pump, which writes a file, and to a reader: both wait for the same signs.
    for stream in [1, 2] {
        let send = async {
            let mut writer = client.body_writer(stream);
            for piece in bytes.chunks(1_500) {
                writer.write(piece).await.unwrap();
                stay_silent(&mut writer).await;
            }
            writer.finish().await.unwrap()
        };
        let receive = async {
            if stream == 1 {
                let (sink, transfer) = (Sink::new(), Transfer::new());
                let received = server.receive_file(&transfer, sink.staged(), stream, None).await;
                return (received.unwrap().0, sink.bytes());
            }
            let (mut reader, mut received) = (server.body_reader(stream), Vec::new());
            while let Some(piece) = reader.read(usize::MAX).await.unwrap() {
                assert!(!piece.is_empty(), "a sign of life is no piece");
                received.extend_from_slice(&piece);
            }
            (reader.result().unwrap(), received)
        };
        let (sent, (result, received)) = within(async { tokio::join!(send, receive) }).await;
        assert_eq!((sent, received), (result, bytes.clone()));
        assert_eq!(
            (sent.bytes, sent.root),
            (3_000, root(&bytes)),
            "signs of life count for nothing"
        );
        say(&server, &client, b"received").await;
    }
    check_usable(&client, &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_sign_of_life_the_receiver_gives_up() {
    let mut limits = ServerLimits::default();
    limits.stall_timeout = SHORT;
    let Pair { client, server, .. } = pair_with(limits, ClientLimits::default()).await;
    let mut writer = client.body_writer(1);
    writer.write(b"some").await.unwrap();
    assert_eq!(writer.keep_alive_interval(), Duration::from_secs(10));
    assert!(within(writer.keep_alive()).await.unwrap(), "none is due yet");
    let (sink, transfer) = (Sink::new(), Transfer::new());
    let received = within(server.receive_file(&transfer, sink.staged(), 1, None)).await;
    assert!(matches!(received, Err(Error::Timeout(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_a_sign_of_life_hears_is_told_to_the_next_call() {
    let Pair { client, server, .. } = talkative_pair().await;
    for (stream, next) in [(1, "write"), (2, "finish"), (3, "abort")] {
        let mut writer = client.body_writer(stream);
        writer.write(b"some").await.unwrap();
        let mut reader = server.body_reader(stream);
        assert_eq!(within(reader.read(100)).await.unwrap().unwrap(), b"some");
        let stop = async { reader.stop(Reason::NoSpace).await.unwrap() };
        let hear = async {
            loop {
                match writer.keep_alive().await {
                    Ok(is_open) => assert!(is_open, "the stop was not told"),
                    Err(error) => break error,
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let ((), heard) = within(async { tokio::join!(stop, hear) }).await;
        assert!(matches!(heard, Error::PeerStopped(Reason::NoSpace)), "{heard:?}");
        assert!(!within(writer.keep_alive()).await.unwrap(), "the body is over");
        let told = match next {
            "write" => writer.write(b"more").await,
            "finish" => writer.finish().await.map(drop),
            // Giving up what is over already is no failure.
            _ => {
                writer.abort(Reason::Cancelled).await.and(Err(Error::PeerStopped(Reason::NoSpace)))
            }
        };
        assert!(matches!(told, Err(Error::PeerStopped(Reason::NoSpace))), "{next}: {told:?}");
        if next != "abort" {
            assert!(matches!(writer.write(b"more").await, Err(Error::Closed)), "told once");
        }
        say(&client, &server, b"in step").await;
    }
    check_usable(&client, &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_needs_no_sign_of_life() {
    let Pair { client, server, .. } = talkative_pair().await;
    let mut writer = client.body_writer(1);
    writer.write(b"all").await.unwrap();
    writer.finish().await.unwrap();
    assert!(!within(writer.keep_alive()).await.unwrap());
    let mut reader = server.body_reader(1);
    assert_eq!(within(reader.read(100)).await.unwrap().unwrap(), b"all");
    assert!(within(reader.read(100)).await.unwrap().is_none());
    // A connection that is gone is told to the calls that need it, not to this one.
    let mut writer = client.body_writer(2);
    client.destroy();
    assert!(!within(writer.keep_alive()).await.unwrap());
}
