//! Hexadecimal digits.

const LOWER: &[u8; 16] = b"0123456789abcdef";

/// Lower-case hexadecimal.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.extend(digits(*byte));
    }
    text
}

/// The two digits of a byte, in lower case.
pub(super) fn digits(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|half| char::from(LOWER[usize::from(half)]))
}

/// `N` bytes from 2 `N` digits of either case.
pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let pairs: &[[u8; 2]; N] = pairs.try_into().ok()?;
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}
