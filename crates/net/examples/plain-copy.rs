//! One file from process to process over plain TCP: `sendfile` on one side, `recv` and `pwrite` on
//! the other. No encryption, no hashing, no names, no atomic commit: the ceiling that `bench/`
//! compares the product with. It must never be used to move real data.
//!
//! ```text
//! plain-copy recv --port 0 --out FILE [--new]
//! plain-copy send --port N --file FILE
//! ```
//!
//! `recv` prints `{"port":N}` once it listens on 127.0.0.1. Both sides end with
//! `{"bytes","seconds","cpuSeconds"}`; seconds run from the first byte of the file to the receiver's
//! acknowledgement. Without `--new`, FILE must already have at least the sender's length, so that no
//! page has to be allocated; with `--new` it must not exist.
#![allow(clippy::print_stdout, reason = "the result of a program for measuring is its output")]

use std::env;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::Instant;

use rustix::fs::sendfile;
use rustix::net::{RecvFlags, recv};

/// Bytes handed to one system call. About 1 MiB keeps the number of sleeps and calls low.
const CHUNK_LEN: usize = 1 << 20;

/// The receiver's only byte: everything is written.
const ACK: u8 = 1;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("recv") => {
            let new = arguments.iter().any(|argument| argument == "--new");
            receive(option(&arguments, "--port")?.parse()?, &option(&arguments, "--out")?, new)
        }
        Some("send") => {
            send(option(&arguments, "--port")?.parse()?, &option(&arguments, "--file")?)
        }
        _ => {
            Err("usage: plain-copy recv --port N --out FILE [--new] | send --port N --file FILE"
                .into())
        }
    }
}

/// The value that follows `name` among the arguments.
fn option(arguments: &[String], name: &str) -> Outcome<String> {
    let position = arguments.iter().position(|argument| argument == name);
    position
        .and_then(|position| arguments.get(position + 1))
        .cloned()
        .ok_or_else(|| format!("{name} is missing").into())
}

fn receive(port: u16, path: &str, new: bool) -> Outcome<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    println!("{{\"port\":{}}}", listener.local_addr()?.port());
    let (mut stream, _) = listener.accept()?;

    // The buffer is touched and the file is open before the clock starts.
    let mut buffer = vec![1_u8; CHUNK_LEN];
    let mut options = OpenOptions::new();
    options.write(true);
    if new {
        options.create_new(true);
    }
    let file = options.open(path)?;
    let mut header = [0_u8; 8];
    stream.read_exact(&mut header)?;
    let total = u64::from_le_bytes(header);
    if !new && file.metadata()?.len() < total {
        return Err("the existing target is shorter than the file".into());
    }

    let clock = Clock::start()?;
    let mut offset = 0;
    while offset < total {
        let wanted = usize::try_from(total - offset)?.min(CHUNK_LEN);
        let (received, _) = recv(&stream, &mut buffer[..wanted], RecvFlags::WAITALL)?;
        if received == 0 {
            return Err("the sender closed the connection before the end of the file".into());
        }
        file.write_all_at(&buffer[..received], offset)?;
        offset += received as u64;
    }
    stream.write_all(&[ACK])?;
    clock.report(total)
}

fn send(port: u16, path: &str) -> Outcome<()> {
    let file = File::open(path)?;
    let total = file.metadata()?.len();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;

    let clock = Clock::start()?;
    stream.write_all(&total.to_le_bytes())?;
    let mut offset = 0;
    while offset < total {
        let wanted = usize::try_from(total - offset)?.min(CHUNK_LEN);
        // The kernel moves `offset` on by what it has sent.
        if sendfile(&stream, &file, Some(&mut offset), wanted)? == 0 {
            return Err("the file became shorter while it was sent".into());
        }
    }
    let mut ack = [0_u8; 1];
    stream.read_exact(&mut ack)?;
    if ack != [ACK] {
        return Err("the receiver did not acknowledge the file".into());
    }
    clock.report(total)
}

/// Wall time and CPU time of this single-threaded process since `start`.
struct Clock {
    wall: Instant,
    cpu_nanos: u64,
}

impl Clock {
    fn start() -> Outcome<Self> {
        Ok(Self { wall: Instant::now(), cpu_nanos: cpu_nanos()? })
    }

    fn report(&self, bytes: u64) -> Outcome<()> {
        let seconds = self.wall.elapsed().as_secs_f64();
        let micros = u32::try_from((cpu_nanos()? - self.cpu_nanos) / 1000)?;
        let cpu_seconds = f64::from(micros) / 1e6;
        println!("{{\"bytes\":{bytes},\"seconds\":{seconds},\"cpuSeconds\":{cpu_seconds}}}");
        Ok(())
    }
}

/// User and system time of the calling thread in nanoseconds: the first field of its `schedstat`
/// (proc(5)). The scheduler brings that figure up to date when the thread yields.
fn cpu_nanos() -> Outcome<u64> {
    thread::yield_now();
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split_ascii_whitespace().next().ok_or("schedstat is empty")?;
    Ok(first.parse()?)
}
