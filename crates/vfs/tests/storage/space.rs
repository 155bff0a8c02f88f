//! The room of the file system that a name is on.

use std::fs;
use std::os::unix::fs::symlink;

use e2eeftp_vfs::{ErrorKind, Storage};

use crate::support::{Site, kind, path};
use crate::tmpfs;

#[test]
fn it_is_that_of_the_file_system_that_holds_the_name() {
    for site in Site::each() {
        fs::create_dir(site.host("mounted")).unwrap();
        tmpfs::mount_at(&site.host("mounted"), "4m");
        fs::write(site.host("mounted/file"), vec![1; 1 << 20]).unwrap();
        let results = ["mounted", "mounted/file", "/"].map(|name| site.storage.space(&path(name)));
        tmpfs::unmount(&site.host("mounted"));
        let [directory, file, root] = results.map(Result::unwrap);
        assert_eq!(directory, file);
        assert_eq!((directory.total, directory.free), (4 << 20, 3 << 20));
        assert_eq!(directory.available, directory.free);
        assert!(directory.files > directory.files_free && directory.files_free > 0);
        assert_ne!(root.total, directory.total);
        assert!(root.available <= root.free && root.free <= root.total);
    }
}

#[test]
fn names_that_lead_out_or_nowhere_tell_nothing() {
    for site in Site::each() {
        symlink(site.outside(), site.host("out")).unwrap();
        symlink(site.outside().join("secret"), site.host("leaf")).unwrap();
        fs::write(site.host("file"), b"").unwrap();
        let space = |name: &str| kind(site.storage.space(&path(name)));
        for name in ["out", "out/secret", "leaf"] {
            assert_eq!(space(name), ErrorKind::NotPermitted, "{name}");
        }
        assert_eq!(space("gone"), ErrorKind::NotFound);
        assert_eq!(space("file/x"), ErrorKind::NotDirectory);
        assert_eq!(space(".e2eeftp-x"), ErrorKind::NotFound);
    }
}
