//! Moves the packets of one direction from device to device.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use super::clock::{now, timespec};
use super::link::{Fate, Link};
use super::ring::Ring;

/// Packets that are read before those that are due are written.
const BATCH: usize = 256;
/// Shortest sleep after packets have moved: many are moved at once instead of one at a time, and come
/// by up to this late. At 1 Gbit/s about 17 packets of 1500 bytes pass in it.
const STEP: Duration = Duration::from_micros(200);
/// Longest sleep, after which the end is looked for, in nanoseconds.
const LONGEST_SLEEP: u64 = 100_000_000;

/// What happened in one direction so far. Packets, except where bytes are said.
#[derive(Debug, Default)]
pub struct Counters {
    /// Packets that were handed to the link.
    pub offered: AtomicU64,
    /// Their bytes.
    pub offered_bytes: AtomicU64,
    /// Packets that arrived.
    pub delivered: AtomicU64,
    /// Their bytes.
    pub delivered_bytes: AtomicU64,
    /// Packets that were lost at random.
    pub lost: AtomicU64,
    /// Packets for which the queue had no room.
    pub dropped: AtomicU64,
    /// Packets for which this program had no memory: its own fault, which must not happen.
    pub overflowed: AtomicU64,
    /// Packets that the device on the other side did not take.
    pub refused: AtomicU64,
    /// How late packets arrived: `late[i]` of them by less than 2^i µs and by no less than half of it.
    pub late: [AtomicU64; LATE_CLASSES],
    /// The largest lateness in nanoseconds.
    pub latest: AtomicU64,
}

/// The last class is for everything above half a second.
pub const LATE_CLASSES: usize = 21;

/// Moves packets until `stop` is set.
///
/// # Errors
/// If a device can't be read, or written for another reason than being down.
pub fn forward(
    mut from: &File,
    mut to: &File,
    link: &mut Link,
    ring: &mut Ring,
    counters: &Counters,
    stop: &AtomicBool,
) -> io::Result<()> {
    let mut scratch = vec![0_u8; 1 << 16];
    while !stop.load(Relaxed) {
        let mut read = 0;
        while read < BATCH {
            let (slot, has_room) = match ring.slot() {
                Some(slot) => (slot, true),
                None => (scratch.as_mut_slice(), false),
            };
            let len = match from.read(slot) {
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // While the device is down.
                Err(error) if error.raw_os_error() == Some(libc::EBADFD) => break,
                Err(error) => return Err(error),
            };
            read += 1;
            counters.offered.fetch_add(1, Relaxed);
            counters.offered_bytes.fetch_add(len as u64, Relaxed);
            if !has_room {
                counters.overflowed.fetch_add(1, Relaxed);
                continue;
            }
            match link.offer(now(), len) {
                Fate::Arrives(due) => ring.commit(len, due),
                Fate::Lost => _ = counters.lost.fetch_add(1, Relaxed),
                Fate::Dropped => _ = counters.dropped.fetch_add(1, Relaxed),
            }
        }
        let mut time = now();
        let mut written = 0;
        while let Some((due, packet)) = ring.front() {
            if due > time {
                time = now();
                if due > time {
                    break;
                }
            }
            match to.write(packet) {
                Ok(len) => {
                    counters.delivered.fetch_add(1, Relaxed);
                    counters.delivered_bytes.fetch_add(len as u64, Relaxed);
                }
                // The device is down, or its namespace short of memory.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EIO | libc::ENOBUFS)) => {
                    counters.refused.fetch_add(1, Relaxed);
                }
                Err(error) => return Err(error),
            }
            note_lateness(counters, time - due);
            ring.pop();
            written += 1;
        }
        if read == BATCH {
            continue;
        }
        if read + written > 0 {
            thread::sleep(STEP);
        } else {
            let due = ring.front().map_or(u64::MAX, |(due, _)| due);
            wait_readable(from, due.saturating_sub(now()).min(LONGEST_SLEEP))?;
        }
    }
    Ok(())
}

fn note_lateness(counters: &Counters, nanos: u64) {
    let micros = nanos / 1000;
    let class = (u64::BITS - micros.leading_zeros()) as usize;
    counters.late[class.min(LATE_CLASSES - 1)].fetch_add(1, Relaxed);
    counters.latest.fetch_max(nanos, Relaxed);
}

/// Sleeps until `file` can be read, `nanos` have passed or a signal came.
fn wait_readable(file: &File, nanos: u64) -> io::Result<()> {
    let mut poll = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let time = timespec(nanos);
    // SAFETY: both pointers are to values of this frame, and one `pollfd` is announced.
    let ready = unsafe { libc::ppoll(&raw mut poll, 1, &raw const time, ptr::null()) };
    let error = io::Error::last_os_error();
    if ready < 0 && error.kind() != ErrorKind::Interrupted {
        return Err(error);
    }
    // A device that is down reports an error at once, again and again.
    if ready > 0 && poll.revents & libc::POLLIN == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
