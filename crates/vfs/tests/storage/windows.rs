//! What is different on Windows: names, junctions, letter case, files that are open.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use e2eeftp_vfs::{
    CommitOptions, CopyOptions, Durability, ErrorKind, FileType, Overwrite, RenameOptions,
    StageOptions, Storage, TreeItem, VPath, local,
};

use crate::support::{
    QUICK, Site, Unwatched, get, host_names, kind, list, path, put, put_with, replaces_open_files,
    write,
};

const REPLACE: RenameOptions =
    RenameOptions { overwrite: Overwrite::Replace, durability: Durability::Directory };
const REFUSE: RenameOptions =
    RenameOptions { overwrite: Overwrite::Refuse, durability: Durability::None };

/// Makes a junction, for which no right is needed. False where the system has none (Wine).
fn junction(link: &Path, target: &Path) -> bool {
    let made = Command::new("cmd").args(["/c", "mklink", "/J"]).arg(link).arg(target).output();
    let is_made = made.is_ok_and(|output| output.status.success())
        && fs::symlink_metadata(link).is_ok_and(|found| found.file_type().is_symlink());
    if !is_made {
        println!("skipped: no junctions here");
    }
    is_made
}

#[test]
fn names_that_windows_takes_for_something_else_are_no_names() {
    let hostile: [&[u8]; 20] = [
        b"C:",
        b"C:\\Windows",
        b"..\\outside\\secret",
        b"\\\\?\\C:\\x",
        b"\\??\\C:\\x",
        b"file:stream",
        b"file::$DATA",
        b":stream",
        b"CON",
        b"nul",
        b"NUL.txt",
        b"aux.",
        b"com1.log",
        b"a.",
        b"a ",
        b"...",
        b"a*",
        b"a?b",
        b"a\x01b",
        b"\xff",
    ];
    for site in Site::each() {
        let storage = &site.storage;
        fs::write(site.host("file"), b"kept").unwrap();
        for name in hostile {
            let text = name.escape_ascii().to_string();
            for name in [VPath::parse(name).unwrap(), path("dir").child(name).unwrap()] {
                let below = name.child(b"x").unwrap();
                for name in [&name, &below] {
                    assert_eq!(kind(storage.stat(name)), ErrorKind::BadPath, "{text}");
                    assert_eq!(kind(storage.open_source(name)), ErrorKind::BadPath, "{text}");
                    assert_eq!(kind(storage.list(name)), ErrorKind::BadPath, "{text}");
                    assert_eq!(kind(storage.list_tree(name)), ErrorKind::BadPath, "{text}");
                    assert_eq!(kind(storage.remove_file(name)), ErrorKind::BadPath, "{text}");
                    assert_eq!(kind(storage.remove_directory(name, true)), ErrorKind::BadPath);
                    assert_eq!(kind(put(storage, name, b"x")), ErrorKind::BadPath, "{text}");
                    assert_eq!(kind(storage.make_directory(name, true)), ErrorKind::BadPath);
                    assert_eq!(kind(storage.enter(name)), ErrorKind::BadPath, "{text}");
                    assert_eq!(kind(storage.space(name)), ErrorKind::BadPath, "{text}");
                    let to = storage.rename(&path("file"), name, &REPLACE);
                    assert_eq!(kind(to), ErrorKind::BadPath, "{text}");
                    let from = storage.rename(name, &path("x"), &REPLACE);
                    assert_eq!(kind(from), ErrorKind::BadPath, "{text}");
                    let options = CopyOptions::default();
                    let copied = storage.copy(&path("file"), name, &options, &Unwatched);
                    assert_eq!(kind(copied), ErrorKind::BadPath, "{text}");
                }
            }
        }
        assert_eq!(host_names(&site.host("")), ["file"]);
        site.assert_outside_untouched();
    }
}

