//! The handle of one operation.

use e2eeftp_net::Transfer;
use napi_derive::napi;

use crate::error::number;

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
    /// `waiting`, `moving`, `finishing` or `done`.
    pub phase: String,
}

#[napi]
impl NativeTransfer {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self { transfer: Transfer::new() }
    }

    /// Asks the operation to stop. Idempotent.
    #[napi]
    pub fn cancel(&self) {
        self.transfer.cancel();
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
