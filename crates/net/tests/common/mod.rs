//! What the tests of connections share: sessions over loopback, files in memory that can be held
//! up or made to fail, peers that speak the protocol by hand, and a man in the middle.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod blocks;
pub(crate) mod files;
pub(crate) mod lanes;
pub(crate) mod proxy;
pub(crate) mod raw;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::identity::IdentityKey;
use e2eeftp_net::{
    BodyResult, ClientLimits, Connecting, Error, Incoming, Listener, ServerLimits, Session,
    Transfer, connect,
};
use files::{MemorySource, Sink, content};
use tokio::time::timeout;

/// What a test waits for at most: a hang becomes a failure.
pub(crate) const HANG: Duration = Duration::from_secs(30);
/// Short enough to wait for, long enough for a busy machine.
pub(crate) const SHORT: Duration = Duration::from_millis(300);
/// No bound on the wait for a control message.
pub(crate) const NO_LIMIT: Duration = Duration::ZERO;

/// Awaits `work`; fails the test when that takes too long.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(HANG, work).await.expect("no end after 30 s")
}

/// Asks until `condition` holds; for states that nothing announces.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..HANG.as_millis() / 5 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not within 30 s: {what}");
}

pub(crate) fn identity() -> IdentityKey {
    IdentityKey::generate(&mut OsRandom::new()).unwrap()
}

/// The root as a user gets it from `b3sum`, by the hash's own crate.
pub(crate) fn root(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

pub(crate) fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

pub(crate) fn listen(limits: ServerLimits) -> Listener {
    Listener::bind(loopback(), Arc::new(identity()), limits).unwrap()
}

pub(crate) async fn dial(address: SocketAddr) -> Result<Connecting, Error> {
    within(connect("127.0.0.1", address.port(), ClientLimits::default())).await
}

/// Connects and proves a fresh identity; the server's verdict is still to come.
pub(crate) async fn dial_in(address: SocketAddr) -> Result<Session, Error> {
    dial(address).await?.authenticate(&identity()).await
}

pub(crate) async fn next(listener: &Listener) -> Incoming {
    within(listener.next()).await.expect("the listener is open")
}

/// Both ends of one connection.
pub(crate) struct Pair {
    pub(crate) client: Session,
    pub(crate) server: Session,
    pub(crate) listener: Listener,
}

/// A full disk is not waited for.
pub(crate) async fn pair() -> Pair {
    let (mut server, mut client) = (ServerLimits::default(), ClientLimits::default());
    server.space_timeout = Duration::ZERO;
    client.space_timeout = Duration::ZERO;
    pair_with(server, client).await
}

/// Both ends give up after [`SHORT`] without a byte.
pub(crate) async fn impatient_pair() -> Pair {
    pair_with(impatient_server(), impatient_client()).await
}

pub(crate) fn impatient_server() -> ServerLimits {
    let mut limits = ServerLimits::default();
    limits.stall_timeout = SHORT;
    limits.handshake_timeout = SHORT;
    limits.proof_timeout = SHORT;
    limits
}

pub(crate) fn impatient_client() -> ClientLimits {
    let mut limits = ClientLimits::default();
    limits.stall_timeout = SHORT;
    limits.connect_timeout = SHORT;
    limits
}

pub(crate) async fn pair_with(server: ServerLimits, client: ClientLimits) -> Pair {
    let listener = listen(server);
    // Getting connected is not what a short limit is about.
    let mut patient = ClientLimits::default();
    patient.stall_timeout = client.stall_timeout;
    patient.keep_alive = client.keep_alive;
    patient.space_timeout = client.space_timeout;
    let connecting = within(connect("127.0.0.1", listener.address().port(), patient));
    let client = connecting.await.unwrap().authenticate(&identity()).await.unwrap();
    let server = next(&listener).await.accept();
    Pair { client, server, listener }
}

impl Pair {
    /// Shows that both directions still carry messages and bodies.
    pub(crate) async fn check_usable(&self) {
        check_usable(&self.client, &self.server).await;
        check_usable(&self.server, &self.client).await;
    }
}

/// A message and a body from `from` to `to`, and a message back.
pub(crate) async fn check_usable(from: &Session, to: &Session) {
    say(from, to, b"still here").await;
    let (bytes, sink) = (content(200_000, "usable"), Sink::new());
    let (sent, received) = move_body(from, to, &bytes, &sink, u32::MAX).await;
    sent.unwrap();
    received.unwrap();
    assert_eq!(sink.bytes(), bytes);
    say(to, from, b"yes").await;
}

/// One control message.
pub(crate) async fn say(from: &Session, to: &Session, message: &[u8]) {
    within(from.send_control(message)).await.unwrap();
    assert_eq!(within(to.next_control(NO_LIMIT)).await.unwrap().as_deref(), Some(message));
}

/// One body between two pumps, with the announced length; what each side says about it.
pub(crate) async fn move_body(
    from: &Session,
    to: &Session,
    bytes: &[u8],
    sink: &Sink,
    stream: u32,
) -> (Result<BodyResult, Error>, Result<BodyResult, Error>) {
    let len = bytes.len() as u64;
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let send = from.send_file(&sending, MemorySource::shared(bytes), stream, 0, len);
    let receive = to.receive_file(&receiving, sink.staged(), stream, Some(len));
    let (sent, received) = within(async { tokio::join!(send, receive) }).await;
    (sent, received.map(|(result, _)| result))
}
