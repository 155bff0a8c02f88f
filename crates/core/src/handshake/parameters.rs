//! EE, what the server tells about itself once the channel is encrypted: 40 bytes.
//!
//! ```text
//! off  len  field
//! 0    4    the largest `len` a record may carry from now on, 20504 to 266264
//! 4    4    features offered: none in version 1, unknown ones are ignored
//! 8    8    the server's clock, seconds since 1970
//! 16   16   session id
//! 32   8    0
//! ```

use crate::record::{MAX_RECORD_BODY, MIN_RECORD_BODY_LIMIT};
use crate::{Error, PeerFault};

pub(crate) const WIRE_LEN: usize = 40;

pub(crate) struct Parameters {
    pub(crate) max_record_body: usize,
    pub(crate) unix_time: u64,
    pub(crate) session_id: [u8; 16],
}

impl Parameters {
    pub(crate) fn to_wire(&self) -> Result<[u8; WIRE_LEN], Error> {
        let max_record_body =
            u32::try_from(self.max_record_body).map_err(|_| PeerFault::Value)?.to_be_bytes();
        let mut out = [0; WIRE_LEN];
        out[..4].copy_from_slice(&max_record_body);
        out[8..16].copy_from_slice(&self.unix_time.to_be_bytes());
        out[16..32].copy_from_slice(&self.session_id);
        Ok(out)
    }

    pub(crate) fn from_wire(value: &[u8]) -> Result<Self, Error> {
        let value = <&[u8; WIRE_LEN]>::try_from(value).map_err(|_| PeerFault::Length)?;
        let (limit, rest) = value.split_first_chunk::<4>().ok_or(PeerFault::Length)?;
        let (_features, rest) = rest.split_first_chunk::<4>().ok_or(PeerFault::Length)?;
        let (unix_time, rest) = rest.split_first_chunk::<8>().ok_or(PeerFault::Length)?;
        let (session_id, zero) = rest.split_first_chunk::<16>().ok_or(PeerFault::Length)?;
        if zero != [0; 8] {
            return Err(PeerFault::Reserved.into());
        }
        let max_record_body = u32::from_be_bytes(*limit) as usize;
        if !(MIN_RECORD_BODY_LIMIT..=MAX_RECORD_BODY).contains(&max_record_body) {
            return Err(PeerFault::Value.into());
        }
        Ok(Self {
            max_record_body,
            unix_time: u64::from_be_bytes(*unix_time),
            session_id: *session_id,
        })
    }
}
