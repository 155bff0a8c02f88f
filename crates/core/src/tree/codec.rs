//! The numbers and strings of tree messages: LEB128 in the shortest form, strings behind their
//! length.

use crate::{Error, PeerFault};

/// Bits of the longest form of a number: ten bytes of seven.
const MAX_NUMBER_BITS: u32 = 70;

/// Appends `value`, seven bits a byte, the lowest first.
pub(super) fn put_number(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

/// Appends a signed number, the sign in the lowest bit.
pub(super) fn put_signed(value: i64, out: &mut Vec<u8>) {
    put_number(((value << 1) ^ (value >> 63)).cast_unsigned(), out);
}

/// Appends `bytes` behind their length.
pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_number(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Takes values off the front of a record's content.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        let (&first, rest) = self.rest.split_first().ok_or(PeerFault::Length)?;
        self.rest = rest;
        Ok(first)
    }

    /// A number in its shortest form.
    pub(super) fn number(&mut self) -> Result<u64, Error> {
        let mut value = 0_u64;
        for shift in (0..MAX_NUMBER_BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                return Err(PeerFault::Value.into());
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(PeerFault::Value.into())
    }

    pub(super) fn signed(&mut self) -> Result<i64, Error> {
        let value = self.number()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    pub(super) fn at_most(&mut self, max: u64) -> Result<u64, Error> {
        let value = self.number()?;
        if value > max { Err(PeerFault::Value.into()) } else { Ok(value) }
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(PeerFault::Length)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| PeerFault::Length.into())
    }

    /// A string of at most `max` bytes.
    pub(super) fn bytes(&mut self, max: usize) -> Result<&'a [u8], Error> {
        let len = self.at_most(max as u64)?;
        self.take(usize::try_from(len).map_err(|_| PeerFault::Length)?)
    }

    pub(super) fn text(&mut self, max: usize) -> Result<&'a str, Error> {
        core::str::from_utf8(self.bytes(max)?).map_err(|_| PeerFault::Value.into())
    }
}
