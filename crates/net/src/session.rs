//! An authenticated connection: control messages both ways, and one body at a time.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use e2eeftp_core::crypto::on_clean_stack;
use e2eeftp_core::handshake::{Established, Suite};
use e2eeftp_core::record::{InnerType, MAX_CONTROL_CONTENT};
use e2eeftp_core::transfer::{Notice, Reason};
use e2eeftp_core::{self as core, Exporter, Misuse};
use e2eeftp_vfs::{Source, Staged};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::body::{BodyReader, BodyWriter};
use crate::error::{Error, Result};
use crate::limits::LINGER;
use crate::link::{Link, Message};
use crate::places::Rates;
use crate::pump::{BodyResult, PumpSettings, receive_body, send_body};
use crate::tcp_info::TcpInfo;
use crate::transfer::{Phase, Transfer};

/// An authenticated connection. Cheap to clone; all clones are the same session.
///
/// One task at a time may wait for control messages. Bodies and control messages use the same
/// connection: while a body runs, no other call of this session makes progress.
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) link: Arc<Link>,
    exporter: Exporter,
    session_id: [u8; 16],
    suite: Suite,
    address: SocketAddr,
    pub(crate) settings: SessionSettings,
    closing: AtomicBool,
    /// A place for the next pump, taken ahead. Given back when the connection is dead.
    reserved: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
    /// The file body that was sent last. Its receiver may still be at work on it, and say so.
    last_sent: Mutex<Option<(u32, Transfer)>>,
    /// The highest number of a body that this side has begun to send.
    sent_to: AtomicU32,
}

/// What a session needs from the side that made it.
#[derive(Debug)]
pub(crate) struct SessionSettings {
    pub(crate) stall_timeout: Duration,
    pub(crate) keep_alive: Duration,
    pub(crate) space_timeout: Duration,
    /// Rate limits beside those of each transfer.
    pub(crate) rates: Option<Arc<Rates>>,
    /// Places for pumps, shared with the other sessions of this listener or process.
    pub(crate) pumps: Arc<Semaphore>,
    /// The place among the listener's connections, given back when the session is dropped.
    pub(crate) slot: Option<OwnedSemaphorePermit>,
}

/// Which way a body goes, as this side sees it.
#[derive(Clone, Copy, Debug)]
enum Direction {
    In,
    Out,
}

impl Session {
    pub(crate) fn new(
        stream: TcpStream,
        established: Established,
        address: SocketAddr,
        mut settings: SessionSettings,
    ) -> Self {
        let Established { sealer, opener, exporter, session_id, suite, .. } = established;
        let link = Arc::new(Link::new(stream, sealer, opener));
        let reserved = Arc::default();
        let slot = settings.slot.take();
        tokio::spawn(close_when_dead(Arc::clone(&link), Arc::clone(&reserved), slot));
        let closing = AtomicBool::new(false);
        Self {
            shared: Arc::new(Shared {
                link,
                exporter,
                session_id,
                suite,
                address,
                settings,
                closing,
                reserved,
                last_sent: Mutex::default(),
                sent_to: AtomicU32::new(0),
            }),
        }
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
        let reader = self.shared.link.reader().await?;
        Ok(TcpInfo::of(reader.stream()?.as_fd()))
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
        let link = &self.shared.link;
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
        if let Some((stream, transfer)) = &*lock(&self.shared.last_sent)
            && *stream == message.stream
        {
            transfer.set_phase(match notice {
                Notice::NoSpace => Phase::WaitingForSpace,
                _ => Phase::Done,
            });
        }
        true
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
        let Shared { link, settings, .. } = &*self.shared;
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
        // A place that was not used is as good as a new one; to wait for another beside it could
        // be to wait for oneself.
        if lock(&self.shared.reserved).is_none() {
            let permit = self.pump_permit(transfer).await?;
            *lock(&self.shared.reserved) = Some(permit);
        }
        if self.is_closed() {
            drop(lock(&self.shared.reserved).take());
            return Err(Error::Closed);
        }
        Ok(())
    }

