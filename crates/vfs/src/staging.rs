//! Staged files: a hidden file in the destination directory that a commit renames into place.
//!
//! The writer holds an exclusive `flock` on its staged file for as long as it lives. That lock is
//! how a sweep tells an abandoned file from one in use, across processes and after a crash.

use std::io::IoSlice;

use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{READ_DIRECTORY, file_type, stat_name};
use crate::metadata::{FileType, Metadata, timespec};
use crate::mode::final_mode;
use crate::preallocate::{Preallocation, is_on_disk};
use crate::rename::{identity, refusing};
use crate::space::check_room;
use crate::staging_name;
use crate::storage::{CommitOptions, Durability, Overwrite, StageOptions, Staged};
use crate::sys::fs::{
    AtFlags, FlockOperation, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT,
};
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, BorrowedFd, OwnedFd};
use crate::writeback::Writeback;

/// A sweep can catch a new file between its creation and its lock; then the next name is tried.
const MAX_CREATE_TRIES: u32 = 64;

/// See [`Staged`].
#[derive(Debug)]
pub(crate) struct LocalStaged {
    /// The destination directory; both names are in it.
    directory: OwnedFd,
    staged_name: Vec<u8>,
    target_name: Vec<u8>,
    /// Locked from creation until it is closed.
    file: OwnedFd,
    options: StageOptions,
    written_to: u64,
    preallocation: Preallocation,
    writeback: Writeback,
    /// Whether `staged_name` is still ours to remove.
    is_linked: bool,
}

impl LocalStaged {
    /// Starts a file that will become `target_name` in `directory`.
    pub(crate) fn create(
        directory: OwnedFd,
        target_name: &[u8],
        options: &StageOptions,
    ) -> Result<Self> {
        check_len(options)?;
        check_target(directory.as_fd(), target_name, options.overwrite)?;
        // The file that is replaced keeps its room until the new one is whole.
        if let Some(needed) = options.needed.or(options.expected_len) {
            check_room(directory.as_fd(), needed, "stage")?;
        }
        let (file, staged_name) = create_locked(directory.as_fd())?;
        let on_disk = is_on_disk(file.as_fd());
        Ok(Self {
            directory,
            staged_name,
            target_name: target_name.to_vec(),
            file,
            options: options.clone(),
            written_to: 0,
            preallocation: Preallocation::new(options.expected_len, on_disk),
            writeback: Writeback::new(on_disk),
            is_linked: true,
        })
    }

    /// Starts the file with the given name, or goes on with one that an earlier writer has left; true
    /// says that there was one. `None` while somebody else writes it, and where that can't be told.
    pub(crate) fn create_or_open(
        directory: OwnedFd,
        target_name: &[u8],
        options: &StageOptions,
        staged_name: &[u8],
    ) -> Result<Option<(Self, bool)>> {
        check_len(options)?;
        check_target(directory.as_fd(), target_name, options.overwrite)?;
        let Some((file, is_old)) = create_or_open_locked(directory.as_fd(), staged_name)? else {
            return Ok(None);
        };
        let on_disk = is_on_disk(file.as_fd());
        let staged = Self {
            directory,
            staged_name: staged_name.to_vec(),
            target_name: target_name.to_vec(),
            file,
            options: options.clone(),
            written_to: 0,
            preallocation: Preallocation::new(options.expected_len, on_disk),
            writeback: Writeback::new(on_disk),
            is_linked: true,
        };
        Ok(Some((staged, is_old)))
    }

    /// The most bytes this file may have.
    fn limit(&self) -> u64 {
        let max = self.options.max_len.unwrap_or(u64::MAX);
        self.options.expected_len.unwrap_or(u64::MAX).min(max).min(i64::MAX.unsigned_abs())
    }

    /// The file itself, for calls that move bytes inside the kernel; tell [`Self::filled_to`] then.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Counts everything below `end` as written, by whatever means; gaps are holes.
    ///
    /// # Errors
    /// `TooLarge` as [`Staged::write_at`].
    pub(crate) fn filled_to(&mut self, end: u64) -> Result<()> {
        if end > self.limit() {
            return Err(Error::new(ErrorKind::TooLarge, "write"));
        }
        self.written_to = self.written_to.max(end);
        self.writeback.after_write(self.file.as_fd(), self.written_to);
        Ok(())
    }

    /// Reserves room for a write that ends at `end`.
    ///
    /// # Errors
    /// `NoSpace`, `TooLarge`.
    pub(crate) fn before_write(&mut self, end: u64) -> Result<()> {
        if end > self.limit() {
            return Err(Error::new(ErrorKind::TooLarge, "write"));
        }
        self.preallocation.before_write(self.file.as_fd(), end)
    }

    /// Leaves the staged file where it is, for a later writer.
    pub(crate) fn leave(mut self) {
        self.is_linked = false;
    }

    /// See [`Staged::commit`]; after an error in front of the renaming the staged file is as it was.
    pub(crate) fn commit_in_place(&mut self, options: &CommitOptions) -> Result<Metadata> {
        self.commit_or_not(options).inspect_err(|_| {
            if self.is_linked {
                // What has not got its name is for nobody else. The first failure is the one to tell.
                let _ = sys::fs::fchmod(&self.file, Mode::RUSR | Mode::WUSR);
            }
        })
    }

