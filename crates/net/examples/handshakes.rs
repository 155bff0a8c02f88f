//! Full mutual handshakes without Node: how many a second, and what one costs the server.
//!
//! `handshakes server --port 0` prints `{"port":N}`, accepts everybody, and prints its figures on
//! SIGTERM; `handshakes client --port N --count C --parallel P` connects, proves itself, waits for
//! the server's first message and closes, C times.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::error::Error;
use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::identity::IdentityKey;
use e2eeftp_net::{ClientLimits, Listener, ServerLimits, connect};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str| -> Option<u32> {
        let at = arguments.iter().position(|word| word == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    let port = u16::try_from(number("--port").ok_or("--port is missing")?)?;
    // As the Node addon does: half of the cores carry control work.
    let workers = std::thread::available_parallelism()?.get().div_ceil(2).min(4);
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    match arguments.get(1).map(String::as_str) {
        Some("server") => runtime.block_on(runtime.spawn(serve(port)))?,
        Some("client") => {
            let count = number("--count").unwrap_or(1000);
            let parallel = number("--parallel").unwrap_or(8);
            runtime.block_on(runtime.spawn(connect_often(port, count.into(), parallel)))?
        }
        _ => {
            Err("usage: handshakes server --port N | client --port N --count C --parallel P".into())
        }
    }
}

async fn serve(port: u16) -> Outcome<()> {
    let identity = Arc::new(IdentityKey::generate(&mut OsRandom::new())?);
    let listener =
        Listener::bind((Ipv4Addr::LOCALHOST, port).into(), identity, ServerLimits::default())?;
    print_line(&serde_json::json!({ "port": listener.address().port() }))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let before = cpu_seconds();
    let mut handshakes: u64 = 0;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            incoming = listener.next() => {
                let Some(incoming) = incoming else { break };
                handshakes += 1;
                tokio::spawn(async move {
                    let session = incoming.accept();
                    // A client that has gone meanwhile is the client's affair.
                    if session.send_control(b"\xa0").await.is_ok() {
                        drop(session.next_control(Duration::from_secs(10)).await);
                    }
                });
            }
        }
    }
    let cpu = cpu_seconds() - before;
    print_line(&serde_json::json!({
        "handshakes": handshakes,
        "cpuSeconds": cpu,
        "microsPerHandshake": cpu * 1e6 / handshakes as f64,
    }))
}

async fn connect_often(port: u16, count: u64, parallel: u32) -> Outcome<()> {
    let identity = Arc::new(IdentityKey::generate(&mut OsRandom::new())?);
    let left = Arc::new(AtomicU64::new(count));
    let start = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..parallel {
        let (identity, left) = (Arc::clone(&identity), Arc::clone(&left));
        workers.spawn(async move {
            let take = |value: u64| value.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                let connecting = connect("127.0.0.1", port, ClientLimits::default()).await?;
                let session = connecting.authenticate(&*identity).await?;
                session.next_control(Duration::from_secs(10)).await?;
                session.close(e2eeftp_core::transfer::Reason::Done).await;
            }
            Ok::<(), e2eeftp_net::Error>(())
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    let seconds = start.elapsed().as_secs_f64();
    print_line(&serde_json::json!({
        "handshakes": count,
        "seconds": seconds,
        "perSecond": count as f64 / seconds,
    }))
}

fn print_line(value: &serde_json::Value) -> Outcome<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{value}")?;
    Ok(stdout.flush()?)
}

/// User and system time of this process so far, from `/proc/self/stat` (fields 14 and 15).
fn cpu_seconds() -> f64 {
    let ticks = std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| {
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
    });
    ticks.unwrap_or(0.0) / rustix::param::clock_ticks_per_second() as f64
}
