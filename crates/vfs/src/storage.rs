//! The interface between protocols and storage back ends.

use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use crate::blocks::{BlockStageOptions, BlockStaged};
use crate::copy::{CopyObserver, CopyOptions, CopyReport};
use crate::error::Result;
use crate::metadata::{Entry, Metadata};
use crate::path::VPath;
use crate::rename::RenameOptions;
use crate::space::Space;
use crate::tree_access::{LinkPolicy, TreeReader, TreeWriteOptions, TreeWriter};
use crate::view::Grant;

/// A tree of files.
///
/// Operations follow symbolic links only as far as they stay inside the tree; a link that leads
/// out is `NotPermitted`. Every call blocks. All errors are [`crate::Error`].
pub trait Storage: Send + Sync {
    /// What the name leads to, links followed.
    ///
    /// # Errors
    /// `NotFound` for a missing name or a dangling link, `NotPermitted` for one that leads out.
    fn stat(&self, path: &VPath) -> Result<Metadata>;

    /// The entries of a directory. Staged files are not among them.
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`, `NotPermitted`.
    fn list(&self, path: &VPath) -> Result<Box<dyn Lister>>;

    /// Everything beneath a directory. Links are reported, not followed; other mounted file
    /// systems are entered. Staged files are not among it.
    ///
    /// # Errors
    /// As [`Storage::list`]; what fails further down is reported by the lister.
    fn list_tree(&self, path: &VPath) -> Result<Box<dyn TreeLister>>;

    /// Removes a file or a symbolic link itself.
    ///
    /// # Errors
    /// `NotFound`, `IsDirectory`, `NotPermitted`, `ReadOnlyStorage`.
    fn remove_file(&self, path: &VPath) -> Result<()>;

    /// Removes a directory, with everything in it if `recursive`. Links in it are removed, not
    /// followed, and no other mounted file system is entered. A recursive removal that fails
    /// leaves what it has not reached.
    ///
    /// # Errors
    /// `NotEmpty`, `NotDirectory` (also for a link), `NotFound`, `NotPermitted` (also for the
    /// root), `Busy` if a staged file in it is still being written.
    fn remove_directory(&self, path: &VPath, recursive: bool) -> Result<()>;

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// `NotFound`, `IsDirectory`, `NotRegular`, `NotPermitted`, `TooManyOpen`.
    fn open_source(&self, path: &VPath) -> Result<Box<dyn Source>>;

    /// Starts a new file that will appear as `path` when it is committed.
    ///
    /// # Errors
    /// `IsDirectory` or `NotRegular` if the name is taken by such a thing, `Exists` if it is taken
    /// and `options.overwrite` refuses, `NotFound` if the directory is missing, `TooLarge` if the
    /// announced length is above `options.max_len`, `NoSpace` if there is not as much room as is
    /// needed at the moment, `BadPath` for a reserved name.
    fn stage(&self, path: &VPath, options: &StageOptions) -> Result<Box<dyn Staged>>;

    /// Starts a new file that is filled by blocks, or goes on with what an earlier transfer with the same
    /// key has left. While another one with that key runs, it starts from nothing and leaves nothing.
    ///
    /// # Errors
    /// As [`Storage::stage`]; `TooLarge` without an announced length.
    fn stage_blocks(
        &self,
        path: &VPath,
        options: &BlockStageOptions,
    ) -> Result<Box<dyn BlockStaged>>;

    /// Creates a directory. With `parents`, also the missing ones above, and one that is already
    /// there is a success.
    ///
    /// # Errors
    /// `Exists`, `NotFound` or `NotDirectory` for what is above, `BadPath` for a reserved name.
    fn make_directory(&self, path: &VPath, parents: bool) -> Result<()>;

    /// Gives `from` the name `to`, in one step. What is moved is the name itself: a symbolic link
    /// stays the link it is. A directory takes along what is in it, uploads under way included.
    /// A directory is never replaced.
    ///
    /// # Errors
    /// `NotFound`; `NotPermitted` for the root; `Exists` if `to` is taken and
    /// `options.overwrite` refuses, or is the same file; `IsDirectory` if it is taken by a
    /// directory, `NotDirectory` if a directory would replace something else, `NotRegular` for a
    /// pipe or device; `BadPath` for a reserved name and for a directory that would go into
    /// itself; `Unsupported` if the two are on different file systems.
    fn rename(&self, from: &VPath, to: &VPath, options: &RenameOptions) -> Result<()>;

    /// Copies what `from` leads to: a file, with its permission bits and its time, or with
    /// `options.recursive` a directory with all that is in it. Each file is staged and appears
    /// whole or not at all. A directory that is there is merged into; symbolic links in a
    /// directory are copied as links and replace nothing. A recursive copy that fails leaves the
    /// files that it has completed.
    ///
    /// # Errors
    /// As [`Storage::open_source`] and [`Storage::stage`]; `IsDirectory` for a directory without
    /// `recursive` and for the root as target; `Exists` for a copy onto itself; `BadPath` for a
    /// directory that would go into itself; `NotRegular` for a pipe or device, also inside a
    /// directory; `SourceChanged`; `Cancelled` once the observer says so.
    fn copy(
        &self,
        from: &VPath,
        to: &VPath,
        options: &CopyOptions,
        observer: &dyn CopyObserver,
    ) -> Result<CopyReport>;

    /// Opens the directory `path` to be read as a whole, by descriptors.
    ///
    /// # Errors
    /// As [`Storage::list`]; `Unsupported` where there are no descriptors.
    fn read_tree(&self, path: &VPath, links: LinkPolicy) -> Result<TreeReader>;

    /// Opens the directory `path` to be written as a whole, under `grant`; what is missing of it is
    /// made, except in a dry run.
    ///
    /// # Errors
    /// `NotDirectory`, `NotPermitted`, `BadPath`; `Unsupported` where there are no descriptors.
    fn write_tree(
        &self,
        path: &VPath,
        grant: &Grant,
        options: &TreeWriteOptions,
    ) -> Result<TreeWriter>;

    /// The room of the file system that holds `path`, a directory or a file.
    ///
    /// # Errors
    /// As [`Storage::stat`].
    fn space(&self, path: &VPath) -> Result<Space>;

    /// The storage whose root is the directory `path`. It holds the directory itself: no path of
    /// the result leads above it, even if the directory is renamed.
    ///
    /// # Errors
    /// As [`Storage::stat`], and `NotDirectory`.
    fn enter(&self, path: &VPath) -> Result<Arc<dyn Storage>>;

    /// Removes the staged files that nobody writes any more and no later transfer can go on with, beneath the root and on its file
    /// system. Call it when a server starts. Returns early once `cancel` is true.
    ///
    /// # Errors
    /// Only if the root itself can't be read; what fails beneath is counted in the report.
    fn sweep(&self, cancel: &AtomicBool) -> Result<SweepReport>;

    /// What this storage promises.
    fn capabilities(&self) -> Capabilities;
}

/// An open regular file.
pub trait Source: Send + Sync {
    /// Reads from `offset` into `buf` and returns the bytes read: all of `buf`, or fewer only at
    /// the end of the file.
    ///
    /// # Errors
    /// `Io`, `TooLarge` if `offset` is above what the system can address.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize>;

    /// What was known when the file was opened.
    fn metadata(&self) -> &Metadata;

    /// Compares size, modification time, change time and identity with those at open.
    ///
    /// Removing or replacing the name counts as a change. A write within the time stamp
    /// granularity of the file system (a few milliseconds on older kernels) right after opening
    /// that keeps the size goes unseen; the transfer's own hashes are what proves the content.
    ///
    /// # Errors
    /// `SourceChanged` if any of them differs.
    fn check_unchanged(&self) -> Result<()>;

    /// Tells the system that the file will be read once from start to end. Only a hint.
    fn advise_sequential(&self);

    /// The next piece of `range` that is no hole; `None` when all of it is one. Where nobody can tell,
    /// that is all of it. What is no data reads as zeros.
    ///
    /// # Errors
    /// `Io`.
    fn next_data(&self, range: Range<u64>) -> Result<Option<Range<u64>>> {
        Ok((!range.is_empty()).then_some(range))
    }

    /// Whether less room is taken than the length says, so that there are holes.
    fn is_sparse(&self) -> bool {
        false
    }
}

/// A new file that is not visible yet. Dropping it aborts.
pub trait Staged: Send {
    /// Writes all of `bufs` at `offset`. `bufs` is consumed: its contents are unspecified after.
    ///
    /// # Errors
    /// `NoSpace`; `TooLarge` above the announced length, the limit, or what the file system can
    /// hold. A failed write may have stored a part; abort then, or after `NoSpace` write the same
    /// bytes at the same offset again.
    fn write_at(&mut self, bufs: &mut [IoSlice<'_>], offset: u64) -> Result<()>;

    /// The end of the highest write so far, in bytes. It says nothing about gaps below: whoever
    /// writes out of order proves the content by its hash before committing.
    fn written_to(&self) -> u64;

    /// Makes the file appear under its name, complete or not at all.
    ///
    /// # Errors
    /// `SourceChanged` if fewer bytes were written than announced, `Exists` if the name is taken
    /// and must not be replaced, `IsDirectory`, `NotFound` if the directory is gone, `NoSpace`,
    /// `Io`. The old file is intact and the staged file is gone, except when the final directory
    /// sync fails: then the new file is in place, its name possibly not yet durable.
    fn commit(self: Box<Self>, options: &CommitOptions) -> Result<Metadata>;

    /// Removes the staged file.
    ///
    /// # Errors
    /// `Io` and others if it can't be removed; the next sweep will.
    fn abort(self: Box<Self>) -> Result<()>;
}

/// The entries of one directory, in pieces.
pub trait Lister: Send {
    /// The next entries, at most `max_entries` (at least one); empty when there are no more.
    /// Sorted by name when the directory has at most 10,000 names, else in the file system's
    /// order. An entry that disappears meanwhile is left out.
    ///
    /// # Errors
    /// `Io` and others if the directory can't be read on.
    fn next(&mut self, max_entries: usize) -> Result<Vec<Entry>>;
}

/// Something beneath a listed directory. `path` is relative to that: components joined by `/`,
/// short enough for a client to name it.
#[derive(Debug)]
pub enum TreeItem {
    /// A name, as [`Lister::next`] gives it.
    Entry {
        /// Not empty.
        path: Vec<u8>,
        /// About the name itself: a symbolic link is reported as such, not followed.
        metadata: Metadata,
    },
    /// A directory that can't be read, or not to its end; its names are missing, or those that
    /// are left. The rest of the tree follows.
    Unreadable {
        /// Empty for the listed directory itself.
        path: Vec<u8>,
        /// Why: `NotPermitted`; `NotFound` when it vanished meanwhile; `BadPath` when it has names
        /// with paths longer than [`VPath::MAX_LEN`]; `TooLarge` when it and 8
        /// directories above it are too large to be sorted; `Io` and others.
        error: crate::Error,
    },
}

/// Everything beneath one directory, one by one.
pub trait TreeLister: Send {
    /// The next item; `None` at the end, and from then on.
    ///
    /// A directory comes before what is in it, and all is in the order of the bytes of the paths,
    /// except in directories of more than 10,000 names: those are in the file system's order, and
    /// each directory in one is followed by what is in it. Also when 8 MiB of names are kept for
    /// the directories on the way, the next one is not sorted. An entry that disappears meanwhile
    /// is left out; one that is moved may be missed, or come twice.
    fn next(&mut self) -> Option<TreeItem>;
}

/// What to do when the name of a new file is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// Replace the old file atomically. A symbolic link is replaced itself.
    #[default]
    Replace,
    /// Fail with `Exists`.
    Refuse,
}

/// How a new file starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageOptions {
    /// The announced length in bytes; a commit with another length fails.
    pub expected_len: Option<u64>,
    /// Permission bits of the final file, within `0o777`; without, `0o666` less the umask.
    pub mode: Option<u32>,
    /// Whether the name may be taken.
    pub overwrite: Overwrite,
    /// Create the missing directories above.
    pub make_parents: bool,
    /// The most bytes the file may have.
    pub max_len: Option<u64>,
    /// Bytes of disk that it will take, where that is known and not `expected_len`: holes, and what
    /// is kept or shared, take none.
    pub needed: Option<u64>,
}

/// How sure to be that a committed file survives a loss of power.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The system writes it back in its own time.
    None,
    /// The content is on the disk before the name appears: after a crash, old or new, never half.
    #[default]
    File,
    /// As `File`, and the name is on the disk before the commit returns.
    Directory,
}

/// How a new file is completed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitOptions {
    /// Modification time to set; without, the time of the last write.
    pub modified: Option<SystemTime>,
    /// What must be on the disk.
    pub durability: Durability,
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Staged files removed.
    pub removed: u64,
    /// Staged files left because somebody writes them.
    pub in_use: u64,
    /// Staged files and journals left because a later transfer can go on with them.
    pub kept: u64,
    /// Directories and staged files that could not be read or removed.
    pub failed: u64,
    /// Directories visited.
    pub directories: u64,
    /// Whether the sweep ended early.
    pub cancelled: bool,
}

/// What a storage promises beyond the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each named")]
pub struct Capabilities {
    /// [`Overwrite::Replace`] is one atomic step.
    pub atomic_replace: bool,
    /// [`Overwrite::Refuse`] holds against concurrent writers.
    pub atomic_refuse: bool,
    /// Writes may come in any order.
    pub random_write: bool,
    /// [`Durability`] is honoured.
    pub durable: bool,
    /// Symbolic links inside the root are followed; otherwise each is refused.
    pub follows_links: bool,
}
