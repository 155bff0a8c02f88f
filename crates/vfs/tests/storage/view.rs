//! A view lets through what its grant names, and nothing else.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use e2eeftp_vfs::{
    CopyOptions, ErrorKind, Grant, LocalStorage, Overwrite, RenameOptions, Resolver, Result,
    StageOptions, View,
};

use crate::support::{QUICK, Site, Unwatched, kind, path, write};

fn view(site: &Site, grant: Grant) -> View {
    let storage = LocalStorage::with_resolver(&site.host(""), site.resolver).unwrap();
    View::new(Arc::new(storage), grant)
}

/// Every operation of a view, each on a fresh name, as (name, result).
fn attempt_all(site: &Site, view: &View) -> Vec<(&'static str, Result<()>)> {
    fs::create_dir_all(site.host("dir")).unwrap();
    fs::write(site.host("file"), b"old").unwrap();
    fs::write(site.host("movable"), b"old").unwrap();
    let _ = fs::remove_dir(site.host("new-dir"));
    for name in ["new", "copied", "moved"] {
        let _ = fs::remove_file(site.host(name));
    }
    let (moving, copying) = (RenameOptions::default(), CopyOptions::default());
    let copy = |to| view.copy(&path("file"), &path(to), &copying, &Unwatched).map(drop);
    vec![
        ("stat", view.stat(&path("file")).map(drop)),
        ("list", view.list(&path("/")).map(drop)),
        ("open", view.open_source(&path("file")).map(drop)),
        ("create", view.stage(&path("new"), &StageOptions::default()).map(drop)),
        ("replace", view.stage(&path("file"), &StageOptions::default()).map(drop)),
        ("mkdir", view.make_directory(&path("new-dir"), false)),
        ("space", view.space(&path("/")).map(drop)),
        ("copy", copy("copied")),
        ("copy over", copy("movable")),
        ("move over", view.rename(&path("movable"), &path("file"), &moving)),
        ("move", view.rename(&path("file"), &path("moved"), &moving)),
        ("remove", {
            fs::write(site.host("file"), b"old").unwrap();
            view.remove_file(&path("file"))
        }),
        ("rmdir", view.remove_directory(&path("dir"), false)),
    ]
}

#[test]
fn each_permission_opens_its_own_operations() {
    let site = Site::new(Resolver::Auto);
    let none = Grant::default;
    let cases: [(Grant, &[&str]); 10] = [
        (none(), &[]),
        (Grant { read: true, ..none() }, &["stat", "open"]),
        (Grant { list: true, ..none() }, &["stat", "list", "space"]),
        (Grant { write: true, ..none() }, &["create", "mkdir", "space"]),
        (
            Grant { write: true, overwrite: true, ..none() },
            &["create", "replace", "mkdir", "space"],
        ),
        (Grant { delete: true, ..none() }, &["remove", "rmdir"]),
        (Grant { overwrite: true, ..none() }, &[]),
        (
            Grant { read: true, write: true, ..none() },
            &["stat", "open", "create", "mkdir", "space", "copy"],
        ),
        (
            Grant { delete: true, write: true, ..none() },
            &["create", "mkdir", "space", "move", "remove", "rmdir"],
        ),
        (
            Grant { read: true, delete: true, overwrite: true, ..none() },
            &["stat", "open", "remove", "rmdir"],
        ),
    ];
    for (grant, expected) in cases {
        for (name, result) in attempt_all(&site, &view(&site, grant.clone())) {
            match result {
                Ok(()) => assert!(expected.contains(&name), "{name} with {grant:?}"),
                Err(error) => {
                    assert!(!expected.contains(&name), "{name} with {grant:?}: {error}");
                    let replaces = match name {
                        "replace" => grant.write,
                        "copy over" => grant.write && grant.read,
                        "move over" => grant.write && grant.delete,
                        _ => false,
                    };
                    let wanted = if replaces { ErrorKind::Exists } else { ErrorKind::NotPermitted };
                    assert_eq!(error.kind(), wanted, "{name} with {grant:?}");
                }
            }
        }
    }
    for (name, result) in attempt_all(&site, &view(&site, Grant::all())) {
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn an_expired_grant_refuses_everything_from_its_moment_on() {
    let site = Site::new(Resolver::Auto);
    let past = SystemTime::now() - Duration::from_secs(1);
    let expired = view(&site, Grant { expires_at: Some(past), ..Grant::all() });
    for (name, result) in attempt_all(&site, &expired) {
        let error = result.expect_err(name);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Expired, "E2EEFTP_EXPIRED"));
    }
    let soon = SystemTime::now() + Duration::from_millis(300);
    let ending = view(&site, Grant { expires_at: Some(soon), ..Grant::all() });
    ending.stat(&path("file")).unwrap();
    std::thread::sleep(Duration::from_millis(350));
    assert_eq!(kind(ending.stat(&path("file"))), ErrorKind::Expired);
}

#[test]
fn without_overwrite_the_refusal_holds_at_the_commit_too() {
    let site = Site::new(Resolver::Auto);
    let view = view(&site, Grant { overwrite: false, ..Grant::all() });
    let options = StageOptions { overwrite: Overwrite::Replace, ..StageOptions::default() };
    let staged = view.stage(&path("file"), &options).unwrap();
    fs::write(site.host("file"), b"other").unwrap();
    assert_eq!(kind(staged.commit(&QUICK)), ErrorKind::Exists);
    assert_eq!(fs::read(site.host("file")).unwrap(), b"other");
}

#[test]
fn the_smaller_limit_holds() {
    let site = Site::new(Resolver::Auto);
    for (granted, asked, limit) in
        [(Some(4), None, 4), (Some(4), Some(9), 4), (Some(9), Some(4), 4), (None, Some(3), 3)]
    {
        let view = view(&site, Grant { max_size: granted, ..Grant::all() });
        let announced = StageOptions {
            expected_len: Some(limit + 1),
            max_len: asked,
            ..StageOptions::default()
        };
        assert_eq!(kind(view.stage(&path("file"), &announced)), ErrorKind::TooLarge);
        let silent = StageOptions { max_len: asked, ..StageOptions::default() };
        let mut staged = view.stage(&path("file"), &silent).unwrap();
        for offset in 0..limit {
            write(&mut *staged, b"x", offset).unwrap();
        }
        assert_eq!(kind(write(&mut *staged, b"x", limit)), ErrorKind::TooLarge);
        let options = CopyOptions { max_len: asked, ..CopyOptions::default() };
        for (len, fits) in [(limit, true), (limit + 1, false)] {
            fs::write(site.host("from"), vec![0; usize::try_from(len).unwrap()]).unwrap();
            let copied = view.copy(&path("from"), &path("to"), &options, &Unwatched);
            assert_eq!(copied.is_ok(), fits, "{len} of {limit}");
            assert!(fits || kind(copied) == ErrorKind::TooLarge);
        }
    }
}
