//! Sweeps remove what a crash left and nothing else.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use e2eeftp_vfs::{LocalStorage, Resolver, StageOptions, Storage, SweepReport};

use crate::support::{QUICK, Site, StopOnDrop, get, path, put, staged_files, write};
use crate::tmpfs;

const ORPHAN: &str = ".e2eeftp-0123456789abcdef0123456789abcdef.part";
const ROOT_VARIABLE: &str = "E2EEFTP_TEST_STAGE_IN";

#[test]
fn orphans_go_and_living_files_stay() {
    for site in Site::each() {
        for directory in ["", "a", "a/b", "c"] {
            fs::create_dir_all(site.host(directory)).unwrap();
            fs::write(site.host(directory).join(ORPHAN), b"x").unwrap();
            fs::write(site.host(directory).join("file"), b"x").unwrap();
        }
        fs::write(site.host("a/.e2eeftp-journal"), b"").unwrap();
        fs::write(site.host("a/e2eeftp-0.part"), b"").unwrap();
        fs::write(site.outside().join(ORPHAN), b"").unwrap();
        symlink(site.outside(), site.host("link")).unwrap();
        symlink(site.outside().join("secret"), site.host("c/.e2eeftp-link.part")).unwrap();
        let mut living = site.storage.stage(&path("a/new"), &StageOptions::default()).unwrap();
        write(&mut *living, b"new", 0).unwrap();

        let report = site.storage.sweep(&AtomicBool::new(false)).unwrap();
        let expected =
            SweepReport { removed: 4, in_use: 1, directories: 4, ..SweepReport::default() };
        assert_eq!(report, expected);
        living.commit(&QUICK).unwrap();
        assert_eq!(get(&site.storage, &path("a/new")).unwrap(), b"new");
        for kept in ["file", "a/file", "a/.e2eeftp-journal", "a/e2eeftp-0.part", "c/file"] {
            assert!(site.host(kept).exists(), "{kept}");
        }
        fs::remove_file(site.outside().join(ORPHAN)).expect("outside must not be swept");
        site.assert_outside_untouched();
    }
}

#[test]
fn a_cancelled_sweep_removes_nothing_more() {
    for site in Site::each() {
        fs::create_dir(site.host("a")).unwrap();
        fs::write(site.host("a").join(ORPHAN), b"").unwrap();
        let report = site.storage.sweep(&AtomicBool::new(true)).unwrap();
        assert!(report.cancelled);
        assert_eq!(report.removed, 0);
        assert!(site.host("a").join(ORPHAN).exists());
    }
}

#[test]
fn other_mounts_are_not_swept() {
    for site in Site::each() {
        fs::create_dir(site.host("mounted")).unwrap();
        tmpfs::mount_at(&site.host("mounted"), "1m");
        fs::write(site.host("mounted").join(ORPHAN), b"").unwrap();
        let report = site.storage.sweep(&AtomicBool::new(false));
        let survived = site.host("mounted").join(ORPHAN).exists();
        tmpfs::unmount(&site.host("mounted"));
        let expected = SweepReport { directories: 1, ..SweepReport::default() };
        assert_eq!(report.unwrap(), expected);
        assert!(survived);
    }
}

#[test]
fn a_process_that_is_killed_leaves_an_orphan_only_after_its_death() {
    let site = Site::new(Resolver::Auto);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sweep::stages_until_killed", "--ignored", "--nocapture"])
        .env(ROOT_VARIABLE, site.host(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let is_ready = output.lines().any(|line| line.unwrap().contains("staged"));
    let alive = site.storage.sweep(&AtomicBool::new(false)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_ready);
    assert_eq!((alive.removed, alive.in_use), (0, 1));
    let dead = site.storage.sweep(&AtomicBool::new(false)).unwrap();
    assert_eq!((dead.removed, dead.in_use), (1, 0));
    assert_eq!(staged_files(&site.host("")), Vec::<PathBuf>::new());
    assert!(!site.host("file").exists());
}

#[test]
#[ignore = "the other process of the test above"]
fn stages_until_killed() {
    let root = PathBuf::from(std::env::var_os(ROOT_VARIABLE).expect("run by another test"));
    let storage = LocalStorage::open_root(&root).unwrap();
    let mut staged = storage.stage(&path("file"), &StageOptions::default()).unwrap();
    write(&mut *staged, b"never committed", 0).unwrap();
    println!("staged");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
fn sweeping_while_writing_loses_no_file() {
    let site = Site::new(Resolver::Auto);
    let stop = AtomicBool::new(false);
    let rounds = std::thread::scope(|scope| {
        let sweeper = scope.spawn(|| {
            let mut rounds = 0;
            while !stop.load(Ordering::Relaxed) {
                let report = site.storage.sweep(&AtomicBool::new(false)).unwrap();
                assert_eq!(report.failed, 0);
                rounds += 1;
            }
            rounds
        });
        let stopper = StopOnDrop(&stop);
        for index in 0..3000 {
            let name = path(&format!("file-{}", index % 10));
            put(&site.storage, &name, b"content").unwrap();
        }
        drop(stopper);
        sweeper.join().unwrap()
    });
    assert!(rounds > 10, "the sweeper must have run: {rounds}");
    for index in 0..10 {
        assert_eq!(get(&site.storage, &path(&format!("file-{index}"))).unwrap(), b"content");
    }
    site.assert_no_staged_file();
}
