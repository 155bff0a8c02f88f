//! A TCP connection after the handshake: records in, records out, in two halves.
//!
//! The halves are locked apart, so that a message can be sent while another is awaited. A pump
//! needs both and takes the socket off the runtime for as long as it runs ([`Link::detach`]).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use e2eeftp_core::record::{HEADER_LEN, InnerType, Opener, Sealer};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::handshake::REFUSAL_KIND;
use crate::limits::RECORD_TIMEOUT;

/// Both halves of a connection.
#[derive(Debug)]
pub(crate) struct Link {
    reader: Mutex<ReadHalf>,
    writer: Mutex<WriteHalf>,
    /// Ends every wait on this connection; set by destroy and by the first fatal error.
    dead: CancellationToken,
    /// The zero of the clock that the key ratchet sees.
    epoch: Instant,
    /// When the last record of the peer was opened, in milliseconds since `epoch`.
    heard_ms: AtomicU64,
}

/// The receiving half.
#[derive(Debug)]
pub(crate) struct ReadHalf {
    /// `None` while a pump has the socket, and after the connection has died.
    stream: Option<Arc<TcpStream>>,
    pub(crate) opener: Opener,
    /// Received bytes that no record has been made of yet.
    pub(crate) pending: Vec<u8>,
    /// A refusal in clear can only stand in place of the first record.
    pub(crate) heard: bool,
    /// A control message that arrived while the request before it ran, and waits for its turn.
    pub(crate) ahead: Option<Vec<u8>>,
}

/// The sending half.
#[derive(Debug)]
pub(crate) struct WriteHalf {
    stream: Option<Arc<TcpStream>>,
    pub(crate) sealer: Sealer,
}

/// One opened record, copied out of the receive buffer.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: InnerType,
    pub(crate) stream: u32,
    pub(crate) content: Vec<u8>,
}

impl Link {
    /// The connection ends when `dead` is cancelled.
    pub(crate) fn new(
        stream: TcpStream,
        sealer: Sealer,
        opener: Opener,
        dead: CancellationToken,
    ) -> Self {
        let stream = Arc::new(stream);
        Self {
            reader: Mutex::new(ReadHalf {
                stream: Some(Arc::clone(&stream)),
                opener,
                pending: Vec::new(),
                heard: false,
                ahead: None,
            }),
            writer: Mutex::new(WriteHalf { stream: Some(stream), sealer }),
            dead,
            epoch: Instant::now(),
            heard_ms: AtomicU64::new(0),
        }
    }

    /// Ends the connection at once; every waiting and later operation fails.
    pub(crate) fn destroy(&self) {
        self.dead.cancel();
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.is_cancelled()
    }

    pub(crate) fn dead(&self) -> &CancellationToken {
        &self.dead
    }

    /// Milliseconds since the connection was made, for the key ratchet.
    pub(crate) fn now_ms(&self) -> u64 {
        elapsed_ms(self.epoch)
    }

    /// Whether a record of the peer was received within the last `time`.
    fn heard_since(&self, time: Duration) -> bool {
        let ago = self.now_ms().saturating_sub(self.heard_ms.load(Ordering::Relaxed));
        Duration::from_millis(ago) < time
    }

    pub(crate) fn epoch(&self) -> Instant {
        self.epoch
    }

