//! Sources and staged files in memory, which can be held up or made to fail at an offset.

use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::SystemTime;

use e2eeftp_vfs::{CommitOptions, Error, ErrorKind, FileType, Metadata, Result, Source, Staged};
use tokio::sync::Notify;

use super::{HANG, within};

/// Bytes that depend on length and seed only, and repeat nowhere.
pub(crate) fn content(len: usize, seed: &str) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Where a pump waits until the test lets it go on.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<GateState>);

#[derive(Default)]
struct GateState {
    is_open: Mutex<bool>,
    opened: Condvar,
    reached: Notify,
}

impl Gate {
    /// Waits until a pump stands at the gate.
    pub(crate) async fn reached(&self) {
        within(self.0.reached.notified()).await;
    }

    pub(crate) fn open(&self) {
        *self.0.is_open.lock().unwrap() = true;
        self.0.opened.notify_all();
    }

    fn pass(&self) {
        let is_open = self.0.is_open.lock().unwrap();
        if *is_open {
            return;
        }
        self.0.reached.notify_one();
        let (_guard, waited) =
            self.0.opened.wait_timeout_while(is_open, HANG, |is_open| !*is_open).unwrap();
        assert!(!waited.timed_out(), "nobody opened the gate");
    }
}

/// A file that does not change.
pub(crate) struct MemorySource {
    bytes: Vec<u8>,
    metadata: Metadata,
    gate: Option<(u64, Gate)>,
}

impl MemorySource {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let metadata = Metadata {
            file_type: FileType::File,
            size: bytes.len() as u64,
            modified: SystemTime::UNIX_EPOCH,
            mode: 0o644,
        };
        Self { bytes: bytes.to_vec(), metadata, gate: None }
    }

    pub(crate) fn shared(bytes: &[u8]) -> Arc<dyn Source> {
        Arc::new(Self::new(bytes))
    }

    /// Reads that touch the byte at `offset` wait at `gate`.
    pub(crate) fn held_at(bytes: &[u8], offset: u64, gate: &Gate) -> Arc<dyn Source> {
        Arc::new(Self { gate: Some((offset, gate.clone())), ..Self::new(bytes) })
    }
}

impl Source for MemorySource {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        if let Some((at, gate)) = &self.gate
            && (offset..offset + buf.len() as u64).contains(at)
        {
            gate.pass();
        }
        let rest = self.bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn check_unchanged(&self) -> Result<()> {
        Ok(())
    }

    fn advise_sequential(&self) {}
}

/// Where a body goes, and what became of it.
#[derive(Clone, Default)]
pub(crate) struct Sink {
    bytes: Arc<Mutex<Vec<u8>>>,
    is_dropped: Arc<AtomicBool>,
    failure: Option<(u64, ErrorKind)>,
    gate: Option<(u64, Gate)>,
    full: Option<(u64, Arc<AtomicBool>)>,
}

impl Sink {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The write that reaches the byte at `offset` fails.
    pub(crate) fn failing_at(offset: u64, kind: ErrorKind) -> Self {
        Self { failure: Some((offset, kind)), ..Self::default() }
    }

    /// The write that reaches the byte at `offset` waits at `gate`.
    pub(crate) fn held_at(offset: u64, gate: &Gate) -> Self {
        Self { gate: Some((offset, gate.clone())), ..Self::default() }
    }

    /// There is no space for the byte at `offset` and what follows while `is_full` is true.
    pub(crate) fn full_at(offset: u64, is_full: &Arc<AtomicBool>) -> Self {
        Self { full: Some((offset, Arc::clone(is_full))), ..Self::default() }
    }

    pub(crate) fn staged(&self) -> Box<dyn Staged> {
        Box::new(MemoryStaged(self.clone()))
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    /// Whether the staged file has been given up.
    pub(crate) fn is_dropped(&self) -> bool {
        self.is_dropped.load(Ordering::Acquire)
    }
}

struct MemoryStaged(Sink);

impl Staged for MemoryStaged {
    fn write_at(&mut self, bufs: &mut [IoSlice<'_>], offset: u64) -> Result<()> {
        let len: usize = bufs.iter().map(|buf| buf.len()).sum();
        let range = offset..offset + len as u64;
        if let Some((at, gate)) = &self.0.gate
            && range.contains(at)
        {
            gate.pass();
        }
        if let Some((at, kind)) = self.0.failure
            && range.contains(&at)
        {
            return Err(Error::new(kind, "write"));
        }
        if let Some((at, is_full)) = &self.0.full
            && range.end > *at
            && is_full.load(Ordering::Acquire)
        {
            return Err(Error::new(ErrorKind::NoSpace, "write"));
        }
        let mut bytes = self.0.bytes.lock().unwrap();
        assert_eq!(bytes.len() as u64, offset, "a body is written without gaps");
        for buf in bufs.iter() {
            bytes.extend_from_slice(buf);
        }
        Ok(())
    }

    fn written_to(&self) -> u64 {
        self.0.bytes.lock().unwrap().len() as u64
    }

    fn commit(self: Box<Self>, _: &CommitOptions) -> Result<Metadata> {
        Err(Error::new(ErrorKind::Unsupported, "commit"))
    }

    fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

impl Drop for MemoryStaged {
    fn drop(&mut self) {
        self.0.is_dropped.store(true, Ordering::Release);
    }
}
