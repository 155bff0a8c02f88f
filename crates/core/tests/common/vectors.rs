//! Builds the files of `testdata/vectors/`. The example `make-vectors` writes them, the test
//! `vectors` compares them.
//!
//! Bytes are lower-case hex. Everything is derived from the inputs in the file, in the way that
//! `docs/PROTOCOL.md` says; the values of the key schedule come from [`super::reference`].

use std::sync::Arc;

use e2eeftp_core::handshake::{
    ClientSettings, Established, Join, SERVER_HELLO_RECORD_LEN, ServerSettings, Suites,
    read_client_hello, start_client,
};
use e2eeftp_core::identity::{
    IdentityKey, PublicKey, RotationChain, Signature, Signer as _, sshsig,
};
use e2eeftp_core::record::{CONTENT_OFFSET, Head, InnerType, OVERHEAD, RatchetLimits};
use e2eeftp_core::transfer::{End, Reason};
use e2eeftp_core::{Error, Random};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::reference::{self, Schedule, exp, messages, sha384};

/// Plays back given bytes and fails when they are used up.
struct Script(Vec<u8>);

impl Random for Script {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        if self.0.len() < out.len() {
            return Err(Error::Random);
        }
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

/// Bytes that look random and depend on `name` only.
fn bytes(name: &str, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new()
        .update(b"e2eeftp/1 vector ")
        .update(name.as_bytes())
        .finalize_xof()
        .fill(&mut out);
    out
}

pub(crate) fn identity(seed: &[u8]) -> IdentityKey {
    IdentityKey::generate(&mut Script(seed.to_vec())).unwrap()
}

/// The inputs of one handshake.
struct Case {
    name: &'static str,
    suites: u16,
    client_prefers_aes: bool,
    server_prefers_aes: bool,
    is_joined: bool,
}

const CASES: [Case; 4] = [
    Case {
        name: "aes-256-gcm",
        suites: 3,
        client_prefers_aes: true,
        server_prefers_aes: true,
        is_joined: false,
    },
    Case {
        name: "chacha20-poly1305",
        suites: 3,
        client_prefers_aes: true,
        server_prefers_aes: false,
        is_joined: false,
    },
    Case {
        name: "joined",
        suites: 1,
        client_prefers_aes: false,
        server_prefers_aes: false,
        is_joined: true,
    },
    Case {
        name: "joined-chacha20-poly1305",
        suites: 2,
        client_prefers_aes: true,
        server_prefers_aes: true,
        is_joined: true,
    },
];

const UNIX_TIME: u64 = 1_798_761_600;

/// One handshake with all its inputs and what was said.
struct Run {
    name: &'static str,
    client_random: Vec<u8>,
    server_random: Vec<u8>,
    client_seed: Vec<u8>,
    server_seed: Vec<u8>,
    join: Option<([u8; 32], [u8; 48])>,
    m1: Vec<u8>,
    m3: Vec<u8>,
    m4: Vec<u8>,
    m5: Vec<u8>,
    client: Established,
    server: Established,
}

impl Case {
    fn of(&self, what: &str, len: usize) -> Vec<u8> {
        bytes(&format!("{} {what}", self.name), len)
    }

    fn join(&self) -> Option<([u8; 32], [u8; 48])> {
        self.is_joined.then(|| {
            let (id, secret) = (self.of("join id", 32), self.of("join secret", 48));
            (id.try_into().unwrap(), secret.try_into().unwrap())
        })
    }

    fn client_settings(&self) -> ClientSettings {
        ClientSettings {
            suites: Suites::from_bits(self.suites),
            prefer_aes: self.client_prefers_aes,
            join: self.join().map(|(id, secret)| Join { id, secret: Zeroizing::new(secret) }),
            limits: RatchetLimits::default(),
        }
    }

    fn run(&self) -> Run {
        self.run_with(None)
    }

