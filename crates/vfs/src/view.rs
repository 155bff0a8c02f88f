//! A storage as one principal may use it: every call checks the grant first.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::blocks::{BlockStageOptions, BlockStaged};
use crate::copy::{CopyObserver, CopyOptions, CopyReport};
use crate::error::{Error, ErrorKind, Result};
use crate::metadata::Metadata;
use crate::path::VPath;
use crate::rename::RenameOptions;
use crate::space::Space;
use crate::storage::{
    Capabilities, Lister, Overwrite, Source, StageOptions, Staged, Storage, TreeLister,
};
use crate::tree_access::{LinkPolicy, TreeReader, TreeWriteOptions, TreeWriter};

/// What a principal may do. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent permissions, each named")]
pub struct Grant {
    /// Read files.
    pub read: bool,
    /// Create files and directories.
    pub write: bool,
    /// List directories.
    pub list: bool,
    /// Remove files and directories.
    pub delete: bool,
    /// Replace existing files; only with `write`.
    pub overwrite: bool,
    /// The most bytes a new file may have.
    pub max_size: Option<u64>,
    /// The moment from which everything is refused.
    pub expires_at: Option<SystemTime>,
}

impl Grant {
    /// Everything, without limit.
    pub fn all() -> Self {
        Self {
            read: true,
            write: true,
            list: true,
            delete: true,
            overwrite: true,
            max_size: None,
            expires_at: None,
        }
    }
}

/// A storage narrowed by a grant.
///
/// Expiry and permission are checked when an operation starts; a transfer that has begun may end
/// after the grant does. Each method is the one of [`Storage`] with the same name, and in addition
/// fails with `Expired` or `NotPermitted`.
#[derive(Clone)]
pub struct View {
    storage: Arc<dyn Storage>,
    grant: Grant,
}

impl View {
    /// The part of `storage` that `grant` opens.
    pub fn new(storage: Arc<dyn Storage>, grant: Grant) -> Self {
        Self { storage, grant }
    }

    /// The grant this view enforces.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// What the storage promises.
    pub fn capabilities(&self) -> Capabilities {
        self.storage.capabilities()
    }

