//! Names are bytes: what goes in comes out, and reserved names don't exist.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use e2eeftp_vfs::{ErrorKind, StageOptions, Storage, VPath};

use crate::support::{Site, get, kind, list, path, put};

#[test]
fn unusual_names_round_trip() {
    let names: [&[u8]; 9] = [
        b"line\nbreak",
        b"a|b",
        b"\x01\x1b[31mred\x7f",
        b"\xff\xfe not utf-8",
        b" leading and trailing ",
        b"...",
        b"-rf",
        b"\xc3\xa9 e\xcc\x81",
        b"c:\\con",
    ];
    for site in Site::each() {
        for name in names {
            let file = VPath::parse(name).unwrap();
            assert_eq!(file.file_name(), Some(name));
            put(&site.storage, &file, name).unwrap();
            assert_eq!(fs::read(site.host("").join(OsStr::from_bytes(name))).unwrap(), name);
            assert_eq!(get(&site.storage, &file).unwrap(), name);
            assert_eq!(site.storage.stat(&file).unwrap().size, name.len() as u64);
        }
        let mut sorted = names.to_vec();
        sorted.sort_unstable();
        let listed = list(&site.storage, &VPath::root()).unwrap();
        assert_eq!(listed.iter().map(|entry| &entry.name[..]).collect::<Vec<_>>(), sorted);
        for name in names {
            site.storage.remove_file(&VPath::parse(name).unwrap()).unwrap();
        }
        assert_eq!(list(&site.storage, &VPath::root()).unwrap(), []);
    }
}

#[test]
fn reserved_names_are_absent() {
    let reserved = ".e2eeftp-0123456789abcdef0123456789abcdef.part";
    for site in Site::each() {
        fs::write(site.host(reserved), b"staged").unwrap();
        fs::create_dir(site.host(".e2eeftp-dir")).unwrap();
        fs::write(site.host(".e2eeftp-dir/x"), b"x").unwrap();
        let file = path(reserved);
        assert_eq!(list(&site.storage, &VPath::root()).unwrap(), []);
        assert_eq!(kind(site.storage.stat(&file)), ErrorKind::NotFound);
        assert_eq!(kind(site.storage.open_source(&file)), ErrorKind::NotFound);
        assert_eq!(kind(site.storage.remove_file(&file)), ErrorKind::NotFound);
        assert_eq!(kind(put(&site.storage, &file, b"x")), ErrorKind::BadPath);
        let directory = path(".e2eeftp-dir");
        for recursive in [false, true] {
            let result = site.storage.remove_directory(&directory, recursive);
            assert_eq!(kind(result), ErrorKind::NotFound);
        }
        assert_eq!(kind(site.storage.list(&directory)), ErrorKind::NotFound);
        assert_eq!(kind(site.storage.enter(&directory)), ErrorKind::NotFound);
        assert_eq!(kind(site.storage.open_source(&path(".e2eeftp-dir/x"))), ErrorKind::NotFound);
        assert_eq!(kind(put(&site.storage, &path(".e2eeftp-dir/y"), b"")), ErrorKind::BadPath);
        for parents in [false, true] {
            let new = path("a/.e2eeftp-new/b");
            assert_eq!(kind(site.storage.make_directory(&new, parents)), ErrorKind::BadPath);
        }
        assert_eq!(fs::read(site.host(reserved)).unwrap(), b"staged");
        assert_eq!(fs::read(site.host(".e2eeftp-dir/x")).unwrap(), b"x");
    }
}

#[test]
fn directories_are_created_as_asked() {
    for site in Site::each() {
        let storage = &site.storage;
        assert_eq!(kind(storage.make_directory(&path("a/b/c"), false)), ErrorKind::NotFound);
        storage.make_directory(&path("a/b/c"), true).unwrap();
        storage.make_directory(&path("a/b/c"), true).unwrap();
        assert!(site.host("a/b/c").is_dir());
        assert_eq!(kind(storage.make_directory(&path("a/b/c"), false)), ErrorKind::Exists);
        storage.make_directory(&path("a/d"), false).unwrap();
        storage.make_directory(&VPath::root(), true).unwrap();
        assert_eq!(kind(storage.make_directory(&VPath::root(), false)), ErrorKind::Exists);
        put(storage, &path("file"), b"").unwrap();
        for parents in [false, true] {
            let (over, beneath) = (path("file"), path("file/x"));
            assert_eq!(kind(storage.make_directory(&over, parents)), ErrorKind::Exists);
            assert_eq!(kind(storage.make_directory(&beneath, parents)), ErrorKind::NotDirectory);
        }
        let options = StageOptions { make_parents: true, ..StageOptions::default() };
        assert_eq!(kind(storage.stage(&path("file/x"), &options)), ErrorKind::NotDirectory);
    }
}

#[test]
fn the_root_is_no_file() {
    for site in Site::each() {
        let (storage, root) = (&site.storage, VPath::root());
        assert_eq!(kind(storage.open_source(&root)), ErrorKind::IsDirectory);
        assert_eq!(kind(put(storage, &root, b"")), ErrorKind::IsDirectory);
        assert_eq!(kind(storage.remove_file(&root)), ErrorKind::IsDirectory);
        for recursive in [false, true] {
            let result = storage.remove_directory(&root, recursive);
            assert_eq!(kind(result), ErrorKind::NotPermitted);
        }
        storage.stat(&root).unwrap();
    }
}