    fn run_with(&self, rotation: Option<Arc<RotationChain>>) -> Run {
        let of = |what: &str, len| self.of(what, len);
        // Key share 32, random 32, join id 32 and binder 48 without a join, GREASE 11.
        let client_random = of("client random", if self.is_joined { 75 } else { 155 });
        // Encapsulation 64, random 32, session id 16.
        let server_random = of("server random", 112);
        let (client_seed, server_seed) = (of("client seed", 32), of("server seed", 32));
        let join = self.join();
        let limits = RatchetLimits::default();
        let client = self.client_settings();
        let server = ServerSettings {
            suites: Suites::ALL,
            prefer_aes: self.server_prefers_aes,
            rotation,
            limits,
        };
        let mut script = Script(client_random.clone());
        let (client, m1) = start_client(client, &mut script).unwrap();
        assert!(script.0.is_empty());
        let mut script = Script(server_random.clone());
        let secret = join.as_ref().map(|(_, secret)| secret);
        let (server, mut m3) = read_client_hello(&server, &m1)
            .unwrap()
            .respond(&identity(&server_seed), secret, UNIX_TIME, &mut script)
            .unwrap();
        assert!(script.0.is_empty());
        let m4 = m3.split_off(SERVER_HELLO_RECORD_LEN);
        let proved = client.handle(&m3).unwrap().handle(&mut m4.clone()).unwrap();
        let (m5, client) = if self.is_joined {
            proved.finish_joined().unwrap()
        } else {
            proved.authenticate(&identity(&client_seed)).unwrap()
        };
        let server = server.handle(&mut m5.clone()).unwrap().into_established();
        let name = self.name;
        Run {
            name,
            client_random,
            server_random,
            client_seed,
            server_seed,
            join,
            m1,
            m3,
            m4,
            m5,
            client,
            server,
        }
    }
}

impl Run {
    fn schedule(&self) -> Schedule {
        let seed = self.client_random[..32].try_into().unwrap();
        let secret = self.join.as_ref().map(|(_, secret)| secret);
        Schedule::new(seed, secret, &self.m1, &self.m3)
    }
}

pub(crate) fn file(about: &str, cases: &[Value]) -> Value {
    json!({ "protocol": "e2eeftp/1", "about": about, "cases": cases })
}

/// `handshake.json`: inputs and the bytes of all four messages.
pub(crate) fn handshake() -> Value {
    let cases = CASES.map(|case| {
        let run = case.run();
        json!({
            "name": run.name,
            "client": {
                "random": hex::encode(&run.client_random),
                "identity_seed": hex::encode(&run.client_seed),
                "suites": case.suites,
                "prefers_aes": case.client_prefers_aes,
            },
            "server": {
                "random": hex::encode(&run.server_random),
                "identity_seed": hex::encode(&run.server_seed),
                "suites": 3,
                "prefers_aes": case.server_prefers_aes,
                "unix_time": UNIX_TIME,
            },
            "join": run.join.map(|(id, secret)| json!({
                "id": hex::encode(id),
                "secret": hex::encode(secret),
            })),
            "suite": run.client.suite.code(),
            "session_id": hex::encode(run.client.session_id),
            "client_hello": hex::encode(&run.m1),
            "server_hello": hex::encode(&run.m3),
            "server_auth": hex::encode(&run.m4),
            "client_auth": hex::encode(&run.m5),
        })
    });
    let about = "Whole handshakes. `random` is consumed front to back. client: X-Wing seed 32, \
        random 32, without join also join id 32 and binder 48, GREASE 11 (type 2, length 1, \
        value 8). server: encapsulation 64 (ML-KEM 32, X25519 32), random 32, session id 16. \
        Identity seeds are Ed25519 seeds. The four messages are records with their headers.";
    file(about, &cases)
}

/// `schedule.json`: every value of the key schedule of the same handshakes.
pub(crate) fn schedule() -> Value {
    let cases = CASES.map(|case| {
        let run = case.run();
        let mut schedule = run.schedule();
        let open = |secret: &[u8], record: &[u8]| {
            messages(&reference::open(schedule.suite, secret, 0, record))
        };
        let server = open(&schedule.server_handshake, &run.m4);
        let client = open(&schedule.client_handshake, &run.m5);
        let mut steps = Vec::new();
        for message in server.iter().chain(&client) {
            schedule.add(message);
            steps.push(json!({
                "message": hex::encode(message),
                "transcript_hash_after": hex::encode(schedule.hash()),
            }));
        }
        let app = schedule.application();
        let direction = |secret: &[u8]| {
            let next = exp(secret, "upd", b"", 48);
            json!({
                "secret": hex::encode(secret),
                "key": hex::encode(exp(secret, "key", b"", 32)),
                "iv": hex::encode(exp(secret, "iv", b"", 12)),
                "finished_key": hex::encode(exp(secret, "finished", b"", 48)),
                "updated_secret": hex::encode(&next),
            })
        };
        let export = |label: &str, context: &[u8], len| {
            let per_label = exp(&app.exporter, label, &sha384(b""), 48);
            let out = exp(&per_label, "exporter", &sha384(context), len);
            let mut theirs = vec![0; len];
            run.client.exporter.export(label, context, &mut theirs).unwrap();
            assert_eq!(theirs, out, "the crate and the reference disagree");
            json!({
                "label": label,
                "context": hex::encode(context),
                "out": hex::encode(out),
            })
        };
        let join_id: [u8; 32] = bytes("a further lane", 32).try_into().unwrap();
        let join_secret = exp(&app.resume, "join", &join_id, 48);
        assert_eq!(*run.server.exporter.join_secret(&join_id), join_secret[..]);
        assert_eq!(
            run.client.exporter.channel_binding()[..],
            exp(
                &exp(&app.exporter, "channel-binding", &sha384(b""), 48),
                "exporter",
                &sha384(b""),
                32
            )
        );
        json!({
            "name": run.name,
            "suite": schedule.suite,
            "psk": hex::encode(run.join.map_or([0; 48], |(_, secret)| secret)),
            "early_secret": hex::encode(&schedule.early),
            "binder_key": hex::encode(&schedule.binder_key),
            "shared_secret": hex::encode(&schedule.shared),
            "hellos_transcript_hash": hex::encode(&schedule.hellos_hash),
            "handshake_secret": hex::encode(&schedule.handshake),
            "client_handshake": direction(&schedule.client_handshake),
            "server_handshake": direction(&schedule.server_handshake),
            "master_secret": hex::encode(&schedule.master),
            "sealed_messages": steps,
            "client_application": direction(&app.client),
            "server_application": direction(&app.server),
            "exporter_master": hex::encode(&app.exporter),
            "resume_master": hex::encode(&app.resume),
            "exports": [
                export("channel-binding", b"", 32),
                export("a label", b"a context", 100),
                export("long", &bytes("context", 500), 48),
            ],
            "join": { "id": hex::encode(join_id), "secret": hex::encode(join_secret) },
        })
    });
    let about = "The key schedule of the handshakes in handshake.json, by name. \
        `sealed_messages` are those of M4 and M5 in order, each with its 4-byte header.";
    file(about, &cases)
}

/// `records.json`: what a client sends after its handshake.
pub(crate) fn records() -> Value {
    let cases = CASES[..2].iter().map(|case| {
        let Run { mut client, mut server, .. } = case.run();
        let mut records = Vec::new();
        let head = |kind, flags, stream| Head { kind, flags, stream };
        let end = End { total: 5, root: *blake3::hash(b"hello").as_bytes() }.to_wire();
        let abort = Reason::SourceChanged.to_wire();
        let script: [(&str, Head, &[u8]); 8] = [
            ("control", head(InnerType::Control, 0, 0), b"\xa1\x62id\x01"),
            ("data", head(InnerType::Data, 0, 1), b"hello"),
            ("data with flags", head(InnerType::Data, 0x80, u32::MAX), &[0x61; 300]),
            ("end", head(InnerType::End, 0, 1), &end),
            ("key update", head(InnerType::KeyUpdate, 0, 0), b""),
            ("abort", head(InnerType::Abort, 0, 2), &abort),
            ("stop", head(InnerType::Stop, 0, 3), &Reason::Unknown(0x1234).to_wire()),
            ("close", head(InnerType::Close, 0, 0), &Reason::Done.to_wire()),
        ];
        for (name, head, content) in script {
            let mut record = Vec::new();
            match head.kind {
                InnerType::KeyUpdate => client.sealer.seal_update(0, &mut record).unwrap(),
                InnerType::Data => {
                    // 9 bytes of padding, so that the vector has some.
                    record = vec![0; OVERHEAD + content.len() + 9];
                    record[CONTENT_OFFSET..][..content.len()].copy_from_slice(content);
                    client.sealer.seal(head, content.len(), &mut record).unwrap();
                }
                _ => client.sealer.seal_small(head, content, &mut record).unwrap(),
            }
            let mut copy = record.clone();
            let opened = server.opener.open(&mut copy).unwrap();
            assert_eq!(
                (opened.kind, opened.flags, opened.stream),
                (head.kind, head.flags, head.stream)
            );
            assert_eq!(opened.content, content);
            records.push(json!({
                "name": name,
                "flags": head.flags,
                "stream": head.stream,
                "content": hex::encode(content),
                "record": hex::encode(record),
            }));
        }
        json!({ "name": case.name, "records": records })
    });
    let about = "Records that the client of the handshake of the same name sends, in order, \
        from sequence number 0 under `client_application`. The key update counts as the last \
        record of its key. `data` records carry 9 bytes of padding, the others go up to their \
        bucket.";
    file(about, &cases.collect::<Vec<_>>())
}

/// `identity.json`: keys in all their formats, and signatures.
pub(crate) fn identities() -> Value {
    let cases = ["first", "second"].map(|name| {
        let seed = bytes(&format!("{name} identity"), 32);
        let key = identity(&seed);
        let public = key.public_key();
        let signatures = ["server-auth@e2eeftp", "file@e2eeftp"].map(|namespace| {
            let message = bytes(namespace, 100);
            let signed = sshsig::signed_data(namespace, &message);
            let signature = key.sign(&signed).unwrap();
            json!({
                "namespace": namespace,
                "message": hex::encode(message),
                "signed_data": hex::encode(signed),
                "signature": hex::encode(signature),
                "armored": sshsig::armored(public, namespace, &signature),
            })
        });
        json!({
            "name": name,
            "seed": hex::encode(&seed),
            "public": hex::encode(public.as_bytes()),
            "public_base64": public.to_base64(),
            "ssh_blob": hex::encode(public.to_ssh_blob()),
            "openssh_line": public.to_openssh_line("a comment"),
            "spki_pem": public.to_spki_pem(),
            "fingerprint": public.fingerprint(),
            "openssh_private": *key.to_openssh("a comment").unwrap(),
            "pkcs8_pem": *key.to_pkcs8_pem(),
            "signatures": signatures,
        })
    });
    let mut file = file("Ed25519 identities. `weak` keys must be refused.", &cases);
    let weak = [
        ("small order, 1", "0100000000000000000000000000000000000000000000000000000000000000"),
        ("small order, 2", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        ("small order, 4", "0000000000000000000000000000000000000000000000000000000000000000"),
        ("small order, 4", "0000000000000000000000000000000000000000000000000000000000000080"),
        ("small order, 8", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        ("small order, 8", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
        ("small order, 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        ("small order, 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
        (
            "not canonical: x = 0, sign",
            "0100000000000000000000000000000000000000000000000000000000000080",
        ),
        (
            "not canonical: y = p",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ),
        (
            "not canonical: y = p + 3",
            "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ),
        ("not on the curve", "0200000000000000000000000000000000000000000000000000000000000000"),
    ];
    for (why, key) in weak {
        let key: [u8; 32] = hex::decode(key).unwrap().try_into().unwrap();
        assert!(PublicKey::from_bytes(&key).is_err(), "{why}");
    }
    file["weak"] = weak.map(|(why, key)| json!({ "why": why, "public": key })).to_vec().into();
    file
}

fn field(value: &Value, name: &str) -> Vec<u8> {
    hex::decode(value[name].as_str().unwrap()).unwrap()
}

/// Runs a case of `handshake.json` from its stored inputs against its stored bytes.
pub(crate) fn replay(case: &Value) {
    let is_aes = |side: &str| case[side]["prefers_aes"].as_bool().unwrap();
    let suites = |side: &str| {
        Suites::from_bits(u16::try_from(case[side]["suites"].as_u64().unwrap()).unwrap())
    };
    let limits = RatchetLimits::default();
    let join = case["join"].is_object().then(|| Join {
        id: field(&case["join"], "id").try_into().unwrap(),
        secret: Zeroizing::new(field(&case["join"], "secret").try_into().unwrap()),
    });
    let secret = join.as_ref().map(|join| *join.secret);
    let settings =
        ClientSettings { suites: suites("client"), prefer_aes: is_aes("client"), join, limits };
    let mut random = Script(field(&case["client"], "random"));
    let (client, m1) = start_client(settings, &mut random).unwrap();
    assert_eq!(m1, field(case, "client_hello"));

    let rotation = case["server"]["rotation"]
        .is_string()
        .then(|| {
            let key = identity(&field(&case["server"], "identity_seed"));
            RotationChain::from_wire(&field(&case["server"], "rotation"), key.public_key())
        })
        .map(|chain| Arc::new(chain.unwrap()));
    let settings =
        ServerSettings { suites: suites("server"), prefer_aes: is_aes("server"), rotation, limits };
    let (server, answer) = read_client_hello(&settings, &m1)
        .unwrap()
        .respond(
            &identity(&field(&case["server"], "identity_seed")),
            secret.as_ref(),
            case["server"]["unix_time"].as_u64().unwrap(),
            &mut Script(field(&case["server"], "random")),
        )
        .unwrap();
    let (m3, mut m4) = (field(case, "server_hello"), field(case, "server_auth"));
    assert_eq!(answer, [&m3[..], &m4].concat());

    let mut proved = client.handle(&m3).unwrap().handle(&mut m4).unwrap();
    let (mut m5, client) = if case["client"]["security_key"].is_object() {
        let stored = &case["client"]["security_key"];
        let key = PublicKey::from_ssh_blob(&field(stored, "ssh_blob")).unwrap();
        assert_eq!(proved.signing_request(&key), field(stored, "message"));
        proved.finish(Signature::from_ssh_blob(&field(stored, "signature_blob")).unwrap()).unwrap()
    } else if secret.is_some() {
        proved.finish_joined().unwrap()
    } else {
        proved.authenticate(&identity(&field(&case["client"], "identity_seed"))).unwrap()
    };
    assert_eq!(m5, field(case, "client_auth"));
    let server = server.handle(&mut m5).unwrap().into_established();
    for side in [client, server] {
        assert_eq!(side.session_id.to_vec(), field(case, "session_id"));
        assert_eq!(u64::from(side.suite.code()), case["suite"].as_u64().unwrap());
    }
}

/// The public key of a security key whose Ed25519 seed is known.
pub(crate) fn security_key(seed: &[u8], application: &str) -> PublicKey {
    let mut blob = Vec::new();
    let point = *identity(seed).public_key().as_bytes();
    for part in [&b"sk-ssh-ed25519@openssh.com"[..], &point, application.as_bytes()] {
        blob.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        blob.extend_from_slice(part);
    }
    PublicKey::from_ssh_blob(&blob).unwrap()
}

/// What a security key signs for `message`, and its signature.
pub(crate) fn touch(
    seed: &[u8],
    application: &str,
    (flags, counter): (u8, u32),
    message: &[u8],
) -> (Vec<u8>, Signature) {
    let sha256 = |data: &[u8]| ring::digest::digest(&ring::digest::SHA256, data);
    let mut signed = sha256(application.as_bytes()).as_ref().to_vec();
    signed.push(flags);
    signed.extend_from_slice(&counter.to_be_bytes());
    signed.extend_from_slice(sha256(message).as_ref());
    let signature = identity(seed).sign(&signed).unwrap();
    (signed, Signature::SecurityKey { signature, flags, counter })
}

/// `rotation.json`: a handshake whose server has had two other keys.
pub(crate) fn rotations() -> Value {
    let case = Case { name: "rotation", ..CASES[1] };
    let seeds = [case.of("first seed", 32), case.of("second seed", 32), case.of("server seed", 32)];
    let keys = seeds.each_ref().map(|seed| identity(seed));
    let sequences = [1, 0x0001_0203_0405_0607];
    let mut chain = None;
    let mut statements = Vec::new();
    for (pair, sequence) in keys.windows(2).zip(sequences) {
        let (old, new) = (&pair[0], pair[1].public_key());
        let extended = RotationChain::extended(chain, old, new, sequence).unwrap();
        // A second time, from the page.
        let mut message = b"e2eeftp/1 server key rotation\0".to_vec();
        message.extend_from_slice(old.public_key().as_bytes());
        message.extend_from_slice(new.as_bytes());
        message.extend_from_slice(&sequence.to_be_bytes());
        let signature = old.sign(&sshsig::signed_data("rotate@e2eeftp", &message)).unwrap();
        statements.push(json!({
            "old": hex::encode(old.public_key().as_bytes()),
            "new": hex::encode(new.as_bytes()),
            "sequence": sequence,
            "message": hex::encode(message),
            "signature": hex::encode(signature),
        }));
        assert_eq!(extended.steps().last().unwrap().0.signature(), &signature);
        chain = Some(extended);
    }
    let chain = chain.unwrap();
    let run = case.run_with(Some(Arc::new(chain.clone())));
    let about = "A handshake as in handshake.json, whose M4 carries `rotation` as the value of ROT. \
        `statements` says what it is made of, and `file` is the text of server_id.rotation.";
    let value = json!({
        "name": run.name,
        "client": {
            "random": hex::encode(&run.client_random),
            "identity_seed": hex::encode(&run.client_seed),
            "suites": case.suites,
            "prefers_aes": case.client_prefers_aes,
        },
        "server": {
            "random": hex::encode(&run.server_random),
            "identity_seed": hex::encode(&run.server_seed),
            "suites": 3,
            "prefers_aes": case.server_prefers_aes,
            "unix_time": UNIX_TIME,
            "rotation": hex::encode(chain.to_wire()),
        },
        "statements": statements,
        "file": chain.to_text(),
        "join": null,
        "suite": run.client.suite.code(),
        "session_id": hex::encode(run.client.session_id),
        "client_hello": hex::encode(&run.m1),
        "server_hello": hex::encode(&run.m3),
        "server_auth": hex::encode(&run.m4),
        "client_auth": hex::encode(&run.m5),
    });
    file(about, &[value])
}

/// `security-key.json`: a handshake whose client has a security key.
pub(crate) fn security_keys() -> Value {
    let case = Case { name: "security-key", ..CASES[0] };
    let run = case.run();
    let (application, flags, counter) = ("ssh:", 5, 0x0102_0304);
    let key = security_key(&run.client_seed, application);
    let (client, _) =
        start_client(case.client_settings(), &mut Script(run.client_random.clone())).unwrap();
    let mut proved = client.handle(&run.m3).unwrap().handle(&mut run.m4.clone()).unwrap();
    let message = proved.signing_request(&key);
    let (signed, signature) = touch(&run.client_seed, application, (flags, counter), &message);
    let (m5, client) = proved.finish(signature).unwrap();
    let case = json!({
        "name": run.name,
        "client": {
            "random": hex::encode(&run.client_random),
            "suites": case.suites,
            "prefers_aes": case.client_prefers_aes,
            "security_key": {
                "seed": hex::encode(&run.client_seed),
                "application": application,
                "ssh_blob": hex::encode(key.to_ssh_blob()),
                "openssh_line": key.to_openssh_line("a comment"),
                "fingerprint": key.fingerprint(),
                "flags": flags,
                "counter": counter,
                "message": hex::encode(&message),
                "signed": hex::encode(signed),
                "signature_blob": hex::encode(signature.to_ssh_blob()),
                "armored": sshsig::armored_signature(&key, "client-auth@e2eeftp", &signature),
            },
        },
        "server": {
            "random": hex::encode(&run.server_random),
            "identity_seed": hex::encode(&run.server_seed),
            "suites": 3,
            "prefers_aes": case.server_prefers_aes,
            "unix_time": UNIX_TIME,
        },
        "join": null,
        "suite": client.suite.code(),
        "session_id": hex::encode(client.session_id),
        "client_hello": hex::encode(&run.m1),
        "server_hello": hex::encode(&run.m3),
        "server_auth": hex::encode(&run.m4),
        "client_auth": hex::encode(&m5),
    });
    let about = "A handshake as in handshake.json, whose client signs with a security key. `message` \
        is the SSHSIG blob that the key is asked to sign, `signed` what the Ed25519 signature \
        covers: SHA-256(application), flags, counter, SHA-256(message).";
    file(about, &[case])
}

/// Name and content of each file.
pub(crate) fn all() -> [(&'static str, Value); 8] {
    [
        ("blocks.json", super::blocks::all()),
        ("security-key.json", security_keys()),
        ("rotation.json", rotations()),
        ("receipt.json", super::receipts::cases()),
        ("handshake.json", handshake()),
        ("schedule.json", schedule()),
        ("records.json", records()),
        ("identity.json", identities()),
    ]
}
