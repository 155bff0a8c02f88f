//! Somebody else who may write in the directory has put something in the place of a staged file or its
//! journal: it is neither believed nor written to, and the transfer goes on without it.
#![allow(clippy::cast_possible_truncation, reason = "the numbers of a test are small")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use e2eeftp_vfs::{BlockStaged, ErrorKind, Overwrite, Resolver, Storage};
use rustix::fs::{FlockOperation, Mode, flock};

use crate::blocks::{MIB, content, fill, journal_name, leftovers, options};
use crate::support::{CANARY, QUICK, Site, kind, path};

/// What can stand in the place of a file; `others` is a file that is not to be touched.
type Put = fn(place: &Path, others: &Path);

fn link(place: &Path, others: &Path) {
    symlink(others, place).unwrap();
}

fn hard_link(place: &Path, others: &Path) {
    fs::hard_link(others, place).unwrap();
}

fn directory(place: &Path, _: &Path) {
    fs::create_dir(place).unwrap();
}

fn pipe(place: &Path, _: &Path) {
    rustix::fs::mkfifoat(rustix::fs::CWD, place, Mode::RUSR | Mode::WUSR).unwrap();
}

/// A copy that others may write: who has it open could change it later.
fn open_to_all(place: &Path, others: &Path) {
    fs::copy(others, place).unwrap();
    fs::set_permissions(place, fs::Permissions::from_mode(0o666)).unwrap();
}

const PUTS: [(&str, Put); 5] = [
    ("symlink", link),
    ("hard link", hard_link),
    ("directory", directory),
    ("pipe", pipe),
    ("open to all", open_to_all),
];

/// A site where an interrupted transfer has left two of four blocks, and the path of its journal.
fn interrupted(bytes: &[u8]) -> (Site, std::path::PathBuf) {
    let site = Site::new(Resolver::Auto);
    let staged = site.storage.stage_blocks(&path("file"), &options(4 * MIB)).unwrap();
    staged.checkpoint(&[fill(&*staged, 0, bytes), fill(&*staged, 2, bytes)]).unwrap();
    drop(staged);
    let journal = site.host(&journal_name(&site));
    (site, journal)
}

fn finish(staged: &dyn BlockStaged, bytes: &[u8], site: &Site) {
    for index in 0..4 {
        let block = fill(staged, index, bytes);
        staged.checkpoint(&[block]).unwrap();
    }
    staged.commit(&QUICK).unwrap();
    assert!(fs::read(site.host("file")).unwrap() == bytes);
}

#[test]
fn what_stands_in_the_place_of_the_journal_is_not_believed() {
    let bytes = content(4 * MIB);
    for (what, put) in PUTS {
        let (site, journal) = interrupted(&bytes);
        let others = site.host("others");
        // By its content it could be believed.
        fs::rename(&journal, &others).unwrap();
        let content = fs::read(&others).unwrap();
        put(&journal, &others);
        let staged = site.storage.stage_blocks(&path("file"), &options(4 * MIB)).unwrap();
        assert_eq!(staged.kept(), [], "{what}");
        finish(&*staged, &bytes, &site);
        assert_eq!(staged.take_journal_error().is_some(), what == "directory", "{what}");
        assert!(fs::read(&others).unwrap() == content, "{what}");
    }
}

#[test]
fn a_journal_that_others_have_prepared_costs_the_journal_at_most() {
    let bytes = content(4 * MIB);
    for (what, put) in PUTS {
        let (site, journal) = interrupted(&bytes);
        let others = site.host("others");
        fs::rename(&journal, &others).unwrap();
        fs::remove_file(journal.with_extension("part")).unwrap();
        let content = fs::read(&others).unwrap();
        put(&journal, &others);
        let staged = site.storage.stage_blocks(&path("file"), &options(4 * MIB)).unwrap();
        assert_eq!(staged.kept(), [], "{what}");
        finish(&*staged, &bytes, &site);
        assert_eq!(staged.take_journal_error().is_some(), what == "directory", "{what}");
        assert!(fs::read(&others).unwrap() == content, "{what}");
    }
}

