//! Bytes from somebody who does not speak the protocol, or stops in the middle.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::handshake::{ClientSettings, start_client};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::common::files::content;
use crate::common::raw::{HalfOpen, read_to_end};
use crate::common::{impatient_server, listen, until, within};
use crate::{assert_nobody, assert_serves, refusal};

/// A genuine first message.
fn hello() -> Vec<u8> {
    start_client(ClientSettings::default(), &mut OsRandom::new()).unwrap().1
}

/// What strangers say. Those that end too early are told so after the handshake's time.
fn nonsense() -> Vec<(&'static str, Vec<u8>)> {
    let changed = |offset: usize, value: u8| {
        let mut hello = hello();
        hello[offset] = value;
        hello
    };
    vec![
        ("noise", content(5000, "noise")),
        ("zeros", vec![0; 2000]),
        ("ones", vec![0xff; 2000]),
        ("web", b"GET / HTTP/1.1\r\nHost: example\r\n\r\n".to_vec()),
        ("shell", b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        ("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("too long by one", vec![0x51, 0, 0x10, 0x01]),
        ("as long as can be said", vec![0x51, 0xff, 0xff, 0xff]),
        ("empty", vec![0x51, 0, 0, 0]),
        ("one byte", vec![0x51, 0, 0, 1, 1]),
        ("shorter than a hello", [&[0x51, 0, 5, 0xff][..], &content(1535, "short")].concat()),
        ("longer than a hello", [&[0x51, 0, 6, 1][..], &content(1537, "long")].concat()),
        ("protected", vec![0x52; 1540]),
        ("protected, short", vec![0x52, 0, 0, 23]),
        ("a refusal", refusal()),
        ("unknown kind", changed(0, 0x54)),
        ("protected hello", changed(0, 0x52)),
        ("another message", changed(4, 3)),
        ("another version", changed(5, 2)),
        ("unknown flag", changed(6, 4)),
        ("to join nothing", changed(6, 2)),
        ("no signatures", changed(7, 0)),
        ("no suites", changed(9, 0)),
        ("unknown preference", changed(10, 3)),
        ("reserved", changed(11, 1)),
        ("reserved at the end", changed(1539, 1)),
        ("header only", hello()[..4].to_vec()),
        ("half a hello", hello()[..700].to_vec()),
        ("nothing", Vec::new()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_answered_with_the_one_refusal() {
    let listener = listen(impatient_server());
    let cases = nonsense();
    let count = cases.len() as u64;
    for (what, bytes) in cases {
        let mut stream = within(TcpStream::connect(listener.address())).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        assert_eq!(read_to_end(&mut stream).await, refusal(), "{what}");
    }
    until("all are counted", || listener.stats().failed == count).await;
    until("all places are free", || listener.stats().open == 0).await;
    assert_nobody(&listener).await;
    assert_serves(&listener).await;
}

/// Who is refused while it still talks may finish the sentence: a reset would take the refusal
/// with it, where the peer is far away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_peer_may_talk_on_for_a_moment() {
    let listener = listen(impatient_server());
    let mut stream = within(TcpStream::connect(listener.address())).await.unwrap();
    stream.write_all(b"what?").await.unwrap();
    stream.readable().await.unwrap();
    for _ in 0..100 {
        within(stream.write_all(&[b'!'; 10_000])).await.unwrap();
    }
    assert_eq!(read_to_end(&mut stream).await, refusal());
    // But not for ever.
    let end = async { while stream.write_all(&[b'!'; 10_000]).await.is_ok() {} };
    within(end).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_in_the_middle_of_a_message() {
    let mut limits = impatient_server();
    limits.handshake_timeout = Duration::from_secs(20);
    limits.proof_timeout = Duration::from_secs(20);
    let listener = listen(limits);
    let mut count = 0;
    // The first message, then the last one; the stream ends politely or the socket is closed.
    for cut in [0, 1, 3, 4, 5, 44, 1260, 1539] {
        for is_polite in [true, false] {
            let mut stream = within(TcpStream::connect(listener.address())).await.unwrap();
            stream.write_all(&hello()[..cut]).await.unwrap();
            if is_polite {
                stream.shutdown().await.unwrap();
                assert_eq!(read_to_end(&mut stream).await, refusal(), "{cut}");
            }
            count += 1;
        }
    }
    for cut in [0, 1, 3, 4, 5, 12, 500, 1043] {
        for is_polite in [true, false] {
            let half_open = HalfOpen::new(listener.address(), OsRandom::new()).await;
            let (mut stream, m5, _) = half_open.m5();
            stream.write_all(&m5[..cut]).await.unwrap();
            if is_polite {
                stream.shutdown().await.unwrap();
                assert_eq!(read_to_end(&mut stream).await, refusal(), "{cut}");
            }
            count += 1;
        }
    }
    until("all are counted", || listener.stats().failed == count).await;
    until("all places are free", || listener.stats().open == 0).await;
    assert_nobody(&listener).await;
    assert_serves(&listener).await;
}

/// Bytes keep coming, but never enough: what counts is the time of the whole handshake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_that_is_slow() {
    let listener = listen(impatient_server());
    let slow = async |bytes: Vec<u8>, mut stream: TcpStream| {
        let (mut from, mut into) = stream.split();
        let (sent, all) = (AtomicUsize::new(0), bytes.len());
        let trickle = async {
            for byte in bytes {
                // The server may have hung up; the answer tells.
                if into.write_all(&[byte]).await.is_err() {
                    break;
                }
                sent.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            std::future::pending::<()>().await;
        };
        let mut answer = Vec::new();
        let reading = async {
            use tokio::io::AsyncReadExt;
            from.read_to_end(&mut answer).await
        };
        tokio::select! {
            () = trickle => unreachable!("never ends"),
            read = within(reading) => { read.unwrap(); }
        }
        assert_eq!(answer, refusal());
        assert!(sent.into_inner() < all, "it was not waited for");
    };
    let address = listener.address();
    let mut strangers = tokio::task::JoinSet::new();
    for index in 0..20 {
        strangers.spawn(async move {
            if index % 2 == 0 {
                slow(hello(), TcpStream::connect(address).await.unwrap()).await;
            } else {
                let half_open = HalfOpen::new(address, OsRandom::new()).await;
                let (stream, m5, _) = half_open.m5();
                slow(m5, stream).await;
            }
        });
    }
    // Others are served meanwhile.
    until("all strangers are here", || listener.stats().accepted >= 20).await;
    for _ in 0..3 {
        assert_serves(&listener).await;
    }
    while let Some(ended) = within(strangers.join_next()).await {
        ended.unwrap();
    }
    assert_nobody(&listener).await;
}
