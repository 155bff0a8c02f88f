//! The running hash over everything both sides have said.

use crate::crypto::hash::{HASH_LEN, Sha384};

/// What every transcript starts with.
const PREFIX: &[u8] = b"e2eeftp/1\0";

/// SHA-384 over [`PREFIX`], the clear records with their headers and the sealed messages with
/// theirs, in the order of the protocol.
#[derive(Clone)]
pub(crate) struct Transcript(Sha384);

impl Transcript {
    pub(crate) fn new() -> Self {
        let mut hash = Sha384::new();
        hash.update(PREFIX);
        Self(hash)
    }

    pub(crate) fn add(&mut self, message: &[u8]) {
        self.0.update(message);
    }

    pub(crate) fn hash(&self) -> [u8; HASH_LEN] {
        self.0.current()
    }
}
