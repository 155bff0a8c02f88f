//! The key schedule and the record protection a second time, straight from `docs/PROTOCOL.md`
//! and sharing no code with the crate. It checks the crate, makes the test vectors, and forges
//! what an honest peer would never send.

use ring::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::digest::{SHA384, digest};
use ring::hkdf::{HKDF_SHA384, KeyType, Prk, Salt};
use ring::hmac;
use x_wing::{Decapsulate as _, DecapsulationKey};

struct Len(usize);

impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

pub(crate) fn sha384(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA384, bytes).as_ref().to_vec()
}

pub(crate) fn hmac384(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA384, key), message).as_ref().to_vec()
}

/// HKDF-Extract is HMAC with the salt as key.
pub(crate) fn extract(salt: &[u8], input: &[u8]) -> Vec<u8> {
    // Asks ring's HKDF for a block and compares, so that the shortcut is checked too.
    let secret = hmac384(salt, input);
    let (mut ours, mut theirs) = ([0; 48], [0; 48]);
    let prk = Prk::new_less_safe(HKDF_SHA384, &secret);
    prk.expand(&[b"x"], Len(48)).unwrap().fill(&mut ours).unwrap();
    let prk = Salt::new(HKDF_SHA384, salt).extract(input);
    prk.expand(&[b"x"], Len(48)).unwrap().fill(&mut theirs).unwrap();
    assert_eq!(ours, theirs);
    secret
}

/// `Exp(S, L, C, n)`.
pub(crate) fn exp(secret: &[u8], label: &str, context: &[u8], len: usize) -> Vec<u8> {
    let label = [b"e2eeftp/1 ", label.as_bytes()].concat();
    let mut info = u16::try_from(len).unwrap().to_be_bytes().to_vec();
    info.push(u8::try_from(label.len()).unwrap());
    info.extend_from_slice(&label);
    info.push(u8::try_from(context.len()).unwrap());
    info.extend_from_slice(context);
    let mut out = vec![0; len];
    let prk = Prk::new_less_safe(HKDF_SHA384, secret);
    prk.expand(&[&info], Len(len)).unwrap().fill(&mut out).unwrap();
    out
}

fn aead(suite: u8, secret: &[u8], seq: u64) -> (LessSafeKey, Nonce) {
    let algorithm = if suite == 1 { &AES_256_GCM } else { &CHACHA20_POLY1305 };
    let key = UnboundKey::new(algorithm, &exp(secret, "key", b"", 32)).unwrap();
    let mut nonce: [u8; 12] = exp(secret, "iv", b"", 12).try_into().unwrap();
    for (byte, seq) in nonce[4..].iter_mut().zip(seq.to_be_bytes()) {
        *byte ^= seq;
    }
    (LessSafeKey::new(key), Nonce::assume_unique_for_key(nonce))
}

/// The inner part of a record.
pub(crate) fn inner(kind: u8, flags: u8, stream: u32, content: &[u8], pad: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, flags];
    out.extend_from_slice(&u16::try_from(pad.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(content);
    out.extend_from_slice(pad);
    out
}

/// The protected record number `seq` under the keys of `secret`.
pub(crate) fn seal(suite: u8, secret: &[u8], seq: u64, inner: &[u8]) -> Vec<u8> {
    let len = u32::try_from(inner.len() + 16).unwrap().to_be_bytes();
    let header = [0x52, len[1], len[2], len[3]];
    let (key, nonce) = aead(suite, secret, seq);
    let mut body = inner.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(header), &mut body).unwrap();
    [&header[..], &body].concat()
}

/// The inner part of a protected record.
pub(crate) fn open(suite: u8, secret: &[u8], seq: u64, record: &[u8]) -> Vec<u8> {
    let (key, nonce) = aead(suite, secret, seq);
    let mut body = record[4..].to_vec();
    key.open_in_place(nonce, Aad::from(&record[..4]), &mut body).unwrap().to_vec()
}

/// The messages of M4 or M5, each with its header.
pub(crate) fn messages(inner: &[u8]) -> Vec<Vec<u8>> {
    assert_eq!((inner.len(), inner[0], inner[1]), (1024, 0x20, 0));
    let pad = usize::from(u16::from_be_bytes([inner[2], inner[3]]));
    let mut rest = &inner[8..1024 - pad];
    let mut out = Vec::new();
    while !rest.is_empty() {
        let len = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
        out.push(rest[..4 + len].to_vec());
        rest = &rest[4 + len..];
    }
    out
}

