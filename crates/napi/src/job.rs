//! Copies, hashes and moves: what a request waits for without a body.

use std::sync::Arc;

use e2eeftp_net::hash_source;
use e2eeftp_vfs::{CopyOptions, CopyReport, Overwrite, RenameOptions, Space, VPath};
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

use crate::error::{IntoThrown, blocking, len, number, optional_len, promise};
use crate::file::{NativeSource, durability};
use crate::session::{NativeBodyResult, NativeSession};
use crate::storage::NativeView;
use crate::transfer::NativeTransfer;

/// How to move a name.
#[napi(object)]
pub struct NativeRenameOptions {
    /// Whether a file or link that has the new name is replaced.
    pub overwrite: bool,
    /// `none`, `file` or `directory`.
    pub durability: String,
}

impl TryFrom<NativeRenameOptions> for RenameOptions {
    type Error = napi::Error;

    fn try_from(options: NativeRenameOptions) -> napi::Result<Self> {
        let durability = durability(&options.durability)?;
        Ok(Self { overwrite: overwrite(options.overwrite), durability })
    }
}

/// How to copy.
#[napi(object)]
pub struct NativeCopyOptions {
    /// Whether files and links that have the new names are replaced.
    pub overwrite: bool,
    /// Copy a directory with all that is in it.
    pub recursive: bool,
    /// `none`, `file` or `directory`.
    pub durability: String,
}

impl TryFrom<NativeCopyOptions> for CopyOptions {
    type Error = napi::Error;

    fn try_from(options: NativeCopyOptions) -> napi::Result<Self> {
        Ok(Self {
            overwrite: overwrite(options.overwrite),
            recursive: options.recursive,
            max_len: None,
            durability: durability(&options.durability)?,
        })
    }
}

fn overwrite(replace: bool) -> Overwrite {
    if replace { Overwrite::Replace } else { Overwrite::Refuse }
}

/// What a copy has made.
#[napi(object)]
pub struct NativeCopyReport {
    pub files: f64,
    /// Those that were not there before.
    pub directories: f64,
    /// Symbolic links.
    pub links: f64,
    /// Length of the files together.
    pub bytes: f64,
}

impl From<CopyReport> for NativeCopyReport {
    fn from(report: CopyReport) -> Self {
        Self {
            files: number(report.files),
            directories: number(report.directories),
            links: number(report.links),
            bytes: number(report.bytes),
        }
    }
}

/// The room of a file system.
#[napi(object)]
pub struct NativeSpace {
    /// Bytes in all.
    pub total: f64,
    /// Bytes that nothing uses.
    pub free: f64,
    /// Bytes that can still be filled.
    pub available: f64,
    /// Files and directories that can be in all; 0 without a limit.
    pub files: f64,
    /// Files and directories that can still be made; 0 without a limit.
    pub files_free: f64,
}

impl From<Space> for NativeSpace {
    fn from(space: Space) -> Self {
        Self {
            total: number(space.total),
            free: number(space.free),
            available: number(space.available),
            files: number(space.files),
            files_free: number(space.files_free),
        }
    }
}

#[napi]
impl NativeView {
    /// Gives a name another one.
    #[napi]
    pub fn rename<'env>(
        &self,
        env: &'env Env,
        from: &[u8],
        to: &[u8],
        options: NativeRenameOptions,
    ) -> napi::Result<PromiseRaw<'env, ()>> {
        let options = RenameOptions::try_from(options)?;
        let to = to.to_vec();
        self.with(env, from, move |view, from| {
            VPath::parse(&to).and_then(|to| view.rename(from, &to, &options))
        })
    }

    /// The room of the file system that holds a name.
    #[napi]
    pub fn space<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
    ) -> napi::Result<PromiseRaw<'env, NativeSpace>> {
        self.with(env, path, |view, path| view.space(path).map(NativeSpace::from))
    }
}

#[napi]
impl NativeSession {
    /// Copies within a view.
    #[napi]
    pub fn copy<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        view: &NativeView,
        from: &[u8],
        to: &[u8],
        options: NativeCopyOptions,
    ) -> napi::Result<PromiseRaw<'env, NativeCopyReport>> {
        let (session, transfer) = (self.session.clone(), transfer.transfer.clone());
        let view = Arc::clone(&view.view);
        let paths = VPath::parse(from).and_then(|from| Ok((from, VPath::parse(to)?)));
        let options = CopyOptions::try_from(options)?;
        promise(env, async move {
            let (from, to) = paths.or_throw()?;
            let copied = session.copy(&transfer, view, from, to, options).await;
            copied.map(NativeCopyReport::from).or_throw()
        })
    }

    /// Length and root of `length` bytes (-1: to the end) of a file from `offset` on.
    #[napi]
    pub fn hash<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        source: &NativeSource,
        offset: f64,
        length: f64,
    ) -> napi::Result<PromiseRaw<'env, NativeBodyResult>> {
        let (session, transfer) = (self.session.clone(), transfer.transfer.clone());
        let (source, offset) = (source.open()?, len(offset)?);
        let end = optional_len(length)?.map_or(u64::MAX, |length| offset.saturating_add(length));
        promise(env, async move {
            let hashed = session.hash(&transfer, source, offset..end).await;
            hashed.map(NativeBodyResult::from).or_throw()
        })
    }

    /// Whether the peer has asked to stop a request without a body; never waits.
    #[napi]
    pub fn heard_stop<'env>(
        &self,
        env: &'env Env,
        stream: u32,
    ) -> napi::Result<PromiseRaw<'env, bool>> {
        let session = self.session.clone();
        promise(env, async move { session.heard_stop(stream).await.or_throw() })
    }

    /// Asks the peer to stop a request without a body.
    #[napi]
    pub fn stop_request<'env>(
        &self,
        env: &'env Env,
        stream: u32,
    ) -> napi::Result<PromiseRaw<'env, ()>> {
        let session = self.session.clone();
        promise(env, async move { session.stop_request(stream).await.or_throw() })
    }
}

/// Length and root of one of the user's own files.
#[napi]
pub fn hash_local<'env>(
    env: &'env Env,
    transfer: &NativeTransfer,
    source: &NativeSource,
) -> napi::Result<PromiseRaw<'env, NativeBodyResult>> {
    let transfer = transfer.transfer.clone();
    let source = source.open()?;
    promise(
        env,
        blocking(move || {
            let hashed = hash_source(&transfer, &*source, 0..u64::MAX);
            hashed.map(NativeBodyResult::from).or_throw()
        }),
    )
}
