//! The two AEAD suites, all that is negotiated.

/// An AEAD. Both have 32-byte keys, 12-byte nonces and 16-byte tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// 1: AES-256-GCM.
    Aes256Gcm,
    /// 2: ChaCha20-Poly1305.
    ChaCha20Poly1305,
}

impl Suite {
    /// The number on the wire, which is also the suite's bit in [`Suites`].
    pub fn code(self) -> u8 {
        match self {
            Self::Aes256Gcm => 1,
            Self::ChaCha20Poly1305 => 2,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Aes256Gcm),
            2 => Some(Self::ChaCha20Poly1305),
            _ => None,
        }
    }
}

/// A set of suites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suites(u16);

impl Suites {
    /// Both suites.
    pub const ALL: Self = Self(3);
    /// AES-256-GCM only.
    pub const AES_256_GCM: Self = Self(1);
    /// ChaCha20-Poly1305 only.
    pub const CHACHA20_POLY1305: Self = Self(2);

    /// The bits on the wire.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// The set with these bits. Bits of suites that are not known are left out.
    pub fn from_bits(bits: u16) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Whether `suite` is in the set.
    pub fn contains(self, suite: Suite) -> bool {
        self.0 & u16::from(suite.code()) != 0
    }

    /// Whether no suite is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The suites that are in both sets.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// AES-256-GCM if it is wanted and in the set, else ChaCha20-Poly1305, else whatever is left.
    pub(crate) fn choose(self, wants_aes: bool) -> Option<Suite> {
        let (first, second) = if wants_aes {
            (Suite::Aes256Gcm, Suite::ChaCha20Poly1305)
        } else {
            (Suite::ChaCha20Poly1305, Suite::Aes256Gcm)
        };
        [first, second].into_iter().find(|suite| self.contains(*suite))
    }
}
