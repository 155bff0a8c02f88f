//! Nothing outside the root can be named, by any kind of path or link.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use e2eeftp_vfs::{ErrorKind, FileType, LocalStorage, Resolver, StageOptions, Storage, VPath};

use crate::support::{CANARY, RESOLVERS, Site, get, kind, list, path, put, put_with};

#[test]
fn parent_components_and_nul_bytes_are_no_path() {
    for raw in ["..", "/..", "../outside/secret", "a/../../outside", "a/..", "a\0b", "\0"] {
        assert_eq!(kind(VPath::parse(raw.as_bytes())), ErrorKind::BadPath, "{raw:?}");
    }
}

#[test]
fn an_absolute_path_counts_from_the_root() {
    for site in Site::each() {
        let secret = site.outside().join("secret");
        let absolute = path(secret.to_str().unwrap());
        assert_eq!(kind(site.storage.open_source(&absolute)), ErrorKind::NotFound);
        assert_eq!(kind(site.storage.remove_file(&absolute)), ErrorKind::NotFound);
        assert_eq!(kind(put(&site.storage, &absolute, b"x")), ErrorKind::NotFound);
        let options = StageOptions { make_parents: true, ..StageOptions::default() };
        put_with(&site.storage, &absolute, b"inside", &options).unwrap();
        assert_eq!(get(&site.storage, &absolute).unwrap(), b"inside");
        site.assert_outside_untouched();
    }
}

#[test]
fn long_names_are_refused_or_work() {
    assert_eq!(kind(VPath::parse(&[b'x'; 300])), ErrorKind::BadPath);
    assert_eq!(kind(VPath::parse(&[b'/'; 4097])), ErrorKind::BadPath);
    assert_eq!(kind(VPath::parse("a/".repeat(2048).repeat(2).as_bytes())), ErrorKind::BadPath);
    for site in Site::each() {
        let component = "n".repeat(255);
        let longest = path(&format!("/{component}").repeat(16));
        assert_eq!(longest.as_bytes().len(), VPath::MAX_LEN);
        let options = StageOptions { make_parents: true, ..StageOptions::default() };
        put_with(&site.storage, &longest, b"deep", &options).unwrap();
        assert_eq!(get(&site.storage, &longest).unwrap(), b"deep");
        site.storage.remove_directory(&path(&component), true).unwrap();
        assert_eq!(list(&site.storage, &VPath::root()).unwrap(), []);
    }
}

#[test]
fn a_backslash_is_part_of_a_name() {
    for site in Site::each() {
        let name = path("..\\..\\outside\\secret");
        put(&site.storage, &name, b"plain").unwrap();
        assert_eq!(fs::read(site.host("..\\..\\outside\\secret")).unwrap(), b"plain");
        site.assert_outside_untouched();
    }
}

#[test]
fn links_that_lead_out_are_refused() {
    for site in Site::each() {
        let secret = site.outside().join("secret");
        symlink(&secret, site.host("file")).unwrap();
        symlink("../outside/secret", site.host("relative")).unwrap();
        symlink(site.outside(), site.host("dir")).unwrap();
        symlink("../outside", site.host("relative-dir")).unwrap();
        symlink("dir", site.host("chain")).unwrap();
        for name in ["file", "relative", "dir/secret", "relative-dir/secret", "chain/secret"] {
            let name = path(name);
            assert_eq!(kind(site.storage.stat(&name)), ErrorKind::NotPermitted, "{name:?}");
            assert_eq!(kind(site.storage.open_source(&name)), ErrorKind::NotPermitted);
        }
        for name in ["dir", "relative-dir", "chain"] {
            let name = path(name);
            assert_eq!(kind(site.storage.list(&name)), ErrorKind::NotPermitted, "{name:?}");
            assert_eq!(kind(site.storage.enter(&name)), ErrorKind::NotPermitted);
            assert_eq!(kind(site.storage.remove_directory(&name, true)), ErrorKind::NotDirectory);
            let inner = name.child(b"secret").unwrap();
            assert_eq!(kind(put(&site.storage, &inner, b"x")), ErrorKind::NotPermitted);
            assert_eq!(kind(site.storage.remove_file(&inner)), ErrorKind::NotPermitted);
            assert_eq!(kind(site.storage.remove_directory(&inner, true)), ErrorKind::NotPermitted);
            let new = name.child(b"new").unwrap();
            assert_eq!(kind(site.storage.make_directory(&new, true)), ErrorKind::NotPermitted);
            assert_eq!(kind(site.storage.make_directory(&new, false)), ErrorKind::NotPermitted);
            let options = StageOptions { make_parents: true, ..StageOptions::default() };
            assert_eq!(kind(site.storage.stage(&new, &options)), ErrorKind::NotPermitted);
        }
        for entry in list(&site.storage, &VPath::root()).unwrap() {
            assert_eq!(entry.metadata.file_type, FileType::Symlink);
        }
        site.assert_outside_untouched();
    }
}

