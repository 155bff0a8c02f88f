//! The client's states.

use core::fmt;

use crate::crypto::kem::EphemeralKey;
use crate::crypto::secret_bytes::on_clean_stack;
use crate::handshake::established::{Agreed, Verified};
use crate::handshake::flight::{self, FlightReader, FlightWriter, Message};
use crate::handshake::parameters::Parameters;
use crate::handshake::proof::{self, IdentityProof, Role};
use crate::handshake::schedule::{EarlySecrets, HandshakeSecrets};
use crate::handshake::transcript::Transcript;
use crate::handshake::{ClientSettings, Established, Refusal, Suite, Suites};
use crate::handshake::{client_hello, server_hello};
use crate::identity::{PublicKey, RotationChain, Signature, Signer};
use crate::record::RatchetLimits;
use crate::{Error, Misuse, PeerFault, Random};

/// Starts a handshake. Returns the next state and the whole `ClientHello` record to send.
///
/// Draws 32 random bytes for the key share and what the `ClientHello` needs.
///
/// # Errors
/// [`Misuse::NoSuite`] when no suite is enabled, [`Error::Random`].
pub fn start_client(
    settings: ClientSettings,
    random: &mut dyn Random,
) -> Result<(ExpectServerHello, Vec<u8>), Error> {
    let (ephemeral, encapsulation_key) = on_clean_stack(|| {
        let ephemeral = EphemeralKey::generate(random)?;
        let encapsulation_key = ephemeral.encapsulation_key();
        Ok::<_, Error>((ephemeral, encapsulation_key))
    })?;
    let early = EarlySecrets::new(settings.join.as_ref().map(|join| &*join.secret));
    let hello = client_hello::write(&settings, &encapsulation_key, &early, random)?;
    let ClientSettings { suites, join, limits, .. } = settings;
    let mut transcript = Transcript::new();
    transcript.add(&hello);
    let state = ExpectServerHello {
        ephemeral,
        early,
        transcript,
        offered: suites,
        limits,
        is_joined: join.is_some(),
    };
    Ok((state, hello))
}

/// The `ClientHello` is sent; the `ServerHello` is next.
pub struct ExpectServerHello {
    ephemeral: EphemeralKey,
    early: EarlySecrets,
    transcript: Transcript,
    offered: Suites,
    limits: RatchetLimits,
    is_joined: bool,
}

impl ExpectServerHello {
    /// Takes the whole record that the server sent.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is a refusal, [`PeerFault`], [`WeakKey`](crate::WeakKey).
    pub fn handle(self, record: &[u8]) -> Result<ExpectServerAuth, Error> {
        on_clean_stack(|| self.agree(record))
    }

    fn agree(mut self, record: &[u8]) -> Result<ExpectServerAuth, Error> {
        check_refusal(record)?;
        let hello = server_hello::Parsed::read(record)?;
        if !self.offered.contains(hello.suite) {
            return Err(PeerFault::Value.into());
        }
        if hello.is_joined != self.is_joined {
            return Err(PeerFault::JoinIgnored.into());
        }
        let shared = self.ephemeral.decapsulate(hello.ciphertext)?;
        self.transcript.add(record);
        let secrets = self.early.into_handshake(&shared, &self.transcript.hash());
        Ok(ExpectServerAuth {
            secrets,
            transcript: self.transcript,
            suite: hello.suite,
            limits: self.limits,
            is_joined: self.is_joined,
        })
    }
}

/// Keys are agreed with somebody; the sealed proof of who it is comes next.
pub struct ExpectServerAuth {
    secrets: HandshakeSecrets,
    transcript: Transcript,
    suite: Suite,
    limits: RatchetLimits,
    is_joined: bool,
}

impl ExpectServerAuth {
    /// Takes the whole record that the server sent and verifies the server's signature and
    /// Finished. `record` is decrypted in place.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is a refusal, [`Error::Decrypt`], [`PeerFault`],
    /// [`WeakKey`](crate::WeakKey).
    pub fn handle(self, record: &mut [u8]) -> Result<ServerProved, Error> {
        on_clean_stack(|| self.verify(record))
    }

