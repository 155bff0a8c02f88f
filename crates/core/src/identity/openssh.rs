//! The private key file of OpenSSH (`PROTOCOL.key` in its sources), without encryption.
//!
//! ```text
//! "openssh-key-v1\0" ‖ string cipher ‖ string kdf ‖ string kdf options ‖ u32 1
//! ‖ string public blob ‖ string private part
//! private part = u32 check ‖ u32 check ‖ string type ‖ string public ‖ string seed+public
//!                ‖ string comment ‖ 1 2 3 … up to a multiple of 8
//! ```

use zeroize::Zeroizing;

use crate::crypto::ed25519::{self, PUBLIC_LEN, SEED_LEN};
use crate::identity::wire::{SSH_ED25519, public_blob, put_string, take_string};
use crate::{Error, KeyFault};

const MAGIC: &[u8] = b"openssh-key-v1\0";
const NONE: &[u8] = b"none";
/// The block size that the private part is padded to when nothing is encrypted.
const BLOCK: usize = 8;

/// Reads the content of an OpenSSH private key file.
pub(super) fn read(bytes: &[u8], has_passphrase: bool) -> Result<Zeroizing<[u8; SEED_LEN]>, Error> {
    let malformed = Error::KeyFile(KeyFault::Malformed);
    let mut rest = bytes.strip_prefix(MAGIC).ok_or(malformed)?;
    let cipher = take_string(&mut rest).ok_or(malformed)?;
    let kdf = take_string(&mut rest).ok_or(malformed)?;
    let options = take_string(&mut rest).ok_or(malformed)?;
    let (count, after) = rest.split_first_chunk::<4>().ok_or(malformed)?;
    rest = after;
    let public = take_string(&mut rest).ok_or(malformed)?;
    let private = take_string(&mut rest).ok_or(malformed)?;
    if *count != [0, 0, 0, 1] || !rest.is_empty() {
        return Err(malformed);
    }
    let mut kind = public;
    if take_string(&mut kind) != Some(SSH_ED25519) {
        return Err(KeyFault::NotEd25519.into());
    }
    if cipher != NONE || kdf != NONE {
        return Err(if has_passphrase {
            KeyFault::EncryptionUnsupported.into()
        } else {
            KeyFault::Encrypted.into()
        });
    }
    if !options.is_empty() {
        return Err(malformed);
    }
    let seed = read_private(private).ok_or(malformed)?;
    let expected = ed25519::KeyPair::from_seed(&seed.0)?.public()?;
    if expected != seed.1 || public != public_blob(&expected) {
        return Err(KeyFault::Mismatch.into());
    }
    Ok(seed.0)
}

/// Reads the private part: the seed and the public key as written there (twice).
fn read_private(private: &[u8]) -> Option<(Zeroizing<[u8; SEED_LEN]>, [u8; PUBLIC_LEN])> {
    let (check, rest) = private.split_first_chunk::<4>()?;
    let (again, mut rest) = rest.split_first_chunk::<4>()?;
    if check != again
        || !private.len().is_multiple_of(BLOCK)
        || take_string(&mut rest)? != SSH_ED25519
    {
        return None;
    }
    let public: [u8; PUBLIC_LEN] = take_string(&mut rest)?.try_into().ok()?;
    let (seed, public_again) = take_string(&mut rest)?.split_first_chunk::<SEED_LEN>()?;
    let _comment = take_string(&mut rest)?;
    let is_padded = rest.len() < BLOCK && rest.iter().zip(1..).all(|(byte, n)| *byte == n);
    (public_again == public && is_padded).then(|| (Zeroizing::new(*seed), public))
}

/// Writes the content of an OpenSSH private key file. `check` is any number; OpenSSH uses it to
/// notice a wrong passphrase.
pub(super) fn write(
    seed: &[u8; SEED_LEN],
    public: &[u8; PUBLIC_LEN],
    comment: &str,
    check: [u8; 4],
) -> Zeroizing<Vec<u8>> {
    // Everything but the comment is a little over 200 bytes; reserving it all keeps the seed
    // from being left behind by a reallocation.
    let capacity = 512 + comment.len();
    let mut secret = Zeroizing::new(Vec::with_capacity(SEED_LEN + PUBLIC_LEN));
    secret.extend_from_slice(seed);
    secret.extend_from_slice(public);
    let mut private = Zeroizing::new(Vec::with_capacity(capacity));
    private.extend_from_slice(&check);
    private.extend_from_slice(&check);
    put_string(&mut private, SSH_ED25519);
    put_string(&mut private, public);
    put_string(&mut private, &secret);
    put_string(&mut private, comment.as_bytes());
    let pad_len = private.len().next_multiple_of(BLOCK) - private.len();
    private.extend((1u8..).take(pad_len));

    let mut out = Zeroizing::new(Vec::with_capacity(2 * capacity));
    out.extend_from_slice(MAGIC);
    put_string(&mut out, NONE);
    put_string(&mut out, NONE);
    put_string(&mut out, b"");
    out.extend_from_slice(&[0, 0, 0, 1]);
    put_string(&mut out, &public_blob(public));
    put_string(&mut out, &private);
    out
}
