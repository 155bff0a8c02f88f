//! Times on their way to JavaScript and back, to the nanosecond.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::thrown;

const NS_PER_MS: i128 = 1_000_000;
/// The times that a JavaScript `Date` can hold.
const MAX_MS: f64 = 8.64e15;

/// Whole milliseconds since 1970, rounded down, and the nanoseconds above them, 0 to 999,999.
pub(crate) fn split(time: SystemTime) -> (i64, u32) {
    let ns = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
    };
    let ms = i64::try_from(ns.div_euclid(NS_PER_MS)).unwrap_or(0);
    (ms, u32::try_from(ns.rem_euclid(NS_PER_MS)).unwrap_or(0))
}

/// Milliseconds since 1970 on their way to JavaScript: exact for every time that its `Date` holds.
#[expect(
    clippy::cast_precision_loss,
    reason = "whole milliseconds are exact up to the year 285428"
)]
pub(crate) fn ms_number(ms: i64) -> f64 {
    ms as f64
}

/// A time from milliseconds, with fractions, since 1970.
pub(crate) fn from_ms(ms: f64) -> napi::Result<SystemTime> {
    let whole = ms.floor();
    // Just below a whole number the difference rounds up to 1.
    from_parts(whole, ((ms - whole) * 1e6).floor().min(999_999.0))
}

/// The inverse of [`split`]: a time from whole milliseconds and the nanoseconds above them.
pub(crate) fn join(ms: f64, ns: u32) -> napi::Result<SystemTime> {
    if ms.fract() == 0.0 { from_parts(ms, ns.into()) } else { Err(out_of_range()) }
}

/// `ms` has no fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the ranges are checked, and whole numbers in them are exact"
)]
fn from_parts(ms: f64, ns: f64) -> napi::Result<SystemTime> {
    if !((-MAX_MS..=MAX_MS).contains(&ms) && (0.0..1e6).contains(&ns)) {
        return Err(out_of_range());
    }
    let distance = Duration::from_millis(ms.abs() as u64);
    let base =
        if ms < 0.0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    base.and_then(|base| base.checked_add(Duration::from_nanos(ns as u64))).ok_or_else(out_of_range)
}

fn out_of_range() -> napi::Error {
    thrown("E2EEFTP_INVALID_ARGUMENT", "a time is out of range")
}
