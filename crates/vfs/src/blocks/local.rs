//! Block by block into a hidden file of the destination directory.

use std::io::IoSlice;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::journal_file::{self, JournalFile};
use super::{BlockStageOptions, BlockStaged, adopt};
use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{file_type, stat_name};
use crate::metadata::{FileType, Metadata};
use crate::preallocate::may_share;
use crate::space::check_room;
use crate::staging::{LocalStaged, sync_content, write_all};
use crate::staging_name;
use crate::storage::{CommitOptions, StageOptions, Staged};
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, BorrowedFd, OwnedFd};
use e2eeftp_core::crypto::BlockValue;
use e2eeftp_core::transfer::{BlockLayout, KeptBlock};

/// See [`BlockStaged`].
#[derive(Debug)]
pub(crate) struct LocalBlocks {
    layout: BlockLayout,
    kept: Vec<KeptBlock>,
    directory: OwnedFd,
    target_name: Vec<u8>,
    /// The staged file once more, for reads and writes that need no lock.
    file: OwnedFd,
    /// `None` once it was committed or aborted.
    staged: Mutex<Option<LocalStaged>>,
    /// Held while data is made durable and claimed, never while a block is written.
    journal: Mutex<Claims>,
    may_adopt: bool,
    is_durable: bool,
}

#[derive(Debug)]
struct Claims {
    /// `None` without a key, and where the journal can't be had.
    file: Option<JournalFile>,
    /// Written and not claimed: see [`BlockStaged::note`].
    noted: Vec<KeptBlock>,
    values: Vec<Option<BlockValue>>,
    /// It could not be written: what it holds is all that is claimed.
    is_closed: bool,
    error: Option<Error>,
}

impl Claims {
    /// Data that was claimed, or was to be, may be lost.
    fn void(&mut self, directory: BorrowedFd<'_>) {
        self.is_closed = true;
        self.values.fill(None);
        self.noted.clear();
        if let Some(file) = &mut self.file
            && let Err(error) = file.remove(directory)
        {
            self.error = Some(error);
        }
    }
}

impl LocalBlocks {
    /// Starts or goes on with a file that will become `target_name` in `directory`.
    pub(crate) fn open(
        directory: OwnedFd,
        target_name: &[u8],
        options: &BlockStageOptions,
    ) -> Result<Self> {
        let layout = options
            .stage
            .expected_len
            .and_then(BlockLayout::for_size)
            .ok_or_else(|| Error::new(ErrorKind::TooLarge, "stage"))?;
        let named = options.key.map(|key| (key, staging_name::of_transfer(&key, target_name)));
        let kept_name = named.as_ref().map(|(_, name)| &name[..]);
        check_room_for_rest(directory.as_fd(), target_name, kept_name, options)?;
        let stage = StageOptions { needed: Some(0), ..options.stage.clone() };
        let own = duplicate(directory.as_fd())?;
        let staged = match &named {
            Some((_, name)) => LocalStaged::create_or_open(own, target_name, &stage, name)?,
            None => None,
        };
        // Without a key, or while somebody else writes the file of this name, one of its own.
        let (staged, is_named, is_old) = if let Some((staged, is_old)) = staged {
            (staged, true, is_old)
        } else {
            let own = duplicate(directory.as_fd())?;
            (LocalStaged::create(own, target_name, &stage)?, false, false)
        };
        let named = named.filter(|_| is_named);
        let claims = Found { layout, is_old, is_durable: options.is_durable };
        let (file, kept, journal) = match claims.open(directory.as_fd(), &staged, named) {
            Ok(found) => found,
            Err(error) => {
                if is_old {
                    // What an earlier transfer has left may be of use when this has passed.
                    staged.leave();
                }
                return Err(error);
            }
        };
        let blocks = Self {
            layout,
            kept,
            directory,
            target_name: target_name.to_vec(),
            file,
            staged: Mutex::new(Some(staged)),
            journal: Mutex::new(journal),
            may_adopt: options.adopt,
            is_durable: options.is_durable,
        };
        if options.is_sparse {
            blocks.with_staged(|staged| {
                staged.reserve_nothing();
                Ok(())
            })?;
        }
        Ok(blocks)
    }

