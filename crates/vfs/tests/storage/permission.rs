//! What the system refuses is reported as such, and changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use e2eeftp_vfs::{CopyOptions, ErrorKind, LocalStorage, RenameOptions, StageOptions, Storage};
use rustix::process::Uid;
use rustix::thread::{set_thread_groups, set_thread_res_uid};

use crate::support::{RESOLVERS, Site, Unwatched, get, kind, list, path, put};
use crate::tmpfs::Tmpfs;

#[test]
fn a_read_only_file_system() {
    for resolver in RESOLVERS {
        let mount = Tmpfs::mount("1m");
        fs::write(mount.path().join("file"), b"old").unwrap();
        fs::create_dir(mount.path().join("dir")).unwrap();
        let storage = LocalStorage::with_resolver(mount.path(), resolver).unwrap();
        mount.make_read_only();
        let expected = ErrorKind::ReadOnlyStorage;
        assert_eq!(kind(put(&storage, &path("file"), b"new")), expected);
        assert_eq!(kind(put(&storage, &path("new"), b"new")), expected);
        assert_eq!(kind(storage.remove_file(&path("file"))), expected);
        assert_eq!(kind(storage.remove_directory(&path("dir"), false)), expected);
        assert_eq!(kind(storage.remove_directory(&path("dir"), true)), expected);
        assert_eq!(kind(storage.make_directory(&path("new"), false)), expected);
        let (moving, copying) = (RenameOptions::default(), CopyOptions::default());
        assert_eq!(kind(storage.rename(&path("file"), &path("new"), &moving)), expected);
        assert_eq!(kind(storage.copy(&path("file"), &path("new"), &copying, &Unwatched)), expected);
        let trees = CopyOptions { recursive: true, ..copying };
        assert_eq!(kind(storage.copy(&path("dir"), &path("new"), &trees, &Unwatched)), expected);
        assert_eq!(get(&storage, &path("file")).unwrap(), b"old");
        assert_eq!(list(&storage, &path("/")).unwrap().len(), 2);
    }
}

#[test]
fn another_user_is_refused() {
    for site in Site::each() {
        fs::set_permissions(site.host(""), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(site.host("closed/sub")).unwrap();
        fs::write(site.host("closed/file"), b"old").unwrap();
        fs::set_permissions(site.host("closed"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::create_dir_all(site.host("fixed/sub")).unwrap();
        fs::write(site.host("fixed/file"), b"old").unwrap();
        fs::write(site.host("fixed/private"), b"old").unwrap();
        fs::set_permissions(site.host("fixed/private"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(site.host("fixed"), fs::Permissions::from_mode(0o755)).unwrap();
        let storage = &site.storage;
        std::thread::scope(|scope| {
            // Linux keeps user ids per thread; only this one gives its rights away.
            let unprivileged = scope.spawn(|| {
                let nobody = Uid::from_raw(65_534);
                set_thread_groups(&[]).expect("this test changes users and must run as root");
                set_thread_res_uid(nobody, nobody, nobody)
                    .expect("this test changes users and must run as root");
                let expected = ErrorKind::NotPermitted;
                for name in ["closed/file", "closed/new"] {
                    assert_eq!(kind(storage.stat(&path(name))), expected);
                    assert_eq!(kind(storage.open_source(&path(name))), expected);
                    assert_eq!(kind(put(storage, &path(name), b"x")), expected);
                    assert_eq!(kind(storage.remove_file(&path(name))), expected);
                    assert_eq!(kind(storage.make_directory(&path(name), true)), expected);
                }
                let (moving, copying) = (RenameOptions::default(), CopyOptions::default());
                for (from, to) in [
                    ("closed/file", "new"),
                    ("fixed/file", "closed/new"),
                    ("fixed/file", "fixed/new"),
                ] {
                    let (from, to) = (path(from), path(to));
                    assert_eq!(kind(storage.rename(&from, &to, &moving)), expected);
                    assert_eq!(kind(storage.copy(&from, &to, &copying, &Unwatched)), expected);
                }
                assert_eq!(kind(storage.list(&path("closed"))), expected);
                assert_eq!(kind(storage.remove_directory(&path("closed"), true)), expected);
                assert_eq!(get(storage, &path("fixed/file")).unwrap(), b"old");
                assert_eq!(kind(storage.open_source(&path("fixed/private"))), expected);
                assert_eq!(kind(put(storage, &path("fixed/file"), b"x")), expected);
                assert_eq!(kind(storage.remove_file(&path("fixed/file"))), expected);
                assert_eq!(kind(storage.remove_directory(&path("fixed"), true)), expected);
                let staged = storage.stage(&path("fixed/new"), &StageOptions::default());
                assert_eq!(kind(staged), expected);
            });
            unprivileged.join().unwrap();
        });
        assert_eq!(get(storage, &path("closed/file")).unwrap(), b"old");
        assert_eq!(get(storage, &path("fixed/file")).unwrap(), b"old");
        site.assert_no_staged_file();
    }
}
