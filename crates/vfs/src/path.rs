//! Names inside a storage: canonical absolute paths of bytes that can't step out of the root.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::staging_name::is_reserved;

/// A canonical absolute path inside a storage.
///
/// Its bytes are `/` for the root, else `/a/b`: one slash before each component, none at the end.
/// No component is empty, `.`, `..`, longer than 255 bytes or holds a NUL byte; the whole has at
/// most 4096 bytes. Every other byte is part of a name, backslash, control characters and invalid
/// UTF-8 included.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VPath {
    /// Always canonical, see above.
    bytes: Vec<u8>,
}

impl VPath {
    /// The longest path in bytes, before and after parsing.
    pub const MAX_LEN: usize = 4096;
    /// The longest component in bytes.
    pub const MAX_COMPONENT_LEN: usize = 255;

    /// Parses what a peer sent. A relative path counts from the root, the empty path is the root.
    ///
    /// # Errors
    /// `BadPath` if a component is `..`, longer than 255 bytes or holds a NUL byte, or if the path
    /// is longer than 4096 bytes.
    pub fn parse(raw: &[u8]) -> Result<Self> {
        let bad = || Error::new(ErrorKind::BadPath, "path");
        if raw.len() > Self::MAX_LEN || raw.contains(&0) {
            return Err(bad());
        }
        let mut bytes = Vec::with_capacity(raw.len() + 1);
        for component in raw.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => return Err(bad()),
                name if name.len() > Self::MAX_COMPONENT_LEN => return Err(bad()),
                name => {
                    bytes.push(b'/');
                    bytes.extend_from_slice(name);
                }
            }
        }
        if bytes.is_empty() {
            bytes.push(b'/');
        }
        if bytes.len() > Self::MAX_LEN {
            return Err(bad());
        }
        Ok(Self { bytes })
    }

    /// The root, `/`.
    pub fn root() -> Self {
        Self { bytes: vec![b'/'] }
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.bytes.len() == 1
    }

    /// The components from the root down; none for the root.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split(|&byte| byte == b'/').filter(|component| !component.is_empty())
    }

    /// The directory that holds this name; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let slash = self.last_slash()?;
        Some(if slash == 0 {
            Self::root()
        } else {
            Self { bytes: self.bytes.get(..slash)?.to_vec() }
        })
    }

    /// The last component; `None` for the root.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.bytes.get(self.last_slash()? + 1..)
    }

    /// `relative` taken beneath this path: `/a` joined with `/b/c` is `/a/b/c`.
    ///
    /// # Errors
    /// `BadPath` if the result is longer than 4096 bytes.
    pub fn join(&self, relative: &Self) -> Result<Self> {
        if relative.is_root() {
            return Ok(self.clone());
        }
        if self.is_root() {
            return Ok(relative.clone());
        }
        if self.bytes.len() + relative.bytes.len() > Self::MAX_LEN {
            return Err(Error::new(ErrorKind::BadPath, "path"));
        }
        Ok(Self { bytes: [self.as_bytes(), relative.as_bytes()].concat() })
    }

    /// The path of the entry `name` of this directory, as a [`crate::Lister`] gives it.
    ///
    /// # Errors
    /// `BadPath` if `name` is not one valid component or the result is too long.
    pub fn child(&self, name: &[u8]) -> Result<Self> {
        let relative = Self::parse(name)?;
        if relative.file_name() != Some(name) {
            return Err(Error::new(ErrorKind::BadPath, "path"));
        }
        self.join(&relative)
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The path as system calls relative to the root's descriptor take it.
    pub(crate) fn as_relative(&self) -> &[u8] {
        match self.bytes.get(1..) {
            None | Some([]) => b".",
            Some(relative) => relative,
        }
    }

    /// Whether any component is reserved for staging.
    pub(crate) fn is_reserved(&self) -> bool {
        self.components().any(is_reserved)
    }

    /// Position of the slash before the last component; `None` for the root.
    fn last_slash(&self) -> Option<usize> {
        if self.is_root() { None } else { self.bytes.iter().rposition(|&byte| byte == b'/') }
    }
}

impl fmt::Debug for VPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VPath(\"{}\")", self.bytes.escape_ascii())
    }
}
