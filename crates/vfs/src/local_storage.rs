//! A directory of the local file system as a storage.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::blocks::{BlockStageOptions, BlockStaged, LocalBlocks};
use crate::copy::{CopyObserver, CopyOptions, CopyReport};
use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{ANCHOR, Jail, READ_DIRECTORY, READ_FILE, Resolver, file_type, stat_name};
use crate::list::LocalLister;
use crate::metadata::{FileType, Metadata};
use crate::path::VPath;
use crate::rename::RenameOptions;
use crate::source::{LocalSource, open_error};
use crate::space::Space;
use crate::staging::{LocalStaged, check_len};
use crate::storage::{
    Capabilities, Lister, Source, StageOptions, Staged, Storage, SweepReport, TreeLister,
};
use crate::sys::fs::{AtFlags, Mode};
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, OwnedFd};
use crate::tree::LocalTreeLister;
use crate::tree_access::{LinkPolicy, TreeReader, TreeWriteOptions, TreeWriter};
use crate::view::Grant;
use crate::{copy, remove, rename, space, sweep};

/// What a new directory permits, less the umask.
const NEW_DIRECTORY: Mode = Mode::RWXU.union(Mode::RWXG).union(Mode::RWXO);

/// A storage beneath a directory of this machine.
///
/// It holds the directory open: renaming it does not matter, and nothing outside can be named.
#[derive(Debug)]
pub struct LocalStorage {
    jail: Jail,
}

