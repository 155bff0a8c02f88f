//! Disks that take longer than anybody's patience: while one side is at work, the other one hears of it.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

mod common;

use std::fs;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::files::{MemorySource, content};
use common::{Pair, SHORT, impatient_client, impatient_server, pair_with, root, until, within};
use e2eeftp_core::transfer::{BlockLayout, KeptBlock};
use e2eeftp_net::{BlocksResult, Error, Lanes, Transfer};
use e2eeftp_vfs::{
    BlockStageOptions, BlockStaged, CommitOptions, Durability, ErrorKind, Metadata, StageOptions,
    local,
};
use tempfile::TempDir;

const MIB: usize = 1 << 20;

/// A staged file on a disk that takes several times [`SHORT`] for some of its work.
struct Slow {
    inner: Box<dyn BlockStaged>,
    /// Adopting has begun.
    is_adopting: AtomicBool,
}

fn dawdle(cancelled: &dyn Fn() -> bool) -> bool {
    for _ in 0..40 {
        if cancelled() {
            return false;
        }
        std::thread::sleep(SHORT / 10);
    }
    true
}

impl BlockStaged for Slow {
    fn layout(&self) -> &BlockLayout {
        self.inner.layout()
    }

    fn kept(&self) -> &[KeptBlock] {
        self.inner.kept()
    }

    fn adopt(
        &self,
        wanted: &[u32],
        cancelled: &dyn Fn() -> bool,
    ) -> e2eeftp_vfs::Result<Vec<KeptBlock>> {
        self.is_adopting.store(true, Ordering::Release);
        if self.inner.kept().is_empty() && !dawdle(cancelled) {
            return Err(e2eeftp_vfs::Error::new(ErrorKind::Cancelled, "adopt"));
        }
        self.inner.adopt(wanted, cancelled)
    }

