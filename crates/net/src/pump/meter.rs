//! Where the time of a pump goes.
//!
//! A [`Meter`] belongs to one pump thread. [`Meter::lap`] puts the time since the last lap on one
//! [`Stage`]: one look at the clock for each piece of work, kept in plain numbers, and added to the
//! shared [`Totals`] of the transfer every 50 ms ([`Meter::batch`]) and at the end. So a sample of
//! a running transfer is never older than that, or than the batch under way.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use crate::tcp_info::TcpInfo;

/// What a pump spends its time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Reading the source file.
    FileRead,
    /// Hashing, on either side.
    Hash,
    /// Encrypting.
    Seal,
    /// Handing bytes to the kernel to send, with the wait for room in its buffer.
    SocketWrite,
    /// Taking received bytes from the kernel, with the wait for them.
    SocketRead,
    /// Decrypting.
    Open,
    /// Writing the target file.
    FileWrite,
    /// Waiting because of a rate limit of this side.
    RateLimit,
    /// Waiting for room on this side's disk.
    SpaceWait,
}

/// How many stages there are.
const COUNT: usize = Stage::SpaceWait as usize + 1;
/// How often figures are handed over.
const HAND_OVER: Duration = Duration::from_millis(50);
/// How often the kernel is asked about the connection.
const ASK_KERNEL: Duration = Duration::from_millis(250);
/// Connections whose figures one transfer keeps.
const MAX_CONNECTIONS: usize = 64;

/// The time of each stage, summed over all pumps of a transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    nanos: [u64; COUNT],
}

impl Stages {
    /// The time that `stage` took.
    pub fn get(&self, stage: Stage) -> Duration {
        Duration::from_nanos(self.nanos[stage as usize])
    }

    /// All stages together: the time that pumps ran.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanos.iter().sum())
    }
}

/// A snapshot of the figures of one transfer.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TransferStats {
    /// Where the pumps' time went.
    pub stages: Stages,
    /// Processor time of the pump threads.
    pub cpu: Duration,
    /// The connections that were used, at most 64; none where the platform tells nothing.
    pub connections: Vec<TcpInfo>,
}

/// The figures of a transfer, which all of its pumps add to.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    nanos: [AtomicU64; COUNT],
    cpu_nanos: AtomicU64,
    connections: Mutex<Vec<(Ends, TcpInfo)>>,
}

/// Both addresses of a connection.
type Ends = (SocketAddr, SocketAddr);

impl Totals {
    pub(crate) fn snapshot(&self) -> TransferStats {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        TransferStats {
            stages: Stages {
                nanos: std::array::from_fn(|index| self.nanos[index].load(Ordering::Relaxed)),
            },
            cpu: Duration::from_nanos(self.cpu_nanos.load(Ordering::Relaxed)),
            connections: connections.iter().map(|(_, info)| info.clone()).collect(),
        }
    }

    fn put_connection(&self, ends: Ends, info: TcpInfo) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, old)) = connections.iter_mut().find(|(known, _)| *known == ends) {
            *old = info;
        } else if connections.len() < MAX_CONNECTIONS {
            connections.push((ends, info));
        }
    }
}

/// The stop-watch of one pump thread. Processor time is that of the thread which uses it; where
/// several do, only that between two uses by the same one.
#[derive(Debug)]
pub(crate) struct Meter {
    totals: Arc<Totals>,
    last: Instant,
    nanos: [u64; COUNT],
    cpu: Duration,
    thread: ThreadId,
    handed_over: Instant,
    asked_kernel: Option<Instant>,
}

impl Meter {
    /// Starts to count.
    pub(crate) fn start(totals: Arc<Totals>) -> Self {
        let now = Instant::now();
        Self {
            totals,
            last: now,
            nanos: [0; COUNT],
            cpu: thread_cpu(),
            thread: std::thread::current().id(),
            handed_over: now,
            asked_kernel: None,
        }
    }

    /// Puts the time since the last lap on `stage`.
    pub(crate) fn lap(&mut self, stage: Stage) {
        let now = Instant::now();
        let nanos = now.duration_since(self.last).as_nanos();
        self.nanos[stage as usize] += u64::try_from(nanos).unwrap_or(u64::MAX);
        self.last = now;
    }

