//! Storage roots, and views of them narrowed by a grant.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use e2eeftp_vfs::{Entry, Grant, Lister, LocalStorage, StageOptions, Storage, VPath, View};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi_derive::napi;

use crate::error::{IntoThrown, blocking, closed, len, number, promise};
use crate::file::{NativeMetadata, NativeSource, NativeStageOptions, NativeStaged};
use crate::time::from_ms;

/// A tree of files.
#[napi]
pub struct NativeStorage {
    storage: Arc<dyn Storage>,
    /// Ends a running sweep.
    no_sweep: Arc<AtomicBool>,
}

impl NativeStorage {
    fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, no_sweep: Arc::default() }
    }
}

/// What a sweep found.
#[napi(object)]
pub struct NativeSweepReport {
    /// Staged files removed.
    pub removed: f64,
    /// Staged files left because somebody writes them.
    pub in_use: f64,
}

/// What a peer may do.
#[napi(object)]
#[expect(clippy::struct_excessive_bools, reason = "independent permissions")]
pub struct NativeGrant {
    pub read: bool,
    pub write: bool,
    pub list: bool,
    pub delete: bool,
    pub overwrite: bool,
    /// Bytes of one file.
    pub max_size: Option<f64>,
    /// Milliseconds since 1970.
    pub expires_at_ms: Option<f64>,
}

impl TryFrom<NativeGrant> for Grant {
    type Error = napi::Error;

    fn try_from(grant: NativeGrant) -> napi::Result<Self> {
        Ok(Self {
            read: grant.read,
            write: grant.write,
            list: grant.list,
            delete: grant.delete,
            overwrite: grant.overwrite,
            max_size: grant.max_size.map(len).transpose()?,
            expires_at: grant.expires_at_ms.map(from_ms).transpose()?,
        })
    }
}

#[napi]
impl NativeStorage {
    /// Opens a directory of this machine as a root.
    #[napi(factory, catch_unwind)]
    pub fn open(root: String) -> napi::Result<Self> {
        let storage = LocalStorage::open_root(Path::new(&root)).or_throw()?;
        Ok(Self::new(Arc::new(storage)))
    }

    /// The storage whose root is a directory of this one, for good.
    #[napi]
    pub fn enter<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
    ) -> napi::Result<PromiseRaw<'env, NativeStorage>> {
        let (storage, path) = (Arc::clone(&self.storage), VPath::parse(path).or_throw()?);
        promise(env, blocking(move || storage.enter(&path).map(NativeStorage::new).or_throw()))
    }

    /// This storage as a peer with `grant` sees it.
    #[napi(catch_unwind)]
    pub fn view(&self, grant: NativeGrant) -> napi::Result<NativeView> {
        let view = View::new(Arc::clone(&self.storage), grant.try_into()?);
        Ok(NativeView { view: Arc::new(view) })
    }

    /// Creates a directory.
    #[napi]
    pub fn make_directory<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
        parents: bool,
    ) -> napi::Result<PromiseRaw<'env, ()>> {
        let (storage, path) = (Arc::clone(&self.storage), VPath::parse(path).or_throw()?);
        promise(env, blocking(move || storage.make_directory(&path, parents).or_throw()))
    }

    /// Ends a sweep that runs, and every later one at once.
    #[napi]
    pub fn stop_sweep(&self) {
        self.no_sweep.store(true, Ordering::Relaxed);
    }

    /// Removes the staged files that a killed process has left.
    #[napi]
    pub fn sweep<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, NativeSweepReport>> {
        let (storage, no_sweep) = (Arc::clone(&self.storage), Arc::clone(&self.no_sweep));
        promise(
            env,
            blocking(move || {
                let report = storage.sweep(&no_sweep).or_throw()?;
                Ok(NativeSweepReport {
                    removed: number(report.removed),
                    in_use: number(report.in_use),
                })
            }),
        )
    }
}

/// A storage as one peer sees it. Permissions are checked at every call, beside the system call.
#[napi]
pub struct NativeView {
    pub(crate) view: Arc<View>,
}

