//! Everything beneath a directory: the order, what is left out, and what must not lead it astray.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use e2eeftp_vfs::{
    ErrorKind, FileType, Grant, Resolver, Storage, TreeItem, TreeLister, VPath, View,
};
use proptest::prelude::*;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::process::Uid;
use rustix::thread::{set_thread_groups, set_thread_res_uid};

use crate::support::{Site, kind, path};
use crate::tmpfs::{mount_at, unmount};

/// Paths in order, and the directories that could not be read.
fn all(lister: &mut dyn TreeLister) -> (Vec<String>, Vec<(String, ErrorKind)>) {
    let (mut paths, mut unreadable) = (Vec::new(), Vec::new());
    while let Some(item) = lister.next() {
        match item {
            TreeItem::Entry { path, .. } => paths.push(text(path)),
            TreeItem::Unreadable { path, error } => unreadable.push((text(path), error.kind())),
        }
    }
    assert!(lister.next().is_none(), "the end stays the end");
    (paths, unreadable)
}

fn text(path: Vec<u8>) -> String {
    String::from_utf8(path).unwrap()
}

fn tree_of(site: &Site, raw: &str) -> Vec<String> {
    let (paths, unreadable) = all(&mut *site.storage.list_tree(&path(raw)).unwrap());
    assert_eq!(unreadable, []);
    paths
}

#[test]
fn all_paths_are_in_the_order_of_their_bytes() {
    for site in Site::each() {
        let files =
            ["a/x", "a.b", "a-/y/z", "a-b", "a-/y-", "a0/deep/er/f", "b", "ä/ö", "Z/.hidden"];
        for file in files {
            fs::create_dir_all(site.host(file).parent().unwrap()).unwrap();
            fs::write(site.host(file), file).unwrap();
        }
        fs::create_dir(site.host("empty")).unwrap();
        fs::write(site.host("a/.e2eeftp-0.part"), b"").unwrap();
        fs::create_dir(site.host(".E2eeftp-x")).unwrap();
        let expected = [
            "Z",
            "Z/.hidden",
            "a",
            "a-",
            "a-/y",
            "a-/y-",
            "a-/y/z",
            "a-b",
            "a.b",
            "a/x",
            "a0",
            "a0/deep",
            "a0/deep/er",
            "a0/deep/er/f",
            "b",
            "empty",
            "ä",
            "ä/ö",
        ];
        assert_eq!(tree_of(&site, ""), expected);
        assert_eq!(tree_of(&site, "/a0/deep"), ["er", "er/f"]);
        assert_eq!(tree_of(&site, "empty"), [""; 0]);
        let mut lister = site.storage.list_tree(&path("ä")).unwrap();
        let Some(TreeItem::Entry { metadata, .. }) = lister.next() else { panic!("an entry") };
        assert_eq!(metadata, site.storage.stat(&path("ä/ö")).unwrap());
    }
}

#[test]
fn only_directories_have_a_tree() {
    for site in Site::each() {
        fs::write(site.host("file"), b"").unwrap();
        fs::create_dir(site.host(".e2eeftp-0")).unwrap();
        assert_eq!(kind(site.storage.list_tree(&path("file"))), ErrorKind::NotDirectory);
        assert_eq!(kind(site.storage.list_tree(&path("gone"))), ErrorKind::NotFound);
        assert_eq!(kind(site.storage.list_tree(&path(".e2eeftp-0"))), ErrorKind::NotFound);
    }
}

#[test]
fn links_are_told_and_not_followed() {
    for site in Site::each() {
        fs::create_dir_all(site.host("dir/sub")).unwrap();
        symlink(site.outside(), site.host("dir/out")).unwrap();
        symlink("../..", site.host("dir/sub/up")).unwrap();
        symlink("dir", site.host("in")).unwrap();
        assert_eq!(tree_of(&site, ""), ["dir", "dir/out", "dir/sub", "dir/sub/up", "in"]);
        let linked = site.storage.list_tree(&path("in"));
        if site.follows_links() {
            let (paths, _) = all(&mut *linked.unwrap());
            assert_eq!(
                paths,
                ["out", "sub", "sub/up"],
                "a link inside may be named, as for a list"
            );
        } else {
            assert_eq!(kind(linked), ErrorKind::NotPermitted);
        }
        assert_eq!(kind(site.storage.list_tree(&path("dir/out"))), ErrorKind::NotPermitted);
        site.assert_outside_untouched();
    }
}

/// Takes items until the entry of this name has come.
fn take_to(lister: &mut dyn TreeLister, name: &str) {
    loop {
        match lister.next() {
            Some(TreeItem::Entry { path, .. }) if path == name.as_bytes() => return,
            Some(_) => {}
            None => panic!("{name} did not come"),
        }
    }
}

