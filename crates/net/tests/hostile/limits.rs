//! More peers than a listener takes.

use e2eeftp_core::handshake::{Refusal, refusal_record};
use e2eeftp_net::{Network, ServerLimits};
use tokio::net::TcpStream;

use crate::common::raw::read_to_end;
use crate::common::{
    NO_LIMIT, dial, dial_in, impatient_server, listen, loopback, next, say, until, within,
};
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

/// A second address gives nobody a second share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_count_over_all_addresses_of_a_server() {
    let mut limits = ServerLimits::default();
    limits.max_connections = 2;
    let first = listen(limits);
    let second = first.bind_beside(loopback()).unwrap();
    assert_ne!(first.address(), second.address());
    let client = dial_in(first.address()).await.unwrap();
    let server = next(&first).await.accept();
    let other = dial_in(second.address()).await.unwrap();
    let beside = next(&second).await.accept();
    assert_busy(first.address()).await;
    assert_busy(second.address()).await;
    assert_eq!((first.stats().open, second.stats().open), (2, 2));
    say(&client, &server, b"not disturbed").await;
    say(&other, &beside, b"nor here").await;
    server.destroy();
    until("a place is free", || second.stats().open == 1).await;
    assert_serves(&second).await;
    // Each address is closed on its own.
    first.close();
    until("the place of the check is free", || second.stats().open == 1).await;
    assert_serves(&second).await;
    assert!(within(first.next()).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_under_way_count_over_all_addresses_of_a_server() {
    let mut limits = ServerLimits::default();
    limits.max_half_open = 1;
    let first = listen(limits);
    let second = first.bind_beside(loopback()).unwrap();
    let silent = within(TcpStream::connect(first.address())).await.unwrap();
    until("it is accepted", || first.stats().accepted == 1).await;
    assert_busy(second.address()).await;
    drop(silent);
    until("the place is free", || first.stats().open == 0).await;
    assert_serves(&second).await;
}

/// The address counts where the peer is admitted, after it has proved its key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_from_elsewhere_get_the_refusal_that_all_get() {
    let listener = listen(ServerLimits::default());
    let networks =
        |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Network>>();
    for elsewhere in [networks(&[]), networks(&["10.0.0.0/8", "::/0", "127.0.0.2"])] {
        let client = dial_in(listener.address()).await.unwrap();
        assert!(within(next(&listener).await.only_from(&elsewhere)).await.is_none());
        let error = within(client.next_control(NO_LIMIT)).await.unwrap_err();
        assert_eq!(error.code(), "E2EEFTP_AUTH_REFUSED", "{error:?}");
    }
    let client = dial_in(listener.address()).await.unwrap();
    let here = networks(&["10.0.0.0/8", "127.0.0.0/8"]);
    let server = within(next(&listener).await.only_from(&here)).await.unwrap().accept();
    say(&server, &client, b"welcome").await;
    assert_eq!(listener.stats().refused, 2);
}
