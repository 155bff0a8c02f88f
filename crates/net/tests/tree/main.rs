//! Trees from one folder to another over a real session.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

#[path = "../common/mod.rs"]
mod common;
mod deletion;
mod hostile;
mod links;
mod properties;
mod transfer;
mod world;