    /// See [`Storage::stat`]. Needs `read` or `list`.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn stat(&self, path: &VPath) -> Result<Metadata> {
        self.require(self.grant.read || self.grant.list, "stat")?;
        self.storage.stat(path)
    }

    /// See [`Storage::list`]. Needs `list`.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn list(&self, path: &VPath) -> Result<Box<dyn Lister>> {
        self.require(self.grant.list, "list")?;
        self.storage.list(path)
    }

    /// See [`Storage::list_tree`]. Needs `list`.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn list_tree(&self, path: &VPath) -> Result<Box<dyn TreeLister>> {
        self.require(self.grant.list, "list")?;
        self.storage.list_tree(path)
    }

    /// See [`Storage::remove_file`]. Needs `delete`.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn remove_file(&self, path: &VPath) -> Result<()> {
        self.require(self.grant.delete, "remove")?;
        self.storage.remove_file(path)
    }

    /// See [`Storage::remove_directory`]. Needs `delete`.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn remove_directory(&self, path: &VPath, recursive: bool) -> Result<()> {
        self.require(self.grant.delete, "remove")?;
        self.storage.remove_directory(path, recursive)
    }

    /// See [`Storage::open_source`]. Needs `read`.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn open_source(&self, path: &VPath) -> Result<Box<dyn Source>> {
        self.require(self.grant.read, "open")?;
        self.storage.open_source(path)
    }

    /// See [`Storage::stage`]. Needs `write`. Without `overwrite` an existing name is refused,
    /// whatever `options` say; the smaller of both limits on the length holds.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn stage(&self, path: &VPath, options: &StageOptions) -> Result<Box<dyn Staged>> {
        self.require(self.grant.write, "stage")?;
        self.storage.stage(path, &self.narrowed(options.clone()))
    }

    /// See [`Storage::stage_blocks`]. Needs `write`, and the rules of [`View::stage`] hold. Without `read`
    /// nothing is adopted: the blocks of a file tell what is in it.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn stage_blocks(
        &self,
        path: &VPath,
        options: &BlockStageOptions,
    ) -> Result<Box<dyn BlockStaged>> {
        self.require(self.grant.write, "stage")?;
        let mut options = options.clone();
        options.adopt &= self.grant.read;
        options.stage = self.narrowed(options.stage);
        self.storage.stage_blocks(path, &options)
    }

    /// See [`Storage::make_directory`]. Needs `write`.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn make_directory(&self, path: &VPath, parents: bool) -> Result<()> {
        self.require(self.grant.write, "mkdir")?;
        self.storage.make_directory(path, parents)
    }

    /// See [`Storage::rename`]. Needs `delete` for the old name and `write` for the new one; without
    /// `overwrite` a name that is taken is refused, whatever `options` say.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn rename(&self, from: &VPath, to: &VPath, options: &RenameOptions) -> Result<()> {
        self.require(self.grant.delete && self.grant.write, "move")?;
        let mut options = options.clone();
        if !self.grant.overwrite {
            options.overwrite = Overwrite::Refuse;
        }
        self.storage.rename(from, to, &options)
    }

    /// See [`Storage::copy`]. Needs `read` and `write`; without `overwrite` a name that is taken is
    /// refused, whatever `options` say; the smaller of both limits on the length holds for each
    /// file.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn copy(
        &self,
        from: &VPath,
        to: &VPath,
        options: &CopyOptions,
        observer: &dyn CopyObserver,
    ) -> Result<CopyReport> {
        self.require(self.grant.read && self.grant.write, "copy")?;
        let mut options = options.clone();
        if !self.grant.overwrite {
            options.overwrite = Overwrite::Refuse;
        }
        options.max_len = self.smaller_limit(options.max_len);
        self.storage.copy(from, to, &options, observer)
    }

    /// See [`Storage::read_tree`]. Needs `read` and `list`.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn read_tree(&self, path: &VPath, links: LinkPolicy) -> Result<TreeReader> {
        self.require(self.grant.read && self.grant.list, "open")?;
        self.storage.read_tree(path, links)
    }

    /// See [`Storage::write_tree`]. Needs `write`, and `delete` and `list` if names are to be
    /// removed. Without `overwrite` a name that is taken is refused, whatever `options` say.
    /// Without `read` and `list` the peer does not learn what is there. What was granted is checked
    /// again for each entry, the end of the grant included.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn write_tree(&self, path: &VPath, options: &TreeWriteOptions) -> Result<TreeWriter> {
        let may_delete = self.grant.delete && self.grant.list;
        self.require(self.grant.write && (may_delete || !options.delete), "store")?;
        // What would happen tells what is there.
        self.require(!options.dry_run || self.grant.list, "list")?;
        let mut options = options.clone();
        if !self.grant.overwrite {
            options.overwrite = Overwrite::Refuse;
        }
        self.storage.write_tree(path, &self.grant, &options)
    }

    /// See [`Storage::space`]. Needs `list` or `write`: who may look, and who has to know what fits.
    ///
    /// # Errors
    /// Those of the storage, `Expired`, `NotPermitted`.
    pub fn space(&self, path: &VPath) -> Result<Space> {
        self.require(self.grant.list || self.grant.write, "space")?;
        self.storage.space(path)
    }

    fn narrowed(&self, mut options: StageOptions) -> StageOptions {
        if !self.grant.overwrite {
            options.overwrite = Overwrite::Refuse;
        }
        options.max_len = self.smaller_limit(options.max_len);
        options
    }

    /// The smaller one of what is asked for and what is granted.
    fn smaller_limit(&self, asked: Option<u64>) -> Option<u64> {
        match (asked, self.grant.max_size) {
            (Some(asked), Some(granted)) => Some(asked.min(granted)),
            (asked, granted) => asked.or(granted),
        }
    }

    fn require(&self, permitted: bool, op: &'static str) -> Result<()> {
        if self.grant.expires_at.is_some_and(|end| SystemTime::now() >= end) {
            return Err(Error::new(ErrorKind::Expired, op));
        }
        if permitted { Ok(()) } else { Err(Error::new(ErrorKind::NotPermitted, op)) }
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("grant", &self.grant).finish_non_exhaustive()
    }
}
