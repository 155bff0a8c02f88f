//! Pieces of compressed bodies. First byte: whether the rest is a piece, or content to be encoded.
#![no_main]

use e2eeftp_core::compress::{
    Decoder, Encoder, MAX_PIECE_LEN, PIECE_HEADER_LEN, PieceHeader, max_coded_len,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else { return };
    let mut decoder = Decoder::new().unwrap();
    if mode % 2 == 0 {
        let Some((header, coded)) = rest.split_first_chunk() else { return };
        let Ok(header) = PieceHeader::read(header) else { return };
        assert!((1..=MAX_PIECE_LEN).contains(&header.plain_len()));
        assert!((1..=header.plain_len()).contains(&header.coded_len()));
        // As a receiver does it: only a piece that is there in full is decoded.
        let Some(coded) = coded.get(..header.coded_len()) else { return };
        if let Ok(plain) = decoder.decode(&header, coded) {
            assert_eq!(plain.len(), header.plain_len());
        }
    } else if !rest.is_empty() {
        let mut piece = Vec::new();
        Encoder::new().unwrap().encode(rest, true, &mut piece).unwrap();
        assert!(piece.len() <= max_coded_len() && piece.len() <= PIECE_HEADER_LEN + rest.len());
        let header = PieceHeader::read(piece.first_chunk().unwrap()).unwrap();
        assert_eq!(decoder.decode(&header, &piece[PIECE_HEADER_LEN..]), Ok(rest));
    }
});
