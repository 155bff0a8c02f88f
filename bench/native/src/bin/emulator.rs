//! A link between two network namespaces with a delay, a rate, a queue and random losses, for
//! `bench/`: real TCP meets real round trips. It needs the right to administer the network.
//!
//! ```text
//! emulator --rtt MS --rate MBIT [--loss PERCENT] [--queue KIB] [--mtu BYTES] [--seed N] [--realtime]
//! ```
//!
//! One device, `near0`, is made where the program is started, the other, `far0`, in a network
//! namespace that the program makes for itself: `/proc/PID/ns/net`. Addresses are for the caller to
//! give (`bench/lib/network.mjs`). Both directions are alike, each with half of the round trip.
//!
//! The first line of output tells that the devices are there; each SIGUSR1 asks for a line of
//! counters; SIGINT and SIGTERM end the program, with such a line. Nothing is left behind, however it
//! ends: the devices and the namespace are its own.

use std::env;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use e2eeftp_bench::network::clock::{sleep_precisely, take_precedence};
use e2eeftp_bench::network::direction::{Counters, forward};
use e2eeftp_bench::network::link::{Link, LinkSettings};
use e2eeftp_bench::network::ring::Ring;
use e2eeftp_bench::network::tun;
use e2eeftp_bench::program::{Outcome, cpu_seconds, option, optional, switch};

const NEAR: &str = "near0";
const FAR: &str = "far0";
const DEFAULT_MTU: usize = 1500;
/// Idle time that may be used later: a few steps of the forwarding threads.
const BURST_NANOS: u64 = 1_000_000;

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Outcome<()> {
    let mtu = optional(arguments, "--mtu")?.unwrap_or(DEFAULT_MTU);
    let settings = settings(arguments)?;
    // The parent's end, whatever ended it, ends this program.
    // SAFETY: this request takes numbers only.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
    let signals = block_signals();

    let near = tun::open(NEAR).map_err(|error| format!("device {NEAR}: {error}"))?;
    tun::enter_new_namespace().map_err(|error| format!("network namespace: {error}"))?;
    let far = tun::open(FAR).map_err(|error| format!("device {FAR}: {error}"))?;
    sleep_precisely();
    let has_precedence = switch(arguments, "--realtime") && take_precedence();

    let counters = Arc::new([Counters::default(), Counters::default()]);
    let stop = Arc::new(AtomicBool::new(false));
    let devices = Arc::new([near, far]);
    let this_process = libc::pid_t::try_from(process::id())?;
    let mut threads = Vec::new();
    for direction in 0..2 {
        let (devices, counters, stop) =
            (Arc::clone(&devices), Arc::clone(&counters), Arc::clone(&stop));
        // Not the same losses in both directions.
        let seed = settings.seed.rotate_left(u32::try_from(direction)? * 32);
        let mut link = Link::new(LinkSettings { seed, ..settings });
        let mut ring = Ring::new(ring_len(&settings)?, mtu);
        threads.push(thread::Builder::new().name(format!("direction {direction}")).spawn(
            move || {
                let (from, to): (&File, &File) = (&devices[direction], &devices[1 - direction]);
                let result = forward(from, to, &mut link, &mut ring, &counters[direction], &stop);
                if result.is_err() {
                    // SAFETY: this call takes numbers only.
                    unsafe { libc::kill(this_process, libc::SIGTERM) };
                }
                result
            },
        )?);
    }
    println!(
        "{{\"near\":\"{NEAR}\",\"far\":\"{FAR}\",\"mtu\":{mtu},\"seed\":\"{:#x}\",\"realtime\":{has_precedence}}}",
        settings.seed
    );
    let began = Instant::now();
    while next_signal(&signals)? == libc::SIGUSR1 {
        println!("{}", report(&counters, began));
    }
    stop.store(true, Relaxed);
    for thread in threads {
        thread.join().map_err(|_| "a forwarding thread has panicked")??;
    }
    println!("{}", report(&counters, began));
    Ok(())
}

