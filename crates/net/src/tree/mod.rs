//! Trees: a dialog in both directions within one request (`docs/PROTOCOL.md` §7.6).
//!
//! The source walks its tree, holding directories open, and describes it; the sink compares with
//! what it has and answers, so that nothing waits for a round trip per file. Small files travel in
//! the dialog, many to a record. A large one is handed to the client, which moves it by a request
//! of its own. Memory does not grow with the number of entries: what is under way between the two
//! is bounded by [`WINDOW_COST`].

mod dirs;
mod events;
mod link_names;
mod records;
mod removal;
mod sink;
mod sink_files;
mod sink_links;
mod source;
mod space;
mod store_queue;
mod walk;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use e2eeftp_core::transfer::Reason;
use e2eeftp_core::tree::{ChosenPaths, Filter, TreeCounts};
use e2eeftp_vfs::{Durability, TreeReader, TreeWriter};

use crate::error::{Error, Result};
use crate::limits::DRAIN_TIMEOUT;
use crate::pump::wire::Wire;
use crate::session::Session;
use crate::transfer::{Phase, Transfer};
use records::{RecordReader, RecordWriter};

pub use events::{TreeEvent, TreeEventKind, TreeEvents, TreeProgress};
pub use sink::receive_tree;
pub use source::send_tree;

/// What the entries may cost that a source has sent and that are not settled.
const WINDOW_COST: usize = 4 << 20;
/// What a sink keeps at most for a source that does not respect [`WINDOW_COST`].
const MAX_SINK_COST: usize = 2 * WINDOW_COST;
/// What an entry costs beside its path.
const ENTRY_COST: usize = 128;

/// What the client says at the start: rules and paths.
#[derive(Clone, Debug, Default)]
pub struct TreeChoice {
    /// What is left out.
    pub filter: Filter,
    /// Only these paths, where there is a list.
    pub chosen: Option<ChosenPaths>,
}

/// How a tree is moved, for either side.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent options, each named")]
pub struct TreeOptions {
    /// What to say at the start; `None` on the server, which is told.
    pub choice: Option<TreeChoice>,
    /// Compare contents instead of sizes and times.
    pub checksum: bool,
    /// Change nothing, and say what would happen.
    pub dry_run: bool,
    /// Leave symbolic links out.
    pub skip_links: bool,
    /// Give names at the sink the modes and times of the source.
    pub preserve: bool,
    /// What the sink does before it acknowledges.
    pub durability: Durability,
}

/// What a side needs beside the tree and the socket.
#[derive(Debug)]
#[non_exhaustive]
pub struct TreeSettings<'a> {
    /// The connection's keys and counters.
    pub pump: crate::PumpSettings<'a>,
    /// Silence after which a record says that this side is still there.
    pub keep_alive: Duration,
    /// Where events go; `None` on the server.
    pub events: Option<Arc<TreeEvents>>,
}

impl<'a> TreeSettings<'a> {
    /// Settings with the default keep-alive of 10 s; for programs that drive a dialog themselves.
    pub fn new(pump: crate::PumpSettings<'a>, events: Option<Arc<TreeEvents>>) -> Self {
        Self { pump, keep_alive: Duration::from_secs(10), events }
    }
}

impl Session {
    /// Sends a tree as body `stream`, on a thread of its own. The result is what the sink counted.
    ///
    /// # Errors
    /// As [`send_tree`].
    pub async fn send_tree(
        &self,
        transfer: &Transfer,
        reader: TreeReader,
        stream: u32,
        options: TreeOptions,
        events: Option<Arc<TreeEvents>>,
    ) -> Result<TreeCounts> {
        let keep_alive = self.connection().settings.keep_alive;
        let over = events.clone();
        let sent = self
            .run_dialog(transfer, stream, move |socket, pump| {
                send_tree(socket, &reader, &options, TreeSettings { pump, keep_alive, events })
            })
            .await;
        finish(over.as_deref());
        sent
    }

    /// Receives a tree as body `stream`, on a thread of its own.
    ///
    /// # Errors
    /// As [`receive_tree`].
    pub async fn receive_tree(
        &self,
        transfer: &Transfer,
        writer: TreeWriter,
        stream: u32,
        options: TreeOptions,
        events: Option<Arc<TreeEvents>>,
    ) -> Result<TreeCounts> {
        let keep_alive = self.connection().settings.keep_alive;
        let over = events.clone();
        let received = self
            .run_dialog(transfer, stream, move |socket, pump| {
                receive_tree(socket, &writer, &options, TreeSettings { pump, keep_alive, events })
            })
            .await;
        finish(over.as_deref());
        received
    }
}

impl Session {
    /// Gives a dialog up that the peer has begun and this side can't begin.
    ///
    /// # Errors
    /// Connection errors.
    pub async fn abandon_tree(&self, transfer: &Transfer, stream: u32) -> Result<()> {
        self.run_dialog(transfer, stream, |socket, pump| {
            let wire = || Wire::new(socket, pump.transfer, pump.dead, pump.stall_timeout);
            let mut out = RecordWriter::new(wire()?, pump.sealer, pump.stream, pump.epoch, None);
            let mut incoming =
                RecordReader::new(wire()?, pump.opener, pump.pending, pump.stream, None);
            out.abort(Reason::Cancelled)?;
            sink::drain(&mut incoming, false)
        })
        .await
    }
}

fn finish(events: Option<&TreeEvents>) {
    if let Some(events) = events {
        events.finish();
    }
}

/// What the threads of one side share.
struct Shared<'a> {
    out: Mutex<RecordWriter<'a>>,
    /// The main thread has come to its end, well or badly.
    is_over: AtomicBool,
    /// Nothing can be sent any more.
    is_broken: AtomicBool,
}

impl<'a> Shared<'a> {
    fn new(out: RecordWriter<'a>) -> Self {
        let (is_over, is_broken) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { out: Mutex::new(out), is_over, is_broken }
    }

    fn set_broken(&self) {
        self.is_broken.store(true, Ordering::Release);
    }

    fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire)
    }

    fn out(&self) -> MutexGuard<'_, RecordWriter<'a>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    fn set_over(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// Tells the peer now and then that this side is still there, until it is over.
    fn keep_alive(&self, interval: Duration) {
        let nap = (interval / 4).clamp(Duration::from_millis(1), Duration::from_millis(100));
        while !self.is_over() {
            std::thread::park_timeout(nap);
            // Whoever holds it is sending.
            if let Ok(mut out) = self.out.try_lock()
                && out.keep_alive(interval).is_err()
            {
                // The main thread meets the same failure with its next record.
                self.set_broken();
                return;
            }
        }
    }
}

/// Sees to it that the threads of one side end with their main one, also where that panics.
struct Over<'s, 'a>(&'s Shared<'a>);

impl Drop for Over<'_, '_> {
    fn drop(&mut self) {
        self.0.set_over();
    }
}

/// How long a side waits for the peer's end after it has given up.
fn drain_timeout() -> Duration {
    DRAIN_TIMEOUT
}

fn begin(transfer: &Transfer) {
    transfer.set_total(None);
    transfer.set_phase(Phase::Moving);
}

/// The cost of an entry with this path.
fn cost_of(path_len: usize) -> usize {
    ENTRY_COST + path_len
}

fn broken(what: &'static str) -> Error {
    Error::Protocol(what)
}