    fn commit_or_not(&mut self, options: &CommitOptions) -> Result<Metadata> {
        self.prepare(options)?;
        // Opened first, so that a directory that can't be synchronised fails before the rename.
        let to_sync = match options.durability {
            Durability::Directory => Some(open_for_sync(self.directory.as_fd())?),
            Durability::None | Durability::File => None,
        };
        self.publish()?;
        if let Some(directory) = to_sync {
            sync_directory(directory.as_fd())?;
        }
        sys::fs::fstat(&self.file).during("commit").map(|stat| Metadata::from_stat(&stat))
    }

    /// From now on disk space is taken as it is written, so that holes stay holes.
    pub(crate) fn reserve_nothing(&mut self) {
        self.preallocation = Preallocation::new(None, false);
    }

    /// The permission bits asked for, else those of the file that is replaced: a secret that is
    /// written again stays one.
    fn mode(&self) -> Option<u32> {
        self.options.mode.or_else(|| {
            let stat = stat_name(self.directory.as_fd(), &self.target_name).ok()?;
            (file_type(&stat) == FileType::File).then(|| Metadata::from_stat(&stat).mode)
        })
    }

    /// Everything that may fail before the name changes.
    fn prepare(&mut self, options: &CommitOptions) -> Result<()> {
        if self.options.expected_len.is_some_and(|len| len != self.written_to) {
            return Err(Error::new(ErrorKind::SourceChanged, "commit"));
        }
        sys::fs::ftruncate(&self.file, self.written_to).during("commit")?;
        sys::fs::fchmod(&self.file, final_mode(self.mode())).during("commit")?;
        if let Some(modified) = options.modified {
            let last_modification =
                timespec(modified).ok_or_else(|| Error::new(ErrorKind::Unsupported, "commit"))?;
            let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
            let times = Timestamps { last_access, last_modification };
            sys::fs::futimens(&self.file, &times).during("commit")?;
        }
        match options.durability {
            Durability::None => Ok(()),
            Durability::File | Durability::Directory => sync_content(self.file.as_fd()),
        }
    }

    /// Gives the file its final name.
    fn publish(&mut self) -> Result<()> {
        let directory = self.directory.as_fd();
        let (staged, target) = (&self.staged_name[..], &self.target_name[..]);
        match self.options.overwrite {
            Overwrite::Replace => sys::fs::renameat(directory, staged, directory, target),
            Overwrite::Refuse => refusing(directory, staged, directory, target, false),
        }
        .during("commit")?;
        self.is_linked = false;
        Ok(())
    }

    fn unlink(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.is_linked) {
            return Ok(());
        }
        sys::fs::unlinkat(&self.directory, &self.staged_name[..], AtFlags::empty()).during("abort")
    }
}

impl Staged for LocalStaged {
    fn write_at(&mut self, bufs: &mut [IoSlice<'_>], offset: u64) -> Result<()> {
        let len = bufs.iter().try_fold(0_u64, |sum, buf| sum.checked_add(buf.len() as u64));
        if len == Some(0) {
            return Ok(());
        }
        let end = len
            .and_then(|len| offset.checked_add(len))
            .filter(|&end| end <= self.limit())
            .ok_or_else(|| Error::new(ErrorKind::TooLarge, "write"))?;
        self.preallocation.before_write(self.file.as_fd(), end)?;
        write_all(self.file.as_fd(), bufs, offset)?;
        self.written_to = self.written_to.max(end);
        self.writeback.after_write(self.file.as_fd(), self.written_to);
        Ok(())
    }

    fn written_to(&self) -> u64 {
        self.written_to
    }

    fn commit(mut self: Box<Self>, options: &CommitOptions) -> Result<Metadata> {
        self.commit_in_place(options)
    }

    fn abort(mut self: Box<Self>) -> Result<()> {
        self.unlink()
    }
}

impl Drop for LocalStaged {
    fn drop(&mut self) {
        // A file that can't be removed now is unlocked by the close and goes with the next sweep.
        let _ = self.unlink();
    }
}

/// Refuses an announced length above the limit.
pub(crate) fn check_len(options: &StageOptions) -> Result<()> {
    match (options.expected_len, options.max_len) {
        (Some(len), Some(max)) if len > max => Err(Error::new(ErrorKind::TooLarge, "stage")),
        _ => Ok(()),
    }
}

/// Refuses a target that a commit could not or must not replace, before any byte is sent.
fn check_target(directory: BorrowedFd<'_>, name: &[u8], overwrite: Overwrite) -> Result<()> {
    let stat = match stat_name(directory, name) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(Error::from_errno("stage", errno)),
    };
    let kind = match (file_type(&stat), overwrite) {
        (FileType::Directory, _) => ErrorKind::IsDirectory,
        (_, Overwrite::Refuse) => ErrorKind::Exists,
        (FileType::Other, Overwrite::Replace) => ErrorKind::NotRegular,
        (FileType::File | FileType::Symlink, Overwrite::Replace) => return Ok(()),
    };
    Err(Error::new(kind, "stage"))
}

