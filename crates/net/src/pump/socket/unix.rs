//! A blocking socket with a time limit.

use std::io::{self, Write};
use std::net::TcpStream;

use rustix::net::{RecvFlags, recv};

use super::TICK;

/// Call once, before the others.
pub(in crate::pump) fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_read_timeout(Some(TICK))?;
    socket.set_write_timeout(Some(TICK))
}

/// Sends some of `bytes`.
pub(in crate::pump) fn send(mut socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    socket.write(bytes)
}

/// Receives into `buffer`: what there is, or where it should be `whole`, all of it unless a tick
/// passes first. 0 is the end of the stream.
pub(in crate::pump) fn receive(
    socket: &TcpStream,
    buffer: &mut [u8],
    whole: bool,
) -> io::Result<usize> {
    let flags = if whole { RecvFlags::WAITALL } else { RecvFlags::empty() };
    Ok(recv(socket, buffer, flags)?.0)
}

/// Takes what has arrived, without waiting. 0 is the end of the stream.
pub(in crate::pump) fn receive_ready(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(recv(socket, buffer, RecvFlags::DONTWAIT)?.0)
}

/// Bytes that wait, at most one, without taking or waiting for them. 0 is the end of the stream.
pub(in crate::pump) fn peek(socket: &TcpStream) -> io::Result<usize> {
    let mut byte = [0];
    Ok(recv(socket, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT)?.0)
}
