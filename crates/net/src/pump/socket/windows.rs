//! A socket that does not block, and is waited for.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::TICK;

/// Call once, before the others.
pub(in crate::pump) fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nonblocking(true)
}

/// Sends some of `bytes`.
pub(in crate::pump) fn send(mut socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match socket.write(bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            wait(socket, PollFlags::OUT, TICK)?;
            socket.write(bytes)
        }
        result => result,
    }
}

/// Receives into `buffer`: what there is, or where it should be `whole`, all of it unless a tick
/// passes first. 0 is the end of the stream.
pub(in crate::pump) fn receive(
    mut socket: &TcpStream,
    buffer: &mut [u8],
    whole: bool,
) -> io::Result<usize> {
    let deadline = Instant::now() + TICK;
    let mut filled = 0;
    loop {
        let failed = match socket.read(&mut buffer[filled..]) {
            Ok(0) => return Ok(filled),
            Ok(read) => {
                filled += read;
                if !whole || filled == buffer.len() {
                    return Ok(filled);
                }
                continue;
            }
            Err(error) => error,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if failed.kind() == ErrorKind::WouldBlock && !left.is_zero() {
            wait(socket, PollFlags::IN, left)?;
        } else if filled > 0 {
            // Whatever has failed is met again by the next call.
            return Ok(filled);
        } else {
            return Err(failed);
        }
    }
}

/// Takes what has arrived, without waiting. 0 is the end of the stream.
pub(in crate::pump) fn receive_ready(
    mut socket: &TcpStream,
    buffer: &mut [u8],
) -> io::Result<usize> {
    socket.read(buffer)
}

/// Bytes that wait, at most one, without taking or waiting for them. 0 is the end of the stream.
pub(in crate::pump) fn peek(socket: &TcpStream) -> io::Result<usize> {
    socket.peek(&mut [0])
}

/// Waits until the socket can do something, or has failed, or `time` has passed.
fn wait(socket: &TcpStream, what: PollFlags, time: Duration) -> io::Result<()> {
    let time = Timespec { tv_sec: 0, tv_nsec: time.min(TICK).subsec_nanos().cast_signed() };
    poll(&mut [PollFd::new(socket, what)], Some(&time))?;
    Ok(())
}
