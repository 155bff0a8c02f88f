//! Reading, and noticing that the file changed meanwhile.

use std::fs;
use std::path::Path;

use e2eeftp_vfs::{ErrorKind, FileType, Resolver, Storage};

use crate::support::{Site, kind, path, read_all, replaces_open_files};

#[test]
fn reads_at_any_offset() {
    for site in Site::each() {
        let content: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        fs::write(site.host("file"), &content).unwrap();
        let source = site.storage.open_source(&path("file")).unwrap();
        source.advise_sequential();
        assert_eq!(source.metadata().size, 10_000);
        assert_eq!(source.metadata().file_type, FileType::File);
        assert_eq!(read_all(&*source).unwrap(), content);
        let mut buf = [0; 100];
        assert_eq!(source.read_at(&mut buf, 9_950).unwrap(), 50);
        assert_eq!(buf[..50], content[9_950..]);
        assert_eq!(source.read_at(&mut buf, 10_000).unwrap(), 0);
        assert_eq!(source.read_at(&mut [], 0).unwrap(), 0);
        assert_eq!(kind(source.read_at(&mut buf, u64::MAX)), ErrorKind::TooLarge);
        source.check_unchanged().unwrap();
    }
}

#[test]
fn an_empty_source_is_at_its_end() {
    let site = Site::new(Resolver::Auto);
    fs::write(site.host("empty"), b"").unwrap();
    let source = site.storage.open_source(&path("empty")).unwrap();
    assert_eq!(source.read_at(&mut [0; 1], 0).unwrap(), 0);
    source.check_unchanged().unwrap();
}

type Change = fn(&Path);

#[test]
fn a_source_that_shrinks_grows_changes_or_vanishes_is_noticed() {
    for site in Site::each() {
        if !replaces_open_files(&site) {
            return;
        }
        let changes: [(&str, Change); 5] = [
            ("shrink", |file| {
                fs::OpenOptions::new().write(true).open(file).unwrap().set_len(3).unwrap();
            }),
            ("grow", |file| {
                fs::OpenOptions::new().write(true).open(file).unwrap().set_len(30).unwrap();
            }),
            ("rewrite", |file| fs::write(file, b"9876543210").unwrap()),
            ("vanish", |file| fs::remove_file(file).unwrap()),
            ("replace", |file| {
                let other = file.with_extension("other");
                fs::write(&other, b"9876543210").unwrap();
                fs::rename(other, file).unwrap();
            }),
        ];
        for (name, change) in changes {
            fs::write(site.host(name), b"0123456789").unwrap();
            let source = site.storage.open_source(&path(name)).unwrap();
            source.check_unchanged().unwrap();
            // Let the clock that stamps files move on.
            std::thread::sleep(std::time::Duration::from_millis(15));
            change(&site.host(name));
            assert_eq!(kind(source.check_unchanged()), ErrorKind::SourceChanged, "{name}");
            if name == "shrink" {
                assert_eq!(source.read_at(&mut [0; 10], 0).unwrap(), 3);
            }
            if name == "vanish" {
                assert_eq!(read_all(&*source).unwrap(), b"0123456789");
            }
        }
    }
}

#[test]
fn what_is_not_a_file_does_not_open() {
    for site in Site::each() {
        fs::create_dir(site.host("dir")).unwrap();
        fs::write(site.host("file"), b"").unwrap();
        let open = |name| kind(site.storage.open_source(&path(name)));
        assert_eq!(open("dir"), ErrorKind::IsDirectory);
        assert_eq!(open("gone"), ErrorKind::NotFound);
        assert_eq!(open("file/x"), ErrorKind::NotDirectory);
    }
}

#[test]
fn errors_carry_a_code_and_no_host_path() {
    let site = Site::new(Resolver::Auto);
    let error = site.storage.stat(&path("gone")).unwrap_err();
    assert_eq!(error.code(), "E2EEFTP_NOT_FOUND");
    assert_eq!(error.to_string(), "stat: no such file or directory");
    let chain = format!("{error:?} {:?}", std::error::Error::source(&error));
    assert!(!chain.contains(site.host("").to_str().unwrap()), "{chain}");
}
