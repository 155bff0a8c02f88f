//! Files that are filled by blocks: what stays behind, what is believed of it, and what is not.
#![allow(clippy::cast_possible_truncation, reason = "the numbers of a test are small")]

use std::fs;
use std::io::IoSlice;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use e2eeftp_core::crypto::BlockHasher;
use e2eeftp_core::transfer::{BlockLayout, KeptBlock};
use e2eeftp_vfs::{
    BlockStageOptions, BlockStaged, ErrorKind, Grant, Overwrite, Resolver, StageOptions, Storage,
    View,
};

use crate::support::{QUICK, Site, kind, path, staged_files};
use crate::tmpfs::Tmpfs;

pub(crate) const MIB: u64 = 1 << 20;
const KEY: [u8; 16] = [3; 16];

pub(crate) fn options(size: u64) -> BlockStageOptions {
    BlockStageOptions {
        stage: StageOptions { expected_len: Some(size), ..StageOptions::default() },
        key: Some(KEY),
        is_durable: true,
        ..BlockStageOptions::default()
    }
}

pub(crate) fn content(size: u64) -> Vec<u8> {
    (0..size).map(|at| (at % 253) as u8).collect()
}

fn value(layout: &BlockLayout, index: u32, bytes: &[u8]) -> KeptBlock {
    let mut hasher = BlockHasher::new(layout, index).unwrap();
    hasher.update(bytes);
    KeptBlock { index, value: hasher.finalize() }
}

/// Writes block `index` of `bytes` and returns what can be claimed.
pub(crate) fn fill(staged: &dyn BlockStaged, index: u32, bytes: &[u8]) -> KeptBlock {
    let range = staged.layout().range(index).unwrap();
    let block = &bytes[range.start as usize..range.end as usize];
    staged.write_at(&mut [IoSlice::new(block)], range.start).unwrap();
    value(staged.layout(), index, block)
}

pub(crate) fn leftovers(site: &Site) -> Vec<String> {
    let names = staged_files(&site.host("")).into_iter();
    let mut suffixes: Vec<String> =
        names.map(|path: PathBuf| path.extension().unwrap().to_str().unwrap().to_owned()).collect();
    suffixes.sort();
    suffixes
}

#[test]
fn a_later_transfer_goes_on_with_what_was_claimed() {
    for site in Site::each() {
        let bytes = content(3 * MIB + 5);
        let first = site.storage.stage_blocks(&path("file"), &options(3 * MIB + 5)).unwrap();
        assert_eq!(first.kept(), []);
        let claim = [fill(&*first, 3, &bytes), fill(&*first, 1, &bytes)];
        first.checkpoint(&claim).unwrap();
        // Written, and not claimed: it is as if it had not been.
        fill(&*first, 0, &bytes);
        drop(first);
        assert_eq!(leftovers(&site), ["journal", "part"]);
        assert_eq!(kind(site.storage.stat(&path("file"))), ErrorKind::NotFound);

        let second = site.storage.stage_blocks(&path("file"), &options(3 * MIB + 5)).unwrap();
        assert_eq!(second.kept(), [claim[1], claim[0]]);
        for block in second.kept() {
            let range = second.layout().range(block.index).unwrap();
            let mut read = vec![0; (range.end - range.start) as usize];
            assert_eq!(second.read_at(&mut read, range.start).unwrap(), read.len());
            assert_eq!(value(second.layout(), block.index, &read), *block);
        }
        for index in [0, 2] {
            fill(&*second, index, &bytes);
        }
        second.commit(&QUICK).unwrap();
        assert_eq!(fs::read(site.host("file")).unwrap(), bytes);
        assert_eq!(leftovers(&site), Vec::<String>::new());
        second.abort().unwrap();
        drop(second);
        assert_eq!(fs::read(site.host("file")).unwrap(), bytes);
    }
}

