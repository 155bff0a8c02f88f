//! The server's states.

use core::fmt;
use std::sync::Arc;

use crate::crypto::kem::{self, ENCAPSULATION_KEY_LEN};
use crate::crypto::secret_bytes::on_clean_stack;
use crate::handshake::established::{Agreed, Verified};
use crate::handshake::flight::{self, FlightReader, FlightWriter, Message};
use crate::handshake::parameters::Parameters;
use crate::handshake::proof::{self, IdentityProof, KnowsJoinSecret, Role};
use crate::handshake::schedule::{EarlySecrets, HandshakeSecrets};
use crate::handshake::transcript::Transcript;
use crate::handshake::{Established, ServerSettings, Suite};
use crate::handshake::{client_hello, server_hello};
use crate::identity::{PublicKey, RotationChain, Signature, Signer};
use crate::record::{MAX_RECORD_BODY, RatchetLimits};
use crate::{Error, Misuse, PeerFault, Random};

/// Reads a `ClientHello`, the whole record. Cheap: no public-key operation happens here, so this
/// can run before a slot for the expensive part is taken.
///
/// # Errors
/// [`PeerFault`], [`Error::NoCommonSuite`], [`WeakKey`](crate::WeakKey) for an X25519 share of
/// small order, [`Misuse::NoSuite`].
pub fn read_client_hello(settings: &ServerSettings, record: &[u8]) -> Result<ClientHello, Error> {
    if settings.suites.is_empty() {
        return Err(Misuse::NoSuite.into());
    }
    let hello = client_hello::Parsed::read(record)?;
    let suite = hello
        .suites
        .intersection(settings.suites)
        .choose(hello.prefers_aes && settings.prefer_aes)
        .ok_or(Error::NoCommonSuite)?;
    let encapsulation_key = hello.encapsulation_key()?;
    kem::check_x25519_share(encapsulation_key)?;
    let mut transcript = Transcript::new();
    transcript.add(record);
    Ok(ClientHello {
        suite,
        limits: settings.limits,
        rotation: settings.rotation.clone(),
        encapsulation_key: Box::new(*encapsulation_key),
        join: hello.join_id.map(|id| JoinClaim {
            id,
            bound: hello.bound().into(),
            binder: hello.binder().into(),
        }),
        transcript,
    })
}

/// A `ClientHello` whose form is right; nobody has proved anything yet.
pub struct ClientHello {
    suite: Suite,
    limits: RatchetLimits,
    rotation: Option<Arc<RotationChain>>,
    encapsulation_key: Box<[u8; ENCAPSULATION_KEY_LEN]>,
    join: Option<JoinClaim>,
    transcript: Transcript,
}

struct JoinClaim {
    id: [u8; 32],
    bound: Box<[u8]>,
    binder: Box<[u8]>,
}

impl ClientHello {
    /// The session that the client asks to join; the caller looks up its secret and makes sure
    /// that the id is used once.
    pub fn join_id(&self) -> Option<&[u8; 32]> {
        self.join.as_ref().map(|join| &join.id)
    }

    /// Answers with both records of the server, one after the other in the returned bytes.
    ///
    /// `join_secret` is the one of [`join_id`](Self::join_id); a client that asks to join is
    /// never treated as one that does not. `unix_time` is this server's clock in seconds. Draws
    /// 64 random bytes for the key exchange, 32 for the `ServerHello` and 16 for the session id.
    ///
    /// # Errors
    /// [`PeerFault::Join`] when the join secret is missing or the client does not know it,
    /// [`WeakKey`](crate::WeakKey), [`Misuse::Joined`] for a join secret without a join,
    /// [`Misuse::Signer`], [`Misuse::Rotation`] when the settings have statements that lead to another
    /// key, [`Error::Random`] and what the signer returns.
    pub fn respond(
        self,
        signer: &dyn Signer,
        join_secret: Option<&[u8; 48]>,
        unix_time: u64,
        random: &mut dyn Random,
    ) -> Result<(ExpectClientAuth, Vec<u8>), Error> {
        on_clean_stack(|| self.agree(signer, join_secret, unix_time, random))
    }

    fn agree(
        mut self,
        signer: &dyn Signer,
        join_secret: Option<&[u8; 48]>,
        unix_time: u64,
        random: &mut dyn Random,
    ) -> Result<(ExpectClientAuth, Vec<u8>), Error> {
        let early = EarlySecrets::new(join_secret);
        let joined = match (&self.join, join_secret) {
            (None, None) => None,
            (None, Some(_)) => return Err(Misuse::Joined.into()),
            (Some(_), None) => return Err(PeerFault::Join.into()),
            (Some(claim), Some(_)) => {
                Some(proof::verify_binder(&early, &claim.bound, &claim.binder)?)
            }
        };
        let (ciphertext, shared) = kem::encapsulate(&self.encapsulation_key, random)?;
        let mut flight = server_hello::write(self.suite, joined.is_some(), &ciphertext, random)?;
        self.transcript.add(&flight);
        let secrets = early.into_handshake(&shared, &self.transcript.hash());

        let mut parameters =
            Parameters { max_record_body: MAX_RECORD_BODY, unix_time, session_id: [0; 16] };
        random.fill(&mut parameters.session_id)?;
        let auth = write_auth(
            &parameters,
            joined.is_none().then_some((signer, self.rotation.as_deref())),
            &secrets,
            self.suite,
            &mut self.transcript,
        )?;
        flight.extend_from_slice(&auth);
        let agreed = Agreed {
            suite: self.suite,
            session_id: parameters.session_id,
            max_record_body: parameters.max_record_body,
            limits: self.limits,
        };
        Ok((ExpectClientAuth { joined, secrets, transcript: self.transcript, agreed }, flight))
    }
}

