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
