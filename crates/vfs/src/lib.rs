//! Jailed, staged storage: what every protocol of e2eeftp reads from and writes to.
//!
//! A [`Storage`] is one tree of files. A [`VPath`] names something in it and can't name anything
//! outside; [`LocalStorage`] additionally resolves every name beneath a root descriptor inside the
//! kernel, so that a symbolic link or a concurrent rename can't lead out either. A new file is
//! always written to a hidden staged file in the destination directory and appears under its name
//! in one atomic step, or not at all. A [`View`] is a storage narrowed by a [`Grant`].
//!
//! All calls block; run them on threads made for that. No call follows a path in the host's name
//! space except those of [`local`], which serve the user's own files on the client side.
//!
//! Names starting with `.e2eeftp-` are reserved for staging: they are not listed, can't be opened
//! or removed (`NotFound`), and can't be created (`BadPath`).
//!
//! # Platforms
//! Linux 5.6 and later resolve with `openat2(RESOLVE_BENEATH)`. Older kernels, sandboxes that
//! forbid the call, and other Unix systems use a component walk which refuses every symbolic link.
//! On Windows the same walk is made of handles: no reparse point is followed, names are UTF-8, and
//! those that Windows takes for a device, a stream or another name are `BadPath`. Permission bits
//! mean nothing there, and links are not copied (`Unsupported`).

#[cfg(not(any(unix, windows)))]
compile_error!("e2eeftp-vfs supports Unix and Windows");

mod blocks;
mod copy;
mod copy_tree;
mod error;
mod jail;
mod list;
pub mod local;
mod local_storage;
mod metadata;
mod mode;
mod path;
mod preallocate;
mod remove;
mod rename;
mod source;
mod space;
mod staging;
mod staging_name;
mod storage;
mod sweep;
mod sys;
mod tree;
mod tree_access;
mod view;
mod writeback;

pub use blocks::{BlockStageOptions, BlockStaged};
pub use copy::{CopyObserver, CopyOptions, CopyReport};
pub use error::{Error, ErrorKind, Result};
pub use jail::Resolver;
pub use local_storage::LocalStorage;
pub use metadata::{Entry, FileType, Metadata};
pub use path::VPath;
pub use rename::RenameOptions;
pub use space::Space;
pub use storage::{
    Capabilities, CommitOptions, Durability, Lister, Overwrite, Source, StageOptions, Staged,
    Storage, SweepReport, TreeItem, TreeLister,
};
pub use tree_access::{
    Entered, LinkPolicy, NameIter, OpenFile, TreeDir, TreeReader, TreeStat, TreeWriteOptions,
    TreeWriter,
};
pub use view::{Grant, View};
