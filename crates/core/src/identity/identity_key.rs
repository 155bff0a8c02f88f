//! The private half of an identity.

use core::fmt;

use zeroize::Zeroizing;

use crate::crypto::ed25519::{self, SEED_LEN};
use crate::crypto::hash::sha256;
use crate::identity::{PublicKey, Signer, openssh, pem, pkcs8};
use crate::{Error, KeyFault, Random};

const OPENSSH_LABEL: &str = "OPENSSH PRIVATE KEY";
const PKCS8_LABEL: &str = "PRIVATE KEY";

/// An Ed25519 private key. It can't be printed or copied. The seed is wiped when it is dropped;
/// the expanded key that ring keeps for signing is not, because ring can't.
pub struct IdentityKey {
    seed: Zeroizing<[u8; SEED_LEN]>,
    /// Invariant: made from `seed`.
    pair: ed25519::KeyPair,
    public: PublicKey,
}

impl IdentityKey {
    /// A new key from 32 random bytes.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn generate(random: &mut dyn Random) -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; SEED_LEN]);
        random.fill(&mut *seed)?;
        Self::from_seed(seed)
    }

    fn from_seed(seed: Zeroizing<[u8; SEED_LEN]>) -> Result<Self, Error> {
        let pair = ed25519::KeyPair::from_seed(&seed)?;
        let public = PublicKey::from_bytes(&pair.public()?)?;
        Ok(Self { seed, pair, public })
    }

    /// Reads a key file: an OpenSSH private key, or PKCS#8 PEM with or without public key.
    ///
    /// Encrypted keys are recognised and refused; decrypting them is not supported.
    ///
    /// # Errors
    /// [`KeyFault`]: [`Encrypted`](KeyFault::Encrypted) without and
    /// [`EncryptionUnsupported`](KeyFault::EncryptionUnsupported) with a passphrase.
    pub fn from_text(text: &[u8], passphrase: Option<&[u8]>) -> Result<Self, Error> {
        let text = core::str::from_utf8(text).map_err(|_| KeyFault::UnknownFormat)?.trim();
        let label = text
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.split_once("-----"))
            .map(|(label, _)| label)
            .ok_or(KeyFault::UnknownFormat)?;
        let seed = match label {
            OPENSSH_LABEL => openssh::read(&pem::decode(text, label)?, passphrase.is_some())?,
            PKCS8_LABEL => pkcs8::read_private(&pem::decode(text, label)?)?,
            "ENCRYPTED PRIVATE KEY" if passphrase.is_none() => {
                return Err(KeyFault::Encrypted.into());
            }
            "ENCRYPTED PRIVATE KEY" => return Err(KeyFault::EncryptionUnsupported.into()),
            "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "DSA PRIVATE KEY" => {
                return Err(KeyFault::NotEd25519.into());
            }
            _ => return Err(KeyFault::UnknownFormat.into()),
        };
        Self::from_seed(seed)
    }

    /// An OpenSSH private key file without passphrase, for a file that only its owner can read.
    /// Control characters in `comment` become spaces.
    pub fn to_openssh(&self, comment: &str) -> Zeroizing<String> {
        let comment: String =
            comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let [c0, c1, c2, c3, ..] = sha256(self.public.as_bytes());
        let bytes = openssh::write(&self.seed, self.public.as_bytes(), &comment, [c0, c1, c2, c3]);
        pem::encode(&bytes, OPENSSH_LABEL, 70)
    }

    /// A PKCS#8 PEM file of version 1, as `openssl genpkey` and Python write it.
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        pem::encode(&pkcs8::write_private(&self.seed), PKCS8_LABEL, 64)
    }

    /// The public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }
}

impl Signer for IdentityKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Error> {
        self.pair.sign(message)
    }

    fn is_trusted(&self) -> bool {
        true
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityKey").field("public", &self.public).finish_non_exhaustive()
    }
}
