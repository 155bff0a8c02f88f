//! An authenticated connection: control messages both ways, and one body at a time.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use e2eeftp_core::compress::Mode;
use e2eeftp_core::handshake::{Established, Suite};
use e2eeftp_core::record::{InnerType, MAX_CONTROL_CONTENT};
use e2eeftp_core::transfer::{Notice, Reason};
use e2eeftp_core::{self as core, Exporter, Misuse};
use e2eeftp_vfs::{BlockStaged, Source, Staged};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_util::sync::CancellationToken;

use crate::block_lanes::{Lanes, run_lanes};
use crate::body::{BodyReader, BodyWriter};
use crate::connection::{Connection, ConnectionSettings};
use crate::error::{Error, Result};
use crate::lane_offer::LaneSource;
use crate::link::{Link, Message};
use crate::pump::{
    BlocksResult, BodyResult, FilePart, PumpSettings, ReceiveBoard, SendBoard, StagedSink,
    StreamSink, StreamSource, receive_blocks, receive_body, receive_on_lane, receive_stream,
    send_blocks, send_body, send_on_lane, send_stream,
};
use crate::tcp_info::TcpInfo;
use crate::transfer::{Phase, Transfer};

/// An authenticated connection. Cheap to clone; all clones are the same session.
///
/// One task at a time may wait for control messages. Bodies and control messages use the same
/// connection: while a body runs, no other call of this session makes progress.
#[derive(Clone, Debug)]
pub struct Session {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connection: Arc<Connection>,
    exporter: Exporter,
    session_id: [u8; 16],
    suite: Suite,
    address: SocketAddr,
    /// The file body that was sent last. Its receiver may still be at work on it, and say so.
    last_sent: Mutex<Option<(u32, Transfer)>>,
    /// The highest number of a body that this side has begun to send.
    sent_to: AtomicU32,
    /// On the server's end only.
    lanes: Option<LaneSource>,
}

/// Which way a body goes, as this side sees it.
#[derive(Clone, Copy, Debug)]
enum Direction {
    In,
    Out,
    /// Out, by blocks: a map comes in before.
    BlocksOut,
    /// A dialog.
    Both,
}

impl Session {
    /// `places` are given back when the session has ended; the server's end has `lanes`.
    pub(crate) fn new(
        stream: TcpStream,
        established: Established,
        address: SocketAddr,
        settings: ConnectionSettings,
        places: Vec<OwnedSemaphorePermit>,
        lanes: Option<LaneSource>,
    ) -> Self {
        let Established { sealer, opener, exporter, session_id, suite, .. } = established;
        let link = Link::new(stream, sealer, opener, CancellationToken::new());
        let connection = Connection::new(link, settings, places);
        Self {
            shared: Arc::new(Shared {
                connection,
                exporter,
                session_id,
                suite,
                address,
                last_sent: Mutex::default(),
                sent_to: AtomicU32::new(0),
                lanes,
            }),
        }
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.shared.connection
    }

    pub(crate) fn exporter(&self) -> &Exporter {
        &self.shared.exporter
    }

    pub(crate) fn lane_source(&self) -> Option<&LaneSource> {
        self.shared.lanes.as_ref()
    }

    /// The random name of this session, the same on both sides.
    pub fn session_id(&self) -> [u8; 16] {
        self.shared.session_id
    }

    /// The AEAD that both sides have agreed on.
    pub fn suite(&self) -> Suite {
        self.shared.suite
    }

