//! The rules of `docs/PROTOCOL.md` for what a receiver accepts, sharing no code with the core.

/// Whether the page allows a record header, and how long the record is then (§1).
pub fn record_len(header: [u8; 4], is_established: bool) -> Option<usize> {
    let [kind, len @ ..] = header;
    let len = usize::from(len[0]) << 16 | usize::from(len[1]) << 8 | usize::from(len[2]);
    let is_allowed = match (kind, is_established) {
        (0x51, false) => (1..=4096).contains(&len),
        (0x52, false) => (24..=4096).contains(&len),
        (0x52, true) => (24..=266_264).contains(&len),
        (0x53, _) => len == 4,
        _ => false,
    };
    is_allowed.then_some(4 + len)
}

/// Whether the form of an M1 record is right (§2), keys apart.
pub fn client_hello(record: &[u8]) -> bool {
    let Some((&[0x51, 0, 6, 0], body)) = record.split_first_chunk::<4>() else { return false };
    if body.len() != 1536 {
        return false;
    }
    let offered = body[5] & 3;
    body[0] == 1
        && body[1] == 1
        && matches!(body[2], 0 | 2)
        && body[3] & 1 == 1
        && matches!(body[6], 1 | 2)
        && offered & body[6] != 0
        && body[7] == 0
        && body[1336..1408].iter().all(|byte| *byte == 0)
        && extensions(&body[1408..1520])
        && body[1520..].iter().all(|byte| *byte == 0)
}

/// Whether the form of an M3 record is right (§3) for a client that offered both suites and did
/// or did not ask to join; keys apart.
pub fn server_hello(record: &[u8], is_joined: bool) -> bool {
    let Some((&[0x51, 0, 4, 0xc0], body)) = record.split_first_chunk::<4>() else { return false };
    body.len() == 1216
        && body[..2] == [3, 1]
        && matches!(body[2], 1 | 2)
        && body[3] == u8::from(is_joined)
        && body[4..8] == [0; 4]
        && extensions(&body[1160..])
}

/// Whether an extension area is right (§2).
fn extensions(area: &[u8]) -> bool {
    let mut at = 0;
    while area.len() - at >= 4 && area[at..at + 2] != [0, 0] {
        at += 4 + (usize::from(area[at + 2]) << 8) + usize::from(area[at + 3]);
        if at > area.len() {
            return false;
        }
    }
    area[at..].iter().all(|byte| *byte == 0)
}

/// Whether an X25519 share is none of those that §3.1 refuses.
pub fn x25519_share(share: &[u8; 32]) -> bool {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
            0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16,
            0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83,
            0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd,
            0xd0, 0x9f, 0x11, 0x57,
        ],
    ];
    let mut u = *share;
    u[31] &= 0x7f;
    let is_near_zero = u[0] <= 1 && u[1..] == [0; 31];
    let is_near_p =
        (0xec..=0xee).contains(&u[0]) && u[1..31].iter().all(|byte| *byte == 0xff) && u[31] == 0x7f;
    !is_near_zero && !is_near_p && !ORDER_8.contains(&u)
}

/// What §6 says of an inner part that authenticates, after the handshake: its type, its stream
/// and its content; `None` when it is refused.
pub fn inner(inner: &[u8]) -> Option<(u8, u8, u32, &[u8])> {
    let (&[kind, flags, p0, p1, s0, s1, s2, s3], rest) = inner.split_first_chunk::<8>()?;
    let pad = usize::from(u16::from_be_bytes([p0, p1]));
    let stream = u32::from_be_bytes([s0, s1, s2, s3]);
    if pad > 4096 || pad > rest.len() {
        return None;
    }
    let (content, padding) = rest.split_at(rest.len() - pad);
    let (is_on_stream, is_len_right) = match kind {
        1 => (false, (1..=16384).contains(&content.len())),
        2 => (true, content.len() <= 262_144),
        3 => (true, content.len() == 40),
        4 | 5 => (true, content.len() == 2),
        6 => (false, content.is_empty()),
        7 => (false, content.len() == 2),
        _ => return None,
    };
    let is_right = is_len_right
        && padding.iter().all(|byte| *byte == 0)
        && (is_on_stream || stream == 0)
        && (flags == 0 || matches!(kind, 1..=5));
    is_right.then_some((kind, flags, stream, content))
}

