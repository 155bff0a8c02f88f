//! Authenticated connections.

use std::sync::Arc;
use std::time::Duration;

use e2eeftp_core::handshake::Suite;
use e2eeftp_core::transfer::Reason;
use e2eeftp_net::{BodyResult, Session};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi_derive::napi;
use tokio::sync::Mutex;

use crate::body::{NativeBodyReader, NativeBodyWriter};
use crate::error::{IntoThrown, len, number, optional_len, promise};
use crate::file::{NativeSource, NativeStaged};
use crate::stats::NativeTcpInfo;
use crate::transfer::NativeTransfer;

/// What a finished body amounts to.
#[napi(object)]
pub struct NativeBodyResult {
    /// Content bytes.
    pub bytes: f64,
    /// BLAKE3 root, 32 bytes.
    pub root: Buffer,
}

impl From<BodyResult> for NativeBodyResult {
    fn from(result: BodyResult) -> Self {
        Self { bytes: number(result.bytes), root: result.root.to_vec().into() }
    }
}

/// An authenticated connection.
#[napi]
pub struct NativeSession {
    pub(crate) session: Session,
}

#[napi]
impl NativeSession {
    /// 16 random bytes, the same on both sides.
    #[napi(getter)]
    pub fn session_id(&self) -> Buffer {
        self.session.session_id().to_vec().into()
    }

    /// `AES-256-GCM` or `ChaCha20-Poly1305`.
    #[napi(getter)]
    pub fn suite(&self) -> &'static str {
        match self.session.suite() {
            Suite::Aes256Gcm => "AES-256-GCM",
            Suite::ChaCha20Poly1305 => "ChaCha20-Poly1305",
        }
    }

    /// What the kernel knows of the connection, or null where it tells nothing. Not during a body.
    #[napi]
    pub fn tcp_info<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<PromiseRaw<'env, Option<NativeTcpInfo>>> {
        let session = self.session.clone();
        promise(env, async move {
            let info = session.tcp_info().await.or_throw()?;
            Ok(info.as_ref().map(NativeTcpInfo::from))
        })
    }

    #[napi(getter)]
    pub fn peer_host(&self) -> String {
        self.session.address().ip().to_canonical().to_string()
    }

    #[napi(getter)]
    pub fn peer_port(&self) -> u16 {
        self.session.address().port()
    }

    #[napi(getter)]
    pub fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// The next control message, or null after an authenticated close. `timeout_ms` bounds the
    /// wait for its first byte; 0 means no bound.
    #[napi]
    pub fn next_control<'env>(
        &self,
        env: &'env Env,
        timeout_ms: u32,
    ) -> napi::Result<PromiseRaw<'env, Option<Buffer>>> {
        let session = self.session.clone();
        promise(env, async move {
            let message = session.next_control(Duration::from_millis(timeout_ms.into())).await;
            Ok(message.or_throw()?.map(Buffer::from))
        })
    }

    /// Sends a control message of at most 16 KiB.
    #[napi]
    pub fn send_control<'env>(
        &self,
        env: &'env Env,
        message: &[u8],
    ) -> napi::Result<PromiseRaw<'env, ()>> {
        let (session, message) = (self.session.clone(), message.to_vec());
        promise(env, async move { session.send_control(&message).await.or_throw() })
    }

    /// Waits for a free pump and keeps it for the next file of this session.
    #[napi]
    pub fn reserve_pump<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
    ) -> napi::Result<PromiseRaw<'env, ()>> {
        let (session, transfer) = (self.session.clone(), transfer.transfer.clone());
        promise(env, async move { session.reserve_pump(&transfer).await.or_throw() })
    }

    /// Sends `length` bytes (-1: to the end) of `source` from `offset` on.
    #[napi]
    pub fn send_file<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        source: &NativeSource,
        stream: u32,
        offset: f64,
        length: f64,
    ) -> napi::Result<PromiseRaw<'env, NativeBodyResult>> {
        let (session, transfer) = (self.session.clone(), transfer.transfer.clone());
        let source = source.open()?;
        let offset = len(offset)?;
        let length = match optional_len(length)? {
            Some(length) => length,
            None => source.metadata().size.saturating_sub(offset),
        };
        promise(env, async move {
            let sent = session.send_file(&transfer, source, stream, offset, length).await;
            sent.map(NativeBodyResult::from).or_throw()
        })
    }

    /// Receives a body into `staged`, which can be committed afterwards.
    #[napi]
    pub fn receive_file<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        staged: &NativeStaged,
        stream: u32,
        expected_len: f64,
    ) -> napi::Result<PromiseRaw<'env, NativeBodyResult>> {
        let (session, transfer) = (self.session.clone(), transfer.transfer.clone());
        let expected_len = optional_len(expected_len)?;
        let slot = staged.slot();
        let file = slot.take_fresh()?;
        promise(env, async move {
            let (result, file) =
                session.receive_file(&transfer, file, stream, expected_len).await.or_throw()?;
            slot.put_verified(file);
            Ok(result.into())
        })
    }

    /// A body that is fed piece by piece.
    #[napi]
    pub fn body_writer(&self, stream: u32) -> NativeBodyWriter {
        NativeBodyWriter::new(self.session.body_writer(stream))
    }

    /// A body that is taken piece by piece.
    #[napi]
    pub fn body_reader(&self, stream: u32) -> NativeBodyReader {
        NativeBodyReader { reader: Arc::new(Mutex::new(self.session.body_reader(stream))) }
    }

    /// Secret bytes that both sides of this session can derive, and nobody else.
    #[napi(catch_unwind)]
    pub fn export(&self, label: String, context: &[u8], length: u32) -> napi::Result<Buffer> {
        let mut out = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(1 << 14)];
        self.session.export(&label, context, &mut out).or_throw()?;
        Ok(out.into())
    }

    /// Says goodbye and closes; waits at most a second. Idempotent.
    #[napi]
    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let session = self.session.clone();
        promise(env, async move {
            session.close(Reason::Done).await;
            Ok(())
        })
    }

    /// Closes at once; whatever waits on the session fails. Idempotent.
    #[napi]
    pub fn destroy(&self) {
        self.session.destroy();
    }
}