    fn verify(mut self, record: &mut [u8]) -> Result<ServerProved, Error> {
        check_refusal(record)?;
        let content = flight::open(&mut self.secrets.server.direction_key(self.suite)?, record)?;
        let mut reader = FlightReader(&record[content]);
        let (whole, value) = reader.expect(Message::Parameters)?;
        let parameters = Parameters::from_wire(value)?;
        self.transcript.add(whole);
        let mut rotation = None;
        let verified = if self.is_joined {
            let (whole, code) = reader.expect(Message::ServerFinished)?;
            let (joined, finished) =
                proof::verify_joined_finished(&self.secrets.server, &self.transcript.hash(), code)?;
            self.transcript.add(whole);
            Verified { identity: IdentityProof::Joined(joined), finished }
        } else {
            let (whole, value) = reader.expect(Message::ServerId)?;
            let key = flight::read_server_id(value)?;
            self.transcript.add(whole);
            let signed = self.transcript.hash();
            let (whole, value) = reader.expect(Message::ServerSignature)?;
            let signature = flight::read_signature(value)?;
            self.transcript.add(whole);
            let mut statements = None;
            if reader.is_next(Message::ServerRotation) {
                let (whole, value) = reader.expect(Message::ServerRotation)?;
                self.transcript.add(whole);
                statements = Some(value);
            }
            let finished_over = self.transcript.hash();
            let (whole, code) = reader.expect(Message::ServerFinished)?;
            // Finished first: it is the cheaper one, and both must hold.
            let finished = proof::verify_finished(&self.secrets.server, &finished_over, code)?;
            let key = proof::verify_signature(Role::Server, key, &signed, &signature)?;
            self.transcript.add(whole);
            if let Some(value) = statements {
                rotation = Some(RotationChain::from_wire(value, key.public_key())?);
            }
            Verified { identity: IdentityProof::Key(key), finished }
        };
        reader.finish()?;
        Ok(ServerProved {
            verified,
            rotation,
            secrets: self.secrets,
            transcript: self.transcript,
            agreed: Agreed {
                suite: self.suite,
                session_id: parameters.session_id,
                max_record_body: parameters.max_record_body,
                limits: self.limits,
            },
            server_time: parameters.unix_time,
            request: None,
        })
    }
}

/// The server has proved that it holds its key. Whether it is the *right* key is the caller's
/// decision, and has to be made before going on: the next step shows the client's identity.
pub struct ServerProved {
    verified: Verified,
    rotation: Option<RotationChain>,
    secrets: HandshakeSecrets,
    transcript: Transcript,
    agreed: Agreed,
    server_time: u64,
    request: Option<SigningRequest>,
}

/// The client's ID, and the transcript through it.
struct SigningRequest {
    client: PublicKey,
    id: Vec<u8>,
    transcript: Transcript,
}

impl ServerProved {
    /// The key that the server has proved to hold; `None` when this connection joins a session,
    /// whose identity it then has.
    pub fn server_key(&self) -> Option<&PublicKey> {
        self.verified.identity.key()
    }

    /// The verified statements that lead from older keys of the server to
    /// [`server_key`](Self::server_key). They mean something to a client that trusts one of those,
    /// and has not followed a later statement already.
    pub fn rotation(&self) -> Option<&RotationChain> {
        self.rotation.as_ref()
    }

    /// The server's clock, in seconds since 1970.
    pub fn server_time(&self) -> u64 {
        self.server_time
    }

    /// A random id that the server chose.
    pub fn session_id(&self) -> [u8; 16] {
        self.agreed.session_id
    }

