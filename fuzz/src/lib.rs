//! What the fuzz targets share: peers that always say the same, somebody who knows all their
//! secrets, and the rules of `docs/PROTOCOL.md` written a second time to judge the answers.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed run")]

pub mod edits;
pub mod journal;
pub mod keys;
pub mod peers;
pub mod receipts;
#[path = "../../crates/core/tests/common/reference.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the tests of the core, which use more of it"
)]
mod reference;
pub mod rules;
pub mod seeds;
