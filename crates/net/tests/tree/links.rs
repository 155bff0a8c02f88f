//! Names that are links, and files with several names.

use std::fs;
use std::os::unix::fs::MetadataExt;

use e2eeftp_vfs::{LinkPolicy, TreeWriteOptions};

use crate::common::files::content;
use crate::world::{Run, World, describe, link, write};

#[tokio::test]
async fn files_with_several_names_stay_one_file() {
    for is_push in [true, false] {
        let world = World::new().await;
        write(&world.from, "a/one", b"shared");
        fs::create_dir(world.from.join("b")).unwrap();
        for name in ["a/two", "b/three", "z"] {
            fs::hard_link(world.from.join("a/one"), world.from.join(name)).unwrap();
        }
        write(&world.from, "large", &content((1 << 20) + 5, "large"));
        fs::hard_link(world.from.join("large"), world.from.join("b/large")).unwrap();
        let run = Run { is_push, ..Run::default() };
        let counts = world.run(run.clone()).await.counts();
        assert_eq!((counts.files, counts.links, counts.failed), (1, 4, 0));
        world.assert_same();
        let counts = world.run(run.clone()).await.counts();
        assert_eq!((counts.files, counts.links, counts.failed), (0, 0, 0));
        // Into a tree that is there, where contents come later than the further names.
        fs::remove_file(world.from.join("z")).unwrap();
        fs::write(world.from.join("a/one"), b"changed!").unwrap();
        let counts = world.run(Run { is_push, ..Run::deleting() }).await.counts();
        assert_eq!((counts.files, counts.links, counts.deleted), (1, 2, 1));
        world.assert_same();
    }
}

#[tokio::test]
async fn a_link_out_of_the_storage_is_refused_unless_wanted() {
    let world = World::new().await;
    fs::create_dir(world.from.join("d")).unwrap();
    link(&world.from, "d/up", "../x");
    link(&world.from, "d/within-the-storage", "../../x");
    link(&world.from, "d/out", "../../../x");
    link(&world.from, "absolute", "/etc/passwd");
    let outcome = world.run(Run::default()).await;
    let failed: Vec<_> = outcome.told();
    assert_eq!(
        failed,
        ["failed absolute E2EEFTP_NOT_PERMITTED", "failed d/out E2EEFTP_NOT_PERMITTED"]
    );
    assert_eq!(outcome.counts().links, 2);
    let write = TreeWriteOptions { any_links: true, ..TreeWriteOptions::default() };
    assert_eq!(world.run(Run { write, ..Run::default() }).await.counts().links, 2);
    world.assert_same();
}

#[tokio::test]
async fn links_can_be_left_out_or_followed() {
    let world = World::new().await;
    write(&world.from, "d/a", b"a");
    link(&world.from, "file", "d/a");
    link(&world.from, "directory", "d");
    link(&world.from, "d/loop", "..");
    link(&world.from, "out", "/etc/passwd");
    let mut run = Run::default();
    run.options.skip_links = true;
    world.run(run).await.counts();
    assert_eq!(describe(&world.top()).len(), 3);
    let run = Run { links: LinkPolicy::FollowBeneath, ..Run::default() };
    let outcome = world.run(run).await;
    assert_eq!(fs::read(world.top().join("directory/a")).unwrap(), b"a");
    assert!(world.top().join("file").symlink_metadata().unwrap().is_file());
    assert!(!world.top().join("out").exists());
    let told = outcome.told();
    assert!(told.contains(&"failed out E2EEFTP_NOT_PERMITTED".to_owned()), "{told:?}");
    assert!(told.contains(&"failed d/loop E2EEFTP_BAD_PATH".to_owned()), "{told:?}");
    let run = Run { links: LinkPolicy::FollowAnywhere, ..Run::default() };
    world.run(run).await;
    assert!(world.top().join("out").symlink_metadata().unwrap().len() > 0);
}

/// The writer never goes through a link that is in its way.
#[tokio::test]
async fn links_at_the_sink_are_not_followed() {
    for is_push in [true, false] {
        let world = World::new().await;
        write(&world.from, "d/a", b"new");
        write(&world.from, "f", b"new");
        fs::create_dir(world.top()).unwrap();
        let outside = world.to.join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), b"kept").unwrap();
        link(&world.top(), "d", "../outside");
        link(&world.top(), "f", "../outside/kept");
        let outcome = world.run(Run { is_push, ..Run::default() }).await;
        assert_eq!(outcome.counts().failed, 1, "{outcome:?}");
        assert_eq!(fs::read(outside.join("kept")).unwrap(), b"kept");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert!(world.top().join("f").symlink_metadata().unwrap().is_file());
        let counts = world.run(Run { is_push, ..Run::deleting() }).await.counts();
        assert_eq!(counts.failed, 0);
        world.assert_same();
        assert_eq!(fs::read(outside.join("kept")).unwrap(), b"kept");
        assert_eq!(fs::metadata(outside.join("kept")).unwrap().nlink(), 1);
    }
}