/// One direction, as the command line has it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers are checked to be above 0, and the casts saturate"
)]
fn settings(arguments: &[String]) -> Outcome<LinkSettings> {
    let milliseconds: f64 = option(arguments, "--rtt")?;
    let megabits: f64 = option(arguments, "--rate")?;
    let percent: f64 = optional(arguments, "--loss")?.unwrap_or(0.0);
    if !(milliseconds >= 0.0 && megabits > 0.0 && (0.0..=100.0).contains(&percent)) {
        return Err("a link has a round trip, a rate above 0 and a loss of 0 to 100 %".into());
    }
    let rate = (megabits * 1e6) as u64;
    let product = (megabits * 1e6 / 8.0 * milliseconds / 1e3) as u64;
    let queue = match optional::<u64>(arguments, "--queue")? {
        Some(kibibytes) => kibibytes * 1024,
        // The product of rate and round trip, and never less than a few packets.
        None => product.max(64 * 1024),
    };
    let delay = (milliseconds / 2.0 * 1e6) as u64;
    let seed = match optional::<String>(arguments, "--seed")? {
        Some(text) => parse_seed(&text)?,
        None => u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() >> 8)?,
    };
    Ok(LinkSettings { delay, rate, queue, burst: BURST_NANOS, loss: percent / 100.0, seed })
}

/// A seed as it is printed, or in decimal.
fn parse_seed(text: &str) -> Outcome<u64> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| format!("--seed {text}: {error}").into())
}

/// Bytes that can be under way or waiting, twice, because a thread may be late.
fn ring_len(settings: &LinkSettings) -> Outcome<usize> {
    let under_way = u128::from(settings.rate) * u128::from(settings.delay) / 8_000_000_000;
    let all = (u64::try_from(under_way)? + settings.queue) * 2 + (1 << 20);
    Ok(usize::try_from(all)?)
}

/// Keeps the signals for [`next_signal`], in this thread and those it starts.
fn block_signals() -> libc::sigset_t {
    // SAFETY: a set of signals is plain data, for which zeros are a value.
    let mut signals: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a set of this frame.
    unsafe { libc::sigemptyset(&raw mut signals) };
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1] {
        // SAFETY: the pointer is to a set of this frame.
        unsafe { libc::sigaddset(&raw mut signals, signal) };
    }
    // SAFETY: the pointers are to a set of this frame, and to nothing.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut()) };
    signals
}

fn next_signal(signals: &libc::sigset_t) -> io::Result<libc::c_int> {
    let mut signal = 0;
    // SAFETY: both pointers are to values that outlive the call.
    match unsafe { libc::sigwait(&raw const *signals, &raw mut signal) } {
        0 => Ok(signal),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// The counters of both directions as one line of JSON.
fn report(counters: &[Counters; 2], began: Instant) -> String {
    let directions = ["nearToFar", "farToNear"];
    let mut text = format!(
        "{{\"seconds\":{:.3},\"cpuSeconds\":{:.3}",
        began.elapsed().as_secs_f64(),
        cpu_seconds()
    );
    for (name, counters) in directions.iter().zip(counters) {
        let Counters { offered, offered_bytes, delivered, delivered_bytes, .. } = counters;
        let Counters { lost, dropped, overflowed, refused, late, latest, .. } = counters;
        let fields: [(&str, &AtomicU64); 8] = [
            ("offered", offered),
            ("offeredBytes", offered_bytes),
            ("delivered", delivered),
            ("deliveredBytes", delivered_bytes),
            ("lost", lost),
            ("dropped", dropped),
            ("overflowed", overflowed),
            ("refused", refused),
        ];
        _ = write!(text, ",\"{name}\":{{");
        for (field, value) in fields {
            _ = write!(text, "\"{field}\":{},", value.load(Relaxed));
        }
        let p99 = percentile_micros(late, 0.99);
        let latest = latest.load(Relaxed) / 1000;
        _ = write!(text, "\"lateMicros\":{{\"p99\":{p99},\"max\":{latest}}}}}");
    }
    text.push('}');
    text
}

/// The upper end of the class in which the packet at `share` of all lies.
#[expect(clippy::cast_precision_loss, reason = "numbers of packets are far below 2^52")]
fn percentile_micros(classes: &[AtomicU64], share: f64) -> u64 {
    let counts: Vec<u64> = classes.iter().map(|class| class.load(Relaxed)).collect();
    let all = counts.iter().sum::<u64>() as f64;
    let mut seen = 0;
    for (class, count) in counts.iter().enumerate() {
        seen += count;
        if seen as f64 >= all * share {
            return 1 << class;
        }
    }
    0
}