impl LocalStorage {
    /// Opens `path`, which may be or contain symbolic links, as the root.
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`, `NotPermitted`.
    pub fn open_root(path: &Path) -> Result<Self> {
        Self::with_resolver(path, Resolver::Auto)
    }

    /// As [`LocalStorage::open_root`], with a chosen way to resolve names.
    ///
    /// # Errors
    /// In addition `Unsupported` if the system lacks [`Resolver::Openat2`].
    pub fn with_resolver(path: &Path, resolver: Resolver) -> Result<Self> {
        Ok(Self { jail: Jail::open(path, resolver)? })
    }

    /// Opens the directory `path` after creating what is missing of it.
    fn ensure_directory(&self, path: &VPath) -> Result<OwnedFd> {
        let mut missing = Vec::new();
        let mut existing = path.clone();
        let mut directory = loop {
            let error = match self.jail.open_at(&existing, ANCHOR, "mkdir") {
                Ok(directory) => break directory,
                Err(error) => error,
            };
            match (existing.parent(), existing.file_name()) {
                (Some(parent), Some(name)) if error.kind() == ErrorKind::NotFound => {
                    missing.push(name.to_vec());
                    existing = parent;
                }
                _ => return Err(error),
            }
        };
        for name in missing.iter().rev() {
            match sys::fs::mkdirat(&directory, &name[..], NEW_DIRECTORY) {
                // Somebody else was faster, or it is a dangling link, which the open refuses.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(Error::from_errno("mkdir", errno)),
            }
            let lookup = self.jail.lookup();
            directory = lookup.open_strict(directory.as_fd(), name, ANCHOR).during("mkdir")?;
        }
        Ok(directory)
    }

    /// The directory and the name of a new file.
    fn staging_place<'p>(
        &self,
        path: &'p VPath,
        options: &StageOptions,
    ) -> Result<(OwnedFd, &'p [u8])> {
        creatable(path, "stage")?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Error::new(ErrorKind::IsDirectory, "stage"));
        };
        // Before a directory is made for a file that can't come.
        check_len(options)?;
        let directory = if options.make_parents {
            self.ensure_directory(&parent)?
        } else {
            self.jail.open_at(&parent, ANCHOR, "stage")?
        };
        Ok((directory, name))
    }

    fn create_directory(&self, path: &VPath) -> Result<()> {
        let Some((parent, name)) = self.jail.parent(path, "mkdir")? else {
            return Err(Error::new(ErrorKind::Exists, "mkdir"));
        };
        sys::fs::mkdirat(&parent, name, NEW_DIRECTORY).during("mkdir")
    }
}

/// Refuses a reserved name as if nothing had it, and one that the platform can't have.
fn visible(path: &VPath, op: &'static str) -> Result<()> {
    if !sys::can_name_all(path) {
        return Err(Error::new(ErrorKind::BadPath, op));
    }
    if path.is_reserved() { Err(Error::new(ErrorKind::NotFound, op)) } else { Ok(()) }
}

/// Refuses to create a reserved name, and one that the platform can't have.
fn creatable(path: &VPath, op: &'static str) -> Result<()> {
    if path.is_reserved() || !sys::can_name_all(path) {
        Err(Error::new(ErrorKind::BadPath, op))
    } else {
        Ok(())
    }
}

impl Storage for LocalStorage {
    fn stat(&self, path: &VPath) -> Result<Metadata> {
        visible(path, "stat")?;
        self.jail.stat(path).map(|stat| Metadata::from_stat(&stat))
    }

    fn list(&self, path: &VPath) -> Result<Box<dyn Lister>> {
        visible(path, "list")?;
        let directory = self.jail.open_at(path, READ_DIRECTORY, "list")?;
        Ok(Box::new(LocalLister::new(directory)?))
    }

    fn list_tree(&self, path: &VPath) -> Result<Box<dyn TreeLister>> {
        visible(path, "list")?;
        Ok(Box::new(LocalTreeLister::open(&self.jail, path)?))
    }

    fn remove_file(&self, path: &VPath) -> Result<()> {
        visible(path, "remove")?;
        let Some((parent, name)) = self.jail.parent(path, "remove")? else {
            return Err(Error::new(ErrorKind::IsDirectory, "remove"));
        };
        match sys::fs::unlinkat(&parent, name, AtFlags::empty()) {
            // POSIX allows EPERM for a directory.
            Err(Errno::PERM)
                if stat_name(parent.as_fd(), name)
                    .is_ok_and(|stat| file_type(&stat) == FileType::Directory) =>
            {
                Err(Error::new(ErrorKind::IsDirectory, "remove"))
            }
            result => result.during("remove"),
        }
    }

    fn remove_directory(&self, path: &VPath, recursive: bool) -> Result<()> {
        visible(path, "remove")?;
        let Some((parent, name)) = self.jail.parent(path, "remove")? else {
            return Err(Error::new(ErrorKind::NotPermitted, "remove"));
        };
        let stat = stat_name(parent.as_fd(), name).during("remove")?;
        if file_type(&stat) != FileType::Directory {
            return Err(Error::new(ErrorKind::NotDirectory, "remove"));
        }
        let lookup = self.jail.lookup();
        if recursive {
            remove::remove_tree(lookup, parent.as_fd(), name)
        } else {
            remove::remove_empty(lookup, parent.as_fd(), name)
        }
    }

    fn open_source(&self, path: &VPath) -> Result<Box<dyn Source>> {
        visible(path, "open")?;
        let file = self.jail.open_at(path, READ_FILE, "open").map_err(open_error)?;
        Ok(Box::new(LocalSource::new(file)?))
    }

    fn stage(&self, path: &VPath, options: &StageOptions) -> Result<Box<dyn Staged>> {
        let (directory, name) = self.staging_place(path, options)?;
        Ok(Box::new(LocalStaged::create(directory, name, options)?))
    }

    fn stage_blocks(
        &self,
        path: &VPath,
        options: &BlockStageOptions,
    ) -> Result<Box<dyn BlockStaged>> {
        let (directory, name) = self.staging_place(path, &options.stage)?;
        Ok(Box::new(LocalBlocks::open(directory, name, options)?))
    }

    fn make_directory(&self, path: &VPath, parents: bool) -> Result<()> {
        creatable(path, "mkdir")?;
        if !parents {
            return self.create_directory(path);
        }
        if let Some(parent) = path.parent() {
            self.ensure_directory(&parent)?;
        }
        match self.ensure_directory(path) {
            Err(error) if error.kind() == ErrorKind::NotDirectory => {
                Err(Error::new(ErrorKind::Exists, "mkdir"))
            }
            result => result.map(drop),
        }
    }

    fn rename(&self, from: &VPath, to: &VPath, options: &RenameOptions) -> Result<()> {
        visible(from, "move")?;
        creatable(to, "move")?;
        rename::rename(&self.jail, from, to, options)
    }

    fn copy(
        &self,
        from: &VPath,
        to: &VPath,
        options: &CopyOptions,
        observer: &dyn CopyObserver,
    ) -> Result<CopyReport> {
        visible(from, "copy")?;
        creatable(to, "copy")?;
        copy::copy(&self.jail, from, to, options, observer)
    }

    fn read_tree(&self, path: &VPath, links: LinkPolicy) -> Result<TreeReader> {
        visible(path, "open")?;
        TreeReader::open(&self.jail, path, links)
    }

    fn write_tree(
        &self,
        path: &VPath,
        grant: &Grant,
        options: &TreeWriteOptions,
    ) -> Result<TreeWriter> {
        creatable(path, "mkdir")?;
        let found = match self.jail.open_at(path, READ_DIRECTORY, "mkdir") {
            Ok(found) => Some(found),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let is_new = found.is_none();
        let top = match found {
            None if !options.dry_run => {
                self.ensure_directory(path)?;
                Some(self.jail.open_at(path, READ_DIRECTORY, "mkdir")?)
            }
            found => found,
        };
        let depth = path.components().count();
        Ok(TreeWriter::new(top, is_new, depth, self.jail.lookup(), grant.clone(), options))
    }

    fn space(&self, path: &VPath) -> Result<Space> {
        visible(path, "space")?;
        space::space(&self.jail, path)
    }

    fn enter(&self, path: &VPath) -> Result<Arc<dyn Storage>> {
        visible(path, "enter")?;
        Ok(Arc::new(Self { jail: self.jail.enter(path)? }))
    }

    fn sweep(&self, cancel: &AtomicBool) -> Result<SweepReport> {
        sweep::sweep(&self.jail, cancel)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomic_replace: true,
            atomic_refuse: true,
            random_write: true,
            durable: true,
            follows_links: self.jail.follows_links(),
        }
    }
}
