//! Secrets that leave nothing behind: kept in one place while they live, wiped when they are
//! dropped, and cleared from the stack that was used to compute them.
//!
//! A value that is moved is copied, and the old place keeps the bytes. So a secret that is passed
//! on lives on the heap, where a move copies a pointer; and what computes secrets runs in
//! [`on_clean_stack`].

use core::fmt;
use core::hint::black_box;
use core::ops::{Deref, DerefMut};

use zeroize::Zeroize as _;

/// Stack that is overwritten, in words: more than ML-KEM-768 and what surrounds it use.
const CLEARED_WORDS: usize = 64 * 1024 / 8;

/// `N` secret bytes on the heap; wiped when dropped.
pub(crate) struct SecretBytes<const N: usize>(Box<[u8; N]>);

impl<const N: usize> SecretBytes<N> {
    /// Zeros, to be written over.
    pub(crate) fn zeros() -> Self {
        Self(Box::new([0; N]))
    }
}

impl<const N: usize> Deref for SecretBytes<N> {
    type Target = [u8; N];

    fn deref(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> DerefMut for SecretBytes<N> {
    fn deref_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> Drop for SecretBytes<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> fmt::Debug for SecretBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretBytes").finish_non_exhaustive()
    }
}

/// Runs `work` and overwrites the stack that it has used.
///
/// For handshakes and for pumps, whose ciphers leave keys there. Costs a few microseconds. What
/// `work` returns must hold its secrets on the heap.
pub fn on_clean_stack<T>(work: impl FnOnce() -> T) -> T {
    let result = apart(work);
    clear_stack();
    result
}

/// A frame of its own, so that nothing of `work` ends up in the frame of the caller.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    black_box(work)()
}

#[inline(never)]
#[expect(clippy::large_stack_arrays, reason = "the stack is what is cleared")]
fn clear_stack() {
    // Zeros that somebody might look at have to be written.
    black_box(&mut [0_u64; CLEARED_WORDS]);
}