    pub(crate) async fn reader(&self) -> Result<MutexGuard<'_, ReadHalf>> {
        let guard = self.reader.lock().await;
        if self.is_dead() { Err(Error::Closed) } else { Ok(guard) }
    }

    pub(crate) async fn writer(&self) -> Result<MutexGuard<'_, WriteHalf>> {
        let guard = self.writer.lock().await;
        if self.is_dead() { Err(Error::Closed) } else { Ok(guard) }
    }

    /// Runs `work`, and ends it when the connection is destroyed. An error that leaves the two
    /// sides out of step kills the connection.
    pub(crate) async fn guard<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let result = tokio::select! {
            biased;
            () = self.dead.cancelled() => return Err(Error::Closed),
            result = work => result,
        };
        if let Err(error) = &result
            && !error.keeps_session()
        {
            self.destroy();
        }
        result
    }

    /// Waits for the next record; `idle` bounds the wait for its first byte (zero: no bound).
    pub(crate) async fn receive(&self, reader: &mut ReadHalf, idle: Duration) -> Result<Message> {
        self.guard(async {
            let record = reader.read_record(idle).await?;
            let message = reader.open(record)?;
            self.heard_ms.store(self.now_ms(), Ordering::Relaxed);
            Ok(message)
        })
        .await
    }

    /// The next record if all of it has already arrived.
    pub(crate) fn try_receive(&self, reader: &mut ReadHalf) -> Result<Option<Message>> {
        let result = reader
            .try_read_record()
            .and_then(|record| record.map(|record| reader.open(record)).transpose());
        if result.is_err() {
            self.destroy();
        }
        result
    }

    /// Lets `seal` write records into a buffer and sends it. A key update goes in front when due.
    /// A peer that takes nothing for `stall` is given up, unless a record of it was received
    /// meanwhile.
    pub(crate) async fn send(
        &self,
        writer: &mut WriteHalf,
        stall: Duration,
        seal: impl FnOnce(&mut Sealer, &mut Vec<u8>) -> std::result::Result<(), e2eeftp_core::Error>,
    ) -> Result<()> {
        let now_ms = self.now_ms();
        self.guard(async {
            let mut out = Vec::new();
            if writer.sealer.needs_update(now_ms) {
                writer.sealer.seal_update(now_ms, &mut out)?;
            }
            seal(&mut writer.sealer, &mut out)?;
            writer.write_all(&out, stall, || self.heard_since(stall)).await
        })
        .await
    }

    /// Closes the socket and forgets the keys, once no operation uses them any more. Whoever
    /// holds the connection may keep it for long.
    pub(crate) async fn drop_sockets(&self) {
        let mut reader = self.reader.lock().await;
        reader.stream = None;
        reader.opener.forget();
        drop(reader);
        let mut writer = self.writer.lock().await;
        writer.stream = None;
        writer.sealer.forget();
    }

    /// Takes the socket off the runtime and makes it blocking, for a pump.
    pub(crate) fn detach(
        &self,
        reader: &mut ReadHalf,
        writer: &mut WriteHalf,
    ) -> Result<std::net::TcpStream> {
        let (Some(one), Some(other)) = (reader.stream.take(), writer.stream.take()) else {
            self.destroy();
            return Err(Error::Closed);
        };
        drop(one);
        let detached = Arc::into_inner(other)
            .ok_or(Error::Closed)
            .and_then(|stream| stream.into_std().map_err(|error| Error::Io("detach", error)))
            .and_then(|stream| match stream.set_nonblocking(false) {
                Ok(()) => Ok(stream),
                Err(error) => Err(Error::Io("set blocking", error)),
            });
        if detached.is_err() {
            self.destroy();
        }
        detached
    }

    /// Gives the socket back to the runtime after a pump.
    pub(crate) fn attach(
        &self,
        reader: &mut ReadHalf,
        writer: &mut WriteHalf,
        stream: std::net::TcpStream,
    ) -> Result<()> {
        let attached =
            stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)).map(Arc::new);
        match attached {
            Ok(stream) => {
                reader.stream = Some(Arc::clone(&stream));
                writer.stream = Some(stream);
                Ok(())
            }
            Err(error) => {
                self.destroy();
                Err(Error::Io("attach", error))
            }
        }
    }
}

impl ReadHalf {
    pub(crate) fn stream(&self) -> Result<&TcpStream> {
        self.stream.as_deref().ok_or(Error::Closed)
    }

