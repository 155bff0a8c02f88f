//! Files that travel by blocks: what the receiver has is not sent again (`docs/PROTOCOL.md` §9).
//!
//! One thread for each lane and side moves blocks; on either side another one reads the blocks that are
//! kept and proves them meanwhile, and the receiver's third one writes the journal. None of them hands
//! bytes to another.

mod checkpoints;
mod map_body;
mod prover;
mod receive;
mod receive_board;
mod send;
mod send_board;

pub(crate) use receive::{receive_blocks, receive_on_lane};
pub(crate) use receive_board::ReceiveBoard;
pub(crate) use send::{send_blocks, send_on_lane};
pub(crate) use send_board::SendBoard;

/// What a finished transfer by blocks amounts to. Both sides hold the same values, but for `kept`, of
/// which each says what it knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BlocksResult {
    /// Length of the file in bytes.
    pub bytes: u64,
    /// BLAKE3 root of the file, as `b3sum` prints it.
    pub root: [u8; 32],
    /// Bytes that the receiver had and that were proved instead of sent.
    pub kept: u64,
}
