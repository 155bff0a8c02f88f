//! What arrives, and what a second run does.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use e2eeftp_core::tree::ChosenPaths;
use e2eeftp_net::{Error, Transfer, TreeEvents, TreeOptions};
use e2eeftp_vfs::Grant;

use crate::common::files::content;
use crate::common::{until, within};
use crate::world::{Run, World, describe, link, set_mode, set_time, write};

fn furnish(world: &World) {
    let from = &world.from;
    write(from, "a", b"");
    write(from, "d/b", b"hello");
    write(from, "d/e/f/g/h", &content(5000, "h"));
    write(from, "half", &content(500_000, "half"));
    write(from, "full", &content(1 << 20, "full"));
    write(from, "z/over", &content((1 << 20) + 1, "over"));
    fs::create_dir_all(from.join("empty/inner")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"no\xff utf8\n");
    fs::write(from.join(odd), b"odd").unwrap();
    link(from, "in", "d/b");
    link(from, "dangling", "nothing");
    set_mode(&from.join("d/b"), 0o640);
    set_mode(&from.join("a"), 0o777);
    set_time(&from.join("d/b"), 1_000_000_000, 123_456_789);
    set_time(&from.join("z"), 5, 6);
    set_time(&from.join("d/e"), 7, 8);
    set_mode(&from.join("empty"), 0o500);
    set_time(from, 9, 1);
}

#[tokio::test]
async fn a_tree_arrives_whole_and_a_second_run_moves_nothing() {
    for is_push in [true, false] {
        let world = World::new().await;
        furnish(&world);
        let run = Run { is_push, ..Run::default() };
        let first = world.run(run.clone()).await;
        assert!(first.told().contains(&"large z/over".to_owned()), "{:?}", first.told());
        let counts = first.counts();
        assert_eq!((counts.files, counts.skipped, counts.failed), (6, 0, 0));
        assert_eq!((counts.directories, counts.links), (8, 2));
        world.assert_same();
        let second = world.run(run).await;
        let counts = second.counts();
        assert_eq!((counts.files, counts.skipped, counts.failed), (0, 7, 0), "{second:?}");
        assert_eq!((counts.directories, counts.links), (0, 0));
        world.assert_same();
        world.pair.check_usable().await;
    }
}

#[tokio::test]
async fn only_what_differs_moves() {
    let world = World::new().await;
    furnish(&world);
    world.run(Run::default()).await.counts();
    write(&world.from, "d/b", b"other");
    write(&world.from, "new", b"new");
    // The same content under another time.
    set_time(&world.from.join("half"), 77, 0);
    let run = Run::default();
    let counts = world.run(run.clone()).await.counts();
    assert_eq!((counts.files, counts.skipped), (3, 5));
    world.assert_same();
    set_time(&world.from.join("half"), 78, 0);
    set_mode(&world.from.join("full"), 0o600);
    let options = TreeOptions { checksum: true, ..run.options.clone() };
    let counts = world.run(Run { options, ..run }).await.counts();
    assert_eq!((counts.files, counts.skipped), (0, 8), "contents are the same");
    world.assert_same();
}

#[tokio::test]
async fn contents_that_differ_behind_equal_times_are_found_by_checksum() {
    let world = World::new().await;
    write(&world.from, "a", b"one");
    set_time(&world.from.join("a"), 5, 5);
    world.run(Run::default()).await.counts();
    write(&world.top(), "a", b"two");
    set_time(&world.top().join("a"), 5, 5);
    assert_eq!(world.run(Run::default()).await.counts().skipped, 1);
    for is_push in [true, false] {
        write(&world.top(), "a", b"two");
        set_time(&world.top().join("a"), 5, 5);
        let run = Run { is_push, ..Run::default() };
        let options = TreeOptions { checksum: true, ..run.options.clone() };
        assert_eq!(world.run(Run { options, ..run }).await.counts().files, 1);
        assert_eq!(fs::read(world.top().join("a")).unwrap(), b"one");
    }
}

#[tokio::test]
async fn a_dry_run_tells_and_changes_nothing() {
    for is_push in [true, false] {
        let world = World::new().await;
        furnish(&world);
        let dry = Run { is_push, ..Run::deleting() }.dry();
        let outcome = world.run(dry.clone()).await;
        assert_eq!(outcome.counts().files, 7);
        assert!(outcome.told().contains(&"moved z/over".to_owned()));
        assert!(!world.top().exists());
        world.run(Run::default()).await.counts();
        write(&world.top(), "extra/x", b"x");
        write(&world.from, "d/b", b"changed");
        let before = describe(&world.to);
        let outcome = world.run(dry).await;
        assert_eq!(outcome.told(), ["deleted extra", "moved d/b"]);
        assert_eq!(describe(&world.to), before);
    }
}

