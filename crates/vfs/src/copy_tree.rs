//! Copies of directories with all that is in them. What is there already is merged into: the same
//! copy made twice gives the same tree. Symbolic links are copied as links and never followed, no
//! other mounted file system is entered, and staged files are not seen.

use crate::copy::{Copier, OP};
use crate::error::{ErrnoExt, Error, ErrorKind, Result};
use crate::jail::{ANCHOR, Jail, Lookup, READ_DIRECTORY, READ_FILE, file_type, stat_name};
use crate::metadata::{FileType, Metadata};
use crate::path::VPath;
use crate::rename::identity;
use crate::source::LocalSource;
use crate::staging_name::is_reserved;
use crate::sys::fs::{Dir, Mode, RawMode, Stat};
use crate::sys::io::Errno;
use crate::sys::{self, AsFd, BorrowedFd, OwnedFd};

/// Copies the directory `source` to `name` in `parent`.
///
/// One directory of each side is open at a time: each is opened again from the top, so depth costs
/// no descriptors, and a directory that is moved away meanwhile is not followed.
pub(crate) fn copy_tree(
    jail: &Jail,
    source: &OwnedFd,
    parent: &OwnedFd,
    name: &[u8],
    copier: &mut Copier<'_>,
) -> Result<()> {
    let source_stat = sys::fs::fstat(source).during(OP)?;
    refuse_inside(jail, &source_stat, parent.as_fd())?;
    let lookup = jail.lookup();
    let target = make_directory(lookup, parent.as_fd(), name, &source_stat, copier)?;
    let target_id = identity(&sys::fs::fstat(&target).during(OP)?);
    if target_id == identity(&source_stat) {
        return Err(Error::new(ErrorKind::Exists, OP));
    }
    let mut tree = Tree { lookup, copier, pending: vec![b".".to_vec()] };
    while let Some(relative) = tree.pending.pop() {
        let from = match lookup.open_strict(source.as_fd(), &relative, READ_DIRECTORY) {
            Err(Errno::NOENT) if relative != b"." => continue,
            result => result.during(OP)?,
        };
        // It was moved into the tree after the check above.
        if identity(&sys::fs::fstat(&from).during(OP)?) == target_id {
            return Err(Error::new(ErrorKind::BadPath, OP));
        }
        let to = lookup.open_strict(target.as_fd(), &relative, ANCHOR).during(OP)?;
        tree.entries(&relative, &from, &to)?;
    }
    Ok(())
}

struct Tree<'a, 'b> {
    lookup: Lookup,
    copier: &'a mut Copier<'b>,
    /// Directories that are made on the target side and not yet copied, relative to both tops.
    pending: Vec<Vec<u8>>,
}

impl Tree<'_, '_> {
    /// Copies what is in one directory, and notes the directories in it.
    fn entries(&mut self, relative: &[u8], from: &OwnedFd, to: &OwnedFd) -> Result<()> {
        let mut dir = Dir::read_from(from).during(OP)?;
        while let Some(entry) = dir.read() {
            let entry = entry.during(OP)?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") || is_reserved(name) {
                continue;
            }
            self.copier.check_cancelled()?;
            match self.entry(relative, from.as_fd(), to, name) {
                // It disappeared meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound && is_gone(from, name) => {}
                result => result?,
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        relative: &[u8],
        from: BorrowedFd<'_>,
        to: &OwnedFd,
        name: &[u8],
    ) -> Result<()> {
        let stat = stat_name(from, name).during(OP)?;
        match file_type(&stat) {
            FileType::Directory => {
                make_directory(self.lookup, to.as_fd(), name, &stat, self.copier)?;
                self.note(relative, name)
            }
            FileType::File => {
                let file = self.lookup.open_strict(from, name, READ_FILE).during(OP)?;
                let source = LocalSource::new(file)?;
                let directory = sys::io::fcntl_dupfd_cloexec(to, 0).during(OP)?;
                self.copier.file(&source, directory, name)
            }
            FileType::Symlink => self.link(from, to.as_fd(), name),
            FileType::Other => Err(Error::new(ErrorKind::NotRegular, OP)),
        }
    }

    fn note(&mut self, relative: &[u8], name: &[u8]) -> Result<()> {
        let path = match relative {
            b"." => name.to_vec(),
            _ => [relative, b"/", name].concat(),
        };
        // Deeper than a path can name.
        if path.len() >= VPath::MAX_LEN {
            return Err(Error::new(ErrorKind::BadPath, OP));
        }
        self.pending.push(path);
        Ok(())
    }

    /// Copies a link as it is. It replaces nothing; the same link is a success.
    fn link(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
        let text = sys::fs::readlinkat(from, name, Vec::new()).during(OP)?;
        match sys::fs::symlinkat(&text, to, name) {
            Ok(()) => {
                self.copier.report.links += 1;
                Ok(())
            }
            Err(Errno::EXIST)
                if sys::fs::readlinkat(to, name, Vec::new()).is_ok_and(|old| old == text) =>
            {
                Ok(())
            }
            Err(errno) => Err(Error::from_errno(OP, errno)),
        }
    }
}

/// Makes a directory with the permission bits of `like`, less the umask, or opens the one that is
/// there. Its owner can always write to it: it is about to be filled.
#[allow(clippy::useless_conversion, reason = "the width of `mode_t` differs between platforms")]
fn make_directory(
    lookup: Lookup,
    parent: BorrowedFd<'_>,
    name: &[u8],
    like: &Stat,
    copier: &mut Copier<'_>,
) -> Result<OwnedFd> {
    let bits = Metadata::from_stat(like).mode & 0o777;
    let mode = RawMode::try_from(bits).map_or(Mode::empty(), Mode::from_raw_mode) | Mode::RWXU;
    match sys::fs::mkdirat(parent, name, mode) {
        Ok(()) => copier.report.directories += 1,
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(Error::from_errno(OP, errno)),
    }
    lookup.open_strict(parent, name, ANCHOR).during(OP)
}

/// Refuses a target inside of the source, whatever links led there: a copy of itself would have to
/// hold itself. Goes up from the target's directory to the root and compares.
fn refuse_inside(jail: &Jail, source: &Stat, parent: BorrowedFd<'_>) -> Result<()> {
    let root = identity(&sys::fs::fstat(jail.root()).during(OP)?);
    let mut here = sys::io::fcntl_dupfd_cloexec(parent, 0).during(OP)?;
    let mut last = None;
    for _ in 0..VPath::MAX_LEN {
        let id = identity(&sys::fs::fstat(&here).during(OP)?);
        if id == identity(source) {
            return Err(Error::new(ErrorKind::BadPath, OP));
        }
        if id == root || last == Some(id) {
            return Ok(());
        }
        last = Some(id);
        here = sys::open_parent(here.as_fd(), ANCHOR).during(OP)?;
    }
    Err(Error::new(ErrorKind::BadPath, OP))
}

fn is_gone(directory: &OwnedFd, name: &[u8]) -> bool {
    matches!(stat_name(directory.as_fd(), name), Err(Errno::NOENT))
}
