//! A client and a server without chance, and the secrets of their connection.

use std::sync::LazyLock;

use e2eeftp_core::handshake::{
    ClientSettings, Established, ExpectClientAuth, ExpectServerHello, Join,
    SERVER_HELLO_RECORD_LEN, ServerProved, ServerSettings, Suites, read_client_hello, start_client,
};
use e2eeftp_core::identity::IdentityKey;
use e2eeftp_core::record::RatchetLimits;
use e2eeftp_core::{Error, Random};
use zeroize::Zeroizing;

use crate::reference::{self, Schedule};

/// A stream of bytes that depends on the seed only.
pub struct SeededRandom(blake3::OutputReader);

impl SeededRandom {
    /// The stream of `seed`.
    pub fn new(seed: &str) -> Self {
        Self(blake3::Hasher::new().update(seed.as_bytes()).finalize_xof())
    }
}

impl Random for SeededRandom {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.0.fill(out);
        Ok(())
    }
}

/// The identity of this name.
pub fn identity(name: &str) -> IdentityKey {
    IdentityKey::generate(&mut SeededRandom::new(name)).unwrap()
}

static SERVER: LazyLock<IdentityKey> = LazyLock::new(|| identity("server identity"));
static CLIENT: LazyLock<IdentityKey> = LazyLock::new(|| identity("client identity"));
static RECORDED: [LazyLock<Transcript>; 3] = [
    LazyLock::new(|| Kind::Aes.run().0),
    LazyLock::new(|| Kind::ChaCha.run().0),
    LazyLock::new(|| Kind::Joined.run().0),
];

/// What the two do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A full handshake over AES-256-GCM.
    Aes,
    /// A full handshake over ChaCha20-Poly1305.
    ChaCha,
    /// A connection that joins a session.
    Joined,
}

const JOIN_ID: [u8; 32] = [3; 32];
const JOIN_SECRET: [u8; 48] = [4; 48];

impl Kind {
    /// One of the three.
    pub fn from_byte(byte: u8) -> Self {
        match byte % 3 {
            0 => Self::Aes,
            1 => Self::ChaCha,
            _ => Self::Joined,
        }
    }

    /// The client after its first message, and that message.
    pub fn start(self) -> (ExpectServerHello, Vec<u8>) {
        let settings = ClientSettings {
            suites: Suites::ALL,
            prefer_aes: self != Self::ChaCha,
            join: (self == Self::Joined)
                .then(|| Join { id: JOIN_ID, secret: Zeroizing::new(JOIN_SECRET) }),
            limits: RatchetLimits::default(),
        };
        start_client(settings, &mut SeededRandom::new("client")).unwrap()
    }

    /// The server's settings.
    pub fn server_settings() -> ServerSettings {
        ServerSettings {
            suites: Suites::ALL,
            prefer_aes: true,
            rotation: None,
            limits: RatchetLimits::default(),
        }
    }

    /// The server's answer to `m1`: its next state, M3 and M4.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn answer(m1: &[u8]) -> Result<(ExpectClientAuth, Vec<u8>, Vec<u8>), Error> {
        let hello = read_client_hello(&Self::server_settings(), m1)?;
        let secret = hello.join_id().filter(|id| **id == JOIN_ID).map(|_| &JOIN_SECRET);
        let mut random = SeededRandom::new("server");
        let (state, mut m3) = hello.respond(&*SERVER, secret, 1_800_000_000, &mut random)?;
        let m4 = m3.split_off(SERVER_HELLO_RECORD_LEN);
        Ok((state, m3, m4))
    }

    /// The client's last message and its side of the connection.
    ///
    /// # Errors
    /// What the core refuses.
    pub fn finish(self, proved: ServerProved) -> Result<(Vec<u8>, Established), Error> {
        if self == Self::Joined { proved.finish_joined() } else { proved.authenticate(&*CLIENT) }
    }

    /// A whole handshake that nobody disturbs: what was said, the client's and the server's end.
    pub fn run(self) -> (Transcript, Established, Established) {
        let (client, m1) = self.start();
        let (server, m3, m4) = Self::answer(&m1).unwrap();
        let proved = client.handle(&m3).unwrap().handle(&mut m4.clone()).unwrap();
        let (m5, client) = self.finish(proved).unwrap();
        let server = server.handle(&mut m5.clone()).unwrap().into_established();
        let mut seed = [0; 32];
        SeededRandom::new("client").fill(&mut seed).unwrap();
        let secret = (self == Self::Joined).then_some(&JOIN_SECRET);
        let schedule = Schedule::new(seed, secret, &m1, &m3);
        (Transcript { m1, m3, m4, m5, schedule }, client, server)
    }

    /// What [`run`](Self::run) says, which is always the same.
    pub fn recorded(self) -> &'static Transcript {
        &RECORDED[self as usize]
    }
}

