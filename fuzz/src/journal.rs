//! Journals with the right checks, sharing no code with the core.

/// Whose transfer they are about.
pub const KEY: [u8; 16] = *b"key of a journal";

/// Parts of a journal in front of their checks: two bytes of length each.
pub fn parts(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<2>() {
        let (part, rest) = rest.split_at(usize::from(u16::from_be_bytes(*len)).min(rest.len()));
        out.push(part.to_vec());
        bytes = rest;
    }
    out
}

/// The journal of `parts` (docs/PROTOCOL.md §9.5), and where each of them ends.
pub fn seal(parts: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
    let (mut out, mut ends, mut check) = (Vec::new(), Vec::new(), [0; 16]);
    for part in parts {
        let key = "e2eeftp 2026-11-22 journal check";
        let whole = blake3::derive_key(key, &[&check[..], part].concat());
        check.copy_from_slice(&whole[..16]);
        out.extend_from_slice(part);
        out.extend_from_slice(&check);
        ends.push(out.len());
    }
    (out, ends)
}

/// The header of a journal about so many MiB, without its check.
pub fn header(mib: u8, boot_id: Option<[u8; 16]>) -> Vec<u8> {
    let mut out = b"e2eeftpJ\x01".to_vec();
    out.push(u8::from(boot_id.is_some()));
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&KEY);
    out.extend_from_slice(&(u64::from(mib) << 20).to_be_bytes());
    out.extend_from_slice(&boot_id.unwrap_or_default());
    out
}

/// An entry about these blocks, without its check; the value of each is one byte, 32 times.
pub fn entry(blocks: &[(u32, u8)]) -> Vec<u8> {
    let mut out = u32::try_from(blocks.len()).unwrap().to_be_bytes().to_vec();
    for (index, value) in blocks {
        out.extend_from_slice(&index.to_be_bytes());
        out.extend_from_slice(&[*value; 32]);
    }
    out
}
