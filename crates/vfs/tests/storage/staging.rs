//! Staged files: hidden until committed, gone when not.

use std::fs;
use std::io::IoSlice;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, UNIX_EPOCH};

use e2eeftp_vfs::{
    CommitOptions, Durability, ErrorKind, FileType, Overwrite, Resolver, StageOptions, Storage,
};

use crate::support::{QUICK, Site, get, kind, list, path, put, put_with, staged_files, write};
use crate::tmpfs::Tmpfs;

#[test]
fn a_staged_file_is_private_and_hidden_until_committed() {
    for site in Site::each() {
        let mut staged = site.storage.stage(&path("new"), &StageOptions::default()).unwrap();
        write(&mut *staged, b"content", 0).unwrap();
        assert_eq!(list(&site.storage, &path("/")).unwrap(), []);
        assert_eq!(kind(site.storage.stat(&path("new"))), ErrorKind::NotFound);
        let hidden = staged_files(&site.host(""));
        assert_eq!(hidden.len(), 1);
        let name = hidden[0].file_name().unwrap().to_str().unwrap();
        let digits = name.strip_prefix(".e2eeftp-").and_then(|n| n.strip_suffix(".part")).unwrap();
        assert_eq!(digits.len(), 32);
        assert!(digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(fs::metadata(&hidden[0]).unwrap().permissions().mode() & 0o7777, 0o600);
        staged.commit(&QUICK).unwrap();
        assert_eq!(get(&site.storage, &path("new")).unwrap(), b"content");
        site.assert_no_staged_file();
    }
}

#[test]
fn abort_and_drop_leave_nothing() {
    for site in Site::each() {
        fs::write(site.host("old"), b"old").unwrap();
        for name in ["old", "new"] {
            let mut aborted = site.storage.stage(&path(name), &StageOptions::default()).unwrap();
            write(&mut *aborted, b"x", 0).unwrap();
            aborted.abort().unwrap();
            let mut dropped = site.storage.stage(&path(name), &StageOptions::default()).unwrap();
            write(&mut *dropped, b"x", 0).unwrap();
            drop(dropped);
        }
        site.assert_no_staged_file();
        assert!(!site.host("new").exists());
        assert_eq!(fs::read(site.host("old")).unwrap(), b"old");
    }
}

#[test]
fn writes_land_at_their_offsets_in_any_order() {
    let site = Site::new(Resolver::Auto);
    let options = StageOptions { expected_len: Some(10), ..StageOptions::default() };
    let mut staged = site.storage.stage(&path("file"), &options).unwrap();
    write(&mut *staged, b"789", 7).unwrap();
    assert_eq!(staged.written_to(), 10);
    let mut pieces =
        [IoSlice::new(b""), IoSlice::new(b"01"), IoSlice::new(b""), IoSlice::new(b"23456")];
    staged.write_at(&mut pieces, 0).unwrap();
    assert_eq!(staged.written_to(), 10);
    staged.commit(&QUICK).unwrap();
    assert_eq!(get(&site.storage, &path("file")).unwrap(), b"0123456789");
}

#[test]
fn an_empty_write_is_no_write() {
    let site = Site::new(Resolver::Auto);
    let mut staged = site.storage.stage(&path("file"), &StageOptions::default()).unwrap();
    staged.write_at(&mut [], 5).unwrap();
    write(&mut *staged, b"", 5).unwrap();
    assert_eq!(staged.written_to(), 0);
    assert_eq!(staged.commit(&QUICK).unwrap().size, 0);
}

#[test]
fn more_pieces_than_the_system_takes_at_once() {
    let site = Site::new(Resolver::Auto);
    let content: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let mut pieces: Vec<_> = content.chunks(1).map(IoSlice::new).collect();
    let mut staged = site.storage.stage(&path("file"), &StageOptions::default()).unwrap();
    staged.write_at(&mut pieces, 0).unwrap();
    staged.commit(&QUICK).unwrap();
    assert_eq!(get(&site.storage, &path("file")).unwrap(), content);
}

#[test]
fn a_large_file_of_known_length_arrives_whole() {
    // Passes a reservation window (64 MiB) and several writeback steps (8 MiB).
    const PIECE_LEN: usize = 3 << 20;
    const PIECES: usize = 23;
    let site = Site::new(Resolver::Auto);
    let len = (PIECE_LEN * PIECES) as u64;
    let options = StageOptions { expected_len: Some(len), ..StageOptions::default() };
    let mut staged = site.storage.stage(&path("large"), &options).unwrap();
    for index in 0..PIECES {
        let piece = vec![u8::try_from(index).unwrap(); PIECE_LEN];
        write(&mut *staged, &piece, (index * PIECE_LEN) as u64).unwrap();
    }
    let durable = CommitOptions { modified: None, durability: Durability::Directory };
    assert_eq!(staged.commit(&durable).unwrap().size, len);
    let content = fs::read(site.host("large")).unwrap();
    for (index, piece) in content.chunks(PIECE_LEN).enumerate() {
        assert!(piece.iter().all(|&byte| usize::from(byte) == index), "piece {index}");
    }
    let blocks = fs::metadata(site.host("large")).unwrap().blocks();
    assert!(blocks * 512 < len + (1 << 20), "space is left reserved");
}

#[test]
fn empty_files_are_files() {
    for site in Site::each() {
        let options = StageOptions { expected_len: Some(0), ..StageOptions::default() };
        let staged = site.storage.stage(&path("empty"), &options).unwrap();
        let metadata = staged.commit(&CommitOptions::default()).unwrap();
        assert_eq!((metadata.size, metadata.file_type), (0, FileType::File));
        assert_eq!(get(&site.storage, &path("empty")).unwrap(), b"");
    }
}

#[test]
fn the_announced_length_binds() {
    let site = Site::new(Resolver::Auto);
    fs::write(site.host("file"), b"old").unwrap();
    let options = StageOptions { expected_len: Some(5), ..StageOptions::default() };
    let mut short = site.storage.stage(&path("file"), &options).unwrap();
    write(&mut *short, b"1234", 0).unwrap();
    assert_eq!(kind(short.commit(&QUICK)), ErrorKind::SourceChanged);
    let mut long = site.storage.stage(&path("file"), &options).unwrap();
    assert_eq!(kind(write(&mut *long, b"123456", 0)), ErrorKind::TooLarge);
    assert_eq!(kind(write(&mut *long, b"6", 5)), ErrorKind::TooLarge);
    assert_eq!(kind(write(&mut *long, b"6", u64::MAX)), ErrorKind::TooLarge);
    drop(long);
    site.assert_no_staged_file();
    assert_eq!(fs::read(site.host("file")).unwrap(), b"old");
}

#[test]
fn the_limit_binds_early_when_announced_and_at_the_write_when_not() {
    let site = Site::new(Resolver::Auto);
    let announced =
        StageOptions { expected_len: Some(5), max_len: Some(4), ..StageOptions::default() };
    assert_eq!(kind(site.storage.stage(&path("file"), &announced)), ErrorKind::TooLarge);
    let silent = StageOptions { max_len: Some(4), ..StageOptions::default() };
    let mut staged = site.storage.stage(&path("file"), &silent).unwrap();
    write(&mut *staged, b"1234", 0).unwrap();
    assert_eq!(kind(write(&mut *staged, b"5", 4)), ErrorKind::TooLarge);
    assert_eq!(staged.commit(&QUICK).unwrap().size, 4);
    let unlimited = StageOptions::default();
    let mut staged = site.storage.stage(&path("file"), &unlimited).unwrap();
    let beyond = i64::MAX.unsigned_abs();
    assert_eq!(kind(write(&mut *staged, b"5", beyond)), ErrorKind::TooLarge);
}

#[test]
fn mode_and_time_are_set() {
    let site = Site::new(Resolver::Auto);
    let modified = UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789);
    for (requested, expected) in [(0o640, 0o640), (0o7777, 0o777), (0o400, 0o400)] {
        let options = StageOptions { mode: Some(requested), ..StageOptions::default() };
        let mut staged = site.storage.stage(&path("file"), &options).unwrap();
        write(&mut *staged, b"x", 0).unwrap();
        let commit = CommitOptions { modified: Some(modified), durability: Durability::File };
        let metadata = staged.commit(&commit).unwrap();
        assert_eq!((metadata.mode, metadata.modified), (expected, modified));
        assert_eq!(site.storage.stat(&path("file")).unwrap(), metadata);
    }
    // Without a request, as any program would create it.
    put(&site.storage, &path("default"), b"").unwrap();
    fs::write(site.host("reference"), b"").unwrap();
    let mode = |name| site.storage.stat(&path(name)).unwrap().mode;
    assert_eq!(mode("default"), mode("reference"));
}

