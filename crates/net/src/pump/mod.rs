//! File bodies over a detached, blocking socket: one thread per side, no hand-over inside.
//!
//! Each step works on the buffer in hand while it is warm: the sender reads a piece, hashes it,
//! seals it in place and writes a batch of records with one system call; the receiver does the same
//! backwards. There is no pass over the data before the first byte or after the last.

mod blocks;
mod inbox;
pub(crate) mod limiter;
pub(crate) mod meter;
mod receive;
pub(crate) mod reverse;
mod send;
mod socket;
pub(crate) mod space;
#[cfg(unix)]
mod standard;
mod stream_receive;
mod stream_send;
pub(crate) mod wire;

use std::time::{Duration, Instant};

use e2eeftp_core::record::{Head, InnerType, Opener, Sealer};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::limits::KEEP_ALIVE;
use crate::link::elapsed_ms;
use crate::transfer::Transfer;

use limiter::Rates;
use wire::Wire;

pub use blocks::BlocksResult;
pub(crate) use blocks::{
    ReceiveBoard, SendBoard, receive_blocks, receive_on_lane, send_blocks, send_on_lane,
};
pub use receive::receive_body;
pub(crate) use send::read_exactly;
pub use send::send_body;
#[cfg(unix)]
pub use standard::{StandardInput, StandardOutput};
pub(crate) use stream_receive::StagedSink;
pub use stream_receive::{StreamSink, receive_stream};
pub(crate) use stream_send::FilePart;
pub use stream_send::{Fed, StreamSource, send_stream};

/// What a finished body amounts to. Both sides hold the same values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BodyResult {
    /// Content bytes.
    pub bytes: u64,
    /// BLAKE3 root of the content, as `b3sum` prints it.
    pub root: [u8; 32],
}

/// What a pump needs beside the file and the socket.
#[derive(Debug)]
#[non_exhaustive]
pub struct PumpSettings<'a> {
    /// Seals what goes out.
    pub sealer: &'a mut Sealer,
    /// Opens what comes in.
    pub opener: &'a mut Opener,
    /// Received bytes not yet consumed; what is left over at the end is put back here.
    pub pending: &'a mut Vec<u8>,
    /// Number of the body, carried by each of its records.
    pub stream: u32,
    /// Counts bytes, and may cancel.
    pub transfer: &'a Transfer,
    /// Ends the pump at once, without telling the peer.
    pub dead: &'a CancellationToken,
    /// No byte moved for this long: the connection is given up.
    pub stall_timeout: Duration,
    /// How often the peer of a body that this side holds up hears that it is still there, at least.
    pub keep_alive: Duration,
    /// How long a full disk of this side is waited for; zero: not at all.
    pub space_timeout: Duration,
    /// Rate limits beside that of `transfer`, shared with other transfers.
    pub rates: Option<&'a Rates>,
    /// Zero of the clock of the key ratchet.
    pub epoch: Instant,
}

impl<'a> PumpSettings<'a> {
    /// Settings with the default stall limit of 30 s, without a wait for a full disk; for programs
    /// that drive a pump themselves.
    pub fn new(
        sealer: &'a mut Sealer,
        opener: &'a mut Opener,
        pending: &'a mut Vec<u8>,
        transfer: &'a Transfer,
        dead: &'a CancellationToken,
    ) -> Self {
        Self {
            sealer,
            opener,
            pending,
            stream: 1,
            transfer,
            dead,
            stall_timeout: Duration::from_secs(30),
            keep_alive: KEEP_ALIVE,
            space_timeout: Duration::ZERO,
            rates: None,
            epoch: Instant::now(),
        }
    }

    /// Moves as much as fits of what was received ahead to the front of `room`.
    fn take_pending(&mut self, room: &mut [u8]) -> usize {
        let len = self.pending.len().min(room.len());
        room[..len].copy_from_slice(&self.pending[..len]);
        self.pending.drain(..len);
        len
    }
}

/// Tells the peer that this side is at work on the body: an empty record of it.
fn say_still_there(wire: &mut Wire<'_>, settings: &mut PumpSettings<'_>) -> Result<()> {
    let head = Head { kind: InnerType::Data, flags: 0, stream: settings.stream };
    let mut record = Vec::new();
    settings.sealer.seal_small(head, &[], &mut record)?;
    wire.write_all(&record)
}

/// Tells the peer why the body ends here: by Abort as its sender, by Stop as its receiver. From then on
/// only the way back into step counts.
fn give_body_up(
    wire: &mut Wire<'_>,
    settings: &mut PumpSettings<'_>,
    kind: InnerType,
    failure: &Error,
) -> Result<()> {
    let mut record = Vec::new();
    let now_ms = elapsed_ms(settings.epoch);
    if settings.sealer.needs_update(now_ms) {
        settings.sealer.seal_update(now_ms, &mut record)?;
    }
    let head = Head { kind, flags: 0, stream: settings.stream };
    settings.sealer.seal_small(head, &failure.reason().to_wire(), &mut record)?;
    wire.start_draining();
    wire.write_all(&record)
}