#[test]
fn names_of_any_script_round_trip() {
    for site in Site::each() {
        let names = ["-rf", ".hidden", "a b", "emoji 🦀", "x~1.txt", "ä", "名前"];
        for name in names {
            put(&site.storage, &path(name), name.as_bytes()).unwrap();
            assert_eq!(fs::read(site.host(name)).unwrap(), name.as_bytes());
            assert_eq!(get(&site.storage, &path(name)).unwrap(), name.as_bytes());
        }
        let listed = list(&site.storage, &VPath::root()).unwrap();
        let listed: Vec<_> = listed.into_iter().map(|entry| entry.name).collect();
        assert_eq!(listed, names.map(|name| name.as_bytes().to_vec()));
    }
}

#[test]
fn reserved_names_are_absent_in_any_letter_case_and_by_their_short_name() {
    for site in Site::each() {
        let storage = &site.storage;
        let mut staged = storage.stage(&path("file"), &StageOptions::default()).unwrap();
        write(&mut *staged, b"secret", 0).unwrap();
        let name = host_names(&site.host("")).remove(0);
        assert!(name.starts_with(".e2eeftp-"));
        for name in [&name[..], &name.to_uppercase(), "E2EEFT~1.PAR", "e2eeft~1.par"] {
            assert_eq!(kind(storage.stat(&path(name))), ErrorKind::NotFound, "{name}");
            assert_eq!(kind(storage.open_source(&path(name))), ErrorKind::NotFound, "{name}");
            assert_eq!(kind(storage.remove_file(&path(name))), ErrorKind::NotFound, "{name}");
        }
        assert_eq!(list(storage, &VPath::root()).unwrap(), []);
        staged.commit(&QUICK).unwrap();
        assert_eq!(host_names(&site.host("")), ["file"]);
    }
}

#[test]
fn a_file_under_its_short_name_is_not_there_and_not_replaced() {
    for site in Site::each() {
        fs::write(site.host("a long name with blanks.text"), b"kept").unwrap();
        let short = path("ALONGN~1.TEX");
        assert_eq!(kind(site.storage.open_source(&short)), ErrorKind::NotFound);
        // Where the system gives no short names, this is a new file like any other.
        let _ = put(&site.storage, &short, b"new");
        assert_eq!(fs::read(site.host("a long name with blanks.text")).unwrap(), b"kept");
    }
}

#[test]
fn letter_case_is_ignored_and_can_be_changed() {
    for site in Site::each() {
        if !replaces_open_files(&site) {
            return;
        }
        put(&site.storage, &path("File"), b"1").unwrap();
        assert_eq!(get(&site.storage, &path("fILE")).unwrap(), b"1");
        for options in [REPLACE, REFUSE] {
            site.storage.rename(&path("File"), &path("FILE"), &options).unwrap();
            assert_eq!(host_names(&site.host("")), ["FILE"]);
            site.storage.rename(&path("FILE"), &path("File"), &options).unwrap();
            assert_eq!(host_names(&site.host("")), ["File"]);
        }
        put(&site.storage, &path("file"), b"2").unwrap();
        assert_eq!(host_names(&site.host("")).len(), 1);
    }
}

#[test]
fn junctions_are_never_followed() {
    for site in Site::each() {
        let storage = &site.storage;
        if !junction(&site.host("out"), &site.outside()) {
            return;
        }
        for inner in ["out/secret", "out/new"] {
            let inner = path(inner);
            assert_eq!(kind(storage.stat(&inner)), ErrorKind::NotPermitted);
            assert_eq!(kind(storage.open_source(&inner)), ErrorKind::NotPermitted);
            assert_eq!(kind(put(storage, &inner, b"x")), ErrorKind::NotPermitted);
            assert_eq!(kind(storage.remove_file(&inner)), ErrorKind::NotPermitted);
            assert_eq!(kind(storage.make_directory(&inner, true)), ErrorKind::NotPermitted);
        }
        let out = path("out");
        assert_eq!(kind(storage.list(&out)), ErrorKind::NotPermitted);
        assert_eq!(kind(storage.enter(&out)), ErrorKind::NotPermitted);
        assert_eq!(kind(storage.remove_directory(&out, true)), ErrorKind::NotDirectory);
        let entries = list(storage, &VPath::root()).unwrap();
        assert_eq!(entries[0].metadata.file_type, FileType::Symlink);
        fs::create_dir(site.host("tree")).unwrap();
        assert!(junction(&site.host("tree/out"), &site.outside()));
        let report = storage.sweep(&AtomicBool::new(false)).unwrap();
        assert_eq!(report.directories, 2);
        storage.remove_directory(&path("tree"), true).unwrap();
        storage.remove_file(&out).unwrap();
        assert_eq!(host_names(&site.host("")), Vec::<String>::new());
        site.assert_outside_untouched();
    }
}

