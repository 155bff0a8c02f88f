//! The ceiling of the pumps without Node: one file, two processes, the target already allocated.
//!
//! `pump recv --port 0 --out FILE` prints `{"port":N}`, receives one body into the existing FILE and
//! prints the figures; `pump send --port N --file FILE` sends it. Both run a real handshake with
//! throw-away identities, then the same pumps as the product. `--suite aes|chacha`.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::handshake::{
    ClientSettings, Established, ServerSettings, read_client_hello, start_client,
};
use e2eeftp_core::identity::IdentityKey;
use e2eeftp_core::record::{HEADER_LEN, Phase, record_len};
use e2eeftp_net::{BodyResult, PumpSettings, Transfer, receive_body, send_body};
use e2eeftp_vfs as vfs;
use tokio_util::sync::CancellationToken;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        arguments.iter().position(|word| word == name).and_then(|at| arguments.get(at + 1))
    };
    let port: u16 = value("--port").ok_or("--port is missing")?.parse()?;
    match arguments.get(1).map(String::as_str) {
        Some("recv") => receive(port, value("--out").ok_or("--out is missing")?),
        Some("send") => {
            let chacha = value("--suite").is_some_and(|suite| suite == "chacha");
            send(port, value("--file").ok_or("--file is missing")?, !chacha)
        }
        _ => Err("usage: pump recv --port N --out FILE | pump send --port N --file FILE".into()),
    }
}

fn receive(port: u16, out: &str) -> Outcome<()> {
    let identity = IdentityKey::generate(&mut OsRandom::new())?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    print_line(&serde_json::json!({ "port": listener.local_addr()?.port() }))?;
    let (mut socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    let record = read_record(&mut socket)?;
    let hello = read_client_hello(&ServerSettings::default(), &record)?;
    let (expect_auth, reply) = hello.respond(&identity, None, 0, &mut OsRandom::new())?;
    socket.write_all(&reply)?;
    let mut record = read_record(&mut socket)?;
    let mut established = expect_auth.handle(&mut record)?.into_established();
    let mut length = [0; 8];
    socket.read_exact(&mut length)?;
    let expected = u64::from_be_bytes(length);
    let mut target = Allocated { file: OpenOptions::new().write(true).open(out)?, end: 0 };
    let before = cpu_seconds();
    let start = Instant::now();
    let result = with_settings(&mut established, |settings| {
        receive_body(&socket, &mut target, Some(expected), settings)
    })?;
    socket.write_all(&[1])?;
    report(&result, start.elapsed(), cpu_seconds() - before)
}

fn send(port: u16, file: &str, prefer_aes: bool) -> Outcome<()> {
    let identity = IdentityKey::generate(&mut OsRandom::new())?;
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_nodelay(true)?;
    let mut settings = ClientSettings::default();
    settings.prefer_aes &= prefer_aes;
    let (expect_hello, hello) = start_client(settings, &mut OsRandom::new())?;
    socket.write_all(&hello)?;
    let expect_auth = expect_hello.handle(&read_record(&mut socket)?)?;
    let proved = expect_auth.handle(&mut read_record(&mut socket)?)?;
    let (record, mut established) = proved.authenticate(&identity)?;
    socket.write_all(&record)?;
    let source = vfs::local::open_source(file.as_ref())?;
    let length = source.metadata().size;
    socket.write_all(&length.to_be_bytes())?;
    let before = cpu_seconds();
    let start = Instant::now();
    let result = with_settings(&mut established, |settings| {
        send_body(&socket, &*source, 0, length, settings)
    })?;
    socket.set_read_timeout(None)?;
    socket.read_exact(&mut [0])?;
    report(&result, start.elapsed(), cpu_seconds() - before)
}

fn with_settings<T>(
    established: &mut Established,
    work: impl FnOnce(PumpSettings<'_>) -> e2eeftp_net::Result<T>,
) -> e2eeftp_net::Result<T> {
    let (transfer, dead, mut pending) = (Transfer::new(), CancellationToken::new(), Vec::new());
    work(PumpSettings::new(
        &mut established.sealer,
        &mut established.opener,
        &mut pending,
        &transfer,
        &dead,
    ))
}

fn read_record(socket: &mut TcpStream) -> Outcome<Vec<u8>> {
    let mut header = [0; HEADER_LEN];
    socket.read_exact(&mut header)?;
    let mut record = vec![0; record_len(&header, Phase::Handshake)?];
    record[..HEADER_LEN].copy_from_slice(&header);
    socket.read_exact(&mut record[HEADER_LEN..])?;
    Ok(record)
}

/// An existing file that is overwritten in place.
struct Allocated {
    file: File,
    end: u64,
}

impl vfs::Staged for Allocated {
    fn write_at(&mut self, bufs: &mut [IoSlice<'_>], mut offset: u64) -> Result<(), vfs::Error> {
        let mut bufs = bufs;
        while !bufs.is_empty() {
            let written = rustix::io::pwritev(&self.file, bufs, offset)
                .map_err(|_| vfs::Error::new(vfs::ErrorKind::Io, "write"))?;
            offset += written as u64;
            IoSlice::advance_slices(&mut bufs, written);
        }
        self.end = offset;
        Ok(())
    }

    fn written_to(&self) -> u64 {
        self.end
    }

    fn commit(self: Box<Self>, _: &vfs::CommitOptions) -> Result<vfs::Metadata, vfs::Error> {
        unreachable!("the example does not commit")
    }

    fn abort(self: Box<Self>) -> Result<(), vfs::Error> {
        Ok(())
    }
}

fn report(result: &BodyResult, elapsed: Duration, cpu: f64) -> Outcome<()> {
    print_line(&serde_json::json!({
        "bytes": result.bytes,
        "seconds": elapsed.as_secs_f64(),
        "cpuSeconds": cpu,
        "root": hex::encode(result.root),
    }))
}

fn print_line(value: &serde_json::Value) -> Outcome<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{value}")?;
    Ok(stdout.flush()?)
}

/// User and system time of this process so far, from `/proc/self/stat` (fields 14 and 15).
fn cpu_seconds() -> f64 {
    let stat = File::open("/proc/self/stat").and_then(|file| {
        let mut bytes = vec![0; 4096];
        let read = file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    });
    let ticks = stat.ok().and_then(|stat| {
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
    });
    ticks.unwrap_or(0.0) / rustix::param::clock_ticks_per_second() as f64
}
