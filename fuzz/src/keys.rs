//! What must hold of a key that was read: it survives every form in which it can be written.

use e2eeftp_core::identity::{IdentityKey, KeyKind, PublicKey};

/// Reads a public key and checks what came out.
pub fn check_public(text: &str) {
    let Ok(key) = PublicKey::from_text(text) else { return };
    let line = key.to_openssh_line("a\nb");
    assert_eq!(PublicKey::from_text(&line), Ok(key.clone()), "{line}");
    assert_eq!(PublicKey::from_ssh_blob(&key.to_ssh_blob()), Ok(key.clone()));
    // A security key has no other form.
    if key.kind() != KeyKind::Ed25519 {
        return;
    }
    for form in [key.to_spki_pem(), key.to_base64()] {
        assert_eq!(PublicKey::from_text(&form), Ok(key.clone()), "{form}");
    }
    assert_eq!(PublicKey::from_bytes(key.as_bytes()), Ok(key));
}

/// Reads a private key with and without a passphrase, and checks what came out.
pub fn check_private(text: &[u8]) {
    let plain = IdentityKey::from_text(text, None);
    let with_passphrase = IdentityKey::from_text(text, Some(b"secret"));
    let Ok(key) = plain else { return };
    assert!(with_passphrase.is_ok(), "a key that is not encrypted needs no passphrase");
    for form in [key.to_openssh("a\0b").unwrap(), key.to_pkcs8_pem()] {
        let again = IdentityKey::from_text(form.as_bytes(), None).unwrap();
        assert_eq!(again.public_key(), key.public_key());
    }
}

/// Puts `bytes` into a PEM block, so that what is inside gets its share of the attention.
pub fn armor(label: &str, bytes: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}