    /// What `client` has to sign: a complete SSHSIG signed-data blob. A later call replaces an
    /// earlier one.
    pub fn signing_request(&mut self, client: &PublicKey) -> Vec<u8> {
        let id = flight::id_message(client);
        let mut transcript = self.transcript.clone();
        transcript.add(&id);
        let signed = proof::signed_data(Role::Client, &transcript.hash());
        self.request = Some(SigningRequest { client: client.clone(), id, transcript });
        signed
    }

    /// Finishes with the signature that [`signing_request`](Self::signing_request) asked for.
    /// Returns the record to send; application records may follow it at once.
    ///
    /// # Errors
    /// [`Misuse::NoSigningRequest`], [`Misuse::Signer`] when the signature does not verify,
    /// [`Misuse::Joined`] when this handshake joins a session.
    pub fn finish(self, signature: impl Into<Signature>) -> Result<(Vec<u8>, Established), Error> {
        let signature = signature.into();
        if self.server_key().is_none() {
            return Err(Misuse::Joined.into());
        }
        let request = self.request.as_ref().ok_or(Misuse::NoSigningRequest)?;
        let signed = proof::signed_data(Role::Client, &request.transcript.hash());
        if !request.client.verifies(&signed, &signature) {
            return Err(Misuse::Signer.into());
        }
        self.finish_with(&signature)
    }

    /// As [`finish`](Self::finish), for a signature that is known to be right.
    fn finish_with(mut self, signature: &Signature) -> Result<(Vec<u8>, Established), Error> {
        let SigningRequest { id, transcript, .. } =
            self.request.take().ok_or(Misuse::NoSigningRequest)?;
        self.transcript = transcript;
        let mut writer = FlightWriter::new();
        writer.append(&id);
        self.transcript
            .add(writer.message(Message::ClientSignature, &flight::signature_value(signature))?);
        self.seal_finished(writer)
    }

    /// Finishes a handshake that joins a session. Returns the record to send; application
    /// records may follow it at once.
    ///
    /// # Errors
    /// [`Misuse::Joined`] when this handshake does not join a session.
    pub fn finish_joined(self) -> Result<(Vec<u8>, Established), Error> {
        if self.server_key().is_some() {
            return Err(Misuse::Joined.into());
        }
        self.seal_finished(FlightWriter::new())
    }

    /// [`signing_request`](Self::signing_request) and [`finish`](Self::finish) in one, for a
    /// signer that answers at once.
    ///
    /// # Errors
    /// As [`finish`](Self::finish), and what the signer returns.
    pub fn authenticate(mut self, signer: &dyn Signer) -> Result<(Vec<u8>, Established), Error> {
        if self.server_key().is_none() {
            return Err(Misuse::Joined.into());
        }
        let signature = signer.sign(&self.signing_request(signer.public_key()))?.into();
        if signer.is_trusted() { self.finish_with(&signature) } else { self.finish(signature) }
    }

    fn seal_finished(self, writer: FlightWriter) -> Result<(Vec<u8>, Established), Error> {
        on_clean_stack(|| self.seal_last(writer))
    }

    fn seal_last(mut self, mut writer: FlightWriter) -> Result<(Vec<u8>, Established), Error> {
        let code = self.secrets.client.finished(&self.transcript.hash());
        self.transcript.add(writer.message(Message::ClientFinished, &code)?);
        let record = writer.seal(&mut self.secrets.client.direction_key(self.agreed.suite)?)?;
        let established =
            Established::for_client(&self.verified, self.agreed, self.secrets, &self.transcript)?;
        Ok((record, established))
    }
}

fn check_refusal(record: &[u8]) -> Result<(), Error> {
    match Refusal::from_record(record) {
        Some(refusal) => Err(Error::Refused(refusal)),
        None => Ok(()),
    }
}

impl fmt::Debug for ExpectServerHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectServerHello").finish_non_exhaustive()
    }
}

impl fmt::Debug for ExpectServerAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectServerAuth").finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerProved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerProved")
            .field("server_key", &self.server_key())
            .finish_non_exhaustive()
    }
}
