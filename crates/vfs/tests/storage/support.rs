//! A root with a canary beside it, and short forms of the calls.

use std::fs;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};

use e2eeftp_vfs::{
    CommitOptions, CopyObserver, Durability, Entry, ErrorKind, LocalStorage, Metadata, Resolver,
    Result, Source, StageOptions, Staged, Storage, VPath,
};
use tempfile::TempDir;

#[cfg(target_os = "linux")]
pub(crate) const RESOLVERS: [Resolver; 3] = [Resolver::Auto, Resolver::Openat2, Resolver::Walk];
#[cfg(not(target_os = "linux"))]
pub(crate) const RESOLVERS: [Resolver; 2] = [Resolver::Auto, Resolver::Walk];
pub(crate) const CANARY: &[u8] = b"outside of the root";

/// `root/` is served; `outside/secret` must never be read, changed or removed.
pub(crate) struct Site {
    pub(crate) resolver: Resolver,
    pub(crate) storage: LocalStorage,
    /// After the storage, which has it open.
    directory: TempDir,
}

impl Site {
    pub(crate) fn new(resolver: Resolver) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("root")).unwrap();
        fs::create_dir(directory.path().join("outside")).unwrap();
        fs::write(directory.path().join("outside/secret"), CANARY).unwrap();
        let root = directory.path().join("root");
        let storage = LocalStorage::with_resolver(&root, resolver).unwrap();
        Self { resolver, storage, directory }
    }

    /// One site for each resolver.
    pub(crate) fn each() -> impl Iterator<Item = Self> {
        RESOLVERS.into_iter().map(Self::new)
    }

    /// A path of the host beneath the root.
    pub(crate) fn host(&self, relative: &str) -> PathBuf {
        self.directory.path().join("root").join(relative)
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn follows_links(&self) -> bool {
        self.storage.capabilities().follows_links
    }

    /// The canary is what it was, and nothing joined it.
    pub(crate) fn assert_outside_untouched(&self) {
        assert_eq!(fs::read(self.outside().join("secret")).unwrap(), CANARY);
        assert_eq!(host_names(&self.outside()), ["secret"]);
        assert_eq!(host_names(self.directory.path()), ["outside", "root"]);
    }

    /// No staged file is left anywhere in the root.
    pub(crate) fn assert_no_staged_file(&self) {
        assert_eq!(staged_files(&self.host("")), Vec::<PathBuf>::new());
    }
}

pub(crate) fn path(raw: &str) -> VPath {
    VPath::parse(raw.as_bytes()).unwrap()
}

/// The kind of a failure; a success is a failed test.
pub(crate) fn kind<T>(result: Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("the call must fail"),
        Err(error) => error.kind(),
    }
}

pub(crate) const QUICK: CommitOptions =
    CommitOptions { modified: None, durability: Durability::None };

pub(crate) fn write(staged: &mut dyn Staged, content: &[u8], offset: u64) -> Result<()> {
    staged.write_at(&mut [IoSlice::new(content)], offset)
}

/// Stages, writes and commits.
pub(crate) fn put_with(
    storage: &dyn Storage,
    path: &VPath,
    content: &[u8],
    options: &StageOptions,
) -> Result<Metadata> {
    let mut staged = storage.stage(path, options)?;
    write(&mut *staged, content, 0)?;
    staged.commit(&QUICK)
}

pub(crate) fn put(storage: &dyn Storage, path: &VPath, content: &[u8]) -> Result<Metadata> {
    put_with(storage, path, content, &StageOptions::default())
}

pub(crate) fn read_all(source: &dyn Source) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = source.read_at(&mut piece, content.len() as u64)?;
        content.extend_from_slice(&piece[..count]);
        if count < piece.len() {
            return Ok(content);
        }
    }
}

pub(crate) fn get(storage: &dyn Storage, path: &VPath) -> Result<Vec<u8>> {
    read_all(&*storage.open_source(path)?)
}

pub(crate) fn list(storage: &dyn Storage, path: &VPath) -> Result<Vec<Entry>> {
    let mut lister = storage.list(path)?;
    let mut entries = Vec::new();
    loop {
        let piece = lister.next(7)?;
        if piece.is_empty() {
            return Ok(entries);
        }
        entries.extend(piece);
    }
}

pub(crate) fn host_names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// All reserved names beneath a directory of the host.
pub(crate) fn staged_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(staged_files(&entry.path()));
        } else if entry.file_name().to_string_lossy().starts_with(".e2eeftp-") {
            found.push(entry.path());
        }
    }
    found
}

/// Whether a file can be replaced while it is open: everywhere but on Windows before version 1809 of
/// Windows 10, on its older file systems, and in Wine 8.
pub(crate) fn replaces_open_files(site: &Site) -> bool {
    let (old, new) = (site.outside().join("probe-old"), site.outside().join("probe-new"));
    fs::write(&old, b"old").unwrap();
    fs::write(&new, b"new").unwrap();
    let open = fs::File::open(&old).unwrap();
    let replaced = fs::rename(&new, &old).is_ok();
    drop(open);
    let _ = fs::remove_file(new);
    fs::remove_file(old).unwrap();
    if !replaced {
        println!("skipped: an open file can't be replaced here");
    }
    replaced
}

/// Watches a copy and lets it run to its end.
pub(crate) struct Unwatched;

impl CopyObserver for Unwatched {
    fn expect(&self, _bytes: Option<u64>) {}
    fn add(&self, _bytes: u64) {}
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Ends another thread's loop, also when an assertion fails.
#[cfg(target_os = "linux")]
pub(crate) struct StopOnDrop<'a>(pub(crate) &'a AtomicBool);

#[cfg(target_os = "linux")]
impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
