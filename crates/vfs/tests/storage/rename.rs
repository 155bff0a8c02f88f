//! Moving acts on names, in one step, inside the root.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::atomic::{AtomicU32, Ordering};

use e2eeftp_vfs::{Durability, ErrorKind, Overwrite, RenameOptions, Result, StageOptions, Storage};

use crate::support::{QUICK, Site, host_names, kind, path, write};
use crate::tmpfs;

const REPLACE: RenameOptions =
    RenameOptions { overwrite: Overwrite::Replace, durability: Durability::Directory };
const REFUSE: RenameOptions =
    RenameOptions { overwrite: Overwrite::Refuse, durability: Durability::None };

fn rename(site: &Site, from: &str, to: &str, options: &RenameOptions) -> Result<()> {
    site.storage.rename(&path(from), &path(to), options)
}

#[test]
fn files_and_directories_get_their_new_names() {
    for site in Site::each() {
        for options in [REPLACE, REFUSE] {
            fs::create_dir_all(site.host("a/sub")).unwrap();
            fs::write(site.host("a/sub/file"), b"content").unwrap();
            fs::create_dir(site.host("b")).unwrap();
            let inode = fs::metadata(site.host("a/sub/file")).unwrap().ino();
            rename(&site, "a/sub/file", "b/renamed", &options).unwrap();
            rename(&site, "/b/renamed/", "//b/./again", &options).unwrap();
            rename(&site, "a", "b/a", &options).unwrap();
            assert_eq!(fs::metadata(site.host("b/again")).unwrap().ino(), inode);
            assert_eq!(host_names(&site.host("b")), ["a", "again"]);
            assert_eq!(host_names(&site.host("b/a")), ["sub"]);
            fs::remove_dir_all(site.host("b")).unwrap();
        }
    }
}

#[test]
fn only_what_is_no_directory_is_replaced_and_only_when_told_so() {
    for site in Site::each() {
        let clear = || {
            let _ = fs::remove_dir_all(site.host("x"));
            for name in ["x/full/kept", "x/empty", "x/source-dir/inside"] {
                fs::create_dir_all(site.host(name)).unwrap();
            }
            for name in ["x/source", "x/target"] {
                fs::write(site.host(name), name).unwrap();
            }
            symlink("/nowhere", site.host("x/link")).unwrap();
        };
        let cases = [
            ("x/source", "x/target", REFUSE, Some(ErrorKind::Exists)),
            ("x/source", "x/link", REFUSE, Some(ErrorKind::Exists)),
            ("x/source-dir", "x/target", REFUSE, Some(ErrorKind::Exists)),
            ("x/source-dir", "x/target", REPLACE, Some(ErrorKind::NotDirectory)),
            ("x/source-dir", "x/link", REPLACE, Some(ErrorKind::NotDirectory)),
            ("x/source", "x/target", REPLACE, None),
            ("x/source", "x/link", REPLACE, None),
            ("x/link", "x/target", REPLACE, None),
        ];
        let directories = ["x/source", "x/link", "x/source-dir"].into_iter().flat_map(|from| {
            ["x/full", "x/empty", "/", "x"].into_iter().flat_map(move |to| {
                [REPLACE, REFUSE].map(|options| (from, to, options, Some(ErrorKind::IsDirectory)))
            })
        });
        for (from, to, options, expected) in cases.into_iter().chain(directories) {
            clear();
            let moved = fs::symlink_metadata(site.host(from)).unwrap().ino();
            match (rename(&site, from, to, &options), expected) {
                (Ok(()), None) => {
                    let now = fs::symlink_metadata(site.host(to)).unwrap();
                    assert_eq!(now.ino(), moved, "{from} to {to}");
                    assert!(fs::symlink_metadata(site.host(from)).is_err());
                }
                (result, Some(expected)) => {
                    assert_eq!(kind(result), expected, "{from} to {to}, {options:?}");
                    let names = ["empty", "full", "link", "source", "source-dir", "target"];
                    assert_eq!(host_names(&site.host("x")), names);
                    assert_eq!(host_names(&site.host("x/full")), ["kept"]);
                    assert_eq!(fs::read(site.host("x/target")).unwrap(), b"x/target");
                }
                (Err(error), None) => panic!("{from} to {to}: {error}"),
            }
        }
    }
}

