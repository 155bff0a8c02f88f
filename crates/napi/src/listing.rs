//! Listings, page by page as they travel.

use std::sync::{Arc, Mutex, PoisonError};

use e2eeftp_core::listing::{Kind, MAX_PAGE_ITEMS, PageEntry, PageWriter};
use e2eeftp_vfs::{Entry, FileType, Lister, Metadata, Result, TreeItem, TreeLister, VPath, View};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw, spawn_blocking};
use napi_derive::napi;

use crate::error::{IntoThrown, blocking, promise};
use crate::file::file_type_name;
use crate::storage::NativeView;
use crate::time;

/// Where the pages of a listing come from.
enum Pages {
    /// The one entry of what is no directory.
    One(Entry),
    Directory(Box<dyn Lister>),
    Tree(Box<dyn TreeLister>),
    /// Nothing follows, and no directory is kept open.
    Over,
}

impl Pages {
    fn open(view: &View, path: &VPath, recursive: bool) -> Result<(FileType, Self)> {
        let metadata = view.stat(path)?;
        let file_type = metadata.file_type;
        let pages = match (file_type, recursive) {
            (FileType::Directory, false) => Self::Directory(view.list(path)?),
            (FileType::Directory, true) => Self::Tree(view.list_tree(path)?),
            _ => {
                let name = path.file_name().unwrap_or_default().to_vec();
                Self::One(Entry { name, metadata })
            }
        };
        Ok((file_type, pages))
    }

    /// The next page; an empty one is the end.
    fn next(&mut self) -> Result<PageWriter> {
        let mut page = PageWriter::new();
        match self {
            Self::One(entry) => push(&mut page, &entry.name, &entry.metadata),
            Self::Directory(lister) => {
                for entry in lister.next(MAX_PAGE_ITEMS)? {
                    push(&mut page, &entry.name, &entry.metadata);
                }
            }
            Self::Tree(lister) => {
                while !page.is_full()
                    && let Some(item) = lister.next()
                {
                    match item {
                        TreeItem::Entry { path, metadata } => push(&mut page, &path, &metadata),
                        TreeItem::Unreadable { path, error } => {
                            page.push_unreadable(&path, error.code(), &error.kind().to_string());
                        }
                    }
                }
            }
            Self::Over => {}
        }
        if page.is_empty() || matches!(self, Self::One(_)) {
            *self = Self::Over;
        }
        Ok(page)
    }
}

fn push(page: &mut PageWriter, path: &[u8], metadata: &Metadata) {
    let kind = match metadata.file_type {
        FileType::File => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::Other => Kind::Other,
    };
    let (modified_ms, _) = time::split(metadata.modified);
    let Metadata { size, mode, .. } = *metadata;
    page.push_entry(&PageEntry { path, kind, size, modified_ms, mode });
}

/// A listing, page by page.
#[napi]
pub struct NativeListing {
    file_type: FileType,
    pages: Arc<Mutex<Pages>>,
}

#[napi]
impl NativeListing {
    /// What is listed: `file`, `directory` or `other`.
    #[napi(getter)]
    pub fn file_type(&self) -> String {
        file_type_name(self.file_type).to_owned()
    }

    /// The next page, encoded; null at the end.
    #[napi]
    pub fn next<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Option<Buffer>>> {
        let pages = Arc::clone(&self.pages);
        promise(
            env,
            blocking(move || {
                let page =
                    pages.lock().unwrap_or_else(PoisonError::into_inner).next().or_throw()?;
                Ok((!page.is_empty()).then(|| page.finish().into()))
            }),
        )
    }
}

#[napi]
impl NativeListing {
    /// Closes the directories that are open, in the background. Idempotent; nothing follows.
    #[napi]
    pub fn close(&self) {
        let pages = Arc::clone(&self.pages);
        drop(spawn_blocking(move || {
            *pages.lock().unwrap_or_else(PoisonError::into_inner) = Pages::Over;
        }));
    }
}

#[napi]
impl NativeView {
    /// Lists a directory, with `recursive` all that is beneath it, too; or the one entry of what
    /// is no directory.
    #[napi]
    pub fn open_listing<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
        recursive: bool,
    ) -> napi::Result<PromiseRaw<'env, NativeListing>> {
        self.with(env, path, move |view, path| {
            let (file_type, pages) = Pages::open(view, path, recursive)?;
            Ok(NativeListing { file_type, pages: Arc::new(Mutex::new(pages)) })
        })
    }
}
