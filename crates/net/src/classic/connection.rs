//! A connection after the hellos: lines in clear, one sealed piece, the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use e2eeftp_core::classic::PieceKeys;
use e2eeftp_vfs::{Source, Staged};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::pieces::{self, Piece};
use crate::error::{Error, Result};
use crate::pump::BodyResult;
use crate::transfer::Transfer;

/// The longest line that is read, without its end.
pub const MAX_LINE_LEN: usize = 4096;
/// A peer that was answered before it had sent everything may go on for this many bytes, ...
const MAX_DRAIN_LEN: usize = 64 * 1024 * 1024;
/// ... and this long: closing at once would take the answer away from it.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes read at once where nothing else says how many.
const READ_LEN: usize = 16 * 1024;

/// One connection, for one command. Cheap to clone; all clones are the same connection. Calls wait
/// for each other. After a failure that is not about the piece itself the connection is closed.
#[derive(Clone, Debug)]
pub struct Connection {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Arc<Mutex<State>>,
    /// Ends every wait on this connection.
    dead: CancellationToken,
    address: SocketAddr,
    stall_timeout: Duration,
    pumps: Arc<Semaphore>,
}

#[derive(Debug)]
struct State {
    /// `None` once the connection is closed, and while a pump has the socket.
    stream: Option<TcpStream>,
    /// Received behind a line.
    pending: Vec<u8>,
    /// Used up by the first piece.
    keys: Option<PieceKeys>,
}

/// What a connection needs from the side that made it.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) stall_timeout: Duration,
    /// Places for pumps, shared with other connections.
    pub(super) pumps: Arc<Semaphore>,
    /// The place among the listener's connections, given back when the connection is over.
    pub(super) slot: Option<OwnedSemaphorePermit>,
}

