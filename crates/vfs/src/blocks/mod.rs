//! Staged files that are filled block by block, in any order and by several threads, and that a later
//! transfer can go on with.

mod adopt;
mod journal_file;
mod local;

use std::io::IoSlice;

use e2eeftp_core::transfer::{BlockLayout, KeptBlock};

use crate::error::Result;
use crate::metadata::Metadata;
use crate::storage::{CommitOptions, StageOptions};

pub(crate) use local::LocalBlocks;

/// A new file of known length that is not visible yet, filled by blocks.
///
/// Dropping it without [`BlockStaged::commit`] or [`BlockStaged::abort`] leaves what its journal holds for
/// a later transfer with the same key; where the journal holds nothing, it aborts.
pub trait BlockStaged: Send + Sync {
    /// The blocks of the file.
    fn layout(&self) -> &BlockLayout;

    /// The blocks that the journal claimed when the file was staged. Their content is as it was when it
    /// was written, unless the disk or somebody else has changed it since: whoever relies on it reads it.
    fn kept(&self) -> &[KeptBlock];

    /// Fills as many of the `wanted` blocks as possible from the file that now has the target's name, and
    /// returns them. Where the file system can, the two share the disk's blocks. Nothing is filled
    /// unless [`BlockStageOptions::adopt`] was set, or where that name is no regular file.
    ///
    /// # Errors
    /// `Cancelled` once `cancelled` says so; `NoSpace`, `Io`.
    fn adopt(&self, wanted: &[u32], cancelled: &dyn Fn() -> bool) -> Result<Vec<KeptBlock>>;

    /// Writes all of `bufs` at `offset`. `bufs` is consumed: its contents are unspecified after.
    ///
    /// # Errors
    /// `NoSpace`; `TooLarge` above the announced length, the limit, or what the file system can hold.
    fn write_at(&self, bufs: &mut [IoSlice<'_>], offset: u64) -> Result<()>;

    /// Makes `len` bytes at `offset` read as zeros, without taking room where possible.
    ///
    /// # Errors
    /// As [`BlockStaged::write_at`].
    fn zero(&self, offset: u64, len: u64) -> Result<()>;

    /// Reads from `offset` into `buf` and returns the bytes read: fewer than asked for only at the end.
    ///
    /// # Errors
    /// `Io`.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize>;

    /// Claims `blocks`, which are written, in the journal: first their data is made durable, where the
    /// file was staged as durable, then the entry. Does nothing without a key.
    ///
    /// # Errors
    /// Those of making the data durable: it may be lost, so nothing is claimed any more. A journal that
    /// can't be written ends with the first error, which [`BlockStaged::take_journal_error`] tells; the
    /// transfer goes on without it, and what it has claimed before stays.
    fn checkpoint(&self, blocks: &[KeptBlock]) -> Result<()>;

    /// Notes that `blocks` are written: if the file is dropped without a commit, they are claimed then.
    fn note(&self, blocks: Vec<KeptBlock>);

    /// Takes the claim to `blocks` back, which were found damaged.
    ///
    /// # Errors
    /// If the journal can be neither changed nor removed.
    fn retract(&self, blocks: &[u32]) -> Result<()>;

    /// Why there is no journal any more, where that is so; told once.
    fn take_journal_error(&self) -> Option<crate::Error>;

    /// Makes the file appear under its name, complete or not at all, and removes the journal. Every block
    /// must have been written.
    ///
    /// # Errors
    /// As [`crate::Staged::commit`]. The staged file is still there after an error in front of the
    /// renaming.
    fn commit(&self, options: &CommitOptions) -> Result<Metadata>;

    /// Lets go of the file as a drop does, whoever else still holds this: what its journal claims stays
    /// for a later transfer, which may begin at once. Nothing may be written at the same time or later.
    /// Does nothing after a commit or [`BlockStaged::abort`].
    ///
    /// # Errors
    /// As [`BlockStaged::abort`], where there is nothing to stay.
    fn leave(&self) -> Result<()>;

    /// Removes staged file and journal. Does nothing after a commit.
    ///
    /// # Errors
    /// `Io` and others if they can't be removed.
    fn abort(&self) -> Result<()>;
}

/// How a file that is filled by blocks starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockStageOptions {
    /// As for every new file; `expected_len` must be there.
    pub stage: StageOptions,
    /// Whose transfer it is: what an earlier one with the same key and length has left at the same
    /// target is gone on with. Without, nothing is left behind either.
    pub key: Option<[u8; 16]>,
    /// The file has holes: no room is reserved ahead.
    pub is_sparse: bool,
    /// [`BlockStaged::adopt`] may read the file that has the target's name.
    pub adopt: bool,
    /// The journal claims only what a loss of power can't take.
    pub is_durable: bool,
}
