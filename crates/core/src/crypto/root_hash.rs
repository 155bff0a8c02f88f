//! The hash that names the content of a file.

use core::fmt;

/// BLAKE3 over a stream of bytes; the result is what `b3sum` prints.
#[derive(Clone)]
pub struct RootHasher(blake3::Hasher);

impl RootHasher {
    /// A hasher that has seen no bytes.
    pub fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    /// Takes in the next bytes. Pieces of 16 KiB and more are hashed at full speed.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes so far. The hasher can go on afterwards.
    pub fn finalize(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

impl Default for RootHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RootHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootHasher").finish_non_exhaustive()
    }
}