#[test]
fn nothing_claimed_means_nothing_left() {
    let site = Site::new(Resolver::Auto);
    let staged = site.storage.stage_blocks(&path("file"), &options(2 * MIB)).unwrap();
    fill(&*staged, 0, &content(2 * MIB));
    drop(staged);
    assert_eq!(leftovers(&site), Vec::<String>::new());

    let staged = site.storage.stage_blocks(&path("file"), &options(2 * MIB)).unwrap();
    staged.checkpoint(&[fill(&*staged, 0, &content(2 * MIB))]).unwrap();
    staged.abort().unwrap();
    assert_eq!(leftovers(&site), Vec::<String>::new());

    let keyless = BlockStageOptions { key: None, ..options(2 * MIB) };
    let staged = site.storage.stage_blocks(&path("file"), &keyless).unwrap();
    staged.checkpoint(&[fill(&*staged, 0, &content(2 * MIB))]).unwrap();
    drop(staged);
    assert_eq!(leftovers(&site), Vec::<String>::new());
}

#[test]
fn another_key_name_or_length_finds_nothing() {
    let site = Site::new(Resolver::Auto);
    let staged = site.storage.stage_blocks(&path("file"), &options(2 * MIB)).unwrap();
    staged.checkpoint(&[fill(&*staged, 0, &content(2 * MIB))]).unwrap();
    drop(staged);
    let other_key = BlockStageOptions { key: Some([4; 16]), ..options(2 * MIB) };
    assert_eq!(site.storage.stage_blocks(&path("file"), &other_key).unwrap().kept(), []);
    assert_eq!(site.storage.stage_blocks(&path("other"), &options(2 * MIB)).unwrap().kept(), []);
    assert_eq!(leftovers(&site), ["journal", "part"]);
    // Another length under the same key is another file: the old claims are void.
    assert_eq!(site.storage.stage_blocks(&path("file"), &options(3 * MIB)).unwrap().kept(), []);
}

#[test]
fn while_one_transfer_writes_another_starts_from_nothing() {
    let site = Site::new(Resolver::Auto);
    let bytes = content(2 * MIB);
    let first = site.storage.stage_blocks(&path("file"), &options(2 * MIB)).unwrap();
    first.checkpoint(&[fill(&*first, 0, &bytes)]).unwrap();
    let second = site.storage.stage_blocks(&path("file"), &options(2 * MIB)).unwrap();
    assert_eq!(second.kept(), []);
    second.checkpoint(&[fill(&*second, 1, &vec![7; 2 << 20])]).unwrap();
    drop(second);
    assert_eq!(leftovers(&site), ["journal", "part"]);
    fill(&*first, 1, &bytes);
    first.commit(&QUICK).unwrap();
    assert_eq!(fs::read(site.host("file")).unwrap(), bytes);
    assert_eq!(leftovers(&site), Vec::<String>::new());
}

#[test]
fn a_damaged_journal_costs_its_claims_and_nothing_else() {
    let bytes = content(4 * MIB);
    for position in [0, 40, 71, 72, 80, 120] {
        let site = Site::new(Resolver::Auto);
        let staged = site.storage.stage_blocks(&path("file"), &options(4 * MIB)).unwrap();
        staged.checkpoint(&[fill(&*staged, 0, &bytes)]).unwrap();
        staged.checkpoint(&[fill(&*staged, 1, &bytes)]).unwrap();
        drop(staged);
        let journal = site.host("").join(journal_name(&site));
        let mut raw = fs::read(&journal).unwrap();
        raw[position] ^= 1;
        fs::write(&journal, raw).unwrap();
        let staged = site.storage.stage_blocks(&path("file"), &options(4 * MIB)).unwrap();
        let kept = staged.kept().len();
        assert_eq!(kept, 0, "{position}");
        // A claim after the damage is read again.
        staged.checkpoint(&[fill(&*staged, 2, &bytes)]).unwrap();
        drop(staged);
        let staged = site.storage.stage_blocks(&path("file"), &options(4 * MIB)).unwrap();
        assert_eq!(staged.kept().iter().map(|block| block.index).collect::<Vec<_>>(), [2]);
    }
}

