//! Copies within one storage. Each file is staged like any other new file, so that it appears
//! whole or not at all; its bytes are shared or moved by the kernel where that can be done.

use std::io::IoSlice;
use std::ops::Range;

use crate::copy_tree::copy_tree;
use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{ANCHOR, Jail, READ_FILE, file_type, stat_name};
use crate::metadata::FileType;
use crate::path::VPath;
use crate::rename::identity;
use crate::source::{LocalSource, open_error};
use crate::staging::LocalStaged;
use crate::storage::{CommitOptions, Durability, Overwrite, Source, StageOptions, Staged};
#[cfg(target_os = "linux")]
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, BorrowedFd, OwnedFd};

pub(crate) const OP: &str = "copy";
/// Bytes moved between two looks at the observer.
const STEP_LEN: u64 = 8 * 1024 * 1024;
/// The buffer for file systems between which the kernel moves nothing.
const BUFFER_LEN: usize = 1024 * 1024;

/// How a copy is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyOptions {
    /// Whether the names of new files may be taken.
    pub overwrite: Overwrite,
    /// Copy a directory with all that is in it; without this, a directory is refused.
    pub recursive: bool,
    /// The most bytes that each new file may have.
    pub max_len: Option<u64>,
    /// What is on the disk before a file appears under its name.
    pub durability: Durability,
}

/// What a copy has made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyReport {
    /// Files.
    pub files: u64,
    /// Directories that were not there before.
    pub directories: u64,
    /// Symbolic links.
    pub links: u64,
    /// Length of the files together.
    pub bytes: u64,
}

/// Watches a copy under way from another thread, and may end it.
pub trait CopyObserver: Sync {
    /// The bytes that will be copied; `None` when that is not known, as for a directory.
    fn expect(&self, bytes: Option<u64>);
    /// So many more bytes are copied.
    fn add(&self, bytes: u64);
    /// Whether to give up. Asked at least every 8 MiB.
    fn is_cancelled(&self) -> bool;
}

/// See [`crate::Storage::copy`].
pub(crate) fn copy(
    jail: &Jail,
    from: &VPath,
    to: &VPath,
    options: &CopyOptions,
    observer: &dyn CopyObserver,
) -> Result<CopyReport> {
    let opened = jail.open_at(from, READ_FILE, OP).map_err(open_error)?;
    let is_directory = file_type(&sys::fs::fstat(&opened).during(OP)?) == FileType::Directory;
    if is_directory && !options.recursive {
        return Err(Error::new(ErrorKind::IsDirectory, OP));
    }
    let (Some(parent), Some(name)) = (to.parent(), to.file_name()) else {
        return Err(Error::new(ErrorKind::IsDirectory, OP));
    };
    let directory = jail.open_at(&parent, ANCHOR, OP)?;
    let mut copier = Copier { options, observer, report: CopyReport::default() };
    if is_directory {
        observer.expect(None);
        copy_tree(jail, &opened, &directory, name, &mut copier)?;
    } else {
        let source = LocalSource::new(opened)?;
        refuse_itself(&source, directory.as_fd(), name)?;
        observer.expect(Some(source.metadata().size));
        copier.file(&source, directory, name)?;
    }
    Ok(copier.report)
}

/// Copies files one by one, and counts.
pub(crate) struct Copier<'a> {
    options: &'a CopyOptions,
    observer: &'a dyn CopyObserver,
    pub(crate) report: CopyReport,
}

