//! A socket that is used by blocking calls and can still be cancelled: every wait is cut into
//! short ticks.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::limits::DRAIN_TIMEOUT;
use crate::pump::socket as calls;
use crate::transfer::Transfer;

/// The socket of one running pump.
#[derive(Debug)]
pub(crate) struct Wire<'a> {
    socket: &'a TcpStream,
    transfer: &'a Transfer,
    dead: &'a CancellationToken,
    stall_timeout: Duration,
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
        Ok(Self { socket, transfer, dead, stall_timeout, waiting: None, drain_deadline: None })
    }

    /// From now on only the way back into step counts: no cancel, one deadline for all of it.
    pub(crate) fn start_draining(&mut self) {
        self.drain_deadline.get_or_insert_with(|| Instant::now() + DRAIN_TIMEOUT);
    }

    /// Sends all of `bytes`. A cancel does not cut a batch in two: the peer gets whole records, or
    /// the connection ends.
    pub(crate) fn write_all(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match calls::send(self.socket, bytes) {
                Ok(0) => return Err(Error::end_of_stream()),
                Ok(written) => {
                    self.waiting = None;
                    bytes = &bytes[written..];
                }
                Err(error) => self.judge("send", error)?,
            }
            if self.transfer.is_cancelled() {
                self.start_draining();
            }
            self.check()?;
        }
        Ok(())
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
        match calls::receive(self.socket, &mut buffer[..len], wanted.is_some()) {
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

    fn check(&self) -> Result<()> {
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
