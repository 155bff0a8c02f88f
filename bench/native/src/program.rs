//! What a small program for measuring needs: options, and its processor time.

use std::error::Error;
use std::fmt::Display;
use std::mem::MaybeUninit;
use std::str::FromStr;

/// Result of a program that prints its error and ends.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// The value that follows `name` among the arguments.
///
/// # Errors
/// If it is missing or malformed.
pub fn option<T: FromStr>(arguments: &[String], name: &str) -> Outcome<T>
where
    T::Err: Display,
{
    optional(arguments, name)?.ok_or_else(|| format!("{name} is missing").into())
}

/// The value that follows `name` among the arguments, if `name` is there.
///
/// # Errors
/// If it is malformed, or `name` is last.
pub fn optional<T: FromStr>(arguments: &[String], name: &str) -> Outcome<Option<T>>
where
    T::Err: Display,
{
    let Some(position) = arguments.iter().position(|argument| argument == name) else {
        return Ok(None);
    };
    let text = arguments.get(position + 1).ok_or_else(|| format!("{name} wants a value"))?;
    text.parse().map(Some).map_err(|error| format!("{name} {text}: {error}").into())
}

/// Whether `name` is among the arguments.
pub fn switch(arguments: &[String], name: &str) -> bool {
    arguments.iter().any(|argument| argument == name)
}

/// User and system time of this process with all its threads, in seconds (getrusage(2)).
pub fn cpu_seconds() -> f64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a `rusage` of this frame. The call does not fail for oneself.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    // SAFETY: all bytes are initialised, by `zeroed` and then by the kernel.
    let usage = unsafe { usage.assume_init() };
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a process are far below 2^52")]
fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}
