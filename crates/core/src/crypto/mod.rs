//! The one place that names a cryptography crate.
//!
//! Everything else in this crate calls the small surface below, so that a back end can be
//! replaced here. Nothing in this module keeps state beyond the keys it is given.

pub(crate) mod aead;
mod block_hash;
pub(crate) mod cbc_hmac;
mod cpu;
pub(crate) mod ed25519;
pub(crate) mod hash;
pub(crate) mod kdf;
pub(crate) mod kem;
mod os_random;
#[cfg(test)]
mod public_vectors;
mod root_hash;
pub(crate) mod secret_bytes;
pub(crate) mod x25519;

pub(crate) use block_hash::journal_check;
pub use block_hash::{BlockHasher, BlockValue, root_of_blocks};
pub use cpu::has_aes_hardware;
pub use os_random::OsRandom;
pub use root_hash::RootHasher;
pub use secret_bytes::on_clean_stack;