#[test]
fn without_a_mode_the_replaced_file_keeps_its_own() {
    for site in Site::each() {
        fs::write(site.host("secret"), b"old").unwrap();
        fs::set_permissions(site.host("secret"), fs::Permissions::from_mode(0o600)).unwrap();
        put(&site.storage, &path("secret"), b"new").unwrap();
        assert_eq!(fs::metadata(site.host("secret")).unwrap().mode() & 0o7777, 0o600);
    }
}

#[test]
fn no_directory_is_made_for_a_file_above_the_limit() {
    for site in Site::each() {
        let options = StageOptions {
            expected_len: Some(2),
            max_len: Some(1),
            make_parents: true,
            ..StageOptions::default()
        };
        assert_eq!(kind(site.storage.stage(&path("a/b/c"), &options)), ErrorKind::TooLarge);
        assert!(!site.host("a").exists());
    }
}

#[test]
fn what_cannot_be_replaced_is_refused_before_a_byte_is_sent() {
    for site in Site::each() {
        fs::create_dir(site.host("dir")).unwrap();
        fs::write(site.host("file"), b"old").unwrap();
        let refuse = StageOptions { overwrite: Overwrite::Refuse, ..StageOptions::default() };
        for options in [StageOptions::default(), refuse.clone()] {
            assert_eq!(kind(site.storage.stage(&path("dir"), &options)), ErrorKind::IsDirectory);
            let missing = site.storage.stage(&path("gone/x"), &options);
            assert_eq!(kind(missing), ErrorKind::NotFound);
            let beneath = site.storage.stage(&path("file/x"), &options);
            assert_eq!(kind(beneath), ErrorKind::NotDirectory);
        }
        assert_eq!(kind(site.storage.stage(&path("file"), &refuse)), ErrorKind::Exists);
        put_with(&site.storage, &path("new"), b"x", &refuse).unwrap();
        site.assert_no_staged_file();
    }
}

