//! Memory does not grow with the number of entries of a tree. In a process of its own: other tests
//! beside it would be measured, too.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

#[path = "common/mod.rs"]
mod common;
#[allow(dead_code, reason = "one test of what the others use")]
#[path = "tree/world.rs"]
mod world;

use std::fs;

use crate::world::{Run, World};

fn resident_peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn reset_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

async fn peak_of(count: usize) -> u64 {
    let world = World::new().await;
    for directory in 0..count / 1000 {
        let path = world.from.join(format!("d{directory}"));
        fs::create_dir(&path).unwrap();
        for number in 0..1000 {
            fs::File::create(path.join(format!("f{number}"))).unwrap();
        }
    }
    reset_peak();
    let mut dry = Run::default().dry();
    dry.is_push = true;
    assert_eq!(world.run(dry).await.counts().files, count as u64);
    resident_peak()
}

/// Ten times the entries, in a dry run both sides of which are in this process.
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_flat() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let few = peak_of(10_000).await;
    let many = peak_of(100_000).await;
    assert!(many < few + (24 << 20), "{few} bytes for 10,000 entries, {many} for 100,000");
}
