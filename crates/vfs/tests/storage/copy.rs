//! A copy is the same file or nothing, and never leads out of the root.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use e2eeftp_vfs::{
    CopyObserver, CopyOptions, CopyReport, Durability, ErrorKind, Overwrite, Resolver, Result,
    Storage,
};

use crate::support::{Site, get, host_names, kind, path};
use crate::tmpfs;

const PLAIN: CopyOptions = CopyOptions {
    overwrite: Overwrite::Replace,
    recursive: false,
    max_len: None,
    durability: Durability::None,
};
const TREE: CopyOptions = CopyOptions { recursive: true, ..PLAIN };

/// Counts; runs `at` once `when` bytes are there; cancels from `limit` on.
struct Watch<'a> {
    expected: Mutex<Vec<Option<u64>>>,
    seen: AtomicU64,
    limit: u64,
    when: u64,
    at: Box<dyn Fn() + Sync + 'a>,
}

impl<'a> Watch<'a> {
    fn new() -> Self {
        let (expected, seen) = (Mutex::default(), AtomicU64::new(0));
        Self { expected, seen, limit: u64::MAX, when: u64::MAX, at: Box::new(|| {}) }
    }

    fn cancel_from(limit: u64) -> Self {
        Self { limit, ..Self::new() }
    }

    fn act_from(when: u64, at: impl Fn() + Sync + 'a) -> Self {
        Self { when, at: Box::new(at), ..Self::new() }
    }
}

impl CopyObserver for Watch<'_> {
    fn expect(&self, bytes: Option<u64>) {
        self.expected.lock().unwrap().push(bytes);
    }

    fn add(&self, bytes: u64) {
        if self.seen.fetch_add(bytes, Ordering::Relaxed) + bytes >= self.when {
            (self.at)();
        }
    }

    fn is_cancelled(&self) -> bool {
        self.seen.load(Ordering::Relaxed) >= self.limit
    }
}

fn copy(site: &Site, from: &str, to: &str, options: &CopyOptions) -> Result<CopyReport> {
    site.storage.copy(&path(from), &path(to), options, &Watch::new())
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect()
}

fn blocks(file: &Path) -> u64 {
    fs::metadata(file).unwrap().blocks()
}

#[test]
fn a_file_of_any_length_is_the_same_file_again() {
    for site in Site::each() {
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
        for len in [0, 1, 4095, 4096, 4097, (8 << 20) - 1, 8 << 20, (17 << 20) + 3] {
            let bytes = content(len);
            fs::write(site.host("from"), &bytes).unwrap();
            fs::set_permissions(site.host("from"), fs::Permissions::from_mode(0o4750)).unwrap();
            fs::File::open(site.host("from")).unwrap().set_modified(old).unwrap();
            let watch = Watch::new();
            let report = site.storage.copy(&path("from"), &path("to"), &PLAIN, &watch).unwrap();
            let expected = CopyReport { files: 1, bytes: len as u64, ..CopyReport::default() };
            assert_eq!(report, expected);
            assert_eq!(watch.seen.load(Ordering::Relaxed), len as u64);
            assert_eq!(*watch.expected.lock().unwrap(), [Some(len as u64)]);
            assert!(fs::read(site.host("to")).unwrap() == bytes, "{len}");
            let made = fs::metadata(site.host("to")).unwrap();
            assert_eq!(made.modified().unwrap(), old);
            assert_eq!(made.permissions().mode() & 0o7777, 0o750, "without the set-id bit");
            assert_eq!(host_names(&site.host("")), ["from", "to"]);
        }
    }
}

#[test]
fn holes_stay_holes() {
    let site = Site::new(Resolver::Auto);
    fs::create_dir(site.host("mounted")).unwrap();
    tmpfs::mount_at(&site.host("mounted"), "8m");
    let mut file = fs::File::create(site.host("sparse")).unwrap();
    for offset in [0, 1 << 30, 3 << 30] {
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(&content(5000)).unwrap();
    }
    file.set_len(4 << 30).unwrap();
    drop(file);
    // Within one file system, and to another one, which is through a buffer.
    let results = ["copy", "mounted/copy"].map(|to| {
        let watch = Watch::new();
        let result = site.storage.copy(&path("sparse"), &path(to), &PLAIN, &watch);
        let file = site.host(to);
        let checks = result.map(|_| {
            let piece = |offset| {
                let source = site.storage.open_source(&path(to)).unwrap();
                let mut piece = vec![0; 5001];
                source.read_at(&mut piece, offset).unwrap();
                piece
            };
            let pieces = [0, 1 << 30, 2 << 30, 3 << 30].map(piece);
            (fs::metadata(&file).unwrap().len(), blocks(&file), pieces)
        });
        (checks, watch.seen.load(Ordering::Relaxed))
    });
    tmpfs::unmount(&site.host("mounted"));
    for (result, seen) in results {
        let (len, blocks, pieces) = result.unwrap();
        assert_eq!((len, seen), (4 << 30, 4 << 30));
        assert!(blocks < 2048, "{blocks} blocks are used");
        let mut data = content(5000);
        data.push(0);
        let hole = vec![0; 5001];
        assert_eq!(pieces, [data.clone(), data.clone(), hole, data]);
    }
}