#[test]
fn files_and_directories_get_their_new_names() {
    for site in Site::each() {
        for options in [REPLACE, REFUSE] {
            fs::create_dir_all(site.host("a/sub")).unwrap();
            fs::write(site.host("a/sub/file"), b"content").unwrap();
            fs::create_dir(site.host("b")).unwrap();
            let storage = &site.storage;
            let rename = |from, to| storage.rename(&path(from), &path(to), &options);
            rename("a/sub/file", "b/renamed").unwrap();
            rename("a", "b/a").unwrap();
            assert_eq!(host_names(&site.host("b")), ["a", "renamed"]);
            assert_eq!(kind(rename("b", "b/a/b")), ErrorKind::BadPath);
            assert_eq!(kind(rename("b", "b/a/sub/x")), ErrorKind::BadPath);
            assert_eq!(kind(rename("b/renamed", "b/a")), ErrorKind::IsDirectory);
            assert_eq!(kind(rename("gone", "x")), ErrorKind::NotFound);
            assert_eq!(kind(rename("b/renamed", "gone/x")), ErrorKind::NotFound);
            assert_eq!(kind(rename("b/renamed", "b/renamed/x")), ErrorKind::NotDirectory);
            fs::remove_dir_all(site.host("b")).unwrap();
        }
        fs::write(site.host("one"), b"1").unwrap();
        fs::write(site.host("two"), b"2").unwrap();
        let (one, two) = (path("one"), path("two"));
        assert_eq!(kind(site.storage.rename(&one, &two, &REFUSE)), ErrorKind::Exists);
        site.storage.rename(&one, &two, &REPLACE).unwrap();
        assert_eq!(fs::read(site.host("two")).unwrap(), b"1");
    }
}

