//! What an ssh-agent answers. First byte: which answer; or the length in front of one.
#![no_main]

use e2eeftp_core::identity::PublicKey;
use e2eeftp_core::identity::agent::{MAX_ANSWER_LEN, answer_len, read_keys, read_signature};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else { return };
    match mode % 3 {
        0 => {
            for agent_key in read_keys(rest).unwrap_or_default() {
                assert!(agent_key.comment.len() <= rest.len());
                // A key that was read is written as the agent wrote it.
                let blob = agent_key.key.to_ssh_blob();
                assert_eq!(PublicKey::from_ssh_blob(&blob).ok(), Some(agent_key.key));
                assert!(rest.windows(blob.len()).any(|window| window == blob));
            }
        }
        1 => drop(read_signature(rest)),
        _ => {
            if let Some(header) = rest.first_chunk() {
                let announced = u32::from_be_bytes(*header) as usize;
                let is_allowed = (1..=MAX_ANSWER_LEN).contains(&announced);
                assert_eq!(answer_len(*header).ok(), is_allowed.then_some(announced));
            }
        }
    }
});
