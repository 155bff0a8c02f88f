//! The string encoding of SSH (RFC 4251 §5).

/// The type of a key that signs by itself, and of its signatures.
pub(super) const SSH_ED25519: &[u8] = b"ssh-ed25519";
/// The type of a key inside of a security key, and of its signatures.
pub(super) const SK_SSH_ED25519: &[u8] = b"sk-ssh-ed25519@openssh.com";

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
