//! Files with several names: the source numbers them, the sink makes the further names. Only such
//! files are remembered, and only up to a bound; beyond it each name is a file of its own.

use std::collections::HashMap;
use std::rc::Rc;

use e2eeftp_vfs::TreeStat;

use super::dirs::Node;

/// Files with several names that are remembered at a time.
const MAX_REMEMBERED: usize = 200_000;

/// The source's numbers.
#[derive(Default)]
pub(super) struct SourceLinks {
    /// Number, and how many names are still to come, by device and inode.
    known: HashMap<(u64, u64), (u64, u64)>,
    next: u64,
}

impl SourceLinks {
    /// The number of a file, and whether this is its first name.
    pub(super) fn number(&mut self, stat: &TreeStat) -> Option<(u64, bool)> {
        if stat.name_count < 2 {
            return None;
        }
        if let Some((number, left)) = self.known.get_mut(&stat.identity) {
            let number = *number;
            *left -= 1;
            if *left == 0 {
                self.known.remove(&stat.identity);
            }
            return Some((number, false));
        }
        if self.known.len() >= MAX_REMEMBERED {
            return None;
        }
        self.next += 1;
        self.known.insert(stat.identity, (self.next, stat.name_count - 1));
        Some((self.next, true))
    }
}

/// A name in a directory of the sink.
pub(super) struct Name<T> {
    pub(super) directory: Rc<Node<T>>,
    pub(super) name: Vec<u8>,
}

/// What has become of the first name of a file.
pub(super) enum FirstName<T> {
    /// It is there, as the file with this identity; `None` in a dry run.
    Stored { directory: Rc<Node<T>>, name: Vec<u8>, identity: Option<(u64, u64)> },
    /// Its content is still to come; these names wait for it.
    Waiting { first: Option<Name<T>>, names: Vec<Name<T>> },
    /// It is not there, and will not be.
    Failed,
}

/// A large file, which is there by now, and the names that have waited for it.
pub(super) struct Late<T> {
    pub(super) number: u64,
    pub(super) first: Option<Name<T>>,
    pub(super) names: Vec<Name<T>>,
}

/// The sink's memory of first names.
pub(super) struct SinkLinks<T> {
    known: HashMap<u64, FirstName<T>>,
    waiting: usize,
}

impl<T> SinkLinks<T> {
    pub(super) fn new() -> Self {
        Self { known: HashMap::new(), waiting: 0 }
    }

    /// Whether one more can be remembered: a source that respects the bound is never refused.
    pub(super) fn has_room(&self) -> bool {
        self.known.len() + self.waiting < 4 * MAX_REMEMBERED
    }

    pub(super) fn get(&self, number: u64) -> Option<&FirstName<T>> {
        self.known.get(&number)
    }

    /// The first name was announced, and its content is to come.
    /// `first` is kept for a large file, which nobody tells of when it is there.
    pub(super) fn expect(&mut self, number: u64, first: Option<Name<T>>) {
        self.known.insert(number, FirstName::Waiting { first, names: Vec::new() });
    }

    /// A further name of a file whose content is to come.
    pub(super) fn wait(&mut self, number: u64, name: Name<T>) {
        if let Some(FirstName::Waiting { names, .. }) = self.known.get_mut(&number) {
            names.push(name);
            self.waiting += 1;
        }
    }

    /// The first name is settled; gives the names that have waited for it.
    pub(super) fn settle(&mut self, number: u64, first: FirstName<T>) -> Vec<Name<T>> {
        match self.known.insert(number, first) {
            Some(FirstName::Waiting { names, .. }) => {
                self.waiting -= names.len();
                names
            }
            _ => Vec::new(),
        }
    }

    /// The names that still wait when everything else is done: for large files.
    pub(super) fn drain_waiting(&mut self) -> Vec<Late<T>> {
        let mut rest = Vec::new();
        for (number, first) in &mut self.known {
            if let FirstName::Waiting { first, names } = first
                && !names.is_empty()
            {
                rest.push(Late {
                    number: *number,
                    first: first.take(),
                    names: std::mem::take(names),
                });
            }
        }
        self.waiting = 0;
        rest
    }
}
