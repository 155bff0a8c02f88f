//! Names of staged files: `.e2eeftp-` and 32 hexadecimal digits and `.part`.

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, ErrorKind, Result};

/// Every name with this beginning belongs to staging.
const PREFIX: &[u8] = b".e2eeftp-";
const SUFFIX: &[u8] = b".part";
/// Random bytes in a name: enough that two staged files never meet, without asking the directory.
const RANDOM_LEN: usize = 16;

/// Whether `name` is reserved. Letter case is ignored, for file systems that ignore it too.
pub(crate) fn is_reserved(name: &[u8]) -> bool {
    name.get(..PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(PREFIX))
}

/// Whether `name` is that of a staged file, which a sweep may remove when nobody holds its lock.
pub(crate) fn is_staged(name: &[u8]) -> bool {
    name.len() >= PREFIX.len() + SUFFIX.len() && name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// A fresh name for a staged file.
pub(crate) fn generate() -> Result<Vec<u8>> {
    let mut random = [0; RANDOM_LEN];
    SystemRandom::new().fill(&mut random).map_err(|_| Error::new(ErrorKind::Io, "random"))?;
    let mut name = PREFIX.to_vec();
    for byte in random {
        for nibble in [byte >> 4, byte & 0xf] {
            name.push(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
        }
    }
    name.extend_from_slice(SUFFIX);
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_are_distinct_and_recognised() {
        let (first, second) = (generate().unwrap(), generate().unwrap());
        assert_ne!(first, second);
        assert_eq!(first.len(), PREFIX.len() + 2 * RANDOM_LEN + SUFFIX.len());
        assert!(is_staged(&first) && is_reserved(&first));
    }

    #[test]
    fn only_the_prefix_reserves_a_name() {
        assert!(is_reserved(b".e2eeftp-"));
        assert!(is_reserved(b".E2EEFTP-x"));
        assert!(!is_reserved(b".e2eeftp"));
        assert!(!is_reserved(b"x.e2eeftp-"));
        assert!(!is_staged(b".e2eeftp-.par"));
        assert!(!is_staged(b".e2eeftp-journal"));
    }
}