    fn write_at(&self, bufs: &mut [IoSlice<'_>], offset: u64) -> e2eeftp_vfs::Result<()> {
        self.inner.write_at(bufs, offset)
    }

    fn zero(&self, offset: u64, len: u64) -> e2eeftp_vfs::Result<()> {
        self.inner.zero(offset, len)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> e2eeftp_vfs::Result<usize> {
        if offset.is_multiple_of(MIB as u64) {
            dawdle(&|| false);
        }
        self.inner.read_at(buf, offset)
    }

    fn checkpoint(&self, blocks: &[KeptBlock]) -> e2eeftp_vfs::Result<()> {
        self.inner.checkpoint(blocks)
    }

    fn note(&self, blocks: Vec<KeptBlock>) {
        self.inner.note(blocks);
    }

    fn retract(&self, blocks: &[u32]) -> e2eeftp_vfs::Result<()> {
        self.inner.retract(blocks)
    }

    fn take_journal_error(&self) -> Option<e2eeftp_vfs::Error> {
        self.inner.take_journal_error()
    }

    fn commit(&self, options: &CommitOptions) -> e2eeftp_vfs::Result<Metadata> {
        self.inner.commit(options)
    }

    fn leave(&self) -> e2eeftp_vfs::Result<()> {
        self.inner.leave()
    }

    fn abort(&self) -> e2eeftp_vfs::Result<()> {
        self.inner.abort()
    }
}

fn stage(directory: &TempDir, size: usize) -> Arc<Slow> {
    let options = BlockStageOptions {
        stage: StageOptions { expected_len: Some(size as u64), ..StageOptions::default() },
        key: Some([1; 16]),
        adopt: true,
        ..BlockStageOptions::default()
    };
    let inner = local::stage_blocks(&directory.path().join("file"), &options).unwrap();
    Arc::new(Slow { inner, is_adopting: AtomicBool::new(false) })
}

/// Both ends lose patience sooner than the disk, and tell more often that they are there.
async fn pair() -> Pair {
    let (mut server, mut client) = (impatient_server(), impatient_client());
    server.handshake_timeout = Duration::from_secs(10);
    server.proof_timeout = Duration::from_secs(10);
    server.keep_alive = SHORT / 6;
    client.keep_alive = SHORT / 6;
    pair_with(server, client).await
}

async fn transfer(
    pair: &Pair,
    bytes: &[u8],
    staged: &Arc<Slow>,
    sending: &Transfer,
    during: impl Future<Output = ()>,
) -> (Result<BlocksResult, Error>, Result<BlocksResult, Error>) {
    let receiving = Transfer::new();
    let staged: Arc<dyn BlockStaged> = Arc::<Slow>::clone(staged);
    let (source, size) = (MemorySource::shared(bytes), bytes.len() as u64);
    let (sent, received, ()) = within(async {
        tokio::join!(
            pair.client.send_blocks(sending, source, 1, size, Lanes::None),
            pair.server.receive_blocks(&receiving, staged, 1, Lanes::None),
            during,
        )
    })
    .await;
    (sent, received)
}

#[tokio::test]
async fn a_sender_hears_that_its_receiver_adopts_an_old_file() {
    let (pair, directory) = (pair().await, tempfile::tempdir().unwrap());
    let mut bytes = content(3 * MIB, "old");
    fs::write(directory.path().join("file"), &bytes).unwrap();
    bytes[0] ^= 1;
    let staged = stage(&directory, bytes.len());
    let (sent, received) = transfer(&pair, &bytes, &staged, &Transfer::new(), async {}).await;
    assert_eq!(sent.unwrap().kept, 2 * MIB as u64);
    assert_eq!(received.unwrap().root, root(&bytes));
    pair.check_usable().await;
}

#[tokio::test]
async fn a_sender_need_not_wait_for_the_map_to_give_up() {
    let (pair, directory) = (pair().await, tempfile::tempdir().unwrap());
    let bytes = content(3 * MIB, "given up");
    let (staged, sending) = (stage(&directory, bytes.len()), Transfer::new());
    let during = async {
        until("it adopts", || staged.is_adopting.load(Ordering::Acquire)).await;
        sending.cancel();
    };
    let (sent, received) = transfer(&pair, &bytes, &staged, &sending, during).await;
    assert_eq!(sent.unwrap_err().code(), "E2EEFTP_ABORTED");
    assert_eq!(received.unwrap_err().code(), "E2EEFTP_PEER_ABORTED");
    pair.check_usable().await;
}

#[tokio::test]
async fn a_sender_hears_that_its_receiver_still_reads_what_it_kept() {
    let (pair, directory) = (pair().await, tempfile::tempdir().unwrap());
    let bytes = content(3 * MIB, "kept");
    let staged = stage(&directory, bytes.len());
    let mut hasher = e2eeftp_core::crypto::BlockHasher::new(staged.layout(), 1).unwrap();
    hasher.update(&bytes[MIB..2 * MIB]);
    staged.write_at(&mut [IoSlice::new(&bytes[MIB..2 * MIB])], MIB as u64).unwrap();
    staged.checkpoint(&[KeptBlock { index: 1, value: hasher.finalize() }]).unwrap();
    drop(staged);

    let staged = stage(&directory, bytes.len());
    assert_eq!(staged.kept().len(), 1);
    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let source = MemorySource::shared(&bytes);
    let client = async {
        let sent = pair.client.send_blocks(&sending, source, 1, 3 << 20, Lanes::None).await;
        // As patient as with any reply.
        (sent, pair.client.next_control(SHORT).await)
    };
    let server = async {
        let staged: Arc<dyn BlockStaged> = Arc::<Slow>::clone(&staged);
        let received = pair.server.receive_blocks(&receiving, staged, 1, Lanes::None).await;
        pair.server.send_control(b"stored").await.unwrap();
        received
    };
    let ((sent, reply), received) = within(async { tokio::join!(client, server) }).await;
    assert_eq!((sent.unwrap().kept, received.unwrap().kept), (MIB as u64, MIB as u64));
    assert_eq!(reply.unwrap().as_deref(), Some(&b"stored"[..]));
    staged.commit(&CommitOptions { modified: None, durability: Durability::None }).unwrap();
    assert!(fs::read(directory.path().join("file")).unwrap() == bytes);
    pair.check_usable().await;
}
