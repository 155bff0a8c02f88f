//! The core of the `e2eeftp/1` protocol: bytes in, bytes out.
//!
//! This crate knows the handshake, the record layer and the identity keys. It never opens a
//! socket or a file, never reads a clock and never asks the operating system for randomness:
//! time and randomness are arguments. `docs/PROTOCOL.md` is the byte-level description, and
//! `testdata/vectors/` holds what a second implementation is checked against.
//!
//! A connection is one handshake ([`handshake`]) followed by protected records ([`record`]).
//! Every state of the handshake is a type whose method consumes it, and the traffic keys come
//! out of the last one only: there is no way to hold a [`record::Sealer`] for a peer that has
//! not been verified.
#![forbid(unsafe_code)]

pub mod classic;
pub mod compress;
pub mod crypto;
mod error;
mod exporter;
pub mod handshake;
pub mod identity;
pub mod listing;
mod random;
pub mod receipt;
pub mod record;
pub mod transfer;
pub mod tree;

pub use error::{AgentFault, Error, KeyFault, Misuse, PeerFault, ReceiptFault, WeakKey};
pub use exporter::Exporter;
pub use random::Random;
