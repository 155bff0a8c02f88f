//! The string encoding of SSH (RFC 4251 §5) and the key and signature blobs made of it.

use crate::crypto::ed25519::{PUBLIC_LEN, SIGNATURE_LEN};

/// The only key type of version 1.
pub(super) const SSH_ED25519: &[u8] = b"ssh-ed25519";

/// Appends `u32 len ‖ bytes`. What this crate writes is far shorter than 2^32 bytes.
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let [.., l0, l1, l2, l3] = bytes.len().to_be_bytes();
    out.extend_from_slice(&[l0, l1, l2, l3]);
    out.extend_from_slice(bytes);
}

/// Appends `u16 len ‖ bytes`, for blobs of a fixed length below 2^16.
pub(crate) fn put_lv16(out: &mut Vec<u8>, bytes: &[u8]) {
    let [.., high, low] = bytes.len().to_be_bytes();
    out.extend_from_slice(&[high, low]);
    out.extend_from_slice(bytes);
}

/// Takes `u32 len ‖ bytes` from the front of `rest`.
pub(super) fn take_string<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (len, after) = rest.split_first_chunk()?;
    let (bytes, after) = after.split_at_checked(u32::from_be_bytes(*len) as usize)?;
    *rest = after;
    Some(bytes)
}

/// `string "ssh-ed25519" ‖ string key`, the public key blob.
pub(super) fn public_blob(key: &[u8; PUBLIC_LEN]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + SSH_ED25519.len() + 4 + PUBLIC_LEN);
    put_string(&mut out, SSH_ED25519);
    put_string(&mut out, key);
    out
}

/// `string "ssh-ed25519" ‖ string signature`, the signature blob.
pub(crate) fn signature_blob(signature: &[u8; SIGNATURE_LEN]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + SSH_ED25519.len() + 4 + SIGNATURE_LEN);
    put_string(&mut out, SSH_ED25519);
    put_string(&mut out, signature);
    out
}

/// Reads a signature blob that must use up `blob`.
pub(crate) fn read_signature_blob(blob: &[u8]) -> Option<[u8; SIGNATURE_LEN]> {
    let mut rest = blob;
    if take_string(&mut rest)? != SSH_ED25519 {
        return None;
    }
    let signature = take_string(&mut rest)?.try_into().ok()?;
    rest.is_empty().then_some(signature)
}
