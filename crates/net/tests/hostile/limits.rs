//! More peers than a listener takes.

use e2eeftp_core::handshake::{Refusal, refusal_record};
use e2eeftp_net::ServerLimits;
use tokio::net::TcpStream;

use crate::common::raw::read_to_end;
use crate::common::{dial, dial_in, impatient_server, listen, next, say, until, within};
use crate::{assert_nobody, assert_serves, refusal};

async fn assert_busy(address: std::net::SocketAddr) {
    let error = dial(address).await.err().unwrap();
    assert_eq!(error.code(), "E2EEFTP_RATE_LIMITED", "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_than_allowed() {
    let mut limits = ServerLimits::default();
    limits.max_connections = 2;
    let listener = listen(limits);
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let client = dial_in(listener.address()).await.unwrap();
        sessions.push((client, next(&listener).await.accept()));
    }
    for _ in 0..3 {
        assert_busy(listener.address()).await;
    }
    let stats = listener.stats();
    assert_eq!((stats.accepted, stats.refused, stats.open), (5, 3, 2));
    for (client, server) in &sessions {
        say(client, server, b"not disturbed").await;
    }
    let (_, server) = sessions.pop().unwrap();
    server.destroy();
    until("a place is free", || listener.stats().open == 1).await;
    assert_serves(&listener).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_handshakes_under_way_than_allowed() {
    let mut limits = impatient_server();
    limits.handshake_timeout = std::time::Duration::from_secs(2);
    limits.max_half_open = 4;
    let listener = listen(limits);
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(within(TcpStream::connect(listener.address())).await.unwrap());
    }
    until("all are accepted", || listener.stats().accepted == 4).await;
    assert_busy(listener.address()).await;
    // A refusal because of the load is given before anything is read.
    let mut late = within(TcpStream::connect(listener.address())).await.unwrap();
    assert_eq!(read_to_end(&mut late).await, refusal_record(Refusal::Busy));
    drop(late);
    // The silent ones run out of time, and their places with them.
    for stream in &mut silent {
        assert_eq!(read_to_end(stream).await, refusal());
    }
    drop(silent);
    until("the places are free", || listener.stats().open == 0).await;
    assert_serves(&listener).await;
    assert_nobody(&listener).await;
    assert_eq!(listener.stats().failed, 4);
}

/// Peers that have proved themselves wait for the verdict and keep their place, not more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_wait_for_the_verdict() {
    let mut limits = ServerLimits::default();
    limits.max_half_open = 1;
    let listener = listen(limits);
    let mut clients = Vec::new();
    for count in 1..=5 {
        clients.push(dial_in(listener.address()).await.unwrap());
        // Its handshake is over, though nobody has asked for it yet.
        let client = clients.last().unwrap();
        assert!(!client.is_closed());
        until("the handshake is over", || listener.stats().open == count).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for client in &clients {
        let server = next(&listener).await.accept();
        say(&server, client, b"at last").await;
    }
}
