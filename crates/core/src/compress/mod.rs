//! Compression of bodies, piece by piece: `docs/PROTOCOL.md` §8.1.
//!
//! A piece is up to [`MAX_PIECE_LEN`] bytes of content, as they are or as one zstd frame that
//! depends on no other piece. So a piece can be lost, repeated or skipped without harm to others,
//! and no length of one tells anything about the content of another. What a decoder writes is
//! bounded by the length in front of the piece, which the caller has looked at before.

mod effort;
mod piece;

pub use effort::{Effort, Mode};
pub use piece::{
    BadPiece, Decoder, Encoder, MAX_PIECE_LEN, PIECE_HEADER_LEN, PieceHeader, max_coded_len,
};
