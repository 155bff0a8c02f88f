//! The operating system's random source, for callers to pass in; the core never reaches for it.

use core::fmt;

use ring::rand::{SecureRandom, SystemRandom};

use crate::{Error, Random};

/// The operating system's random source.
pub struct OsRandom(SystemRandom);

impl OsRandom {
    /// A handle; it holds no state.
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Default for OsRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OsRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OsRandom")
    }
}

impl Random for OsRandom {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.0.fill(out).map_err(|_| Error::Random)
    }
}
