//! Properties of records over random contents, paddings and damage.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use common::Peers;
use e2eeftp_core::handshake::Established;
use e2eeftp_core::record::{
    CONTENT_OFFSET, Head, InnerType, OVERHEAD, Opener, Phase, Sealer, record_len,
};
use proptest::prelude::*;

fn ends(is_aes: bool) -> (Sealer, Opener) {
    let peers = if is_aes { Peers::aes() } else { Peers::chacha() };
    let (Established { sealer, .. }, Established { opener, .. }) = peers.connect();
    (sealer, opener)
}

fn record(sealer: &mut Sealer, head: Head, content: &[u8], pad: usize) -> Vec<u8> {
    let mut record = vec![0xaa; OVERHEAD + content.len() + pad];
    record[CONTENT_OFFSET..][..content.len()].copy_from_slice(content);
    sealer.seal(head, content.len(), &mut record).unwrap();
    record
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(any::<u8>(), 0..9000),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn round_trip(
        is_aes: bool,
        records in prop::collection::vec((content(), 0usize..=4096, any::<u8>(), any::<u32>()), 1..6),
    ) {
        let (mut sealer, mut opener) = ends(is_aes);
        for (content, pad, flags, stream) in records {
            let head = Head { kind: InnerType::Data, flags, stream };
            let mut record = record(&mut sealer, head, &content, pad);
            prop_assert_eq!(
                record_len(record.first_chunk().unwrap(), Phase::Established),
                Ok(record.len())
            );
            if content.len() >= 16 {
                prop_assert!(!record.windows(16).any(|window| window == &content[..16]));
            }
            let opened = opener.open(&mut record).unwrap();
            prop_assert_eq!(opened.kind, InnerType::Data);
            prop_assert_eq!((opened.flags, opened.stream), (flags, stream));
            prop_assert_eq!(&*opened.content, &content);
        }
    }

    #[test]
    fn any_changed_bit_is_noticed(
        is_aes: bool, content in content(), pad in 0usize..64, at: prop::sample::Index, bit in 0u8..8,
    ) {
        let (mut sealer, mut opener) = ends(is_aes);
        let head = Head { kind: InnerType::Data, flags: 0, stream: 1 };
        let mut record = record(&mut sealer, head, &content, pad);
        let at = at.index(record.len());
        record[at] ^= 1 << bit;
        prop_assert!(opener.open(&mut record).is_err());
        prop_assert!(opener.open(&mut record).is_err());
    }

    #[test]
    fn any_truncation_and_extension_is_noticed(
        is_aes: bool, content in content(), cut: prop::sample::Index, more in 1usize..40,
    ) {
        let head = Head { kind: InnerType::Data, flags: 0, stream: 1 };
        for fixes_header in [false, true] {
            for extends in [false, true] {
                let (mut sealer, mut opener) = ends(is_aes);
                let mut record = record(&mut sealer, head, &content, 0);
                let len = if extends { record.len() + more } else { cut.index(record.len()) };
                record.resize(len, 0);
                // Also with a header that fits the new length.
                if fixes_header && len >= 4 {
                    let body_len = u32::try_from(len - 4).unwrap().to_be_bytes();
                    record[1..4].copy_from_slice(&body_len[1..]);
                }
                prop_assert!(opener.open(&mut record).is_err());
            }
        }
    }

    #[test]
    fn random_bytes_are_never_a_record(is_aes: bool, mut bytes in content()) {
        let (_, mut opener) = ends(is_aes);
        prop_assert!(opener.open(&mut bytes).is_err());
    }
}
