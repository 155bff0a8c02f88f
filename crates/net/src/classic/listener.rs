//! Accepts connections and reads their hellos side by side.

use std::net::SocketAddr;
use std::sync::Arc;

use e2eeftp_core::classic::{ClientHello, HELLO_MESSAGE_LEN};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::incoming::Incoming;
use crate::accept::Acceptor;
use crate::error::{Error, Result};
use crate::limits::ServerLimits;
use crate::listener::MAX_WAITING;
use crate::places::{Places, Taken};

/// A listening socket. A peer that is over a limit, or whose hello is no good, gets a close and
/// not a byte: that is all the protocol has for it.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    incoming: Mutex<mpsc::Receiver<Incoming>>,
    closed: CancellationToken,
}

/// What the tasks of a listener share.
#[derive(Debug)]
struct Shared {
    places: Arc<Places>,
    closed: CancellationToken,
}

impl Listener {
    /// Binds `address` and starts to accept. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Io`] when the address can't be bound.
    pub fn bind(address: SocketAddr, limits: ServerLimits) -> Result<Self> {
        Self::start(address, Arc::new(Places::new(limits)))
    }

    /// Binds `address` under the limits of the server that `listener` belongs to: what is open,
    /// under way or moving there counts here, and the other way round. Each is closed on its own.
    ///
    /// # Errors
    /// As [`Listener::bind`].
    pub fn bind_beside(listener: &crate::Listener, address: SocketAddr) -> Result<Self> {
        Self::start(address, listener.places())
    }

    fn start(address: SocketAddr, places: Arc<Places>) -> Result<Self> {
        let acceptor = Acceptor::bind(address)?;
        let address = acceptor.address();
        let closed = CancellationToken::new();
        let shared = Arc::new(Shared { places, closed: closed.clone() });
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        tokio::spawn(acceptor.run(closed.clone(), move |stream, address| {
            let Some(Taken { slot, half_open }) = shared.places.take(address.ip()) else { return };
            let (shared, sender) = (Arc::clone(&shared), sender.clone());
            tokio::spawn(async move {
                receive_hello(stream, address, &shared, slot, &sender).await;
                drop(half_open);
            });
        }));
        Ok(Self { address, incoming: Mutex::new(receiver), closed })
    }

    /// The bound address, with the port the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next peer with a hello that verifies, or `None` after [`Listener::close`].
    pub async fn next(&self) -> Option<Incoming> {
        let mut incoming = self.incoming.lock().await;
        tokio::select! {
            biased;
            () = self.closed.cancelled() => None,
            next = incoming.recv() => next,
        }
    }

    /// Stops accepting and ends the handshakes under way. Connections live on. Idempotent.
    pub fn close(&self) {
        self.closed.cancel();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

/// Hands the peer over once its hello has come and verified; else drops it.
async fn receive_hello(
    mut stream: TcpStream,
    address: SocketAddr,
    shared: &Shared,
    slot: OwnedSemaphorePermit,
    sender: &mpsc::Sender<Incoming>,
) {
    let reading = async {
        stream.set_nodelay(true).map_err(|error| Error::Io("set TCP_NODELAY", error))?;
        read_client_hello(&mut stream).await
    };
    let hello = tokio::select! {
        biased;
        () = shared.closed.cancelled() => return,
        hello = timeout(shared.places.limits().handshake_timeout, reading) => hello,
    };
    let Ok(Ok(hello)) = hello else { return };
    let incoming = Incoming { stream, hello, address, places: Arc::clone(&shared.places), slot };
    tokio::select! {
        biased;
        () = shared.closed.cancelled() => {}
        // Fails only when the listener is gone; the peer then sees the connection close.
        _ = sender.send(incoming) => {}
    }
}

async fn read_client_hello(stream: &mut TcpStream) -> Result<ClientHello> {
    let message = read_hello(stream).await?;
    Ok(ClientHello::read(&message)?)
}

/// Reads a hello; a length other than 128 is refused before anything behind it is read.
pub(super) async fn read_hello(stream: &mut TcpStream) -> Result<[u8; HELLO_MESSAGE_LEN]> {
    let lost = |error| Error::from_socket("handshake", error);
    let mut message = [0; HELLO_MESSAGE_LEN];
    let (prefix, rest) = message.split_at_mut(size_of::<u32>());
    stream.read_exact(prefix).await.map_err(lost)?;
    if usize::try_from(u32::from_be_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]))
        != Ok(rest.len())
    {
        return Err(Error::Protocol("a hello of another length than 128"));
    }
    stream.read_exact(rest).await.map_err(lost)?;
    Ok(message)
}
