//! Filling blocks of a new file from the old one of the same name.

use std::io::IoSlice;

use super::BlockStaged;
use super::local::LocalBlocks;
use crate::error::{Error, ErrorKind, Result};
use crate::jail::READ_FILE;
use crate::source::LocalSource;
use crate::storage::Source;
use crate::sys::fs::Mode;
use crate::sys::io::Errno;
use crate::sys::{self, BorrowedFd};
use e2eeftp_core::crypto::BlockHasher;
use e2eeftp_core::transfer::KeptBlock;

/// Bytes that are read and hashed at once.
const PIECE_LEN: usize = 256 * 1024;
const OP: &str = "adopt";

/// See [`BlockStaged::adopt`].
pub(super) fn adopt(
    blocks: &LocalBlocks,
    directory: BorrowedFd<'_>,
    name: &[u8],
    wanted: &[u32],
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<KeptBlock>> {
    let opened = sys::io::retry_on_intr(|| {
        let flags = READ_FILE | sys::fs::OFlags::NOFOLLOW;
        sys::fs::openat(directory, name, flags, Mode::empty())
    });
    let source = match opened.map(LocalSource::new) {
        Ok(Ok(source)) => source,
        // Nothing to adopt from: no regular file, or none that may be read.
        Ok(Err(_)) | Err(Errno::NOENT | Errno::LOOP | Errno::ACCESS | Errno::NXIO) => {
            return Ok(Vec::new());
        }
        Err(errno) => return Err(Error::from_errno(OP, errno)),
    };
    let layout = *blocks.layout();
    let size = source.metadata().size;
    // Only into a file that holds nothing yet: what is there would be lost.
    let is_all = wanted.len() == layout.count() as usize;
    let is_shared = is_all && blocks.share(source.as_fd());
    let mut buffer = vec![0; PIECE_LEN];
    let mut adopted = Vec::new();
    for &index in wanted {
        let Some(range) = layout.range(index) else { continue };
        if range.end > size {
            continue;
        }
        let Some(mut hasher) = BlockHasher::new(&layout, index) else { continue };
        let mut at = range.start;
        while at < range.end {
            if cancelled() {
                return Err(Error::new(ErrorKind::Cancelled, OP));
            }
            let len = usize::try_from(range.end - at).unwrap_or(PIECE_LEN).min(PIECE_LEN);
            let room = &mut buffer[..len];
            let read = if is_shared { blocks.read_at(room, at) } else { source.read_at(room, at) };
            let read = match read {
                Ok(0) => break,
                Ok(read) => read,
                // An old file that can't be read is nothing to adopt from, and no reason to give the new
                // one up: what is left of it travels.
                Err(_) => return Ok(adopted),
            };
            hasher.update(&room[..read]);
            if !is_shared {
                blocks.write_at(&mut [IoSlice::new(&room[..read])], at)?;
            }
            at += read as u64;
        }
        // A file that was cut short meanwhile has no such block.
        if at == range.end {
            adopted.push(KeptBlock { index, value: hasher.finalize() });
        }
    }
    Ok(adopted)
}
