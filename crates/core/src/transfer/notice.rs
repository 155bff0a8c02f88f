//! What the receiver of a running body says about itself.

use crate::{Error, PeerFault};

/// The content of a Data record against the direction of a body (`docs/PROTOCOL.md` §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Notice {
    /// Empty: the receiver is still there, and takes what comes at its own pace.
    Alive,
    /// The byte 1: its disk is full; it goes on when there is room.
    NoSpace,
}

impl Notice {
    /// The content on the wire.
    pub fn to_wire(self) -> &'static [u8] {
        match self {
            Self::Alive => &[],
            Self::NoSpace => &[1],
        }
    }

    /// Reads the content of a record.
    ///
    /// # Errors
    /// [`PeerFault::Value`] for anything else.
    pub fn from_wire(content: &[u8]) -> Result<Self, Error> {
        match content {
            [] => Ok(Self::Alive),
            [1] => Ok(Self::NoSpace),
            _ => Err(PeerFault::Value.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_contents_are_read() {
        for notice in [Notice::Alive, Notice::NoSpace] {
            assert_eq!(Notice::from_wire(notice.to_wire()).unwrap(), notice);
        }
        for content in [&[0][..], &[2], &[1, 1], &[0; 100]] {
            assert!(Notice::from_wire(content).is_err(), "{content:?}");
        }
    }
}
