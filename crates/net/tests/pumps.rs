//! The pumps without a session around them: new keys under way, and bytes received ahead.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

mod common;

use std::net::{TcpListener, TcpStream};
use std::thread;

use common::files::{MemorySource, Sink, content};
use common::{identity, loopback, root};
use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::handshake::{
    ClientSettings, Established, SERVER_HELLO_RECORD_LEN, ServerSettings, read_client_hello,
    start_client,
};
use e2eeftp_core::record::{Head, InnerType, RatchetLimits};
use e2eeftp_core::transfer::{End, Reason};
use e2eeftp_core::{Error as CoreError, PeerFault};
use e2eeftp_net::{BodyResult, Error, PumpSettings, Transfer, receive_body, send_body};
use e2eeftp_vfs::ErrorKind;
use tokio_util::sync::CancellationToken;

/// One end of a connection, driven by its own thread.
struct Side {
    socket: TcpStream,
    established: Established,
    pending: Vec<u8>,
}

/// Both ends, each with its own idea of when keys are replaced.
fn ends(client: RatchetLimits, server: RatchetLimits) -> (Side, Side) {
    let listener = TcpListener::bind(loopback()).unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    let settings = ClientSettings { limits: client, ..ClientSettings::default() };
    let (state, m1) = start_client(settings, &mut OsRandom::new()).unwrap();
    let settings = ServerSettings { limits: server, ..ServerSettings::default() };
    let hello = read_client_hello(&settings, &m1).unwrap();
    let (expect, mut m3) = hello.respond(&identity(), None, 0, &mut OsRandom::new()).unwrap();
    let mut m4 = m3.split_off(SERVER_HELLO_RECORD_LEN);
    let proved = state.handle(&m3).unwrap().handle(&mut m4).unwrap();
    let (mut m5, client) = proved.authenticate(&identity()).unwrap();
    let server = expect.handle(&mut m5).unwrap().into_established();
    let end = |socket, established| Side { socket, established, pending: Vec::new() };
    (end(one, client), end(other, server))
}

impl Side {
    fn send(&mut self, bytes: &[u8]) -> Result<BodyResult, Error> {
        let (transfer, dead) = (Transfer::new(), CancellationToken::new());
        let Established { sealer, opener, .. } = &mut self.established;
        let settings = PumpSettings::new(sealer, opener, &mut self.pending, &transfer, &dead);
        let source = MemorySource::new(bytes);
        send_body(&self.socket, &source, 0, bytes.len() as u64, settings)
    }

    fn receive(&mut self, sink: &Sink, expected_len: Option<u64>) -> Result<BodyResult, Error> {
        let (transfer, dead) = (Transfer::new(), CancellationToken::new());
        let Established { sealer, opener, .. } = &mut self.established;
        let settings = PumpSettings::new(sealer, opener, &mut self.pending, &transfer, &dead);
        receive_body(&self.socket, &mut *sink.staged(), expected_len, settings)
    }
}

const RARE: RatchetLimits = RatchetLimits { bytes: u64::MAX, records: u64::MAX, age_ms: u64::MAX };

/// A receiver refuses a key that was used for twice its limits; so what arrives shows that the
/// sender has replaced its key in time, many times.
#[test]
fn keys_are_replaced_within_a_body() {
    let frequent = [
        RatchetLimits { records: 8, ..RARE },
        RatchetLimits { bytes: 1 << 20, ..RARE },
        RatchetLimits { age_ms: 0, ..RARE },
    ];
    for limits in frequent {
        let (mut from, mut to) = ends(limits, limits);
        let bytes = content((8 << 20) + 7, "ratchet");
        for _ in 0..2 {
            let sink = Sink::new();
            let (sent, received) = thread::scope(|scope| {
                let sending = scope.spawn(|| from.send(&bytes));
                let received = to.receive(&sink, Some(bytes.len() as u64));
                (sending.join().unwrap(), received)
            });
            let (sent, received) = (sent.unwrap(), received.unwrap());
            assert_eq!(sent, received);
            assert_eq!(sent.root, root(&bytes));
            assert!(sink.bytes() == bytes);
            // The other direction has keys of its own.
            std::mem::swap(&mut from, &mut to);
        }
    }
}

#[test]
fn a_key_that_is_never_replaced_is_refused() {
    let (mut from, mut to) = ends(RARE, RatchetLimits { records: 8, ..RARE });
    let bytes = content(64 << 20, "no ratchet");
    let sink = Sink::new();
    let received = thread::scope(|scope| {
        let sending = scope.spawn(|| from.send(&bytes));
        let received = to.receive(&sink, None);
        drop(to);
        assert!(matches!(sending.join().unwrap(), Err(Error::ConnectionLost(_))));
        received
    });
    let refused = CoreError::Peer(PeerFault::NoKeyUpdate);
    assert!(matches!(received, Err(Error::Core(fault)) if fault == refused), "{received:?}");
}

#[test]
fn a_stop_may_come_under_a_new_key() {
    let (mut from, mut to) = ends(RARE, RatchetLimits { age_ms: 0, ..RARE });
    let bytes = content(64 << 20, "stop");
    let (sent, received) = thread::scope(|scope| {
        let sending = scope.spawn(|| from.send(&bytes));
        let received = to.receive(&Sink::failing_at(1 << 20, ErrorKind::NoSpace), None);
        (sending.join().unwrap(), received)
    });
    assert!(matches!(sent, Err(Error::PeerStopped(Reason::NoSpace))), "{sent:?}");
    assert!(matches!(&received, Err(Error::Vfs(error)) if error.kind() == ErrorKind::NoSpace));
    // Both are in step again.
    let sink = Sink::new();
    thread::scope(|scope| {
        let receiving = scope.spawn(|| from.receive(&sink, Some(5)));
        to.send(b"again").unwrap();
        receiving.join().unwrap().unwrap();
    });
    assert_eq!(sink.bytes(), b"again");
}

/// What was received ahead of a body may be more than a buffer of this body holds, and all that
/// follows the body stays for whoever is next.
#[test]
fn any_amount_may_have_been_received_ahead() {
    let (mut from, mut to) = ends(RARE, RARE);
    let bytes = content(3_000_000, "ahead");
    let sealer = &mut from.established.sealer;
    let mut seal = |kind, content: &[u8]| {
        sealer.seal_small(Head { kind, flags: 0, stream: 1 }, content, &mut to.pending).unwrap();
    };
    bytes.chunks(10_000).for_each(|piece| seal(InnerType::Data, piece));
    seal(InnerType::End, &End { total: 3_000_000, root: root(&bytes) }.to_wire());
    let second = content(2_000_000, "further ahead");
    second.chunks(10_000).for_each(|piece| seal(InnerType::Data, piece));
    seal(InnerType::End, &End { total: 2_000_000, root: root(&second) }.to_wire());
    to.pending.extend_from_slice(b"rest");
    // Nothing comes over the socket.
    drop(from);
    for bytes in [bytes, second] {
        let sink = Sink::new();
        assert_eq!(to.receive(&sink, None).unwrap().root, root(&bytes));
        assert!(sink.bytes() == bytes);
    }
    assert_eq!(to.pending, b"rest");
}