#[test]
fn a_directory_that_vanishes_or_turns_into_a_link_is_reported() {
    for site in Site::each() {
        for name in ["a/1", "b/1", "c/1", "d/e/1", "d/f", "g"] {
            fs::create_dir_all(site.host(name)).unwrap();
        }
        let mut lister = site.storage.list_tree(&VPath::root()).unwrap();
        take_to(&mut *lister, "a/1");
        fs::remove_dir_all(site.host("b")).unwrap();
        take_to(&mut *lister, "c");
        fs::remove_dir_all(site.host("c")).unwrap();
        symlink(site.outside(), site.host("c")).unwrap();
        let Some(TreeItem::Unreadable { path: of, error }) = lister.next() else {
            panic!("c is no directory any more")
        };
        assert_eq!(of, b"c");
        assert!(matches!(error.kind(), ErrorKind::NotPermitted | ErrorKind::NotDirectory));
        // Its directory is opened again after what is below `e`.
        take_to(&mut *lister, "d/e/1");
        fs::rename(site.host("d"), site.outside().join("d")).unwrap();
        let (paths, unreadable) = all(&mut *lister);
        assert_eq!(paths, ["g"], "nothing of the directory that was moved out");
        let expected =
            [("d/e/1".to_owned(), ErrorKind::NotFound), ("d".to_owned(), ErrorKind::NotFound)];
        assert_eq!(unreadable, expected);
        fs::remove_dir_all(site.outside().join("d")).unwrap();
        site.assert_outside_untouched();
    }
}

