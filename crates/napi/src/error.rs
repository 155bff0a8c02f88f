//! Turns errors of the crates below into JavaScript errors.

use std::fmt;

use napi::Env;
use napi::bindgen_prelude::{PromiseRaw, ToNapiValue};

/// An error whose text starts with its code in brackets, which `src/native.ts` takes apart.
pub(crate) fn thrown(code: &str, text: impl fmt::Display) -> napi::Error {
    napi::Error::from_reason(format!("[{code}] {text}"))
}

/// Converts an error of a lower crate.
pub(crate) trait IntoThrown<T> {
    fn or_throw(self) -> napi::Result<T>;
}

impl<T> IntoThrown<T> for Result<T, e2eeftp_net::Error> {
    fn or_throw(self) -> napi::Result<T> {
        self.map_err(|error| thrown(error.code(), error))
    }
}

impl<T> IntoThrown<T> for Result<T, e2eeftp_vfs::Error> {
    fn or_throw(self) -> napi::Result<T> {
        self.map_err(|error| thrown(error.code(), error))
    }
}

impl<T> IntoThrown<T> for Result<T, e2eeftp_core::Error> {
    fn or_throw(self) -> napi::Result<T> {
        self.map_err(|error| thrown(error.code(), error))
    }
}

/// Something that was closed before, or is being used by another call.
pub(crate) fn closed(what: &str) -> napi::Error {
    thrown("E2EEFTP_CLOSED", format_args!("{what} is closed"))
}

/// A number from JavaScript that must be a whole number of bytes; negative means "not given".
pub(crate) fn optional_len(value: f64) -> napi::Result<Option<u64>> {
    if value < 0.0 { Ok(None) } else { len(value).map(Some) }
}

/// A number from JavaScript that must be a whole number of bytes below 2^53.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked, and the value has no fraction"
)]
pub(crate) fn len(value: f64) -> napi::Result<u64> {
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    if (0.0..LIMIT).contains(&value) && value.fract() == 0.0 {
        Ok(value as u64)
    } else {
        Err(thrown("E2EEFTP_INVALID_ARGUMENT", "a size must be a whole number below 2^53"))
    }
}

/// A byte count on its way to JavaScript, exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "files of more than 8 PiB are not supported")]
pub(crate) fn number(value: u64) -> f64 {
    value as f64
}

/// Runs `future` on the runtime and gives JavaScript the promise of its result.
pub(crate) fn promise<T, F>(env: &Env, future: F) -> napi::Result<PromiseRaw<'_, T>>
where
    T: 'static + Send + ToNapiValue,
    F: 'static + Send + Future<Output = napi::Result<T>>,
{
    env.spawn_future(future)
}

/// Runs a call that blocks on a thread made for it.
pub(crate) async fn blocking<T, F>(work: F) -> napi::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> napi::Result<T> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(thrown("E2EEFTP_INTERNAL", "a worker thread failed")))
}
