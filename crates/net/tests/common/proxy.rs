//! A man in the middle who sees whole records and decides what becomes of each.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::sync::CancellationToken;

use super::raw::{listen_raw, read_record};

/// What the man in the middle passes on in place of a record.
pub(crate) enum Verdict {
    /// These bytes.
    Forward(Vec<u8>),
    /// These bytes, then the end of the connection in both directions.
    Cut(Vec<u8>),
}

/// Sees each record with its number in its direction, counted from 0.
pub(crate) type Filter = Box<dyn FnMut(usize, Vec<u8>) -> Verdict + Send>;

/// Records of a connection, in order.
pub(crate) type Recording = Arc<Mutex<Vec<Vec<u8>>>>;

/// Lets everything through.
pub(crate) fn pass() -> Filter {
    Box::new(|_, record| Verdict::Forward(record))
}

/// Lets everything through and keeps a copy.
pub(crate) fn record(recording: &Recording) -> Filter {
    let recording = Arc::clone(recording);
    Box::new(move |_, record| {
        recording.lock().unwrap().push(record.clone());
        Verdict::Forward(record)
    })
}

/// Changes the records with number `index` only.
pub(crate) fn at(index: usize, change: impl Fn(Vec<u8>) -> Verdict + Send + 'static) -> Filter {
    Box::new(
        move |seen, record| {
            if seen == index { change(record) } else { Verdict::Forward(record) }
        },
    )
}

/// Stands before `upstream` for one connection; returns the address to connect to.
pub(crate) async fn proxy(
    upstream: SocketAddr,
    to_server: Filter,
    to_client: Filter,
) -> SocketAddr {
    let (listener, address) = listen_raw().await;
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(upstream).await.unwrap();
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let (from_client, into_client) = client.into_split();
        let (from_server, into_server) = server.into_split();
        let cut = CancellationToken::new();
        tokio::spawn(forward(from_client, into_server, to_server, cut.clone()));
        tokio::spawn(forward(from_server, into_client, to_client, cut));
    });
    address
}

/// One direction, until its end or until the other direction cuts the connection.
async fn forward(
    mut from: OwnedReadHalf,
    mut into: OwnedWriteHalf,
    mut filter: Filter,
    cut: CancellationToken,
) {
    let forwarding = async {
        for index in 0.. {
            // A direction that has ended, or a peer that has gone, ends this direction only.
            let Ok(record) = read_record(&mut from).await else { return };
            let (bytes, is_last) = match filter(index, record) {
                Verdict::Forward(bytes) => (bytes, false),
                Verdict::Cut(bytes) => (bytes, true),
            };
            if into.write_all(&bytes).await.is_err() {
                return;
            }
            if is_last {
                cut.cancel();
                return;
            }
        }
    };
    tokio::select! {
        () = cut.cancelled() => {}
        () = forwarding => {}
    }
    // Fails only when the peer is gone already.
    drop(into.shutdown().await);
}