#[test]
fn another_file_system_gets_the_same_bytes() {
    for site in Site::each() {
        fs::create_dir(site.host("mounted")).unwrap();
        tmpfs::mount_at(&site.host("mounted"), "16m");
        let bytes = content((3 << 20) + 5);
        fs::write(site.host("from"), &bytes).unwrap();
        let there = copy(&site, "from", "mounted/to", &PLAIN);
        let back = copy(&site, "mounted/to", "back", &PLAIN);
        let too_much = {
            fs::write(site.host("big"), vec![1; 20 << 20]).unwrap();
            copy(&site, "big", "mounted/big", &PLAIN)
        };
        let names = host_names(&site.host("mounted"));
        tmpfs::unmount(&site.host("mounted"));
        there.unwrap();
        back.unwrap();
        assert_eq!(kind(too_much), ErrorKind::NoSpace);
        assert_eq!(names, ["to"], "nothing is left of what did not fit");
        assert!(fs::read(site.host("back")).unwrap() == bytes);
    }
}

#[test]
fn what_must_not_be_copied_or_replaced_is_not() {
    for site in Site::each() {
        fs::create_dir_all(site.host("dir/sub")).unwrap();
        fs::write(site.host("file"), b"file").unwrap();
        fs::write(site.host("taken"), b"taken").unwrap();
        fs::hard_link(site.host("file"), site.host("twin")).unwrap();
        fs::write(site.host(".e2eeftp-00.part"), b"staged").unwrap();
        let status = std::process::Command::new("mkfifo").arg(site.host("pipe")).status().unwrap();
        assert!(status.success());
        let refuse = CopyOptions { overwrite: Overwrite::Refuse, ..PLAIN };
        let small = CopyOptions { max_len: Some(3), ..PLAIN };
        let cases = [
            ("gone", "x", &PLAIN, ErrorKind::NotFound),
            ("file", "gone/x", &PLAIN, ErrorKind::NotFound),
            ("file", "taken/x", &PLAIN, ErrorKind::NotDirectory),
            ("file", "dir", &PLAIN, ErrorKind::IsDirectory),
            ("file", "/", &PLAIN, ErrorKind::IsDirectory),
            ("dir", "x", &PLAIN, ErrorKind::IsDirectory),
            ("/", "x", &PLAIN, ErrorKind::IsDirectory),
            ("pipe", "x", &PLAIN, ErrorKind::NotRegular),
            ("file", "pipe", &PLAIN, ErrorKind::NotRegular),
            ("file", "file", &PLAIN, ErrorKind::Exists),
            ("file", "twin", &PLAIN, ErrorKind::Exists),
            ("file", "taken", &refuse, ErrorKind::Exists),
            ("file", "x", &small, ErrorKind::TooLarge),
            (".e2eeftp-00.part", "x", &PLAIN, ErrorKind::NotFound),
            ("file", ".e2eeftp-x", &PLAIN, ErrorKind::BadPath),
            ("file", "dir/.E2EEFTP-x", &PLAIN, ErrorKind::BadPath),
        ];
        for (from, to, options, expected) in cases {
            assert_eq!(kind(copy(&site, from, to, options)), expected, "{from} to {to}");
        }
        let names = [".e2eeftp-00.part", "dir", "file", "pipe", "taken", "twin"];
        assert_eq!(host_names(&site.host("")), names);
        assert_eq!(fs::read(site.host("taken")).unwrap(), b"taken");
        copy(&site, "file", "taken", &PLAIN).unwrap();
        assert_eq!(fs::read(site.host("taken")).unwrap(), b"file");
    }
}

#[test]
fn a_source_that_changes_gives_no_copy() {
    for site in Site::each() {
        fs::write(site.host("to"), b"before").unwrap();
        let source = site.host("from");
        let changes: [&(dyn Fn() + Sync); 4] = [
            &|| fs::File::options().write(true).open(&source).unwrap().set_len(1).unwrap(),
            &|| fs::File::options().append(true).open(&source).unwrap().write_all(b"x").unwrap(),
            &|| fs::remove_file(&source).unwrap_or_default(),
            &|| {
                let file = fs::File::options().write(true).open(&source).unwrap();
                file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            },
        ];
        for change in changes {
            fs::write(&source, content(20 << 20)).unwrap();
            let watch = Watch::act_from(8 << 20, change);
            let result = site.storage.copy(&path("from"), &path("to"), &PLAIN, &watch);
            assert_eq!(kind(result), ErrorKind::SourceChanged);
            assert_eq!(fs::read(site.host("to")).unwrap(), b"before");
            site.assert_no_staged_file();
        }
    }
}