/// One message with its header.
pub(crate) fn message(kind: u8, value: &[u8]) -> Vec<u8> {
    let len = u32::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind, len[1], len[2], len[3]], value].concat()
}

/// The secrets of a handshake, computed by someone who knows the client's key share.
pub(crate) struct Schedule {
    pub(crate) suite: u8,
    pub(crate) early: Vec<u8>,
    pub(crate) binder_key: Vec<u8>,
    pub(crate) shared: Vec<u8>,
    pub(crate) hellos_hash: Vec<u8>,
    pub(crate) handshake: Vec<u8>,
    pub(crate) client_handshake: Vec<u8>,
    pub(crate) server_handshake: Vec<u8>,
    pub(crate) master: Vec<u8>,
    /// All that has gone into the transcript hash.
    pub(crate) transcript: Vec<u8>,
}

/// The secrets after the handshake.
pub(crate) struct Application {
    pub(crate) client: Vec<u8>,
    pub(crate) server: Vec<u8>,
    pub(crate) exporter: Vec<u8>,
    pub(crate) resume: Vec<u8>,
}

impl Schedule {
    /// After both hellos. `decapsulation_seed` is the client's X-Wing seed.
    pub(crate) fn new(
        decapsulation_seed: [u8; 32],
        join_secret: Option<&[u8; 48]>,
        m1: &[u8],
        m3: &[u8],
    ) -> Self {
        let zero = [0; 48];
        let nothing = sha384(b"");
        let early = extract(&zero, join_secret.unwrap_or(&zero));
        let ciphertext: [u8; 1120] = m3[44..1164].try_into().unwrap();
        let shared = DecapsulationKey::from(decapsulation_seed).decapsulate(&ciphertext.into());
        let transcript = [b"e2eeftp/1\0", m1, m3].concat();
        let hellos_hash = sha384(&transcript);
        let handshake = extract(&exp(&early, "derived", &nothing, 48), &shared);
        Self {
            suite: m3[6],
            binder_key: exp(&early, "join binder", &nothing, 48),
            shared: shared.to_vec(),
            client_handshake: exp(&handshake, "c hs", &hellos_hash, 48),
            server_handshake: exp(&handshake, "s hs", &hellos_hash, 48),
            master: extract(&exp(&handshake, "derived", &nothing, 48), &zero),
            early,
            hellos_hash,
            handshake,
            transcript,
        }
    }

    pub(crate) fn add(&mut self, message: &[u8]) {
        self.transcript.extend_from_slice(message);
    }

    pub(crate) fn hash(&self) -> Vec<u8> {
        sha384(&self.transcript)
    }

    /// The Finished code over the transcript so far, under one of the handshake secrets.
    pub(crate) fn finished(&self, secret: &[u8]) -> Vec<u8> {
        hmac384(&exp(secret, "finished", b"", 48), &self.hash())
    }

    /// After the client's Finished.
    pub(crate) fn application(&self) -> Application {
        let hash = self.hash();
        let from_master = |label| exp(&self.master, label, &hash, 48);
        Application {
            client: from_master("c ap"),
            server: from_master("s ap"),
            exporter: from_master("exp master"),
            resume: from_master("res master"),
        }
    }

    /// The sealed record of M4 or M5 with `messages` in it.
    pub(crate) fn flight(&self, secret: &[u8], messages: &[Vec<u8>]) -> Vec<u8> {
        let content = messages.concat();
        let pad = vec![0; 1024 - 8 - content.len()];
        seal(self.suite, secret, 0, &inner(0x20, 0, 0, &content, &pad))
    }
}

/// What is signed for a transcript hash.
pub(crate) fn signed_data(role: &str, hash: &[u8]) -> Vec<u8> {
    let text = format!("e2eeftp/1 {role} signature\0");
    let message = [&[0x20; 64][..], text.as_bytes(), hash].concat();
    let mut out = b"SSHSIG".to_vec();
    let namespace = format!("{role}-auth@e2eeftp");
    let hashed = digest(&ring::digest::SHA512, &message);
    for part in [namespace.as_bytes(), b"", b"sha512", hashed.as_ref()] {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}
