//! Key formats: what is written is read again, what is damaged is refused.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{SeededRandom, identity};
use e2eeftp_core::identity::{IdentityKey, PublicKey, Signer as _};
use e2eeftp_core::{Error, KeyFault, Random as _, WeakKey};
use proptest::prelude::*;

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn unpem(text: &str) -> Vec<u8> {
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).unwrap()
}

fn fault(result: Result<IdentityKey, Error>) -> KeyFault {
    match result {
        Err(Error::KeyFile(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

fn public_fault(text: &str) -> KeyFault {
    match PublicKey::from_text(text) {
        Err(Error::KeyFile(fault)) => fault,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn private_keys_come_back() {
    let key = identity("somebody");
    let comments = ["", "a", "user@host", "seven b", "line\nbreak", "é".repeat(300).leak()];
    let mut texts = vec![key.to_pkcs8_pem()];
    texts.extend(comments.map(|comment| key.to_openssh(comment).unwrap()));
    for text in texts {
        for text in [text.to_string(), text.replace('\n', "\r\n"), format!("\n  {}\n\n", *text)] {
            let again = IdentityKey::from_text(text.as_bytes(), None).unwrap();
            assert_eq!(again.public_key(), key.public_key());
            assert_eq!(again.sign(b"message"), key.sign(b"message"));
        }
    }
    // A passphrase for a key that has none is no error.
    let plain = key.to_openssh("a comment").unwrap();
    let again = IdentityKey::from_text(plain.as_bytes(), Some(b"passphrase")).unwrap();
    assert_eq!(again.comment(), "a comment");
}

#[test]
fn pkcs8_version_2_is_read_and_checked() {
    let key = identity("somebody");
    let v1 = unpem(&key.to_pkcs8_pem());
    assert_eq!(v1.len(), 48);
    let mut v2 = v1.clone();
    v2[1] = 0x51;
    v2[4] = 1;
    v2.extend_from_slice(&[0x81, 0x21, 0]);
    v2.extend_from_slice(key.public_key().as_bytes());
    assert_eq!(v2.len(), 83);
    let read = |der: &[u8]| IdentityKey::from_text(pem("PRIVATE KEY", der).as_bytes(), None);
    assert_eq!(read(&v2).unwrap().public_key(), key.public_key());

    let mut other = v2.clone();
    other[82] ^= 1;
    assert_eq!(fault(read(&other)), KeyFault::Mismatch);
    for len in 0..v2.len() {
        assert_eq!(fault(read(&v2[..len])), KeyFault::Malformed, "{len}");
    }
    for len in 0..v1.len() {
        assert_eq!(fault(read(&v1[..len])), KeyFault::Malformed, "{len}");
    }
    for der in [&v1, &v2] {
        assert_eq!(fault(read(&[&der[..], &[0]].concat())), KeyFault::Malformed);
        for at in 0..16 {
            let mut changed = der.clone();
            changed[at] ^= 1;
            let expected =
                if (5..12).contains(&at) { KeyFault::NotEd25519 } else { KeyFault::Malformed };
            assert_eq!(fault(read(&changed)), expected, "{at}");
        }
    }
}

#[test]
fn damaged_openssh_files_are_refused() {
    let key = identity("somebody");
    let good = unpem(&key.to_openssh("comment").unwrap());
    let read =
        |bytes: &[u8]| IdentityKey::from_text(pem("OPENSSH PRIVATE KEY", bytes).as_bytes(), None);
    read(&good).unwrap();
    // The comment is the one thing that may differ.
    let comment = good.windows(7).position(|window| window == b"comment").unwrap();
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 1;
        let verdict = read(&changed);
        assert_eq!(verdict.is_ok(), (comment..comment + 7).contains(&at), "{at}");
    }
    for len in 0..good.len() {
        assert!(read(&good[..len]).is_err(), "{len}");
    }
    assert_eq!(fault(read(&[&good[..], &[0]].concat())), KeyFault::Malformed);
}

/// An OpenSSH file with these parts: cipher, kdf, kdf options, public blob, private part.
fn openssh_file(parts: [&[u8]; 5]) -> Vec<u8> {
    let mut bytes = b"openssh-key-v1\0".to_vec();
    for (index, part) in parts.into_iter().enumerate() {
        if index == 3 {
            bytes.extend_from_slice(&[0, 0, 0, 1]);
        }
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

fn bcrypt_options(salt: &[u8], rounds: u32) -> Vec<u8> {
    let len = u32::try_from(salt.len()).unwrap();
    [&len.to_be_bytes(), salt, &rounds.to_be_bytes()].concat()
}

#[test]
fn a_passphrase_opens_what_it_has_closed() {
    let key = identity("somebody");
    let mut random = SeededRandom::new("salt");
    let text = key.to_encrypted_openssh("a\ncomment", "påss word".as_bytes(), &mut random).unwrap();
    let read = |passphrase| IdentityKey::from_text(text.as_bytes(), passphrase);
    let again = read(Some("påss word".as_bytes())).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    assert_eq!(again.sign(b"message"), key.sign(b"message"));
    assert_eq!(again.comment(), "a comment");
    assert_eq!(fault(read(None)), KeyFault::Encrypted);
    for wrong in [&b""[..], b"pass word", b"p\xe5ss word"] {
        assert_eq!(fault(read(Some(wrong))), KeyFault::WrongPassphrase);
    }
    // Another salt each time, and the seed is not in the file.
    let other = key.to_encrypted_openssh("", b"x", &mut random).unwrap();
    let mut seed = [0; 32];
    SeededRandom::new("somebody").fill(&mut seed).unwrap();
    for text in [&text, &other] {
        let bytes = unpem(text);
        assert!(!bytes.windows(8).any(|window| window == &seed[..8]));
    }
    assert_ne!(unpem(&text)[..70], unpem(&other)[..70]);
    assert_eq!(
        key.to_encrypted_openssh("", b"", &mut random).unwrap_err(),
        Error::KeyFile(KeyFault::EmptyPassphrase)
    );
    let failed = key.to_encrypted_openssh("", b"x", &mut common::FailingRandom(19)).unwrap_err();
    assert_eq!(failed, Error::Random);
}

/// `ssh-keygen -t ed25519 -a 1 -N x -C one`: one round of bcrypt-pbkdf, so that it opens fast.
const ONE_ROUND: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n\
    b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABB3cYpU1Y\n\
    IyTYmbjLfndkjUAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAICBRZKwT1O+LzZrc\n\
    +5kPPSJNOpyiNs1MANKKi4Op2DG0AAAAkEeYZX5xFE9EJwUwFX0ewlONK0UekK0L01I0ZG\n\
    PwLOWU5hM3ylNrn0HxlPaJ57WWpIyz1+hF1H0vfhNjTctC/agLjz0CufOQtiO+Nn9/GG0q\n\
    Yw/KADU5F0wShxiGwtjmOuiZkfaksV2IhNh6B48J63ohBAdyB47moKPZwquOtZzm1zQKD1\n\
    CFqIFAWk2h4KV9rw==\n\
    -----END OPENSSH PRIVATE KEY-----";

#[test]
fn a_damaged_encrypted_file_opens_never() {
    let good = unpem(ONE_ROUND);
    let read = |bytes: &[u8]| {
        let text = pem("OPENSSH PRIVATE KEY", bytes);
        IdentityKey::from_text(text.as_bytes(), Some(b"x"))
    };
    assert_eq!(read(&good).unwrap().comment(), "one");
    for len in 0..good.len() {
        assert!(read(&good[..len]).is_err(), "{len}");
    }
    assert!(read(&[&good[..], &[0]].concat()).is_err());
    // CTR changes what is under a changed byte and nothing else: only the comment may differ. It
    // stands behind two check numbers, type, public key, seed with public key, and its length.
    let private = good.len() - 144;
    let comment = private + 8 + 15 + 36 + 68 + 4;
    for at in 0..good.len() {
        // The number of rounds; more of them are tested below.
        if (private - 4 - 55 - 4 - 4..private - 4 - 55 - 4).contains(&at) {
            continue;
        }
        let mut changed = good.clone();
        changed[at] ^= 1;
        assert_eq!(read(&changed).is_ok(), (comment..comment + 3).contains(&at), "{at}");
    }
}

#[test]
fn the_work_that_a_file_asks_for_is_bounded() {
    let blob = identity("somebody").public_key().to_ssh_blob();
    let read = |cipher: &[u8], kdf: &[u8], options: &[u8], private: &[u8]| {
        let bytes = openssh_file([cipher, kdf, options, &blob, private]);
        let text = pem("OPENSSH PRIVATE KEY", &bytes);
        fault(IdentityKey::from_text(text.as_bytes(), Some(b"secret")))
    };
    let salt = [5; 16];
    let ctr = b"aes256-ctr";
    for (rounds, expected) in [
        (u32::MAX, KeyFault::EncryptionUnsupported),
        (16385, KeyFault::EncryptionUnsupported),
        (0, KeyFault::Malformed),
        (1, KeyFault::WrongPassphrase),
    ] {
        let options = bcrypt_options(&salt, rounds);
        assert_eq!(read(ctr, b"bcrypt", &options, &[7; 144]), expected, "{rounds}");
    }
    let options = bcrypt_options(&salt, 1);
    assert_eq!(
        read(ctr, b"bcrypt", &bcrypt_options(&[5; 65], 1), &[7; 144]),
        KeyFault::EncryptionUnsupported
    );
    assert_eq!(read(ctr, b"bcrypt", &bcrypt_options(&[], 1), &[7; 144]), KeyFault::Malformed);
    assert_eq!(read(ctr, b"bcrypt", &options, &[7; 143]), KeyFault::Malformed);
    assert_eq!(read(ctr, b"none", b"", &[7; 144]), KeyFault::EncryptionUnsupported);
    assert_eq!(read(b"3des-cbc", b"bcrypt", &options, &[7; 144]), KeyFault::EncryptionUnsupported);
    assert_eq!(read(b"rot13", b"bcrypt", &options, &[7; 144]), KeyFault::EncryptionUnsupported);
    assert_eq!(read(ctr, b"argon2", &options, &[7; 144]), KeyFault::EncryptionUnsupported);
    assert_eq!(read(b"none", b"bcrypt", &options, &[7; 144]), KeyFault::Malformed);
    // A length that is longer than the file takes no memory.
    let mut huge = openssh_file([ctr, b"bcrypt", &options, &blob, &[7; 144]]);
    let at = huge.len() - 148;
    huge[at..at + 4].copy_from_slice(&[0xff; 4]);
    let text = pem("OPENSSH PRIVATE KEY", &huge);
    assert!(IdentityKey::from_text(text.as_bytes(), Some(b"secret")).is_err());
}

#[test]
fn encrypted_and_foreign_keys_are_named() {
    let blob = identity("somebody").public_key().to_ssh_blob();
    let options = bcrypt_options(&[0; 16], 16);
    let bytes = openssh_file([b"aes256-ctr", b"bcrypt", &options, &blob, &[7; 144]]);
    let openssh = pem("OPENSSH PRIVATE KEY", &bytes);
    assert_eq!(fault(IdentityKey::from_text(openssh.as_bytes(), None)), KeyFault::Encrypted);
    let pkcs8 = pem("ENCRYPTED PRIVATE KEY", &[1; 100]);
    for passphrase in [None, Some(&b"secret"[..])] {
        let verdict = IdentityKey::from_text(pkcs8.as_bytes(), passphrase);
        assert_eq!(fault(verdict), KeyFault::EncryptionUnsupported);
    }
    let rsa = pem("RSA PRIVATE KEY", &[1; 100]);
    assert_eq!(fault(IdentityKey::from_text(rsa.as_bytes(), None)), KeyFault::NotEd25519);
    for text in ["", "hello", "-----BEGIN", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END"] {
        let verdict = IdentityKey::from_text(text.as_bytes(), None);
        assert_eq!(fault(verdict), KeyFault::UnknownFormat, "{text}");
    }
    assert_eq!(fault(IdentityKey::from_text(&[0xff, 0xfe], None)), KeyFault::UnknownFormat);
    for text in [
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "-----BEGIN PRIVATE KEY-----\nA*==\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----",
    ] {
        let verdict = IdentityKey::from_text(text.as_bytes(), None);
        assert_eq!(fault(verdict), KeyFault::Malformed, "{text}");
    }
}

#[test]
fn public_keys_come_back() {
    let key = identity("somebody").public_key().clone();
    for text in [
        key.to_base64(),
        key.to_openssh_line(""),
        key.to_openssh_line("user@host with words"),
        key.to_openssh_line("two\nlines"),
        key.to_spki_pem(),
        key.to_spki_pem().replace('\n', "\r\n"),
        format!("  {}\n", key.to_base64()),
    ] {
        assert_eq!(PublicKey::from_text(&text), Ok(key.clone()), "{text}");
    }
    assert_eq!(key.to_openssh_line("two\nlines").lines().count(), 1);
    assert_eq!(PublicKey::from_ssh_blob(&key.to_ssh_blob()), Ok(key.clone()));
    assert_eq!(PublicKey::from_bytes(key.as_bytes()), Ok(key.clone()));
    assert_eq!(format!("{key:?}"), format!("PublicKey({})", key.fingerprint()));
}

#[test]
fn damaged_public_keys_are_refused() {
    let key = identity("somebody").public_key().clone();
    for (text, expected) in [
        ("", KeyFault::UnknownFormat),
        ("AAAA", KeyFault::UnknownFormat),
        ("not base64!", KeyFault::UnknownFormat),
        ("ssh-rsa AAAAB3NzaC1yc2E= x", KeyFault::NotEd25519),
        ("sk-ssh-ed25519@openssh.com AAAA x", KeyFault::Malformed),
        ("ssh-ed25519 AAAA", KeyFault::Malformed),
        ("ssh-ed25519 **** x", KeyFault::Malformed),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", KeyFault::UnknownFormat),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", KeyFault::Malformed),
    ] {
        assert_eq!(public_fault(text), expected, "{text}");
    }
    // Two keys are not one.
    let two = format!("{}\n{}", key.to_openssh_line("a"), key.to_openssh_line("b"));
    assert_eq!(public_fault(&two), KeyFault::UnknownFormat);
    let blob = key.to_ssh_blob();
    for len in 0..blob.len() {
        assert!(PublicKey::from_ssh_blob(&blob[..len]).is_err());
    }
    assert!(PublicKey::from_ssh_blob(&[&blob[..], &[0]].concat()).is_err());
    let der = unpem(&key.to_spki_pem());
    assert_eq!(der.len(), 44);
    for at in 0..12 {
        let mut changed = der.clone();
        changed[at] ^= 1;
        assert!(PublicKey::from_text(&pem("PUBLIC KEY", &changed)).is_err(), "{at}");
    }
    assert!(PublicKey::from_text(&pem("PUBLIC KEY", &[&der[..], &[0]].concat())).is_err());
}

#[test]
fn weak_keys_are_refused_in_every_format() {
    let weak = [0u8; 32];
    let blob = [&[0, 0, 0, 11][..], b"ssh-ed25519", &[0, 0, 0, 32], &weak].concat();
    let key = identity("somebody").public_key().clone();
    let der = [&unpem(&key.to_spki_pem())[..12], &weak].concat();
    for text in [
        STANDARD.encode(weak),
        format!("ssh-ed25519 {}", STANDARD.encode(blob)),
        pem("PUBLIC KEY", &der),
    ] {
        let refused = PublicKey::from_text(&text);
        assert_eq!(refused, Err(Error::WeakKey(WeakKey::Ed25519)), "{text}");
    }
}

/// RFC 8032 §7.1, test 1, and the example keys of RFC 8410 §10.
#[test]
fn published_keys() {
    let text = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----";
    let public = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";
    let key = IdentityKey::from_text(text.as_bytes(), None).unwrap();
    assert_eq!(key.public_key().to_spki_pem(), public);
    assert_eq!(PublicKey::from_text(public), Ok(key.public_key().clone()));

    let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let mut der = unpem(&identity("any").to_pkcs8_pem());
    der[16..].copy_from_slice(&seed.unwrap());
    let key = IdentityKey::from_text(pem("PRIVATE KEY", &der).as_bytes(), None).unwrap();
    assert_eq!(
        hex::encode(key.public_key().as_bytes()),
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    );
    assert_eq!(
        hex::encode(key.sign(b"").unwrap()),
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
         5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    );
}

#[test]
fn debug_output_has_no_secret() {
    let mut seed = [0; 32];
    SeededRandom::new("somebody").fill(&mut seed).unwrap();
    let key = identity("somebody");
    let shown = format!("{key:?}");
    assert!(shown.contains("SHA256:"));
    assert!(!shown.contains(&hex::encode(seed)) && !shown.contains(&format!("{:?}", &seed[..4])));
}

proptest! {
    /// A key file that somebody else made is read or refused, and never more than that.
    #[test]
    fn changed_key_files_never_panic(
        which in 0..2usize,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<proptest::sample::Index>(),
    ) {
        let plain = identity("somebody").to_openssh("comment").unwrap();
        let mut bytes = unpem(if which == 0 { &plain } else { ONE_ROUND });
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for len in [bytes.len(), cut.index(bytes.len())] {
            let text = pem("OPENSSH PRIVATE KEY", &bytes[..len]);
            if let Ok(key) = IdentityKey::from_text(text.as_bytes(), None) {
                prop_assert_eq!(key.public_key(), &IdentityKey::public_half(text.as_bytes()).unwrap());
            }
            drop(IdentityKey::public_half(text.as_bytes()));
        }
    }

    #[test]
    fn random_bytes_behind_the_magic_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [b"openssh-key-v1\0", &bytes[..]].concat();
        let text = pem("OPENSSH PRIVATE KEY", &bytes);
        prop_assert!(IdentityKey::from_text(text.as_bytes(), Some(b"x")).is_err());
        prop_assert!(IdentityKey::public_half(text.as_bytes()).is_err());
    }
}
