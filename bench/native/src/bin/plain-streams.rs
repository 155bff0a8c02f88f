//! One file over several plain TCP connections at once: `sendfile` on one side, `recv` and `pwrite`
//! on the other, blocks taken from one shared counter. No encryption, no hashing, no names, no
//! atomic commit: the ceiling that `bench/` compares the product with on an emulated network. It
//! must never be used to move real data.
//!
//! ```text
//! plain-streams recv --listen ADDRESS:PORT --out FILE
//! plain-streams send --to ADDRESS:PORT --file FILE [--streams N]
//! ```
//!
//! `recv` prints `{"port":N}` once it listens; FILE must not exist. Both end with
//! `{"bytes","seconds","cpuSeconds"}`; the sender's seconds run from the first byte, with all
//! connections there, to the last acknowledgement.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use e2eeftp_bench::program::{Outcome, cpu_seconds, option, optional};

/// What a connection takes from the file at a time.
const BLOCK_LEN: u64 = 4 << 20;
/// Bytes handed to one system call.
const CHUNK_LEN: usize = 1 << 20;
/// The receiver's only byte on each connection: everything is written.
const ACK: u8 = 1;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("recv") => receive(&arguments),
        Some("send") => send(&arguments),
        _ => Err("usage: plain-streams recv --listen ADDRESS:PORT --out FILE | send --to ADDRESS:PORT --file FILE [--streams N]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plain-streams: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The first connection says how many there are: a header of the count and the file's length on
/// each, then blocks of {offset, length} and bytes, then a block of length 0.
fn receive(arguments: &[String]) -> Outcome<()> {
    let listener = TcpListener::bind(option::<SocketAddr>(arguments, "--listen")?)?;
    println!("{{\"port\":{}}}", listener.local_addr()?.port());
    let path: String = option(arguments, "--out")?;
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let (first, _) = listener.accept()?;
    let began = Instant::now();
    let streams = read_number(&first)?;
    let mut connections = vec![first];
    for _ in 1..streams {
        let (next, _) = listener.accept()?;
        read_number(&next)?;
        connections.push(next);
    }
    let bytes = on_each(connections, |connection| receive_blocks(connection, &file))?;
    report(bytes, began);
    Ok(())
}

fn receive_blocks(mut connection: &TcpStream, file: &File) -> io::Result<u64> {
    let mut buffer = vec![0_u8; CHUNK_LEN];
    let mut all = 0;
    loop {
        let mut offset = read_number(connection)?;
        let mut left = read_number(connection)?;
        if left == 0 {
            connection.write_all(&[ACK])?;
            return Ok(all);
        }
        all += left;
        while left > 0 {
            let wanted = usize::try_from(left).map_or(CHUNK_LEN, |left| left.min(CHUNK_LEN));
            let len = connection.read(&mut buffer[..wanted])?;
            if len == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.write_all_at(&buffer[..len], offset)?;
            offset += len as u64;
            left -= len as u64;
        }
    }
}

fn send(arguments: &[String]) -> Outcome<()> {
    let to: SocketAddr = option(arguments, "--to")?;
    let path: String = option(arguments, "--file")?;
    let streams: u64 = optional(arguments, "--streams")?.unwrap_or(1);
    let file = File::open(path)?;
    let total = file.metadata()?.len();
    let mut connections = Vec::new();
    for _ in 0..streams {
        let mut connection = TcpStream::connect(to)?;
        connection.write_all(&streams.to_le_bytes())?;
        connections.push(connection);
    }
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let bytes = on_each(connections, |connection| send_blocks(connection, &file, &next, total))?;
    report(bytes, began);
    Ok(())
}

fn send_blocks(
    mut connection: &TcpStream,
    file: &File,
    next: &AtomicU64,
    total: u64,
) -> io::Result<u64> {
    let mut all = 0;
    loop {
        let offset = next.fetch_add(BLOCK_LEN, Relaxed);
        let len = total.saturating_sub(offset).min(BLOCK_LEN);
        connection.write_all(&[offset.to_le_bytes(), len.to_le_bytes()].concat())?;
        if len == 0 {
            let mut ack = [0];
            connection.read_exact(&mut ack)?;
            return if ack == [ACK] { Ok(all) } else { Err(io::ErrorKind::InvalidData.into()) };
        }
        send_file(connection, file, offset, len)?;
        all += len;
    }
}

/// sendfile(2) until all of a block is sent.
fn send_file(connection: &TcpStream, file: &File, offset: u64, len: u64) -> io::Result<()> {
    let mut position = libc::off_t::try_from(offset).map_err(io::Error::other)?;
    let end = libc::off_t::try_from(offset + len).map_err(io::Error::other)?;
    while position < end {
        let wanted = usize::try_from(end - position).map_err(io::Error::other)?.min(CHUNK_LEN);
        let (socket, source) = (connection.as_raw_fd(), file.as_raw_fd());
        // SAFETY: both descriptors are open, and the pointer is to a position of this frame.
        match unsafe { libc::sendfile(socket, source, &raw mut position, wanted) } {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            sent if sent < 0 => return Err(io::Error::last_os_error()),
            _ => {}
        }
    }
    Ok(())
}

/// Runs `work` for each connection in a thread of its own and adds up the bytes.
fn on_each(
    connections: Vec<TcpStream>,
    work: impl Fn(&TcpStream) -> io::Result<u64> + Sync,
) -> Outcome<u64> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = connections
            .into_iter()
            .map(|connection| scope.spawn(move || work(&connection)))
            .collect();
        let mut bytes = 0;
        for thread in threads {
            bytes += thread.join().map_err(|_| "a thread has panicked")??;
        }
        Ok(bytes)
    })
}

fn read_number(mut connection: &TcpStream) -> io::Result<u64> {
    let mut bytes = [0; 8];
    connection.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn report(bytes: u64, began: Instant) {
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds());
    println!("{{\"bytes\":{bytes},\"seconds\":{seconds:.6},\"cpuSeconds\":{cpu:.3}}}");
}