pub(crate) fn journal_name(site: &Site) -> String {
    let files = staged_files(&site.host(""));
    let journal = files.iter().find(|path| path.extension().is_some_and(|end| end == "journal"));
    journal.unwrap().file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_staged_file_that_was_cut_short_claims_no_more_than_it_has() {
    let site = Site::new(Resolver::Auto);
    let bytes = content(4 * MIB);
    let staged = site.storage.stage_blocks(&path("file"), &options(4 * MIB)).unwrap();
    let claim: Vec<KeptBlock> = (0..4).map(|index| fill(&*staged, index, &bytes)).collect();
    staged.checkpoint(&claim).unwrap();
    drop(staged);
    let part = site.host("").join(journal_name(&site)).with_extension("part");
    fs::OpenOptions::new().write(true).open(part).unwrap().set_len(2 * MIB + 1).unwrap();
    let staged = site.storage.stage_blocks(&path("file"), &options(4 * MIB)).unwrap();
    assert_eq!(staged.kept(), &claim[..2]);
}

#[test]
fn what_was_found_damaged_is_not_claimed_again() {
    let site = Site::new(Resolver::Auto);
    let bytes = content(3 * MIB);
    let staged = site.storage.stage_blocks(&path("file"), &options(3 * MIB)).unwrap();
    let claim: Vec<KeptBlock> = (0..3).map(|index| fill(&*staged, index, &bytes)).collect();
    staged.checkpoint(&claim).unwrap();
    staged.retract(&[1]).unwrap();
    drop(staged);
    let staged = site.storage.stage_blocks(&path("file"), &options(3 * MIB)).unwrap();
    assert_eq!(staged.kept(), [claim[0], claim[2]]);
    staged.retract(&[0, 2]).unwrap();
    drop(staged);
    assert_eq!(leftovers(&site), Vec::<String>::new());
}

#[test]
fn a_journal_without_durability_ends_with_the_system() {
    let site = Site::new(Resolver::Auto);
    let quick = BlockStageOptions { is_durable: false, ..options(2 * MIB) };
    let staged = site.storage.stage_blocks(&path("file"), &quick).unwrap();
    let claim = fill(&*staged, 0, &content(2 * MIB));
    staged.checkpoint(&[claim]).unwrap();
    drop(staged);
    assert_eq!(site.storage.stage_blocks(&path("file"), &quick).unwrap().kept(), [claim]);
    // The same journal as another run of the system has left it: its check value is right.
    let journal = site.host("").join(journal_name(&site));
    let raw = fs::read(&journal).unwrap();
    let header = e2eeftp_core::transfer::JournalHeader {
        key: KEY,
        size: 2 * MIB,
        boot_id: Some([0x5a; 16]),
    };
    let mut other = header.encode().to_vec();
    e2eeftp_core::transfer::encode_entry(&header.check(), &[claim], &mut other);
    assert_eq!(other.len(), raw.len());
    fs::write(&journal, other).unwrap();
    assert_eq!(site.storage.stage_blocks(&path("file"), &quick).unwrap().kept(), []);
}

#[test]
fn many_claims_do_not_let_the_journal_grow_for_ever() {
    let site = Site::new(Resolver::Auto);
    let quick = BlockStageOptions { is_durable: false, ..options(2 * MIB) };
    let staged = site.storage.stage_blocks(&path("file"), &quick).unwrap();
    let claim = fill(&*staged, 1, &content(2 * MIB));
    for _ in 0..100 {
        staged.checkpoint(&[claim]).unwrap();
    }
    assert!(fs::metadata(site.host(&journal_name(&site))).unwrap().len() < 400);
    drop(staged);
    assert_eq!(site.storage.stage_blocks(&path("file"), &quick).unwrap().kept(), [claim]);
}

#[test]
fn blocks_of_the_old_file_are_adopted() {
    let site = Site::new(Resolver::Auto);
    let bytes = content(2 * MIB + 9);
    fs::write(site.host("file"), &bytes).unwrap();
    let adopting = BlockStageOptions { adopt: true, ..options(4 * MIB) };
    let staged = site.storage.stage_blocks(&path("file"), &adopting).unwrap();
    let adopted = staged.adopt(&[0, 1, 2, 3], &|| false).unwrap();
    // The third block of the old file is shorter than that of the new one.
    assert_eq!(adopted.iter().map(|block| block.index).collect::<Vec<_>>(), [0, 1]);
    for block in &adopted {
        let at = block.index as usize * MIB as usize;
        assert_eq!(*block, value(staged.layout(), block.index, &bytes[at..at + MIB as usize]));
    }
    let end = vec![9; 2 << 20];
    staged.write_at(&mut [IoSlice::new(&end)], 2 * MIB).unwrap();
    staged.commit(&QUICK).unwrap();
    assert_eq!(fs::read(site.host("file")).unwrap(), [&bytes[..2 << 20], &end].concat());
}

#[test]
fn adoption_needs_the_option_the_right_to_read_and_a_regular_file() {
    let site = Site::new(Resolver::Auto);
    fs::write(site.host("file"), content(2 * MIB)).unwrap();
    let staged = site.storage.stage_blocks(&path("file"), &options(2 * MIB)).unwrap();
    assert_eq!(staged.adopt(&[0, 1], &|| false).unwrap(), []);
    drop(staged);

    let adopting = BlockStageOptions { adopt: true, ..options(2 * MIB) };
    let site = std::sync::Arc::new(site);
    let storage: std::sync::Arc<dyn Storage> =
        std::sync::Arc::new(e2eeftp_vfs::LocalStorage::open_root(&site.host("")).unwrap());
    let blind = View::new(storage, Grant { read: false, ..Grant::all() });
    let staged = blind.stage_blocks(&path("file"), &adopting).unwrap();
    assert_eq!(staged.adopt(&[0, 1], &|| false).unwrap(), []);
    drop(staged);

    fs::remove_file(site.host("file")).unwrap();
    std::os::unix::fs::symlink(site.outside().join("secret"), site.host("file")).unwrap();
    let staged = site.storage.stage_blocks(&path("file"), &adopting).unwrap();
    assert_eq!(staged.adopt(&[0, 1], &|| false).unwrap(), []);
    site.assert_outside_untouched();
}

#[test]
fn an_adoption_ends_when_nobody_wants_it() {
    let site = Site::new(Resolver::Auto);
    fs::write(site.host("file"), content(2 * MIB)).unwrap();
    let adopting = BlockStageOptions { adopt: true, ..options(2 * MIB) };
    let staged = site.storage.stage_blocks(&path("file"), &adopting).unwrap();
    assert_eq!(kind(staged.adopt(&[0, 1], &|| true)), ErrorKind::Cancelled);
}

#[test]
fn holes_take_no_room_and_read_as_zeros() {
    let site = Site::new(Resolver::Auto);
    let sparse = BlockStageOptions { is_sparse: true, ..options(64 * MIB) };
    let staged = site.storage.stage_blocks(&path("file"), &sparse).unwrap();
    staged.write_at(&mut [IoSlice::new(&[1; 4096])], 32 * MIB).unwrap();
    // What was written there before is gone.
    staged.write_at(&mut [IoSlice::new(&[2; 8192])], 0).unwrap();
    staged.zero(0, MIB).unwrap();
    staged.zero(63 * MIB, MIB).unwrap();
    staged.commit(&QUICK).unwrap();
    let metadata = fs::metadata(site.host("file")).unwrap();
    assert_eq!(metadata.len(), 64 * MIB);
    assert!(metadata.blocks() * 512 < MIB, "{} bytes on the disk", metadata.blocks() * 512);
    let bytes = fs::read(site.host("file")).unwrap();
    assert!(bytes[..32 << 20].iter().all(|&byte| byte == 0));
    assert_eq!(bytes[32 << 20], 1);
}

#[test]
fn writes_stay_within_the_announced_length() {
    let site = Site::new(Resolver::Auto);
    let staged = site.storage.stage_blocks(&path("file"), &options(2 * MIB)).unwrap();
    let beyond = staged.write_at(&mut [IoSlice::new(b"xy")], 2 * MIB - 1);
    assert_eq!(kind(beyond), ErrorKind::TooLarge);
    assert_eq!(kind(staged.write_at(&mut [IoSlice::new(b"x")], u64::MAX)), ErrorKind::TooLarge);
    assert_eq!(kind(staged.zero(MIB, MIB + 1)), ErrorKind::TooLarge);
    let endless = BlockStageOptions::default();
    assert_eq!(kind(site.storage.stage_blocks(&path("file"), &endless)), ErrorKind::TooLarge);
    let mut large = options(2 * MIB);
    large.stage.max_len = Some(MIB);
    assert_eq!(kind(site.storage.stage_blocks(&path("file"), &large)), ErrorKind::TooLarge);
}

#[test]
fn a_name_that_is_taken_at_the_end_keeps_what_arrived() {
    let site = Site::new(Resolver::Auto);
    let mut refusing = options(2 * MIB);
    refusing.stage.overwrite = Overwrite::Refuse;
    let staged = site.storage.stage_blocks(&path("file"), &refusing).unwrap();
    let bytes = content(2 * MIB);
    let claim: Vec<KeptBlock> = (0..2).map(|index| fill(&*staged, index, &bytes)).collect();
    staged.checkpoint(&claim).unwrap();
    fs::write(site.host("file"), "somebody else").unwrap();
    assert_eq!(kind(staged.commit(&QUICK)), ErrorKind::Exists);
    drop(staged);
    assert_eq!(leftovers(&site), ["journal", "part"]);
    assert_eq!(fs::read(site.host("file")).unwrap(), b"somebody else");
    fs::remove_file(site.host("file")).unwrap();
    let staged = site.storage.stage_blocks(&path("file"), &refusing).unwrap();
    assert_eq!(staged.kept(), claim);
    staged.commit(&QUICK).unwrap();
    assert_eq!(fs::read(site.host("file")).unwrap(), bytes);
}

#[test]
fn what_was_noted_is_claimed_when_no_commit_follows() {
    let site = Site::new(Resolver::Auto);
    let bytes = content(2 * MIB);
    for commits in [false, true] {
        let staged = site.storage.stage_blocks(&path("file"), &options(2 * MIB)).unwrap();
        let kept = staged.kept().len();
        let claim: Vec<KeptBlock> = (0..2).map(|index| fill(&*staged, index, &bytes)).collect();
        staged.note(claim);
        if commits {
            assert_eq!(kept, 2, "left by the round before");
            staged.commit(&QUICK).unwrap();
        }
        drop(staged);
        let left: &[&str] = if commits { &[] } else { &["journal", "part"] };
        assert_eq!(leftovers(&site), left);
    }
}

#[test]
fn a_full_disk_ends_the_journal_and_not_the_transfer() {
    let small = Tmpfs::mount("3m");
    let storage = e2eeftp_vfs::LocalStorage::open_root(small.path()).unwrap();
    let staged = storage.stage_blocks(&path("file"), &options(2 * MIB)).unwrap();
    let bytes = content(2 * MIB);
    let claim = [fill(&*staged, 0, &bytes), fill(&*staged, 1, &bytes)];
    fs::write(small.path().join("filler"), vec![1; 2 << 20]).unwrap_err();
    staged.checkpoint(&claim).unwrap();
    assert_eq!(staged.take_journal_error().unwrap().kind(), ErrorKind::NoSpace);
    staged.commit(&QUICK).unwrap();
    assert_eq!(fs::read(small.path().join("file")).unwrap(), bytes);
}

#[test]
fn a_sweep_keeps_what_is_young_and_takes_what_is_old_or_alone() {
    let site = Site::new(Resolver::Auto);
    let bytes = content(2 * MIB);
    for name in ["young", "old", "alone"] {
        let staged = site.storage.stage_blocks(&path(name), &options(2 * MIB)).unwrap();
        staged.checkpoint(&[fill(&*staged, 0, &bytes)]).unwrap();
        drop(staged);
        let week_ago = SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
        for file in staged_files(&site.host("")) {
            let is_journal = file.extension().is_some_and(|end| end == "journal");
            let is_marked = fs::read(site.host("marks")).unwrap_or_default();
            let mark = format!("{}\n", file.display());
            if String::from_utf8_lossy(&is_marked).contains(&mark) {
                continue;
            }
            fs::write(site.host("marks"), [is_marked, mark.into_bytes()].concat()).unwrap();
            match name {
                "old" => fs::File::options()
                    .write(true)
                    .open(&file)
                    .unwrap()
                    .set_modified(week_ago)
                    .unwrap(),
                "alone" if is_journal => fs::remove_file(&file).unwrap(),
                _ => {}
            }
        }
    }
    let report = site.storage.sweep(&AtomicBool::new(false)).unwrap();
    assert_eq!((report.removed, report.kept, report.failed), (3, 2, 0));
    let staged = site.storage.stage_blocks(&path("young"), &options(2 * MIB)).unwrap();
    assert_eq!(staged.kept().len(), 1);
    let report = site.storage.sweep(&AtomicBool::new(false)).unwrap();
    assert_eq!((report.removed, report.kept), (0, 2), "young, and in use");
}
