//! The journal of one staged file, in the same directory.

use std::sync::LazyLock;

use e2eeftp_core::transfer::{BlockLayout, JournalContent, JournalHeader, KeptBlock, encode_entry};

use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::staging::{is_private, sync_content};
use crate::sys::fs::{AtFlags, FlockOperation, Mode, OFlags};
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, BorrowedFd, OwnedFd};

const OP: &str = "journal";

/// The claims of one staged file, on the disk. Invariant: whoever has it holds the lock of the staged file.
#[derive(Debug)]
pub(crate) struct JournalFile {
    name: Vec<u8>,
    header: JournalHeader,
    layout: BlockLayout,
    /// `None` until the first claim.
    file: Option<OwnedFd>,
    /// Where the next entry goes.
    len: u64,
    check: [u8; 16],
}

impl JournalFile {
    /// Opens the journal `name` if it is one of `key` and `layout` that still holds; its claims come with
    /// it. Otherwise a journal without claims, which is written at the first one.
    pub(crate) fn open(
        directory: BorrowedFd<'_>,
        name: Vec<u8>,
        key: [u8; 16],
        layout: BlockLayout,
        is_durable: bool,
    ) -> Result<(Self, Vec<KeptBlock>)> {
        let boot_id = boot_id();
        let header =
            JournalHeader { key, size: layout.size(), boot_id: (!is_durable).then_some(boot_id) };
        let check = header.check();
        let mut journal = Self { name, header, layout, file: None, len: 0, check };
        let Some((file, bytes)) = read(directory, &journal.name, &layout)? else {
            return Ok((journal, Vec::new()));
        };
        let usable = JournalContent::decode(&key, &layout, &bytes)
            // What was not durable when the system went down may be gone.
            .filter(|content| content.header.boot_id.is_none_or(|id| id == boot_id));
        let Some(content) = usable else {
            return Ok((journal, Vec::new()));
        };
        // Claims of the two kinds are not mixed: those that hold for ever would lose that.
        if content.header.boot_id.is_some() == journal.header.boot_id.is_some() {
            journal.len = content.valid_len as u64;
            journal.check = content.check;
            journal.file = Some(file);
        }
        Ok((journal, content.blocks))
    }

    /// Adds claims whose data is durable, as far as this journal promises that. `all` are all claims, for a
    /// journal that has to be written anew.
    pub(crate) fn claim(
        &mut self,
        directory: BorrowedFd<'_>,
        blocks: &[KeptBlock],
        all: &[KeptBlock],
    ) -> Result<()> {
        if blocks.is_empty() {
            return Ok(());
        }
        let Some(file) = &self.file else { return self.rewrite(directory, all) };
        let mut entry = Vec::new();
        let next = encode_entry(&self.check, blocks, &mut entry);
        if self.len + entry.len() as u64 > JournalContent::max_len(&self.layout) {
            return self.rewrite(directory, all);
        }
        write_all_at(file.as_fd(), &entry, self.len)?;
        // Whatever a damaged journal had behind its sound part is not part of it.
        sys::fs::ftruncate(file, self.len + entry.len() as u64).during(OP)?;
        self.sync()?;
        self.len += entry.len() as u64;
        self.check = next;
        Ok(())
    }

    /// Replaces all claims by `all`: the old ones hold until the new ones do.
    pub(crate) fn rewrite(&mut self, directory: BorrowedFd<'_>, all: &[KeptBlock]) -> Result<()> {
        let mut bytes = self.header.encode().to_vec();
        let check = encode_entry(&self.header.check(), all, &mut bytes);
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fresh = crate::staging_name::generate()?;
        let file = sys::io::retry_on_intr(|| {
            sys::fs::openat(directory, &fresh[..], flags, Mode::RUSR | Mode::WUSR)
        })
        .during(OP)?;
        lock(file.as_fd())?;
        self.file = Some(file);
        let replaced = self.fill(&bytes).and_then(|()| {
            sys::fs::renameat(directory, &fresh[..], directory, &self.name[..]).during(OP)
        });
        if let Err(error) = replaced {
            self.file = None;
            // The first failure is the one to tell; a sweep finds the rest.
            let _ = sys::fs::unlinkat(directory, &fresh[..], AtFlags::empty());
            return Err(error);
        }
        if self.header.boot_id.is_none() {
            let synced = crate::staging::open_for_sync(directory)?;
            crate::staging::sync_directory(synced.as_fd())?;
        }
        self.len = bytes.len() as u64;
        self.check = check;
        Ok(())
    }

