//! Listings: sorted when small, bounded and complete when large.

use std::collections::HashSet;
use std::fs;

use e2eeftp_vfs::{ErrorKind, FileType, Storage, VPath};

use crate::support::{Site, kind, list, path};

#[test]
fn small_directories_are_sorted_by_bytes() {
    for site in Site::each() {
        for name in ["b", "a", "C", "ä", "10", "9"] {
            fs::write(site.host(name), name).unwrap();
        }
        fs::create_dir(site.host("dir")).unwrap();
        let entries = list(&site.storage, &VPath::root()).unwrap();
        let names: Vec<_> = entries.iter().map(|entry| &entry.name[..]).collect();
        let expected: [&[u8]; 7] = [b"10", b"9", b"C", b"a", b"b", b"dir", "ä".as_bytes()];
        assert_eq!(names, expected);
        assert_eq!(entries[5].metadata.file_type, FileType::Directory);
        assert_eq!(entries[6].metadata.size, 2);
        assert_eq!(entries[3].metadata, site.storage.stat(&path("a")).unwrap());
    }
}

#[test]
fn an_empty_directory_has_no_entries() {
    for site in Site::each() {
        let mut lister = site.storage.list(&VPath::root()).unwrap();
        for _ in 0..3 {
            assert_eq!(lister.next(10).unwrap(), []);
        }
    }
}

#[test]
fn twelve_thousand_entries_come_in_bounded_pieces_each_once() {
    const COUNT: usize = 12_000;
    let site = Site::new(e2eeftp_vfs::Resolver::Auto);
    for index in 0..COUNT {
        fs::write(site.host(&format!("entry-{index}")), b"").unwrap();
    }
    fs::write(site.host(".e2eeftp-0.part"), b"").unwrap();
    let mut lister = site.storage.list(&VPath::root()).unwrap();
    let mut names = HashSet::new();
    loop {
        let piece = lister.next(500).unwrap();
        assert!(piece.len() <= 500);
        if piece.is_empty() {
            break;
        }
        for entry in piece {
            assert!(names.insert(entry.name), "an entry came twice");
        }
    }
    let expected: HashSet<_> =
        (0..COUNT).map(|index| format!("entry-{index}").into_bytes()).collect();
    assert!(names == expected, "{} of {COUNT} entries", names.len());
    // With 10,000 names it is sorted again.
    for index in 10_000..COUNT {
        fs::remove_file(site.host(&format!("entry-{index}"))).unwrap();
    }
    let sorted = list(&site.storage, &VPath::root()).unwrap();
    assert_eq!(sorted.len(), 10_000);
    assert!(sorted.is_sorted_by_key(|entry| entry.name.clone()));
}

#[test]
fn an_entry_that_vanishes_is_left_out() {
    for site in Site::each() {
        for name in ["a", "b", "c"] {
            fs::write(site.host(name), b"").unwrap();
        }
        let mut lister = site.storage.list(&VPath::root()).unwrap();
        assert_eq!(lister.next(0).unwrap()[0].name, b"a");
        fs::remove_file(site.host("b")).unwrap();
        assert_eq!(lister.next(1).unwrap()[0].name, b"c");
        assert_eq!(lister.next(1).unwrap(), []);
    }
}

#[test]
fn only_directories_are_listed() {
    for site in Site::each() {
        fs::write(site.host("file"), b"").unwrap();
        assert_eq!(kind(site.storage.list(&path("file"))), ErrorKind::NotDirectory);
        assert_eq!(kind(site.storage.list(&path("gone"))), ErrorKind::NotFound);
    }
}
