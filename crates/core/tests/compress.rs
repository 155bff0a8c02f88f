//! Pieces of compressed bodies: there and back, and what a decoder refuses.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use e2eeftp_core::compress::{
    BadPiece, Decoder, Encoder, MAX_PIECE_LEN, PIECE_HEADER_LEN, PieceHeader,
};
use e2eeftp_core::{Error, Misuse};
use proptest::prelude::*;

fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

fn encode(plain: &[u8], may_compress: bool) -> Vec<u8> {
    let mut out = b"before".to_vec();
    let coded_len = Encoder::new().unwrap().encode(plain, may_compress, &mut out).unwrap();
    let piece = out.split_off(6);
    assert_eq!(out, b"before");
    assert_eq!(piece.len(), PIECE_HEADER_LEN + coded_len);
    piece
}

fn header(piece: &[u8]) -> Result<PieceHeader, BadPiece> {
    PieceHeader::read(piece.first_chunk().unwrap())
}

fn decode(piece: &[u8]) -> Result<Vec<u8>, BadPiece> {
    let mut decoder = Decoder::new().unwrap();
    Ok(decoder.decode(&header(piece)?, &piece[PIECE_HEADER_LEN..])?.to_vec())
}

/// A header as `docs/PROTOCOL.md` §8.1 has it.
fn written(coding: u8, plain_len: usize, coded_len: usize) -> Vec<u8> {
    let mut bytes = vec![coding];
    bytes.extend_from_slice(&u32::try_from(plain_len).unwrap().to_be_bytes()[1..]);
    bytes.extend_from_slice(&u32::try_from(coded_len).unwrap().to_be_bytes()[1..]);
    bytes
}

#[test]
fn pieces_come_back_as_they_were() {
    let text = b"All work and no play. ".repeat(60_000);
    for plain in [&b"x"[..], b"xx", &[0; 4096], &text[..MAX_PIECE_LEN], &noise(MAX_PIECE_LEN)] {
        for may_compress in [false, true] {
            let piece = encode(plain, may_compress);
            assert!(piece.len() <= PIECE_HEADER_LEN + plain.len());
            let header = header(&piece).unwrap();
            assert_eq!(header.plain_len(), plain.len());
            assert_eq!(header.coded_len(), piece.len() - PIECE_HEADER_LEN);
            assert_eq!(decode(&piece).unwrap(), plain);
            if !may_compress {
                assert_eq!(piece, [&written(0, plain.len(), plain.len())[..], plain].concat());
            }
        }
    }
    assert!(encode(&text[..MAX_PIECE_LEN], true).len() < MAX_PIECE_LEN / 100);
    assert!(!header(&encode(&noise(1000), true)).unwrap().is_frame());
}

#[test]
fn one_decoder_takes_pieces_of_any_length_and_survives_bad_ones() {
    let mut decoder = Decoder::new().unwrap();
    for len in [5000, 10, MAX_PIECE_LEN, 70_000, 1] {
        let plain = vec![7; len];
        let piece = encode(&plain, true);
        let header = header(&piece).unwrap();
        assert_eq!(decoder.decode(&header, &piece[PIECE_HEADER_LEN..]).unwrap(), plain);
        let mut bad = piece.clone();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        let _ = decoder.decode(&header, &bad[PIECE_HEADER_LEN..]);
        assert!(decoder.decode(&header, &piece).is_err());
    }
}

#[test]
fn empty_and_too_long_pieces_are_not_made() {
    for len in [0, MAX_PIECE_LEN + 1] {
        let made = Encoder::new().unwrap().encode(&vec![0; len], true, &mut Vec::new());
        assert_eq!(made, Err(Error::Misuse(Misuse::ContentLength)));
    }
}