    fn with_staged<T>(&self, work: impl FnOnce(&mut LocalStaged) -> Result<T>) -> Result<T> {
        let mut staged = lock(&self.staged);
        work(staged.as_mut().ok_or_else(|| Error::new(ErrorKind::Cancelled, "stage"))?)
    }

    /// Makes what is written durable, where the journal promises that. A second call after a failure would
    /// say nothing about the same data: then nothing is claimed any more.
    fn sync_claimed(&self, journal: &mut Claims) -> Result<()> {
        if !self.is_durable {
            return Ok(());
        }
        sync_content(self.file.as_fd()).inspect_err(|_| journal.void(self.directory.as_fd()))
    }

    /// Lets this file share the disk's blocks with `source`. False where the file system can't.
    #[cfg(all(target_os = "linux", not(any(target_arch = "sparc", target_arch = "sparc64"))))]
    pub(super) fn share(&self, source: BorrowedFd<'_>) -> bool {
        sys::fs::ioctl_ficlone(&self.file, source).is_ok()
            // It may be longer than the new one.
            && sys::fs::fstat(&self.file).is_ok_and(|stat| {
                u64::try_from(stat.st_size).is_ok_and(|len| {
                    len <= self.layout.size()
                        || sys::fs::ftruncate(&self.file, self.layout.size()).is_ok()
                })
            })
    }

    #[cfg(not(all(
        target_os = "linux",
        not(any(target_arch = "sparc", target_arch = "sparc64"))
    )))]
    pub(super) fn share(&self, _source: BorrowedFd<'_>) -> bool {
        false
    }
}

/// What is known about a staged file when it is opened.
struct Found {
    layout: BlockLayout,
    /// An earlier transfer has left it.
    is_old: bool,
    is_durable: bool,
}

impl Found {
    /// The staged file once more, with its final length, what is claimed of it, and the journal, for which
    /// `named` has key and name.
    fn open(
        &self,
        directory: BorrowedFd<'_>,
        staged: &LocalStaged,
        named: Option<([u8; 16], Vec<u8>)>,
    ) -> Result<(OwnedFd, Vec<KeptBlock>, Claims)> {
        let layout = self.layout;
        let values = vec![None; layout.count() as usize];
        let mut claims =
            Claims { file: None, noted: Vec::new(), values, is_closed: false, error: None };
        let mut kept = Vec::new();
        if let Some((key, name)) = named {
            let name = staging_name::journal_of(&name);
            // One without its file claims nothing.
            let removed = if self.is_old { Ok(()) } else { journal_file::remove(directory, &name) };
            match removed {
                Ok(()) => {
                    let (file, found) =
                        JournalFile::open(directory, name, key, layout, self.is_durable)?;
                    (claims.file, kept) = (Some(file), found);
                }
                // Something of somebody else: there is a file without a journal, then.
                Err(error) => claims.error = Some(error),
            }
        }
        let file = duplicate(staged.as_fd())?;
        let len = u64::try_from(sys::fs::fstat(&file).during("stage")?.st_size).unwrap_or(0);
        kept.retain(|block| layout.range(block.index).is_some_and(|range| range.end <= len));
        if kept.is_empty() && len > 0 {
            sys::fs::ftruncate(&file, 0).during("stage")?;
        }
        // At once: to lengthen it later could cut off what another thread has written meanwhile.
        sys::fs::ftruncate(&file, layout.size()).during("stage")?;
        for block in &kept {
            if let Some(slot) = claims.values.get_mut(block.index as usize) {
                *slot = Some(block.value);
            }
        }
        Ok((file, kept, claims))
    }
}

impl BlockStaged for LocalBlocks {
    fn layout(&self) -> &BlockLayout {
        &self.layout
    }

    fn kept(&self) -> &[KeptBlock] {
        &self.kept
    }

