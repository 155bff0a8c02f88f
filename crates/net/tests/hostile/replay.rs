//! Genuine messages in the wrong place: replayed, reflected, spliced.

use std::sync::Arc;

use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::handshake::{CLIENT_HELLO_RECORD_LEN, FLIGHT_RECORD_LEN};
use e2eeftp_core::record::InnerType;
use e2eeftp_core::transfer::Reason;
use e2eeftp_net::{Error, ServerLimits};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::common::proxy::{Recording, pass, proxy, record};
use crate::common::raw::{HalfOpen, RawPeer, listen_raw, read_record, read_to_end};
use crate::common::{NO_LIMIT, dial, dial_in, listen, next, say, until, within};
use crate::{assert_nobody, assert_serves, refusal};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_session_played_again() {
    let listener = listen(ServerLimits::default());
    let recording = Recording::default();
    let address = proxy(listener.address(), record(&recording), pass()).await;
    let client = dial_in(address).await.unwrap();
    let server = next(&listener).await.accept();
    say(&server, &client, b"welcome").await;
    say(&client, &server, b"delete everything").await;
    within(client.close(Reason::Done)).await;
    assert!(within(server.next_control(NO_LIMIT)).await.unwrap().is_none());

    let recording = Arc::clone(&recording).lock().unwrap().clone();
    let lens: Vec<usize> = recording.iter().map(Vec::len).collect();
    assert_eq!(lens[..2], [CLIENT_HELLO_RECORD_LEN, FLIGHT_RECORD_LEN]);
    assert_eq!(lens.len(), 4, "hello, proof, message, goodbye");
    // In step with the server's answers, and all at once.
    let mut stream = within(TcpStream::connect(listener.address())).await.unwrap();
    stream.write_all(&recording[0]).await.unwrap();
    within(read_record(&mut stream)).await.unwrap();
    within(read_record(&mut stream)).await.unwrap();
    stream.write_all(&recording[1..].concat()).await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, refusal());
    let mut stream = within(TcpStream::connect(listener.address())).await.unwrap();
    stream.write_all(&recording.concat()).await.unwrap();
    assert!(read_to_end(&mut stream).await.ends_with(&refusal()));

    until("both are counted", || listener.stats().failed == 2).await;
    assert_nobody(&listener).await;
    assert_serves(&listener).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_in_another_connection() {
    let listener = listen(ServerLimits::default());
    let (one, other) = tokio::join!(
        HalfOpen::new(listener.address(), OsRandom::new()),
        HalfOpen::new(listener.address(), OsRandom::new())
    );
    let replayed_hello = one.m1.clone();
    let (mut one, proof_of_one, _) = one.m5();
    let (mut other, proof_of_other, _) = other.m5();
    one.write_all(&proof_of_other).await.unwrap();
    other.write_all(&proof_of_one).await.unwrap();
    assert_eq!(read_to_end(&mut one).await, refusal());
    assert_eq!(read_to_end(&mut other).await, refusal());

    // The same hello gets new keys each time, so that its proof fits once.
    let mut again = within(TcpStream::connect(listener.address())).await.unwrap();
    again.write_all(&replayed_hello).await.unwrap();
    within(read_record(&mut again)).await.unwrap();
    within(read_record(&mut again)).await.unwrap();
    again.write_all(&proof_of_one).await.unwrap();
    assert_eq!(read_to_end(&mut again).await, refusal());

    until("all are counted", || listener.stats().failed == 3).await;
    assert_nobody(&listener).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_words_come_back() {
    // A hello to the client that sent it, whole or as far as a server's goes.
    let (listener, address) = listen_raw().await;
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let hello = read_record(&mut stream).await.unwrap();
            stream.write_all(&hello).await.unwrap();
            stream.write_all(&hello).await.unwrap();
        }
    });
    let reflected = dial(address).await;
    assert!(matches!(reflected, Err(Error::Core(_))), "{reflected:?}");

    // The server's hello to the server, in place of a client's.
    let listener = listen(ServerLimits::default());
    let mut half_open = HalfOpen::new(listener.address(), OsRandom::new()).await;
    let mut stream = within(TcpStream::connect(listener.address())).await.unwrap();
    stream.write_all(&half_open.m3).await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, refusal());
    half_open.stream.write_all(&half_open.m1).await.unwrap();
    assert_eq!(read_to_end(&mut half_open.stream).await, refusal());
    assert_nobody(&listener).await;

    // A record after the handshake, to the one that sealed it.
    let mut client = RawPeer::client(listener.address()).await;
    let server = next(&listener).await.accept();
    within(server.send_control(b"for the client")).await.unwrap();
    let record = within(read_record(&mut client.stream)).await.unwrap();
    client.send_bytes(&record).await;
    let received = within(server.next_control(NO_LIMIT)).await;
    assert!(matches!(received, Err(Error::Core(e2eeftp_core::Error::Decrypt))), "{received:?}");
    assert!(server.is_closed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_another_session() {
    let listener = listen(ServerLimits::default());
    let mut one = RawPeer::client(listener.address()).await;
    let server_of_one = next(&listener).await.accept();
    let mut other = RawPeer::client(listener.address()).await;
    let server_of_other = next(&listener).await.accept();
    let record = one.seal(InnerType::Control, 0, b"from one");
    other.send_bytes(&record).await;
    let received = within(server_of_other.next_control(NO_LIMIT)).await;
    assert!(matches!(received, Err(Error::Core(e2eeftp_core::Error::Decrypt))), "{received:?}");
    one.send_bytes(&record).await;
    let received = within(server_of_one.next_control(NO_LIMIT)).await.unwrap();
    assert_eq!(received.as_deref(), Some(&b"from one"[..]));
}
