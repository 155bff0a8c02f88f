//! SHA-256, SHA-384 and SHA-512.

use super::hex;
use crate::crypto::hash::{Sha384, sha256, sha384, sha512};

/// FIPS 180-4's examples, also in RFC 6234 §8.5: message, SHA-256, SHA-384, SHA-512.
#[test]
fn rfc_6234_section_8_5() {
    let long = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopq\
                klmnopqrlmnopqrsmnopqrstnopqrstu";
    assert_eq!(
        sha256(b"abc")[..],
        hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    );
    assert_eq!(
        sha256(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")[..],
        hex("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    );
    let sha384_of_long = hex("09330c33f71147e83d192fc782cd1b4753111b173b3b05d2
                              2fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039");
    assert_eq!(
        sha384(b"abc")[..],
        hex("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed
             8086072ba1e7cc2358baeca134c825a7")
    );
    assert_eq!(sha384(long.as_bytes())[..], sha384_of_long);
    assert_eq!(
        sha512(b"abc")[..],
        hex("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f")
    );
    assert_eq!(
        sha512(long.as_bytes())[..],
        hex("8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018
             501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909")
    );
    // Piece by piece, with looks in between, as the transcript is hashed.
    let mut running = Sha384::new();
    for byte in long.bytes() {
        running.update(&[byte]);
        let _ = running.current();
    }
    assert_eq!(running.current()[..], sha384_of_long);
}