    fn adopt(&self, wanted: &[u32], cancelled: &dyn Fn() -> bool) -> Result<Vec<KeptBlock>> {
        if !self.may_adopt || wanted.is_empty() {
            return Ok(Vec::new());
        }
        adopt::adopt(self, self.directory.as_fd(), &self.target_name, wanted, cancelled)
    }

    fn write_at(&self, bufs: &mut [IoSlice<'_>], offset: u64) -> Result<()> {
        let len = bufs.iter().try_fold(0_u64, |sum, buf| sum.checked_add(buf.len() as u64));
        let end = len
            .and_then(|len| offset.checked_add(len))
            .filter(|&end| end <= self.layout.size())
            .ok_or_else(|| Error::new(ErrorKind::TooLarge, "write"))?;
        self.with_staged(|staged| staged.before_write(end))?;
        write_all(self.file.as_fd(), bufs, offset)?;
        self.with_staged(|staged| staged.filled_to(end))
    }

    fn zero(&self, offset: u64, len: u64) -> Result<()> {
        let end = offset
            .checked_add(len)
            .filter(|&end| end <= self.layout.size())
            .ok_or_else(|| Error::new(ErrorKind::TooLarge, "write"))?;
        if len > 0 && !punch(self.file.as_fd(), offset, len)? {
            let zeros = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(1 << 20)];
            let mut at = offset;
            while at < end {
                let piece = usize::try_from(end - at).unwrap_or(usize::MAX).min(zeros.len());
                write_all(self.file.as_fd(), &mut [IoSlice::new(&zeros[..piece])], at)?;
                at += piece as u64;
            }
        }
        self.with_staged(|staged| staged.filled_to(end))
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match sys::io::pread(&self.file, &mut buf[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::from_errno("read", errno)),
            }
        }
        Ok(filled)
    }

    fn checkpoint(&self, blocks: &[KeptBlock]) -> Result<()> {
        let mut journal = lock(&self.journal);
        if journal.is_closed || journal.file.is_none() {
            return Ok(());
        }
        self.sync_claimed(&mut journal)?;
        let Claims { file, values, is_closed, error, .. } = &mut *journal;
        let Some(open) = file else { return Ok(()) };
        let mut before = Vec::new();
        for block in blocks {
            if let Some(slot) = values.get_mut(block.index as usize) {
                before.push((block.index as usize, slot.replace(block.value)));
            }
        }
        if let Err(failure) = open.claim(self.directory.as_fd(), blocks, &claimed(values)) {
            *error = Some(failure);
            *is_closed = true;
            for (index, value) in before.into_iter().rev() {
                values[index] = value;
            }
        }
        Ok(())
    }

    fn note(&self, blocks: Vec<KeptBlock>) {
        lock(&self.journal).noted.extend(blocks);
    }

    fn retract(&self, blocks: &[u32]) -> Result<()> {
        let mut journal = lock(&self.journal);
        if journal.file.is_none() {
            return Ok(());
        }
        // What is claimed may come from a journal that promised less.
        self.sync_claimed(&mut journal)?;
        let Claims { file, values, is_closed, .. } = &mut *journal;
        let Some(open) = file else { return Ok(()) };
        for index in blocks {
            if let Some(slot) = values.get_mut(*index as usize) {
                *slot = None;
            }
        }
        let left = claimed(values);
        if left.is_empty() || *is_closed {
            return open.remove(self.directory.as_fd());
        }
        // What can't be corrected must not be believed.
        open.rewrite(self.directory.as_fd(), &left).or_else(|_| open.remove(self.directory.as_fd()))
    }

    fn take_journal_error(&self) -> Option<Error> {
        lock(&self.journal).error.take()
    }

    fn commit(&self, options: &CommitOptions) -> Result<Metadata> {
        let mut slot = lock(&self.staged);
        let staged = slot.as_mut().ok_or_else(|| Error::new(ErrorKind::Cancelled, "commit"))?;
        // A file that ends with a hole has not been written to its end.
        staged.filled_to(self.layout.size())?;
        let committed = staged.commit_in_place(options);
        let mut journal = lock(&self.journal);
        let metadata = committed.inspect_err(|error| {
            if error.op() == "sync" {
                journal.void(self.directory.as_fd());
            }
        })?;
        *slot = None;
        drop(slot);
        if let Some(mut file) = journal.file.take()
            && let Err(error) = file.remove(self.directory.as_fd())
        {
            // The file is in place; a journal without its staged file goes with the next sweep.
            journal.error = Some(error);
        }
        Ok(metadata)
    }

    fn leave(&self) -> Result<()> {
        let noted = std::mem::take(&mut lock(&self.journal).noted);
        if !noted.is_empty() && lock(&self.staged).is_some() {
            // What can't be claimed is sent again.
            let _ = self.checkpoint(&noted);
        }
        let has_claims = {
            let journal = lock(&self.journal);
            journal.file.is_some() && journal.values.iter().any(Option::is_some)
        };
        if !has_claims {
            return self.abort();
        }
        let Some(staged) = lock(&self.staged).take() else { return Ok(()) };
        lock(&self.journal).file = None;
        staged.leave();
        // Other descriptors of the file are this one: the lock ends for all of them.
        match sys::fs::flock(&self.file, sys::fs::FlockOperation::Unlock) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOLCK | Errno::INVAL) => Ok(()),
            Err(errno) => Err(Error::from_errno("stage", errno)),
        }
    }

    fn abort(&self) -> Result<()> {
        let Some(staged) = lock(&self.staged).take() else { return Ok(()) };
        let removed = match lock(&self.journal).file.take() {
            Some(mut file) => file.remove(self.directory.as_fd()),
            None => Ok(()),
        };
        Box::new(staged).abort().and(removed)
    }
}

