//! Standard input and output as the ends of a body: read and written in place, by the pump's own
//! thread. No wait is longer than a tick, so that a cancel is noticed whatever the other end does.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::net::{SendFlags, send};

use super::stream_receive::StreamSink;
use super::stream_send::{Fed, StreamSource};
use crate::error::{Error, Result};

/// What a pipe takes at least once it is writable (POSIX, `PIPE_BUF` on Linux).
const SMALL: usize = 4096;
/// A pipe is made this large where the system allows: fewer switches between its two ends.
const PIPE_LEN: usize = 1 << 20;
const INPUT: &str = "standard input";
const OUTPUT: &str = "standard output";

/// Where the bytes of a body come from.
#[derive(Debug)]
pub struct StandardInput {
    file: File,
    /// Whether a read never waits.
    never_waits: bool,
}

impl StandardInput {
    /// Standard input of this process. Nothing else of the process may read from it.
    ///
    /// # Errors
    /// [`Error::Pipe`].
    pub fn of_process() -> Result<Self> {
        let fd = io::stdin().as_fd().try_clone_to_owned();
        Self::new(fd.map_err(|error| Error::Pipe(INPUT, error))?)
    }

    /// Any other descriptor that can be read.
    ///
    /// # Errors
    /// [`Error::Pipe`].
    pub fn new(fd: OwnedFd) -> Result<Self> {
        let kind = kind_of(&fd).map_err(|error| Error::Pipe(INPUT, error))?;
        match kind {
            FileType::RegularFile => Ok(Self { file: fd.into(), never_waits: true }),
            FileType::Fifo => match reopen(&fd, File::options().read(true)) {
                Some(file) => Ok(Self { file, never_waits: true }),
                None => Ok(Self { file: fd.into(), never_waits: false }),
            },
            _ => Ok(Self { file: fd.into(), never_waits: false }),
        }
    }
}

impl StreamSource for StandardInput {
    fn feed(&mut self, room: &mut [u8]) -> Result<Fed> {
        if !self.never_waits && !is_ready(&self.file, PollFlags::IN, Duration::ZERO)? {
            return Ok(Fed::Nothing);
        }
        match self.file.read(room) {
            Ok(0) => Ok(Fed::End),
            Ok(len) => Ok(Fed::Bytes(len)),
            Err(error) if is_later(&error) => Ok(Fed::Nothing),
            Err(error) => Err(Error::Pipe(INPUT, error)),
        }
    }

    fn wait(&mut self, longest: Duration) -> Result<()> {
        is_ready(&self.file, PollFlags::IN, longest).map(drop)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// How bytes leave without a wait that nothing can end.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// A regular file, a null device: it takes all at once.
    Direct,
    /// A descriptor of its own that never waits.
    NonBlocking,
    /// A socket, with a flag for each call.
    Socket,
    /// So little that what is writable takes it without a wait.
    Small,
}

/// Where the bytes of a body go.
#[derive(Debug)]
pub struct StandardOutput {
    file: File,
    way: Way,
}

/// A socket whose reader has gone is an error and no signal. Apple's systems have no such flag; Node
/// ignores the signal.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: SendFlags = SendFlags::empty();

impl StandardOutput {
    /// Standard output of this process. What the process has buffered for it is to be flushed before.
    ///
    /// # Errors
    /// [`Error::Pipe`].
    pub fn of_process() -> Result<Self> {
        let fd = io::stdout().as_fd().try_clone_to_owned();
        Self::new(fd.map_err(|error| Error::Pipe(OUTPUT, error))?)
    }

    /// Any other descriptor that can be written to.
    ///
    /// # Errors
    /// [`Error::Pipe`].
    pub fn new(fd: OwnedFd) -> Result<Self> {
        let kind = kind_of(&fd).map_err(|error| Error::Pipe(OUTPUT, error))?;
        let way = match kind {
            FileType::Socket => Way::Socket,
            FileType::Fifo => match reopen(&fd, File::options().write(true)) {
                Some(file) => return Ok(Self { file, way: Way::NonBlocking }),
                None => Way::Small,
            },
            FileType::CharacterDevice if rustix::termios::isatty(&fd) => Way::Small,
            _ => Way::Direct,
        };
        Ok(Self { file: fd.into(), way })
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.way {
            Way::Direct | Way::NonBlocking => self.file.write(bytes),
            Way::Socket => Ok(send(&self.file, bytes, SendFlags::DONTWAIT.union(NO_SIGNAL))?),
            Way::Small => match is_ready(&self.file, PollFlags::OUT, Duration::ZERO) {
                Ok(true) => self.file.write(&bytes[..bytes.len().min(SMALL)]),
                _ => Err(io::ErrorKind::WouldBlock.into()),
            },
        }
    }
}

impl StreamSink for StandardOutput {
    fn take(&mut self, bytes: &[u8]) -> Result<usize> {
        match self.put(bytes) {
            Ok(len) => Ok(len),
            Err(error) if is_later(&error) => Ok(0),
            Err(error) => Err(Error::Pipe(OUTPUT, error)),
        }
    }

    fn wait(&mut self, longest: Duration) -> Result<()> {
        is_ready(&self.file, PollFlags::OUT, longest).map(drop)
    }
}

fn kind_of(fd: &OwnedFd) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(fstat(fd)?.st_mode))
}

/// The same pipe once more, in a mode of its own: that of the descriptor itself is shared with
/// other processes, which may not expect it to change. `None` where that can't be had: on systems
/// without `/proc`, and where the pipe belongs to somebody else.
fn reopen(fd: &OwnedFd, options: &std::fs::OpenOptions) -> Option<File> {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    // A pipe that stays as it is works, too.
    let _ = set_pipe_len(fd);
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().try_into().ok()?;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    options.clone().custom_flags(nonblocking).open(path).ok()
}

#[cfg(target_os = "linux")]
fn set_pipe_len(fd: &OwnedFd) -> rustix::io::Result<usize> {
    rustix::pipe::fcntl_setpipe_size(fd, PIPE_LEN)
}

#[cfg(not(target_os = "linux"))]
fn set_pipe_len(_: &OwnedFd) -> rustix::io::Result<usize> {
    Ok(PIPE_LEN)
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Whether a read or write would not wait, after at most `longest`. An end or an error counts as
/// ready: the call tells it.
fn is_ready(file: &File, flags: PollFlags, longest: Duration) -> Result<bool> {
    let longest = Timespec {
        tv_sec: 0,
        tv_nsec: longest.min(Duration::from_millis(999)).subsec_nanos().into(),
    };
    match poll(&mut [PollFd::new(file, flags)], Some(&longest)) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(Error::Pipe("waiting for standard input or output", error.into())),
    }
}