impl NativeView {
    /// Runs `work` on this view and `path` on a blocking thread.
    pub(crate) fn with<'env, T, F>(
        &self,
        env: &'env Env,
        path: &[u8],
        work: F,
    ) -> napi::Result<PromiseRaw<'env, T>>
    where
        T: Send + napi::bindgen_prelude::ToNapiValue + 'static,
        F: FnOnce(&View, &VPath) -> e2eeftp_vfs::Result<T> + Send + 'static,
    {
        let (view, path) = (Arc::clone(&self.view), path.to_vec());
        promise(
            env,
            blocking(move || VPath::parse(&path).and_then(|path| work(&view, &path)).or_throw()),
        )
    }
}

#[napi]
impl NativeView {
    /// Attributes of what the name leads to.
    #[napi]
    pub fn stat<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
    ) -> napi::Result<PromiseRaw<'env, NativeMetadata>> {
        self.with(env, path, |view, path| view.stat(path).map(|metadata| (&metadata).into()))
    }

    /// The entries of a directory.
    #[napi]
    pub fn list<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
    ) -> napi::Result<PromiseRaw<'env, NativeLister>> {
        self.with(env, path, |view, path| {
            let lister = view.list(path)?;
            Ok(NativeLister { lister: Arc::new(Mutex::new(Some(lister))) })
        })
    }

    /// Removes a file.
    #[napi]
    pub fn remove_file<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
    ) -> napi::Result<PromiseRaw<'env, ()>> {
        self.with(env, path, View::remove_file)
    }

    /// Removes a directory, with what is in it if `recursive`.
    #[napi]
    pub fn remove_directory<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
        recursive: bool,
    ) -> napi::Result<PromiseRaw<'env, ()>> {
        self.with(env, path, move |view, path| view.remove_directory(path, recursive))
    }

    /// Creates a directory.
    #[napi]
    pub fn make_directory<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
        parents: bool,
    ) -> napi::Result<PromiseRaw<'env, ()>> {
        self.with(env, path, move |view, path| view.make_directory(path, parents))
    }

    /// Opens a regular file for reading.
    #[napi]
    pub fn open_source<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
    ) -> napi::Result<PromiseRaw<'env, NativeSource>> {
        self.with(env, path, |view, path| view.open_source(path).map(NativeSource::new))
    }

    /// Starts a new file.
    #[napi]
    pub fn stage<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
        options: NativeStageOptions,
    ) -> napi::Result<PromiseRaw<'env, NativeStaged>> {
        let options = StageOptions::try_from(options)?;
        self.with(env, path, move |view, path| view.stage(path, &options).map(NativeStaged::new))
    }
}

/// One name in a directory.
#[napi(object)]
pub struct NativeEntry {
    /// The bytes of the name; any byte but `/` and NUL.
    pub name: Buffer,
    pub metadata: NativeMetadata,
}

impl From<Entry> for NativeEntry {
    fn from(entry: Entry) -> Self {
        let metadata = (&entry.metadata).into();
        Self { name: entry.name.into(), metadata }
    }
}

/// The entries of one directory, page by page.
#[napi]
pub struct NativeLister {
    /// `None` after the end, so that the directory is not kept open.
    lister: Arc<Mutex<Option<Box<dyn Lister>>>>,
}

#[napi]
impl NativeLister {
    /// The next entries; an empty page is the end.
    #[napi]
    pub fn next<'env>(
        &self,
        env: &'env Env,
        max_entries: u32,
    ) -> napi::Result<PromiseRaw<'env, Vec<NativeEntry>>> {
        let lister = Arc::clone(&self.lister);
        promise(
            env,
            blocking(move || {
                let mut lister = lister.lock().unwrap_or_else(PoisonError::into_inner);
                let page = match lister.as_mut() {
                    Some(open) => {
                        open.next(usize::try_from(max_entries).unwrap_or(1)).or_throw()?
                    }
                    None => return Err(closed("the listing")),
                };
                if page.is_empty() {
                    *lister = None;
                }
                Ok(page.into_iter().map(NativeEntry::from).collect())
            }),
        )
    }
}
