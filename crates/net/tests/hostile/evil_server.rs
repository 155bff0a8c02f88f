//! Servers that a client should not have connected to.

use std::net::SocketAddr;

use e2eeftp_core::Error as CoreError;
use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::handshake::{Refusal, ServerSettings, read_client_hello, refusal_record};
use e2eeftp_core::record::InnerType;
use e2eeftp_net::{Error, ServerLimits, connect};
use tokio::io::AsyncWriteExt;

use crate::common::files::{MemorySource, content};
use crate::common::raw::{client_of_raw_server, listen_raw, read_record, read_to_end};
use crate::common::{NO_LIMIT, dial, dial_in, identity, impatient_client, listen, next, within};
use crate::refusal;
use e2eeftp_net::{Listener, Transfer};

/// A server that reads the hello, sends `bytes`, and then waits or hangs up.
async fn server_that_says(bytes: Vec<u8>, hangs_up: bool) -> SocketAddr {
    let (listener, address) = listen_raw().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_record(&mut stream).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        if !hangs_up {
            read_to_end(&mut stream).await;
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_talks_nonsense() {
    let cases = [
        ("noise", content(5000, "noise")),
        ("zeros", vec![0; 2000]),
        ("web", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("too long by one", vec![0x51, 0, 0x10, 0x01]),
        ("as long as can be said", vec![0x51, 0xff, 0xff, 0xff]),
        ("empty", vec![0x51, 0, 0, 0]),
        ("one byte", vec![0x51, 0, 0, 1, 3]),
        ("unknown kind", vec![0x54, 0, 4, 0xc0]),
        ("a hello without content", [&[0x51, 0, 4, 0xc0][..], &[0; 1216]].concat()),
        ("protected at once", [&[0x52, 0, 4, 0x10][..], &[0; 1040]].concat()),
        ("a refusal too long", vec![0x53, 0, 0, 5, 0, 0, 0, 1, 1]),
    ];
    for (what, bytes) in cases {
        let address = server_that_says(bytes, false).await;
        let refused = dial(address).await;
        assert!(matches!(refused, Err(Error::Core(_))), "{what}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_or_too_little() {
    for bytes in [vec![], vec![0x51], vec![0x51, 0, 4, 0xc0], vec![0x51, 0, 4, 0xc0, 3, 1]] {
        let address = server_that_says(bytes.clone(), false).await;
        let silent = within(connect("127.0.0.1", address.port(), impatient_client())).await;
        assert!(matches!(silent, Err(Error::Timeout(_))), "{silent:?}");

        let address = server_that_says(bytes, true).await;
        let ended = dial(address).await;
        assert!(matches!(ended, Err(Error::ConnectionLost(_))), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses() {
    let cases = [
        (Refusal::General, "E2EEFTP_AUTH_REFUSED"),
        (Refusal::Busy, "E2EEFTP_RATE_LIMITED"),
        (Refusal::ShuttingDown, "E2EEFTP_SHUTTING_DOWN"),
    ];
    for (refusal, code) in cases {
        let address = server_that_says(refusal_record(refusal).to_vec(), false).await;
        let error = dial(address).await.err().unwrap();
        assert_eq!(error.code(), code, "{error:?}");
    }
}

/// A genuine hello, then a proof that is not one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_can_not_prove_itself() {
    let forge: [fn(&mut Vec<u8>); 4] = [
        |m4| *m4.last_mut().unwrap() ^= 1,
        |m4| m4[4..].fill(0),
        |m4| m4[5] ^= 0x80,
        |m4| m4.truncate(800),
    ];
    for (number, forge) in forge.into_iter().enumerate() {
        let (listener, address) = listen_raw().await;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let hello = read_record(&mut stream).await.unwrap();
            let hello = read_client_hello(&ServerSettings::default(), &hello).unwrap();
            let (_, mut m3) = hello.respond(&identity(), None, 0, &mut OsRandom::new()).unwrap();
            let mut m4 = m3.split_off(e2eeftp_core::handshake::SERVER_HELLO_RECORD_LEN);
            forge(&mut m4);
            stream.write_all(&[m3, m4].concat()).await.unwrap();
        });
        let refused = dial(address).await;
        assert!(matches!(refused, Err(Error::Core(_) | Error::ConnectionLost(_))), "{refused:?}");
        if number < 2 {
            assert!(matches!(refused, Err(Error::Core(CoreError::Decrypt))), "{refused:?}");
        }
    }
}

/// The handshake proves who it is; whether it is the right one is for the caller, who has not
/// said a word about itself yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proved_key_is_there_to_be_pinned() {
    let (right, wrong) = (std::sync::Arc::new(identity()), std::sync::Arc::new(identity()));
    for key in [&right, &wrong] {
        let listener = Listener::bind(
            crate::common::loopback(),
            std::sync::Arc::clone(key),
            ServerLimits::default(),
        )
        .unwrap();
        let connecting = dial(listener.address()).await.unwrap();
        assert_eq!(connecting.server_key(), key.public_key());
        assert_eq!(
            connecting.server_key() == right.public_key(),
            std::ptr::eq(key, &raw const right)
        );
        drop(connecting);
        crate::common::until("the client has gone", || listener.stats().failed == 1).await;
        crate::assert_nobody(&listener).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_not_let_in() {
    let listener = listen(ServerLimits::default());
    let client = dial_in(listener.address()).await.unwrap();
    let incoming = next(&listener).await;
    assert!(incoming.address().ip().is_loopback());
    let (verdict, ()) =
        within(async { tokio::join!(client.next_control(NO_LIMIT), incoming.refuse()) }).await;
    assert_eq!(verdict.err().unwrap().code(), "E2EEFTP_AUTH_REFUSED");
    assert!(client.is_closed());

    // The same where the client does not wait for the verdict.
    let client = dial_in(listener.address()).await.unwrap();
    let incoming = next(&listener).await;
    let bytes = content(64 << 20, "eager");
    let transfer = Transfer::new();
    let source = MemorySource::shared(&bytes);
    let (sent, ()) = within(async {
        tokio::join!(client.send_file(&transfer, source, 1, 0, 64 << 20), incoming.refuse())
    })
    .await;
    let error = sent.err().unwrap();
    let is_told = error.code() == "E2EEFTP_AUTH_REFUSED";
    // The kernel may report the reset before the refusal is read.
    assert!(is_told || matches!(error, Error::ConnectionLost(_)), "{error:?}");
    assert!(client.is_closed());
}

/// A refusal is sent in clear: after the first message it can't be the server's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_in_the_middle_of_a_session() {
    let (client, mut server) = client_of_raw_server().await;
    server.send(InnerType::Control, 0, b"welcome").await;
    server.send_bytes(&refusal()).await;
    assert!(within(client.next_control(NO_LIMIT)).await.unwrap().is_some());
    let ended = within(client.next_control(NO_LIMIT)).await;
    assert!(matches!(ended, Err(Error::Protocol(_) | Error::Core(_))), "{ended:?}");
    assert!(client.is_closed());

    let (client, mut server) = client_of_raw_server().await;
    server.send_bytes(&refusal()).await;
    let ended = within(client.next_control(NO_LIMIT)).await;
    assert!(matches!(ended, Err(Error::Refused)), "{ended:?}");
    assert!(client.is_closed());
}
