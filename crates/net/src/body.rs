//! Bodies that pass through the caller piece by piece: streams, not files.
//!
//! They speak the same records as the pumps, so that either side may use either. They run on the
//! runtime, one record at a time, and are the slower way; files go through the pumps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use e2eeftp_core::crypto::RootHasher;
use e2eeftp_core::record::{CONTENT_OFFSET, Head, InnerType, Sealer};
use e2eeftp_core::transfer::{End, Notice, Reason};
use tokio::time::timeout;

use crate::buffer::{data_record_len, record_content};
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::limits::DRAIN_TIMEOUT;
use crate::link::Message;
use crate::pump::BodyResult;

/// The sending side of a streamed body.
///
/// End it with [`BodyWriter::finish`] or [`BodyWriter::abort`]; a body that is neither leaves the
/// peer waiting until its stall limit.
#[derive(Debug)]
pub struct BodyWriter {
    connection: Arc<Connection>,
    stream: u32,
    hasher: RootHasher,
    sent: u64,
    /// Last time that the peer was sent something.
    last: Instant,
    /// Why the receiver wanted no more, where [`BodyWriter::keep_alive`] has heard it: the answer
    /// to the next call, which is the first that can tell.
    stopped: Option<Reason>,
    /// A Stop that was heard while a record was being sent, and is still to be answered.
    heard_stop: Option<Reason>,
    state: State,
}

/// The receiving side of a streamed body.
#[derive(Debug)]
pub struct BodyReader {
    connection: Arc<Connection>,
    stream: u32,
    hasher: RootHasher,
    received: u64,
    /// Content of the last record that the caller has not taken yet.
    rest: Vec<u8>,
    state: State,
    result: Option<BodyResult>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Open,
    Over,
}

impl BodyWriter {
    pub(crate) fn new(connection: Arc<Connection>, stream: u32) -> Self {
        Self {
            connection,
            stream,
            hasher: RootHasher::new(),
            sent: 0,
            last: Instant::now(),
            stopped: None,
            heard_stop: None,
            state: State::Open,
        }
    }

    /// Sends `piece`. Waits while the peer takes no more: this is the back-pressure.
    ///
    /// # Errors
    /// [`Error::PeerStopped`] when the receiver wants no more (the body is then over and the peer
    /// has been told so), [`Error::Closed`] when the body is over; connection errors.
    pub async fn write(&mut self, piece: &[u8]) -> Result<()> {
        let full = record_content(&self.connection.link.writer().await?.sealer);
        for content in piece.chunks(full) {
            self.check_stop().await?;
            self.hasher.update(content);
            self.send_data(content).await?;
            self.sent += content.len() as u64;
        }
        Ok(())
    }

    /// How long the receiver may be left without a sign: see [`BodyWriter::keep_alive`].
    pub fn keep_alive_interval(&self) -> Duration {
        self.connection.settings.keep_alive
    }

    /// Tells the receiver that the sender is still there, where it has heard nothing for
    /// [`BodyWriter::keep_alive_interval`]; to be called more often than that. False when the body is over and needs no more of this.
    ///
    /// # Errors
    /// As [`BodyWriter::write`].
    pub async fn keep_alive(&mut self) -> Result<bool> {
        if self.state == State::Over || self.connection.link.is_dead() {
            return Ok(false);
        }
        if self.last.elapsed() >= self.keep_alive_interval() {
            if let Err(error) = self.check_stop().await {
                if let Error::PeerStopped(reason) = error {
                    self.stopped = Some(reason);
                }
                return Err(error);
            }
            self.send_data(&[]).await?;
        }
        Ok(true)
    }

    /// Ends the body; the receiver can now verify it.
    ///
    /// # Errors
    /// As [`BodyWriter::write`].
    pub async fn finish(&mut self) -> Result<BodyResult> {
        self.check_stop().await?;
        let result = BodyResult { bytes: self.sent, root: self.hasher.finalize() };
        let end = End { total: result.bytes, root: result.root };
        self.send(InnerType::End, &end.to_wire()).await?;
        self.state = State::Over;
        Ok(result)
    }

