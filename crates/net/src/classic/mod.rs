//! The wire format of the original Python e2eeftp over TCP (`docs/CLASSIC.md`): one command a
//! connection, in clear, and one sealed piece in one direction.
//!
//! As in the rest of this crate nothing is decided here: who may come in, what a command means and
//! what is answered comes from the caller. Nothing outside of this module uses it.

mod client;
mod connection;
mod incoming;
mod listener;
mod pieces;

pub use client::connect;
pub use connection::{Connection, Line, MAX_LINE_LEN};
pub use incoming::Incoming;
pub use listener::Listener;
