//! The private key file of OpenSSH (`PROTOCOL.key` in its sources), with and without a passphrase.
//!
//! The format itself is the `ssh-key` crate's. This module narrows it to one Ed25519 key, bounds
//! the work that a file can ask for, and checks that the halves of a key belong together.

use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{Algorithm, Cipher, Error as SshError, Kdf, PrivateKey};
use zeroize::Zeroizing;

use crate::crypto::ed25519::{self, PUBLIC_LEN, SEED_LEN};
use crate::identity::PublicKey;
use crate::{Error, KeyFault, Random};

/// Rounds of bcrypt-pbkdf for the keys that are written: a good second of work for each guess.
/// `ssh-keygen` uses 16 or 24 unless told otherwise.
const ROUNDS: u32 = 100;
/// A file that asks for more is refused: it would keep a processor busy for many minutes.
const MAX_ROUNDS: u32 = 1 << 14;
const SALT_LEN: usize = 16;
/// Longest salt that is taken; `ssh-keygen` writes 16 bytes.
const MAX_SALT_LEN: usize = 64;

/// What a key file holds.
pub(super) struct Content {
    pub(super) seed: Zeroizing<[u8; SEED_LEN]>,
    pub(super) comment: String,
}

/// Reads the content of an OpenSSH private key file. A passphrase for a key that has none is
/// ignored.
pub(super) fn read(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<Content, Error> {
    let key = PrivateKey::from_bytes(bytes).map_err(|error| form_fault(&error))?;
    match key.public_key().key_data() {
        KeyData::Ed25519(_) => {}
        KeyData::SkEd25519(_) => return Err(KeyFault::SecurityKey.into()),
        _ => return Err(KeyFault::NotEd25519.into()),
    }
    let key = if key.is_encrypted() { decrypt(&key, passphrase)? } else { key };
    let pair = key.key_data().ed25519().ok_or(KeyFault::NotEd25519)?;
    let seed = Zeroizing::new(*pair.private.as_ref());
    // The crate has compared the public keys of the file with each other.
    if ed25519::KeyPair::from_seed(&seed)?.public()? != pair.public.0 {
        return Err(KeyFault::Mismatch.into());
    }
    let comment = String::from_utf8_lossy(key.comment().as_bytes()).into_owned();
    Ok(Content { seed, comment })
}

/// The public key that a file names, which is never encrypted. Nothing proves that the private
/// half fits.
pub(super) fn read_public(bytes: &[u8]) -> Result<PublicKey, Error> {
    let key = PrivateKey::from_bytes(bytes).map_err(|error| form_fault(&error))?;
    let blob = key.public_key().to_bytes().map_err(|_| KeyFault::Malformed)?;
    PublicKey::from_ssh_blob(&blob)
}

fn decrypt(key: &PrivateKey, passphrase: Option<&[u8]>) -> Result<PrivateKey, Error> {
    let passphrase = passphrase.ok_or(KeyFault::Encrypted)?;
    let Kdf::Bcrypt { salt, rounds } = key.kdf() else {
        return Err(KeyFault::EncryptionUnsupported.into());
    };
    if *rounds > MAX_ROUNDS || salt.len() > MAX_SALT_LEN || key.cipher() == Cipher::TdesCbc {
        return Err(KeyFault::EncryptionUnsupported.into());
    }
    if *rounds == 0 || salt.is_empty() {
        return Err(KeyFault::Malformed.into());
    }
    if passphrase.is_empty() {
        return Err(KeyFault::WrongPassphrase.into());
    }
    key.decrypt(passphrase).map_err(|error| match error {
        // The two check numbers differ, or the authentication tag is wrong.
        SshError::Crypto => KeyFault::WrongPassphrase.into(),
        SshError::PublicKey => KeyFault::Mismatch.into(),
        _ => KeyFault::Malformed.into(),
    })
}

/// Sorts the errors of reading a file that may be of any key type and cipher.
fn form_fault(error: &SshError) -> Error {
    match error {
        SshError::AlgorithmUnknown | SshError::AlgorithmUnsupported { .. } => {
            KeyFault::NotEd25519.into()
        }
        SshError::Encoding(ssh_key::encoding::Error::Label(_)) => {
            KeyFault::EncryptionUnsupported.into()
        }
        SshError::PublicKey => KeyFault::Mismatch.into(),
        _ => KeyFault::Malformed.into(),
    }
}

/// Writes the content of an OpenSSH private key file, not encrypted.
pub(super) fn write(
    seed: &[u8; SEED_LEN],
    public: &[u8; PUBLIC_LEN],
    comment: &str,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    content_of(&private_key(seed, public, comment)?)
}

/// Writes the content of an OpenSSH private key file, encrypted with AES-256-CTR under a key that
/// bcrypt-pbkdf derives from `passphrase`.
///
/// Randomness is drawn in the order: salt 16, check number 4.
pub(super) fn write_encrypted(
    seed: &[u8; SEED_LEN],
    public: &[u8; PUBLIC_LEN],
    comment: &str,
    passphrase: &[u8],
    random: &mut dyn Random,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    if passphrase.is_empty() {
        return Err(KeyFault::EmptyPassphrase.into());
    }
    let (mut salt, mut check) = (vec![0; SALT_LEN], [0; 4]);
    random.fill(&mut salt)?;
    random.fill(&mut check)?;
    let kdf = Kdf::Bcrypt { salt, rounds: ROUNDS };
    let key = private_key(seed, public, comment)?
        .encrypt_with(Cipher::Aes256Ctr, kdf, u32::from_be_bytes(check), passphrase)
        .map_err(|_| KeyFault::Malformed)?;
    content_of(&key)
}

fn private_key(
    seed: &[u8; SEED_LEN],
    public: &[u8; PUBLIC_LEN],
    comment: &str,
) -> Result<PrivateKey, Error> {
    let pair = Ed25519Keypair {
        public: Ed25519PublicKey(*public),
        private: Ed25519PrivateKey::from_bytes(seed),
    };
    let key = PrivateKey::new(KeypairData::from(pair), comment).map_err(|_| KeyFault::Malformed)?;
    debug_assert_eq!(key.algorithm(), Algorithm::Ed25519);
    Ok(key)
}

fn content_of(key: &PrivateKey) -> Result<Zeroizing<Vec<u8>>, Error> {
    key.to_bytes().map_err(|_| KeyFault::Malformed.into())
}