    /// Gives the body up; the receiver discards it. Does nothing when the body is over.
    ///
    /// # Errors
    /// Connection errors.
    pub async fn abort(&mut self, reason: Reason) -> Result<()> {
        if self.state == State::Over {
            return Ok(());
        }
        self.send(InnerType::Abort, &reason.to_wire()).await?;
        self.state = State::Over;
        Ok(())
    }

    async fn send_data(&mut self, content: &[u8]) -> Result<()> {
        self.send_with(|sealer, stream, out| {
            let start = out.len();
            out.resize(start + data_record_len(content.len()), 0);
            let record = &mut out[start..];
            record[CONTENT_OFFSET..CONTENT_OFFSET + content.len()].copy_from_slice(content);
            sealer.seal(Head { kind: InnerType::Data, flags: 0, stream }, content.len(), record)
        })
        .await
    }

    async fn send(&mut self, kind: InnerType, content: &[u8]) -> Result<()> {
        self.send_with(|sealer, stream, out| {
            sealer.seal_small(Head { kind, flags: 0, stream }, content, out)
        })
        .await
    }

    async fn send_with(
        &mut self,
        seal: impl FnOnce(
            &mut Sealer,
            u32,
            &mut Vec<u8>,
        ) -> std::result::Result<(), e2eeftp_core::Error>,
    ) -> Result<()> {
        self.check_open()?;
        let connection = Arc::clone(&self.connection);
        let (link, stall) = (&connection.link, connection.settings.stall_timeout);
        let mut writer = link.writer().await?;
        let stream = self.stream;
        let sending = link.send(&mut writer, stall, |sealer, out| seal(sealer, stream, out));
        let mut sending = std::pin::pin!(sending);
        // A receiver that takes nothing for a while says so against the direction of the body.
        loop {
            tokio::select! {
                biased;
                sent = &mut sending => {
                    sent?;
                    break;
                }
                message = hear(&connection), if self.heard_stop.is_none() => {
                    self.heed(&message?).inspect_err(|_| link.destroy())?;
                }
            }
        }
        self.last = Instant::now();
        Ok(())
    }

    fn check_open(&mut self) -> Result<()> {
        match self.state {
            State::Open => Ok(()),
            State::Over => Err(self.stopped.take().map_or(Error::Closed, Error::PeerStopped)),
        }
    }

    /// Looks whether the receiver has asked to stop; never waits. Once the body is over, what
    /// arrives is not for it.
    async fn check_stop(&mut self) -> Result<()> {
        self.check_open()?;
        if self.heard_stop.is_none() {
            let message = {
                let mut reader = self.connection.link.reader().await?;
                self.connection.link.try_receive(&mut reader)?
            };
            let Some(message) = message else { return Ok(()) };
            self.heed(&message)?;
        }
        let Some(reason) = self.heard_stop else { return Ok(()) };
        self.abort(reason).await?;
        Err(Error::PeerStopped(reason))
    }

    /// Takes what the receiver of a running body may say.
    fn heed(&mut self, message: &Message) -> Result<()> {
        let is_ours = message.stream == self.stream;
        match message.kind {
            InnerType::KeyUpdate => Ok(()),
            InnerType::Stop => {
                if is_ours {
                    self.heard_stop = Some(Reason::from_wire(&message.content)?);
                }
                Ok(())
            }
            InnerType::Data if is_ours && Notice::from_wire(&message.content).is_ok() => Ok(()),
            kind => {
                self.connection.link.destroy();
                Err(match kind {
                    InnerType::Close => Error::Closed,
                    _ => Error::Protocol("only Stop and notices may answer a running body"),
                })
            }
        }
    }
}

/// The next record of the receiver. Nothing is lost when this is dropped.
async fn hear(connection: &Connection) -> Result<Message> {
    let mut reader = connection.link.reader().await?;
    connection.link.receive(&mut reader, Duration::ZERO).await
}

