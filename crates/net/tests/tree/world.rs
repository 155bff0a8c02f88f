//! Two folders and a session between them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use e2eeftp_core::tree::{Filter, TreeCounts};
use e2eeftp_net::{Error, Transfer, TreeChoice, TreeEvent, TreeEvents, TreeOptions};
use e2eeftp_vfs::{
    Grant, LinkPolicy, LocalStorage, Overwrite, TreeReader, TreeWriteOptions, TreeWriter, VPath,
    View,
};

use crate::common::{Pair, pair};

pub(crate) struct World {
    pub(crate) pair: Pair,
    _folder: tempfile::TempDir,
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
}

/// One transfer.
#[derive(Clone)]
pub(crate) struct Run {
    /// The source is the client, and the sink the server.
    pub(crate) is_push: bool,
    pub(crate) choice: TreeChoice,
    pub(crate) options: TreeOptions,
    pub(crate) grant: Grant,
    pub(crate) links: LinkPolicy,
    pub(crate) write: TreeWriteOptions,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            is_push: true,
            choice: TreeChoice::default(),
            options: TreeOptions { preserve: true, ..TreeOptions::default() },
            grant: Grant::all(),
            links: LinkPolicy::AsLinks,
            write: TreeWriteOptions::default(),
        }
    }
}

impl Run {
    pub(crate) fn deleting() -> Self {
        let write = TreeWriteOptions { delete: true, ..TreeWriteOptions::default() };
        Self { write, ..Self::default() }
    }

    pub(crate) fn dry(mut self) -> Self {
        self.write.dry_run = true;
        self.options.dry_run = true;
        self
    }

    pub(crate) fn rules(mut self, rules: &[&str]) -> Self {
        let mut filter = Filter::new();
        for rule in rules {
            let (sign, pattern) = rule.split_once(' ').unwrap();
            filter.push(sign == "+", pattern.as_bytes()).unwrap();
        }
        self.choice.filter = filter;
        self
    }

    pub(crate) fn keeping(mut self) -> Self {
        self.write.overwrite = Overwrite::Refuse;
        self
    }
}

/// How a transfer ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) sent: Result<TreeCounts, Error>,
    pub(crate) received: Result<TreeCounts, Error>,
    pub(crate) events: Vec<TreeEvent>,
}

impl Outcome {
    pub(crate) fn counts(&self) -> TreeCounts {
        let (sent, received) = (*self.sent.as_ref().unwrap(), *self.received.as_ref().unwrap());
        // A source that is the client counts its own failures.
        assert!(sent.failed >= received.failed);
        assert_eq!(TreeCounts { failed: received.failed, ..sent }, received);
        sent
    }

    /// `kind path` of the events, with the code of failures.
    pub(crate) fn told(&self) -> Vec<String> {
        let mut told: Vec<String> = self
            .events
            .iter()
            .map(|event| {
                let code = event.failure.as_ref().map_or("", |(code, _)| code);
                let path = String::from_utf8_lossy(&event.path);
                format!("{} {path} {code}", event.kind.as_str()).trim_end().to_owned()
            })
            .collect();
        told.sort();
        told
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::create_dir(&to).unwrap();
        Self { pair: pair().await, _folder: folder, from, to }
    }

    pub(crate) fn reader(&self, links: LinkPolicy) -> TreeReader {
        let storage = Arc::new(LocalStorage::open_root(&self.from).unwrap());
        View::new(storage, Grant::all()).read_tree(&VPath::root(), links).unwrap()
    }

    pub(crate) fn writer(&self, run: &Run) -> e2eeftp_vfs::Result<TreeWriter> {
        let storage = Arc::new(LocalStorage::open_root(&self.to).unwrap());
        let view = View::new(storage, run.grant.clone());
        view.write_tree(&VPath::parse(b"/top").unwrap(), &run.write)
    }

    pub(crate) async fn run(&self, run: Run) -> Outcome {
        let (reader, writer) = (self.reader(run.links), self.writer(&run).unwrap());
        let events = Arc::new(TreeEvents::new(true));
        let server = TreeOptions { choice: None, ..run.options.clone() };
        let client = TreeOptions { choice: Some(run.choice), ..run.options };
        let (from, to) = if run.is_push {
            (&self.pair.client, &self.pair.server)
        } else {
            (&self.pair.server, &self.pair.client)
        };
        let (source_options, sink_options) =
            if run.is_push { (client, server) } else { (server, client) };
        let told = |is_client: bool| is_client.then(|| Arc::clone(&events));
        let (sending, receiving) = (Transfer::new(), Transfer::new());
        let send = from.send_tree(&sending, reader, 7, source_options, told(run.is_push));
        let receive = to.receive_tree(&receiving, writer, 7, sink_options, told(!run.is_push));
        let listen = async {
            let mut all = Vec::new();
            loop {
                let some = events.next(64).await;
                if some.is_empty() {
                    return all;
                }
                for event in &some {
                    if event.kind == e2eeftp_net::TreeEventKind::Large {
                        self.copy_large(&event.path);
                        events.settle();
                    }
                }
                all.extend(some);
            }
        };
        let whole = async { tokio::join!(send, receive, listen) };
        let (sent, received, events) =
            tokio::time::timeout(Duration::from_secs(120), whole).await.expect("no end");
        Outcome { sent, received, events }
    }

    /// What the client does about a large file, in short.
    fn copy_large(&self, path: &[u8]) {
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        fs::copy(self.from.join(path), self.top().join(path)).unwrap();
        let modified = fs::metadata(self.from.join(path)).unwrap().modified().unwrap();
        fs::File::open(self.top().join(path)).unwrap().set_modified(modified).unwrap();
    }

    pub(crate) fn top(&self) -> PathBuf {
        self.to.join("top")
    }

    /// Both folders hold the same.
    pub(crate) fn assert_same(&self) {
        assert_eq!(describe(&self.from), describe(&self.top()));
    }
}

/// What a folder holds: type, mode, time and content of each name, and which names are one file.
pub(crate) fn describe(top: &Path) -> BTreeMap<Vec<u8>, String> {
    let mut all = BTreeMap::new();
    let mut links: BTreeMap<u64, usize> = BTreeMap::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(relative) = pending.pop() {
        let path = top.join(&relative);
        let info = fs::symlink_metadata(&path).unwrap();
        let time = (info.mtime(), info.mtime_nsec());
        let text = if info.is_dir() {
            pending.extend(
                fs::read_dir(&path).unwrap().map(|entry| relative.join(entry.unwrap().file_name())),
            );
            format!("d {:o} {time:?}", info.mode() & 0o777)
        } else if info.is_symlink() {
            format!("l {} {time:?}", fs::read_link(&path).unwrap().display())
        } else {
            let content = fs::read(&path).unwrap();
            *links.entry(info.ino()).or_default() += 1;
            let hash = blake3::hash(&content);
            format!(
                "f {:o} {time:?} {} {hash} x{}",
                info.mode() & 0o777,
                content.len(),
                info.nlink()
            )
        };
        all.insert(relative.as_os_str().as_bytes().to_vec(), text);
    }
    all
}

pub(crate) fn write(top: &Path, name: &str, content: &[u8]) {
    let path = top.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn set_time(path: &Path, seconds: u64, nanoseconds: u32) {
    let time: SystemTime = UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    fs::File::open(path).unwrap().set_modified(time).unwrap();
}

pub(crate) fn link(top: &Path, name: &str, target: &str) {
    symlink(target, top.join(name)).unwrap();
}
