//! Any tree arrives whole, into any other tree.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::common::files::content;
use crate::world::{Run, World, link, set_mode, set_time, write};

#[derive(Clone, Debug)]
enum Item {
    File { path: String, len: usize, mode: u32, time: (u64, u32) },
    Directory(String),
    Link { path: String, target: String },
    HardLink { path: String },
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let path = "[a-c]{1,2}(/[a-c]{1,2}){0,3}";
    let len = prop_oneof![0..10_usize, 4000..5000_usize, Just(131_072), 200_000..300_000_usize];
    let time = (0..2_000_000_000_u64, 0..1_000_000_000_u32);
    let modes = prop_oneof![Just(0o644), Just(0o600), Just(0o755), Just(0o444)];
    let item = prop_oneof![
        4 => (path, len, modes, time)
            .prop_map(|(path, len, mode, time)| Item::File { path, len, mode, time }),
        1 => path.prop_map(Item::Directory),
        1 => (path, path).prop_map(|(path, target)| Item::Link { path, target }),
        1 => path.prop_map(|path| Item::HardLink { path }),
    ];
    prop::collection::vec(item, 0..25)
}

/// Makes what can be made: a name that is taken stays.
fn make(top: &Path, items: &[Item]) {
    let mut last = None;
    for item in items {
        let (Item::File { path, .. }
        | Item::Directory(path)
        | Item::Link { path, .. }
        | Item::HardLink { path }) = item;
        let full = top.join(path);
        if full.symlink_metadata().is_ok() || fs::create_dir_all(full.parent().unwrap()).is_err() {
            continue;
        }
        match item {
            Item::File { len, mode, time, .. } => {
                write(top, path, &content(*len, path));
                set_time(&full, time.0, time.1);
                set_mode(&full, *mode);
                last = Some(full);
            }
            Item::Directory(_) => fs::create_dir(&full).unwrap(),
            Item::Link { target, .. } => link(top, path, target),
            Item::HardLink { .. } => {
                if let Some(last) = &last {
                    fs::hard_link(last, &full).unwrap();
                }
            }
        }
    }
}

#[test]
fn the_target_becomes_the_source() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config { cases: 48, ..Config::default() });
    let strategy = (items(), items(), any::<bool>(), any::<bool>());
    let result = runner.run(&strategy, |(from, to, is_push, checksum)| {
        runtime.block_on(async {
            let world = World::new().await;
            make(&world.from, &from);
            fs::create_dir(world.top()).unwrap();
            make(&world.top(), &to);
            let mut run = Run { is_push, ..Run::deleting() };
            run.write.any_links = true;
            run.options.checksum = checksum;
            let outcome = world.run(run.clone()).await;
            prop_assert_eq!(outcome.counts().failed, 0, "{:?}", outcome);
            world.assert_same();
            let counts = world.run(run).await.counts();
            prop_assert_eq!(
                (counts.files, counts.directories, counts.links, counts.deleted),
                (0, 0, 0, 0)
            );
            world.assert_same();
            Ok(())
        })
    });
    result.unwrap();
}
