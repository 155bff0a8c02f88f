//! Where fuzzing starts: one well-formed input for each way into each target.

use e2eeftp_core::handshake::{Refusal, refusal_record};

use crate::journal;
use crate::peers::{Kind, identity};

const KINDS: [(u8, &str, Kind); 3] =
    [(0, "aes", Kind::Aes), (1, "chacha", Kind::ChaCha), (2, "joined", Kind::Joined)];

/// Target, name and content of every seed.
pub fn all() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut out = Vec::new();
    handshake(&mut out);
    records(&mut out);
    keys(&mut out);
    blocks(&mut out);
    for (name, path) in [
        ("root", &b"/"[..]),
        ("nested", b"/in/acme/report.pdf"),
        ("dots", b"a//./b/"),
        ("parent", b"/a/../b"),
        ("reserved", b"/.e2eeftp-x.part"),
        ("bytes", b"/\xff\x01\\"),
    ] {
        out.push(("vpath", name.into(), path.to_vec()));
    }
    for (name, content) in [("text", &b"all work and no play ".repeat(40)[..]), ("one", b"x")] {
        let mut piece = vec![0];
        e2eeftp_core::compress::Encoder::new().unwrap().encode(content, true, &mut piece).unwrap();
        out.push(("compressed_piece", name.into(), piece));
        out.push(("compressed_piece", format!("{name}-content"), [&[1][..], content].concat()));
    }
    let receipt = crate::receipts::genuine();
    let texts = [receipt.to_text().unwrap(), receipt.statement().to_text().unwrap()];
    for (mode, name) in [(0, "receipt"), (1, "statement")] {
        let text = texts[usize::from(mode)].as_bytes();
        out.push(("receipt", name.into(), [&[mode][..], text].concat()));
    }
    out.push(("receipt", "changes".into(), vec![2, 0, 5, 1, 0, 5, 1]));
    out.push(("tree_messages", "rule".into(), vec![0x22, 4, b'*', b'.', b'o', b'/']));
    out.push(("tree_messages", "enter".into(), vec![1, 2, 3, 0x80, 3, 0]));
    out.push(("stream_end", "end".into(), vec![1; 40]));
    out.push(("stream_end", "reason".into(), vec![0, 6]));
    out
}