    /// Bytes still missing until `pending` holds a whole record; 0 when it does.
    fn missing(&self) -> Result<usize> {
        let Some(header) = self.pending.first_chunk::<HEADER_LEN>() else {
            return Ok(HEADER_LEN - self.pending.len());
        };
        if header[0] == REFUSAL_KIND {
            return Err(if self.heard {
                Error::Protocol("a refusal inside the session")
            } else {
                Error::Refused
            });
        }
        let len = self.opener.record_len(header)?;
        Ok(len.saturating_sub(self.pending.len()))
    }

    /// Cuts the first record off `pending`. Must only be called when nothing is missing.
    fn take_record(&mut self) -> Result<Vec<u8>> {
        let header = self.pending.first_chunk::<HEADER_LEN>().ok_or_else(Error::end_of_stream)?;
        let len = self.opener.record_len(header)?;
        let rest = self.pending.split_off(len);
        Ok(std::mem::replace(&mut self.pending, rest))
    }

    async fn read_record(&mut self, idle: Duration) -> Result<Vec<u8>> {
        if self.pending.is_empty() {
            // The runtime may call a socket readable that is not: only a byte is a byte.
            let first = async {
                while !self.fill()? {
                    self.stream()?.readable().await.map_err(lost)?;
                }
                Ok::<(), Error>(())
            };
            if idle.is_zero() {
                first.await?;
            } else {
                timeout(idle, first).await.map_err(|_| Error::Timeout("the peer is idle"))??;
            }
        }
        let whole = async {
            loop {
                if self.missing()? == 0 {
                    return self.take_record();
                }
                self.stream()?.readable().await.map_err(lost)?;
                self.fill()?;
            }
        };
        timeout(RECORD_TIMEOUT, whole)
            .await
            .map_err(|_| Error::Timeout("a record did not arrive in time"))?
    }

    fn try_read_record(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if self.missing()? == 0 {
                return self.take_record().map(Some);
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Moves what has arrived into `pending`, at most to the end of the first record. False when
    /// nothing was there.
    fn fill(&mut self) -> Result<bool> {
        let missing = self.missing()?;
        let filled = self.pending.len();
        self.pending.resize(filled + missing, 0);
        let stream = self.stream.as_deref().ok_or(Error::Closed)?;
        let read = stream.try_read(&mut self.pending[filled..]);
        self.pending.truncate(filled + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(0) => Err(Error::end_of_stream()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(lost(error)),
        }
    }

    fn open(&mut self, mut record: Vec<u8>) -> Result<Message> {
        let opened = self.opener.open(&mut record)?;
        refuse_flags(opened.flags)?;
        self.heard = true;
        let (kind, stream, range) = (opened.kind, opened.stream, opened.content_range);
        record.truncate(range.end);
        record.drain(..range.start);
        Ok(Message { kind, stream, content: record })
    }
}

impl WriteHalf {
    async fn write_all(
        &mut self,
        mut bytes: &[u8],
        stall: Duration,
        was_heard: impl Fn() -> bool,
    ) -> Result<()> {
        let stream = self.stream.as_deref().ok_or(Error::Closed)?;
        while !bytes.is_empty() {
            match timeout(stall, stream.writable()).await {
                Ok(ready) => ready.map_err(lost)?,
                Err(_) if was_heard() => continue,
                Err(_) => return Err(Error::Timeout("the peer takes no data")),
            }
            match stream.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(lost(error)),
            }
        }
        Ok(())
    }

    /// Tells the peer's kernel that nothing more will be sent.
    pub(crate) fn shutdown(&self) -> Result<()> {
        let stream = self.stream.as_deref().ok_or(Error::Closed)?;
        socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write).map_err(lost)
    }
}

/// Version 1 defines no flag for any record (`docs/PROTOCOL.md` §6).
pub(crate) fn refuse_flags(flags: u8) -> Result<()> {
    if flags == 0 { Ok(()) } else { Err(Error::Protocol("a flag that version 1 does not define")) }
}

pub(crate) fn elapsed_ms(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn lost(error: io::Error) -> Error {
    Error::from_socket("socket", error)
}
