//! Statements by which a server's old key names the key that follows it: `docs/PROTOCOL.md` §4.1.
//!
//! A [`RotationChain`] holds only statements that have been verified. Whether they help anybody is
//! for the client to say: it must know one of the old keys, and not have seen a later statement.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::ed25519::{PUBLIC_LEN, SIGNATURE_LEN};
use crate::identity::{PublicKey, Signature, Signer, sshsig};
use crate::{Error, KeyFault, Misuse, PeerFault};

/// Namespace of the signatures.
pub const ROTATION_NAMESPACE: &str = "rotate@e2eeftp";
/// Most statements of a chain; an older one is left out when another is added.
pub const MAX_ROTATIONS: usize = 4;
/// Largest sequence number: a whole number that every language has.
pub const MAX_ROTATION_SEQUENCE: u64 = (1 << 53) - 1;

const TEXT: &[u8] = b"e2eeftp/1 server key rotation";
/// Length of a statement on the wire: old key, sequence, signature.
const STATEMENT_LEN: usize = PUBLIC_LEN + 8 + SIGNATURE_LEN;

/// One verified step: the holder of `old_key` has named its successor, which is the old key of the
/// next step, or the server's key after the last one.
#[derive(Clone, PartialEq, Eq)]
pub struct Rotation {
    old_key: PublicKey,
    sequence: u64,
    signature: [u8; SIGNATURE_LEN],
}

impl Rotation {
    /// The key that signed.
    pub fn old_key(&self) -> &PublicKey {
        &self.old_key
    }

    /// Rises with every rotation of a server; 1 to [`MAX_ROTATION_SEQUENCE`].
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// R and S of the Ed25519 signature over [`rotation_signed_data`].
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }
}

/// Up to [`MAX_ROTATIONS`] statements that lead from key to key to the server's present one, oldest
/// first. Invariant: at least one, plain Ed25519 keys, no key follows itself, the sequence numbers
/// rise, and every signature is right.
#[derive(Clone, PartialEq, Eq)]
pub struct RotationChain {
    steps: Vec<Rotation>,
    key: PublicKey,
}

/// What is signed, before SSHSIG frames it: `"e2eeftp/1 server key rotation" ‖ 0x00 ‖ old key 32 ‖
/// new key 32 ‖ sequence u64`. This is the message for `ssh-keygen -Y verify -n rotate@e2eeftp`.
pub fn rotation_message(old_key: &PublicKey, new_key: &PublicKey, sequence: u64) -> Vec<u8> {
    let mut message = TEXT.to_vec();
    message.push(0);
    message.extend_from_slice(old_key.as_bytes());
    message.extend_from_slice(new_key.as_bytes());
    message.extend_from_slice(&sequence.to_be_bytes());
    message
}

/// The bytes that the old key signs: the SSHSIG signed-data blob of [`rotation_message`].
pub fn rotation_signed_data(old_key: &PublicKey, new_key: &PublicKey, sequence: u64) -> Vec<u8> {
    sshsig::signed_data(ROTATION_NAMESPACE, &rotation_message(old_key, new_key, sequence))
}

impl RotationChain {
    /// Reads the value of a ROT message of a server that has `key`, and verifies all of it.
    ///
    /// # Errors
    /// [`PeerFault::Length`] unless it is 1 to 4 whole statements; [`PeerFault::Rotation`] when the
    /// sequence numbers do not rise, a key follows itself, or a signature is not that of the old key
    /// over exactly the key that follows; [`WeakKey`](crate::WeakKey).
    pub fn from_wire(value: &[u8], key: &PublicKey) -> Result<Self, Error> {
        let (statements, rest) = value.as_chunks::<STATEMENT_LEN>();
        if statements.is_empty() || statements.len() > MAX_ROTATIONS || !rest.is_empty() {
            return Err(PeerFault::Length.into());
        }
        let mut steps = Vec::with_capacity(statements.len());
        for statement in statements {
            steps.push(read_statement(statement)?);
        }
        Self::verified(steps, key.clone())
    }

    /// The value of a ROT message: `old key 32 ‖ sequence u64 ‖ signature 64` for each statement.
    pub fn to_wire(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(self.steps.len() * STATEMENT_LEN);
        for step in &self.steps {
            value.extend_from_slice(step.old_key.as_bytes());
            value.extend_from_slice(&step.sequence.to_be_bytes());
            value.extend_from_slice(&step.signature);
        }
        value
    }