#[test]
fn of_eight_that_refuse_one_wins() {
    for site in Site::each() {
        for number in 0..8 {
            fs::write(site.host(&format!("from-{number}")), b"").unwrap();
        }
        let wins = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (site, wins) = (&site, &wins);
                scope.spawn(move || {
                    let from = path(&format!("from-{number}"));
                    match site.storage.rename(&from, &path("to"), &REFUSE) {
                        Ok(()) => drop(wins.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Exists),
                    }
                });
            }
        });
        assert_eq!(wins.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_file_that_is_read_can_be_replaced_and_removed() {
    for site in Site::each() {
        if !replaces_open_files(&site) {
            return;
        }
        let storage = &site.storage;
        put(storage, &path("file"), b"old").unwrap();
        let source = storage.open_source(&path("file")).unwrap();
        put(storage, &path("file"), b"new content").unwrap();
        assert_eq!(get(storage, &path("file")).unwrap(), b"new content");
        assert_eq!(kind(source.check_unchanged()), ErrorKind::SourceChanged);
        let source = storage.open_source(&path("file")).unwrap();
        storage.remove_file(&path("file")).unwrap();
        assert_eq!(host_names(&site.host("")), Vec::<String>::new());
        let mut content = [0; 11];
        assert_eq!(source.read_at(&mut content, 0).unwrap(), 11);
        assert_eq!(&content, b"new content");
    }
}

#[test]
fn directories_are_made_listed_and_removed() {
    for site in Site::each() {
        let storage = &site.storage;
        storage.make_directory(&path("a/b/c"), true).unwrap();
        storage.make_directory(&path("a/b/c"), true).unwrap();
        assert_eq!(kind(storage.make_directory(&path("a/b/c"), false)), ErrorKind::Exists);
        put(storage, &path("a/b/file"), b"12345").unwrap();
        assert_eq!(
            kind(storage.make_directory(&path("a/b/file/x"), true)),
            ErrorKind::NotDirectory
        );
        assert_eq!(kind(storage.make_directory(&path("a/b/file"), true)), ErrorKind::Exists);
        assert_eq!(kind(storage.list(&path("a/b/file"))), ErrorKind::NotDirectory);
        assert_eq!(kind(storage.remove_file(&path("a"))), ErrorKind::IsDirectory);
        assert_eq!(kind(storage.remove_directory(&path("a"), false)), ErrorKind::NotEmpty);
        let mut tree = storage.list_tree(&VPath::root()).unwrap();
        let mut paths = Vec::new();
        while let Some(item) = tree.next() {
            let TreeItem::Entry { path, metadata } = item else { panic!("{item:?}") };
            paths.push((String::from_utf8(path).unwrap(), metadata.file_type));
        }
        let directory = FileType::Directory;
        let expected = [
            ("a", directory),
            ("a/b", directory),
            ("a/b/c", directory),
            ("a/b/file", FileType::File),
        ];
        assert_eq!(paths, expected.map(|(path, kind)| (path.to_owned(), kind)));
        let narrow = storage.enter(&path("a/b")).unwrap();
        assert_eq!(get(&*narrow, &path("file")).unwrap(), b"12345");
        drop(narrow);
        storage.remove_directory(&path("a"), true).unwrap();
        assert_eq!(host_names(&site.host("")), Vec::<String>::new());
    }
}

#[test]
fn deep_trees_with_long_paths_work() {
    for site in Site::each() {
        let component = "n".repeat(200);
        let longest = path(&format!("/{component}").repeat(15));
        let options = StageOptions { make_parents: true, ..StageOptions::default() };
        put_with(&site.storage, &longest, b"deep", &options).unwrap();
        assert_eq!(get(&site.storage, &longest).unwrap(), b"deep");
        site.storage.remove_directory(&path(&component), true).unwrap();
        assert_eq!(list(&site.storage, &VPath::root()).unwrap(), []);
    }
}

#[test]
fn a_read_only_file_can_be_read_replaced_and_removed() {
    for site in Site::each() {
        let set = |read_only| {
            let mut permissions = fs::metadata(site.host("file")).unwrap().permissions();
            permissions.set_readonly(read_only);
            fs::set_permissions(site.host("file"), permissions).unwrap();
        };
        let storage = &site.storage;
        put(storage, &path("file"), b"old").unwrap();
        assert_eq!(storage.stat(&path("file")).unwrap().mode, 0o644);
        set(true);
        assert_eq!(storage.stat(&path("file")).unwrap().mode, 0o444);
        assert_eq!(get(storage, &path("file")).unwrap(), b"old");
        // Where the system can't ignore the attribute, it keeps what it protects.
        for result in
            [put(storage, &path("file"), b"new").map(drop), storage.remove_file(&path("file"))]
        {
            if let Err(error) = result {
                assert_eq!(error.kind(), ErrorKind::NotPermitted);
                set(false);
            }
        }
        site.assert_no_staged_file();
    }
}

#[test]
fn times_are_kept() {
    for site in Site::each() {
        let modified = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_700);
        let mut staged = site.storage.stage(&path("file"), &StageOptions::default()).unwrap();
        write(&mut *staged, b"x", 0).unwrap();
        let options = CommitOptions { modified: Some(modified), durability: Durability::Directory };
        assert_eq!(staged.commit(&options).unwrap().modified, modified);
        assert_eq!(site.storage.stat(&path("file")).unwrap().modified, modified);
    }
}

