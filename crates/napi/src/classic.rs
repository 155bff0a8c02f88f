//! The wire format of the original Python e2eeftp: connections and their one piece.

use std::sync::Arc;
use std::time::Duration;

use e2eeftp_core::classic::{PieceOpener, sealed_len};
use e2eeftp_core::identity::PublicKey;
use e2eeftp_net::classic::{Connection, Line, connect};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi_derive::napi;

use crate::connect::{NativeConnectOptions, client_limits};
use crate::error::{IntoThrown, len, number, promise, thrown};
use crate::file::{NativeSource, NativeStaged};
use crate::identity::{NativeIdentity, PublicKeyInfo};
use crate::session::NativeBodyResult;
use crate::transfer::NativeTransfer;

/// Length of the piece that seals `plain_len` bytes.
#[napi(catch_unwind)]
pub fn classic_sealed_len(plain_len: f64) -> napi::Result<f64> {
    let sealed = sealed_len(len(plain_len)?);
    sealed.map(number).ok_or_else(|| thrown("E2EEFTP_TOO_LARGE", "the file is too large"))
}

/// Whether a piece can be this long.
#[napi(catch_unwind)]
pub fn is_classic_sealed_len(sealed_len: f64) -> bool {
    len(sealed_len).is_ok_and(PieceOpener::is_sealed_len)
}

/// What stood where a line was awaited.
#[napi(object)]
pub struct NativeClassicLine {
    /// `text`, `too-long`, or `end` for the end of the stream.
    pub kind: String,
    /// The line without its newline; empty for the other kinds.
    pub text: Buffer,
}

impl From<Line> for NativeClassicLine {
    fn from(line: Line) -> Self {
        let (kind, text) = match line {
            Line::Text(text) => ("text", text),
            Line::TooLong => ("too-long", Vec::new()),
            Line::End => ("end", Vec::new()),
        };
        Self { kind: kind.to_owned(), text: text.into() }
    }
}

/// A connection after the hellos, for one command.
#[napi]
pub struct NativeClassicConnection {
    connection: Connection,
    server_key: Option<PublicKey>,
}

impl From<Connection> for NativeClassicConnection {
    /// The server's side of it.
    fn from(connection: Connection) -> Self {
        Self { connection, server_key: None }
    }
}

#[napi]
impl NativeClassicConnection {
    /// The identity that the server has shown; null on the server's side.
    #[napi(getter)]
    pub fn server_key(&self) -> Option<PublicKeyInfo> {
        self.server_key.as_ref().map(PublicKeyInfo::from)
    }

    /// Reads a line of at most 4096 bytes; all of it has to come in time.
    #[napi]
    pub fn read_line<'env>(
        &self,
        env: &'env Env,
        timeout_ms: u32,
    ) -> napi::Result<PromiseRaw<'env, NativeClassicLine>> {
        let connection = self.connection.clone();
        promise(env, async move {
            let line = connection.read_line(Duration::from_millis(timeout_ms.into())).await;
            Ok(line.or_throw()?.into())
        })
    }

    /// Reads up to the end of the stream.
    #[napi]
    pub fn read_to_end<'env>(
        &self,
        env: &'env Env,
        max_len: u32,
        timeout_ms: u32,
    ) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let connection = self.connection.clone();
        promise(env, async move {
            let max_len = usize::try_from(max_len).unwrap_or(usize::MAX);
            let limit = Duration::from_millis(timeout_ms.into());
            Ok(connection.read_to_end(max_len, limit).await.or_throw()?.into())
        })
    }

    /// Sends bytes in clear.
    #[napi]
    pub fn write<'env>(&self, env: &'env Env, bytes: &[u8]) -> napi::Result<PromiseRaw<'env, ()>> {
        let (connection, bytes) = (self.connection.clone(), bytes.to_vec());
        promise(env, async move { connection.write(&bytes).await.or_throw() })
    }

    /// Sends the last bytes, which may be none, and ends the connection once the peer has them.
    #[napi]
    pub fn answer<'env>(&self, env: &'env Env, bytes: &[u8]) -> napi::Result<PromiseRaw<'env, ()>> {
        let (connection, bytes) = (self.connection.clone(), bytes.to_vec());
        promise(env, async move { connection.answer(&bytes).await.or_throw() })
    }

    /// Sends `head` and the whole of `source` as the piece of this connection. Null when
    /// `until_answered` is set and the peer said something before the end.
    #[napi]
    pub fn send_piece<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        source: &NativeSource,
        head: &[u8],
        until_answered: bool,
    ) -> napi::Result<PromiseRaw<'env, Option<NativeBodyResult>>> {
        let (connection, transfer) = (self.connection.clone(), transfer.transfer.clone());
        let (source, head) = (source.open()?, head.to_vec());
        promise(env, async move {
            let sent = connection.send_piece(&transfer, source, head, until_answered).await;
            Ok(sent.or_throw()?.map(NativeBodyResult::from))
        })
    }

    /// Receives the piece of this connection into `staged`, which can be committed afterwards.
    #[napi]
    pub fn receive_piece<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        staged: &NativeStaged,
        sealed_len: f64,
    ) -> napi::Result<PromiseRaw<'env, NativeBodyResult>> {
        let (connection, transfer) = (self.connection.clone(), transfer.transfer.clone());
        let sealed_len = len(sealed_len)?;
        let slot = staged.slot();
        let file = slot.take_fresh()?;
        promise(env, async move {
            let (result, file) =
                connection.receive_piece(&transfer, file, sealed_len).await.or_throw()?;
            slot.put_verified(file);
            Ok(result.into())
        })
    }

    /// Closes at once; whatever waits on the connection fails. Idempotent.
    #[napi]
    pub fn close(&self) {
        self.connection.close();
    }
}

/// Connects and exchanges hellos. The server's key is still to be judged.
#[napi]
pub fn connect_classic<'env>(
    env: &'env Env,
    options: NativeConnectOptions,
    identity: &NativeIdentity,
) -> napi::Result<PromiseRaw<'env, NativeClassicConnection>> {
    let (limits, key) = (client_limits(&options), Arc::clone(identity.key()?));
    promise(env, async move {
        let connected = connect(&options.host, options.port, &key, limits).await;
        let (connection, server_key) = connected.or_throw()?;
        Ok(NativeClassicConnection { connection, server_key: Some(server_key) })
    })
}
