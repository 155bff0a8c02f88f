//! How long one traffic key is used, and the step to the next one.

use core::fmt;

use crate::Error;
use crate::crypto::aead::DirectionKey;
use crate::crypto::secret_bytes::on_clean_stack;
use crate::handshake::{Suite, TrafficSecret};

/// When a sender replaces its key. The defaults are the protocol's values; values above them
/// count as the defaults.
///
/// A receiver refuses a peer that exceeds twice its own `bytes` or `records`, so both sides of
/// a connection use the same limits. Lower ones are for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatchetLimits {
    /// Bytes inside of the records under one key, padding included: 64 GiB.
    pub bytes: u64,
    /// Records under one key: 2^24.
    pub records: u64,
    /// Age of a key in milliseconds: one hour.
    pub age_ms: u64,
}

impl Default for RatchetLimits {
    fn default() -> Self {
        Self { bytes: 64 << 30, records: 1 << 24, age_ms: 3_600_000 }
    }
}

impl RatchetLimits {
    fn capped(self) -> Self {
        let most = Self::default();
        Self {
            bytes: self.bytes.clamp(1, most.bytes),
            records: self.records.clamp(1, most.records),
            age_ms: self.age_ms.min(most.age_ms),
        }
    }
}

/// The current key of one direction and how much it has been used.
pub(super) struct RatchetKey {
    pub(super) key: DirectionKey,
    secret: TrafficSecret,
    suite: Suite,
    limits: RatchetLimits,
    bytes: u64,
    records: u64,
}

impl RatchetKey {
    pub(super) fn new(
        secret: TrafficSecret,
        suite: Suite,
        limits: RatchetLimits,
    ) -> Result<Self, Error> {
        let key = secret.direction_key(suite)?;
        Ok(Self { key, secret, suite, limits: limits.capped(), bytes: 0, records: 0 })
    }

    pub(super) fn limits(&self) -> &RatchetLimits {
        &self.limits
    }

    /// Whether the key should be replaced before the next record.
    pub(super) fn is_due(&self) -> bool {
        self.bytes >= self.limits.bytes || self.records >= self.limits.records
    }

    /// Whether the key may protect one more record: it has not been used twice as much as
    /// allowed. Checked before each record, so that no limit forbids the first one.
    pub(super) fn has_room(&self) -> bool {
        self.records < self.limits.records.saturating_mul(2)
            && self.bytes < self.limits.bytes.saturating_mul(2)
    }

    /// Counts a record of `inner_len` bytes.
    pub(super) fn count(&mut self, inner_len: usize) {
        self.records = self.records.saturating_add(1);
        self.bytes = self.bytes.saturating_add(inner_len as u64);
    }

    /// Goes on to the next key; the old secret is wiped and sequence numbers start at 0.
    pub(super) fn advance(&mut self) -> Result<(), Error> {
        self.key = on_clean_stack(|| {
            self.secret.advance();
            self.secret.direction_key(self.suite)
        })?;
        self.bytes = 0;
        self.records = 0;
        Ok(())
    }

    /// Wipes the secret, and puts a key that is worth nothing in the place of the other. The
    /// caller must not use it.
    pub(super) fn forget(&mut self) {
        self.secret.forget();
        // This fails for no suite there is, and the secret is gone in any case.
        if let Ok(worthless) = self.secret.direction_key(self.suite) {
            self.key = worthless;
        }
    }
}

impl fmt::Debug for RatchetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RatchetKey")
            .field("suite", &self.suite)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}