#[test]
fn what_can_not_be_read_does_not_end_the_listing() {
    for site in Site::each() {
        fs::set_permissions(site.host(""), fs::Permissions::from_mode(0o755)).unwrap();
        // No entry of `unsearchable` can be looked at, and none of `closed` be read.
        for (name, mode) in [("closed", 0o700), ("open", 0o755), ("unsearchable", 0o744)] {
            fs::create_dir_all(site.host(name).join("sub")).unwrap();
            fs::write(site.host(name).join("file"), b"").unwrap();
            fs::set_permissions(site.host(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::write(site.host("z"), b"").unwrap();
        std::thread::scope(|scope| {
            let unprivileged = scope.spawn(|| {
                let nobody = Uid::from_raw(65_534);
                set_thread_groups(&[]).expect("this test changes users and must run as root");
                set_thread_res_uid(nobody, nobody, nobody)
                    .expect("this test changes users and must run as root");
                let refused = ErrorKind::NotPermitted;
                assert_eq!(kind(site.storage.list_tree(&path("closed"))), refused);
                all(&mut *site.storage.list_tree(&VPath::root()).unwrap())
            });
            let (paths, unreadable) = unprivileged.join().unwrap();
            assert_eq!(paths, ["closed", "open", "open/file", "open/sub", "unsearchable", "z"]);
            let expected =
                ["closed", "unsearchable"].map(|name| (name.to_owned(), ErrorKind::NotPermitted));
            assert_eq!(unreadable, expected);
        });
    }
}

#[test]
fn other_mounted_file_systems_are_entered() {
    for site in Site::each() {
        fs::create_dir_all(site.host("a/mount")).unwrap();
        mount_at(&site.host("a/mount"), "1m");
        fs::create_dir(site.host("a/mount/dir")).unwrap();
        fs::write(site.host("a/mount/dir/file"), b"").unwrap();
        let (paths, unreadable) = all(&mut *site.storage.list_tree(&VPath::root()).unwrap());
        unmount(&site.host("a/mount"));
        assert_eq!(paths, ["a", "a/mount", "a/mount/dir", "a/mount/dir/file"]);
        assert_eq!(unreadable, []);
    }
}

#[test]
fn large_directories_come_whole_and_each_name_once() {
    const COUNT: usize = 10_001;
    let site = Site::new(Resolver::Auto);
    let mut expected = BTreeSet::new();
    for place in ["", "sub-3/"] {
        for index in 0..COUNT {
            let name = format!("{place}sub-{index}");
            // Some are directories, with something in it.
            if index % 1000 == 3 {
                fs::create_dir(site.host(&name)).unwrap();
                fs::write(site.host(&format!("{name}/in")), b"").unwrap();
                expected.insert(format!("{name}/in"));
            } else {
                fs::write(site.host(&name), b"").unwrap();
            }
            expected.insert(name);
        }
    }
    let listed = tree_of(&site, "");
    assert_eq!(listed.len(), expected.len());
    let mut seen = HashSet::new();
    for listed in &listed {
        let above = listed.rsplit_once('/').map(|(above, _)| above);
        assert!(above.is_none_or(|above| seen.contains(above)), "{listed} before its directory");
        assert!(seen.insert(&listed[..]), "{listed} came twice");
        assert!(expected.contains(listed), "{listed} was not made");
    }
}

/// A chain of directories deeper than any path can name.
fn make_chain(top: &Path, name: &str, depth: usize) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut directory = openat(CWD, top, flags, Mode::empty()).unwrap();
    for _ in 0..depth {
        mkdirat(&directory, name, Mode::RWXU).unwrap();
        directory = openat(&directory, name, flags, Mode::empty()).unwrap();
    }
}

#[test]
fn deeper_than_a_path_can_name_is_reported_once() {
    for site in Site::each() {
        // Thousands of levels where the kernel resolves, fewer where each component is a call.
        let (name, named_count) = match site.resolver {
            Resolver::Walk => ("d".repeat(63), 64),
            _ => ("d".to_owned(), 2048),
        };
        make_chain(&site.host(""), &name, named_count + 500);
        fs::create_dir(site.host("x")).unwrap();
        let (paths, unreadable) = all(&mut *site.storage.list_tree(&VPath::root()).unwrap());
        assert_eq!(paths.len(), named_count + 1);
        assert_eq!(paths.last().map(String::as_str), Some("x"), "the rest follows");
        let deepest = &paths[named_count - 1];
        assert_eq!(deepest.len(), VPath::MAX_LEN - 1);
        assert_eq!(unreadable, [(deepest.clone(), ErrorKind::BadPath)]);
        site.storage.stat(&path(deepest)).unwrap();
        // The same places are out of reach from further down.
        let below = site.storage.list_tree(&path(&format!("{name}/{name}")));
        let (paths, unreadable) = all(&mut *below.unwrap());
        assert_eq!((paths.len(), unreadable.len()), (named_count - 2, 1));
    }
}

#[test]
fn the_grant_decides() {
    let site = Site::new(Resolver::Auto);
    fs::create_dir(site.host("dir")).unwrap();
    let storage = site.storage.enter(&VPath::root()).unwrap();
    let permitted = Grant { list: true, ..Grant::default() };
    assert!(View::new(storage.clone(), permitted).list_tree(&VPath::root()).is_ok());
    let mut refused = Grant::all();
    refused.list = false;
    let view = View::new(storage.clone(), refused);
    assert_eq!(kind(view.list_tree(&VPath::root())), ErrorKind::NotPermitted);
    let expired = Grant { expires_at: Some(std::time::UNIX_EPOCH), ..Grant::all() };
    assert_eq!(kind(View::new(storage, expired).list_tree(&VPath::root())), ErrorKind::Expired);
}

/// All paths beneath a directory of the host, sorted by bytes.
fn host_tree(directory: &Path, prefix: &[u8], found: &mut BTreeSet<Vec<u8>>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let path = [prefix, entry.file_name().as_bytes()].concat();
        if entry.file_type().unwrap().is_dir() {
            host_tree(&entry.path(), &[&path[..], b"/"].concat(), found);
        }
        found.insert(path);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_comes_whole_and_in_order(
        made in prop::collection::vec(prop::collection::vec("[a.\\-0\\x01\u{e9}]{1,3}", 1..5), 0..20),
    ) {
        let site = Site::new(Resolver::Auto);
        for (index, components) in made.iter().enumerate() {
            let name: Vec<_> = components.iter().filter(|name| !matches!(&name[..], "." | "..")).cloned().collect();
            let host = site.host("").join(OsStr::from_bytes(name.join("/").as_bytes()));
            // A name may be a file already, where this one needs a directory, or the other way.
            if index % 2 == 0 {
                let _ = fs::create_dir_all(&host);
            } else if host.parent().is_some_and(|above| fs::create_dir_all(above).is_ok()) {
                let _ = fs::write(&host, b"");
            }
        }
        let mut expected = BTreeSet::new();
        host_tree(&site.host(""), b"", &mut expected);
        let mut lister = site.storage.list_tree(&VPath::root()).unwrap();
        let mut listed = Vec::new();
        while let Some(item) = lister.next() {
            let TreeItem::Entry { path, metadata } = item else { panic!("all can be read") };
            let host = site.host("").join(OsStr::from_bytes(&path));
            prop_assert_eq!(metadata.file_type == FileType::Directory, host.is_dir());
            listed.push(path);
        }
        prop_assert_eq!(listed, expected.into_iter().collect::<Vec<_>>());
    }
}
