//! Names as Windows has them, UTF-16, and as storage has them, bytes.
//!
//! Windows does not check its names: one may hold half of a surrogate pair. Such a half is kept
//! as three bytes, as if it were a character of its own (WTF-8), so that whatever is on a disk can
//! be listed and removed. A peer can't name it, because its bytes are no UTF-8.

/// The bytes of `name`.
pub(super) fn from_wide(name: impl IntoIterator<Item = u16>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4];
    for unit in char::decode_utf16(name) {
        match unit {
            Ok(character) => bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes()),
            Err(half) => {
                let [high, low] = half.unpaired_surrogate().to_be_bytes();
                let middle = 0x80 | (high & 0x0f) << 2 | low >> 6;
                bytes.extend_from_slice(&[0xe0 | high >> 4, middle, 0x80 | (low & 0x3f)]);
            }
        }
    }
    bytes
}

/// The name whose bytes these are; `None` if there is none.
pub(super) fn to_wide(bytes: &[u8]) -> Option<Vec<u16>> {
    let mut name = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (valid, after) = match std::str::from_utf8(rest) {
            Ok(text) => (text, &[][..]),
            Err(error) => {
                let (valid, after) = rest.split_at(error.valid_up_to());
                (std::str::from_utf8(valid).ok()?, after)
            }
        };
        name.extend(valid.encode_utf16());
        let Some((half, after)) = after.split_first_chunk::<3>() else {
            return after.is_empty().then_some(name);
        };
        // U+D800 to U+DFFF, the only three bytes that are no UTF-8 and yet a name.
        let [0xed, middle @ 0xa0..=0xbf, last @ 0x80..=0xbf] = *half else { return None };
        name.push(0xd000 | u16::from(middle & 0x3f) << 6 | u16::from(last & 0x3f));
        rest = after;
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_halves_of_pairs_too() {
        let names: [&[u16]; 6] = [
            &[],
            &[0x61, 0xe4, 0x540d, 0xd83e, 0xdd80],
            &[0xd800],
            &[0x61, 0xdfff, 0x62],
            &[0xdc00, 0xd800],
            &[0xd83e, 0xd83e, 0xdd80],
        ];
        for name in names {
            let bytes = from_wide(name.iter().copied());
            assert_eq!(to_wide(&bytes).as_deref(), Some(name), "{name:x?}");
        }
        assert_eq!(from_wide("ä🦀".encode_utf16()), "ä🦀".as_bytes());
        assert!(std::str::from_utf8(&from_wide([0xd800])).is_err(), "no peer can say it");
    }

    #[test]
    fn other_bytes_are_no_name() {
        for bytes in
            [&b"\xff"[..], b"a\xed", b"\xed\xa0", b"\xed\x7f\x80", b"\xe0\x80\x80", b"a\xc3"]
        {
            assert_eq!(to_wide(bytes), None, "{bytes:x?}");
        }
    }
}
