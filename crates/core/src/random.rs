//! Where randomness comes from: always from the caller.

use crate::Error;

/// A source of cryptographically secure random bytes.
///
/// [`crypto::OsRandom`](crate::crypto::OsRandom) is the one to use outside of tests. A source
/// that repeats itself breaks every guarantee of the protocol.
pub trait Random {
    /// Fills `out` completely.
    ///
    /// # Errors
    /// [`Error::Random`] when the source cannot deliver; `out` must then not be used.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error>;
}