#[test]
fn a_cancelled_copy_leaves_nothing() {
    for site in Site::each() {
        fs::create_dir(site.host("dir")).unwrap();
        for name in ["from", "dir/a", "dir/b"] {
            fs::write(site.host(name), content(20 << 20)).unwrap();
        }
        for limit in [0, 1, 8 << 20, 20 << 20] {
            let watch = Watch::cancel_from(limit);
            let result = site.storage.copy(&path("from"), &path("to"), &PLAIN, &watch);
            assert_eq!(kind(result), ErrorKind::Cancelled, "{limit}");
            assert_eq!(host_names(&site.host("")), ["dir", "from"]);
        }
        let watch = Watch::cancel_from(30 << 20);
        let result = site.storage.copy(&path("dir"), &path("tree"), &TREE, &watch);
        assert_eq!(kind(result), ErrorKind::Cancelled);
        assert_eq!(host_names(&site.host("tree")).len(), 1, "the file that was complete stays");
        site.assert_no_staged_file();
    }
}

#[test]
fn a_tree_is_copied_with_its_links_and_twice_gives_the_same() {
    for site in Site::each() {
        fs::create_dir_all(site.host("from/a/b/c")).unwrap();
        fs::create_dir(site.host("from/empty")).unwrap();
        fs::set_permissions(site.host("from/empty"), fs::Permissions::from_mode(0o500)).unwrap();
        for name in ["one", "a/two", "a/b/c/three", "a/.e2eeftp-00.part"] {
            fs::write(site.host("from").join(name), name).unwrap();
        }
        symlink("a/two", site.host("from/inside")).unwrap();
        symlink(site.outside(), site.host("from/a/outside")).unwrap();
        symlink(site.outside().join("secret"), site.host("from/a/b/leaf")).unwrap();
        let first = copy(&site, "from", "to", &TREE).unwrap();
        let expected = CopyReport { files: 3, directories: 5, links: 3, bytes: 19 };
        assert_eq!(first, expected);
        let again = copy(&site, "from", "to", &TREE).unwrap();
        assert_eq!(again, CopyReport { directories: 0, links: 0, ..expected });
        assert_eq!(host_names(&site.host("to")), ["a", "empty", "inside", "one"]);
        assert_eq!(host_names(&site.host("to/a")), ["b", "outside", "two"]);
        assert_eq!(host_names(&site.host("to/a/b")), ["c", "leaf"]);
        assert_eq!(fs::read(site.host("to/a/b/c/three")).unwrap(), b"a/b/c/three");
        assert_eq!(fs::read_link(site.host("to/a/outside")).unwrap(), site.outside());
        let mode = fs::metadata(site.host("to/empty")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "as private as before, and its owner can fill it");
        assert_eq!(kind(get(&site.storage, &path("to/a/b/leaf"))), ErrorKind::NotPermitted);
        site.assert_outside_untouched();

        let refuse = CopyOptions { overwrite: Overwrite::Refuse, ..TREE };
        assert_eq!(kind(copy(&site, "from", "to", &refuse)), ErrorKind::Exists);
        fs::remove_file(site.host("to/inside")).unwrap();
        symlink("elsewhere", site.host("to/inside")).unwrap();
        assert_eq!(kind(copy(&site, "from", "to", &TREE)), ErrorKind::Exists);
        assert_eq!(fs::read_link(site.host("to/inside")).unwrap(), Path::new("elsewhere"));
        fs::remove_file(site.host("to/inside")).unwrap();
        fs::write(site.host("to/inside"), b"kept").unwrap();
        assert_eq!(kind(copy(&site, "from", "to", &TREE)), ErrorKind::Exists);
        assert_eq!(fs::read(site.host("to/inside")).unwrap(), b"kept", "a link replaces nothing");
        let small = CopyOptions { max_len: Some(5), ..TREE };
        assert_eq!(kind(copy(&site, "from", "small", &small)), ErrorKind::TooLarge);
    }
}