#[tokio::test]
async fn rules_and_lists_choose() {
    for is_push in [true, false] {
        let world = World::new().await;
        for name in ["a.c", "a.o", "d/b.c", "d/b.o", "e/f.o", "g/h/i.c"] {
            write(&world.from, name, name.as_bytes());
        }
        let run = Run { is_push, ..Run::default() };
        world.run(run.clone().rules(&["- *.o", "- /g/"])).await.counts();
        let names = |world: &World| {
            let all = describe(&world.top());
            all.keys().map(|path| String::from_utf8(path.clone()).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(names(&world), ["", "a.c", "d", "d/b.c", "e"]);
        fs::remove_dir_all(world.top()).unwrap();
        let mut chosen = ChosenPaths::new();
        for path in [&b"d/b.o"[..], b"g", b"missing"] {
            chosen.push(path).unwrap();
        }
        let mut run = run;
        run.choice.chosen = Some(chosen);
        let outcome = world.run(run).await;
        assert_eq!(names(&world), ["", "d", "d/b.o", "g", "g/h", "g/h/i.c"]);
        assert!(outcome.told().contains(&"failed missing E2EEFTP_NOT_FOUND".to_owned()));
    }
}

#[tokio::test]
async fn one_name_that_fails_does_not_end_the_run() {
    for is_push in [true, false] {
        let world = World::new().await;
        write(&world.from, "a", b"a");
        write(&world.from, "d/x", b"x");
        write(&world.from, "e/x", b"x");
        write(&world.from, "f", b"f");
        write(&world.from, ".e2eeftp-odd", b"staging is no part of a tree");
        write(&world.top(), "d", b"a file in the way of a directory");
        fs::create_dir(world.top().join("f")).unwrap();
        let outcome = world.run(Run { is_push, ..Run::default() }).await;
        let counts = outcome.counts();
        assert_eq!((counts.files, counts.failed), (2, 2), "{outcome:?}");
        let failed: Vec<_> =
            outcome.told().into_iter().filter(|told| told.starts_with("failed")).collect();
        assert_eq!(failed, ["failed d E2EEFTP_NOT_DIRECTORY", "failed f E2EEFTP_IS_DIRECTORY"]);
        assert_eq!(fs::read(world.top().join("e/x")).unwrap(), b"x");
    }
}

#[tokio::test]
async fn without_overwrite_what_is_there_stays() {
    let world = World::new().await;
    write(&world.from, "a", b"new");
    write(&world.from, "b", b"new");
    write(&world.top(), "a", b"older");
    let no_grant = Run { grant: Grant { overwrite: false, ..Grant::all() }, ..Run::default() };
    for run in [Run::default().keeping(), no_grant] {
        let outcome = world.run(run).await;
        assert_eq!(outcome.told()[0], "failed a E2EEFTP_EXISTS");
        assert_eq!(fs::read(world.top().join("a")).unwrap(), b"older");
        assert_eq!(fs::read(world.top().join("b")).unwrap(), b"new");
    }
}

/// Who may only store learns nothing of what is there: not from answers, and not from what moves.
#[tokio::test]
async fn a_key_that_may_not_look_sends_everything() {
    let world = World::new().await;
    write(&world.from, "d/a", b"same");
    write(&world.from, "d/b", b"new");
    world.run(Run::default()).await.counts();
    let grant = Grant { write: true, overwrite: true, ..Grant::default() };
    let blind = Run { grant: grant.clone(), ..Run::default() };
    let counts = world.run(blind.clone()).await.counts();
    assert_eq!((counts.files, counts.skipped), (2, 0));
    let blind = Run { grant: Grant { overwrite: false, ..grant }, ..blind };
    let outcome = world.run(blind.clone()).await;
    assert_eq!(outcome.counts().failed, 2);
    assert!(world.writer(&blind.clone().dry()).is_err(), "a dry run would tell");
    let deleting = Run { grant: blind.grant, ..Run::deleting() };
    assert!(world.writer(&deleting).is_err());
}

#[tokio::test]
async fn grants_hold_for_each_file() {
    let world = World::new().await;
    write(&world.from, "small", b"1234");
    write(&world.from, "large", b"12345");
    let grant = Grant { max_size: Some(4), ..Grant::all() };
    let outcome = world.run(Run { grant, ..Run::default() }).await;
    assert!(outcome.told().contains(&"failed large E2EEFTP_TOO_LARGE".to_owned()));
    assert_eq!(outcome.counts().files, 1);
    let read_only = Run { grant: Grant { write: false, ..Grant::all() }, ..Run::default() };
    assert!(world.writer(&read_only).is_err());
    let no_delete = Run { grant: Grant { delete: false, ..Grant::all() }, ..Run::deleting() };
    assert!(world.writer(&no_delete).is_err());
}

#[tokio::test]
async fn modes_and_times_are_left_alone_when_asked() {
    let world = World::new().await;
    write(&world.from, "a", b"a");
    set_mode(&world.from.join("a"), 0o700);
    set_time(&world.from.join("a"), 5, 5);
    let run = Run { options: TreeOptions::default(), ..Run::default() };
    world.run(run).await.counts();
    let text = describe(&world.top()).remove(&b"a"[..]).unwrap();
    assert!(!text.contains("(5, 5)") && !text.starts_with("f 700"), "{text}");
}

#[tokio::test]
async fn many_directories_and_deep_ones_need_few_descriptors() {
    let world = World::new().await;
    let mut path = String::new();
    for depth in 0..300 {
        path = format!("{path}d{depth}/");
        write(&world.from, &format!("{path}f"), depth.to_string().as_bytes());
    }
    for number in 0..300 {
        write(&world.from, &format!("w{number}/f"), b"x");
    }
    for is_push in [true, false] {
        world.run(Run { is_push, ..Run::default() }).await.counts();
        world.assert_same();
    }
    // Contents of directories that were left long ago: what was there has to be compared first.
    for number in 0..300 {
        write(&world.from, &format!("w{number}/f"), b"yy");
    }
    assert_eq!(world.run(Run::default()).await.counts().files, 300);
    world.assert_same();
}

#[tokio::test]
async fn a_cancel_ends_both_sides_and_the_session_lives() {
    for source_cancels in [true, false] {
        let world = World::new().await;
        for number in 0..2000 {
            write(&world.from, &format!("d{}/f{number}", number % 10), &content(3000, "x"));
        }
        let run = Run::default();
        let (reader, writer) = (world.reader(run.links), world.writer(&run).unwrap());
        let (sending, receiving) = (Transfer::new(), Transfer::new());
        let client = TreeOptions { choice: Some(run.choice.clone()), ..run.options.clone() };
        let (pair, events) = (&world.pair, Arc::new(TreeEvents::new(true)));
        // Nobody takes the events, so that it stands still before its end.
        let send = async {
            let (session, options, events) = if source_cancels {
                (&pair.client, client.clone(), Some(Arc::clone(&events)))
            } else {
                (&pair.server, run.options.clone(), None)
            };
            session.send_tree(&sending, reader, 3, options, events).await
        };
        let receive = async {
            let (session, options, events) = if source_cancels {
                (&pair.server, run.options.clone(), None)
            } else {
                (&pair.client, client.clone(), Some(Arc::clone(&events)))
            };
            session.receive_tree(&receiving, writer, 3, options, events).await
        };
        let cancel = async {
            until("under way", || events.progress().moved >= 1024).await;
            if source_cancels { &sending } else { &receiving }.cancel();
        };
        let (sent, received, ()) = within(async { tokio::join!(send, receive, cancel) }).await;
        let (cancelled, told) = if source_cancels { (sent, received) } else { (received, sent) };
        assert!(matches!(cancelled, Err(Error::Aborted)), "{cancelled:?}");
        assert!(matches!(told, Err(Error::PeerAborted(_))), "{told:?}");
        world.pair.check_usable().await;
    }
}

/// A record that is nearly full carries more padding than a full one, so that fewer of them fit into
/// what is sent at once.
#[tokio::test]
async fn records_that_are_nearly_full_find_room() {
    const RECORD: usize = 128 << 10;
    let world = World::new().await;
    // With old names nothing follows its entry at once: contents stand one behind the other.
    fs::create_dir(world.to.join("top")).unwrap();
    // Two contents, each with tag, length and root, leave 2 or 16 bytes of a record: in an order
    // without a pattern, so that every mix of both comes to be sent at once.
    let mut chance = 1_u32;
    for number in 0..480_usize {
        if number % 2 == 0 {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        }
        let spare = if chance >> 24 < 96 { 2 } else { 16 };
        let len = (RECORD - spare) / 2 - (1 + 3 + 32);
        write(&world.from, &format!("f{number:03}"), &vec![7; len]);
    }
    let counts = world.run(Run::default()).await.counts();
    assert_eq!((counts.files, counts.failed), (480, 0));
    world.assert_same();
}
