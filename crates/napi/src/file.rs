//! Open files: sources and staged targets, in a storage or of the user's own.

use std::sync::{Arc, Mutex, PoisonError};

use e2eeftp_vfs::{
    CommitOptions, Durability, FileType, Metadata, Overwrite, Source, StageOptions, Staged, local,
};
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

use crate::error::{IntoThrown, blocking, closed, len, number, promise, thrown};
use crate::time;

/// Attributes of a file.
#[napi(object)]
pub struct NativeMetadata {
    /// `file`, `directory`, `symlink` or `other`.
    pub file_type: String,
    /// Bytes.
    pub size: f64,
    /// Whole milliseconds since 1970, rounded down.
    pub modified_ms: f64,
    /// Nanoseconds above them, 0 to 999,999.
    pub modified_ns: u32,
    /// Permission bits, within `0o7777`.
    pub mode: u32,
}

impl From<&Metadata> for NativeMetadata {
    fn from(metadata: &Metadata) -> Self {
        let (modified_ms, modified_ns) = time::split(metadata.modified);
        Self {
            file_type: file_type_name(metadata.file_type).to_owned(),
            size: number(metadata.size),
            modified_ms: time::ms_number(modified_ms),
            modified_ns,
            mode: metadata.mode,
        }
    }
}

/// The name of a type in JavaScript.
pub(crate) fn file_type_name(file_type: FileType) -> &'static str {
    match file_type {
        FileType::File => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symlink",
        FileType::Other => "other",
    }
}

/// How to start a new file.
#[napi(object)]
pub struct NativeStageOptions {
    /// Bytes, where known.
    pub expected_len: Option<f64>,
    /// Permission bits of the final file.
    pub mode: Option<u32>,
    /// Whether an existing file is replaced.
    pub overwrite: bool,
    /// Create missing directories above.
    pub make_parents: bool,
    /// Bytes of disk that it will take, where that is known and not `expected_len`.
    pub needed: Option<f64>,
}

impl TryFrom<NativeStageOptions> for StageOptions {
    type Error = napi::Error;

    fn try_from(options: NativeStageOptions) -> napi::Result<Self> {
        Ok(Self {
            expected_len: options.expected_len.map(len).transpose()?,
            mode: options.mode,
            overwrite: if options.overwrite { Overwrite::Replace } else { Overwrite::Refuse },
            make_parents: options.make_parents,
            max_len: None,
            needed: options.needed.map(len).transpose()?,
        })
    }
}

/// How to complete a new file.
#[napi(object)]
pub struct NativeCommitOptions {
    /// Modification time, milliseconds since 1970; whole ones with `modified_ns`.
    pub modified_ms: Option<f64>,
    /// Nanoseconds above them, 0 to 999,999.
    pub modified_ns: Option<u32>,
    /// `none`, `file` or `directory`.
    pub durability: String,
}

impl TryFrom<NativeCommitOptions> for CommitOptions {
    type Error = napi::Error;

    fn try_from(options: NativeCommitOptions) -> napi::Result<Self> {
        let durability = durability(&options.durability)?;
        let modified = match (options.modified_ms, options.modified_ns) {
            (Some(ms), Some(ns)) => Some(time::join(ms, ns)?),
            (Some(ms), None) => Some(time::from_ms(ms)?),
            (None, _) => None,
        };
        Ok(Self { modified, durability })
    }
}

/// `none`, `file` or `directory`.
pub(crate) fn durability(name: &str) -> napi::Result<Durability> {
    match name {
        "none" => Ok(Durability::None),
        "file" => Ok(Durability::File),
        "directory" => Ok(Durability::Directory),
        _ => Err(thrown("E2EEFTP_INVALID_ARGUMENT", "unknown durability")),
    }
}

/// A file opened for reading.
#[napi]
pub struct NativeSource {
    source: Mutex<Option<Arc<dyn Source>>>,
    metadata: Metadata,
}

impl NativeSource {
    pub(crate) fn new(source: Box<dyn Source>) -> Self {
        let metadata = source.metadata().clone();
        Self { source: Mutex::new(Some(Arc::from(source))), metadata }
    }

    pub(crate) fn open(&self) -> napi::Result<Arc<dyn Source>> {
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        source.clone().ok_or_else(|| closed("the source"))
    }
}

