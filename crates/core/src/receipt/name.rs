//! The name of a file in a receipt: a commitment in the statement, revealed beside it.

use core::fmt;

use crate::crypto::hash::sha256;
use crate::receipt::hex::digits;
use crate::{Error, ReceiptFault};

/// Length of the salt of a commitment, in bytes.
pub const SALT_LEN: usize = 32;
/// The longest name, in bytes: what a path may have, and the slash in front.
pub const MAX_NAME_LEN: usize = 4097;

const TEXT: &[u8] = b"e2eeftp/1 receipt name";

/// A name and the salt of its commitment. Invariant: the name is a path in its one form: it begins
/// with `/`, no component is empty, `.` or `..`, there is no NUL byte, and it is not the root.
#[derive(Clone, PartialEq, Eq)]
pub struct Name {
    path: Vec<u8>,
    salt: [u8; SALT_LEN],
}

impl Name {
    /// `path` as bytes, with 32 random bytes that hide it.
    ///
    /// # Errors
    /// [`ReceiptFault::Form`] unless it is a path in its one form of at most [`MAX_NAME_LEN`] bytes.
    pub fn new(path: &[u8], salt: [u8; SALT_LEN]) -> Result<Self, Error> {
        let components = path.strip_prefix(b"/").ok_or(ReceiptFault::Form)?;
        let is_plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
        if path.len() > MAX_NAME_LEN
            || path.contains(&0)
            || !components.split(|byte| *byte == b'/').all(is_plain)
        {
            return Err(ReceiptFault::Form.into());
        }
        Ok(Self { path: path.to_vec(), salt })
    }

    /// The path, counted from the client's root.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// The salt.
    pub fn salt(&self) -> &[u8; SALT_LEN] {
        &self.salt
    }

    /// What a statement says about the name:
    /// `SHA-256("e2eeftp/1 receipt name" ‖ 0x00 ‖ salt 32 ‖ path)`.
    pub fn commitment(&self) -> [u8; 32] {
        let mut message = TEXT.to_vec();
        message.push(0);
        message.extend_from_slice(&self.salt);
        message.extend_from_slice(&self.path);
        sha256(&message)
    }

    /// The path as a receipt writes it: what is not a visible character of ASCII, and `%`, as `%XX`.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.path.len());
        for byte in &self.path {
            if byte.is_ascii_graphic() && *byte != b'%' {
                text.push(char::from(*byte));
            } else {
                text.push('%');
                text.extend(digits(*byte).map(|digit| digit.to_ascii_uppercase()));
            }
        }
        text
    }

    /// Reads what [`to_text`](Self::to_text) writes, and more: the caller compares.
    pub(super) fn from_text(text: &str, salt: [u8; SALT_LEN]) -> Option<Self> {
        let mut path = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            if *first == b'%' {
                let (digits, after) = after.split_at_checked(2)?;
                path.push(u8::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?);
                rest = after;
            } else {
                path.push(*first);
                rest = after;
            }
        }
        Self::new(&path, salt).ok()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name")
    }
}