#[test]
fn a_failed_write_leaves_no_trace_in_a_commit() {
    let small = Tmpfs::mount("1m");
    let storage = e2eeftp_vfs::LocalStorage::open_root(small.path()).unwrap();
    let mut staged = storage.stage(&path("file"), &StageOptions::default()).unwrap();
    write(&mut *staged, b"0123456789", 0).unwrap();
    assert_eq!(kind(write(&mut *staged, &vec![1; 2 << 20], 10)), ErrorKind::NoSpace);
    assert_eq!(staged.written_to(), 10);
    assert!(fs::metadata(&staged_files(small.path())[0]).unwrap().len() > 10, "a part was stored");
    assert_eq!(staged.commit(&QUICK).unwrap().size, 10);
    assert_eq!(get(&storage, &path("file")).unwrap(), b"0123456789");
}

#[test]
fn a_full_disk_keeps_the_old_file() {
    let small = Tmpfs::mount("1m");
    for resolver in crate::support::RESOLVERS {
        let storage = e2eeftp_vfs::LocalStorage::with_resolver(small.path(), resolver).unwrap();
        fs::write(small.path().join("file"), b"old").unwrap();
        let mut staged = storage.stage(&path("file"), &StageOptions::default()).unwrap();
        let error = write(&mut *staged, &vec![1; 2 << 20], 0).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::NoSpace, "E2EEFTP_NO_SPACE"));
        drop(staged);
        assert_eq!(fs::read(small.path().join("file")).unwrap(), b"old");
        assert_eq!(staged_files(small.path()), Vec::<std::path::PathBuf>::new());
        // The space is free again.
        put(&storage, &path("file"), &vec![2; 512 << 10]).unwrap();
    }
}
