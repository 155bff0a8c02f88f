//! Bodies that are compressed, and bodies from standard input and to standard output.

use e2eeftp_core::compress::Mode;
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

use crate::error::{IntoThrown, len, optional_len, promise, thrown};
use crate::file::{NativeSource, NativeStaged};
use crate::session::{NativeBodyResult, NativeSession};
use crate::transfer::NativeTransfer;

#[napi]
impl NativeSession {
    /// As `sendFile`, with a compressed body. `mode` is `zstd` or `auto`.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "those of sendFile, and one")]
    pub fn send_compressed_file<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        source: &NativeSource,
        stream: u32,
        offset: f64,
        length: f64,
        mode: String,
    ) -> napi::Result<PromiseRaw<'env, NativeBodyResult>> {
        let (session, transfer) = (self.session.clone(), transfer.transfer.clone());
        let (source, part) = (source.open()?, (len(offset)?, len(length)?));
        let mode = compression(&mode)?.unwrap_or(Mode::Auto);
        promise(env, async move {
            let sent = session.send_compressed_file(&transfer, source, stream, part, mode).await;
            sent.map(NativeBodyResult::from).or_throw()
        })
    }

    /// As `receiveFile`, of a compressed body.
    #[napi]
    pub fn receive_compressed_file<'env>(
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
            let received = session.receive_compressed_file(&transfer, file, stream, expected_len);
            let (result, file) = received.await.or_throw()?;
            slot.put_verified(file);
            Ok(result.into())
        })
    }

    /// Sends standard input to its end; nothing else of the process may read from it. `compress` is
    /// `none`, `zstd` or `auto`.
    #[napi]
    pub fn send_standard_input<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        stream: u32,
        compress: String,
    ) -> napi::Result<PromiseRaw<'env, NativeBodyResult>> {
        let (session, transfer) = (self.session.clone(), transfer.transfer.clone());
        let compress = compression(&compress)?;
        let source = standard_input()?;
        promise(env, async move {
            let sent = session.send_stream(&transfer, source, stream, compress).await;
            sent.map(NativeBodyResult::from).or_throw()
        })
    }

    /// Receives a body to standard output.
    #[napi]
    pub fn receive_to_standard_output<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        stream: u32,
        expected_len: f64,
        is_compressed: bool,
    ) -> napi::Result<PromiseRaw<'env, NativeBodyResult>> {
        let (session, transfer) = (self.session.clone(), transfer.transfer.clone());
        let expected_len = optional_len(expected_len)?;
        let sink = standard_output()?;
        promise(env, async move {
            let received =
                session.receive_stream(&transfer, sink, stream, expected_len, is_compressed);
            received.await.map(NativeBodyResult::from).or_throw()
        })
    }
}

fn compression(name: &str) -> napi::Result<Option<Mode>> {
    match name {
        "none" => Ok(None),
        "zstd" => Ok(Some(Mode::Always)),
        "auto" => Ok(Some(Mode::Auto)),
        _ => Err(thrown("E2EEFTP_INVALID_ARGUMENT", "no such compression")),
    }
}

#[cfg(unix)]
fn standard_input() -> napi::Result<Box<dyn e2eeftp_net::StreamSource>> {
    Ok(Box::new(e2eeftp_net::StandardInput::of_process().or_throw()?))
}

#[cfg(unix)]
fn standard_output() -> napi::Result<Box<dyn e2eeftp_net::StreamSink>> {
    Ok(Box::new(e2eeftp_net::StandardOutput::of_process().or_throw()?))
}

#[cfg(not(unix))]
fn standard_input() -> napi::Result<Box<dyn e2eeftp_net::StreamSource>> {
    Err(thrown("E2EEFTP_UNSUPPORTED", "standard input can't be sent on this system"))
}

#[cfg(not(unix))]
fn standard_output() -> napi::Result<Box<dyn e2eeftp_net::StreamSink>> {
    Err(thrown("E2EEFTP_UNSUPPORTED", "standard output can't be written to on this system"))
}