    /// What the kernel knows of this connection; `None` where it tells nothing. Waits while a pump
    /// has the socket: a running transfer has figures of its own.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn tcp_info(&self) -> Result<Option<TcpInfo>> {
        let reader = self.connection().link.reader().await?;
        Ok(TcpInfo::of(reader.stream()?))
    }

    /// The peer's address.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Derives `out.len()` secret bytes that both sides of this session can derive, and nobody
    /// else (`docs/PROTOCOL.md`, "Exporter").
    ///
    /// # Errors
    /// [`Error::Core`] when `out` is longer than HKDF allows.
    pub fn export(&self, label: &str, context: &[u8], out: &mut [u8]) -> Result<()> {
        Ok(self.shared.exporter.export(label, context, out)?)
    }

    /// The next control message, or `None` once the peer has closed the connection properly.
    ///
    /// `idle` bounds the wait for the first byte; zero means no bound. Cancel safe: a message that
    /// has arrived in part is kept.
    ///
    /// # Errors
    /// [`Error::Refused`] in place of the first message; [`Error::ConnectionLost`] on a bare end of
    /// stream; [`Error::Timeout`]; [`Error::Core`] and [`Error::Protocol`] end the session.
    pub async fn next_control(&self, idle: Duration) -> Result<Option<Vec<u8>>> {
        let link = &self.connection().link;
        let mut reader = link.reader().await?;
        if let Some(message) = reader.ahead.take() {
            return Ok(Some(message));
        }
        loop {
            let message = link.receive(&mut reader, idle).await?;
            match message.kind {
                InnerType::Control => return Ok(Some(message.content)),
                InnerType::Close => {
                    link.destroy();
                    return Ok(None);
                }
                // A Stop may cross the end of its body on the way.
                InnerType::KeyUpdate | InnerType::Stop => {}
                // So may a notice; it counts as a sign of life.
                InnerType::Data if self.take_notice(&message) => {}
                _ => {
                    link.destroy();
                    return Err(Error::Protocol("a body record outside a body"));
                }
            }
        }
    }

    /// Whether `message` is a notice about a body that this side has sent to its end.
    fn take_notice(&self, message: &Message) -> bool {
        let Ok(notice) = Notice::from_wire(&message.content) else { return false };
        if message.stream > self.shared.sent_to.load(Ordering::Relaxed) {
            return false;
        }
        let last = self.shared.last_sent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((stream, transfer)) = &*last
            && *stream == message.stream
        {
            transfer.set_phase(match notice {
                Notice::NoSpace => Phase::WaitingForSpace,
                _ => Phase::Done,
            });
        }
        true
    }

    /// Remembers a body that this side has sent to its end.
    fn note_sent(&self, stream: u32, transfer: &Transfer) {
        let mut last = self.shared.last_sent.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((stream, transfer.clone()));
    }

    /// Sends one control message of at most 16 KiB.
    ///
    /// # Errors
    /// [`Error::Core`] when it is empty or too long, which leaves the session as it was; connection
    /// errors.
    pub async fn send_control(&self, message: &[u8]) -> Result<()> {
        if !(1..=MAX_CONTROL_CONTENT).contains(&message.len()) {
            return Err(core::Error::from(Misuse::ContentLength).into());
        }
        let Connection { link, settings, .. } = &**self.connection();
        let mut writer = link.writer().await?;
        link.send(&mut writer, settings.stall_timeout, |sealer, out| {
            sealer.seal_control(message, out)
        })
        .await
    }

    /// Waits until a pump is free and keeps it for the next [`Session::send_file`] or
    /// [`Session::receive_file`]. To be called before the peer is told to start, so that its
    /// waiting is no stalled body.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Aborted`] after a cancel of `transfer`.
    pub async fn reserve_pump(&self, transfer: &Transfer) -> Result<()> {
        self.connection().reserve_pump(transfer).await
    }

    /// Waits for a free pump.
    pub(crate) async fn pump_permit(&self, transfer: &Transfer) -> Result<OwnedSemaphorePermit> {
        self.connection().pump_permit(transfer).await
    }

    /// Sends `length` bytes of `source` from `offset` on as body `stream`, on a thread of its own.
    ///
    /// # Errors
    /// As [`send_body`]; the session stays usable where [`Error::keeps_session`] says so.
    pub async fn send_file(
        &self,
        transfer: &Transfer,
        source: Arc<dyn Source>,
        stream: u32,
        offset: u64,
        length: u64,
    ) -> Result<BodyResult> {
        self.shared.sent_to.fetch_max(stream, Ordering::Relaxed);
        let sent = self
            .run_pump(transfer, stream, Direction::Out, move |socket, settings| {
                send_body(socket, &*source, offset, length, settings)
            })
            .await?;
        self.note_sent(stream, transfer);
        Ok(sent)
    }

    /// Receives body `stream` into `staged`, on a thread of its own, and gives the staged file back
    /// with the result. Nothing is committed here.
    ///
    /// # Errors
    /// As [`receive_body`]; the staged file is dropped (aborted) then.
    pub async fn receive_file(
        &self,
        transfer: &Transfer,
        mut staged: Box<dyn Staged>,
        stream: u32,
        expected_len: Option<u64>,
    ) -> Result<(BodyResult, Box<dyn Staged>)> {
        self.run_pump(transfer, stream, Direction::In, move |socket, settings| {
            let result = receive_body(socket, &mut *staged, expected_len, settings)?;
            Ok((result, staged))
        })
        .await
    }

    /// Sends the file of `size` bytes that is `source` by blocks, as body `stream`, to a receiver that
    /// tells first what it has of it. Returns once the end is written; whether the receiver has it all is
    /// told by its reply.
    ///
    /// # Errors
    /// [`Error::Vfs`] when the source fails or changed under way, [`Error::Aborted`] after a cancel,
    /// [`Error::PeerStopped`]; connection errors. The session stays usable where
    /// [`Error::keeps_session`] says so.
    pub async fn send_blocks(
        &self,
        transfer: &Transfer,
        source: Arc<dyn Source>,
        stream: u32,
        size: u64,
        lanes: Lanes,
    ) -> Result<BlocksResult> {
        self.shared.sent_to.fetch_max(stream, Ordering::Relaxed);
        let (tell, told) = oneshot::channel();
        let on_start = move |board: &Arc<SendBoard>| drop(tell.send(Arc::clone(board)));
        let main =
            self.run_pump(transfer, stream, Direction::BlocksOut, move |socket, settings| {
                send_blocks(socket, source, size, settings, on_start)
            });
        tokio::select! {
            sent = main => {
                let sent = sent?;
                self.note_sent(stream, transfer);
                Ok(sent)
            }
            never = run_lanes(self.clone(), lanes, transfer.clone(), stream, told, send_on_lane) => match never {},
        }
    }

    /// Receives body `stream` by blocks into `staged`, after telling the sender what is there of it
    /// already. Returns once all blocks are there and their root has been compared; nothing is committed
    /// here. After a failure what has arrived is claimed in the journal, where `staged` has one, so that a
    /// later transfer goes on from there.
    ///
    /// # Errors
    /// [`Error::Vfs`] when the target fails, [`Error::Integrity`] when blocks are missing or the root
    /// differs, [`Error::Aborted`] after a cancel, [`Error::PeerAborted`]; connection errors.
    pub async fn receive_blocks(
        &self,
        transfer: &Transfer,
        staged: Arc<dyn BlockStaged>,
        stream: u32,
        lanes: Lanes,
    ) -> Result<BlocksResult> {
        let (tell, told) = oneshot::channel();
        let on_start = move |board: &Arc<ReceiveBoard>| drop(tell.send(Arc::clone(board)));
        let main = self.run_pump(transfer, stream, Direction::In, move |socket, settings| {
            receive_blocks(socket, staged, settings, on_start)
        });
        tokio::select! {
            received = main => received,
            never = run_lanes(self.clone(), lanes, transfer.clone(), stream, told, receive_on_lane) => match never {},
        }
    }

    /// As [`send_file`](Self::send_file), with a compressed body.
    ///
    /// # Errors
    /// As [`send_stream`].
    pub async fn send_compressed_file(
        &self,
        transfer: &Transfer,
        source: Arc<dyn Source>,
        stream: u32,
        (offset, length): (u64, u64),
        mode: Mode,
    ) -> Result<BodyResult> {
        transfer.set_total(Some(length));
        let part = FilePart::new(source, offset, length);
        self.send_stream(transfer, Box::new(part), stream, Some(mode)).await
    }

    /// As [`receive_file`](Self::receive_file), of a compressed body.
    ///
    /// # Errors
    /// As [`receive_stream`]; the staged file is dropped (aborted) then.
    pub async fn receive_compressed_file(
        &self,
        transfer: &Transfer,
        mut staged: Box<dyn Staged>,
        stream: u32,
        expected_len: Option<u64>,
    ) -> Result<(BodyResult, Box<dyn Staged>)> {
        self.run_pump(transfer, stream, Direction::In, move |socket, settings| {
            let mut sink = StagedSink::new(&mut *staged);
            let result = receive_stream(socket, &mut sink, expected_len, true, settings)?;
            Ok((result, staged))
        })
        .await
    }

    /// Sends all that `source` gives as body `stream`, on a thread of its own.
    ///
    /// # Errors
    /// As [`send_stream`]; the session stays usable where [`Error::keeps_session`] says so.
    pub async fn send_stream(
        &self,
        transfer: &Transfer,
        mut source: Box<dyn StreamSource>,
        stream: u32,
        compress: Option<Mode>,
    ) -> Result<BodyResult> {
        let keep_alive = self.connection().settings.keep_alive;
        self.shared.sent_to.fetch_max(stream, Ordering::Relaxed);
        let sent = self
            .run_pump(transfer, stream, Direction::Out, move |socket, settings| {
                send_stream(socket, &mut *source, compress, keep_alive, settings)
            })
            .await?;
        self.note_sent(stream, transfer);
        Ok(sent)
    }

    /// Receives body `stream` into `sink`, on a thread of its own.
    ///
    /// # Errors
    /// As [`receive_stream`].
    pub async fn receive_stream(
        &self,
        transfer: &Transfer,
        mut sink: Box<dyn StreamSink>,
        stream: u32,
        expected_len: Option<u64>,
        is_compressed: bool,
    ) -> Result<BodyResult> {
        self.run_pump(transfer, stream, Direction::In, move |socket, settings| {
            receive_stream(socket, &mut *sink, expected_len, is_compressed, settings)
        })
        .await
    }

    /// A body that the caller feeds piece by piece.
    pub fn body_writer(&self, stream: u32) -> BodyWriter {
        self.shared.sent_to.fetch_max(stream, Ordering::Relaxed);
        BodyWriter::new(Arc::clone(self.connection()), stream)
    }

    /// A body that the caller takes piece by piece.
    pub fn body_reader(&self, stream: u32) -> BodyReader {
        BodyReader::new(Arc::clone(self.connection()), stream)
    }

    /// Says goodbye and ends the connection; waits at most a second for a running body to end and
    /// for the goodbye to leave. Idempotent.
    pub async fn close(&self, reason: Reason) {
        self.connection().close(reason).await;
    }

    /// Ends the connection at once. Everything that waits on it fails with [`Error::Closed`].
    pub fn destroy(&self) {
        self.connection().link.destroy();
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.connection().link.is_dead()
    }

    /// Runs a dialog in both directions, on a thread of its own.
    pub(crate) async fn run_dialog<T, F>(
        &self,
        transfer: &Transfer,
        stream: u32,
        work: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&std::net::TcpStream, PumpSettings<'_>) -> Result<T> + Send + 'static,
    {
        self.run_pump(transfer, stream, Direction::Both, work).await
    }

    /// Gives up a body that was cancelled while it waited for a pump.
    async fn decline(&self, stream: u32, direction: Direction) -> Error {
        let told = match direction {
            Direction::Out => self.body_writer(stream).abort(Reason::Cancelled).await,
            Direction::BlocksOut => {
                let aborted = self.body_writer(stream).abort(Reason::Cancelled).await;
                // The map of the receiver is on its way.
                aborted.and(self.body_reader(stream).stop(Reason::Cancelled).await)
            }
            Direction::In => self.body_reader(stream).stop(Reason::Cancelled).await,
            // Both directions are given up. Only this side's end can be told: the connection goes.
            Direction::Both => {
                let told = self.body_writer(stream).abort(Reason::Cancelled).await;
                self.destroy();
                told
            }
        };
        told.err().unwrap_or(Error::Aborted)
    }

    /// Runs `work` with the socket on a blocking thread. A cancel that comes before it has a place
    /// is told to the peer, which has been asked to start.
    async fn run_pump<T, F>(
        &self,
        transfer: &Transfer,
        stream: u32,
        direction: Direction,
        work: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&std::net::TcpStream, PumpSettings<'_>) -> Result<T> + Send + 'static,
    {
        let connection = self.connection();
        let place = match connection.place(transfer).await {
            Err(Error::Aborted) => return Err(self.decline(stream, direction).await),
            place => place?,
        };
        connection.run_pump(place, transfer, stream, work).await
    }
}
