//! Work on files that a request waits for: its result, its end before the time, its place among
//! the pumps, and what stands behind a Stop.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

mod common;

use std::fs;
use std::ops::Range;
use std::sync::Arc;

use common::files::{Gate, MemorySource, content};
use common::{NO_LIMIT, pair, pair_with, root, say, until, within};
use e2eeftp_core::transfer::Reason;
use e2eeftp_net::{ClientLimits, Error, Phase, ServerLimits, Session, Transfer};
use e2eeftp_vfs::{CopyOptions, ErrorKind, Grant, LocalStorage, VPath, View};

/// The whole file.
const ALL: Range<u64> = 0..u64::MAX;

fn path(text: &str) -> VPath {
    VPath::parse(text.as_bytes()).unwrap()
}

/// Asks until the Stop has arrived.
async fn hears_stop(session: &Session, stream: u32) {
    within(async {
        while !session.heard_stop(stream).await.unwrap() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hash_is_what_b3sum_prints() {
    let pair = pair().await;
    for len in [0, 1, 1024, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (5 << 20) + 3] {
        let bytes = content(len, "hash");
        let transfer = Transfer::new();
        let hashed = pair.server.hash(&transfer, MemorySource::shared(&bytes), ALL);
        let result = within(hashed).await.unwrap();
        assert_eq!((result.bytes, result.root), (len as u64, root(&bytes)));
        let progress = transfer.progress();
        assert_eq!((progress.transferred, progress.total), (len as u64, Some(len as u64)));
        assert_eq!(progress.phase, Phase::Done);
    }
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_has_the_hash_of_its_bytes() {
    let pair = pair().await;
    let bytes = content((3 << 20) + 7, "part");
    let len = bytes.len() as u64;
    for range in [0..1, 5..(1 << 20) + 5, 1..len, len - 1..len, len..len, 7..7, len + 9..len + 10] {
        let transfer = Transfer::new();
        let source = MemorySource::shared(&bytes);
        let result = within(pair.server.hash(&transfer, source, range.clone())).await.unwrap();
        let at = |offset: u64| usize::try_from(offset.min(len)).unwrap();
        let part = &bytes[at(range.start)..at(range.end)];
        assert_eq!((result.bytes, result.root), (part.len() as u64, root(part)), "{range:?}");
        assert_eq!(transfer.progress().total, Some(part.len() as u64));
    }
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_changes_has_no_hash() {
    let pair = pair().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    for change in [b"".as_slice(), b"longer than before"] {
        fs::write(&file, b"before").unwrap();
        let source = Arc::from(e2eeftp_vfs::local::open_source(&file).unwrap());
        fs::write(&file, change).unwrap();
        let error = within(pair.server.hash(&Transfer::new(), source, ALL)).await.unwrap_err();
        assert!(
            matches!(&error, Error::Vfs(error) if error.kind() == ErrorKind::SourceChanged),
            "{error}"
        );
    }
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_made_under_the_grant_and_can_be_cancelled() {
    let pair = pair().await;
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("from"), content(20 << 20, "copy")).unwrap();
    let storage = Arc::new(LocalStorage::open_root(directory.path()).unwrap());
    let view = |grant| Arc::new(View::new(Arc::<LocalStorage>::clone(&storage), grant));
    let copy = |transfer: &Transfer, grant| {
        let (server, transfer, view) = (pair.server.clone(), transfer.clone(), view(grant));
        async move {
            let options = CopyOptions::default();
            within(server.copy(&transfer, view, path("from"), path("to"), options)).await
        }
    };
    let refused = copy(&Transfer::new(), Grant { read: true, ..Grant::default() }).await;
    assert_eq!(refused.unwrap_err().code(), "E2EEFTP_NOT_PERMITTED");
    let cancelled = Transfer::new();
    cancelled.cancel();
    assert!(matches!(copy(&cancelled, Grant::all()).await, Err(Error::Aborted)));
    assert!(!directory.path().join("to").exists());
    let transfer = Transfer::new();
    let report = copy(&transfer, Grant::all()).await.unwrap();
    assert_eq!((report.files, report.bytes), (1, 20 << 20));
    assert_eq!(transfer.progress().transferred, 20 << 20);
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_waits_for_its_place_among_the_pumps() {
    let mut limits = ServerLimits::default();
    limits.max_transfers = 1;
    let pair = pair_with(limits, ClientLimits::default()).await;
    let bytes = content(100, "place");
    let gate = Gate::default();
    let (held, waiting, given_up) = (Transfer::new(), Transfer::new(), Transfer::new());
    let source = MemorySource::held_at(&bytes, 0, &gate);
    let run = |transfer: &Transfer, source| {
        let (server, transfer) = (pair.server.clone(), transfer.clone());
        tokio::spawn(async move { server.hash(&transfer, source, ALL).await })
    };
    let first = run(&held, source);
    gate.reached().await;
    let second = run(&waiting, MemorySource::shared(&bytes));
    let third = run(&given_up, MemorySource::shared(&bytes));
    given_up.cancel();
    assert!(matches!(within(third).await.unwrap(), Err(Error::Aborted)));
    assert_eq!(waiting.progress().phase, Phase::Waiting);
    gate.open();
    within(first).await.unwrap().unwrap();
    assert_eq!(within(second).await.unwrap().unwrap().root, root(&bytes));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_is_heard_between_two_pieces() {
    let pair = pair().await;
    let bytes = content(3 << 20, "cancel");
    let gate = Gate::default();
    let transfer = Transfer::new();
    let (server, source) = (pair.server.clone(), MemorySource::held_at(&bytes, 1 << 20, &gate));
    let job = {
        let transfer = transfer.clone();
        tokio::spawn(async move { server.hash(&transfer, source, ALL).await })
    };
    gate.reached().await;
    transfer.cancel();
    gate.open();
    assert!(matches!(within(job).await.unwrap(), Err(Error::Aborted)));
    assert_eq!(transfer.progress().transferred, 2 << 20);
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_ends_with_its_connection() {
    let pair = pair().await;
    let bytes = content(3 << 20, "gone");
    let gate = Gate::default();
    let transfer = Transfer::new();
    let (server, source) = (pair.server.clone(), MemorySource::held_at(&bytes, 1 << 20, &gate));
    let job = {
        let transfer = transfer.clone();
        tokio::spawn(async move { server.hash(&transfer, source, ALL).await })
    };
    gate.reached().await;
    pair.server.destroy();
    until("the job is cancelled", || transfer.is_cancelled()).await;
    gate.open();
    assert!(matches!(within(job).await.unwrap(), Err(Error::Aborted)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_reaches_its_request_only() {
    let pair = pair().await;
    assert!(!pair.server.heard_stop(7).await.unwrap());
    within(pair.client.stop_request(6)).await.unwrap();
    within(pair.client.stop_request(7)).await.unwrap();
    hears_stop(&pair.server, 7).await;
    assert!(!pair.server.heard_stop(7).await.unwrap(), "once");
    // One that comes too late is no harm.
    within(pair.client.stop_request(7)).await.unwrap();
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_sent_ahead_is_kept_and_nothing_behind_it_is_read() {
    let pair = pair().await;
    within(pair.client.send_control(b"ahead")).await.unwrap();
    within(pair.client.stop_request(7)).await.unwrap();
    within(pair.client.send_control(b"behind")).await.unwrap();
    tokio::time::sleep(common::SHORT).await;
    for _ in 0..3 {
        assert!(!pair.server.heard_stop(7).await.unwrap());
    }
    for expected in [b"ahead".as_slice(), b"behind"] {
        let message = within(pair.server.next_control(NO_LIMIT)).await.unwrap();
        assert_eq!(message.as_deref(), Some(expected));
    }
    pair.check_usable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_leaves_or_talks_out_of_turn_is_noticed() {
    let gone = pair().await;
    gone.client.close(Reason::Done).await;
    until("the goodbye is heard", || gone.server.is_closed() || heard(&gone.server)).await;
    assert!(gone.server.is_closed());

    let cut = pair().await;
    cut.client.destroy();
    until("the end is heard", || cut.server.is_closed() || heard(&cut.server)).await;
    assert!(cut.server.is_closed());

    let rude = pair().await;
    let mut body = rude.client.body_writer(7);
    within(body.write(b"a body that nobody asked for")).await.unwrap();
    until("the body is heard", || rude.server.is_closed() || heard(&rude.server)).await;
    assert!(rude.server.is_closed());
    say_fails(&rude.server).await;
}

/// Looks once; true when that ended the session.
fn heard(session: &Session) -> bool {
    let looked = tokio::task::block_in_place(|| {
        tokio::runtime::Handle::current().block_on(session.heard_stop(7))
    });
    looked.is_err()
}

async fn say_fails(session: &Session) {
    assert!(within(session.send_control(b"x")).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_go_out_while_a_job_runs() {
    let pair = pair().await;
    let bytes = content(100, "keep-alive");
    let gate = Gate::default();
    let (server, source) = (pair.server.clone(), MemorySource::held_at(&bytes, 0, &gate));
    let job = tokio::spawn(async move { server.hash(&Transfer::new(), source, ALL).await });
    gate.reached().await;
    say(&pair.server, &pair.client, b"still at it").await;
    within(pair.client.stop_request(1)).await.unwrap();
    hears_stop(&pair.server, 1).await;
    gate.open();
    within(job).await.unwrap().unwrap();
    pair.check_usable().await;
}
