//! What `delete` removes, and what it must not.

use std::fs;

use e2eeftp_net::TreeOptions;

use crate::world::{Run, World, describe, link, set_mode, write};

#[tokio::test]
async fn what_the_source_has_not_goes() {
    for is_push in [true, false] {
        let world = World::new().await;
        write(&world.from, "d/keep", b"k");
        write(&world.top(), "d/keep", b"old");
        write(&world.top(), "d/gone", b"x");
        write(&world.top(), "e/f/g", b"x");
        link(&world.top(), "l", "d");
        let outcome = world.run(Run { is_push, ..Run::deleting() }).await;
        assert_eq!(outcome.told(), ["deleted d/gone", "deleted e", "deleted l", "moved d/keep"]);
        assert_eq!(outcome.counts().deleted, 3);
        world.assert_same();
    }
}

#[tokio::test]
async fn what_the_rules_leave_out_is_protected() {
    for is_push in [true, false] {
        let world = World::new().await;
        write(&world.from, "a", b"a");
        for name in ["x.keep", "old/y.keep", "old/z", "older/z", "cache/c"] {
            write(&world.top(), name, b"x");
        }
        let run = Run { is_push, ..Run::deleting() };
        world.run(run.rules(&["- *.keep", "- /cache/"])).await.counts();
        let all = describe(&world.top());
        let names: Vec<_> = all.keys().map(|name| String::from_utf8_lossy(name)).collect();
        assert_eq!(names, ["", "a", "cache", "cache/c", "old", "old/y.keep", "x.keep"]);
    }
}

#[tokio::test]
async fn staged_files_of_others_stay() {
    let world = World::new().await;
    write(&world.from, "a", b"a");
    let staged = ".e2eeftp-00000000000000000000000000000000.part";
    write(&world.top(), staged, b"under way");
    world.run(Run::deleting()).await.counts();
    assert!(world.top().join(staged).exists());
}

/// A directory that the source can't read must not look like an empty one.
#[tokio::test]
async fn nothing_goes_where_the_source_could_not_look() {
    if rustix::process::geteuid().is_root() {
        // Root reads everything; a path that is too long to be told does the same.
        let world = World::new().await;
        write(&world.from, "a", b"a");
        world.run(Run::default()).await.counts();
        write(&world.top(), "extra", b"x");
        let name = "n".repeat(200);
        let mut path = world.from.clone();
        for _ in 0..19 {
            path.push(&name);
            fs::create_dir(&path).unwrap();
        }
        std::env::set_current_dir(&path).unwrap();
        fs::create_dir(&name).unwrap();
        std::env::set_current_dir(&name).unwrap();
        fs::create_dir(&name).unwrap();
        std::env::set_current_dir("/").unwrap();
        let outcome = world.run(Run::deleting()).await;
        assert!(outcome.counts().failed > 0);
        assert!(!world.top().join("extra").exists(), "the top was read to its end");
        return;
    }
    let world = World::new().await;
    write(&world.from, "d/a", b"a");
    world.run(Run::default()).await.counts();
    write(&world.top(), "d/extra", b"x");
    set_mode(&world.from.join("d"), 0o000);
    let outcome = world.run(Run::deleting()).await;
    set_mode(&world.from.join("d"), 0o755);
    assert_eq!(outcome.counts().deleted, 0);
    assert!(world.top().join("d/extra").exists() && world.top().join("d/a").exists());
}

#[tokio::test]
async fn what_changed_its_type_is_replaced_only_when_names_may_go() {
    let world = World::new().await;
    write(&world.from, "was-directory", b"file");
    write(&world.from, "was-file/x", b"x");
    write(&world.top(), "was-directory/y", b"y");
    write(&world.top(), "was-file", b"f");
    assert_eq!(world.run(Run::default()).await.counts().failed, 2);
    assert!(world.top().join("was-directory/y").exists());
    let run = Run::deleting();
    let options = TreeOptions { checksum: true, ..run.options.clone() };
    assert_eq!(world.run(Run { options, ..run }).await.counts().failed, 0);
    world.assert_same();
}