    /// Reads the text of a file `server_id.rotation`: a line `SEQUENCE OLD NEW SIGNATURE` for each
    /// statement, oldest first, the last three in base64; empty lines and those that begin with `#`
    /// do not count.
    ///
    /// # Errors
    /// [`KeyFault::Malformed`] for anything else, and for statements that do not hold.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let mut steps = Vec::new();
        let mut key: Option<PublicKey> = None;
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (step, new_key) = read_line(line).ok_or(KeyFault::Malformed)?;
            if key.is_some_and(|key| key != step.old_key) || steps.len() == MAX_ROTATIONS {
                return Err(KeyFault::Malformed.into());
            }
            steps.push(step);
            key = Some(new_key);
        }
        let key = key.ok_or(KeyFault::Malformed)?;
        Self::verified(steps, key).map_err(|_| KeyFault::Malformed.into())
    }

    /// The text of a file `server_id.rotation`, which [`from_text`](Self::from_text) reads.
    pub fn to_text(&self) -> String {
        let mut text = String::from(
            "# e2eeftp: how the key of this server has changed, each step signed by the old key.\n\
             # sequence, old key, new key, signature\n",
        );
        for (step, new_key) in self.steps() {
            let signature = STANDARD.encode(step.signature);
            let (old, new) = (step.old_key.to_base64(), new_key.to_base64());
            let sequence = step.sequence.to_string();
            for word in [&sequence, &old, &new, &signature] {
                text.push_str(word);
                text.push(' ');
            }
            text.pop();
            text.push('\n');
        }
        text
    }

    /// The chain that leads on from the key of `signer` to `new_key`.
    ///
    /// Of `before`, what leads to the key of `signer` is kept: statements after it belong to a
    /// rotation that was broken off. The sequence number is `at_least`, or more where a number is
    /// taken.
    ///
    /// # Errors
    /// [`Misuse::Rotation`] for equal keys, a `new_key` of a security key, and when the numbers are
    /// used up; [`Misuse::Signer`], and what the signer returns.
    pub fn extended(
        before: Option<Self>,
        signer: &dyn Signer,
        new_key: &PublicKey,
        at_least: u64,
    ) -> Result<Self, Error> {
        let old_key = signer.public_key();
        // A number that a statement that was broken off may have used is not used again.
        let last = before.as_ref().and_then(|chain| chain.steps.last()).map_or(0, |s| s.sequence);
        let mut steps = before.map_or_else(Vec::new, |chain| chain.up_to(old_key));
        let sequence = at_least.max(last.saturating_add(1));
        if sequence > MAX_ROTATION_SEQUENCE || old_key == new_key || !is_plain(new_key) {
            return Err(Misuse::Rotation.into());
        }
        let signature = signer.sign(&rotation_signed_data(old_key, new_key, sequence))?;
        steps.push(Rotation { old_key: old_key.clone(), sequence, signature });
        let surplus = steps.len().saturating_sub(MAX_ROTATIONS);
        steps.drain(..surplus);
        Self::verified(steps, new_key.clone()).map_err(|_| Misuse::Signer.into())
    }

    /// The statements that lead to `key`.
    fn up_to(mut self, key: &PublicKey) -> Vec<Rotation> {
        if self.key != *key {
            let at = self.steps.iter().rposition(|step| step.old_key == *key);
            self.steps.truncate(at.unwrap_or(0));
        }
        self.steps
    }

    /// Makes the invariant true, or refuses.
    fn verified(steps: Vec<Rotation>, key: PublicKey) -> Result<Self, Error> {
        let chain = Self { steps, key };
        let mut last = 0;
        for (step, new_key) in chain.steps() {
            let signed = rotation_signed_data(&step.old_key, new_key, step.sequence);
            let signature = Signature::Ed25519(step.signature);
            if step.sequence <= last
                || step.sequence > MAX_ROTATION_SEQUENCE
                || step.old_key == *new_key
                || !is_plain(new_key)
                || !step.old_key.verifies(&signed, &signature)
            {
                return Err(PeerFault::Rotation.into());
            }
            last = step.sequence;
        }
        Ok(chain)
    }

    /// Every statement with the key that it names, oldest first.
    pub fn steps(&self) -> impl Iterator<Item = (&Rotation, &PublicKey)> {
        let following = self.steps.iter().skip(1).map(Rotation::old_key);
        self.steps.iter().zip(following.chain(core::iter::once(&self.key)))
    }

    /// The key that the chain leads to.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}

fn is_plain(key: &PublicKey) -> bool {
    key.kind() == crate::identity::KeyKind::Ed25519
}

fn read_statement(statement: &[u8; STATEMENT_LEN]) -> Result<Rotation, Error> {
    let short = || Error::Peer(PeerFault::Length);
    let (old_key, rest) = statement.split_first_chunk().ok_or_else(short)?;
    let (sequence, rest) = rest.split_first_chunk().ok_or_else(short)?;
    Ok(Rotation {
        old_key: PublicKey::from_bytes(old_key)?,
        sequence: u64::from_be_bytes(*sequence),
        signature: rest.try_into().map_err(|_| short())?,
    })
}

/// A line of the file, and the new key that it names.
fn read_line(line: &str) -> Option<(Rotation, PublicKey)> {
    let mut words = line.split_ascii_whitespace();
    let sequence = words.next()?;
    if !sequence.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut bytes = || STANDARD.decode(words.next()?).ok();
    let old_key = PublicKey::from_bytes(&bytes()?.try_into().ok()?).ok()?;
    let new_key = PublicKey::from_bytes(&bytes()?.try_into().ok()?).ok()?;
    let signature = bytes()?.try_into().ok()?;
    if words.next().is_some() {
        return None;
    }
    Some((Rotation { old_key, sequence: sequence.parse().ok()?, signature }, new_key))
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotation")
            .field("old_key", &self.old_key)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RotationChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotationChain")
            .field("steps", &self.steps)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