#[test]
fn what_is_not_there_or_reserved_or_the_root_stays_where_it_is() {
    for site in Site::each() {
        fs::create_dir_all(site.host("dir/sub/deep")).unwrap();
        fs::write(site.host("file"), b"").unwrap();
        fs::write(site.host(".e2eeftp-00.part"), b"staged").unwrap();
        let cases = [
            ("gone", "x", ErrorKind::NotFound),
            ("dir/gone", "x", ErrorKind::NotFound),
            ("file", "gone/x", ErrorKind::NotFound),
            ("file", "file/x", ErrorKind::NotDirectory),
            ("file/x", "x", ErrorKind::NotDirectory),
            ("/", "x", ErrorKind::NotPermitted),
            ("/", "dir/x", ErrorKind::NotPermitted),
            ("file", "file", ErrorKind::Exists),
            ("dir", "dir", ErrorKind::Exists),
            ("dir", "dir/sub/dir", ErrorKind::BadPath),
            ("dir", "dir/sub/deep/x", ErrorKind::BadPath),
            (".e2eeftp-00.part", "x", ErrorKind::NotFound),
            (".E2EEFTP-x", "x", ErrorKind::NotFound),
            ("file", ".e2eeftp-x", ErrorKind::BadPath),
            ("file", "dir/.E2EEFTP-00.part", ErrorKind::BadPath),
            ("file", ".e2eeftp-x/y", ErrorKind::BadPath),
        ];
        for options in [REPLACE, REFUSE] {
            for (from, to, expected) in cases {
                assert_eq!(kind(rename(&site, from, to, &options)), expected, "{from} to {to}");
            }
        }
        assert_eq!(host_names(&site.host("")), [".e2eeftp-00.part", "dir", "file"]);
        assert_eq!(host_names(&site.host("dir/sub/deep")), Vec::<String>::new());
    }
}

#[test]
fn two_names_of_one_file_stay_two() {
    for site in Site::each() {
        fs::write(site.host("a"), b"").unwrap();
        fs::hard_link(site.host("a"), site.host("b")).unwrap();
        for options in [REPLACE, REFUSE] {
            assert_eq!(kind(rename(&site, "a", "b", &options)), ErrorKind::Exists);
        }
        assert_eq!(host_names(&site.host("")), ["a", "b"]);
    }
}

#[test]
fn a_link_is_moved_itself_and_never_through_another() {
    for site in Site::each() {
        let secret = site.outside().join("secret");
        symlink(site.outside(), site.host("out")).unwrap();
        symlink(&secret, site.host("leaf")).unwrap();
        fs::create_dir(site.host("dir")).unwrap();
        fs::write(site.host("file"), b"inside").unwrap();
        for (from, to) in [
            ("out/secret", "stolen"),
            ("file", "out/new"),
            ("file", "out/secret"),
            ("dir", "out/dir"),
            ("leaf/x", "y"),
        ] {
            for options in [REPLACE, REFUSE] {
                let refused = kind(rename(&site, from, to, &options));
                let accepted = [ErrorKind::NotPermitted, ErrorKind::NotDirectory];
                assert!(accepted.contains(&refused), "{from} to {to}: {refused:?}");
            }
        }
        rename(&site, "leaf", "dir/leaf", &REPLACE).unwrap();
        rename(&site, "out", "dir/out", &REFUSE).unwrap();
        assert_eq!(fs::read_link(site.host("dir/leaf")).unwrap(), secret);
        rename(&site, "file", "dir/leaf", &REPLACE).unwrap();
        assert_eq!(fs::read(site.host("dir/leaf")).unwrap(), b"inside");
        site.assert_outside_untouched();
    }
}

#[test]
fn an_upload_under_way_goes_along_with_its_directory() {
    for site in Site::each() {
        fs::create_dir(site.host("dir")).unwrap();
        let mut staged = site.storage.stage(&path("dir/new"), &StageOptions::default()).unwrap();
        write(&mut *staged, b"whole", 0).unwrap();
        rename(&site, "dir", "moved", &REPLACE).unwrap();
        staged.commit(&QUICK).unwrap();
        assert_eq!(fs::read(site.host("moved/new")).unwrap(), b"whole");
    }
}

#[test]
fn another_file_system_is_told_apart() {
    for site in Site::each() {
        fs::create_dir(site.host("mounted")).unwrap();
        tmpfs::mount_at(&site.host("mounted"), "1m");
        fs::write(site.host("file"), b"").unwrap();
        let result = rename(&site, "file", "mounted/file", &REPLACE);
        let mounted = rename(&site, "mounted", "elsewhere", &REPLACE);
        tmpfs::unmount(&site.host("mounted"));
        assert_eq!(kind(result), ErrorKind::Unsupported);
        assert_eq!(kind(mounted), ErrorKind::Busy);
        assert_eq!(host_names(&site.host("")), ["file", "mounted"]);
    }
}

#[test]
fn of_eight_that_refuse_one_wins() {
    for site in Site::each() {
        for round in 0..50 {
            for number in 0..8 {
                fs::write(site.host(&format!("from-{number}")), b"").unwrap();
            }
            let to = format!("to-{round}");
            let wins = AtomicU32::new(0);
            std::thread::scope(|scope| {
                for number in 0..8 {
                    let (site, to, wins) = (&site, &to, &wins);
                    scope.spawn(move || {
                        match rename(site, &format!("from-{number}"), to, &REFUSE) {
                            Ok(()) => drop(wins.fetch_add(1, Ordering::Relaxed)),
                            Err(error) => assert_eq!(error.kind(), ErrorKind::Exists),
                        }
                    });
                }
            });
            assert_eq!(wins.load(Ordering::Relaxed), 1);
            assert_eq!(host_names(&site.host("")).len(), 7 + round + 1);
        }
    }
}
