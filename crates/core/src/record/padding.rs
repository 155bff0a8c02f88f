//! Bucket sizes for small records, so that a length says little about its content.

/// The smallest bucket for the inner part of a record.
const MIN_BUCKET: usize = 64;
/// Buckets never lie further apart than this, which keeps the padding below
/// [`MAX_PAD`](crate::record::MAX_PAD).
const MAX_STEP: usize = 4096;

/// The smallest bucket that holds `inner_len` bytes.
///
/// Padmé (Nikitin et al., PETS 2019): a bucket length has at most as many significant bits as
/// its exponent has bits. The overhead is at most 12 %, and the length leaks O(log log n) bits.
pub(super) fn bucket(inner_len: usize) -> usize {
    if inner_len <= MIN_BUCKET {
        return MIN_BUCKET;
    }
    let exponent = inner_len.ilog2();
    let significant = exponent.ilog2() + 1;
    let step = (1 << (exponent - significant)).min(MAX_STEP);
    inner_len.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{INNER_LEN, MAX_CONTENT, MAX_PAD};

    #[test]
    fn buckets_are_fixed_points_and_close() {
        let mut previous = 0;
        for len in 1..=INNER_LEN + MAX_CONTENT {
            let size = bucket(len);
            assert!(size >= len && size >= previous && size - len < MAX_PAD);
            assert!(size == MIN_BUCKET || (size - len) * 100 <= len * 12, "{len} -> {size}");
            assert_eq!(bucket(size), size);
            previous = size;
        }
    }

    #[test]
    fn known_buckets() {
        for (len, size) in [(8, 64), (64, 64), (65, 72), (100, 104), (1000, 1024), (9000, 9216)] {
            assert_eq!(bucket(len), size, "{len}");
        }
    }
}
