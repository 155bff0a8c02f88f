//! The fixed buffers of the pumps: allocated once, touched once, used again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use e2eeftp_core::record::{
    CONTENT_OFFSET, HEADER_LEN, INNER_LEN, MAX_PAD, MAX_RECORD_BODY, OVERHEAD, Sealer, TAG_LEN,
};

/// Content bytes of a full bulk record.
///
/// BLAKE3 and AES-GCM reach their full speed from 128 KiB on (`bench/RESULTS.md`).
pub(crate) const RECORD_CONTENT: usize = 128 * 1024;
/// Cache line: content of every record in a batch starts on one, so that wide loads do not straddle.
const ALIGN: usize = 64;
/// Distance between the starts of two full records of a batch.
pub(crate) const RECORD_STRIDE: usize = (RECORD_CONTENT + OVERHEAD).next_multiple_of(ALIGN);
/// Padding that a full record carries so that the next one starts [`RECORD_STRIDE`] later.
const RECORD_PAD: usize = RECORD_STRIDE - RECORD_CONTENT - OVERHEAD;
/// The last, partial record of a body is padded to a multiple of this, to hide its exact length.
const TAIL_STEP: usize = 4096;

/// Least content of a record of which more follow: less would be padded to this.
pub(crate) const SMALLEST_CONTENT: usize = TAIL_STEP - INNER_LEN;

/// Full records per system call while few pumps run: 1 MiB.
const LARGE_BATCH: usize = 8;
/// Full records per system call while many pumps run: 256 KiB, to keep memory in bounds.
const SMALL_BATCH: usize = 2;
/// Up to this many pumps at once get large buffers.
const MAX_LARGE: usize = 8;
/// Room for what may stand beside the full records: the padding of the last one, the head of a block.
const SPARE: usize = 2 * TAIL_STEP;

/// Buffers that are not in use, and the number of large ones that are.
static POOL: Pool = Pool { free: Mutex::new(Vec::new()), large: AtomicUsize::new(0) };

#[derive(Debug)]
struct Pool {
    /// Invariant: all of large size, at most [`MAX_LARGE`].
    free: Mutex<Vec<Vec<u8>>>,
    /// Large buffers handed out. Invariant: <= [`MAX_LARGE`].
    large: AtomicUsize,
}

/// Content bytes of a full data record that the peer of `sealer` takes: [`RECORD_CONTENT`], or less
/// where its limit leaves no room for that and the padding. Its record is never longer than
/// [`RECORD_STRIDE`], whatever limit the peer has thought of.
pub(crate) fn record_content(sealer: &Sealer) -> usize {
    content_within(sealer.max_record_body())
}

fn content_within(max_body: usize) -> usize {
    let room = max_body.saturating_sub(INNER_LEN + TAIL_STEP + TAG_LEN);
    if room >= RECORD_CONTENT {
        return RECORD_CONTENT;
    }
    // Nothing is padded.
    ((room + INNER_LEN) / TAIL_STEP * TAIL_STEP).saturating_sub(INNER_LEN)
}

/// Padding of a data record with `content_len` bytes, the same for all senders.
pub(crate) fn data_pad(content_len: usize) -> usize {
    if content_len == RECORD_CONTENT {
        RECORD_PAD
    } else {
        (INNER_LEN + content_len).next_multiple_of(TAIL_STEP) - INNER_LEN - content_len
    }
}

/// Length of a whole data record with `content_len` bytes.
pub(crate) fn data_record_len(content_len: usize) -> usize {
    content_len + data_pad(content_len) + OVERHEAD
}

/// Length of the longest data record with at most `content_len` bytes: one that is nearly full can
/// carry more padding than a full one.
pub(crate) fn longest_record_len(content_len: usize) -> usize {
    content_len + MAX_PAD + OVERHEAD
}

/// One pump's buffer. Goes back to the pool when dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// Offset at which [`CONTENT_OFFSET`] bytes later a cache line starts.
    start: usize,
    /// Full records that fit.
    pub(crate) batch: usize,
}

impl Buffer {
    /// Takes a buffer for one pump: large while few pumps run, small otherwise.
    pub(crate) fn take() -> Self {
        let large = POOL
            .large
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |count| {
                (count < MAX_LARGE).then_some(count + 1)
            })
            .is_ok();
        let batch = if large { LARGE_BATCH } else { SMALL_BATCH };
        let recycled = if large { lock_free().pop() } else { None };
        let bytes = recycled.unwrap_or_else(|| vec![0; batch * RECORD_STRIDE + SPARE + ALIGN]);
        let misaligned = (bytes.as_ptr().addr() + CONTENT_OFFSET) % ALIGN;
        Self { start: (ALIGN - misaligned) % ALIGN, bytes, batch }
    }

    /// The usable bytes: `batch` full records and a little more.
    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        let end = self.start + self.batch * RECORD_STRIDE + SPARE;
        &mut self.bytes[self.start..end]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.batch == LARGE_BATCH {
            let bytes = std::mem::take(&mut self.bytes);
            let mut free = lock_free();
            if free.len() < MAX_LARGE {
                free.push(bytes);
            }
            POOL.large.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn lock_free() -> std::sync::MutexGuard<'static, Vec<Vec<u8>>> {
    POOL.free.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

const _: () = {
    let smallest = SMALL_BATCH * RECORD_STRIDE + SPARE;
    assert!(smallest >= HEADER_LEN + MAX_RECORD_BODY, "every record of a peer fits");
    assert!(RECORD_PAD <= MAX_PAD && TAIL_STEP <= MAX_PAD, "the padding is allowed");
};

#[cfg(test)]
mod tests {
    use e2eeftp_core::record::MIN_RECORD_BODY_LIMIT;

    use super::*;

    #[test]
    fn a_batch_of_full_records_fits_whatever_the_peer_takes() {
        for max_body in MIN_RECORD_BODY_LIMIT..=MAX_RECORD_BODY {
            let content = content_within(max_body);
            assert!(content >= SMALLEST_CONTENT, "{max_body}");
            assert!(data_record_len(content) <= RECORD_STRIDE, "{max_body}");
            assert!(data_record_len(content) - HEADER_LEN <= max_body, "{max_body}");
        }
    }

    #[test]
    fn no_record_is_longer_than_the_longest() {
        for content in 0..=RECORD_CONTENT {
            assert!(data_record_len(content) <= longest_record_len(RECORD_CONTENT));
        }
    }

    #[test]
    fn content_of_every_full_record_starts_on_a_cache_line() {
        let mut buffers: Vec<Buffer> = (0..MAX_LARGE + 2).map(|_| Buffer::take()).collect();
        for buffer in &mut buffers {
            let batch = buffer.batch;
            let bytes = buffer.as_mut();
            for index in 0..batch {
                let content = &bytes[index * RECORD_STRIDE + CONTENT_OFFSET..];
                assert_eq!(content.as_ptr().addr() % ALIGN, 0);
                assert!(content.len() >= RECORD_CONTENT);
            }
        }
        assert_eq!(buffers[MAX_LARGE].batch, SMALL_BATCH);
        drop(buffers);
        assert_eq!(Buffer::take().batch, LARGE_BATCH);
    }
}
