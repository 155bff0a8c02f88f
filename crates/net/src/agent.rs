//! Asks an ssh-agent over its socket. The messages are those of `e2eeftp_core::identity::agent`.
//!
//! Each question has a connection and a time limit of its own, and nothing here blocks a worker:
//! a person may have to confirm, or to touch a security key.

use std::path::{Path, PathBuf};
use std::time::Duration;

use e2eeftp_core::identity::agent::{
    AgentKey, answer_len, list_request, read_keys, read_signature, sign_request,
};
use e2eeftp_core::identity::{PublicKey, Signature};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::error::{Error, Result};

/// How long a list of keys may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a signature may take: as long as a server waits for it, and longer than a security
/// key blinks.
const SIGN_TIMEOUT: Duration = Duration::from_secs(45);

/// An ssh-agent.
#[derive(Clone, Debug)]
pub struct Agent {
    socket: PathBuf,
}

impl Agent {
    /// The agent behind the socket at `path`, which is mostly that of `SSH_AUTH_SOCK`; on Windows
    /// behind the named pipe, such as `\\.\pipe\openssh-ssh-agent`. Nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { socket: path.into() }
    }

    /// The keys that it holds and that we can use, in its order.
    ///
    /// # Errors
    /// [`Error::Agent`] when it can't be reached or does not answer within 10 s, [`Error::Core`]
    /// when it refuses or its answer can't be read.
    pub async fn keys(&self) -> Result<Vec<AgentKey>> {
        let answer = self.ask(&list_request(), LIST_TIMEOUT).await?;
        Ok(read_keys(&answer)?)
    }

    /// A signature by `key` over `message`. It is not verified here.
    ///
    /// # Errors
    /// As [`keys`](Self::keys), with 45 s.
    pub async fn sign(&self, key: &PublicKey, message: &[u8]) -> Result<Signature> {
        let answer = self.ask(&sign_request(key, message), SIGN_TIMEOUT).await?;
        Ok(read_signature(&answer)?)
    }

    async fn ask(&self, request: &[u8], limit: Duration) -> Result<Vec<u8>> {
        let asking = async {
            let mut stream = open(&self.socket).await?;
            exchange(&mut stream, request).await
        };
        timeout(limit, asking).await.unwrap_or(Err(Error::Agent("it did not answer in time", None)))
    }
}

#[cfg(unix)]
async fn open(path: &Path) -> Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(path)
        .await
        .map_err(|error| Error::Agent("it cannot be reached", Some(error)))
}

/// The pipe takes so many clients at a time; the caller's time limit ends the wait.
#[cfg(windows)]
async fn open(path: &Path) -> Result<tokio::net::windows::named_pipe::NamedPipeClient> {
    use tokio::net::windows::named_pipe::ClientOptions;

    /// `ERROR_PIPE_BUSY` of `winerror.h`.
    const PIPE_BUSY: i32 = 231;
    const PAUSE: Duration = Duration::from_millis(50);
    // Anything else would be an ordinary file, and be written to.
    if !path.to_str().is_some_and(|path| path.to_ascii_lowercase().starts_with(r"\\.\pipe\")) {
        return Err(Error::Agent(r"on Windows it is a named pipe, \\.\pipe\…", None));
    }
    loop {
        match ClientOptions::new().open(path) {
            Err(error) if error.raw_os_error() == Some(PIPE_BUSY) => {
                tokio::time::sleep(PAUSE).await
            }
            result => {
                return result.map_err(|error| Error::Agent("it cannot be reached", Some(error)));
            }
        }
    }
}

/// Sends a request and receives one answer, without its length.
async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
) -> Result<Vec<u8>> {
    let lost = |error| Error::Agent("it hung up", Some(error));
    stream.write_all(request).await.map_err(lost)?;
    let mut header = [0; 4];
    stream.read_exact(&mut header).await.map_err(lost)?;
    let mut answer = vec![0; answer_len(header)?];
    stream.read_exact(&mut answer).await.map_err(lost)?;
    Ok(answer)
}