#[test]
fn copies_are_whole_and_links_in_them_are_refused() {
    for site in Site::each() {
        let storage = &site.storage;
        let content = vec![7; 3 << 20];
        fs::create_dir_all(site.host("from/sub/empty")).unwrap();
        fs::write(site.host("from/sub/file"), &content).unwrap();
        let options = CopyOptions { recursive: true, ..CopyOptions::default() };
        let copy = |from, to| storage.copy(&path(from), &path(to), &options, &Unwatched);
        let report = copy("from", "to").unwrap();
        assert_eq!((report.files, report.directories, report.bytes), (1, 3, 3 << 20));
        assert_eq!(fs::read(site.host("to/sub/file")).unwrap(), content);
        copy("from/sub/file", "file").unwrap();
        assert_eq!(kind(copy("file", "FILE")), ErrorKind::Exists);
        assert_eq!(kind(copy("from", "from/sub/x")), ErrorKind::BadPath);
        assert_eq!(kind(copy("from", "from")), ErrorKind::Exists);
        if junction(&site.host("from/out"), &site.outside()) {
            assert_eq!(kind(copy("from", "again")), ErrorKind::Unsupported);
        }
        site.assert_no_staged_file();
        site.assert_outside_untouched();
    }
}

#[test]
fn a_sweep_takes_what_is_abandoned_and_leaves_what_is_written() {
    for site in Site::each() {
        fs::create_dir(site.host("dir")).unwrap();
        fs::write(site.host("dir/.e2eeftp-00.part"), b"left").unwrap();
        let mut staged = site.storage.stage(&path("dir/file"), &StageOptions::default()).unwrap();
        write(&mut *staged, b"new", 0).unwrap();
        let report = site.storage.sweep(&AtomicBool::new(false)).unwrap();
        assert_eq!(
            (report.removed, report.in_use, report.failed, report.directories),
            (1, 1, 0, 2)
        );
        let removed = site.storage.remove_directory(&path("dir"), true);
        assert_eq!(kind(removed), ErrorKind::Busy);
        staged.commit(&QUICK).unwrap();
        assert_eq!(host_names(&site.host("dir")), ["file"]);
    }
}

#[test]
fn the_room_is_that_of_the_volume() {
    for site in Site::each() {
        let space = site.storage.space(&VPath::root()).unwrap();
        assert!(space.total > 0 && space.available <= space.free && space.free <= space.total);
        assert_eq!((space.files, space.files_free), (0, 0));
    }
}

#[test]
fn the_users_own_paths_are_those_of_windows() {
    let site = Site::new(e2eeftp_vfs::Resolver::Auto);
    let target = site.host("new\\sub\\file");
    let options = StageOptions { make_parents: true, ..StageOptions::default() };
    let mut staged = local::stage(&target, &options).unwrap();
    write(&mut *staged, b"content", 0).unwrap();
    staged.commit(&QUICK).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"content");
    assert_eq!(local::open_source(&target).unwrap().metadata().size, 7);
    for ending in ["new\\", "new/", "new/.", "new\\.", "new"] {
        assert_eq!(kind(local::stage(&site.host(ending), &options)), ErrorKind::IsDirectory);
    }
    assert_eq!(kind(local::open_source(&site.host("new"))), ErrorKind::IsDirectory);
    assert_eq!(kind(local::open_source(Path::new("NUL"))), ErrorKind::NotRegular);
    for name in ["file:stream", "NUL", "aux.txt", "dot.", ".e2eeftp-x"] {
        let refused = kind(local::stage(&site.host(name), &options));
        assert!(
            matches!(refused, ErrorKind::BadPath | ErrorKind::NotRegular),
            "{name}: {refused:?}"
        );
    }
}

#[test]
fn many_names_come_once_each() {
    let site = Site::new(e2eeftp_vfs::Resolver::Auto);
    // More than fit into the buffer at once.
    for number in 0..700 {
        let mut file = fs::File::create(site.host(&format!("{number:0>100}"))).unwrap();
        file.write_all(b"x").unwrap();
    }
    let names: Vec<_> =
        list(&site.storage, &VPath::root()).unwrap().into_iter().map(|entry| entry.name).collect();
    let expected: Vec<_> = (0..700).map(|number| format!("{number:0>100}").into_bytes()).collect();
    assert_eq!(names, expected);
}
