//! A server opens the records of a client that knows all keys and seals what it likes: it takes
//! what `docs/PROTOCOL.md` §6 allows, as it was meant, and nothing after the first fault.
//! First byte: the suite; then inner parts, each behind its length in two bytes. A length above
//! 0x7fff says that the next bytes are a record as it stands, not sealed.
#![no_main]

use e2eeftp_fuzz::peers::Kind;
use e2eeftp_fuzz::rules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, mut rest)) = data.split_first() else { return };
    let (transcript, _, server) = Kind::from_byte(*kind).run();
    let mut forger = transcript.client_forger();
    let mut opener = server.opener;
    let (mut has_failed, mut is_closed) = (false, false);
    while let Some((len, after)) = rest.split_first_chunk::<2>() {
        let len = u16::from_be_bytes(*len);
        let (bytes, after) = after.split_at(usize::from(len & 0x7fff).min(after.len()));
        rest = after;
        let is_forged = len & 0x8000 != 0;
        let mut record = if is_forged { bytes.to_vec() } else { forger.seal(bytes) };
        let expected =
            if is_forged || has_failed || is_closed { None } else { rules::inner(bytes) };
        let opened = opener.open(&mut record);
        let got = opened
            .as_ref()
            .ok()
            .map(|opened| (opened.flags, opened.stream, opened.content.to_vec()));
        let wanted = expected.map(|(_, flags, stream, content)| (flags, stream, content.to_vec()));
        assert_eq!(got, wanted);
        let Some((kind, ..)) = expected else {
            has_failed = true;
            continue;
        };
        match kind {
            6 => forger.update(),
            7 => is_closed = true,
            _ => {}
        }
        assert_eq!(opener.is_closed(), is_closed);
    }
});
