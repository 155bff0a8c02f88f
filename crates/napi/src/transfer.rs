//! The handle of one operation.

use e2eeftp_net::Transfer;
use napi_derive::napi;

use crate::error::number;
use crate::stats::NativeStats;

/// Samples and cancels one operation. Make a new one for each.
#[napi]
pub struct NativeTransfer {
    pub(crate) transfer: Transfer,
}

/// A snapshot of a running operation.
#[napi(object)]
pub struct NativeProgress {
    /// Content bytes moved so far, and those of `kept`.
    pub transferred: f64,
    /// Content bytes that were there already and are not moved again.
    pub kept: f64,
    /// Bytes that have crossed the network for a compressed body; 0 for any other.
    pub coded: f64,
    /// Content bytes in all, -1 while unknown.
    pub total: f64,
    /// `waiting`, `moving`, `waiting-for-space`, `finishing` or `done`.
    pub phase: String,
}

#[napi]
impl NativeTransfer {
    /// A transfer may keep to the rate limit of another one, together with it.
    #[napi(constructor)]
    pub fn new(limited_with: Option<&NativeTransfer>) -> Self {
        let transfer = limited_with.map(|other| other.transfer.limited_with()).unwrap_or_default();
        Self { transfer }
    }

    /// Asks the operation to stop. Idempotent.
    #[napi]
    pub fn cancel(&self) {
        self.transfer.cancel();
    }

    /// Limits the bytes a second from now on; 0 means no limit.
    #[napi]
    pub fn set_rate_limit(&self, rate: f64) {
        self.transfer.set_rate_limit(rate_limit(rate));
    }

    /// Where the time goes so far.
    #[napi]
    pub fn stats(&self) -> NativeStats {
        (&self.transfer.stats()).into()
    }

    /// Counts from nothing again, for another try of the same operation.
    #[napi]
    pub fn restart(&self) {
        self.transfer.restart();
    }

    /// What has moved so far.
    #[napi]
    pub fn progress(&self) -> NativeProgress {
        let progress = self.transfer.progress();
        NativeProgress {
            transferred: number(progress.transferred),
            kept: number(progress.kept),
            coded: number(progress.coded),
            total: progress.total.map_or(-1.0, number),
            phase: progress.phase.as_str().to_owned(),
        }
    }
}

/// Bytes a second from JavaScript; what is negative or no number means no limit.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and fractions of a byte do not matter"
)]
pub(crate) fn rate_limit(rate: f64) -> u64 {
    rate.ceil() as u64
}
