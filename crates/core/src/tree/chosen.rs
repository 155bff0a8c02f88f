//! A list of paths in place of a whole tree (`--files-from`): each file that is named, each directory
//! that is named with all that is in it, and the directories on the way.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::message::{MAX_PATH_LEN, check_name};
use crate::{Error, PeerFault};

/// Most bytes of a list, its overhead included.
pub const MAX_CHOSEN_LEN: usize = 16 << 20;
/// What a path takes beside its bytes.
const PATH_OVERHEAD: usize = 64;

/// The chosen paths.
#[derive(Clone, Debug, Default)]
pub struct ChosenPaths {
    /// Each with whether it was met.
    paths: BTreeMap<Vec<u8>, bool>,
    len: usize,
}

impl ChosenPaths {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a path from the top of the tree. Empty components and `.` are left out; a path without
    /// any other means the whole tree.
    ///
    /// # Errors
    /// [`PeerFault`] for a component that is no name, `..` for example, and for a list that is too
    /// long.
    pub fn push(&mut self, path: &[u8]) -> Result<(), Error> {
        let mut clean = Vec::with_capacity(path.len());
        for component in path.split(|&byte| byte == b'/') {
            if component.is_empty() || component == b"." {
                continue;
            }
            if !check_name(component) {
                return Err(PeerFault::Value.into());
            }
            if !clean.is_empty() {
                clean.push(b'/');
            }
            clean.extend_from_slice(component);
        }
        self.len += clean.len() + PATH_OVERHEAD;
        if clean.len() > MAX_PATH_LEN || self.len > MAX_CHOSEN_LEN {
            return Err(PeerFault::Length.into());
        }
        self.paths.insert(clean, false);
        Ok(())
    }

    /// Whether `path` belongs to the tree; it is marked as met.
    pub fn takes(&mut self, path: &[u8], is_directory: bool) -> bool {
        if let Some(is_met) = self.paths.get_mut(path) {
            *is_met = true;
            return true;
        }
        let mut above = path;
        while let Some(slash) = above.iter().rposition(|&byte| byte == b'/') {
            above = &above[..slash];
            if self.paths.contains_key(above) {
                return true;
            }
        }
        if self.paths.contains_key(&b""[..]) {
            return true;
        }
        is_directory && self.is_above(path)
    }

    fn is_above(&self, path: &[u8]) -> bool {
        let prefix = [path, b"/"].concat();
        let from = (Bound::Included(&prefix[..]), Bound::Unbounded);
        self.paths.range::<[u8], _>(from).next().is_some_and(|(next, _)| next.starts_with(&prefix))
    }

    /// The paths in the order of their bytes.
    pub fn paths(&self) -> impl Iterator<Item = &[u8]> {
        self.paths.keys().map(Vec::as_slice)
    }

    /// Those that [`ChosenPaths::takes`] was not asked about.
    pub fn missing(&self) -> impl Iterator<Item = &[u8]> {
        let missed = self.paths.iter().filter(|(path, is_met)| !**is_met && !path.is_empty());
        missed.map(|(path, _)| path.as_slice())
    }
}