impl BodyReader {
    pub(crate) fn new(connection: Arc<Connection>, stream: u32) -> Self {
        Self {
            connection,
            stream,
            hasher: RootHasher::new(),
            received: 0,
            rest: Vec::new(),
            state: State::Open,
            result: None,
        }
    }

    /// The next piece of at most `max_len` bytes, or `None` once the body has ended and its length
    /// and root have been verified. Until then the bytes are authentic, but may not be all.
    ///
    /// # Errors
    /// [`Error::PeerAborted`], [`Error::Integrity`], [`Error::Closed`] after one of these and after
    /// [`BodyReader::stop`]; connection errors.
    pub async fn read(&mut self, max_len: usize) -> Result<Option<Vec<u8>>> {
        loop {
            if !self.rest.is_empty() {
                let tail = self.rest.split_off(max_len.clamp(1, self.rest.len()));
                return Ok(Some(std::mem::replace(&mut self.rest, tail)));
            }
            if self.state == State::Over {
                return if self.result.is_some() { Ok(None) } else { Err(Error::Closed) };
            }
            let message = self.receive().await?;
            match message.kind {
                InnerType::Data => {
                    self.hasher.update(&message.content);
                    self.received += message.content.len() as u64;
                    self.rest = message.content;
                }
                InnerType::End => {
                    self.state = State::Over;
                    self.verify(&End::from_wire(&message.content)?)?;
                }
                InnerType::Abort => {
                    self.state = State::Over;
                    return Err(Error::PeerAborted(Reason::from_wire(&message.content)?));
                }
                _ => {
                    self.connection.link.destroy();
                    return Err(Error::Protocol("a record that does not belong to a body"));
                }
            }
        }
    }

    /// Length and root of a body that was read to its end.
    pub fn result(&self) -> Option<BodyResult> {
        self.result
    }

    /// Asks the sender to stop and drops what still arrives, so that the session can go on. Does
    /// nothing when the body is over.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the sender does not stop in time; connection errors. The session is
    /// over then.
    pub async fn stop(&mut self, reason: Reason) -> Result<()> {
        self.rest.clear();
        if self.state == State::Over {
            return Ok(());
        }
        let draining = async {
            self.send_stop(reason).await?;
            loop {
                let message = self.receive().await?;
                if matches!(message.kind, InnerType::End | InnerType::Abort) {
                    self.state = State::Over;
                    return Ok(());
                }
            }
        };
        let drained = timeout(DRAIN_TIMEOUT, draining)
            .await
            .unwrap_or(Err(Error::Timeout("the peer did not wind the body up")));
        if drained.is_err() {
            self.connection.link.destroy();
        }
        drained
    }

    async fn send_stop(&self, reason: Reason) -> Result<()> {
        let Connection { link, settings, .. } = &*self.connection;
        let head = Head { kind: InnerType::Stop, flags: 0, stream: self.stream };
        let mut writer = link.writer().await?;
        link.send(&mut writer, settings.stall_timeout, |sealer, out| {
            sealer.seal_small(head, &reason.to_wire(), out)
        })
        .await
    }

    async fn receive(&self) -> Result<Message> {
        let Connection { link, settings, .. } = &*self.connection;
        let idle: Duration = settings.stall_timeout;
        let mut reader = link.reader().await?;
        loop {
            let message = link.receive(&mut reader, idle).await?;
            match message.kind {
                // A Stop may have crossed the end of an earlier body on the way.
                InnerType::KeyUpdate | InnerType::Stop => {}
                InnerType::Close => {
                    link.destroy();
                    return Err(Error::Closed);
                }
                _ if message.stream == self.stream => return Ok(message),
                _ => {
                    link.destroy();
                    return Err(Error::Protocol("a record of another body"));
                }
            }
        }
    }

    fn verify(&mut self, end: &End) -> Result<()> {
        if end.total != self.received {
            return Err(Error::Integrity("the body has not the announced length"));
        }
        let root = self.hasher.finalize();
        if root != end.root {
            return Err(Error::Integrity("the BLAKE3 root does not match what was received"));
        }
        self.result = Some(BodyResult { bytes: self.received, root });
        Ok(())
    }
}