impl Copier<'_> {
    /// Fails with `Cancelled` once the observer wants no more.
    pub(crate) fn check_cancelled(&self) -> Result<()> {
        if self.observer.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, OP));
        }
        Ok(())
    }

    /// Copies `source` to `name` in `directory`, with its permission bits and its time.
    pub(crate) fn file(
        &mut self,
        source: &LocalSource,
        directory: OwnedFd,
        name: &[u8],
    ) -> Result<()> {
        let metadata = source.metadata();
        let stage_options = StageOptions {
            expected_len: Some(metadata.size),
            mode: Some(metadata.mode & 0o777),
            overwrite: self.options.overwrite,
            make_parents: false,
            max_len: self.options.max_len,
            // Blocks may be shared, and holes stay holes: only the writes tell.
            needed: Some(0),
        };
        let mut staged = LocalStaged::create(directory, name, &stage_options)?;
        self.fill(source, &mut staged)?;
        source.check_unchanged()?;
        self.check_cancelled()?;
        let durability = self.options.durability;
        let commit_options = CommitOptions { modified: Some(metadata.modified), durability };
        Box::new(staged).commit(&commit_options)?;
        self.report.files += 1;
        self.report.bytes += metadata.size;
        Ok(())
    }

    /// Gives `staged` the content of `source`: shared with it, else moved by the kernel, else
    /// read and written. Holes stay holes.
    fn fill(&self, source: &LocalSource, staged: &mut LocalStaged) -> Result<()> {
        let size = source.metadata().size;
        if share(source, staged)? {
            self.observer.add(size);
            return Ok(());
        }
        // A reservation would fill the holes.
        staged.reserve_nothing();
        let mut way = Way::Kernel;
        let mut done = 0;
        while let Some(data) = source.next_data(done..size)? {
            self.observer.add(data.start - done);
            self.range(source, staged, data.clone(), &mut way)?;
            done = data.end;
        }
        self.observer.add(size - done);
        staged.filled_to(size)
    }

    fn range(
        &self,
        source: &LocalSource,
        staged: &mut LocalStaged,
        range: Range<u64>,
        way: &mut Way,
    ) -> Result<()> {
        let mut at = range.start;
        while at < range.end {
            self.check_cancelled()?;
            let step = at..range.end.min(at.saturating_add(STEP_LEN));
            let copied = match way {
                Way::Kernel => move_in_kernel(source.as_fd(), staged, step)?,
                Way::Buffer(buffer) => read_and_write(source, staged, step, buffer)?,
            };
            match (copied, &way) {
                (0, Way::Kernel) => *way = Way::Buffer(vec![0; BUFFER_LEN]),
                (0, Way::Buffer(_)) => return Err(Error::new(ErrorKind::SourceChanged, OP)),
                (copied, _) => {
                    at += copied;
                    self.observer.add(copied);
                }
            }
        }
        Ok(())
    }
}

/// How the bytes of one file get to the other.
enum Way {
    /// `copy_file_range`.
    Kernel,
    /// Through this buffer.
    Buffer(Vec<u8>),
}

/// Lets both files have the same blocks until one of them is written to (`FICLONE`). False where
/// the file system can't.
#[cfg(all(target_os = "linux", not(any(target_arch = "sparc", target_arch = "sparc64"))))]
fn share(source: &LocalSource, staged: &mut LocalStaged) -> Result<bool> {
    // Whatever the reason was, an ordinary copy meets it again if it is one.
    if sys::fs::ioctl_ficlone(staged.as_fd(), source.as_fd()).is_err() {
        return Ok(false);
    }
    let size = source.metadata().size;
    if u64::try_from(sys::fs::fstat(staged.as_fd()).during(OP)?.st_size).ok() != Some(size) {
        return Err(Error::new(ErrorKind::SourceChanged, OP));
    }
    staged.filled_to(size)?;
    Ok(true)
}

#[cfg(not(all(target_os = "linux", not(any(target_arch = "sparc", target_arch = "sparc64")))))]
fn share(_source: &LocalSource, _staged: &mut LocalStaged) -> Result<bool> {
    Ok(false)
}

/// Moves bytes without a trip through this process. 0 where that can't be done here.
#[cfg(target_os = "linux")]
fn move_in_kernel(
    source: BorrowedFd<'_>,
    staged: &mut LocalStaged,
    range: Range<u64>,
) -> Result<u64> {
    let (mut from, mut to) = (range.start, range.start);
    let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    loop {
        let moved =
            sys::fs::copy_file_range(source, Some(&mut from), staged.as_fd(), Some(&mut to), len);
        match moved {
            Ok(count) => {
                let count = count as u64;
                staged.filled_to(range.start + count)?;
                return Ok(count);
            }
            Err(Errno::INTR) => {}
            Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::IO)) => {
                return Err(Error::from_errno(OP, errno));
            }
            // Other file systems on the two sides, or one that does not know the call.
            Err(_) => return Ok(0),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn move_in_kernel(
    _source: BorrowedFd<'_>,
    _staged: &mut LocalStaged,
    _range: Range<u64>,
) -> Result<u64> {
    Ok(0)
}

/// Reads a piece and writes it. 0 when the source has no more.
fn read_and_write(
    source: &LocalSource,
    staged: &mut LocalStaged,
    range: Range<u64>,
    buffer: &mut [u8],
) -> Result<u64> {
    let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(buffer.len());
    let Some(room) = buffer.get_mut(..len) else { return Ok(0) };
    let count = source.read_at(room, range.start)?;
    let Some(piece) = room.get(..count) else { return Ok(0) };
    staged.write_at(&mut [IoSlice::new(piece)], range.start)?;
    Ok(count as u64)
}

/// Refuses a copy onto the file itself, by whatever name.
fn refuse_itself(source: &LocalSource, directory: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    let is_itself = match stat_name(directory, name) {
        Ok(stat) => identity(&stat) == source.identity(),
        // Whatever else is wrong with the target is told when it is staged.
        Err(_) => false,
    };
    if is_itself { Err(Error::new(ErrorKind::Exists, OP)) } else { Ok(()) }
}