fn create_locked(directory: BorrowedFd<'_>) -> Result<(OwnedFd, Vec<u8>)> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..MAX_CREATE_TRIES {
        let name = staging_name::generate()?;
        let file = match sys::fs::openat(directory, &name[..], flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => file,
            Err(Errno::INTR | Errno::EXIST) => continue,
            Err(errno) => return Err(Error::from_errno("stage", errno)),
        };
        match lock_new(file.as_fd()) {
            Ok(true) => return Ok((file, name)),
            Ok(false) => remove_if_there(directory, &name)?,
            Err(error) => {
                remove_if_there(directory, &name)?;
                return Err(error);
            }
        }
    }
    Err(Error::new(ErrorKind::Busy, "stage"))
}

/// The file `name`, locked, and whether it was there before; `None` where somebody else has it.
fn create_or_open_locked(
    directory: BorrowedFd<'_>,
    name: &[u8],
) -> Result<Option<(OwnedFd, bool)>> {
    let access = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..MAX_CREATE_TRIES {
        let flags = access | OFlags::CREATE | OFlags::EXCL;
        match sys::fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) if lock_new(file.as_fd())? => return Ok(Some((file, false))),
            // Another writer, or a sweep that is about to remove it.
            Ok(_) => return Ok(None),
            Err(Errno::EXIST) => {}
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(Error::from_errno("stage", errno)),
        }
        let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match sys::fs::openat(directory, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::INTR) => continue,
            // Not a file of ours, whatever it is.
            Err(_) => return Ok(None),
        };
        // Without a lock nobody can tell whether another writer is at it.
        if sys::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        let stat = sys::fs::fstat(&file).during("stage")?;
        if stat.st_nlink == 0 {
            // Committed or removed between open and lock.
            continue;
        }
        if !is_private(&stat) {
            return Ok(None);
        }
        match stat_name(directory, name) {
            Ok(named) if identity(&named) == identity(&stat) => return Ok(Some((file, true))),
            _ => {}
        }
    }
    Ok(None)
}

/// Whether nobody else can have it open: a regular file of this user, for this user alone, under one name.
pub(crate) fn is_private(stat: &Stat) -> bool {
    file_type(stat) == FileType::File && sys::is_private(stat) && stat.st_nlink == 1
}

/// Locks a file just created. `false` if a sweep was faster and has removed it or is about to.
fn lock_new(file: BorrowedFd<'_>) -> Result<bool> {
    match sys::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        // A file system without locks is accepted: a sweep can't lock there either and leaves
        // the file.
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOLCK | Errno::INVAL) => {}
        Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(false),
        Err(errno) => return Err(Error::from_errno("stage", errno)),
    }
    Ok(sys::fs::fstat(file).during("stage")?.st_nlink > 0)
}

fn remove_if_there(directory: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    match sys::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(Error::from_errno("stage", errno)),
    }
}

/// Writes everything, continuing after short writes and interruptions.
pub(crate) fn write_all(file: BorrowedFd<'_>, bufs: &mut [IoSlice<'_>], offset: u64) -> Result<()> {
    let (mut bufs, mut offset) = (bufs, offset);
    IoSlice::advance_slices(&mut bufs, 0);
    while !bufs.is_empty() {
        match write_some(file, bufs, offset) {
            Ok(0) => return Err(Error::from_errno("write", Errno::IO)),
            Ok(count) => {
                IoSlice::advance_slices(&mut bufs, count);
                offset += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::from_errno("write", errno)),
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn write_some(file: BorrowedFd<'_>, bufs: &[IoSlice<'_>], offset: u64) -> sys::io::Result<usize> {
    sys::io::pwritev(file, bufs, offset)
}

#[cfg(not(target_os = "linux"))]
fn write_some(file: BorrowedFd<'_>, bufs: &[IoSlice<'_>], offset: u64) -> sys::io::Result<usize> {
    bufs.first().map_or(Ok(0), |buf| sys::io::pwrite(file, buf, offset))
}

pub(crate) fn sync_content(file: BorrowedFd<'_>) -> Result<()> {
    #[cfg(target_vendor = "apple")]
    let synced = sys::io::retry_on_intr(|| sys::fs::fsync(file));
    #[cfg(not(target_vendor = "apple"))]
    let synced = sys::io::retry_on_intr(|| sys::fs::fdatasync(file));
    synced.during("sync")
}

pub(crate) fn open_for_sync(directory: BorrowedFd<'_>) -> Result<OwnedFd> {
    sys::fs::openat(directory, c".", READ_DIRECTORY, Mode::empty()).during("sync")
}

pub(crate) fn sync_directory(directory: BorrowedFd<'_>) -> Result<()> {
    match sys::io::retry_on_intr(|| sys::fs::fsync(directory)) {
        // A file system where directories have nothing to synchronise.
        Err(Errno::INVAL) => Ok(()),
        result => result.during("sync"),
    }
}
