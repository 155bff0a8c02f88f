//! Bodies that pass through JavaScript piece by piece.

use std::sync::Arc;
use std::time::Duration;

use e2eeftp_core::transfer::Reason;
use e2eeftp_net::{BodyReader, BodyWriter};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw, spawn};
use napi_derive::napi;
use tokio::sync::Mutex;

use crate::error::{IntoThrown, promise};
use crate::session::NativeBodyResult;

/// Pause between two looks at a writer, at least.
const SHORTEST_TICK: Duration = Duration::from_millis(1);

/// The sending side of a streamed body.
#[napi]
pub struct NativeBodyWriter {
    writer: Arc<Mutex<BodyWriter>>,
}

impl NativeBodyWriter {
    /// While JavaScript holds the writer and has nothing to send, the peer is told that it is there.
    pub(crate) fn new(writer: BodyWriter) -> Self {
        let tick = (writer.keep_alive_interval() / 2).max(SHORTEST_TICK);
        let writer = Arc::new(Mutex::new(writer));
        let weak = Arc::downgrade(&writer);
        drop(spawn(async move {
            loop {
                tokio::time::sleep(tick).await;
                let Some(writer) = weak.upgrade() else { return };
                // A writer that is busy is heard of anyway; a failure is told by its next call.
                let Ok(mut writer) = writer.try_lock() else { continue };
                if !writer.keep_alive().await.unwrap_or(false) {
                    return;
                }
            }
        }));
        Self { writer }
    }
}

#[napi]
impl NativeBodyWriter {
    /// Sends a piece; resolves when the peer can take more.
    #[napi]
    pub fn write<'env>(&self, env: &'env Env, piece: &[u8]) -> napi::Result<PromiseRaw<'env, ()>> {
        let (writer, piece) = (Arc::clone(&self.writer), piece.to_vec());
        promise(env, async move { writer.lock().await.write(&piece).await.or_throw() })
    }

    /// Ends the body.
    #[napi]
    pub fn finish<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, NativeBodyResult>> {
        let writer = Arc::clone(&self.writer);
        promise(env, async move {
            let result = writer.lock().await.finish().await.or_throw()?;
            Ok(result.into())
        })
    }

    /// Gives the body up. Idempotent.
    #[napi]
    pub fn abort<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let writer = Arc::clone(&self.writer);
        promise(env, async move { writer.lock().await.abort(Reason::Cancelled).await.or_throw() })
    }
}

/// The receiving side of a streamed body.
#[napi]
pub struct NativeBodyReader {
    pub(crate) reader: Arc<Mutex<BodyReader>>,
}

#[napi]
impl NativeBodyReader {
    /// The next piece, or null once the end was reached and the root verified.
    #[napi]
    pub fn read<'env>(
        &self,
        env: &'env Env,
        max_bytes: u32,
    ) -> napi::Result<PromiseRaw<'env, Option<Buffer>>> {
        let reader = Arc::clone(&self.reader);
        promise(env, async move {
            let max_len = usize::try_from(max_bytes).unwrap_or(usize::MAX);
            let piece = reader.lock().await.read(max_len).await.or_throw()?;
            Ok(piece.map(Buffer::from))
        })
    }

    /// Asks the sender to stop and drops what still arrives. Idempotent.
    #[napi]
    pub fn stop<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let reader = Arc::clone(&self.reader);
        promise(env, async move { reader.lock().await.stop(Reason::Cancelled).await.or_throw() })
    }

    /// Length and root of a body that was read to its end, else null.
    #[napi]
    pub fn result<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<PromiseRaw<'env, Option<NativeBodyResult>>> {
        let reader = Arc::clone(&self.reader);
        promise(env, async move { Ok(reader.lock().await.result().map(NativeBodyResult::from)) })
    }
}