    /// To be called once for each batch: hands the figures over, and asks the kernel about
    /// `socket`, when that is due. Costs nothing otherwise.
    pub(crate) fn batch(&mut self, socket: &TcpStream) {
        if self.last.duration_since(self.handed_over) < HAND_OVER {
            return;
        }
        self.handed_over = self.last;
        self.hand_over();
        if self.asked_kernel.is_none_or(|asked| self.last.duration_since(asked) >= ASK_KERNEL) {
            self.asked_kernel = Some(self.last);
            self.ask_kernel(socket);
        }
    }

    /// Hands over all that is left, with the last word of the kernel.
    pub(crate) fn finish(&mut self, socket: &TcpStream) {
        self.hand_over();
        self.ask_kernel(socket);
    }

    fn hand_over(&mut self) {
        for (total, nanos) in self.totals.nanos.iter().zip(&mut self.nanos) {
            if *nanos != 0 {
                total.fetch_add(std::mem::take(nanos), Ordering::Relaxed);
            }
        }
        let cpu = thread_cpu();
        let thread = std::thread::current().id();
        let is_same = std::mem::replace(&mut self.thread, thread) == thread;
        let spent = if is_same { cpu.saturating_sub(self.cpu).as_nanos() } else { 0 };
        self.cpu = cpu;
        self.totals.cpu_nanos.fetch_add(u64::try_from(spent).unwrap_or(0), Ordering::Relaxed);
    }

    /// A connection that can't be asked any more has no figures; that it is gone is told elsewhere.
    fn ask_kernel(&self, socket: &TcpStream) {
        if let (Ok(local), Ok(peer), Some(info)) =
            (socket.local_addr(), socket.peer_addr(), TcpInfo::of(socket))
        {
            self.totals.put_connection((local, peer), info);
        }
    }
}

/// Processor time of the calling thread so far; not asked on Windows.
#[cfg(windows)]
fn thread_cpu() -> Duration {
    Duration::ZERO
}

/// Processor time of the calling thread so far.
#[cfg(not(windows))]
fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn laps_add_up_and_are_handed_over_once() {
        let totals = Arc::new(Totals::default());
        let mut meter = Meter::start(Arc::clone(&totals));
        let start = meter.last;
        std::thread::sleep(Duration::from_millis(5));
        meter.lap(Stage::FileRead);
        meter.lap(Stage::Hash);
        std::thread::sleep(Duration::from_millis(5));
        meter.lap(Stage::SocketWrite);
        let spent = meter.last.duration_since(start);
        assert_eq!(totals.snapshot().stages, Stages::default(), "not yet handed over");
        meter.hand_over();
        meter.hand_over();
        let stages = totals.snapshot().stages;
        assert_eq!(stages.sum(), spent, "every nanosecond is on one stage");
        assert!(stages.get(Stage::FileRead) >= Duration::from_millis(5));
        assert!(stages.get(Stage::SocketWrite) >= Duration::from_millis(5));
        assert_eq!(stages.get(Stage::SpaceWait), Duration::ZERO);
    }

    #[test]
    fn a_connection_is_kept_once_and_not_without_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let totals = Arc::new(Totals::default());
        for _ in 0..MAX_CONNECTIONS + 2 {
            let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let _accepted = listener.accept().unwrap();
            let mut meter = Meter::start(Arc::clone(&totals));
            meter.finish(&socket);
            meter.finish(&socket);
        }
        let expected = if cfg!(target_os = "linux") { MAX_CONNECTIONS } else { 0 };
        assert_eq!(totals.snapshot().connections.len(), expected);
    }

    #[cfg(not(windows))]
    #[test]
    fn work_shows_as_processor_time() {
        let totals = Arc::new(Totals::default());
        let mut meter = Meter::start(Arc::clone(&totals));
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(20) {
            std::hint::black_box(blake3::hash(&[0; 1024]));
        }
        meter.hand_over();
        assert!(totals.snapshot().cpu > Duration::ZERO);
    }
}