impl Drop for LocalBlocks {
    fn drop(&mut self) {
        // What can't be removed now goes with the next sweep.
        let _ = self.leave();
    }
}

/// Refuses a file whose missing part does not fit at the moment. What an earlier transfer has left in
/// `kept_name` takes no more room, and blocks of the old file may be shared, where the file system can.
fn check_room_for_rest(
    directory: BorrowedFd<'_>,
    target_name: &[u8],
    kept_name: Option<&[u8]>,
    options: &BlockStageOptions,
) -> Result<()> {
    if options.is_sparse {
        return Ok(());
    }
    let allocated = |name: &[u8]| {
        stat_name(directory, name)
            .ok()
            .filter(|stat| file_type(stat) == FileType::File)
            .and_then(|stat| u64::try_from(stat.st_blocks).ok())
            .map_or(0, |blocks| blocks.saturating_mul(512))
    };
    let kept = kept_name.map_or(0, allocated);
    let shared = if options.adopt && may_share(directory) { allocated(target_name) } else { 0 };
    let len = options.stage.needed.or(options.stage.expected_len).unwrap_or(0);
    check_room(directory, len.saturating_sub(kept).saturating_sub(shared), "stage")
}

fn duplicate(file: BorrowedFd<'_>) -> Result<OwnedFd> {
    sys::io::fcntl_dupfd_cloexec(file, 0).during("stage")
}

fn claimed(values: &[Option<BlockValue>]) -> Vec<KeptBlock> {
    let all = (0..).zip(values);
    all.filter_map(|(index, value)| Some(KeptBlock { index, value: (*value)? })).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the room of a range back, so that it reads as zeros. False where that can't be done.
#[cfg(target_os = "linux")]
fn punch(file: BorrowedFd<'_>, offset: u64, len: u64) -> Result<bool> {
    use crate::sys::fs::FallocateFlags;
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match sys::io::retry_on_intr(|| sys::fs::fallocate(file, flags, offset, len)) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        Err(errno) => Err(Error::from_errno("write", errno)),
    }
}

#[cfg(not(target_os = "linux"))]
fn punch(_file: BorrowedFd<'_>, _offset: u64, _len: u64) -> Result<bool> {
    Ok(false)
}
