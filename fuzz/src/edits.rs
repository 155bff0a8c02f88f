//! Changes to a handshake under way: what someone on the path can do to the four messages.

use arbitrary::Arbitrary;

/// One change to one message.
#[derive(Arbitrary, Clone, Debug)]
pub struct Edit {
    /// Which message: 0 M1, 1 M3, 2 M4, 3 M5.
    message: u8,
    change: Change,
}

#[derive(Arbitrary, Clone, Debug)]
enum Change {
    /// Turns bits over.
    Flip { at: u16, bits: u8 },
    /// Writes bytes over what is there.
    Write { at: u16, bytes: Vec<u8> },
    /// Cuts the end off.
    Truncate { len: u16 },
    /// Makes it longer.
    Append { bytes: Vec<u8> },
    /// Puts another message of the same or of another connection in its place.
    Replace { by: u8, is_other_connection: bool },
    /// Takes a piece from the same place of another connection.
    Splice { at: u16, len: u16 },
}

impl Edit {
    /// Which message this is for, 0 to 3.
    pub fn target(&self) -> usize {
        usize::from(self.message % 4)
    }

    /// Applies the change. `same` and `other` are the messages of this connection, as far as they
    /// were recorded before, and of another one.
    pub fn apply(&self, message: &mut Vec<u8>, same: &[&Vec<u8>; 4], other: &[&Vec<u8>; 4]) {
        match &self.change {
            Change::Flip { at, bits } => {
                if let Some(byte) = message.get_mut(usize::from(*at)) {
                    *byte ^= bits;
                }
            }
            Change::Write { at, bytes } => {
                for (byte, new) in message.iter_mut().skip(usize::from(*at)).zip(bytes) {
                    *byte = *new;
                }
            }
            Change::Truncate { len } => message.truncate(usize::from(*len)),
            Change::Append { bytes } => message.extend_from_slice(bytes),
            Change::Replace { by, is_other_connection } => {
                let source = if *is_other_connection { other } else { same };
                message.clone_from(source[usize::from(by % 4)]);
            }
            Change::Splice { at, len } => {
                let from = other[self.target()];
                let start = usize::from(*at).min(from.len()).min(message.len());
                let end = (start + usize::from(*len)).min(from.len()).min(message.len());
                message[start..end].copy_from_slice(&from[start..end]);
            }
        }
    }
}