/// What stood where a line was awaited.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Line {
    /// A line without its newline; the end of the stream ends one, too.
    Text(Vec<u8>),
    /// More than [`MAX_LINE_LEN`] bytes without a newline.
    TooLong,
    /// The end of the stream, and nothing before it.
    End,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        keys: PieceKeys,
        address: SocketAddr,
        settings: Settings,
    ) -> Self {
        let Settings { stall_timeout, pumps, slot } = settings;
        let state = State { stream: Some(stream), pending: Vec::new(), keys: Some(keys) };
        let (state, dead) = (Arc::new(Mutex::new(state)), CancellationToken::new());
        tokio::spawn(close_when_dead(Arc::clone(&state), dead.clone(), slot));
        Self { shared: Arc::new(Shared { state, dead, address, stall_timeout, pumps }) }
    }

    /// The peer's address.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.dead.is_cancelled()
    }

    /// Ends the connection at once; what waits on it fails with [`Error::Closed`]. Idempotent.
    pub fn close(&self) {
        self.shared.dead.cancel();
    }

    /// Reads a line; all of it has to come within `limit`.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::ConnectionLost`], [`Error::Closed`].
    pub async fn read_line(&self, limit: Duration) -> Result<Line> {
        self.run(async |state, stream| {
            timeout(limit, read_line(stream, &mut state.pending))
                .await
                .map_err(|_| Error::Timeout("a line did not arrive in time"))?
        })
        .await
    }

    /// Reads up to the end of the stream, at most `max_len` bytes within `limit`.
    ///
    /// # Errors
    /// [`Error::Protocol`] for more; [`Error::Timeout`], [`Error::ConnectionLost`],
    /// [`Error::Closed`].
    pub async fn read_to_end(&self, max_len: usize, limit: Duration) -> Result<Vec<u8>> {
        self.run(async |state, stream| {
            let mut bytes = std::mem::take(&mut state.pending);
            let reading = async {
                while bytes.len() <= max_len {
                    if read_some(stream, &mut bytes).await? == 0 {
                        return Ok(bytes);
                    }
                }
                Err(Error::Protocol("more than was asked for"))
            };
            timeout(limit, reading)
                .await
                .map_err(|_| Error::Timeout("the answer did not arrive in time"))?
        })
        .await
    }

    /// Sends `bytes`.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the peer takes nothing for as long as the stall limit says,
    /// [`Error::ConnectionLost`], [`Error::Closed`].
    pub async fn write(&self, bytes: &[u8]) -> Result<()> {
        let stall = self.shared.stall_timeout;
        self.run(async |_, stream| write_all(stream, bytes, stall).await).await
    }

    /// Sends the last bytes, which may be none, and ends the connection when the peer has taken
    /// them: this side's direction is shut down, and what the peer still sends is read and dropped
    /// until it ends its own, up to 64 MiB or 30 s.
    ///
    /// # Errors
    /// As [`Connection::write`]; how the peer ends is no failure.
    pub async fn answer(&self, bytes: &[u8]) -> Result<()> {
        let stall = self.shared.stall_timeout;
        let answered = self
            .run(async |_, stream| {
                write_all(stream, bytes, stall).await?;
                stream.shutdown().await.map_err(lost)?;
                // A peer that does not end its side has its answer all the same.
                drop(timeout(DRAIN_TIMEOUT, drain(stream)).await);
                Ok(())
            })
            .await;
        self.close();
        answered
    }

    /// Receives the piece of this connection into `staged`, on a thread of its own, and gives the
    /// staged file back once the code has verified. Nothing is committed here.
    ///
    /// # Errors
    /// [`Error::Core`] for a piece that is not authentic and [`Error::Vfs`] when the target fails:
    /// then the connection lives and the peer can be answered. All others end it:
    /// [`Error::ConnectionLost`] for a piece that is cut short, [`Error::Timeout`],
    /// [`Error::Aborted`], [`Error::Closed`]. The staged file is dropped (aborted) by each.
    pub async fn receive_piece(
        &self,
        transfer: &Transfer,
        mut staged: Box<dyn Staged>,
        sealed_len: u64,
    ) -> Result<(BodyResult, Box<dyn Staged>)> {
        self.pump(transfer, move |piece, pending| {
            let result = pieces::receive(piece, &mut *staged, sealed_len, pending)?;
            Ok((result, staged))
        })
        .await
    }

    /// Sends `head`, and behind it `source` as the piece of this connection, on a thread of its
    /// own. With `until_answered` a peer that says something before the end is listened to:
    /// `None` then, the rest is not sent, and the answer is there to be read.
    ///
    /// # Errors
    /// Each ends the connection, so that the peer does not take a part for the whole:
    /// [`Error::Vfs`] when the source fails or has changed, and as [`Connection::write`].
    pub async fn send_piece(
        &self,
        transfer: &Transfer,
        source: Arc<dyn Source>,
        head: Vec<u8>,
        until_answered: bool,
    ) -> Result<Option<BodyResult>> {
        let sent = self
            .pump(transfer, move |piece, _| pieces::send(piece, &*source, &head, until_answered))
            .await;
        if sent.is_err() {
            self.close();
        }
        sent
    }

    /// Runs `work` with the open stream until it is done or the connection is closed.
    async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut State, &mut TcpStream) -> Result<T>,
    ) -> Result<T> {
        let mut state = self.open_state().await?;
        let mut stream = state.stream.take().ok_or(Error::Closed)?;
        let result = tokio::select! {
            biased;
            () = self.shared.dead.cancelled() => Err(Error::Closed),
            result = work(&mut state, &mut stream) => result,
        };
        match result {
            Ok(_) => state.stream = Some(stream),
            Err(_) => self.close(),
        }
        result
    }

    /// Takes the socket off the runtime, runs `work` on a blocking thread, puts the socket back if
    /// the peer can still be answered.
    async fn pump<T, F>(&self, transfer: &Transfer, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Piece<'_>, &mut Vec<u8>) -> Result<T> + Send + 'static,
    {
        let permit = tokio::select! {
            biased;
            () = self.shared.dead.cancelled() => return Err(Error::Closed),
            () = transfer.cancelled() => return Err(Error::Aborted),
            permit = Arc::clone(&self.shared.pumps).acquire_owned() => permit,
        };
        let permit = permit.map_err(|_| Error::Closed)?;
        let (shared, transfer) = (Arc::clone(&self.shared), transfer.clone());
        let runtime = tokio::runtime::Handle::current();
        let pumping = spawn_blocking(move || {
            let _permit = permit;
            let mut state = runtime.block_on(shared.state.lock());
            let stream = state.stream.take().ok_or(Error::Closed)?;
            let keys = state.keys.take().ok_or(Error::Closed)?;
            let socket = stream.into_std().and_then(|socket| {
                socket.set_nonblocking(false)?;
                Ok(socket)
            });
            let socket = socket.map_err(|error| Error::Io("detach", error))?;
            let piece = Piece {
                socket: &socket,
                keys,
                transfer: &transfer,
                dead: &shared.dead,
                stall_timeout: shared.stall_timeout,
            };
            let result = work(piece, &mut state.pending);
            if matches!(result, Ok(_) | Err(Error::Core(_) | Error::Vfs(_))) {
                let stream =
                    socket.set_nonblocking(true).and_then(|()| TcpStream::from_std(socket));
                state.stream = Some(stream.map_err(|error| Error::Io("attach", error))?);
            }
            result
        });
        let result = pumping.await.unwrap_or_else(|_| {
            Err(Error::Io("pump", std::io::Error::other("the pump thread failed")))
        });
        if !matches!(result, Ok(_) | Err(Error::Core(_) | Error::Vfs(_))) {
            self.close();
        }
        result
    }

    async fn open_state(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.shared.state.lock().await;
        if self.is_closed() { Err(Error::Closed) } else { Ok(state) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.dead.cancel();
    }
}

/// Closes the socket and gives the place among the connections back, no matter who still holds a
/// handle.
async fn close_when_dead(
    state: Arc<Mutex<State>>,
    dead: CancellationToken,
    slot: Option<OwnedSemaphorePermit>,
) {
    dead.cancelled().await;
    let mut state = state.lock().await;
    state.stream = None;
    state.keys = None;
    drop(slot);
}

/// What is behind the line stays in `pending`.
async fn read_line(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Result<Line> {
    let mut searched = 0;
    loop {
        if let Some(at) = pending[searched..].iter().position(|byte| *byte == b'\n') {
            let rest = pending.split_off(searched + at + 1);
            let mut line = std::mem::replace(pending, rest);
            line.pop();
            return Ok(if line.len() > MAX_LINE_LEN { Line::TooLong } else { Line::Text(line) });
        }
        searched = pending.len();
        if searched > MAX_LINE_LEN {
            return Ok(Line::TooLong);
        }
        if read_some(stream, pending).await? == 0 {
            let line = std::mem::take(pending);
            return Ok(if line.is_empty() { Line::End } else { Line::Text(line) });
        }
    }
}

/// Receives what there is, at most [`READ_LEN`] bytes; 0 at the end of the stream.
async fn read_some(stream: &mut TcpStream, into: &mut Vec<u8>) -> Result<usize> {
    stream.take(READ_LEN as u64).read_buf(into).await.map_err(lost)
}

async fn write_all(stream: &mut TcpStream, mut bytes: &[u8], stall: Duration) -> Result<()> {
    while !bytes.is_empty() {
        let written = timeout(stall, stream.write(bytes))
            .await
            .map_err(|_| Error::Timeout("the peer takes no data"))?
            .map_err(lost)?;
        bytes = &bytes[written..];
    }
    Ok(())
}

/// Reads and drops until the peer ends its side, fails, or has sent too much.
async fn drain(stream: &mut TcpStream) {
    let mut buffer = vec![0; READ_LEN];
    let mut drained = 0;
    while drained < MAX_DRAIN_LEN {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => drained += read,
        }
    }
}

fn lost(error: std::io::Error) -> Error {
    Error::from_socket("socket", error)
}
