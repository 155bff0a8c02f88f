//! X-Wing: ML-KEM-768 and X25519 in one key encapsulation (draft-connolly-cfrg-xwing-kem).
//!
//! Key shares that would take one half out of the game are refused on both sides: an ML-KEM key
//! with coefficients out of range, an X25519 share of small order.

use x_wing::{
    DecapsulationKeyRejectNonContrib, Decapsulator as _, EncapsulationKey, KeyExport as _,
    KeyInit as _, TryDecapsulate as _, TryKeyInit as _,
};
use zeroize::{Zeroize, Zeroizing};

use super::secret_bytes::SecretBytes;
use crate::{Error, Random, WeakKey};

/// Length of an encapsulation key: ML-KEM-768 (1184) and X25519 (32).
pub(crate) const ENCAPSULATION_KEY_LEN: usize = x_wing::ENCAPSULATION_KEY_SIZE;
/// Length of a ciphertext: ML-KEM-768 (1088) and X25519 (32).
pub(crate) const CIPHERTEXT_LEN: usize = x_wing::CIPHERTEXT_SIZE;

/// A one-time decapsulation key. Using it consumes it; dropping it wipes its seed.
pub(crate) struct EphemeralKey(Box<DecapsulationKeyRejectNonContrib>);

impl EphemeralKey {
    /// A new key from 32 random bytes.
    pub(crate) fn generate(random: &mut dyn Random) -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; x_wing::DECAPSULATION_KEY_SIZE]);
        random.fill(&mut *seed)?;
        Ok(Self(Box::new(DecapsulationKeyRejectNonContrib::new((&*seed).into()))))
    }

    pub(crate) fn encapsulation_key(&self) -> [u8; ENCAPSULATION_KEY_LEN] {
        self.0.encapsulation_key().to_bytes().into()
    }

    /// The secret that `ciphertext` carries.
    ///
    /// A ciphertext that was made for another key yields an unrelated secret, not an error.
    ///
    /// # Errors
    /// [`WeakKey::X25519`] for a share of small order.
    pub(crate) fn decapsulate(
        self,
        ciphertext: &[u8; CIPHERTEXT_LEN],
    ) -> Result<SecretBytes<32>, Error> {
        check_x25519_share(ciphertext)?;
        let shared = self.0.try_decapsulate(ciphertext.into()).map_err(|_| WeakKey::X25519)?;
        Ok(take(shared))
    }
}

/// Makes a secret and the ciphertext that carries it to the holder of `encapsulation_key`,
/// from 64 random bytes.
///
/// # Errors
/// [`WeakKey`] when the key is refused, [`Error::Random`] from the source.
pub(crate) fn encapsulate(
    encapsulation_key: &[u8; ENCAPSULATION_KEY_LEN],
    random: &mut dyn Random,
) -> Result<([u8; CIPHERTEXT_LEN], SecretBytes<32>), Error> {
    check_x25519_share(encapsulation_key)?;
    let key = EncapsulationKey::new(encapsulation_key.into()).map_err(|_| WeakKey::MlKem)?;
    let mut coins = Zeroizing::new([0; x_wing::ENCAPSULATION_RANDOMNESS_SIZE]);
    random.fill(&mut *coins)?;
    let (ciphertext, shared) = key.encapsulate_deterministic((&*coins).into());
    Ok((ciphertext.into(), take(shared)))
}

fn take(mut shared: x_wing::SharedKey) -> SecretBytes<32> {
    let mut out = SecretBytes::zeros();
    out.copy_from_slice(&shared);
    shared.as_mut_slice().zeroize();
    out
}

/// Refuses an encapsulation key or ciphertext whose X25519 half, its last 32 bytes, is of small
/// order. Cheap enough to run before anything else is computed.
///
/// # Errors
/// [`WeakKey::X25519`].
pub(crate) fn check_x25519_share(share: &[u8]) -> Result<(), Error> {
    let Some(u) = share.last_chunk::<32>() else {
        return Err(WeakKey::X25519.into());
    };
    let mut masked = *u;
    // X25519 ignores the top bit (RFC 7748 §5).
    masked[31] &= 0x7f;
    if LOW_ORDER.contains(&masked) { Err(WeakKey::X25519.into()) } else { Ok(()) }
}