#[test]
fn headers_with_other_lengths_or_codings_are_refused() {
    for (coding, plain, coded) in
        [(0, 1, 1), (0, MAX_PIECE_LEN, MAX_PIECE_LEN), (1, 2, 1), (1, MAX_PIECE_LEN, 1)]
    {
        header(&written(coding, plain, coded)).unwrap();
    }
    for (coding, plain, coded) in [
        (0, 0, 0),
        (0, 2, 1),
        (0, 1, 2),
        (0, MAX_PIECE_LEN + 1, MAX_PIECE_LEN + 1),
        (1, 0, 0),
        (1, 1, 0),
        (1, 1, 1),
        (1, 5, 5),
        (1, 5, 6),
        (1, MAX_PIECE_LEN + 1, 9),
        (1, 0xff_ffff, 9),
        (2, 1, 1),
        (0xff, 5, 4),
    ] {
        assert!(header(&written(coding, plain, coded)).is_err(), "{coding} {plain} {coded}");
    }
}

/// Frames that a correct zstd would take, and this protocol does not.
#[test]
fn frames_that_say_something_else_are_refused() {
    let plain = vec![1; 10_000];
    let piece = encode(&plain, true);
    let frame = &piece[PIECE_HEADER_LEN..];
    let with = |len: usize, frame: &[u8]| [&written(1, len, frame.len())[..], frame].concat();
    assert_eq!(decode(&with(plain.len(), frame)).unwrap(), plain);
    // A length that is not the frame's: too short for a bomb, too long for what there is.
    for len in [9_999, 10_001, 5_000, MAX_PIECE_LEN] {
        assert!(decode(&with(len, frame)).is_err(), "{len}");
    }
    // Two frames, of which each alone is right; a frame with something behind it, or cut short.
    let half = encode(&plain[..5_000], true);
    let two = [&half[PIECE_HEADER_LEN..], &half[PIECE_HEADER_LEN..]].concat();
    assert!(decode(&with(plain.len(), &two)).is_err());
    assert!(decode(&with(plain.len(), &[frame, &[0]].concat())).is_err());
    assert!(decode(&with(plain.len(), &frame[..frame.len() - 1])).is_err());
    // A skippable frame in front, and nothing but one.
    let skippable = [0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 0];
    assert!(decode(&with(plain.len(), &[&skippable[..], frame].concat())).is_err());
    assert!(decode(&with(plain.len(), &skippable)).is_err());
    // A frame that does not say how long its content is: made as a stream.
    let mut open = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    std::io::Write::write_all(&mut open, &plain).unwrap();
    let open = open.finish().unwrap();
    assert!(open.len() < plain.len());
    assert!(decode(&with(plain.len(), &open)).is_err());
    // A frame that needs a dictionary.
    let mut with_dictionary = zstd::bulk::Compressor::with_dictionary(3, &noise(4096)).unwrap();
    let compressed = with_dictionary.compress(&noise(4096)).unwrap();
    assert!(compressed.len() < 4096);
    assert!(decode(&with(4096, &compressed)).is_err());
}

/// A frame that claims its allowed length and unpacks to a thousand times as much.
#[test]
fn a_bomb_writes_no_byte_beyond_the_announced_length() {
    let bomb = zstd::bulk::compress(&vec![0; 1 << 30], 3).unwrap();
    assert!(bomb.len() < MAX_PIECE_LEN);
    let mut lying = bomb.clone();
    // Frame content size: 4 bytes behind magic, descriptor and window (RFC 8878 §3.1.1.1).
    assert_eq!(lying[4] & 0xe0, 0x80, "a window, and 4 bytes of length");
    lying[6..10].copy_from_slice(&u32::try_from(MAX_PIECE_LEN).unwrap().to_le_bytes());
    for frame in [&bomb, &lying] {
        let piece = [&written(1, MAX_PIECE_LEN, frame.len())[..], frame].concat();
        assert!(decode(&piece).is_err());
    }
}

proptest! {
    #[test]
    fn any_content_survives(plain in prop::collection::vec(0u8..4, 1..20_000), compress: bool) {
        prop_assert_eq!(decode(&encode(&plain, compress)).unwrap(), plain);
    }

    #[test]
    fn changed_pieces_give_an_error_or_the_announced_length(
        plain in prop::collection::vec(0u8..4, 1..5_000),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..8),
    ) {
        let mut piece = encode(&plain, true);
        for (at, change) in changes {
            let at = at.index(piece.len());
            piece[at] ^= change;
        }
        if let Ok(decoded) = decode(&piece) {
            prop_assert_eq!(decoded.len(), header(&piece).unwrap().plain_len());
        }
    }
}
