//! The wire format of the original Python e2eeftp, for peers that can't be replaced yet
//! (`docs/CLASSIC.md`). Bytes in, bytes out, as the rest of this crate; nothing outside of the
//! `classic` modules uses it.
//!
//! Each side sends a [hello](ClientStart) with a signed ephemeral key; both derive [`PieceKeys`],
//! which seal one piece of data, a file. Nothing else of the connection is protected: commands,
//! answers and listings travel in clear, and the signature covers only the signer's own ephemeral
//! key, so a recorded hello proves nothing about the present. Callers remember the ephemerals
//! they have seen.

mod handshake;
mod hello;
mod keys;
mod opener;
mod sealer;

pub use handshake::{ClientHello, ClientStart, ServerProved};
pub use hello::HELLO_MESSAGE_LEN;
pub use keys::PieceKeys;
pub use opener::{LastBlock, PieceOpener};
pub use sealer::{PieceSealer, sealed_len};

use crate::crypto::cbc_hmac;

/// Length of a cipher block: pieces are fed to sealer and opener in multiples of it.
pub const BLOCK_LEN: usize = cbc_hmac::BLOCK_LEN;
/// Length of the initialisation vector in front of a piece.
pub const IV_LEN: usize = cbc_hmac::IV_LEN;
/// Length of the code behind a piece.
pub const MAC_LEN: usize = cbc_hmac::MAC_LEN;
/// Length of the piece that seals nothing: iv, one block of padding, code.
pub const MIN_SEALED_LEN: u64 = (IV_LEN + BLOCK_LEN + MAC_LEN) as u64;
