//! One piece: header and content.

use core::fmt;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe;

use crate::{Error, Misuse};

/// Most content bytes of a piece.
pub const MAX_PIECE_LEN: usize = 1 << 20;
/// `coding u8 ‖ plain length u24 ‖ coded length u24`.
pub const PIECE_HEADER_LEN: usize = 7;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// The first bytes of a frame (RFC 8878 §3.1.1).
const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// Fast enough for a gigabit, and close to what higher levels reach.
const LEVEL: i32 = 3;

/// The longest piece with its header.
pub const fn max_coded_len() -> usize {
    PIECE_HEADER_LEN + MAX_PIECE_LEN
}

/// What a sender must not send as a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPiece(&'static str);

impl fmt::Display for BadPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What stands in front of a piece. Invariant: the plain length is 1 to [`MAX_PIECE_LEN`]; the
/// coded length is the same for content as it is, and 1 to one less for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PieceHeader {
    is_frame: bool,
    plain_len: usize,
    coded_len: usize,
}

impl PieceHeader {
    /// Reads a header.
    ///
    /// # Errors
    /// [`BadPiece`] for a coding that is unknown and for lengths that are not allowed.
    pub fn read(bytes: &[u8; PIECE_HEADER_LEN]) -> Result<Self, BadPiece> {
        let [coding, p0, p1, p2, c0, c1, c2] = *bytes;
        let len = |high, middle, low| u32::from_be_bytes([0, high, middle, low]) as usize;
        let (plain_len, coded_len) = (len(p0, p1, p2), len(c0, c1, c2));
        if !(1..=MAX_PIECE_LEN).contains(&plain_len) {
            return Err(BadPiece("a piece has a length that is not allowed"));
        }
        let is_frame = match coding {
            PLAIN if coded_len == plain_len => false,
            ZSTD if (1..plain_len).contains(&coded_len) => true,
            PLAIN | ZSTD => return Err(BadPiece("a piece has lengths that do not fit")),
            _ => return Err(BadPiece("a piece has a coding that is unknown")),
        };
        Ok(Self { is_frame, plain_len, coded_len })
    }

    fn write(self) -> [u8; PIECE_HEADER_LEN] {
        let [.., p0, p1, p2] = self.plain_len.to_be_bytes();
        let [.., c0, c1, c2] = self.coded_len.to_be_bytes();
        [if self.is_frame { ZSTD } else { PLAIN }, p0, p1, p2, c0, c1, c2]
    }

    /// Whether the content is a frame.
    pub fn is_frame(&self) -> bool {
        self.is_frame
    }

    /// Content bytes of the piece.
    pub fn plain_len(&self) -> usize {
        self.plain_len
    }

    /// Bytes that follow the header.
    pub fn coded_len(&self) -> usize {
        self.coded_len
    }
}

/// Makes pieces. One for each body; it holds about 1 MiB.
pub struct Encoder {
    zstd: Compressor<'static>,
}

impl Encoder {
    /// # Errors
    /// [`Error::Misuse`] when there is no memory for it.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { zstd: Compressor::new(LEVEL).map_err(|_| Misuse::ContentLength)? })
    }

    /// Appends a piece with `plain`, 1 to [`MAX_PIECE_LEN`] bytes, to `out`: as a frame if
    /// `may_compress` and it is shorter so, else as it is. Gives the length of what follows the
    /// header.
    ///
    /// # Errors
    /// [`Misuse::ContentLength`].
    pub fn encode(
        &mut self,
        plain: &[u8],
        may_compress: bool,
        out: &mut Vec<u8>,
    ) -> Result<usize, Error> {
        let plain_len = plain.len();
        if !(1..=MAX_PIECE_LEN).contains(&plain_len) {
            return Err(Misuse::ContentLength.into());
        }
        let start = out.len();
        let content = start + PIECE_HEADER_LEN;
        out.resize(content + plain_len, 0);
        let room = &mut out[content..];
        // One byte less than it has now: a frame that is no shorter does not fit, and fails.
        let frame_len = match room.split_last_mut() {
            Some((_, shorter)) if may_compress => {
                self.zstd.compress_to_buffer(plain, shorter).ok().filter(|len| *len > 0)
            }
            _ => None,
        };
        if frame_len.is_none() {
            room.copy_from_slice(plain);
        }
        let coded_len = frame_len.unwrap_or(plain_len);
        let header = PieceHeader { is_frame: frame_len.is_some(), plain_len, coded_len };
        out[start..content].copy_from_slice(&header.write());
        out.truncate(content + coded_len);
        Ok(header.coded_len)
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoder")
    }
}

/// Takes pieces apart. One for each body.
pub struct Decoder {
    zstd: Decompressor<'static>,
    /// Room for one piece; grows to the longest that was needed.
    plain: Vec<u8>,
}

impl Decoder {
    /// # Errors
    /// [`Error::Misuse`] when there is no memory for it.
    pub fn new() -> Result<Self, Error> {
        let zstd = Decompressor::new().map_err(|_| Misuse::ContentLength)?;
        Ok(Self { zstd, plain: Vec::new() })
    }

    /// The content of a piece, exactly [`PieceHeader::plain_len`] bytes. `coded` is what follows the
    /// header, [`PieceHeader::coded_len`] bytes. Nothing is written beyond the former, whatever the
    /// frame says.
    ///
    /// # Errors
    /// [`BadPiece`] for another length of `coded`, and unless it is exactly one frame that
    /// says and has that many bytes and needs no dictionary.
    pub fn decode<'a>(
        &'a mut self,
        header: &PieceHeader,
        coded: &'a [u8],
    ) -> Result<&'a [u8], BadPiece> {
        let bad = BadPiece("a compressed piece is damaged");
        if coded.len() != header.coded_len {
            return Err(bad);
        }
        if !header.is_frame {
            return Ok(coded);
        }
        let is_one_frame = coded.starts_with(&MAGIC)
            && zstd_safe::find_frame_compressed_size(coded) == Ok(coded.len())
            && matches!(
                zstd_safe::get_frame_content_size(coded),
                Ok(Some(len)) if len == header.plain_len as u64
            );
        if !is_one_frame {
            return Err(bad);
        }
        if self.plain.len() < header.plain_len {
            self.plain.resize(header.plain_len, 0);
        }
        let plain = &mut self.plain[..header.plain_len];
        match self.zstd.decompress_to_buffer(coded, plain) {
            Ok(len) if len == header.plain_len => Ok(plain),
            _ => Err(bad),
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decoder")
    }
}