#[test]
fn links_that_stay_inside_are_followed_or_refused_but_never_more() {
    for site in Site::each() {
        fs::create_dir_all(site.host("a/b")).unwrap();
        fs::write(site.host("a/file"), b"inside").unwrap();
        symlink("a/file", site.host("link")).unwrap();
        symlink("../file", site.host("a/b/up")).unwrap();
        symlink("a", site.host("dir")).unwrap();
        for name in ["link", "a/b/up", "dir/file"] {
            let found = get(&site.storage, &path(name));
            if site.follows_links() {
                assert_eq!(found.unwrap(), b"inside", "{name}");
                assert_eq!(site.storage.stat(&path(name)).unwrap().size, 6);
            } else {
                assert_eq!(kind(found), ErrorKind::NotPermitted, "{name}");
                assert_eq!(kind(site.storage.stat(&path(name))), ErrorKind::NotPermitted);
            }
        }
        // Narrowed to a/b, the same link leads out.
        let narrow = site.storage.enter(&path("a/b")).unwrap();
        assert_eq!(kind(narrow.open_source(&path("up"))), ErrorKind::NotPermitted);
    }
}

#[test]
fn auto_follows_links_where_openat2_does() {
    let follows = RESOLVERS.map(|resolver| Site::new(resolver).follows_links());
    assert_eq!(follows, [true, true, false]);
}

#[test]
fn magic_links_are_refused() {
    for resolver in RESOLVERS {
        let process = LocalStorage::with_resolver(Path::new("/proc/self"), resolver).unwrap();
        assert_eq!(process.stat(&path("status")).unwrap().file_type, FileType::File);
        for name in ["root", "cwd", "exe", "fd/0", "root/etc"] {
            assert_eq!(kind(process.stat(&path(name))), ErrorKind::NotPermitted, "{name}");
            assert_eq!(kind(process.open_source(&path(name))), ErrorKind::NotPermitted, "{name}");
            assert_eq!(kind(process.enter(&path(name))), ErrorKind::NotPermitted, "{name}");
        }
    }
}

#[test]
fn writing_to_a_link_replaces_the_link() {
    for site in Site::each() {
        let missing = site.outside().join("missing");
        symlink(&missing, site.host("dangling")).unwrap();
        symlink(site.outside().join("secret"), site.host("secret")).unwrap();
        for name in ["dangling", "secret"] {
            put(&site.storage, &path(name), b"new").unwrap();
            assert!(fs::symlink_metadata(site.host(name)).unwrap().is_file());
            assert_eq!(fs::read(site.host(name)).unwrap(), b"new");
        }
        site.assert_outside_untouched();
    }
}

#[test]
fn a_dangling_link_is_listed_and_not_found() {
    for site in Site::each() {
        symlink("nowhere", site.host("dangling")).unwrap();
        let expected =
            if site.follows_links() { ErrorKind::NotFound } else { ErrorKind::NotPermitted };
        assert_eq!(kind(site.storage.stat(&path("dangling"))), expected);
        let beneath = site.storage.make_directory(&path("dangling/x"), true);
        assert_eq!(kind(beneath), ErrorKind::NotPermitted);
        assert!(!site.host("nowhere").exists());
        let entries = list(&site.storage, &VPath::root()).unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].metadata.file_type, FileType::Symlink);
        site.storage.remove_file(&path("dangling")).unwrap();
        assert_eq!(list(&site.storage, &VPath::root()).unwrap(), []);
    }
}

