//! The one clear answer to everything that fails.

use crate::record::{HEADER_LEN, KIND_REFUSAL};

/// The code of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// 1: refused. The same for every reason, so that a stranger learns nothing from it.
    General,
    /// 2: too busy. Only before the `ClientHello` has been looked at.
    Busy,
    /// 3: shutting down. Only before the `ClientHello` has been looked at.
    ShuttingDown,
}

impl Refusal {
    /// Length of the code on the wire.
    pub(crate) const WIRE_LEN: usize = 4;

    fn code(self) -> u8 {
        match self {
            Self::General => 1,
            Self::Busy => 2,
            Self::ShuttingDown => 3,
        }
    }

    /// Reads a whole record; `None` when it is not a refusal. A code that is not known is a
    /// refusal too.
    pub(crate) fn from_record(record: &[u8]) -> Option<Self> {
        let (head, code) = record.split_first_chunk::<HEADER_LEN>()?;
        if *head != [KIND_REFUSAL, 0, 0, 4] || code.len() != Self::WIRE_LEN {
            return None;
        }
        Some(match code {
            [0, 0, 0, 2] => Self::Busy,
            [0, 0, 0, 3] => Self::ShuttingDown,
            _ => Self::General,
        })
    }
}

/// The whole record that refuses a connection. It is sent in clear and nothing follows it.
pub fn refusal_record(code: Refusal) -> [u8; 8] {
    [KIND_REFUSAL, 0, 0, 4, 0, 0, 0, code.code()]
}