/// `2^255 - 19 + offset`, little-endian; `offset` from -19 to 18.
const fn p_plus(offset: i8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed_u8.wrapping_add_signed(offset);
    bytes[31] = 0x7f;
    bytes
}

const fn small(value: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = value;
    bytes
}

/// Every encoding, top bit cleared, of a u-coordinate whose order on the curve or its twist
/// divides 8: 0, 1, the two of order 8, p - 1, and p and p + 1, which are 0 and 1 again.
const LOW_ORDER: [[u8; 32]; 7] = [
    small(0),
    small(1),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    p_plus(-1),
    p_plus(0),
    p_plus(1),
];

#[cfg(test)]
mod tests {
    use x25519_dalek::{PublicKey, StaticSecret};

    use super::*;

    struct Counter(u8);

    impl Random for Counter {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
            for byte in out {
                self.0 = self.0.wrapping_mul(5).wrapping_add(3);
                *byte = self.0;
            }
            Ok(())
        }
    }

    fn contributes(u: [u8; 32]) -> bool {
        StaticSecret::from([0x55; 32]).diffie_hellman(&PublicKey::from(u)).was_contributory()
    }

    #[test]
    fn the_low_order_list_is_what_x25519_says() {
        for u in LOW_ORDER {
            for top in [0, 0x80] {
                let mut u = u;
                u[31] |= top;
                assert!(!contributes(u), "{u:02x?}");
                assert_eq!(check_x25519_share(&u), Err(WeakKey::X25519.into()));
            }
        }
        // The neighbours, and every other non-canonical encoding, are ordinary points.
        for u in (2..=18).flat_map(|k: i8| [p_plus(k), small(k.unsigned_abs())]) {
            assert!(contributes(u));
            assert_eq!(check_x25519_share(&u), Ok(()));
        }
    }

    #[test]
    fn round_trip_and_wrong_key() {
        let mut random = Counter(1);
        let (ours, other) = (
            EphemeralKey::generate(&mut random).unwrap(),
            EphemeralKey::generate(&mut random).unwrap(),
        );
        let (ciphertext, secret) = encapsulate(&ours.encapsulation_key(), &mut random).unwrap();
        assert_eq!(*ours.decapsulate(&ciphertext).unwrap(), *secret);
        assert_ne!(*other.decapsulate(&ciphertext).unwrap(), *secret);
    }

    #[test]
    fn weak_shares_are_refused_on_both_sides() {
        let mut random = Counter(1);
        for u in LOW_ORDER {
            let ours = EphemeralKey::generate(&mut random).unwrap();
            let mut share = ours.encapsulation_key();
            let (mut ciphertext, _) = encapsulate(&share, &mut random).unwrap();
            share[ENCAPSULATION_KEY_LEN - 32..].copy_from_slice(&u);
            ciphertext[CIPHERTEXT_LEN - 32..].copy_from_slice(&u);
            let weak = Error::WeakKey(WeakKey::X25519);
            assert_eq!(encapsulate(&share, &mut random).unwrap_err(), weak);
            assert_eq!(ours.decapsulate(&ciphertext).unwrap_err(), weak);
        }
    }

    #[test]
    fn coefficients_outside_of_the_field_are_refused() {
        let mut random = Counter(1);
        let good = EphemeralKey::generate(&mut random).unwrap().encapsulation_key();
        // Two 12-bit coefficients in three bytes: both 3329 (the modulus), then both 4095.
        for bad in [[0x01, 0x1d, 0xd0], [0xff, 0xff, 0xff]] {
            for at in [0, 573, 1149] {
                let mut share = good;
                share[at..at + 3].copy_from_slice(&bad);
                let refused = encapsulate(&share, &mut random).unwrap_err();
                assert_eq!(refused, Error::WeakKey(WeakKey::MlKem));
            }
        }
        // 3328 is the largest coefficient there is.
        let mut share = good;
        share[..3].copy_from_slice(&[0x00, 0x0d, 0xd0]);
        assert!(encapsulate(&share, &mut random).is_ok());
    }
}