/// The claims of a map about a file of `count` blocks, if it is one (§9.2).
pub fn block_map(count: u32, map: &[u8]) -> Option<Vec<(u32, [u8; 32])>> {
    let bitmap_len = usize::try_from(count.div_ceil(8)).ok()?;
    let (head, rest) = map.split_first_chunk::<8>()?;
    let (bitmap, values) = (rest.get(..bitmap_len)?, &rest[bitmap_len..]);
    let claimed: Vec<u32> = (0..u32::try_from(bitmap_len).ok()? * 8)
        .filter(|index| bitmap[*index as usize / 8] >> (index % 8) & 1 == 1)
        .collect();
    let (values, rest) = values.as_chunks::<32>();
    let is_map = head[..4] == [1, 0, 0, 0]
        && u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize == claimed.len()
        && claimed.iter().all(|index| *index < count)
        && values.len() == claimed.len()
        && rest.is_empty();
    is_map.then(|| claimed.into_iter().zip(values.iter().copied()).collect())
}

/// Length of the blocks of a file (§9.1).
fn block_len(size: u128) -> u128 {
    let wanted = size.div_ceil(1024).next_power_of_two().clamp(1 << 20, 16 << 20);
    wanted.max(size.div_ceil(1 << 20).next_power_of_two())
}

/// Whether the content of a Block record is right for a file of `size` bytes (§9.3).
pub fn block_head(size: u64, content: &[u8]) -> bool {
    let Ok(content) = <[u8; 24]>::try_from(content) else { return false };
    let number = |at: usize| {
        content[at..at + 8].iter().fold(0, |sum: u128, byte| sum << 8 | u128::from(*byte))
    };
    let (size, block_len) = (u128::from(size), block_len(u128::from(size)));
    let start = (number(0) >> 32) * block_len;
    let end = (start + block_len).min(size);
    let (offset, len) = (number(8), number(16));
    start < size
        && content[4] <= 1
        && content[5..8] == [0; 3]
        && start + offset + len <= end
        && (len > 0 || content[4] == 1)
}

/// Whether a journal begins with a header of this key and length (§9.5).
pub fn journal_header(key: &[u8; 16], size: u64, journal: &[u8]) -> bool {
    let Some(header) = journal.first_chunk::<72>() else { return false };
    let check = blake3::derive_key(
        "e2eeftp 2026-11-22 journal check",
        &[&[0; 16][..], &header[..56]].concat(),
    );
    header[..9] == *b"e2eeftpJ\x01"
        && header[9] <= 1
        && header[10..16] == [0; 6]
        && header[16..32] == *key
        && header[32..40] == size.to_be_bytes()
        && (header[9] == 1 || header[40..56] == [0; 16])
        && header[56..] == check[..16]
}

/// What entries whose checks are right claim of a file of `count` blocks, and how many are read: up to
/// the first that is none.
pub fn journal_entries(count: u32, entries: &[Vec<u8>]) -> (Vec<(u32, [u8; 32])>, usize) {
    let mut claims = std::collections::BTreeMap::new();
    for (position, entry) in entries.iter().enumerate() {
        let Some((announced, blocks)) = entry.split_first_chunk::<4>() else {
            return (claims.into_iter().collect(), position);
        };
        let announced = u32::from_be_bytes(*announced);
        let (blocks, rest) = blocks.as_chunks::<36>();
        let index = |block: &[u8; 36]| u32::from_be_bytes([block[0], block[1], block[2], block[3]]);
        let is_entry = announced > 0
            && announced <= count
            && announced as usize == blocks.len()
            && rest.is_empty()
            && blocks.iter().all(|block| index(block) < count);
        if !is_entry {
            return (claims.into_iter().collect(), position);
        }
        for block in blocks {
            let mut value = [0; 32];
            value.copy_from_slice(&block[4..]);
            claims.insert(index(block), value);
        }
    }
    (claims.into_iter().collect(), entries.len())
}
