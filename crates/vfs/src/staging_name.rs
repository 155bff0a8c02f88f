//! Names of staged files and their journals: `.e2eeftp-`, 32 hexadecimal digits, and `.part` or `.journal`.

use e2eeftp_core::crypto::RootHasher;
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, ErrorKind, Result};

/// Every name with this beginning belongs to staging.
const PREFIX: &[u8] = b".e2eeftp-";
const SUFFIX: &[u8] = b".part";
const JOURNAL_SUFFIX: &[u8] = b".journal";
/// Random bytes in a name: enough that two staged files never meet, without asking the directory.
const RANDOM_LEN: usize = 16;

/// Whether `name` is reserved. Letter case is ignored, for file systems that ignore it too.
pub(crate) fn is_reserved(name: &[u8]) -> bool {
    name.get(..PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(PREFIX))
}

/// Whether `name` is that of a staged file or of a journal, which a sweep may remove when nobody holds
/// its lock.
pub(crate) fn is_staged(name: &[u8]) -> bool {
    stem(name).is_some()
}

/// The other one of the two names that belong together: the journal of a staged file, the staged file
/// of a journal.
pub(crate) fn partner(name: &[u8]) -> Option<Vec<u8>> {
    let suffix = if name.ends_with(SUFFIX) { JOURNAL_SUFFIX } else { SUFFIX };
    stem(name).map(|stem| [stem, suffix].concat())
}

/// `name` without its suffix, if it is one that staging uses.
fn stem(name: &[u8]) -> Option<&[u8]> {
    let stem = name.strip_suffix(SUFFIX).or_else(|| name.strip_suffix(JOURNAL_SUFFIX))?;
    stem.starts_with(PREFIX).then_some(stem)
}

/// The name of the staged file of transfers with `key` to the file `target`: always the same one.
pub(crate) fn of_transfer(key: &[u8; 16], target: &[u8]) -> Vec<u8> {
    let mut hash = RootHasher::new();
    hash.update(b"e2eeftp staged file\0");
    hash.update(key);
    hash.update(target);
    name_of(&hash.finalize()[..RANDOM_LEN])
}

/// The name of the journal of a staged file.
pub(crate) fn journal_of(staged: &[u8]) -> Vec<u8> {
    let stem = staged.strip_suffix(SUFFIX).unwrap_or(staged);
    [stem, JOURNAL_SUFFIX].concat()
}

/// A fresh name for a staged file.
pub(crate) fn generate() -> Result<Vec<u8>> {
    random().map(|random| name_of(&random))
}

/// Bytes that nobody else has drawn.
pub(crate) fn random() -> Result<[u8; RANDOM_LEN]> {
    let mut random = [0; RANDOM_LEN];
    SystemRandom::new().fill(&mut random).map_err(|_| Error::new(ErrorKind::Io, "random"))?;
    Ok(random)
}

fn name_of(bytes: &[u8]) -> Vec<u8> {
    let mut name = PREFIX.to_vec();
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0xf] {
            name.push(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
        }
    }
    name.extend_from_slice(SUFFIX);
    name
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
        assert!(!is_staged(b"x.part") && !is_staged(b".journal"));
    }

    #[test]
    fn a_transfer_has_one_name_and_a_journal_beside_it() {
        let name = of_transfer(&[1; 16], b"file");
        assert_eq!(name, of_transfer(&[1; 16], b"file"));
        assert_ne!(name, of_transfer(&[2; 16], b"file"));
        assert_ne!(name, of_transfer(&[1; 16], b"other"));
        let journal = journal_of(&name);
        assert!(is_staged(&name) && is_staged(&journal) && is_reserved(&journal));
        assert_eq!(partner(&name), Some(journal.clone()));
        assert_eq!(partner(&journal), Some(name));
    }
}