    /// Waits for a free pump.
    pub(crate) async fn pump_permit(&self, transfer: &Transfer) -> Result<OwnedSemaphorePermit> {
        let permit = tokio::select! {
            biased;
            () = self.shared.link.dead().cancelled() => return Err(Error::Closed),
            () = transfer.cancelled() => return Err(Error::Aborted),
            permit = Arc::clone(&self.shared.settings.pumps).acquire_owned() => permit,
        };
        permit.map_err(|_| Error::Closed)
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
        *lock(&self.shared.last_sent) = Some((stream, transfer.clone()));
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

    /// A body that the caller feeds piece by piece.
    pub fn body_writer(&self, stream: u32) -> BodyWriter {
        self.shared.sent_to.fetch_max(stream, Ordering::Relaxed);
        BodyWriter::new(Arc::clone(&self.shared), stream)
    }

    /// A body that the caller takes piece by piece.
    pub fn body_reader(&self, stream: u32) -> BodyReader {
        BodyReader::new(Arc::clone(&self.shared), stream)
    }

    /// Says goodbye and ends the connection; waits at most a second for a running body to end and
    /// for the goodbye to leave. Idempotent.
    pub async fn close(&self, reason: Reason) {
        let Shared { link, settings, closing, .. } = &*self.shared;
        if closing.swap(true, Ordering::AcqRel) || link.is_dead() {
            return;
        }
        let polite = async {
            let mut writer = link.writer().await?;
            link.send(&mut writer, settings.stall_timeout, |sealer, out| {
                sealer.seal_close(reason, out)
            })
            .await?;
            writer.shutdown()?;
            Ok::<(), Error>(())
        };
        // Whether or not the goodbye could be said, the connection is over.
        drop(timeout(LINGER, polite).await);
        link.destroy();
    }

    /// Ends the connection at once. Everything that waits on it fails with [`Error::Closed`].
    pub fn destroy(&self) {
        self.shared.link.destroy();
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.link.is_dead()
    }

    /// Gives up a body that was cancelled while it waited for a pump.
    async fn decline(&self, stream: u32, direction: Direction) -> Error {
        let told = match direction {
            Direction::Out => self.body_writer(stream).abort(Reason::Cancelled).await,
            Direction::In => self.body_reader(stream).stop(Reason::Cancelled).await,
        };
        told.err().unwrap_or(Error::Aborted)
    }

    /// Takes the socket off the runtime, runs `work` on a blocking thread, puts the socket back.
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
        let reserved = lock(&self.shared.reserved).take();
        let permit = match reserved {
            Some(permit) => permit,
            None => match self.pump_permit(transfer).await {
                Err(Error::Aborted) => return Err(self.decline(stream, direction).await),
                permit => permit?,
            },
        };
        let shared = Arc::clone(&self.shared);
        let transfer = transfer.clone();
        let runtime = tokio::runtime::Handle::current();
        let pump = spawn_blocking(move || {
            let _permit = permit;
            let link = &shared.link;
            let mut reader = runtime.block_on(link.reader())?;
            let mut writer = runtime.block_on(link.writer())?;
            let socket = link.detach(&mut reader, &mut writer)?;
            let reader_half = &mut *reader;
            let settings = PumpSettings {
                sealer: &mut writer.sealer,
                opener: &mut reader_half.opener,
                pending: &mut reader_half.pending,
                stream,
                transfer: &transfer,
                dead: link.dead(),
                stall_timeout: shared.settings.stall_timeout,
                keep_alive: shared.settings.keep_alive,
                space_timeout: shared.settings.space_timeout,
                limiter: shared.settings.rates.as_deref().map(|rates| match direction {
                    Direction::In => &rates.inbound,
                    Direction::Out => &rates.outbound,
                }),
                epoch: link.epoch(),
            };
            reader_half.heard = true;
            let result = on_clean_stack(|| work(&socket, settings));
            match &result {
                Err(error) if !error.keeps_session() => link.destroy(),
                _ => link.attach(&mut reader, &mut writer, socket)?,
            }
            result
        });
        pump.await.unwrap_or_else(|_| {
            self.destroy();
            Err(Error::Io("pump", std::io::Error::other("the pump thread failed")))
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.link.destroy();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes the socket and gives the places among connections and pumps back as soon as the connection is
/// dead, no matter who still holds a handle of the session.
async fn close_when_dead(
    link: Arc<Link>,
    reserved: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
    slot: Option<OwnedSemaphorePermit>,
) {
    link.dead().cancelled().await;
    drop(lock(&reserved).take());
    link.drop_sockets().await;
    drop(slot);
}
