//! A sealed piece of `classic`, genuine or changed: only the genuine one is content. First byte: how
//! many changes follow, each a position and a mask; then where the opener's buffers end; the rest is
//! the content.
#![no_main]

use e2eeftp_core::Error;
use e2eeftp_core::classic::{
    BLOCK_LEN, ClientHello, ClientStart, IV_LEN, MAC_LEN, PieceKeys, PieceOpener, PieceSealer,
    sealed_len,
};
use e2eeftp_fuzz::peers::{SeededRandom, identity};
use libfuzzer_sys::fuzz_target;

fn keys() -> (PieceKeys, PieceKeys) {
    let mut random = SeededRandom::new("classic piece");
    let (client, server) = (identity("client identity"), identity("server identity"));
    let (start, hello) = ClientStart::new(&client, &mut random).unwrap();
    let (server_keys, answer) =
        ClientHello::read(&hello).unwrap().respond(&server, &mut random).unwrap();
    (start.handle(&answer).unwrap().keys, server_keys)
}

fn seal(keys: PieceKeys, content: &[u8]) -> Vec<u8> {
    let (mut sealer, iv) = PieceSealer::new(keys, &mut SeededRandom::new("iv")).unwrap();
    let (blocks, tail) = content.split_at(content.len() - content.len() % BLOCK_LEN);
    let mut blocks = blocks.to_vec();
    sealer.seal(&mut blocks).unwrap();
    let end = sealer.finish(tail).unwrap();
    [&iv[..], &blocks, &end].concat()
}

fn open(keys: PieceKeys, piece: &[u8], step: usize) -> Result<Vec<u8>, Error> {
    let (iv, rest) = piece.split_first_chunk::<IV_LEN>().unwrap();
    let (ciphertext, mac) = rest.split_last_chunk::<MAC_LEN>().unwrap();
    let mut opener = PieceOpener::new(keys, piece.len() as u64, iv)?;
    let mut content = Vec::new();
    for part in ciphertext.chunks(step) {
        content.extend_from_slice(opener.open(&mut part.to_vec())?);
    }
    assert_eq!(opener.left(), 0);
    content.extend_from_slice(opener.finish(mac)?.content());
    Ok(content)
}

fuzz_target!(|data: &[u8]| {
    let Some((&[count, step], rest)) = data.split_first_chunk::<2>() else { return };
    let changes = rest.get(..usize::from(count % 8) * 3).unwrap_or_default();
    let content = &rest[changes.len()..];
    let (client_keys, server_keys) = keys();
    let genuine = seal(client_keys, content);
    assert_eq!(Some(genuine.len() as u64), sealed_len(content.len() as u64));
    let mut piece = genuine.clone();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % piece.len();
        piece[at] ^= change[2];
    }
    let opened = open(server_keys, &piece, BLOCK_LEN * (1 + usize::from(step % 8)));
    if piece == genuine {
        assert_eq!(opened.unwrap(), content);
    } else {
        assert!(opened.is_err(), "only what was sealed is taken");
    }
});
