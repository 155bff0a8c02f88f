//! The body of an `End` record.

use crate::{Error, PeerFault};

/// The end of a stream that was sent completely: `total u64 ‖ root 32` (`docs/PROTOCOL.md` §8).
///
/// A receiver accepts a stream only when both match what it has received and hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Length of the whole stream in bytes.
    pub total: u64,
    /// BLAKE3 hash of the whole stream, as [`RootHasher`](crate::crypto::RootHasher) computes it.
    pub root: [u8; 32],
}

impl End {
    /// Length on the wire.
    pub const WIRE_LEN: usize = 40;

    /// The content of the `End` record.
    pub fn to_wire(&self) -> [u8; Self::WIRE_LEN] {
        let mut out = [0; Self::WIRE_LEN];
        let (total, root) = out.split_at_mut(8);
        total.copy_from_slice(&self.total.to_be_bytes());
        root.copy_from_slice(&self.root);
        out
    }

    /// Reads the content of an `End` record.
    ///
    /// # Errors
    /// [`PeerFault::Length`] unless `content` has [`End::WIRE_LEN`] bytes.
    pub fn from_wire(content: &[u8]) -> Result<Self, Error> {
        let (total, root) = content.split_first_chunk().ok_or(PeerFault::Length)?;
        let root = <[u8; 32]>::try_from(root).map_err(|_| PeerFault::Length)?;
        Ok(Self { total: u64::from_be_bytes(*total), root })
    }
}
