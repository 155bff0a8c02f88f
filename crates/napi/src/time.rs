//! Times on their way to JavaScript and back, to the nanosecond.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::thrown;

const NS_PER_MS: i128 = 1_000_000;

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
    let distance = Duration::try_from_secs_f64(ms.abs() / 1000.0).map_err(|_| out_of_range())?;
    let time =
        if ms < 0.0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    time.ok_or_else(out_of_range)
}

/// The inverse of [`split`]: a time from whole milliseconds and the nanoseconds above them.
pub(crate) fn join(ms: f64, ns: u32) -> napi::Result<SystemTime> {
    if ms.fract() != 0.0 || i128::from(ns) >= NS_PER_MS {
        return Err(out_of_range());
    }
    from_ms(ms)?.checked_add(Duration::from_nanos(ns.into())).ok_or_else(out_of_range)
}

fn out_of_range() -> napi::Error {
    thrown("E2EEFTP_INVALID_ARGUMENT", "a time is out of range")
}
