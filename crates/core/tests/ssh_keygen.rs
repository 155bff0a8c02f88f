//! The real `ssh-keygen` reads our keys, we read its keys, and it verifies our signatures.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{Peers, identity};
use e2eeftp_core::identity::{IdentityKey, PublicKey, Signer as _, rotation, sshsig};
use e2eeftp_core::{Error, KeyFault};
use tempfile::TempDir;

fn ssh_keygen(dir: &Path, args: &[&str], stdin: &[u8]) -> Output {
    use std::io::Write as _;
    let mut child = Command::new("ssh-keygen")
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test runs ssh-keygen: install the package openssh-client");
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    child.wait_with_output().unwrap()
}

fn stdout_of(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn write_secret(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn it_reads_the_keys_we_write() {
    let dir = TempDir::new().unwrap();
    for (name, comment) in [("one", ""), ("two", "user@host"), ("three", "a longer comment")] {
        let key = identity(name);
        write_secret(&dir.path().join("key"), &key.to_openssh(comment).unwrap());
        let public = stdout_of(&ssh_keygen(dir.path(), &["-y", "-f", "key"], b""));
        assert_eq!(public.trim(), key.public_key().to_openssh_line(comment));
        assert_eq!(PublicKey::from_text(&public), Ok(key.public_key().clone()));

        let line = key.public_key().to_openssh_line("comment");
        std::fs::write(dir.path().join("key.pub"), line).unwrap();
        let listed = stdout_of(&ssh_keygen(dir.path(), &["-l", "-f", "key.pub"], b""));
        assert_eq!(listed.split(' ').nth(1), Some(&*key.public_key().fingerprint()));
    }
}

#[test]
fn we_read_the_keys_it_writes() {
    let dir = TempDir::new().unwrap();
    for (file, passphrase) in [("plain", ""), ("locked", "secret words")] {
        let args = ["-q", "-t", "ed25519", "-N", passphrase, "-C", "its comment", "-f", file];
        stdout_of(&ssh_keygen(dir.path(), &args, b""));
        let text = std::fs::read(dir.path().join(file)).unwrap();
        let line = std::fs::read_to_string(dir.path().join(file).with_extension("pub")).unwrap();
        let public = PublicKey::from_text(&line).unwrap();
        assert_eq!(public.to_openssh_line("its comment"), line.trim());
        assert_eq!(IdentityKey::public_half(&text).unwrap(), public);
        let read = |passphrase| IdentityKey::from_text(&text, passphrase);
        if passphrase.is_empty() {
            assert_eq!(read(None).unwrap().public_key(), &public);
        } else {
            assert_eq!(read(None).unwrap_err(), Error::KeyFile(KeyFault::Encrypted));
            let wrong = Error::KeyFile(KeyFault::WrongPassphrase);
            assert_eq!(read(Some(b"other words")).unwrap_err(), wrong);
            let key = read(Some(passphrase.as_bytes())).unwrap();
            assert_eq!(key.public_key(), &public);
            assert_eq!(key.comment(), "its comment");
        }
    }
}

#[test]
fn it_reads_the_encrypted_keys_we_write() {
    let dir = TempDir::new().unwrap();
    let key = identity("somebody");
    let mut random = common::SeededRandom::new("salt");
    let text = key.to_encrypted_openssh("our comment", b"secret words", &mut random).unwrap();
    write_secret(&dir.path().join("key"), &text);
    let args = ["-y", "-P", "secret words", "-f", "key"];
    let public = stdout_of(&ssh_keygen(dir.path(), &args, b""));
    assert_eq!(public.trim(), key.public_key().to_openssh_line("our comment"));
    let listed = stdout_of(&ssh_keygen(dir.path(), &["-l", "-f", "key"], b""));
    assert_eq!(listed.split(' ').nth(1), Some(&*key.public_key().fingerprint()));
    let wrong = ssh_keygen(dir.path(), &["-y", "-P", "other", "-f", "key"], b"");
    assert!(!wrong.status.success());
    // It takes the passphrase off, and we still read it.
    stdout_of(&ssh_keygen(dir.path(), &["-p", "-P", "secret words", "-N", "", "-f", "key"], b""));
    let text = std::fs::read(dir.path().join("key")).unwrap();
    assert_eq!(IdentityKey::from_text(&text, None).unwrap().public_key(), key.public_key());
}

/// The file of a security key says which key it is, and holds nothing to sign with.
#[test]
fn the_file_of_a_security_key_is_told_apart() {
    let provider = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";
    assert!(Path::new(provider).exists(), "no {provider}: run scripts/install-test-tools.sh");
    let dir = TempDir::new().unwrap();
    for (file, passphrase) in [("plain", ""), ("locked", "secret words")] {
        let make = ["-q", "-t", "ed25519-sk", "-w", provider, "-N", passphrase, "-f", file];
        stdout_of(&ssh_keygen(dir.path(), &make, b""));
        let text = std::fs::read(dir.path().join(file)).unwrap();
        let line = std::fs::read_to_string(dir.path().join(file).with_extension("pub")).unwrap();
        let public = PublicKey::from_text(&line).unwrap();
        assert!(line.starts_with(public.type_name()));
        assert_eq!(IdentityKey::public_half(&text).unwrap(), public);
        for passphrase in [None, Some(passphrase.as_bytes())] {
            let fault = IdentityKey::from_text(&text, passphrase).unwrap_err();
            assert_eq!(fault, Error::KeyFile(KeyFault::SecurityKey));
        }
        let listed = stdout_of(&ssh_keygen(dir.path(), &["-l", "-f", file], b""));
        assert_eq!(listed.split(' ').nth(1), Some(&*public.fingerprint()));
    }
}

#[test]
fn we_read_every_cipher_it_has() {
    let dir = TempDir::new().unwrap();
    let ciphers = [
        "aes256-ctr",
        "aes128-ctr",
        "aes256-cbc",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
    ];
    for (index, cipher) in ciphers.into_iter().enumerate() {
        let file = format!("key{index}");
        let args = ["-q", "-t", "ed25519", "-a", "1", "-N", "secret", "-Z", cipher, "-f", &file];
        stdout_of(&ssh_keygen(dir.path(), &args, b""));
        let text = std::fs::read(dir.path().join(&file)).unwrap();
        let key = IdentityKey::from_text(&text, Some(b"secret"))
            .unwrap_or_else(|error| panic!("{cipher}: {error}"));
        let line = std::fs::read_to_string(dir.path().join(format!("{file}.pub"))).unwrap();
        assert_eq!(key.public_key(), &PublicKey::from_text(&line).unwrap(), "{cipher}");
        let wrong = IdentityKey::from_text(&text, Some(b"Secret")).unwrap_err();
        assert_eq!(wrong, Error::KeyFile(KeyFault::WrongPassphrase), "{cipher}");
    }
}

/// Asks `ssh-keygen -Y verify` about an armored signature.
fn verify(key: &PublicKey, namespace: &str, armored: &str, message: &[u8]) -> Output {
    let dir = TempDir::new().unwrap();
    let allowed = format!("somebody {}\n", key.to_openssh_line(""));
    std::fs::write(dir.path().join("allowed"), allowed).unwrap();
    std::fs::write(dir.path().join("sig"), armored).unwrap();
    let args = ["-Y", "verify", "-f", "allowed", "-I", "somebody", "-n", namespace, "-s", "sig"];
    ssh_keygen(dir.path(), &args, message)
}

#[test]
fn it_verifies_our_signatures() {
    let key = identity("somebody");
    for message in [&b""[..], b"message", &[0; 10_000]] {
        let signature = key.sign(&sshsig::signed_data("file@e2eeftp", message)).unwrap();
        let armored = sshsig::armored(key.public_key(), "file@e2eeftp", &signature);
        let good = stdout_of(&verify(key.public_key(), "file@e2eeftp", &armored, message));
        assert!(good.starts_with("Good \"file@e2eeftp\" signature for somebody"), "{good}");
        let other = identity("somebody else");
        for bad in [
            verify(key.public_key(), "file@e2eeftp", &armored, b"another message"),
            verify(key.public_key(), "git", &armored, message),
            verify(other.public_key(), "file@e2eeftp", &armored, message),
        ] {
            assert!(!bad.status.success());
        }
    }
}

/// A signature as a security key makes it is one to `ssh-keygen` too. It does not ask whether the
/// key was touched; `sshd` does, and so do we.
#[test]
fn it_verifies_the_signature_of_a_security_key() {
    let seed = [9; 32];
    for (application, flags, is_touched) in
        [("ssh:", 1, true), ("ssh:work", 5, true), ("ssh:", 4, false)]
    {
        let key = common::vectors::security_key(&seed, application);
        let signed = sshsig::signed_data("client-auth@e2eeftp", b"message");
        let (_, signature) = common::vectors::touch(&seed, application, (flags, 7), &signed);
        let armored = sshsig::armored_signature(&key, "client-auth@e2eeftp", &signature);
        stdout_of(&verify(&key, "client-auth@e2eeftp", &armored, b"message"));
        assert!(!verify(&key, "client-auth@e2eeftp", &armored, b"another").status.success());
        assert_eq!(key.verifies(&signed, &signature), is_touched, "{flags}");
    }
}

/// The client's signature of a real handshake, checked by a tool that knows nothing about us:
/// the message is 64 spaces, a text, a zero byte and the transcript hash.
#[test]
fn it_verifies_the_signature_of_a_handshake() {
    let key = identity("client identity");
    let peers = Peers::aes();
    let done = peers.run();
    let mut seed = [0; 32];
    let mut random = common::SeededRandom::new(&peers.client_seed);
    e2eeftp_core::Random::fill(&mut random, &mut seed).unwrap();
    let mut schedule = common::reference::Schedule::new(seed, None, &done.m1, &done.m3);
    let m4 = common::reference::open(schedule.suite, &schedule.server_handshake, 0, &done.m4);
    let m5 = common::reference::open(schedule.suite, &schedule.client_handshake, 0, &done.m5);
    schedule.add(&common::reference::messages(&m4).concat());
    let sent = common::reference::messages(&m5);
    schedule.add(&sent[0]);
    let text = b"e2eeftp/1 client signature\0";
    let message = [&[0x20; 64][..], text, &schedule.hash()].concat();
    let signature: [u8; 64] = sent[1][sent[1].len() - 64..].try_into().unwrap();
    let armored = sshsig::armored(key.public_key(), "client-auth@e2eeftp", &signature);
    stdout_of(&verify(key.public_key(), "client-auth@e2eeftp", &armored, &message));
}

/// The statement of an old server key about its successor, checked by a tool that knows nothing
/// about us.
#[test]
fn it_verifies_a_rotation_statement() {
    let chain = common::rotation(&["first", "second", "third"]);
    for (step, new_key) in chain.steps() {
        let old = step.old_key();
        let message = rotation::rotation_message(old, new_key, step.sequence());
        let armored = sshsig::armored(old, "rotate@e2eeftp", step.signature());
        let good = stdout_of(&verify(old, "rotate@e2eeftp", &armored, &message));
        assert!(good.starts_with("Good \"rotate@e2eeftp\" signature"), "{good}");
        let other = identity("third");
        let another = rotation::rotation_message(old, other.public_key(), step.sequence() + 1);
        for bad in [
            verify(old, "rotate@e2eeftp", &armored, &another),
            verify(old, "server-auth@e2eeftp", &armored, &message),
            verify(other.public_key(), "rotate@e2eeftp", &armored, &message),
        ] {
            assert!(!bad.status.success());
        }
    }
}

/// Both signatures of a receipt, taken out of its text as `docs/CLI.md` says.
#[test]
fn it_verifies_a_receipt() {
    for receipt in [common::receipts::plain(), common::receipts::touched()] {
        let text = receipt.to_text().unwrap();
        let message = receipt.statement().to_text().unwrap();
        let (_, signatures) = text.split_once("client-signature\n").unwrap();
        let (client, server) = signatures.split_once("server-signature\n").unwrap();
        let statement = receipt.statement();
        for (key, other, armored) in [
            (&statement.client, &statement.server, client),
            (&statement.server, &statement.client, server),
        ] {
            let good = stdout_of(&verify(key, "receipt@e2eeftp", armored, message.as_bytes()));
            assert!(good.starts_with("Good \"receipt@e2eeftp\" signature"), "{good}");
            for bad in [
                verify(key, "receipt@e2eeftp", armored, text.as_bytes()),
                verify(key, "client-auth@e2eeftp", armored, message.as_bytes()),
                verify(other, "receipt@e2eeftp", armored, message.as_bytes()),
            ] {
                assert!(!bad.status.success());
            }
        }
    }
}
