//! Directories on the way: each can be closed and opened again, so that depth costs no descriptors.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use e2eeftp_vfs::{Result, TreeDir};

/// Directories of one transfer that are open at a time.
const MAX_OPEN: usize = 64;

/// A directory of the tree, with what one side keeps about it.
pub(super) struct Node<T> {
    /// From the top; empty for the top.
    pub(super) path: Vec<u8>,
    /// How many directories are above it.
    pub(super) depth: usize,
    pub(super) state: T,
    identity: Cell<Option<(u64, u64)>>,
    handle: RefCell<Option<Arc<TreeDir>>>,
}

impl<T> Node<T> {
    /// Device and inode; `None` for one that is not there.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        self.identity.get()
    }

    /// The path of the entry `name`.
    pub(super) fn child_path(&self, name: &[u8]) -> Vec<u8> {
        if self.path.is_empty() { name.to_vec() } else { [&self.path[..], b"/", name].concat() }
    }
}

/// Keeps the directories that were used last open.
pub(super) struct OpenDirs<T> {
    open: VecDeque<Weak<Node<T>>>,
}

impl<T> OpenDirs<T> {
    pub(super) fn new() -> Self {
        Self { open: VecDeque::new() }
    }

    /// Takes in a directory; `None` for one that is not there.
    pub(super) fn add(
        &mut self,
        path: Vec<u8>,
        depth: usize,
        directory: Option<TreeDir>,
        state: T,
    ) -> Rc<Node<T>> {
        let identity = directory.as_ref().map(TreeDir::identity);
        let node = Rc::new(Node {
            path,
            depth,
            state,
            identity: Cell::new(identity),
            handle: RefCell::new(directory.map(Arc::new)),
        });
        if identity.is_some() {
            self.note(&node);
        }
        node
    }

    /// The directory, opened again with `reopen` if it was closed; `None` if it is not there.
    pub(super) fn get(
        &mut self,
        node: &Rc<Node<T>>,
        reopen: impl FnOnce(&[u8], (u64, u64)) -> Result<TreeDir>,
    ) -> Result<Option<Arc<TreeDir>>> {
        if let Some(handle) = &*node.handle.borrow() {
            return Ok(Some(Arc::clone(handle)));
        }
        let Some(identity) = node.identity.get() else { return Ok(None) };
        let handle = Arc::new(reopen(&node.path, identity)?);
        *node.handle.borrow_mut() = Some(Arc::clone(&handle));
        self.note(node);
        Ok(Some(handle))
    }

    fn note(&mut self, node: &Rc<Node<T>>) {
        self.open.push_back(Rc::downgrade(node));
        // Most directories are done with by the time their turn comes.
        while self.open.len() > MAX_OPEN {
            if let Some(oldest) = self.open.pop_front().and_then(|oldest| oldest.upgrade()) {
                oldest.handle.borrow_mut().take();
            }
        }
    }
}
