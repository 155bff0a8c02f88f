//! Ed25519 keys in DER (RFC 8410): fixed bytes around the key, so nothing is parsed.

use zeroize::Zeroizing;

use crate::crypto::ed25519::{self, PUBLIC_LEN, SEED_LEN};
use crate::{Error, KeyFault};

/// SEQUENCE, version 0, algorithm 1.3.101.112, OCTET STRING in OCTET STRING: the seed follows.
const PRIVATE_V1: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// As above with version 1, for a seed and a public key.
const PRIVATE_V2: [u8; 16] =
    [0x30, 0x51, 2, 1, 1, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// Between seed and public key in version 2: `[1]` IMPLICIT BIT STRING.
const PUBLIC_FIELD: [u8; 3] = [0x81, 0x21, 0];
/// SEQUENCE, algorithm, BIT STRING: the public key follows.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// Where a key of another algorithm would differ, in all private forms.
const ALGORITHM: core::ops::Range<usize> = 5..12;

/// Reads a PKCS#8 private key of version 1 (48 bytes) or 2 (83 bytes).
pub(super) fn read_private(der: &[u8]) -> Result<Zeroizing<[u8; SEED_LEN]>, Error> {
    let (head, rest) = der.split_first_chunk::<16>().ok_or(KeyFault::Malformed)?;
    let (seed, rest) = rest.split_first_chunk::<SEED_LEN>().ok_or(KeyFault::Malformed)?;
    match (*head, rest) {
        (PRIVATE_V1, []) => {}
        (PRIVATE_V2, rest) => {
            let public = rest.strip_prefix(&PUBLIC_FIELD).ok_or(KeyFault::Malformed)?;
            if public.len() != PUBLIC_LEN {
                return Err(KeyFault::Malformed.into());
            }
            if ed25519::KeyPair::from_seed(seed)?.public()? != *public {
                return Err(KeyFault::Mismatch.into());
            }
        }
        _ if head[ALGORITHM] != PRIVATE_V1[ALGORITHM] => return Err(KeyFault::NotEd25519.into()),
        _ => return Err(KeyFault::Malformed.into()),
    }
    Ok(Zeroizing::new(*seed))
}

/// Writes a PKCS#8 private key of version 1, which every tool reads.
pub(super) fn write_private(seed: &[u8; SEED_LEN]) -> Zeroizing<Vec<u8>> {
    let mut der = Zeroizing::new(Vec::with_capacity(PRIVATE_V1.len() + SEED_LEN));
    der.extend_from_slice(&PRIVATE_V1);
    der.extend_from_slice(seed);
    der
}

/// Reads a `SubjectPublicKeyInfo`.
pub(super) fn read_public(der: &[u8]) -> Result<[u8; PUBLIC_LEN], Error> {
    let (head, key) = der.split_first_chunk::<12>().ok_or(KeyFault::Malformed)?;
    if *head != SPKI {
        return Err(KeyFault::NotEd25519.into());
    }
    key.try_into().map_err(|_| KeyFault::Malformed.into())
}

/// Writes a `SubjectPublicKeyInfo`.
pub(super) fn write_public(key: &[u8; PUBLIC_LEN]) -> Vec<u8> {
    let mut der = SPKI.to_vec();
    der.extend_from_slice(key);
    der
}
