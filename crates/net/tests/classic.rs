//! The wire format of the original Python e2eeftp over real sockets, with peers that misbehave.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

mod common;

use std::io::ErrorKind as IoErrorKind;
use std::sync::Arc;
use std::time::Duration;

use common::files::{MemorySource, Sink, content};
use common::{HANG, SHORT, identity, loopback, root, until, within};
use e2eeftp_core::classic::{
    BLOCK_LEN, ClientStart, HELLO_MESSAGE_LEN, PieceKeys, PieceSealer, sealed_len,
};
use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::identity::IdentityKey;
use e2eeftp_net::classic::{Connection, Incoming, Line, Listener, MAX_LINE_LEN, connect};
use e2eeftp_net::{ClientLimits, Error, Network, ServerLimits, Transfer};
use e2eeftp_vfs::{ErrorKind, Metadata, Source};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn listen(limits: ServerLimits) -> Listener {
    Listener::bind(loopback(), limits).unwrap()
}

async fn next(listener: &Listener) -> Incoming {
    within(listener.next()).await.expect("the listener is open")
}

/// A client by hand, and the server's end of its connection.
async fn raw_pair(listener: &Listener) -> (TcpStream, PieceKeys, Connection) {
    let mut stream = TcpStream::connect(listener.address()).await.unwrap();
    let (start, hello) = ClientStart::new(&identity(), &mut OsRandom::new()).unwrap();
    stream.write_all(&hello).await.unwrap();
    let server = within(next(listener).await.accept(&identity())).await.unwrap();
    let mut reply = [0; HELLO_MESSAGE_LEN];
    within(stream.read_exact(&mut reply)).await.unwrap();
    (stream, start.handle(&reply).unwrap().keys, server)
}

/// Both ends, ours.
async fn pair(listener: &Listener) -> (Connection, Connection) {
    let (client_key, server_key): (IdentityKey, IdentityKey) = (identity(), identity());
    let port = listener.address().port();
    let connecting = connect("127.0.0.1", port, &client_key, ClientLimits::default());
    let accepting = async {
        let incoming = next(listener).await;
        assert_eq!(incoming.client_key(), client_key.public_key());
        incoming.accept(&server_key).await.unwrap()
    };
    let (connected, server) = within(async { tokio::join!(connecting, accepting) }).await;
    let (client, shown) = connected.unwrap();
    assert_eq!(&shown, server_key.public_key());
    (client, server)
}

fn seal(keys: PieceKeys, plain: &[u8]) -> Vec<u8> {
    let (mut sealer, iv) = PieceSealer::new(keys, &mut OsRandom::new()).unwrap();
    let whole = plain.len() / BLOCK_LEN * BLOCK_LEN;
    let mut blocks = plain[..whole].to_vec();
    sealer.seal(&mut blocks).unwrap();
    [&iv[..], &blocks, &sealer.finish(&plain[whole..]).unwrap()].concat()
}

/// All that comes until the peer ends its side; nothing more when it resets.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match within(stream.read_to_end(&mut bytes)).await {
        Err(error) if error.kind() != IoErrorKind::ConnectionReset => panic!("{error}"),
        _ => bytes,
    }
}