#[napi]
impl NativeSource {
    /// What was known when the file was opened.
    #[napi(getter)]
    pub fn metadata(&self) -> NativeMetadata {
        (&self.metadata).into()
    }

    /// Whether the file has holes.
    #[napi(getter, catch_unwind)]
    pub fn is_sparse(&self) -> napi::Result<bool> {
        Ok(self.open()?.is_sparse())
    }

    /// Closes the file once no transfer reads it any more. Idempotent.
    #[napi]
    pub fn close(&self) {
        drop(self.source.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// A new file that is not visible yet.
#[napi]
pub struct NativeStaged {
    slot: Arc<StagedSlot>,
}

/// Where a staged file is while no transfer has it.
#[derive(Default)]
pub(crate) struct StagedSlot {
    state: Mutex<StagedState>,
}

#[derive(Default)]
enum StagedState {
    /// Nothing received yet.
    Fresh(Box<dyn Staged>),
    /// All received; length and root have been compared.
    Verified(Box<dyn Staged>),
    /// A transfer has it, or it is gone.
    #[default]
    Taken,
}

impl StagedSlot {
    fn swap(&self, state: StagedState) -> StagedState {
        std::mem::replace(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), state)
    }

    /// Takes a fresh staged file for a transfer.
    pub(crate) fn take_fresh(&self) -> napi::Result<Box<dyn Staged>> {
        match self.swap(StagedState::Taken) {
            StagedState::Fresh(staged) => Ok(staged),
            _ => Err(closed("the staged file")),
        }
    }

    /// Puts it back after a transfer that verified its content.
    pub(crate) fn put_verified(&self, staged: Box<dyn Staged>) {
        drop(self.swap(StagedState::Verified(staged)));
    }
}

impl NativeStaged {
    pub(crate) fn new(staged: Box<dyn Staged>) -> Self {
        let slot = StagedSlot { state: Mutex::new(StagedState::Fresh(staged)) };
        Self { slot: Arc::new(slot) }
    }

    pub(crate) fn slot(&self) -> Arc<StagedSlot> {
        Arc::clone(&self.slot)
    }
}

#[napi]
impl NativeStaged {
    /// Makes the file appear under its name. Only after a transfer into it was verified.
    #[napi]
    pub fn commit<'env>(
        &self,
        env: &'env Env,
        options: NativeCommitOptions,
    ) -> napi::Result<PromiseRaw<'env, NativeMetadata>> {
        let options = CommitOptions::try_from(options)?;
        let slot = self.slot();
        promise(
            env,
            blocking(move || match slot.swap(StagedState::Taken) {
                StagedState::Verified(staged) => {
                    staged.commit(&options).map(|metadata| (&metadata).into()).or_throw()
                }
                StagedState::Fresh(_) => {
                    Err(thrown("E2EEFTP_INTEGRITY", "the content was not verified"))
                }
                StagedState::Taken => Err(closed("the staged file")),
            }),
        )
    }

    /// Removes the staged file. Idempotent; a transfer that still has it removes it at its end.
    #[napi]
    pub fn abort<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let slot = self.slot();
        promise(
            env,
            blocking(move || match slot.swap(StagedState::Taken) {
                StagedState::Fresh(staged) | StagedState::Verified(staged) => {
                    staged.abort().or_throw()
                }
                StagedState::Taken => Ok(()),
            }),
        )
    }
}

/// Opens one of the user's own files for reading.
#[napi]
pub fn open_local_source<'env>(
    env: &'env Env,
    path: &[u8],
) -> napi::Result<PromiseRaw<'env, NativeSource>> {
    let path = path.to_vec();
    promise(
        env,
        blocking(move || {
            let source = local::path_from_bytes(&path).and_then(local::open_source);
            source.map(NativeSource::new).or_throw()
        }),
    )
}

/// Starts a new file among the user's own.
#[napi]
pub fn stage_local<'env>(
    env: &'env Env,
    path: &[u8],
    options: NativeStageOptions,
) -> napi::Result<PromiseRaw<'env, NativeStaged>> {
    let options = StageOptions::try_from(options)?;
    let path = path.to_vec();
    promise(
        env,
        blocking(move || {
            let path = local::path_from_bytes(&path);
            let staged = path.and_then(|path| local::stage(path, &options));
            staged.map(NativeStaged::new).or_throw()
        }),
    )
}
