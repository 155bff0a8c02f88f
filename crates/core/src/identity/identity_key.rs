//! The private half of an identity.

use core::fmt;

use zeroize::Zeroizing;

use crate::crypto::ed25519::{self, SEED_LEN};
use crate::identity::{PublicKey, Signer, openssh, pem, pkcs8};
use crate::{Error, KeyFault, Random};

const OPENSSH_LABEL: &str = "OPENSSH PRIVATE KEY";
const PKCS8_LABEL: &str = "PRIVATE KEY";
/// Characters on a line of an OpenSSH key file.
const OPENSSH_WIDTH: usize = 70;

/// An Ed25519 private key. It can't be printed or copied. The seed is wiped when it is dropped;
/// the expanded key that ring keeps for signing is not, because ring can't.
pub struct IdentityKey {
    seed: Zeroizing<[u8; SEED_LEN]>,
    /// Invariant: made from `seed`.
    pair: ed25519::KeyPair,
    public: PublicKey,
    comment: String,
}

impl IdentityKey {
    /// A new key from 32 random bytes.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn generate(random: &mut dyn Random) -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; SEED_LEN]);
        random.fill(&mut *seed)?;
        Self::from_seed(seed, String::new())
    }

    fn from_seed(seed: Zeroizing<[u8; SEED_LEN]>, comment: String) -> Result<Self, Error> {
        let pair = ed25519::KeyPair::from_seed(&seed)?;
        let public = PublicKey::from_bytes(&pair.public()?)?;
        Ok(Self { seed, pair, public, comment })
    }

    /// Reads a key file: an OpenSSH private key, with or without a passphrase, or PKCS#8 PEM
    /// with or without public key. A passphrase that is not needed is ignored.
    ///
    /// Deriving a key from a passphrase is slow on purpose: from about 0.1 s to minutes, as the
    /// file says.
    ///
    /// # Errors
    /// [`KeyFault`]: [`Encrypted`](KeyFault::Encrypted) without a passphrase that is needed,
    /// [`WrongPassphrase`](KeyFault::WrongPassphrase), and
    /// [`EncryptionUnsupported`](KeyFault::EncryptionUnsupported) for encrypted PKCS#8, a cipher
    /// that is not known, and more than 16384 rounds of bcrypt-pbkdf.
    pub fn from_text(text: &[u8], passphrase: Option<&[u8]>) -> Result<Self, Error> {
        let text = core::str::from_utf8(text).map_err(|_| KeyFault::UnknownFormat)?.trim();
        let label = text
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.split_once("-----"))
            .map(|(label, _)| label)
            .ok_or(KeyFault::UnknownFormat)?;
        match label {
            OPENSSH_LABEL => {
                let content = openssh::read(&pem::decode(text, label)?, passphrase)?;
                Self::from_seed(content.seed, content.comment)
            }
            PKCS8_LABEL => {
                Self::from_seed(pkcs8::read_private(&pem::decode(text, label)?)?, String::new())
            }
            "ENCRYPTED PRIVATE KEY" => Err(KeyFault::EncryptionUnsupported.into()),
            "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "DSA PRIVATE KEY" => {
                Err(KeyFault::NotEd25519.into())
            }
            _ => Err(KeyFault::UnknownFormat.into()),
        }
    }

    /// The public half of a private key file. Of a file with a passphrase, and of that of a security
    /// key, it is what the file names: nothing proves then that the private half fits.
    ///
    /// # Errors
    /// As [`from_text`](Self::from_text), but for those about passphrases.
    pub fn public_half(text: &[u8]) -> Result<PublicKey, Error> {
        match Self::from_text(text, None) {
            Ok(key) => Ok(key.public),
            Err(Error::KeyFile(KeyFault::Encrypted | KeyFault::SecurityKey)) => {
                let text = core::str::from_utf8(text).map_err(|_| KeyFault::UnknownFormat)?;
                openssh::read_public(&pem::decode(text, OPENSSH_LABEL)?)
            }
            Err(error) => Err(error),
        }
    }

    /// The comment of the file that the key was read from, else `""`. It may hold anything.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// An OpenSSH private key file without passphrase, for a file that only its owner can read.
    /// Control characters in `comment` become spaces.
    ///
    /// # Errors
    /// [`KeyFault::Malformed`] for a comment of 4 GiB.
    pub fn to_openssh(&self, comment: &str) -> Result<Zeroizing<String>, Error> {
        let bytes = openssh::write(&self.seed, self.public.as_bytes(), &one_line(comment))?;
        Ok(pem::encode(&bytes, OPENSSH_LABEL, OPENSSH_WIDTH))
    }

    /// As [`to_openssh`](Self::to_openssh), encrypted under `passphrase` with AES-256-CTR and
    /// bcrypt-pbkdf of 100 rounds, which takes about a second. Draws 20 random bytes.
    ///
    /// # Errors
    /// [`KeyFault::EmptyPassphrase`], [`Error::Random`].
    pub fn to_encrypted_openssh(
        &self,
        comment: &str,
        passphrase: &[u8],
        random: &mut dyn Random,
    ) -> Result<Zeroizing<String>, Error> {
        let bytes = openssh::write_encrypted(
            &self.seed,
            self.public.as_bytes(),
            &one_line(comment),
            passphrase,
            random,
        )?;
        Ok(pem::encode(&bytes, OPENSSH_LABEL, OPENSSH_WIDTH))
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

fn one_line(comment: &str) -> String {
    comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
