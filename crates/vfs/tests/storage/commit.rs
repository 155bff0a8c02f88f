//! Commits are atomic: against readers, against other writers, and when they fail.

use std::fs;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use e2eeftp_vfs::{CommitOptions, Durability, ErrorKind, Overwrite, StageOptions, Storage};

use crate::support::{QUICK, Site, get, kind, path, put, read_all, replaces_open_files, write};

#[test]
fn a_reader_sees_the_old_or_the_new_file() {
    const COMMITS: usize = 1500;
    let contents = [vec![b'a'; 70_000], vec![b'b'; 30_000]];
    for site in Site::each() {
        if !replaces_open_files(&site) {
            return;
        }
        let file = path("file");
        put(&site.storage, &file, &contents[0]).unwrap();
        let done = AtomicBool::new(false);
        let mut seen = [0_u32; 2];
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for index in 0..COMMITS {
                    put(&site.storage, &file, &contents[index % 2]).unwrap();
                }
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) && !writer.is_finished() {
                let found = get(&site.storage, &file).unwrap();
                let which = contents.iter().position(|content| *content == found);
                seen[which.expect("neither old nor new")] += 1;
            }
        });
        assert!(seen.iter().all(|&count| count > 0), "both must have been seen: {seen:?}");
        site.assert_no_staged_file();
    }
}

#[test]
fn a_reader_keeps_the_file_it_opened() {
    let site = Site::new(e2eeftp_vfs::Resolver::Auto);
    if !replaces_open_files(&site) {
        return;
    }
    put(&site.storage, &path("file"), b"old").unwrap();
    let source = site.storage.open_source(&path("file")).unwrap();
    put(&site.storage, &path("file"), b"replaced").unwrap();
    assert_eq!(read_all(&*source).unwrap(), b"old");
}

#[test]
fn of_eight_writers_that_refuse_one_wins() {
    const WRITERS: u8 = 8;
    for site in Site::each() {
        for round in 0..40 {
            let file = path(&format!("file-{round}"));
            let options = StageOptions { overwrite: Overwrite::Refuse, ..StageOptions::default() };
            let barrier = Barrier::new(WRITERS.into());
            let winners: Vec<u8> = std::thread::scope(|scope| {
                let attempts: Vec<_> = (0..WRITERS)
                    .map(|writer| {
                        let (site, file, options, barrier) = (&site, &file, &options, &barrier);
                        scope.spawn(move || {
                            let mut staged = site.storage.stage(file, options).unwrap();
                            write(&mut *staged, &[writer; 100], 0).unwrap();
                            barrier.wait();
                            match staged.commit(&QUICK) {
                                Ok(_) => Some(writer),
                                Err(error) => {
                                    assert_eq!(error.kind(), ErrorKind::Exists);
                                    None
                                }
                            }
                        })
                    })
                    .collect();
                attempts.into_iter().filter_map(|attempt| attempt.join().unwrap()).collect()
            });
            assert_eq!(winners.len(), 1);
            assert_eq!(get(&site.storage, &file).unwrap(), [winners[0]; 100]);
        }
        site.assert_no_staged_file();
    }
}

#[test]
fn two_writers_may_replace_and_the_last_wins() {
    let site = Site::new(e2eeftp_vfs::Resolver::Auto);
    let stage = |content| {
        let mut staged = site.storage.stage(&path("file"), &StageOptions::default()).unwrap();
        write(&mut *staged, content, 0).unwrap();
        staged
    };
    let (first, second) = (stage(b"first"), stage(b"second"));
    second.commit(&QUICK).unwrap();
    first.commit(&QUICK).unwrap();
    assert_eq!(get(&site.storage, &path("file")).unwrap(), b"first");
}

#[test]
fn a_commit_that_fails_changes_nothing() {
    for site in Site::each() {
        if !replaces_open_files(&site) {
            return;
        }
        fs::create_dir(site.host("dir")).unwrap();
        let stage = |name, overwrite| {
            let options = StageOptions { overwrite, ..StageOptions::default() };
            let mut staged = site.storage.stage(&path(name), &options).unwrap();
            write(&mut *staged, b"new", 0).unwrap();
            staged
        };
        let options = CommitOptions { modified: None, durability: Durability::Directory };

        let over_directory = stage("becomes-dir", Overwrite::Replace);
        fs::create_dir(site.host("becomes-dir")).unwrap();
        assert_eq!(kind(over_directory.commit(&options)), ErrorKind::IsDirectory);
        assert!(site.host("becomes-dir").is_dir());

        let refused = stage("appears", Overwrite::Refuse);
        fs::write(site.host("appears"), b"other").unwrap();
        assert_eq!(kind(refused.commit(&options)), ErrorKind::Exists);
        assert_eq!(fs::read(site.host("appears")).unwrap(), b"other");

        let orphaned = stage("dir/file", Overwrite::Replace);
        fs::remove_dir_all(site.host("dir")).unwrap();
        assert_eq!(kind(orphaned.commit(&options)), ErrorKind::NotFound);
        site.assert_no_staged_file();
    }
}

#[cfg(unix)]
#[test]
fn a_rename_of_the_directory_does_not_divert_a_commit() {
    for site in Site::each() {
        fs::create_dir(site.host("dir")).unwrap();
        let mut staged = site.storage.stage(&path("dir/file"), &StageOptions::default()).unwrap();
        write(&mut *staged, b"new", 0).unwrap();
        fs::rename(site.host("dir"), site.host("moved")).unwrap();
        std::os::unix::fs::symlink(site.outside(), site.host("dir")).unwrap();
        staged.commit(&QUICK).unwrap();
        assert_eq!(fs::read(site.host("moved/file")).unwrap(), b"new");
        site.assert_outside_untouched();
    }
}
