//! HKDF-SHA384 (RFC 5869) with the labels of `e2eeftp/1`.
//!
//! `Exp(S, L, C, n) = HKDF-Expand(S, u16 n ‖ lv8("e2eeftp/1 " ‖ L) ‖ lv8(C), n)`, where `lv8` puts
//! one length byte in front. See `docs/PROTOCOL.md` §5.

use zeroize::Zeroize;

use super::hash::{HASH_LEN, HmacKey};
use super::secret_bytes::SecretBytes;
use crate::{Error, Misuse};

/// What every label starts with.
const PREFIX: &[u8] = b"e2eeftp/1 ";

/// A secret of the key schedule.
pub(crate) type Secret = SecretBytes<HASH_LEN>;

/// `HKDF-Extract(salt, input)`.
pub(crate) fn extract(salt: &[u8; HASH_LEN], input: &[u8]) -> Secret {
    let mut out = Secret::zeros();
    HmacKey::new(salt).code_into(&[input], &mut *out);
    out
}

/// A secret made ready for several derivations: the HMAC key schedule is computed once.
pub(crate) struct Expander(HmacKey);

impl Expander {
    pub(crate) fn new(secret: &Secret) -> Self {
        Self(HmacKey::new(&**secret))
    }

    /// `Exp(secret, label, context, N)` for outputs of one hash block at most.
    ///
    /// `label` is a constant of this crate and `context` a hash or an id, so their lengths fit in
    /// the one byte each has.
    pub(crate) fn derive<const N: usize>(
        &self,
        label: &'static str,
        context: &[u8],
    ) -> SecretBytes<N> {
        const { assert!(N <= HASH_LEN) };
        debug_assert!(fits_lv8(label, context));
        let mut out = SecretBytes::zeros();
        block(&self.0, &[], N, label, context, 1, &mut *out);
        out
    }
}

/// [`Expander::derive`] for a secret that is used once.
pub(crate) fn derive<const N: usize>(
    secret: &Secret,
    label: &'static str,
    context: &[u8],
) -> SecretBytes<N> {
    Expander::new(secret).derive(label, context)
}

/// `Exp(secret, label, context, out.len())` for caller-chosen labels and lengths.
///
/// # Errors
/// [`Misuse::Derivation`] when a length is out of range.
pub(crate) fn expand(
    secret: &Secret,
    label: &str,
    context: &[u8],
    out: &mut [u8],
) -> Result<(), Error> {
    if !fits_lv8(label, context) || out.is_empty() || out.len() > 255 * HASH_LEN {
        return Err(Misuse::Derivation.into());
    }
    let key = HmacKey::new(&**secret);
    let len = out.len();
    let mut previous = [0; HASH_LEN];
    let mut previous_len = 0;
    for (counter, piece) in (1..=255u8).zip(out.chunks_mut(HASH_LEN)) {
        let mut next = [0; HASH_LEN];
        block(&key, &previous[..previous_len], len, label, context, counter, &mut next);
        previous = next;
        next.zeroize();
        previous_len = HASH_LEN;
        piece.copy_from_slice(&previous[..piece.len()]);
    }
    previous.zeroize();
    Ok(())
}

fn fits_lv8(label: &str, context: &[u8]) -> bool {
    PREFIX.len() + label.len() <= 255 && context.len() <= 255
}

/// One block `T(counter)` of HKDF-Expand, or as much of it as `out` takes.
fn block(
    key: &HmacKey,
    previous: &[u8],
    out_len: usize,
    label: &str,
    context: &[u8],
    counter: u8,
    out: &mut [u8],
) {
    let [.., out_high, out_low] = out_len.to_be_bytes();
    let [.., label_len] = (PREFIX.len() + label.len()).to_be_bytes();
    let [.., context_len] = context.len().to_be_bytes();
    let parts = [
        previous,
        &[out_high, out_low, label_len],
        PREFIX,
        label.as_bytes(),
        &[context_len],
        context,
        &[counter],
    ];
    key.code_into(&parts, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same expansion by ring's own HKDF.
    fn by_ring(secret: &Secret, label: &str, context: &[u8], len: usize) -> Vec<u8> {
        struct Len(usize);
        impl ring::hkdf::KeyType for Len {
            fn len(&self) -> usize {
                self.0
            }
        }
        let mut info = u16::try_from(len).unwrap().to_be_bytes().to_vec();
        info.push(u8::try_from(PREFIX.len() + label.len()).unwrap());
        info.extend_from_slice(PREFIX);
        info.extend_from_slice(label.as_bytes());
        info.push(u8::try_from(context.len()).unwrap());
        info.extend_from_slice(context);
        let prk = ring::hkdf::Prk::new_less_safe(ring::hkdf::HKDF_SHA384, &**secret);
        let mut out = vec![0; len];
        prk.expand(&[&info], Len(len)).unwrap().fill(&mut out).unwrap();
        out
    }

    #[test]
    fn expansion_is_hkdf() {
        let secret = extract(&[7; HASH_LEN], b"input");
        for len in [1, 12, 32, 47, 48, 49, 96, 97, 1000, 12240] {
            let mut out = vec![0; len];
            expand(&secret, "label", b"context", &mut out).unwrap();
            assert_eq!(out, by_ring(&secret, "label", b"context", len), "{len}");
        }
        assert_eq!(derive::<32>(&secret, "key", b"")[..], by_ring(&secret, "key", b"", 32));
        assert_eq!(derive::<48>(&secret, "upd", b"")[..], by_ring(&secret, "upd", b"", 48));
    }

    #[test]
    fn lengths_out_of_range_are_refused() {
        let secret = extract(&[0; HASH_LEN], b"");
        let refused = Err(Misuse::Derivation.into());
        assert_eq!(expand(&secret, "l", b"", &mut []), refused);
        assert_eq!(expand(&secret, "l", b"", &mut [0; 12241]), refused);
        assert_eq!(expand(&secret, "l", &[0; 256], &mut [0; 8]), refused);
        assert_eq!(expand(&secret, &"x".repeat(246), b"", &mut [0; 8]), refused);
        assert_eq!(expand(&secret, &"x".repeat(245), b"", &mut [0; 8]), Ok(()));
    }
}