    fn fill(&self, bytes: &[u8]) -> Result<()> {
        if let Some(file) = &self.file {
            write_all_at(file.as_fd(), bytes, 0)?;
        }
        self.sync()
    }

    fn sync(&self) -> Result<()> {
        match &self.file {
            Some(file) if self.header.boot_id.is_none() => sync_content(file.as_fd()),
            _ => Ok(()),
        }
    }

    /// Removes the journal: nothing is claimed any more.
    pub(crate) fn remove(&mut self, directory: BorrowedFd<'_>) -> Result<()> {
        self.file = None;
        self.len = 0;
        self.check = self.header.check();
        remove(directory, &self.name)
    }
}

/// Removes the journal `name` if it is there.
pub(crate) fn remove(directory: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    match sys::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(Error::from_errno(OP, errno)),
    }
}

/// The journal's file, locked, and its bytes; `None` when there is none that could be one of ours: then it is
/// replaced when there is something to claim. What another user made, or what has another name too, is not
/// written to, since others would see what is claimed.
fn read(
    directory: BorrowedFd<'_>,
    name: &[u8],
    layout: &BlockLayout,
) -> Result<Option<(OwnedFd, Vec<u8>)>> {
    let flags =
        OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = sys::io::retry_on_intr(|| sys::fs::openat(directory, name, flags, Mode::empty()));
    let file = match opened {
        Ok(file) => file,
        // Nothing, or something that no journal can be.
        Err(
            Errno::NOENT | Errno::LOOP | Errno::ISDIR | Errno::NXIO | Errno::ACCESS | Errno::PERM,
        ) => return Ok(None),
        Err(errno) => return Err(Error::from_errno(OP, errno)),
    };
    let stat = sys::fs::fstat(&file).during(OP)?;
    let len = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    if !is_private(&stat) || len > JournalContent::max_len(layout) {
        return Ok(None);
    }
    match lock(file.as_fd()) {
        Ok(()) => {}
        // Only a sweep can have it, and removes it.
        Err(error) if error.kind() == ErrorKind::Busy => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = vec![0; usize::try_from(len).map_err(|_| Error::new(ErrorKind::TooLarge, OP))?];
    let mut filled = 0;
    while filled < bytes.len() {
        match sys::io::pread(&file, &mut bytes[filled..], filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::from_errno(OP, errno)),
        }
    }
    bytes.truncate(filled);
    Ok(Some((file, bytes)))
}

/// Tells sweeps that somebody uses the file. Where there are no locks, they leave it alone too.
fn lock(file: BorrowedFd<'_>) -> Result<()> {
    match sys::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOLCK | Errno::INVAL) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(Error::new(ErrorKind::Busy, OP)),
        Err(errno) => Err(Error::from_errno(OP, errno)),
    }
}

fn write_all_at(file: BorrowedFd<'_>, mut bytes: &[u8], mut offset: u64) -> Result<()> {
    while !bytes.is_empty() {
        match sys::io::pwrite(file, bytes, offset) {
            Ok(0) => return Err(Error::from_errno(OP, Errno::IO)),
            Ok(count) => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::from_errno(OP, errno)),
        }
    }
    Ok(())
}

/// What tells this run of the operating system from others. Where the system doesn't say, it is this
/// process that is told from others.
fn boot_id() -> [u8; 16] {
    // Without random numbers nothing is staged either.
    static THIS_PROCESS: LazyLock<[u8; 16]> =
        LazyLock::new(|| crate::staging_name::random().unwrap_or([0xff; 16]));
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|letter| letter.to_digit(16))
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    if digits.len() != 32 {
        return *THIS_PROCESS;
    }
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    id
}