#[test]
fn a_hard_link_to_outside_is_replaced_not_written() {
    for site in Site::each() {
        fs::hard_link(site.outside().join("secret"), site.host("hard")).unwrap();
        put(&site.storage, &path("hard"), b"new").unwrap();
        assert_eq!(fs::read(site.host("hard")).unwrap(), b"new");
        site.storage.remove_file(&path("hard")).unwrap();
        assert_eq!(fs::read(site.outside().join("secret")).unwrap(), CANARY);
    }
}

#[test]
fn a_pipe_socket_or_device_neither_hangs_nor_opens() {
    for resolver in RESOLVERS {
        let (done, finished) = mpsc::channel();
        let worker = std::thread::spawn(move || {
            let site = Site::new(resolver);
            rustix::fs::mknodat(
                rustix::fs::CWD,
                site.host("pipe"),
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
                0,
            )
            .unwrap();
            let _socket = std::os::unix::net::UnixListener::bind(site.host("socket")).unwrap();
            for name in ["pipe", "socket"] {
                let name = path(name);
                assert_eq!(kind(site.storage.open_source(&name)), ErrorKind::NotRegular);
                assert_eq!(kind(put(&site.storage, &name, b"x")), ErrorKind::NotRegular);
                assert_eq!(kind(site.storage.list(&name)), ErrorKind::NotDirectory);
                assert_eq!(site.storage.stat(&name).unwrap().file_type, FileType::Other);
                site.storage.remove_file(&name).unwrap();
            }
            let devices = LocalStorage::with_resolver(Path::new("/dev"), resolver).unwrap();
            assert_eq!(kind(devices.open_source(&path("null"))), ErrorKind::NotRegular);
            assert_eq!(
                kind(devices.stage(&path("null"), &StageOptions::default())),
                ErrorKind::NotRegular
            );
            done.send(()).unwrap();
        });
        let result = finished.recv_timeout(Duration::from_secs(20));
        if result != Err(mpsc::RecvTimeoutError::Timeout) {
            worker.join().unwrap();
        }
        result.expect("opening must not hang");
    }
}

#[test]
fn entering_is_narrowing_and_holds_the_directory() {
    for site in Site::each() {
        fs::create_dir_all(site.host("home/user")).unwrap();
        fs::write(site.host("home/other"), b"other").unwrap();
        symlink("../other", site.host("home/user/up")).unwrap();
        let user = site.storage.enter(&path("home/user")).unwrap();
        put(&*user, &path("mine"), b"mine").unwrap();
        assert_eq!(kind(user.stat(&path("up"))), ErrorKind::NotPermitted);
        assert_eq!(kind(user.stat(&path("other"))), ErrorKind::NotFound);
        fs::rename(site.host("home/user"), site.host("moved")).unwrap();
        assert_eq!(get(&*user, &path("mine")).unwrap(), b"mine");
        put(&*user, &path("later"), b"later").unwrap();
        assert_eq!(fs::read(site.host("moved/later")).unwrap(), b"later");
        assert_eq!(kind(site.storage.enter(&path("moved/mine"))), ErrorKind::NotDirectory);
        assert_eq!(kind(site.storage.enter(&path("gone"))), ErrorKind::NotFound);
    }
}

#[test]
fn the_root_must_be_a_directory() {
    let site = Site::new(Resolver::Auto);
    fs::write(site.host("file"), b"").unwrap();
    assert_eq!(kind(LocalStorage::open_root(&site.host("file"))), ErrorKind::NotDirectory);
    assert_eq!(kind(LocalStorage::open_root(&site.host("gone"))), ErrorKind::NotFound);
}
