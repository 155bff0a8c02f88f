//! Peers that do not keep to the protocol: strangers, forgers, a man in the middle, servers that
//! lie. Nothing gets in, nothing hangs, and everybody else is served meanwhile.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

#[path = "../common/mod.rs"]
mod common;

mod block_lanes;
mod block_maps;
mod blocks;
mod evil_server;
mod forger;
mod lanes;
mod limits;
mod middle;
mod records;
mod replay;
mod stranger;

use std::time::Duration;

use common::{NO_LIMIT, dial_in, next, say, within};
use e2eeftp_core::handshake::{Refusal, refusal_record};
use e2eeftp_net::Listener;
use tokio::time::timeout;

/// The bytes that every failed handshake ends with.
fn refusal() -> Vec<u8> {
    refusal_record(Refusal::General).to_vec()
}

/// No peer has proved itself, and none is on its way.
async fn assert_nobody(listener: &Listener) {
    let incoming = timeout(Duration::from_millis(100), listener.next()).await;
    assert!(incoming.is_err(), "{incoming:?}");
}

/// An honest client is still served.
async fn assert_serves(listener: &Listener) {
    let client = dial_in(listener.address()).await.unwrap();
    let server = next(listener).await.accept();
    say(&server, &client, b"welcome").await;
    client.destroy();
    assert!(within(server.next_control(NO_LIMIT)).await.is_err());
}