#[test]
fn what_stands_in_the_place_of_the_staged_file_is_not_written_to() {
    let bytes = content(4 * MIB);
    for (what, put) in PUTS {
        let (site, journal) = interrupted(&bytes);
        let part = journal.with_extension("part");
        let others = site.outside().join("secret");
        fs::remove_file(&part).unwrap();
        put(&part, &others);
        let staged = site.storage.stage_blocks(&path("file"), &options(4 * MIB)).unwrap();
        assert_eq!(staged.kept(), [], "{what}");
        finish(&*staged, &bytes, &site);
        assert!(fs::symlink_metadata(&part).is_ok(), "{what}: left to whoever it belongs to");
        if what == "open to all" {
            assert_eq!(fs::read(&part).unwrap(), CANARY, "{what}");
        }
        site.assert_outside_untouched();
    }
}

#[test]
fn a_journal_that_a_sweep_holds_costs_its_claims_and_not_the_file() {
    let bytes = content(4 * MIB);
    let (site, journal) = interrupted(&bytes);
    let held = fs::File::open(&journal).unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    let staged = site.storage.stage_blocks(&path("file"), &options(4 * MIB)).unwrap();
    assert_eq!(staged.kept(), []);
    finish(&*staged, &bytes, &site);
    assert_eq!(leftovers(&site), Vec::<String>::new());
}

#[test]
fn to_leave_a_file_lets_the_next_transfer_have_it_whoever_still_holds_it() {
    let bytes = content(4 * MIB);
    let site = Site::new(Resolver::Auto);
    let first: Arc<dyn BlockStaged> =
        Arc::from(site.storage.stage_blocks(&path("file"), &options(4 * MIB)).unwrap());
    let claim = fill(&*first, 1, &bytes);
    first.checkpoint(&[claim]).unwrap();
    let lane = Arc::clone(&first);
    first.leave().unwrap();
    let second = site.storage.stage_blocks(&path("file"), &options(4 * MIB)).unwrap();
    assert_eq!(second.kept(), [claim]);
    // It has no part in the file any more.
    assert_eq!(kind(lane.write_at(&mut [std::io::IoSlice::new(b"x")], 0)), ErrorKind::Cancelled);
    lane.leave().unwrap();
    drop((first, lane));
    assert_eq!(leftovers(&site), ["journal", "part"]);
    finish(&*second, &bytes, &site);
}

#[test]
fn to_leave_a_file_of_which_nothing_is_claimed_removes_it() {
    let site = Site::new(Resolver::Auto);
    let staged = site.storage.stage_blocks(&path("file"), &options(4 * MIB)).unwrap();
    fill(&*staged, 1, &content(4 * MIB));
    staged.leave().unwrap();
    assert_eq!(leftovers(&site), Vec::<String>::new());
}

#[test]
fn a_commit_that_fails_leaves_nothing_that_others_may_read() {
    let site = Site::new(Resolver::Auto);
    let bytes = content(4 * MIB);
    let mut refusing = options(4 * MIB);
    refusing.stage.overwrite = Overwrite::Refuse;
    refusing.stage.mode = Some(0o644);
    let staged = site.storage.stage_blocks(&path("file"), &refusing).unwrap();
    let claim: Vec<_> = (0..4).map(|index| fill(&*staged, index, &bytes)).collect();
    staged.checkpoint(&claim).unwrap();
    fs::write(site.host("file"), "in the way").unwrap();
    assert_eq!(kind(staged.commit(&QUICK)), ErrorKind::Exists);
    drop(staged);
    let part = site.host(&journal_name(&site)).with_extension("part");
    assert_eq!(fs::metadata(&part).unwrap().mode() & 0o777, 0o600);
    fs::remove_file(site.host("file")).unwrap();
    let staged = site.storage.stage_blocks(&path("file"), &refusing).unwrap();
    assert_eq!(staged.kept(), claim);
    staged.commit(&QUICK).unwrap();
    assert_eq!(fs::metadata(site.host("file")).unwrap().mode() & 0o777, 0o644);
}
