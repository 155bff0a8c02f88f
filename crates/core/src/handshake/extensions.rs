//! The extension area of both hellos: `type u16 ‖ len u16 ‖ value`, then zeros.
//!
//! Version 1 defines no extension. Unknown ones are ignored, and a client always sends one of a
//! random type (GREASE, RFC 8701), so that a peer that can't ignore them is found at once.

use crate::{Error, PeerFault, Random};

/// The largest value of a GREASE extension.
const MAX_GREASE_LEN: u8 = 8;
/// Random bytes that [`write_grease`] draws: two for the type, one for the length, the value.
const GREASE_RANDOM_LEN: usize = 3 + MAX_GREASE_LEN as usize;

/// Checks an extension area; the types and values are of no interest yet.
///
/// # Errors
/// [`PeerFault::Length`] for an extension that does not fit, [`PeerFault::Reserved`] for bytes
/// after the end of the list that are not zero.
pub(crate) fn check(mut area: &[u8]) -> Result<(), Error> {
    while let Some((&[t0, t1, l0, l1], rest)) = area.split_first_chunk::<4>() {
        if [t0, t1] == [0, 0] {
            break;
        }
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        area = rest.get(len..).ok_or(PeerFault::Length)?;
    }
    if area.iter().any(|byte| *byte != 0) {
        return Err(PeerFault::Reserved.into());
    }
    Ok(())
}

/// Writes one extension of type `0x?A?A` with 0 to 8 random bytes at the start of `area`, which
/// is zero and has room for it.
pub(crate) fn write_grease(area: &mut [u8], random: &mut dyn Random) -> Result<(), Error> {
    let mut bytes = [0; GREASE_RANDOM_LEN];
    random.fill(&mut bytes)?;
    let len = bytes[2] % (MAX_GREASE_LEN + 1);
    let value = &bytes[3..3 + usize::from(len)];
    let header = [(bytes[0] & 0xf0) | 0x0a, (bytes[1] & 0xf0) | 0x0a, 0, len];
    area[..4].copy_from_slice(&header);
    area[4..4 + value.len()].copy_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_are_fine() {
        for area in [
            &[][..],
            &[0; 56],
            &[0x1a, 0x2a, 0, 0],
            &[0x1a, 0x2a, 0, 2, 9, 9, 0, 0],
            &[0x1a, 0x2a, 0, 2, 9, 9, 0, 1, 0, 1, 7, 0, 0, 0],
        ] {
            assert_eq!(check(area), Ok(()), "{area:?}");
        }
    }

    #[test]
    fn lists_that_are_not() {
        let (length, reserved) = (PeerFault::Length, PeerFault::Reserved);
        for (area, fault) in [
            (&[0x1a, 0x2a, 0, 1][..], length),
            (&[0x1a, 0x2a, 0xff, 0xff, 0, 0, 0], length),
            (&[0, 0, 0, 1, 0], reserved),
            (&[0, 0, 0, 0, 0, 1], reserved),
            (&[1], reserved),
            (&[0x1a, 0x2a, 0, 0, 0, 7], reserved),
        ] {
            assert_eq!(check(area), Err(fault.into()), "{area:?}");
        }
    }
}
