//! Removal acts on names, never through links or mounts.

use std::fs;
use std::os::unix::fs::symlink;

use e2eeftp_vfs::{ErrorKind, StageOptions, Storage};

use crate::support::{QUICK, Site, host_names, kind, path, put, write};
use crate::tmpfs;

#[test]
fn files_and_directories_have_their_own_verbs() {
    for site in Site::each() {
        let storage = &site.storage;
        fs::create_dir_all(site.host("dir/sub")).unwrap();
        fs::write(site.host("file"), b"").unwrap();
        assert_eq!(kind(storage.remove_file(&path("dir"))), ErrorKind::IsDirectory);
        assert_eq!(kind(storage.remove_file(&path("gone"))), ErrorKind::NotFound);
        assert_eq!(kind(storage.remove_directory(&path("dir"), false)), ErrorKind::NotEmpty);
        for recursive in [false, true] {
            let remove = |name| kind(storage.remove_directory(&path(name), recursive));
            assert_eq!(remove("file"), ErrorKind::NotDirectory);
            assert_eq!(remove("gone"), ErrorKind::NotFound);
        }
        storage.remove_directory(&path("dir/sub"), false).unwrap();
        storage.remove_directory(&path("dir"), false).unwrap();
        storage.remove_file(&path("file")).unwrap();
        assert_eq!(host_names(&site.host("")), Vec::<String>::new());
    }
}

#[test]
fn a_tree_goes_with_its_links_but_not_with_their_targets() {
    for site in Site::each() {
        for directory in ["tree/a/b", "tree/a/c", "tree/d"] {
            fs::create_dir_all(site.host(directory)).unwrap();
            for index in 0..20 {
                fs::write(site.host(directory).join(format!("f{index}")), b"").unwrap();
            }
            symlink(site.outside(), site.host(directory).join("dir")).unwrap();
            symlink(site.outside().join("secret"), site.host(directory).join("file")).unwrap();
        }
        fs::hard_link(site.outside().join("secret"), site.host("tree/hard")).unwrap();
        fs::write(site.host("kept"), b"").unwrap();
        site.storage.remove_directory(&path("tree"), true).unwrap();
        assert_eq!(host_names(&site.host("")), ["kept"]);
        site.assert_outside_untouched();
    }
}

#[test]
fn a_link_to_a_directory_is_removed_as_a_file() {
    for site in Site::each() {
        fs::create_dir(site.host("dir")).unwrap();
        fs::write(site.host("dir/file"), b"").unwrap();
        symlink("dir", site.host("link")).unwrap();
        for recursive in [false, true] {
            let result = site.storage.remove_directory(&path("link"), recursive);
            assert_eq!(kind(result), ErrorKind::NotDirectory);
        }
        site.storage.remove_file(&path("link")).unwrap();
        assert_eq!(host_names(&site.host("")), ["dir"]);
        assert!(site.host("dir/file").exists());
    }
}

#[test]
fn depth_costs_no_descriptors() {
    for site in Site::each() {
        // More levels than the usual limit of 1024 open files.
        let deep = format!("deep{}", "/d".repeat(1100));
        site.storage.make_directory(&path(&deep), true).unwrap();
        site.storage.remove_directory(&path("deep"), true).unwrap();
        assert_eq!(host_names(&site.host("")), Vec::<String>::new());
    }
}

#[test]
fn abandoned_staged_files_do_not_hold_a_directory_and_living_ones_do() {
    for site in Site::each() {
        for recursive in [false, true] {
            fs::create_dir(site.host("dir")).unwrap();
            fs::write(site.host("dir/.e2eeftp-00.part"), b"").unwrap();
            let mut staged =
                site.storage.stage(&path("dir/file"), &StageOptions::default()).unwrap();
            write(&mut *staged, b"x", 0).unwrap();
            let result = site.storage.remove_directory(&path("dir"), recursive);
            assert_eq!(kind(result), ErrorKind::Busy);
            staged.commit(&QUICK).unwrap();
            site.storage.remove_file(&path("dir/file")).unwrap();
            site.storage.remove_directory(&path("dir"), recursive).unwrap();
        }
    }
}

#[test]
fn a_mounted_file_system_is_not_entered() {
    for site in Site::each() {
        fs::create_dir_all(site.host("tree/mounted")).unwrap();
        tmpfs::mount_at(&site.host("tree/mounted"), "1m");
        fs::write(site.host("tree/mounted/file"), b"").unwrap();
        let result = site.storage.remove_directory(&path("tree"), true);
        let survived = site.host("tree/mounted/file").exists();
        tmpfs::unmount(&site.host("tree/mounted"));
        let refused = kind(result);
        assert!(matches!(refused, ErrorKind::Busy | ErrorKind::NotPermitted), "{refused:?}");
        assert!(survived);
        site.storage.remove_directory(&path("tree"), true).unwrap();
    }
}

#[test]
fn names_added_meanwhile_are_removed_or_reported() {
    for site in Site::each() {
        for _ in 0..50 {
            site.storage.make_directory(&path("tree/a/b"), true).unwrap();
            std::thread::scope(|scope| {
                let adder = scope.spawn(|| {
                    for index in 0..20 {
                        // Fails once the directory is gone.
                        let _ = put(&site.storage, &path(&format!("tree/a/b/{index}")), b"");
                    }
                });
                match site.storage.remove_directory(&path("tree"), true) {
                    Ok(()) => {}
                    Err(error) => assert!(
                        matches!(error.kind(), ErrorKind::Busy | ErrorKind::NotEmpty),
                        "{error}"
                    ),
                }
                adder.join().unwrap();
            });
            match site.storage.remove_directory(&path("tree"), true) {
                Ok(()) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
            }
            assert_eq!(host_names(&site.host("")), Vec::<String>::new());
        }
    }
}
