//! Reading blocks again and comparing them with what is claimed about them.

use e2eeftp_core::crypto::{BlockHasher, BlockValue};
use e2eeftp_core::transfer::BlockLayout;

use crate::error::{Error, Result};

/// Bytes that are read and hashed at once.
const PIECE_LEN: usize = 256 * 1024;

/// The value of block `index`, read by `read_at`; `None` if the file ends before the block does.
/// `stopped` is asked between pieces.
///
/// # Errors
/// Those of `read_at`; [`Error::Aborted`] once `stopped` says so.
pub(super) fn value_of(
    layout: &BlockLayout,
    index: u32,
    read_at: &dyn Fn(&mut [u8], u64) -> Result<usize>,
    stopped: &dyn Fn() -> bool,
    buffer: &mut Vec<u8>,
) -> Result<Option<BlockValue>> {
    let (Some(range), Some(mut hasher)) = (layout.range(index), BlockHasher::new(layout, index))
    else {
        return Ok(None);
    };
    buffer.resize(PIECE_LEN, 0);
    let mut at = range.start;
    while at < range.end {
        if stopped() {
            return Err(Error::Aborted);
        }
        let len = usize::try_from(range.end - at).unwrap_or(PIECE_LEN).min(PIECE_LEN);
        let read = read_at(&mut buffer[..len], at)?;
        if read == 0 {
            return Ok(None);
        }
        hasher.update(&buffer[..read]);
        at += read as u64;
    }
    Ok(Some(hasher.finalize()))
}
