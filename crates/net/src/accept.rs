//! The listening socket under every protocol: binds an address, accepts until it is told to stop.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// Length of the kernel's queue of connections not yet accepted.
const BACKLOG: u32 = 1024;
/// Pause after a failed accept (no descriptors left, say), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound socket that has accepted nothing yet.
#[derive(Debug)]
pub(crate) struct Acceptor {
    listener: TcpListener,
    address: SocketAddr,
}

impl Acceptor {
    /// Binds `address`. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Io`] when the address can't be bound.
    pub(crate) fn bind(address: SocketAddr) -> Result<Self> {
        let listener = bind_tcp(address).map_err(|error| Error::Io("listen", error))?;
        let address = listener.local_addr().map_err(|error| Error::Io("listen", error))?;
        Ok(Self { listener, address })
    }

    /// The bound address, with the port the system chose where 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives each connection to `arrived` until `closed`, then closes the socket.
    pub(crate) async fn run(
        self,
        closed: CancellationToken,
        mut arrived: impl FnMut(TcpStream, SocketAddr),
    ) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = closed.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => arrived(stream, address),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

fn bind_tcp(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // On Windows that would let any other program listen on the same port.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() {
        // IPv4 has an address of its own, so that both can be listened on side by side.
        socket2::SockRef::from(&socket).set_only_v6(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