#[test]
fn a_tree_does_not_grow_into_itself() {
    for site in Site::each() {
        fs::create_dir_all(site.host("a/b/c")).unwrap();
        fs::write(site.host("a/file"), b"").unwrap();
        fs::write(site.host("file"), b"").unwrap();
        for to in ["a/x", "a/b/x", "a/b/c/x"] {
            assert_eq!(kind(copy(&site, "a", to, &TREE)), ErrorKind::BadPath, "{to}");
        }
        assert_eq!(kind(copy(&site, "a", "a", &TREE)), ErrorKind::Exists);
        assert_eq!(kind(copy(&site, "/", "x", &TREE)), ErrorKind::BadPath);
        assert_eq!(kind(copy(&site, "/", "a/x", &TREE)), ErrorKind::BadPath);
        assert_eq!(kind(copy(&site, "a", "/", &TREE)), ErrorKind::IsDirectory);
        assert_eq!(kind(copy(&site, "a", "file", &TREE)), ErrorKind::NotDirectory);
        if site.follows_links() {
            symlink("a/b", site.host("alias")).unwrap();
            assert_eq!(kind(copy(&site, "a", "alias/x", &TREE)), ErrorKind::BadPath);
            assert_eq!(kind(copy(&site, "a", "alias", &TREE)), ErrorKind::NotPermitted);
            fs::remove_file(site.host("alias")).unwrap();
        }
        assert_eq!(host_names(&site.host("")), ["a", "file"]);
        assert_eq!(host_names(&site.host("a/b/c")), Vec::<String>::new());
        // Up is no circle.
        fs::write(site.host("a/b/c/deep"), b"deep").unwrap();
        copy(&site, "a/b", "a", &TREE).unwrap();
        assert_eq!(host_names(&site.host("a")), ["b", "c", "file"]);
        assert_eq!(fs::read(site.host("a/c/deep")).unwrap(), b"deep");
    }
}

#[test]
fn nothing_is_copied_out_of_the_root_or_into_it_from_outside() {
    for site in Site::each() {
        let secret = site.outside().join("secret");
        symlink(site.outside(), site.host("out")).unwrap();
        symlink(&secret, site.host("leaf")).unwrap();
        fs::create_dir_all(site.host("dir/out")).unwrap();
        fs::write(site.host("dir/out/secret"), b"inside").unwrap();
        fs::write(site.host("file"), b"inside").unwrap();
        for (from, to) in [
            ("out/secret", "x"),
            ("leaf", "x"),
            ("out", "x"),
            ("file", "out/new"),
            ("file", "out/secret"),
            ("dir", "out/new"),
            ("dir", "out"),
        ] {
            for options in [PLAIN, TREE] {
                let refused = kind(copy(&site, from, to, &options));
                let accepted = [ErrorKind::NotPermitted, ErrorKind::IsDirectory];
                assert!(accepted.contains(&refused), "{from} to {to}: {refused:?}");
            }
        }
        // A link in the place of a directory of the target is not followed either.
        fs::create_dir(site.host("target")).unwrap();
        symlink(site.outside(), site.host("target/out")).unwrap();
        assert_eq!(kind(copy(&site, "dir", "target", &TREE)), ErrorKind::NotPermitted);
        // A link as the target of a file is replaced itself.
        copy(&site, "file", "leaf", &PLAIN).unwrap();
        assert!(fs::symlink_metadata(site.host("leaf")).unwrap().is_file());
        assert!(!site.host("x").exists());
        site.assert_outside_untouched();
    }
}

#[test]
fn a_tree_does_not_enter_another_file_system_and_reports_what_it_can_not_copy() {
    for site in Site::each() {
        fs::create_dir_all(site.host("tree/mounted")).unwrap();
        tmpfs::mount_at(&site.host("tree/mounted"), "1m");
        fs::write(site.host("tree/mounted/file"), b"").unwrap();
        let result = copy(&site, "tree", "to", &TREE);
        tmpfs::unmount(&site.host("tree/mounted"));
        assert_eq!(kind(result), ErrorKind::NotPermitted);
        assert_eq!(host_names(&site.host("to/mounted")), Vec::<String>::new());
        let status =
            std::process::Command::new("mkfifo").arg(site.host("tree/pipe")).status().unwrap();
        assert!(status.success());
        assert_eq!(kind(copy(&site, "tree", "to", &TREE)), ErrorKind::NotRegular);
    }
}

#[test]
fn depth_costs_no_descriptors() {
    for site in Site::each() {
        // More levels than the usual limit of 1024 open files.
        let levels = "/d".repeat(1100);
        site.storage.make_directory(&path(&format!("deep{levels}")), true).unwrap();
        let report = copy(&site, "deep", "copy", &TREE).unwrap();
        assert_eq!(report.directories, 1101);
        site.storage.stat(&path(&format!("copy{levels}"))).unwrap();
        // The host's own tools can't name paths of this depth.
        site.storage.remove_directory(&path("deep"), true).unwrap();
        site.storage.remove_directory(&path("copy"), true).unwrap();
    }
}
