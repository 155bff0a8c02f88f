//! Telling valgrind what is secret: to memcheck it is memory without a value, so that a branch or
//! an address that depends on it is a fault.

use std::ffi::{c_int, c_uint, c_void};

unsafe extern "C" {
    fn e2eeftp_make_secret(start: *const c_void, len: usize);
    fn e2eeftp_make_public(start: *const c_void, len: usize);
    safe fn e2eeftp_is_watched() -> c_int;
    safe fn e2eeftp_fault_count() -> c_uint;
}

/// From here on nothing may depend on `bytes` but other bytes.
pub fn make_secret(bytes: &mut [u8]) {
    // SAFETY: the request reads no memory; it marks the range of a live, exclusive slice.
    unsafe { e2eeftp_make_secret(bytes.as_ptr().cast(), bytes.len()) }
}

/// What was computed from secrets and is sent, or decided, is public.
pub fn make_public(bytes: &mut [u8]) {
    // SAFETY: as above.
    unsafe { e2eeftp_make_public(bytes.as_ptr().cast(), bytes.len()) }
}

/// Whether valgrind runs this program.
pub fn is_watched() -> bool {
    e2eeftp_is_watched() != 0
}

/// How many different faults were found so far.
pub fn fault_count() -> u32 {
    e2eeftp_fault_count()
}
