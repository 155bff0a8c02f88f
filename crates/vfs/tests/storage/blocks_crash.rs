//! Another process fills a file by blocks and is killed at any moment, again and again: what its journal
//! claims is there, what it goes on with becomes the source, and nothing stays behind.
//!
//! `E2EEFTP_CRASH_SEED` repeats a run, `E2EEFTP_CRASH_ROUNDS` makes it longer.
#![allow(clippy::cast_possible_truncation, reason = "the numbers of a test are small")]

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use e2eeftp_core::transfer::KeptBlock;
use e2eeftp_vfs::{
    BlockStageOptions, BlockStaged, CommitOptions, Durability, LocalStorage, Resolver, Storage,
};

use crate::blocks::{MIB, fill, leftovers, options, value};
use crate::support::{Site, path};

const SIZE: u64 = 12 * MIB + 4321;
const ROUNDS: u32 = 60;
const ROOT: &str = "E2EEFTP_CRASH_ROOT";
const SOURCE: &str = "E2EEFTP_CRASH_SOURCE";
const SEED: &str = "E2EEFTP_CRASH_SEED";

/// The generator of Knuth's MMIX: enough to choose moments.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

fn staging(is_durable: bool) -> BlockStageOptions {
    BlockStageOptions { is_durable, ..options(SIZE) }
}

fn block_of<'a>(staged: &dyn BlockStaged, index: u32, bytes: &'a [u8]) -> &'a [u8] {
    let range = staged.layout().range(index).unwrap();
    &bytes[range.start as usize..range.end as usize]
}

/// Whether the staged file has what is claimed of it.
fn holds(staged: &dyn BlockStaged, claim: &KeptBlock) -> bool {
    let range = staged.layout().range(claim.index).unwrap();
    let mut read = vec![0; (range.end - range.start) as usize];
    assert_eq!(staged.read_at(&mut read, range.start).unwrap(), read.len());
    value(staged.layout(), claim.index, &read) == *claim
}

/// What the other process does between two of its words.
fn say(word: &str) {
    println!("{word}");
    std::io::stdout().flush().unwrap();
}

#[test]
#[ignore = "the other process of the test below"]
fn fills_until_killed() {
    let variable = |name: &str| std::env::var_os(name).expect("run by another test");
    let seed = variable(SEED).into_string().unwrap().parse().unwrap();
    let mut chance = Chance(seed);
    let bytes = fs::read(PathBuf::from(variable(SOURCE))).unwrap();
    let storage = LocalStorage::open_root(&PathBuf::from(variable(ROOT))).unwrap();
    say("begins");
    let is_durable = chance.below(4) == 0;
    let staged = storage.stage_blocks(&path("file"), &staging(is_durable)).unwrap();
    let is_right = |claim: &&KeptBlock| {
        holds(&*staged, claim)
            && value(staged.layout(), claim.index, block_of(&*staged, claim.index, &bytes))
                == **claim
    };
    let (right, wrong): (Vec<&KeptBlock>, Vec<&KeptBlock>) =
        staged.kept().iter().partition(is_right);
    if !wrong.is_empty() {
        say("retracts");
        let wrong: Vec<u32> = wrong.iter().map(|claim| claim.index).collect();
        staged.retract(&wrong).unwrap();
    }
    let mut missing: Vec<u32> = (0..staged.layout().count())
        .filter(|index| right.iter().all(|claim| claim.index != *index))
        .collect();
    chance.shuffle(&mut missing);
    let mut written = Vec::new();
    for index in missing {
        say("writes");
        written.push(fill(&*staged, index, &bytes));
        if chance.below(3) == 0 {
            say("claims");
            staged.checkpoint(&std::mem::take(&mut written)).unwrap();
        }
    }
    say("commits");
    let durability = if is_durable { Durability::Directory } else { Durability::None };
    staged.commit(&CommitOptions { modified: None, durability }).unwrap();
    say("ends");
}

/// Runs the other process until it has said so many words, and then no longer. True if it came to its end.
fn run(site: &Site, source: &Path, seed: u64, words: u64) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "blocks_crash::fills_until_killed", "--ignored", "--nocapture"])
        .env(ROOT, site.host(""))
        .env(SOURCE, source)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let said = output.lines().map(Result::unwrap).filter(|line| !line.contains(' '));
    let mut has_ended = false;
    for (count, word) in (1..).zip(said.filter(|line| !line.is_empty())) {
        has_ended |= word.ends_with("ends");
        if count >= words {
            break;
        }
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(status.success() || status.code().is_none(), "it failed by itself: {status}");
    has_ended
}

fn journal_of(site: &Site) -> Option<PathBuf> {
    let mut names = fs::read_dir(site.host("")).unwrap().map(|entry| entry.unwrap().path());
    names.find(|path| path.extension().is_some_and(|end| end == "journal"))
}

#[test]
fn a_process_that_is_killed_again_and_again_claims_only_what_is_there() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = number(SEED).unwrap_or(since.as_nanos() as u64);
    let rounds = number("E2EEFTP_CRASH_ROUNDS").unwrap_or(u64::from(ROUNDS));
    println!("{SEED}={seed}");
    let mut chance = Chance(seed);
    let site = Site::new(Resolver::Auto);
    let source = site.outside().join("source");
    let mut bytes: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
    fs::write(&source, &bytes).unwrap();
    let (mut kills, mut commits, mut resumed) = (0, 0, 0);
    // A block that was claimed and is overwritten, because the source is another one now, may hold neither.
    let mut may_be_mixed = false;
    for round in 0..=rounds {
        let words = if round == rounds { u64::MAX } else { 1 + chance.below(24) };
        let has_ended = run(&site, &source, chance.below(u64::MAX), words);
        kills += u64::from(!has_ended);
        assert!(has_ended || round < rounds, "nobody was in the way of the last one");
        if site.host("file").exists() {
            assert!(fs::read(site.host("file")).unwrap() == bytes, "round {round}");
            commits += 1;
            may_be_mixed = false;
            fs::remove_file(site.host("file")).unwrap();
        }
        if journal_of(&site).is_some() {
            let staged = site.storage.stage_blocks(&path("file"), &staging(false)).unwrap();
            resumed += u64::from(!staged.kept().is_empty());
            for claim in staged.kept() {
                assert!(may_be_mixed || holds(&*staged, claim), "round {round}: {claim:?}");
            }
        }
        match (chance.below(8), journal_of(&site)) {
            // The journal was torn, or a bit of it has turned.
            (0, Some(journal)) => {
                let mut raw = fs::read(&journal).unwrap();
                raw.truncate(chance.below(raw.len() as u64 + 1) as usize);
                fs::write(&journal, raw).unwrap();
            }
            (1, Some(journal)) => {
                let mut raw = fs::read(&journal).unwrap();
                let at = chance.below(raw.len() as u64) as usize;
                raw[at] ^= 1 << chance.below(8);
                fs::write(&journal, raw).unwrap();
            }
            // The source is another one now.
            (2, _) => {
                let at = chance.below(SIZE) as usize;
                bytes[at] ^= 0x55;
                fs::write(&source, &bytes).unwrap();
                may_be_mixed = true;
            }
            _ => {}
        }
    }
    println!("{kills} kills, {commits} commits, {resumed} times gone on");
    assert!(commits > 0);
    // A journal that was about to be replaced goes with a sweep, which leaves an empty file alone at first.
    for _ in 0..50 {
        site.storage.sweep(&AtomicBool::new(false)).unwrap();
        if leftovers(&site).is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("still there: {:?}", leftovers(&site));
}