/// All that was said, and the secrets behind it.
pub struct Transcript {
    /// The `ClientHello` record.
    pub m1: Vec<u8>,
    /// The `ServerHello` record.
    pub m3: Vec<u8>,
    /// The `ServerAuth` record.
    pub m4: Vec<u8>,
    /// The `ClientAuth` record.
    pub m5: Vec<u8>,
    schedule: Schedule,
}

impl Transcript {
    /// The four messages in their order.
    pub fn messages(&self) -> [&Vec<u8>; 4] {
        [&self.m1, &self.m3, &self.m4, &self.m5]
    }

    /// M4 and M5 without their protection: the inner parts of the two records.
    pub fn inner_flights(&self) -> (Vec<u8>, Vec<u8>) {
        let Schedule { suite, server_handshake, client_handshake, .. } = &self.schedule;
        let m4 = reference::open(*suite, server_handshake, 0, &self.m4);
        let m5 = reference::open(*suite, client_handshake, 0, &self.m5);
        (m4, m5)
    }

    /// A record with `inner` under the server's handshake key.
    pub fn seal_server_flight(&self, inner: &[u8]) -> Vec<u8> {
        reference::seal(self.schedule.suite, &self.schedule.server_handshake, 0, inner)
    }

    /// A record with `inner` under the client's handshake key.
    pub fn seal_client_flight(&self, inner: &[u8]) -> Vec<u8> {
        reference::seal(self.schedule.suite, &self.schedule.client_handshake, 0, inner)
    }

    /// Somebody who can seal what the client sends after the handshake.
    pub fn client_forger(&self) -> RecordForger {
        let (m4, m5) = self.inner_flights();
        let mut whole = self.schedule.transcript.clone();
        for inner in [m4, m5] {
            whole.extend(reference::messages(&inner).concat());
        }
        let hash = reference::sha384(&whole);
        let secret = reference::exp(&self.schedule.master, "c ap", &hash, 48);
        RecordForger { suite: self.schedule.suite, secret, seq: 0 }
    }
}

/// Seals whatever it is told to under the keys of one direction.
#[derive(Debug)]
pub struct RecordForger {
    suite: u8,
    secret: Vec<u8>,
    seq: u64,
}

impl RecordForger {
    /// The next record, with this inner part.
    pub fn seal(&mut self, inner: &[u8]) -> Vec<u8> {
        let record = reference::seal(self.suite, &self.secret, self.seq, inner);
        self.seq += 1;
        record
    }

    /// Goes on to the next key.
    pub fn update(&mut self) {
        self.secret = reference::exp(&self.secret, "upd", b"", 48);
        self.seq = 0;
    }
}

/// The inner part of a flight: around `bytes` as its messages, or `bytes` themselves. Always of the
/// one length that a flight has, so that the record is opened.
pub fn flight_inner(is_content: bool, bytes: &[u8]) -> Vec<u8> {
    const LEN: usize = 1024;
    if !is_content {
        let mut inner = bytes.to_vec();
        inner.resize(LEN, 0);
        return inner;
    }
    let content = &bytes[..bytes.len().min(LEN - 8)];
    let pad = vec![0; LEN - 8 - content.len()];
    reference::inner(0x20, 0, 0, content, &pad)
}
