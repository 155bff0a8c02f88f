//! A socket that is used by blocking calls and can still be cancelled: every wait is cut into
//! short ticks. Every byte of a pump passes here, so this is where rate limits hold and where the
//! time of the socket is counted.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::limits::DRAIN_TIMEOUT;
use crate::pump::PumpSettings;
use crate::pump::limiter::RateLimiter;
use crate::pump::meter::{Meter, Stage};
use crate::pump::socket as calls;
use crate::transfer::{Phase, Transfer};

/// Longest sleep for a rate limit: how soon a cancel is noticed then.
const NAP: Duration = Duration::from_millis(50);
/// A batch takes about this part of a second at a low rate, so that a Stop is heard between two.
const BATCHES: u64 = 4;

/// The socket of one running pump.
#[derive(Debug)]
pub(crate) struct Wire<'a> {
    socket: &'a TcpStream,
    transfer: &'a Transfer,
    dead: &'a CancellationToken,
    stall_timeout: Duration,
    /// The limit of the whole server, beside that of the transfer.
    shared_limiter: Option<&'a RateLimiter>,
    /// Counts this thread's time.
    pub(crate) meter: Meter,
    /// Since when the peer moves nothing, while it is waited for. What this side's disk takes does
    /// not count.
    waiting: Option<Instant>,
    /// Once the body is given up: when the connection is given up too.
    drain_deadline: Option<Instant>,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(
        socket: &'a TcpStream,
        transfer: &'a Transfer,
        dead: &'a CancellationToken,
        stall_timeout: Duration,
    ) -> Result<Self> {
        calls::prepare(socket).map_err(|error| Error::Io("set socket time-out", error))?;
        Ok(Self {
            socket,
            transfer,
            dead,
            stall_timeout,
            shared_limiter: None,
            meter: Meter::start(transfer.totals()),
            waiting: None,
            drain_deadline: None,
        })
    }

    /// The socket of a pump that sends a file with `settings`.
    pub(crate) fn to_send(socket: &'a TcpStream, settings: &PumpSettings<'a>) -> Result<Self> {
        let PumpSettings { transfer, dead, stall_timeout, rates, .. } = *settings;
        let mut wire = Self::new(socket, transfer, dead, stall_timeout)?;
        wire.shared_limiter = rates.map(|rates| &rates.outbound);
        Ok(wire)
    }

    /// The socket of a pump that receives a file with `settings`.
    pub(crate) fn to_receive(socket: &'a TcpStream, settings: &PumpSettings<'a>) -> Result<Self> {
        let PumpSettings { transfer, dead, stall_timeout, rates, .. } = *settings;
        let mut wire = Self::new(socket, transfer, dead, stall_timeout)?;
        wire.shared_limiter = rates.map(|rates| &rates.inbound);
        Ok(wire)
    }

    /// Whether any rate limit holds at the moment.
    pub(crate) fn is_limited(&self) -> bool {
        self.limiters().any(|limiter| limiter.rate().is_some())
    }

    /// How a batch of at most `count` records of at most `content` bytes shrinks under the rate
    /// limit, so that each takes a fraction of a second. `least` is the shortest content worth a
    /// record. Returns content and count.
    pub(crate) fn batch(&self, content: usize, count: usize, least: usize) -> (usize, usize) {
        let Some(rate) = self.limiters().filter_map(RateLimiter::rate).min() else {
            return (content, count);
        };
        let share = usize::try_from(rate / BATCHES).unwrap_or(usize::MAX);
        let content = share.clamp(least.min(content), content);
        (content, (share / content).clamp(1, count))
    }

    /// The peer has given a sign of life: it is waited for anew.
    pub(crate) fn heard(&mut self) {
        self.waiting = None;
    }

    /// Puts the time since the last lap on `stage`, and hands figures over when that is due.
    pub(crate) fn lap(&mut self, stage: Stage) {
        self.meter.lap(stage);
        self.meter.batch(self.socket);
    }

    /// From now on only the way back into step counts: no cancel, one deadline for all of it.
    pub(crate) fn start_draining(&mut self) {
        self.drain_deadline.get_or_insert_with(|| Instant::now() + DRAIN_TIMEOUT);
    }

    /// Sends all of `bytes`. A cancel does not cut a batch in two: the peer gets whole records, or
    /// the connection ends.
    pub(crate) fn write_all(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let written = self.write_some(bytes)?;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Sends as much of `bytes` as the socket and the rate limit take; 0 when a tick passed
    /// without a byte. After a cancel the rest must follow all the same, see [`Wire::write_all`].
    pub(crate) fn write_some(&mut self, bytes: &[u8]) -> Result<usize> {
        let len = self.turn(bytes.len())?;
        let outcome = calls::send(self.socket, &bytes[..len]);
        self.refund(len - outcome.as_ref().copied().unwrap_or(0));
        self.lap(Stage::SocketWrite);
        let written = match outcome {
            Ok(0) => return Err(Error::end_of_stream()),
            Ok(written) => {
                self.waiting = None;
                written
            }
            Err(error) => self.judge("send", error).map(|()| 0)?,
        };
        if self.transfer.is_cancelled() {
            if written == 0 && self.transfer.progress().phase == Phase::WaitingForSpace {
                // The peer reads nothing until it has room: there is no way back into step.
                return Err(Error::Closed);
            }
            self.start_draining();
        }
        self.check()?;
        Ok(written)
    }

    /// Receives into `buffer`: what there is, or where `wanted` is given, that many bytes (at most
    /// the whole buffer) unless a tick passes first. `None` when a tick passed without a byte.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        wanted: Option<usize>,
    ) -> Result<Option<usize>> {
        self.check()?;
        let len = wanted.map_or(buffer.len(), |wanted| wanted.clamp(1, buffer.len()));
        let len = self.turn(len)?;
        let outcome = calls::receive(self.socket, &mut buffer[..len], wanted.is_some());
        self.refund(len - outcome.as_ref().map_or(0, |&read| read));
        self.lap(Stage::SocketRead);
        match outcome {
            Ok(0) => Err(Error::end_of_stream()),
            Ok(read) => {
                self.waiting = None;
                Ok(Some(read))
            }
            Err(error) => self.judge("receive", error).map(|()| None),
        }
    }

    /// Whether bytes of the peer wait; never blocks.
    pub(crate) fn has_input(&self) -> Result<bool> {
        match calls::peek(self.socket) {
            Ok(0) => Err(Error::end_of_stream()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(Error::from_socket("receive", error)),
        }
    }

    /// Receives what there is, without waiting; 0 when there is nothing. Not limited: it is for
    /// the few bytes against the direction of a body.
    pub(crate) fn read_ready(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match calls::receive_ready(self.socket, buffer) {
            Ok(0) => Err(Error::end_of_stream()),
            Ok(read) => Ok(read),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(Error::from_socket("receive", error)),
        }
    }

    /// Waits for a turn to move bytes and returns how many, at most `len`. A cancel ends the wait;
    /// while the body is wound up, no limit holds.
    fn turn(&mut self, len: usize) -> Result<usize> {
        let Some(most) = self.piece_len() else { return Ok(len) };
        let (len, now) = (most.min(len), Instant::now());
        let turn = self.limiters().map(|limiter| limiter.reserve(len, now)).max().unwrap_or(now);
        let mut has_waited = false;
        loop {
            let pause = turn.saturating_duration_since(Instant::now());
            if pause.is_zero() || self.transfer.is_cancelled() {
                break;
            }
            std::thread::sleep(pause.min(NAP));
            has_waited = true;
            self.check()?;
        }
        if has_waited {
            self.lap(Stage::RateLimit);
        }
        Ok(len)
    }

    fn limiters(&self) -> impl Iterator<Item = &'a RateLimiter> + use<'a> {
        [Some(self.transfer.limiter()), self.shared_limiter].into_iter().flatten()
    }

    fn piece_len(&self) -> Option<usize> {
        if self.drain_deadline.is_some() {
            return None;
        }
        self.limiters().filter_map(RateLimiter::piece_len).min()
    }

    fn refund(&self, bytes: usize) {
        if bytes != 0 && self.drain_deadline.is_none() {
            self.limiters().for_each(|limiter| limiter.refund(bytes));
        }
    }

    /// A tick that passed, or a call that was interrupted, is no failure.
    fn judge(&mut self, op: &'static str, error: io::Error) -> Result<()> {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {
                self.waiting.get_or_insert_with(Instant::now);
                self.check()
            }
            _ => Err(Error::from_socket(op, error)),
        }
    }

    /// Whether the pump may go on.
    ///
    /// # Errors
    /// [`Error::Closed`] when the connection was ended, [`Error::Timeout`] when the peer was waited for
    /// long enough.
    pub(crate) fn check(&self) -> Result<()> {
        if self.dead.is_cancelled() {
            return Err(Error::Closed);
        }
        match self.drain_deadline {
            Some(deadline) if Instant::now() >= deadline => {
                Err(Error::Timeout("the peer did not wind the transfer up"))
            }
            None if self.waiting.is_some_and(|since| since.elapsed() >= self.stall_timeout) => {
                Err(Error::Timeout("the transfer stands still"))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Wire<'_> {
    fn drop(&mut self) {
        self.meter.finish(self.socket);
    }
}
