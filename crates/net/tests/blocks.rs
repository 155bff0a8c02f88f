//! Transfers by blocks between two sessions, into real files: what is sent, what is kept, what is proved.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers of a test are small")]

mod common;

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::files::{Gate, MemorySource, content};
use common::{Pair, pair, root, until, within};
use e2eeftp_net::{BlocksResult, ClientLimits, Error, Lanes, OpenLanes, Transfer};
use e2eeftp_vfs::{
    BlockStageOptions, BlockStaged, CommitOptions, Durability, LocalStorage, Source, StageOptions,
    Storage, VPath, local,
};
use tempfile::TempDir;

const MIB: usize = 1 << 20;
const QUICK: CommitOptions = CommitOptions { modified: None, durability: Durability::None };

struct Site {
    directory: TempDir,
    storage: LocalStorage,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let storage = LocalStorage::open_root(directory.path()).unwrap();
        Self { directory, storage }
    }

    fn stage(&self, size: usize) -> Arc<dyn BlockStaged> {
        self.stage_with(size, |_| ())
    }

    fn stage_with(
        &self,
        size: usize,
        change: impl FnOnce(&mut BlockStageOptions),
    ) -> Arc<dyn BlockStaged> {
        let mut options = BlockStageOptions {
            stage: StageOptions { expected_len: Some(size as u64), ..StageOptions::default() },
            key: Some([1; 16]),
            is_durable: true,
            ..BlockStageOptions::default()
        };
        change(&mut options);
        Arc::from(self.storage.stage_blocks(&VPath::parse(b"file").unwrap(), &options).unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn part(&self) -> PathBuf {
        let names = fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        names.into_iter().find(|path| path.extension().is_some_and(|end| end == "part")).unwrap()
    }
}

async fn transfer(
    pair: &Pair,
    source: Arc<dyn Source>,
    staged: &Arc<dyn BlockStaged>,
    stream: u32,
) -> (Result<BlocksResult, Error>, Result<BlocksResult, Error>) {
    let size = source.metadata().size;
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    within(async {
        tokio::join!(
            pair.client.send_blocks(&sending, source, stream, size, Lanes::None),
            pair.server.receive_blocks(&receiving, Arc::clone(staged), stream, Lanes::None),
        )
    })
    .await
}

/// Moves a file from the start and cuts the connection when the sender stands at `offset`.
async fn interrupt(site: &Site, bytes: &[u8], offset: usize) {
    let pair = pair().await;
    let gate = Gate::default();
    let source = MemorySource::held_at(bytes, offset as u64, &gate);
    let staged = site.stage(bytes.len());
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let size = bytes.len() as u64;
    let (sent, received, ()) = tokio::join!(
        within(pair.client.send_blocks(&sending, source, 1, size, Lanes::None)),
        within(pair.server.receive_blocks(&receiving, staged, 1, Lanes::None)),
        async {
            gate.reached().await;
            // All that was sealed before has arrived.
            until("the blocks are there", || {
                receiving.progress().transferred >= (offset / MIB * MIB) as u64
            })
            .await;
            pair.client.destroy();
            gate.open();
        }
    );
    sent.unwrap_err();
    received.unwrap_err();
}

#[tokio::test]
async fn a_new_file_is_sent_whole() {
    let pair = pair().await;
    for (stream, size) in [(1, 0), (2, 1), (3, MIB), (4, MIB + 1), (5, 9 * MIB + 12345)] {
        let site = Site::new();
        let bytes = content(size, "whole");
        let staged = site.stage(size);
        let (sent, received) = transfer(&pair, MemorySource::shared(&bytes), &staged, stream).await;
        let (sent, received) = (sent.unwrap(), received.unwrap());
        assert_eq!((sent.bytes, sent.root, sent.kept), (size as u64, root(&bytes), 0));
        assert_eq!(sent, received);
        staged.commit(&QUICK).unwrap();
        assert!(fs::read(site.path("file")).unwrap() == bytes);
        assert_eq!(fs::read_dir(site.directory.path()).unwrap().count(), 1);
    }
    pair.check_usable().await;
}

#[tokio::test]
async fn what_arrived_before_the_connection_was_lost_is_not_sent_again() {
    let site = Site::new();
    let bytes = content(20 * MIB + 77, "resume");
    interrupt(&site, &bytes, 15 * MIB + 5).await;
    assert!(!site.path("file").exists());
    let pair = pair().await;
    let staged = site.stage(bytes.len());
    // The last block may have left before its sender heard of the end.
    let kept = staged.kept().len();
    assert!((15..=16).contains(&kept), "{kept}");
    let (sent, received) = transfer(&pair, MemorySource::shared(&bytes), &staged, 1).await;
    let (sent, received) = (sent.unwrap(), received.unwrap());
    assert_eq!((sent.root, sent.kept), (root(&bytes), (kept * MIB) as u64));
    assert_eq!(sent, received);
    staged.commit(&QUICK).unwrap();
    assert!(fs::read(site.path("file")).unwrap() == bytes);
    pair.check_usable().await;
}

#[tokio::test]
async fn a_kept_block_whose_source_is_another_now_is_sent_again() {
    let site = Site::new();
    let mut bytes = content(10 * MIB, "old");
    interrupt(&site, &bytes, 8 * MIB).await;
    for at in [0, 3 * MIB + 9] {
        bytes[at] ^= 1;
    }
    let pair = pair().await;
    let staged = site.stage(bytes.len());
    let kept = staged.kept().len();
    assert!(kept >= 8);
    let (sent, received) = transfer(&pair, MemorySource::shared(&bytes), &staged, 1).await;
    assert_eq!(sent.unwrap().kept, ((kept - 2) * MIB) as u64);
    assert_eq!(received.unwrap().root, root(&bytes));
    staged.commit(&QUICK).unwrap();
    assert!(fs::read(site.path("file")).unwrap() == bytes);
}

#[tokio::test]
async fn a_kept_block_that_the_disk_has_changed_is_asked_for_again() {
    let site = Site::new();
    let bytes = content(10 * MIB, "rot");
    interrupt(&site, &bytes, 8 * MIB).await;
    let part = fs::OpenOptions::new().write(true).open(site.part()).unwrap();
    part.write_all_at(b"!", 2 * MIB as u64 + 100).unwrap();
    drop(part);
    let pair = pair().await;
    let staged = site.stage(bytes.len());
    let (_, received) = transfer(&pair, MemorySource::shared(&bytes), &staged, 1).await;
    assert!(matches!(received, Err(Error::Integrity(_))), "{received:?}");
    drop(staged);
    // The next attempt knows better.
    let staged = site.stage(bytes.len());
    assert!(staged.kept().iter().all(|block| block.index != 2));
    assert_eq!(staged.kept().len(), 9, "all but the damaged one");
    let (sent, received) = transfer(&pair, MemorySource::shared(&bytes), &staged, 2).await;
    assert_eq!(sent.unwrap().kept, 9 * MIB as u64);
    received.unwrap();
    staged.commit(&QUICK).unwrap();
    assert!(fs::read(site.path("file")).unwrap() == bytes);
    pair.check_usable().await;
}

#[tokio::test]
async fn only_blocks_that_differ_from_the_old_file_travel() {
    let pair = pair().await;
    let site = Site::new();
    let mut bytes = content(12 * MIB + 5, "delta");
    fs::write(site.path("file"), &bytes).unwrap();
    bytes[7 * MIB + 1] ^= 0x80;
    let staged = site.stage_with(bytes.len(), |options| options.adopt = true);
    let (sent, received) = transfer(&pair, MemorySource::shared(&bytes), &staged, 1).await;
    assert_eq!(sent.unwrap().kept, 11 * MIB as u64 + 5);
    assert_eq!(received.unwrap().root, root(&bytes));
    staged.commit(&QUICK).unwrap();
    assert!(fs::read(site.path("file")).unwrap() == bytes);
}

#[tokio::test]
async fn holes_stay_holes() {
    let pair = pair().await;
    let (from, to) = (Site::new(), Site::new());
    let file = fs::File::create(from.path("sparse")).unwrap();
    file.set_len(40 * MIB as u64 + 3).unwrap();
    for at in [0, 5 * MIB as u64 + 8192, 39 * MIB as u64] {
        file.write_all_at(&[7; 10_000], at).unwrap();
    }
    drop(file);
    let source: Arc<dyn Source> = Arc::from(local::open_source(&from.path("sparse")).unwrap());
    assert!(source.is_sparse());
    let staged = to.stage_with(40 * MIB + 3, |options| options.is_sparse = true);
    let (sent, received) = transfer(&pair, source, &staged, 1).await;
    assert_eq!(sent.unwrap(), received.unwrap());
    staged.commit(&QUICK).unwrap();
    let bytes = fs::read(from.path("sparse")).unwrap();
    assert!(fs::read(to.path("file")).unwrap() == bytes);
    let blocks = |path: &Path| fs::metadata(path).unwrap().blocks();
    assert!(blocks(&to.path("file")) <= blocks(&from.path("sparse")) + 8);
}

#[tokio::test]
async fn a_source_that_changes_under_way_is_noticed() {
    let pair = pair().await;
    let (from, to) = (Site::new(), Site::new());
    let bytes = content(8 * MIB, "changing");
    fs::write(from.path("source"), &bytes).unwrap();
    let source: Arc<dyn Source> = Arc::from(local::open_source(&from.path("source")).unwrap());
    fs::write(from.path("source"), &bytes[1..]).unwrap();
    let staged = to.stage(bytes.len());
    let (sent, received) = transfer(&pair, source, &staged, 1).await;
    assert_eq!(sent.unwrap_err().code(), "E2EEFTP_SOURCE_CHANGED");
    assert_eq!(received.unwrap_err().code(), "E2EEFTP_PEER_ABORTED");
    pair.check_usable().await;
}

#[tokio::test]
async fn either_side_may_cancel_and_the_session_goes_on() {
    for by_sender in [true, false] {
        let pair = pair().await;
        let site = Site::new();
        let bytes = content(30 * MIB, "cancel");
        let gate = Gate::default();
        let source = MemorySource::held_at(&bytes, 10 * MIB as u64, &gate);
        let staged = site.stage(bytes.len());
        let (sending, receiving) = (Transfer::new(), Transfer::new());
        let size = bytes.len() as u64;
        let (sent, received, ()) = tokio::join!(
            within(pair.client.send_blocks(&sending, source, 1, size, Lanes::None)),
            within(pair.server.receive_blocks(&receiving, Arc::clone(&staged), 1, Lanes::None)),
            async {
                gate.reached().await;
                until("the blocks are there", || {
                    receiving.progress().transferred >= 10 * MIB as u64
                })
                .await;
                if by_sender {
                    sending.cancel();
                } else {
                    receiving.cancel();
                }
                gate.open();
            }
        );
        let (sent, received) = (sent.unwrap_err().code(), received.unwrap_err().code());
        let expected = if by_sender {
            ("E2EEFTP_ABORTED", "E2EEFTP_PEER_ABORTED")
        } else {
            ("E2EEFTP_PEER_STOPPED", "E2EEFTP_ABORTED")
        };
        assert_eq!((sent, received), expected);
        pair.check_usable().await;
        drop(staged);
        assert!(site.stage(bytes.len()).kept().len() >= 9, "what arrived is kept");
    }
}

#[tokio::test]
async fn a_receiver_that_fails_before_it_begins_leaves_the_session_in_step() {
    let pair = pair().await;
    let site = Site::new();
    fs::write(site.path("file"), content(4 * MIB, "old")).unwrap();
    let bytes = content(4 * MIB, "new");
    let staged = site.stage_with(bytes.len(), |options| options.adopt = true);
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    receiving.cancel();
    let (sent, received) = within(async {
        tokio::join!(
            pair.client.send_blocks(
                &sending,
                MemorySource::shared(&bytes),
                1,
                4 << 20,
                Lanes::None
            ),
            pair.server.receive_blocks(&receiving, staged, 1, Lanes::None),
        )
    })
    .await;
    assert_eq!(sent.unwrap_err().code(), "E2EEFTP_PEER_STOPPED");
    assert_eq!(received.unwrap_err().code(), "E2EEFTP_ABORTED");
    pair.check_usable().await;
}

#[tokio::test]
async fn a_sender_that_is_cancelled_before_the_map_leaves_the_session_in_step() {
    let pair = pair().await;
    let site = Site::new();
    let bytes = content(4 * MIB, "never sent");
    let staged = site.stage(bytes.len());
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let (sent, received) = within(async {
        tokio::join!(
            async {
                let sent = pair.client.send_blocks(
                    &sending,
                    MemorySource::shared(&bytes),
                    1,
                    4 << 20,
                    Lanes::None,
                );
                sending.cancel();
                sent.await
            },
            pair.server.receive_blocks(&receiving, staged, 1, Lanes::None),
        )
    })
    .await;
    assert_eq!(sent.unwrap_err().code(), "E2EEFTP_ABORTED");
    assert_eq!(received.unwrap_err().code(), "E2EEFTP_PEER_ABORTED");
    pair.check_usable().await;
}

/// A transfer over `count` further lanes.
async fn over_lanes(
    pair: &Pair,
    count: usize,
    source: Arc<dyn Source>,
    staged: &Arc<dyn BlockStaged>,
    during: impl Future<Output = ()>,
) -> (Result<BlocksResult, Error>, Result<BlocksResult, Error>) {
    let size = source.metadata().size;
    let offer = pair.server.offer_lanes(count).unwrap();
    let open =
        OpenLanes { ids: offer.ids().to_vec(), limits: ClientLimits::default(), at_once: true };
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let (sent, received, ()) = within(async {
        tokio::join!(
            pair.client.send_blocks(&sending, source, 1, size, Lanes::Opened(open)),
            pair.server.receive_blocks(&receiving, Arc::clone(staged), 1, Lanes::Offered(offer)),
            during,
        )
    })
    .await;
    (sent, received)
}

#[tokio::test]
async fn several_lanes_share_one_file() {
    let pair = pair().await;
    for count in [1, 3] {
        let site = Site::new();
        let bytes = content(64 * MIB + 3, "lanes");
        let staged = site.stage(bytes.len());
        let source = MemorySource::shared(&bytes);
        let (sent, received) = over_lanes(&pair, count, source, &staged, async {}).await;
        let (sent, received) = (sent.unwrap(), received.unwrap());
        assert_eq!((sent.root, sent), (root(&bytes), received));
        staged.commit(&QUICK).unwrap();
        assert!(fs::read(site.path("file")).unwrap() == bytes);
    }
    pair.check_usable().await;
}

#[tokio::test]
async fn the_other_direction_has_lanes_too() {
    let pair = pair().await;
    let site = Site::new();
    let bytes = content(40 * MIB + 3, "lanes down");
    let staged = site.stage(bytes.len());
    let offer = pair.server.offer_lanes(2).unwrap();
    let open =
        OpenLanes { ids: offer.ids().to_vec(), limits: ClientLimits::default(), at_once: true };
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let (sent, received) = within(async {
        tokio::join!(
            pair.server.send_blocks(
                &sending,
                MemorySource::shared(&bytes),
                1,
                bytes.len() as u64,
                Lanes::Offered(offer)
            ),
            pair.client.receive_blocks(&receiving, Arc::clone(&staged), 1, Lanes::Opened(open)),
        )
    })
    .await;
    assert_eq!(sent.unwrap(), received.unwrap());
    staged.commit(&QUICK).unwrap();
    assert!(fs::read(site.path("file")).unwrap() == bytes);
    pair.check_usable().await;
}

#[tokio::test]
async fn an_id_that_is_no_good_costs_nothing() {
    let pair = pair().await;
    let site = Site::new();
    let bytes = content(8 * MIB, "bad ids");
    let staged = site.stage(bytes.len());
    let open = OpenLanes { ids: vec![[9; 32]; 2], limits: ClientLimits::default(), at_once: true };
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let size = bytes.len() as u64;
    let source = MemorySource::shared(&bytes);
    let (sent, received) = within(async {
        tokio::join!(
            pair.client.send_blocks(&sending, source, 1, size, Lanes::Opened(open)),
            pair.server.receive_blocks(&receiving, staged, 1, Lanes::None),
        )
    })
    .await;
    assert_eq!(sent.unwrap(), received.unwrap());
    pair.check_usable().await;
}
