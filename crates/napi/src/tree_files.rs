//! Trees that are open for reading or writing, in a storage or of the user's own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use e2eeftp_vfs::{
    ErrorKind, Grant, LinkPolicy, LocalStorage, Overwrite, TreeReader, TreeWriteOptions,
    TreeWriter, VPath, View, local,
};
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

use crate::error::{IntoThrown, blocking, promise};
use crate::storage::NativeView;

/// How a tree is written.
#[napi(object)]
#[expect(clippy::struct_excessive_bools, reason = "independent options")]
pub struct NativeTreeWriteOptions {
    pub overwrite: bool,
    pub delete: bool,
    pub any_links: bool,
    pub dry_run: bool,
}

impl From<NativeTreeWriteOptions> for TreeWriteOptions {
    fn from(options: NativeTreeWriteOptions) -> Self {
        Self {
            overwrite: if options.overwrite { Overwrite::Replace } else { Overwrite::Refuse },
            delete: options.delete,
            any_links: options.any_links,
            dry_run: options.dry_run,
        }
    }
}

/// A tree that is open for reading.
#[napi]
pub struct NativeTreeReader {
    reader: Mutex<Option<TreeReader>>,
}

/// A tree that is open for writing.
#[napi]
pub struct NativeTreeWriter {
    writer: Mutex<Option<TreeWriter>>,
}

impl NativeTreeReader {
    pub(crate) fn take(&self) -> Option<TreeReader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl NativeTreeWriter {
    pub(crate) fn take(&self) -> Option<TreeWriter> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[napi]
impl NativeTreeReader {
    /// Closes the tree unless a dialog has it. Idempotent.
    #[napi]
    pub fn close(&self) {
        drop(self.take());
    }
}

#[napi]
impl NativeTreeWriter {
    /// Closes the tree unless a dialog has it. Idempotent.
    #[napi]
    pub fn close(&self) {
        drop(self.take());
    }
}

impl From<TreeReader> for NativeTreeReader {
    fn from(reader: TreeReader) -> Self {
        Self { reader: Mutex::new(Some(reader)) }
    }
}

impl From<TreeWriter> for NativeTreeWriter {
    fn from(writer: TreeWriter) -> Self {
        Self { writer: Mutex::new(Some(writer)) }
    }
}

#[napi]
impl NativeView {
    /// Opens a directory to be read as a whole.
    #[napi]
    pub fn read_tree<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
        follow_links: bool,
    ) -> napi::Result<PromiseRaw<'env, NativeTreeReader>> {
        let links = if follow_links { LinkPolicy::FollowBeneath } else { LinkPolicy::AsLinks };
        self.with(env, path, move |view, path| view.read_tree(path, links).map(Into::into))
    }

    /// Opens a directory to be written as a whole; it is made if it is missing.
    #[napi]
    pub fn write_tree<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
        options: NativeTreeWriteOptions,
    ) -> napi::Result<PromiseRaw<'env, NativeTreeWriter>> {
        let options = options.into();
        self.with(env, path, move |view, path| view.write_tree(path, &options).map(Into::into))
    }
}

/// Opens one of the user's own directories to be read as a whole.
#[napi]
pub fn read_local_tree<'env>(
    env: &'env Env,
    path: &[u8],
    follow_links: bool,
) -> napi::Result<PromiseRaw<'env, NativeTreeReader>> {
    let links = if follow_links { LinkPolicy::FollowAnywhere } else { LinkPolicy::AsLinks };
    let path = path.to_vec();
    promise(
        env,
        blocking(move || {
            let view = own(&path).or_throw()?;
            view.read_tree(&VPath::root(), links).map(Into::into).or_throw()
        }),
    )
}

/// Opens one of the user's own directories to be written as a whole, from which nothing leads out.
/// It exists, except in a dry run.
#[napi]
pub fn write_local_tree<'env>(
    env: &'env Env,
    path: &[u8],
    options: NativeTreeWriteOptions,
) -> napi::Result<PromiseRaw<'env, NativeTreeWriter>> {
    let (path, options) = (path.to_vec(), TreeWriteOptions::from(options));
    promise(
        env,
        blocking(move || {
            let (view, top) = match own(&path) {
                Err(error) if options.dry_run && error.kind() == ErrorKind::NotFound => {
                    above_missing(&path).or_throw()?
                }
                opened => (opened.or_throw()?, VPath::root()),
            };
            view.write_tree(&top, &options).map(Into::into).or_throw()
        }),
    )
}

/// What is there of a path whose end is missing, and that end: for looking, not for writing.
fn above_missing(path: &[u8]) -> e2eeftp_vfs::Result<(View, VPath)> {
    let whole = local::path_from_bytes(path)?;
    for above in whole.ancestors().skip(1) {
        let here = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        if let (true, Ok(rest)) = (here.is_dir(), whole.strip_prefix(above)) {
            let names: Vec<_> = rest.iter().map(std::ffi::OsStr::as_encoded_bytes).collect();
            return Ok((
                own(here.as_os_str().as_encoded_bytes())?,
                VPath::parse(&names.join(&b'/'))?,
            ));
        }
    }
    Err(e2eeftp_vfs::Error::new(ErrorKind::NotFound, "open"))
}

fn own(path: &[u8]) -> e2eeftp_vfs::Result<View> {
    let storage = LocalStorage::open_root(local::path_from_bytes(path)?)?;
    Ok(View::new(Arc::new(storage), Grant::all()))
}