fn text(line: &str) -> Line {
    Line::Text(line.as_bytes().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_length_near_a_border_arrive_whole_both_ways() {
    let listener = listen(ServerLimits::default());
    let part = 256 * 1024;
    for len in [0, 1, 15, 16, 17, 4095, part - 1, part, part + 1, 3 * part + 5] {
        let bytes = content(len, "classic");
        let len = u64::try_from(len).unwrap();
        for upload in [true, false] {
            let (client, server) = pair(&listener).await;
            let (from, to) = if upload { (&client, &server) } else { (&server, &client) };
            let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
            let head = b"SEND|name|1\n".to_vec();
            let send = from.send_piece(&sending, MemorySource::shared(&bytes), head, upload);
            let receive = async {
                assert_eq!(to.read_line(HANG).await.unwrap(), text("SEND|name|1"));
                let sealed = sealed_len(len).unwrap();
                to.receive_piece(&receiving, sink.staged(), sealed).await
            };
            let (sent, received) = within(async { tokio::join!(send, receive) }).await;
            let (sent, (received, _staged)) = (sent.unwrap().unwrap(), received.unwrap());
            assert_eq!(sink.bytes(), bytes);
            assert_eq!((sent.bytes, sent.root), (len, root(&bytes)));
            assert_eq!(received, sent);
            assert_eq!(receiving.progress().transferred, len);
            let answer = to.answer(b"226|Transfer Complete\n");
            let hear = async {
                assert_eq!(from.read_line(HANG).await.unwrap(), text("226|Transfer Complete"));
                assert_eq!(from.read_line(HANG).await.unwrap(), Line::End);
                from.close();
            };
            within(async { tokio::join!(answer, hear) }).await.0.unwrap();
            assert!(to.is_closed());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_one_piece() {
    let listener = listen(ServerLimits::default());
    let (client, server) = pair(&listener).await;
    let source = || MemorySource::shared(b"once");
    within(client.send_piece(&Transfer::new(), source(), Vec::new(), false)).await.unwrap();
    let (_, _staged) =
        within(server.receive_piece(&Transfer::new(), Sink::new().staged(), 64)).await.unwrap();
    let again = within(client.send_piece(&Transfer::new(), source(), Vec::new(), false)).await;
    assert!(matches!(again, Err(Error::Closed)), "the keys are used up: {again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_end_with_a_newline_or_with_the_stream() {
    let listener = listen(ServerLimits::default());
    let long = "x".repeat(MAX_LINE_LEN);
    let cases: [(&[u8], &[Line]); 6] = [
        (b"", &[Line::End]),
        (b"LIST", &[text("LIST"), Line::End]),
        (b"LIST\r\nmore\n\n", &[text("LIST\r"), text("more"), text(""), Line::End]),
        (b"\n", &[text(""), Line::End]),
        (long.as_bytes(), &[text(&long)]),
        (&[b'y'; 3 * MAX_LINE_LEN], &[Line::TooLong]),
    ];
    for (bytes, lines) in cases {
        let (mut client, _, server) = raw_pair(&listener).await;
        // In two halves, to be put together.
        let (one, other) = bytes.split_at(bytes.len() / 2);
        client.write_all(one).await.unwrap();
        tokio::task::yield_now().await;
        client.write_all(other).await.unwrap();
        client.shutdown().await.unwrap();
        for line in lines {
            assert_eq!(&within(server.read_line(HANG)).await.unwrap(), line);
        }
    }
    for (len, is_too_long) in [(MAX_LINE_LEN, false), (MAX_LINE_LEN + 1, true)] {
        let (mut client, _, server) = raw_pair(&listener).await;
        client.write_all(&[&vec![b'z'; len][..], b"\n"].concat()).await.unwrap();
        let line = within(server.read_line(HANG)).await.unwrap();
        assert_eq!(line == Line::TooLong, is_too_long, "{len}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_client_gets_a_close_and_not_a_byte() {
    let listener = listen(ServerLimits::default());
    let mut stream = TcpStream::connect(listener.address()).await.unwrap();
    let (_, hello) = ClientStart::new(&identity(), &mut OsRandom::new()).unwrap();
    stream.write_all(&hello).await.unwrap();
    drop(next(&listener).await);
    assert_eq!(rest(&mut stream).await, b"");

    let port = listener.address().port();
    let key = identity();
    let connecting = connect("127.0.0.1", port, &key, ClientLimits::default());
    let refusing = async { drop(next(&listener).await) };
    let (connected, ()) = within(async { tokio::join!(connecting, refusing) }).await;
    assert!(matches!(connected, Err(Error::Refused)), "{connected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_hello_gets_a_close_and_not_a_byte() {
    let listener = listen(ServerLimits::default());
    let (_, good) = ClientStart::new(&identity(), &mut OsRandom::new()).unwrap();
    let with_prefix = |prefix: [u8; 4]| [&prefix[..], &good[4..]].concat();
    let mut forged = good.to_vec();
    forged[HELLO_MESSAGE_LEN - 40] ^= 1;
    let mut weak = good.to_vec();
    weak[4..36].fill(0);
    let cases = [
        with_prefix([0, 0, 0, 127]),
        with_prefix([0, 0, 0, 129]),
        with_prefix([0xff; 4]),
        with_prefix([128, 0, 0, 0]),
        forged,
        weak,
        b"GET / HTTP/1.1\r\nHost: example\r\n\r\n".to_vec(),
    ];
    for bytes in cases {
        let mut stream = TcpStream::connect(listener.address()).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        assert_eq!(rest(&mut stream).await, b"", "{bytes:02x?}");
    }
    // None of them got as far as the caller, and the next one does.
    drop(raw_pair(&listener).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_half_a_hello_are_given_up() {
    let mut limits = ServerLimits::default();
    limits.handshake_timeout = SHORT;
    let listener = listen(limits);
    for sent in [0, 3, 131] {
        let mut stream = TcpStream::connect(listener.address()).await.unwrap();
        let mut hello = vec![0; sent];
        if let Some(last) = hello.get_mut(3) {
            *last = 128;
        }
        stream.write_all(&hello).await.unwrap();
        assert_eq!(rest(&mut stream).await, b"");
    }
    let (_client, _, server) = raw_pair(&listener).await;
    let line = within(server.read_line(SHORT)).await;
    assert!(matches!(line, Err(Error::Timeout(_))), "{line:?}");
    assert!(server.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_over_the_limit_are_closed_and_their_places_come_back() {
    let mut limits = ServerLimits::default();
    limits.max_connections = 2;
    let listener = listen(limits);
    let first = raw_pair(&listener).await;
    let _second = raw_pair(&listener).await;
    let mut third = TcpStream::connect(listener.address()).await.unwrap();
    assert_eq!(rest(&mut third).await, b"");
    first.2.close();
    let mut place_is_back = false;
    for _ in 0..1000 {
        let mut stream = TcpStream::connect(listener.address()).await.unwrap();
        let (_, hello) = ClientStart::new(&identity(), &mut OsRandom::new()).unwrap();
        // A server that has closed already may reset.
        let _ = stream.write_all(&hello).await;
        tokio::select! {
            incoming = listener.next() => {
                drop(incoming);
                place_is_back = true;
                break;
            }
            _ = rest(&mut stream) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    assert!(place_is_back);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_set_of_limits_counts_beside_the_listener_of_another_protocol() {
    let mut limits = ServerLimits::default();
    limits.max_connections = 1;
    let own =
        e2eeftp_net::Listener::bind(loopback(), Arc::new(identity()), limits.clone()).unwrap();
    let beside = Listener::bind_beside(&own, loopback()).unwrap();
    let old = raw_pair(&beside).await;
    assert_eq!(own.stats().open, 1);
    let mut over = TcpStream::connect(beside.address()).await.unwrap();
    assert_eq!(rest(&mut over).await, b"");
    // It is not even asked for its first byte.
    let busy = e2eeftp_net::connect("127.0.0.1", own.address().port(), ClientLimits::default());
    assert!(within(busy).await.is_err());
    old.2.close();
    until("the place comes back", || own.stats().open == 0).await;
    // Each is closed on its own.
    own.close();
    raw_pair(&beside).await;
    beside.close();
    assert!(within(beside.next()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_goes_on_only_from_one_of_the_networks() {
    let listener = listen(ServerLimits::default());
    let cases: [(&[&str], bool); 4] = [
        (&["192.0.2.0/24", "127.0.0.0/8"], true),
        (&["192.0.2.0/24"], false),
        (&["::/0"], false),
        (&[], false),
    ];
    for (networks, is_allowed) in cases {
        let mut stream = TcpStream::connect(listener.address()).await.unwrap();
        let (_, hello) = ClientStart::new(&identity(), &mut OsRandom::new()).unwrap();
        stream.write_all(&hello).await.unwrap();
        let networks: Vec<Network> = networks.iter().map(|text| text.parse().unwrap()).collect();
        let allowed = next(&listener).await.only_from(&networks);
        assert_eq!(allowed.is_some(), is_allowed, "{networks:?}");
        if allowed.is_none() {
            assert_eq!(rest(&mut stream).await, b"");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_piece_can_be_answered_and_leaves_nothing() {
    let listener = listen(ServerLimits::default());
    let len = sealed_len(300_000).unwrap();
    // In the iv, the ciphertext, the last block, the code.
    for at in [0, 100_000, len - 40, len - 1] {
        let (mut client, keys, server) = raw_pair(&listener).await;
        let mut piece = seal(keys, &content(300_000, "damaged"));
        piece[usize::try_from(at).unwrap()] ^= 1;
        client.write_all(&piece).await.unwrap();
        let sink = Sink::new();
        let received = within(server.receive_piece(&Transfer::new(), sink.staged(), len)).await;
        assert!(matches!(received, Err(Error::Core(e2eeftp_core::Error::Decrypt))), "at {at}");
        assert!(sink.is_dropped());
        let answering = async { server.answer(b"500|Decryption Failed\n").await.unwrap() };
        let hearing = async {
            assert_eq!(rest(&mut client).await, b"500|Decryption Failed\n");
            drop(client);
        };
        within(async { tokio::join!(answering, hearing) }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_is_cut_short_is_closed_without_a_byte() {
    let listener = listen(ServerLimits::default());
    let len = sealed_len(300_000).unwrap();
    for kept in [0, 5, 16, 100_000, len - 32, len - 1] {
        let (mut client, keys, server) = raw_pair(&listener).await;
        let piece = seal(keys, &content(300_000, "cut"));
        client.write_all(&piece[..usize::try_from(kept).unwrap()]).await.unwrap();
        client.shutdown().await.unwrap();
        let sink = Sink::new();
        let received = within(server.receive_piece(&Transfer::new(), sink.staged(), len)).await;
        assert!(matches!(received, Err(Error::ConnectionLost(_))), "{kept}");
        assert!(sink.is_dropped() && server.is_closed());
        assert_eq!(rest(&mut client).await, b"");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_stands_still_is_given_up() {
    let mut limits = ServerLimits::default();
    limits.stall_timeout = SHORT;
    let listener = listen(limits);
    let (mut client, _, server) = raw_pair(&listener).await;
    client.write_all(&[0; 100]).await.unwrap();
    let sink = Sink::new();
    let received = within(server.receive_piece(&Transfer::new(), sink.staged(), 1 << 30)).await;
    assert!(matches!(received, Err(Error::Timeout(_))));
    assert!(sink.is_dropped() && server.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_fails_can_be_answered_though_the_client_still_sends() {
    let listener = listen(ServerLimits::default());
    let (mut client, keys, server) = raw_pair(&listener).await;
    let bytes = content(8 << 20, "full");
    let len = sealed_len(8 << 20).unwrap();
    let client = tokio::spawn(async move {
        // As the Python client: all of it, then the answer.
        client.write_all(&seal(keys, &bytes)).await.unwrap();
        rest(&mut client).await
    });
    let sink = Sink::failing_at(300_000, ErrorKind::NoSpace);
    let received = within(server.receive_piece(&Transfer::new(), sink.staged(), len)).await;
    assert!(matches!(received, Err(Error::Vfs(_))));
    within(server.answer(b"500|Decryption Failed\n")).await.unwrap();
    assert_eq!(within(client).await.unwrap(), b"500|Decryption Failed\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_end_after_its_answer_is_cut_off() {
    let listener = listen(ServerLimits::default());
    let (mut client, _, server) = raw_pair(&listener).await;
    let sending = tokio::spawn(async move {
        let (piece, mut sent) = (vec![0; 1 << 20], 0_usize);
        while client.write_all(&piece).await.is_ok() {
            sent += piece.len();
        }
        sent
    });
    within(server.answer(b"400|Malformed request\n")).await.unwrap();
    assert!(server.is_closed());
    let sent = within(sending).await.unwrap();
    // What the kernel holds on both sides comes on top.
    assert!((60 << 20..128 << 20).contains(&sent), "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_hears_an_early_answer_and_stops() {
    let listener = listen(ServerLimits::default());
    let (client, server) = pair(&listener).await;
    let source = MemorySource::shared(&content(64 << 20, "early"));
    let transfer = Transfer::new();
    let answering = async {
        assert_eq!(server.read_line(HANG).await.unwrap(), text("SEND|x|1"));
        server.answer(b"400|Malformed request\n").await.unwrap();
    };
    let sending = async {
        let sent = client.send_piece(&transfer, source, b"SEND|x|1\n".to_vec(), true).await;
        assert!(sent.unwrap().is_none());
        assert_eq!(client.read_line(HANG).await.unwrap(), text("400|Malformed request"));
        client.close();
    };
    within(async { tokio::join!(answering, sending) }).await;
    assert!(transfer.progress().transferred < 64 << 20);
}

/// A file of which it turns out at the end that it has changed.
struct Changing(Arc<dyn Source>);

impl Source for Changing {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> e2eeftp_vfs::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn metadata(&self) -> &Metadata {
        self.0.metadata()
    }

    fn check_unchanged(&self) -> e2eeftp_vfs::Result<()> {
        Err(e2eeftp_vfs::Error::new(ErrorKind::SourceChanged, "read"))
    }

    fn advise_sequential(&self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_changes_never_gets_its_code() {
    let listener = listen(ServerLimits::default());
    let (client, server) = pair(&listener).await;
    let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
    let source = Arc::new(Changing(MemorySource::shared(&content(100_000, "old"))));
    let send = server.send_piece(&sending, source, b"200|1\n".to_vec(), false);
    let receive = async {
        assert_eq!(client.read_line(HANG).await.unwrap(), text("200|1"));
        let sealed = sealed_len(100_000).unwrap();
        client.receive_piece(&receiving, sink.staged(), sealed).await.map(drop)
    };
    let (sent, received) = within(async { tokio::join!(send, receive) }).await;
    assert!(matches!(sent, Err(Error::Vfs(_))), "{sent:?}");
    assert!(matches!(received, Err(Error::ConnectionLost(_))), "{received:?}");
    assert!(sink.is_dropped());
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_ends_whatever_waits() {
    let listener = listen(ServerLimits::default());
    let (_client, _, server) = raw_pair(&listener).await;
    let waiting = tokio::spawn({
        let server = server.clone();
        async move { server.read_line(HANG).await }
    });
    tokio::task::yield_now().await;
    server.close();
    assert!(matches!(within(waiting).await.unwrap(), Err(Error::Closed)));

    let (_client, _, server) = raw_pair(&listener).await;
    let (transfer, sink) = (Arc::new(Transfer::new()), Sink::new());
    let receiving = tokio::spawn({
        let (server, transfer, staged) = (server.clone(), Arc::clone(&transfer), sink.staged());
        async move { server.receive_piece(&transfer, staged, 1 << 20).await.map(drop) }
    });
    until("the pump runs", || transfer.progress().phase == e2eeftp_net::Phase::Moving).await;
    server.close();
    assert!(matches!(within(receiving).await.unwrap(), Err(Error::Closed)));
    assert!(sink.is_dropped());

    listener.close();
    assert!(within(listener.next()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_to_the_end_has_a_limit() {
    let listener = listen(ServerLimits::default());
    for (len, fits) in [(999, true), (1000, true), (1001, false), (100_000, false)] {
        let (mut client, _, server) = raw_pair(&listener).await;
        client.write_all(&vec![b'n'; len]).await.unwrap();
        client.shutdown().await.unwrap();
        let read = within(server.read_to_end(1000, HANG)).await;
        assert_eq!(read.is_ok(), fits, "{len}");
    }
}
