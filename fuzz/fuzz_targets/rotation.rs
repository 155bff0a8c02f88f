//! Statements of a server's new key: the text of a file, the value of a message, or a genuine value
//! with changes. First byte: which.
#![no_main]

use e2eeftp_core::identity::RotationChain;
use e2eeftp_fuzz::peers::identity;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else { return };
    let (old, key) = (identity("old server identity"), identity("server identity"));
    let new_key = key.public_key();
    match mode % 3 {
        0 => {
            let Ok(chain) = RotationChain::from_text(&String::from_utf8_lossy(rest)) else {
                return;
            };
            assert_eq!(RotationChain::from_text(&chain.to_text()).ok(), Some(chain.clone()));
            let again = RotationChain::from_wire(&chain.to_wire(), chain.key());
            assert_eq!(again.ok(), Some(chain));
        }
        1 => {
            if let Ok(chain) = RotationChain::from_wire(rest, new_key) {
                assert_eq!(chain.to_wire(), rest);
            }
        }
        _ => {
            let chain = RotationChain::extended(None, &old, new_key, 1).unwrap();
            let genuine = chain.to_wire();
            let mut value = genuine.clone();
            for change in rest.chunks_exact(2) {
                let at = usize::from(change[0]) % value.len();
                value[at] ^= change[1];
            }
            let is_genuine = value == genuine;
            assert_eq!(RotationChain::from_wire(&value, new_key).is_ok(), is_genuine);
        }
    }
});