fn handshake(out: &mut Vec<(&'static str, String, Vec<u8>)>) {
    for (byte, name, kind) in KINDS {
        let transcript = kind.recorded();
        let (m4, m5) = transcript.inner_flights();
        let with = |mode: u8, bytes: &[u8]| [&[byte, mode][..], bytes].concat();
        out.push(("client_hello", name.into(), transcript.m1.clone()));
        out.push(("server_hello", name.into(), [&[byte][..], &transcript.m3].concat()));
        for (target, inner, record) in
            [("server_auth", &m4, &transcript.m4), ("client_auth", &m5, &transcript.m5)]
        {
            let pad = usize::from(u16::from_be_bytes([inner[2], inner[3]]));
            out.push((target, format!("{name}-content"), with(0, &inner[8..1024 - pad])));
            out.push((target, format!("{name}-inner"), with(1, inner)));
            out.push((target, format!("{name}-record"), with(2, record)));
        }
        for (state, record) in transcript.messages().into_iter().enumerate() {
            let state = u8::try_from(state).unwrap();
            out.push(("handshake_states", format!("{name}-{state}"), with(state, record)));
        }
        out.push(("handshake", name.into(), vec![byte]));
    }
    let refusal = refusal_record(Refusal::Busy);
    out.push(("server_hello", "refusal".into(), [&[0][..], &refusal].concat()));
    out.push(("server_auth", "refusal".into(), [&[0, 2][..], &refusal].concat()));
}

fn records(out: &mut Vec<(&'static str, String, Vec<u8>)>) {
    for (name, header) in [
        ("clear", [0x51, 0, 6, 0]),
        ("protected", [0x52, 4, 0x10, 0x18]),
        ("refusal", [0x53, 0, 0, 4]),
        ("unknown", [0x54, 0, 0, 24]),
    ] {
        out.push(("record_header", name.into(), header.to_vec()));
    }
    let inner = |kind: u8, stream: u8, content: &[u8], pad: u8| {
        let mut out = vec![kind, 0, 0, pad, 0, 0, 0, stream];
        out.extend_from_slice(content);
        out.extend(std::iter::repeat_n(0, usize::from(pad)));
        out
    };
    let session = [
        inner(1, 0, b"\xa1\x62id\x01", 10),
        inner(2, 1, b"content", 0),
        inner(6, 0, b"", 56),
        inner(3, 1, &[7; 40], 0),
        inner(4, 2, &[0, 2], 0),
        inner(5, 3, &[0, 1], 0),
        inner(7, 0, &[0, 0], 54),
        inner(2, 1, b"too late", 0),
    ];
    for byte in 0..2 {
        let mut seed = vec![byte];
        for inner in &session {
            seed.extend_from_slice(&u16::try_from(inner.len()).unwrap().to_be_bytes());
            seed.extend_from_slice(inner);
        }
        out.push(("records", format!("session-{byte}"), seed));
    }
    out.push((
        "records",
        "handshake-type".into(),
        [&[0, 0, 9][..], &inner(0x20, 0, b"x", 0)].concat(),
    ));
}

fn blocks(out: &mut Vec<(&'static str, String, Vec<u8>)>) {
    let map = |size: u32, head: &[u8], values: usize| {
        [&size.to_be_bytes()[..], head, &vec![7; 32 * values]].concat()
    };
    out.push(("block_map", "nothing".into(), map(3 << 20, &[1, 0, 0, 0, 0, 0, 0, 0, 0], 0)));
    out.push(("block_map", "two".into(), map(3 << 20, &[1, 0, 0, 0, 0, 0, 0, 2, 5], 2)));
    out.push(("block_map", "behind".into(), map(3 << 20, &[1, 0, 0, 0, 0, 0, 0, 1, 8], 1)));
    let nine = [1, 0, 0, 0, 0, 0, 0, 3, 0x81, 1];
    out.push(("block_map", "nine".into(), map(9 << 20, &nine, 3)));
    out.push(("block_map", "empty-file".into(), map(0, &[1, 0, 0, 0, 0, 0, 0, 0], 0)));
    let head = |size: u64, index: u32, flags: u8, offset: u64, len: u64| {
        let flags = [flags, 0, 0, 0];
        let (offset, len) = (offset.to_be_bytes(), len.to_be_bytes());
        [&size.to_be_bytes()[..], &index.to_be_bytes(), &flags, &offset, &len].concat()
    };
    out.push(("block_head", "whole".into(), head(3 << 20, 1, 1, 0, 1 << 20)));
    out.push(("block_head", "piece".into(), head(3 << 20, 1, 0, 4096, 4096)));
    out.push(("block_head", "hole".into(), head(3 << 20, 2, 1, 0, 0)));
    out.push(("block_head", "short".into(), head((3 << 20) + 5, 3, 1, 0, 5)));
    out.push(("block_head", "beyond".into(), head(3 << 20, 1, 1, u64::MAX, 2)));
    let largest = i64::MAX.unsigned_abs();
    out.push(("block_head", "largest".into(), head(largest, (1 << 20) - 1, 1, 0, 1)));
    let entries = [
        journal::header(10, None),
        journal::entry(&[(3, 1)]),
        journal::entry(&[(0, 2), (9, 3), (3, 4)]),
        journal::entry(&[(10, 5)]),
    ];
    for (name, change) in [("sound", 0), ("changed", 1)] {
        let mut seed = vec![1, 10, 20, change, 0];
        for part in &entries {
            seed.extend_from_slice(&u16::try_from(part.len()).unwrap().to_be_bytes());
            seed.extend_from_slice(part);
        }
        out.push(("journal", name.into(), seed));
    }
    let boot = journal::seal(&[journal::header(10, Some([9; 16])), journal::entry(&[(1, 1)])]).0;
    out.push(("journal", "raw".into(), [&[0, 10][..], &boot].concat()));
}

fn keys(out: &mut Vec<(&'static str, String, Vec<u8>)>) {
    let key = identity("client identity");
    let public = key.public_key();
    for (name, text) in [
        ("openssh", public.to_openssh_line("comment")),
        ("spki", public.to_spki_pem()),
        ("base64", public.to_base64()),
        ("rsa", "ssh-rsa AAAAB3NzaC1yc2E= x".into()),
    ] {
        out.push(("public_key", name.into(), [&[0][..], text.as_bytes()].concat()));
    }
    out.push(("public_key", "blob".into(), [&[1][..], &public.to_ssh_blob()].concat()));
    out.push(("public_key", "bytes".into(), [&[2][..], public.as_bytes()].concat()));
    for (name, mode, text) in
        [("openssh", 1, key.to_openssh("comment").unwrap()), ("pkcs8", 2, key.to_pkcs8_pem())]
    {
        out.push(("private_key", name.into(), [&[0][..], text.as_bytes()].concat()));
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        use base64::Engine as _;
        let der = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
        out.push(("private_key", format!("{name}-inside"), [&[mode][..], &der].concat()));
    }
}