/// Builds M4: parameters, identity, signature and statements unless the client joins,
/// Finished.
fn write_auth(
    parameters: &Parameters,
    identity: Option<(&dyn Signer, Option<&RotationChain>)>,
    secrets: &HandshakeSecrets,
    suite: Suite,
    transcript: &mut Transcript,
) -> Result<Vec<u8>, Error> {
    let mut writer = FlightWriter::new();
    transcript.add(writer.message(Message::Parameters, &parameters.to_wire()?)?);
    if let Some((signer, rotation)) = identity {
        let key = signer.public_key();
        transcript.add(writer.message(Message::ServerId, &flight::id_value(key))?);
        let signed = proof::signed_data(Role::Server, &transcript.hash());
        let signature = signer.sign(&signed)?.into();
        if !signer.is_trusted() && !key.verifies(&signed, &signature) {
            return Err(Misuse::Signer.into());
        }
        let value = flight::signature_value(&signature);
        transcript.add(writer.message(Message::ServerSignature, &value)?);
        if let Some(chain) = rotation {
            if chain.key() != key {
                return Err(Misuse::Rotation.into());
            }
            transcript.add(writer.message(Message::ServerRotation, &chain.to_wire())?);
        }
    }
    let code = secrets.server.finished(&transcript.hash());
    transcript.add(writer.message(Message::ServerFinished, &code)?);
    writer.seal(&mut secrets.server.direction_key(suite)?)
}

/// The server has answered; the client's sealed proof of who it is comes next.
pub struct ExpectClientAuth {
    joined: Option<KnowsJoinSecret>,
    secrets: HandshakeSecrets,
    transcript: Transcript,
    agreed: Agreed,
}

impl ExpectClientAuth {
    /// Takes the whole record that the client sent and verifies the client's signature and
    /// Finished. `record` is decrypted in place.
    ///
    /// # Errors
    /// [`Error::Decrypt`], [`PeerFault`], [`WeakKey`](crate::WeakKey).
    pub fn handle(self, record: &mut [u8]) -> Result<ClientProved, Error> {
        on_clean_stack(|| self.verify(record))
    }

    fn verify(mut self, record: &mut [u8]) -> Result<ClientProved, Error> {
        let mut key = self.secrets.client.direction_key(self.agreed.suite)?;
        let content = flight::open(&mut key, record)?;
        let mut reader = FlightReader(&record[content]);
        let identity = if let Some(joined) = self.joined {
            Claim::Joined(joined)
        } else {
            let (whole, value) = reader.expect(Message::ClientId)?;
            let key = flight::read_client_id(value)?;
            self.transcript.add(whole);
            let signed = self.transcript.hash();
            let (whole, value) = reader.expect(Message::ClientSignature)?;
            let signature = flight::read_signature(value)?;
            self.transcript.add(whole);
            Claim::Key(Box::new((key, signed, signature)))
        };
        let finished_over = self.transcript.hash();
        let (whole, code) = reader.expect(Message::ClientFinished)?;
        let finished = proof::verify_finished(&self.secrets.client, &finished_over, code)?;
        let identity = match identity {
            Claim::Joined(joined) => IdentityProof::Joined(joined),
            Claim::Key(claim) => {
                let (key, signed, signature) = *claim;
                let verified = proof::verify_signature(Role::Client, key, &signed, &signature)?;
                IdentityProof::Key(verified)
            }
        };
        self.transcript.add(whole);
        reader.finish()?;
        let verified = Verified { identity, finished };
        let established =
            Established::for_server(&verified, self.agreed, self.secrets, &self.transcript)?;
        Ok(ClientProved { verified, established })
    }
}

/// Who the client says it is, before its signature is checked.
enum Claim {
    Joined(KnowsJoinSecret),
    Key(Box<(PublicKey, [u8; 48], Signature)>),
}

/// The client has proved that it holds its key. Whether that key is *admitted* is the caller's
/// decision, and has to be made before anything the client sends is acted on.
pub struct ClientProved {
    verified: Verified,
    established: Established,
}

impl ClientProved {
    /// The key that the client has proved to hold; `None` when this connection has joined a
    /// session, whose identity it then has.
    pub fn client_key(&self) -> Option<&PublicKey> {
        self.verified.identity.key()
    }

    /// The connection, once the caller admits the client.
    pub fn into_established(self) -> Established {
        self.established
    }
}

impl fmt::Debug for ClientHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHello").field("suite", &self.suite).finish_non_exhaustive()
    }
}

impl fmt::Debug for ExpectClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectClientAuth").finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientProved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientProved")
            .field("client_key", &self.client_key())
            .finish_non_exhaustive()
    }
}
