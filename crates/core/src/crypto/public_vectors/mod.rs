//! Vectors made by others, run through the functions of this module's parent that the product
//! calls. Each test counts what it has run: a data set that got lost fails.
//!
//! Sources: Project Wycheproof, RFC 4231, RFC 6234, RFC 7748, RFC 8032, RFC 8439, FIPS 203 by way
//! of Wycheproof, and draft-connolly-cfrg-xwing-kem (`testdata/vectors/public/`).

mod aead;
mod ed25519;
mod hkdf;
mod hmac;
mod kem;
mod sha2;

/// Bytes out of hexadecimal text; white space is skipped.
fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}
