//! What the tests of the handshake and of the records share: a repeatable random source and a
//! pair of peers.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod blocks;
pub(crate) mod receipts;
pub(crate) mod reference;
pub(crate) mod vectors;

use std::sync::Arc;

use e2eeftp_core::handshake::{
    CLIENT_HELLO_RECORD_LEN, ClientProved, ClientSettings, Established, ExpectClientAuth,
    ExpectServerHello, FLIGHT_RECORD_LEN, Join, SERVER_HELLO_RECORD_LEN, ServerProved,
    ServerSettings, Suites, read_client_hello, start_client,
};
use e2eeftp_core::identity::{IdentityKey, RotationChain};
use e2eeftp_core::record::RatchetLimits;
use e2eeftp_core::{Error, Random};
use zeroize::Zeroizing;

/// A stream of bytes that depends on the seed only.
pub(crate) struct SeededRandom(blake3::OutputReader);

impl SeededRandom {
    pub(crate) fn new(seed: &str) -> Self {
        Self(blake3::Hasher::new().update(seed.as_bytes()).finalize_xof())
    }
}

impl Random for SeededRandom {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.0.fill(out);
        Ok(())
    }
}

/// A source that fails after some bytes.
pub(crate) struct FailingRandom(pub(crate) usize);

impl Random for FailingRandom {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.0 = self.0.checked_sub(out.len()).ok_or(Error::Random)?;
        out.fill(0x5a);
        Ok(())
    }
}

pub(crate) fn identity(name: &str) -> IdentityKey {
    IdentityKey::generate(&mut SeededRandom::new(name)).unwrap()
}

/// Statements that lead from the first of these keys to the last, numbered from 1.
pub(crate) fn rotation(names: &[&str]) -> Arc<RotationChain> {
    let mut chain = None;
    for step in names.windows(2) {
        let (old, new) = (identity(step[0]), identity(step[1]));
        chain = Some(RotationChain::extended(chain, &old, new.public_key(), 1).unwrap());
    }
    Arc::new(chain.unwrap())
}

/// A client and a server that always say the same bytes.
#[derive(Clone)]
pub(crate) struct Peers {
    pub(crate) client_suites: Suites,
    pub(crate) client_prefers_aes: bool,
    pub(crate) server_suites: Suites,
    pub(crate) server_prefers_aes: bool,
    pub(crate) join: Option<([u8; 32], [u8; 48])>,
    pub(crate) server_join_secret: Option<[u8; 48]>,
    pub(crate) limits: RatchetLimits,
    pub(crate) client_seed: String,
    pub(crate) server_seed: String,
    pub(crate) rotation: Option<Arc<RotationChain>>,
}

pub(crate) const UNIX_TIME: u64 = 1_800_000_000;

impl Peers {
    pub(crate) fn aes() -> Self {
        Self {
            client_suites: Suites::ALL,
            client_prefers_aes: true,
            server_suites: Suites::ALL,
            server_prefers_aes: true,
            join: None,
            server_join_secret: None,
            limits: RatchetLimits::default(),
            client_seed: "client".into(),
            server_seed: "server".into(),
            rotation: None,
        }
    }

    pub(crate) fn chacha() -> Self {
        Self { client_prefers_aes: false, ..Self::aes() }
    }

    pub(crate) fn joined() -> Self {
        Self { join: Some(([3; 32], [4; 48])), server_join_secret: Some([4; 48]), ..Self::aes() }
    }

    /// The server's key has changed twice.
    pub(crate) fn rotated() -> Self {
        Self { rotation: Some(rotation(&["first", "second", "server identity"])), ..Self::aes() }
    }

    pub(crate) fn all() -> [Self; 3] {
        [Self::aes(), Self::chacha(), Self::joined()]
    }

    pub(crate) fn client_settings(&self) -> ClientSettings {
        ClientSettings {
            suites: self.client_suites,
            prefer_aes: self.client_prefers_aes,
            join: self.join.map(|(id, secret)| Join { id, secret: Zeroizing::new(secret) }),
            limits: self.limits,
        }
    }

    pub(crate) fn server_settings(&self) -> ServerSettings {
        ServerSettings {
            suites: self.server_suites,
            prefer_aes: self.server_prefers_aes,
            rotation: self.rotation.clone(),
            limits: self.limits,
        }
    }

    pub(crate) fn start(&self) -> (ExpectServerHello, Vec<u8>) {
        let mut random = SeededRandom::new(&self.client_seed);
        start_client(self.client_settings(), &mut random).unwrap()
    }

    /// The server's answer to `m1`: the next state, M3 and M4.
    pub(crate) fn answer(&self, m1: &[u8]) -> Result<(ExpectClientAuth, Vec<u8>, Vec<u8>), Error> {
        let hello = read_client_hello(&self.server_settings(), m1)?;
        assert_eq!(hello.join_id(), self.join.map(|(id, _)| id).as_ref());
        let (state, mut m3) = hello.respond(
            &identity("server identity"),
            self.server_join_secret.as_ref(),
            UNIX_TIME,
            &mut SeededRandom::new(&self.server_seed),
        )?;
        assert_eq!(m3.len(), SERVER_HELLO_RECORD_LEN + FLIGHT_RECORD_LEN);
        let m4 = m3.split_off(SERVER_HELLO_RECORD_LEN);
        Ok((state, m3, m4))
    }

    pub(crate) fn finish(&self, proved: ServerProved) -> Result<(Vec<u8>, Established), Error> {
        if self.join.is_some() {
            proved.finish_joined()
        } else {
            proved.authenticate(&identity("client identity"))
        }
    }

    /// A whole handshake.
    pub(crate) fn run(&self) -> Done {
        let (client, m1) = self.start();
        let (server, m3, m4) = self.answer(&m1).unwrap();
        let proved = client.handle(&m3).unwrap().handle(&mut m4.clone()).unwrap();
        let (m5, client) = self.finish(proved).unwrap();
        let server = server.handle(&mut m5.clone()).unwrap();
        assert_eq!(m1.len(), CLIENT_HELLO_RECORD_LEN);
        assert_eq!(m5.len(), FLIGHT_RECORD_LEN);
        Done { m1, m3, m4, m5, client, server }
    }

    /// Both ends of a connection.
    pub(crate) fn connect(&self) -> (Established, Established) {
        let done = self.run();
        (done.client, done.server.into_established())
    }
}

/// Both ends and all that was said.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) m1: Vec<u8>,
    pub(crate) m3: Vec<u8>,
    pub(crate) m4: Vec<u8>,
    pub(crate) m5: Vec<u8>,
    pub(crate) client: Established,
    pub(crate) server: ClientProved,
}
