//! Protected records: what travels after the handshake, and the sealed half of the handshake.
//!
//! ```text
//! record = kind u8 ‖ len u24 ‖ AEAD(inner)              len counts what follows it
//! inner  = type u8 ‖ flags u8 ‖ pad u16 ‖ stream u32 ‖ content ‖ 0^pad
//! ```
//!
//! A caller reads the four header bytes, asks [`record_len`] how long the record is, reads the
//! rest and gives the whole to [`Opener::open`]. Sealing and opening work in place and do not
//! allocate. See `docs/PROTOCOL.md` §6.

mod frame;
mod head;
mod length;
mod opener;
mod padding;
mod ratchet;
mod sealer;

pub use head::{Head, InnerType};
pub use length::{Phase, record_len};
pub use opener::{Opened, Opener};
pub use ratchet::RatchetLimits;
pub use sealer::Sealer;

pub(crate) use frame::{open_frame, seal_frame};
pub(crate) use length::{KIND_CLEAR, KIND_REFUSAL, clear_body, header};

/// Length of `kind u8 ‖ len u24`.
pub const HEADER_LEN: usize = 4;
/// Length of `type u8 ‖ flags u8 ‖ pad u16 ‖ stream u32`.
pub const INNER_LEN: usize = 8;
/// Length of the authentication tag that ends a protected record.
pub const TAG_LEN: usize = crate::crypto::aead::TAG_LEN;
/// Where the content starts in a record buffer.
pub const CONTENT_OFFSET: usize = HEADER_LEN + INNER_LEN;
/// What a protected record without padding adds to its content.
pub const OVERHEAD: usize = CONTENT_OFFSET + TAG_LEN;
/// The most content one record carries: 256 KiB.
pub const MAX_CONTENT: usize = 256 * 1024;
/// The most content a control record carries: 16 KiB.
pub const MAX_CONTROL_CONTENT: usize = 16 * 1024;
/// The most padding one record carries.
pub const MAX_PAD: usize = 4096;
/// The largest `len` of a record after the handshake: 266264.
pub const MAX_RECORD_BODY: usize = INNER_LEN + MAX_CONTENT + MAX_PAD + TAG_LEN;
/// The smallest limit a server may announce: a full control record must fit.
pub const MIN_RECORD_BODY_LIMIT: usize = INNER_LEN + MAX_CONTROL_CONTENT + MAX_PAD + TAG_LEN;
/// The largest `len` of a record before the peer is authenticated.
pub const MAX_HANDSHAKE_BODY: usize = 4096;
