//! What can go wrong on a connection, grouped by who is to blame.

use std::fmt;
use std::io;

use e2eeftp_core as core;
use e2eeftp_core::handshake::Refusal;
use e2eeftp_core::transfer::Reason;
use e2eeftp_vfs as vfs;

/// The result of every fallible function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation on a connection failed.
///
/// [`Error::code`] is stable and documented in `docs/ERRORS.md`. The text never contains secrets,
/// host paths or bytes chosen by the peer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The caller cancelled the operation.
    Aborted,
    /// The ssh-agent can't be reached, or gives no answer.
    Agent(&'static str, Option<io::Error>),
    /// The peer has too much to do, or this address connects too often.
    Busy,
    /// The session or listener was closed: on this side, or while a body ran, by the peer.
    Closed,
    /// No TCP connection could be made.
    Connect(io::Error),
    /// The connection ended without an authenticated close.
    ConnectionLost(io::Error),
    /// The protocol core refused what the peer sent, or what the caller asked for.
    Core(core::Error),
    /// The verified root or length of a body does not match what was received.
    Integrity(&'static str),
    /// A socket call failed for a reason of the local system.
    Io(&'static str, io::Error),
    /// Standard input or output failed, or nobody reads the latter any more.
    Pipe(&'static str, io::Error),
    /// The sender of a body gave it up.
    PeerAborted(Reason),
    /// The receiver of a body asked for it to stop.
    PeerStopped(Reason),
    /// The peer sent a valid record at the wrong moment.
    Protocol(&'static str),
    /// The server refused the connection; it does not say why.
    Refused,
    /// The peer is shutting down.
    ShuttingDown,
    /// The peer was silent for longer than the named limit.
    Timeout(&'static str),
    /// The host name has no address.
    UnknownHost(io::Error),
    /// A file operation on this side failed.
    Vfs(vfs::Error),
}

impl Error {
    /// The stable code of this error, one of the rows of `docs/ERRORS.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Aborted => "E2EEFTP_ABORTED",
            Self::Agent(..) => "E2EEFTP_AGENT",
            Self::Busy => "E2EEFTP_RATE_LIMITED",
            Self::Closed => "E2EEFTP_CLOSED",
            Self::Connect(_) => "E2EEFTP_CONNECT",
            Self::ConnectionLost(_) => "E2EEFTP_CONNECTION_LOST",
            Self::Core(error) => error.code(),
            Self::Integrity(_) => "E2EEFTP_INTEGRITY",
            Self::Io(..) | Self::Pipe(..) => "E2EEFTP_IO",
            Self::PeerAborted(_) => "E2EEFTP_PEER_ABORTED",
            Self::PeerStopped(_) => "E2EEFTP_PEER_STOPPED",
            Self::Protocol(_) => "E2EEFTP_PROTOCOL",
            Self::Refused => "E2EEFTP_AUTH_REFUSED",
            Self::ShuttingDown => "E2EEFTP_SHUTTING_DOWN",
            Self::Timeout(_) => "E2EEFTP_TIMEOUT",
            Self::UnknownHost(_) => "E2EEFTP_UNKNOWN_HOST",
            Self::Vfs(error) => error.code(),
        }
    }

    /// Whether the session can go on after this error: the records of both directions are still in
    /// step and the peer has been told.
    pub fn keeps_session(&self) -> bool {
        matches!(
            self,
            Self::Aborted
                | Self::Integrity(_)
                | Self::PeerAborted(_)
                | Self::Pipe(..)
                | Self::PeerStopped(_)
                | Self::Vfs(_)
        )
    }

    /// The reason told to the peer when a body is given up because of this error.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Aborted | Self::Closed => Reason::Cancelled,
            Self::Integrity(_) => Reason::Integrity,
            Self::Timeout(_) => Reason::TimedOut,
            Self::ShuttingDown => Reason::ShuttingDown,
            Self::Protocol(_) | Self::Core(_) => Reason::Protocol,
            Self::Vfs(error) => match error.kind() {
                vfs::ErrorKind::SourceChanged => Reason::SourceChanged,
                vfs::ErrorKind::NoSpace => Reason::NoSpace,
                vfs::ErrorKind::TooLarge => Reason::TooLarge,
                vfs::ErrorKind::NotPermitted
                | vfs::ErrorKind::Expired
                | vfs::ErrorKind::ReadOnlyStorage => Reason::NotPermitted,
                _ => Reason::Io,
            },
            _ => Reason::Io,
        }
    }

    /// Sorts an error of a socket call: the connection is gone, or this system failed.
    pub(crate) fn from_socket(op: &'static str, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable => Self::ConnectionLost(error),
            _ => Self::Io(op, error),
        }
    }

    pub(crate) fn end_of_stream() -> Self {
        Self::ConnectionLost(io::ErrorKind::UnexpectedEof.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted => f.write_str("the operation was cancelled"),
            Self::Agent(what, None) => write!(f, "the ssh-agent: {what}"),
            Self::Agent(what, Some(error)) => write!(f, "the ssh-agent: {what}: {error}"),
            Self::Busy => f.write_str("the server is busy or this address connects too often"),
            Self::Closed => f.write_str("the connection is closed"),
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::ConnectionLost(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("the peer ended the connection without saying goodbye")
            }
            Self::ConnectionLost(error) => write!(f, "the connection was lost: {error}"),
            Self::Core(error) => write!(f, "{error}"),
            Self::Integrity(what) => write!(f, "{what}"),
            Self::Io(op, error) => write!(f, "{op} failed: {error}"),
            Self::Pipe(name, error) if error.kind() == io::ErrorKind::BrokenPipe => {
                write!(f, "the other end of {name} is closed")
            }
            Self::Pipe(name, error) => write!(f, "{name}: {error}"),
            Self::PeerAborted(reason) => {
                write!(f, "the sender gave up: {}", reason_text(*reason))
            }
            Self::PeerStopped(reason) => {
                write!(f, "the receiver stopped the transfer: {}", reason_text(*reason))
            }
            Self::Protocol(what) => write!(f, "the peer broke the protocol: {what}"),
            Self::Refused => f.write_str("the server refused this connection"),
            Self::ShuttingDown => f.write_str("the server is shutting down"),
            Self::Timeout(what) => write!(f, "timed out: {what}"),
            Self::UnknownHost(error) => write!(f, "unknown host: {error}"),
            Self::Vfs(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error)
            | Self::ConnectionLost(error)
            | Self::Io(_, error)
            | Self::Pipe(_, error)
            | Self::UnknownHost(error)
            | Self::Agent(_, Some(error)) => Some(error),
            Self::Core(error) => Some(error),
            Self::Vfs(error) => Some(error),
            _ => None,
        }
    }
}

impl From<core::Error> for Error {
    fn from(error: core::Error) -> Self {
        match error {
            core::Error::Refused(Refusal::Busy) => Self::Busy,
            core::Error::Refused(Refusal::ShuttingDown) => Self::ShuttingDown,
            core::Error::Refused(_) => Self::Refused,
            error => Self::Core(error),
        }
    }
}

impl From<vfs::Error> for Error {
    fn from(error: vfs::Error) -> Self {
        Self::Vfs(error)
    }
}

fn reason_text(reason: Reason) -> &'static str {
    match reason {
        Reason::Done => "done",
        Reason::Cancelled => "cancelled",
        Reason::SourceChanged => "the source changed while it was read",
        Reason::NoSpace => "no space left",
        Reason::Io => "a file error",
        Reason::NotPermitted => "not permitted",
        Reason::Integrity => "the content did not verify",
        Reason::TimedOut => "timed out",
        Reason::ShuttingDown => "shutting down",
        Reason::TooLarge => "too large",
        Reason::Protocol => "protocol error",
        Reason::Internal => "internal error",
        Reason::Unknown(_) => "unknown reason",
    }
}
