//! Signatures in the SSHSIG format (`PROTOCOL.sshsig` in the sources of OpenSSH).
//!
//! A namespace keeps a signature from being taken for one of another purpose, and the format
//! keeps it from being taken for an SSH login. An ssh-agent can make one, and
//! `ssh-keygen -Y verify` can check one.

use crate::crypto::hash::sha512;
use crate::identity::wire::{put_string, take_string};
use crate::identity::{PublicKey, Signature, pem};

const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
const LABEL: &str = "SSH SIGNATURE";
const HASH: &[u8] = b"sha512";

/// What is really signed for `message`: `"SSHSIG" ‖ string namespace ‖ string "" ‖
/// string "sha512" ‖ string SHA-512(message)`.
pub fn signed_data(namespace: &str, message: &[u8]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    put_string(&mut out, namespace.as_bytes());
    put_string(&mut out, b"");
    put_string(&mut out, HASH);
    put_string(&mut out, &sha512(message));
    out
}

/// The signature file that `ssh-keygen -Y verify` takes, for a `signature` over
/// [`signed_data`] in `namespace` by `key`, which is a plain `ssh-ed25519` one.
pub fn armored(key: &PublicKey, namespace: &str, signature: &[u8; 64]) -> String {
    armored_signature(key, namespace, &Signature::Ed25519(*signature))
}

/// As [`armored`], for a key of any type.
pub fn armored_signature(key: &PublicKey, namespace: &str, signature: &Signature) -> String {
    let mut blob = MAGIC.to_vec();
    blob.extend_from_slice(&VERSION.to_be_bytes());
    put_string(&mut blob, &key.to_ssh_blob());
    put_string(&mut blob, namespace.as_bytes());
    put_string(&mut blob, b"");
    put_string(&mut blob, HASH);
    put_string(&mut blob, &signature.to_ssh_blob());
    pem::encode(&blob, LABEL, 70).to_string()
}

/// The signature in what [`armored_signature`] writes, by `key` and in `namespace`; `None` for
/// anything else. Line breaks are free, and whether the signature fits is not looked at.
pub fn read_armored(text: &str, key: &PublicKey, namespace: &str) -> Option<Signature> {
    let blob = pem::decode(text, LABEL).ok()?;
    let mut rest = blob.strip_prefix(MAGIC)?.strip_prefix(&VERSION.to_be_bytes())?;
    let mut takes = |expected: &[u8]| take_string(&mut rest).is_some_and(|part| part == expected);
    let is_expected =
        takes(&key.to_ssh_blob()) && takes(namespace.as_bytes()) && takes(b"") && takes(HASH);
    let signature = take_string(&mut rest).filter(|_| is_expected && rest.is_empty())?;
    Signature::from_ssh_blob(signature)
}
