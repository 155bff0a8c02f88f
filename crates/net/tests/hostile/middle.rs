//! A man in the middle who changes, drops, repeats, swaps or cuts what passes.

use std::time::Duration;

use e2eeftp_core::handshake::{
    CLIENT_HELLO_RECORD_LEN, FLIGHT_RECORD_LEN, SERVER_HELLO_RECORD_LEN,
};
use e2eeftp_core::transfer::Reason;
use e2eeftp_net::{ClientLimits, Error, Session, Transfer, connect};
use tokio::task::JoinSet;

use crate::common::files::{MemorySource, Sink, content};
use crate::common::proxy::{Filter, Verdict, at, pass, proxy};
use crate::common::{
    NO_LIMIT, identity, impatient_client, impatient_server, listen, next, pair, until, within,
};
use crate::{assert_nobody, assert_serves};
use e2eeftp_net::{BodyResult, ServerLimits};

/// Lengths of the records of the handshake in each direction.
const TO_SERVER: [usize; 2] = [CLIENT_HELLO_RECORD_LEN, FLIGHT_RECORD_LEN];
const TO_CLIENT: [usize; 2] = [SERVER_HELLO_RECORD_LEN, FLIGHT_RECORD_LEN];

/// All of the header and of the fixed fields, the last bytes, and every so often between.
fn offsets(len: usize) -> impl Iterator<Item = usize> {
    (0..12).chain((12..len - 2).step_by(31)).chain(len - 2..len)
}

fn flip(index: usize, offset: usize) -> Filter {
    at(index, move |mut record| {
        record[offset] ^= 1 << (offset % 8);
        Verdict::Forward(record)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_changed_byte_anywhere_in_the_handshake() {
    let listener = listen(impatient_server());
    let mut trials = Vec::new();
    for (is_to_server, lens) in [(true, TO_SERVER), (false, TO_CLIENT)] {
        for (index, len) in lens.into_iter().enumerate() {
            trials.extend(offsets(len).map(|offset| (is_to_server, index, offset)));
        }
    }
    assert!(trials.len() > 200);
    let count = trials.len() as u64;
    let mut running = JoinSet::new();
    for trial @ (is_to_server, index, offset) in trials {
        if running.len() >= 16 {
            within(running.join_next()).await.unwrap().unwrap();
        }
        let filter = flip(index, offset);
        let (to_server, to_client) = if is_to_server { (filter, pass()) } else { (pass(), filter) };
        let address = proxy(listener.address(), to_server, to_client).await;
        running.spawn(async move {
            let mut limits = impatient_client();
            limits.connect_timeout = Duration::from_secs(2);
            let connecting = within(connect("127.0.0.1", address.port(), limits)).await;
            let is_last_message = is_to_server && index == 1;
            let Ok(connecting) = connecting else {
                assert!(!is_last_message, "{trial:?}");
                return;
            };
            // Only the client's own proof can be spoiled without the client noticing; it is told.
            assert!(is_last_message, "{trial:?}");
            let session = within(connecting.authenticate(&identity())).await.unwrap();
            let verdict = within(session.next_control(NO_LIMIT)).await;
            assert!(matches!(verdict, Err(Error::Refused)), "{trial:?}: {verdict:?}");
        });
    }
    while let Some(done) = within(running.join_next()).await {
        done.unwrap();
    }
    until("all handshakes have failed", || listener.stats().failed == count).await;
    assert_nobody(&listener).await;
    assert_serves(&listener).await;
}

/// Messages and a body from the client, as the server sees them; `Ok` only for all of it, with
/// a goodbye.
async fn receive_script(server: &Session, body: &[u8]) -> Result<(), Error> {
    let end = || Error::Protocol("the goodbye came too early");
    assert_eq!(server.next_control(NO_LIMIT).await?.ok_or_else(end)?, b"first");
    assert_eq!(server.next_control(NO_LIMIT).await?.ok_or_else(end)?, b"second");
    let (sink, transfer) = (Sink::new(), Transfer::new());
    let (result, _): (BodyResult, _) =
        server.receive_file(&transfer, sink.staged(), 1, Some(body.len() as u64)).await?;
    assert_eq!(result.bytes, body.len() as u64);
    assert!(sink.bytes() == body);
    assert_eq!(server.next_control(NO_LIMIT).await?.ok_or_else(end)?, b"third");
    match server.next_control(NO_LIMIT).await? {
        None => Ok(()),
        Some(_) => panic!("a message that nobody sent"),
    }
}

/// Records of the script after the handshake: two messages, three of data, the end of the body,
/// a message, the goodbye.
const SCRIPT_RECORDS: usize = 8;

async fn send_script(client: &Session, body: &[u8]) -> Result<(), Error> {
    client.send_control(b"first").await?;
    client.send_control(b"second").await?;
    let source = MemorySource::shared(body);
    client.send_file(&Transfer::new(), source, 1, 0, body.len() as u64).await?;
    client.send_control(b"third").await?;
    client.close(Reason::Done).await;
    Ok(())
}

/// Runs the script through `filter`, which counts records after the handshake from 0. What the
/// server makes of it.
async fn run_script(mut filter: Filter) -> Result<(), Error> {
    let body = content(2 * 131_072 + 77, "script");
    let listener = listen(ServerLimits::default());
    let to_server: Filter = Box::new(move |index, record| match index.checked_sub(2) {
        Some(index) => filter(index, record),
        None => Verdict::Forward(record),
    });
    let address = proxy(listener.address(), to_server, pass()).await;
    let connecting = within(connect("127.0.0.1", address.port(), ClientLimits::default())).await;
    let client = connecting.unwrap().authenticate(&identity()).await.unwrap();
    let server = next(&listener).await.accept();
    let (received, _) = within(async {
        tokio::join!(
            async {
                let received = receive_script(&server, &body).await;
                assert!(server.is_closed());
                received
            },
            send_script(&client, &body)
        )
    })
    .await;
    received
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_middle_changes_nothing() {
    run_script(pass()).await.unwrap();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = std::sync::Arc::clone(&count);
    let counting: Filter = Box::new(move |_, record| {
        seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Verdict::Forward(record)
    });
    run_script(counting).await.unwrap();
    assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), SCRIPT_RECORDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_record_ends_the_session() {
    for index in 0..SCRIPT_RECORDS {
        // In the header, in the sealed head, in the middle, in the tag.
        for place in 0..5 {
            let ended = run_script(at(index, move |mut record| {
                let last = record.len() - 1;
                record[[0, 4, 20, last / 2, last][place]] ^= 0x40;
                Verdict::Forward(record)
            }))
            .await;
            assert!(matches!(ended, Err(Error::Core(_))), "{index}, {place}: {ended:?}");
        }
        // A length that is allowed and wrong: the rest is read as part of this record or as a
        // record of its own; it authenticates neither way.
        let ended = run_script(at(index, |mut record| {
            record[3] ^= 1;
            Verdict::Cut(record)
        }))
        .await;
        let is_refused = matches!(ended, Err(Error::Core(_) | Error::ConnectionLost(_)));
        assert!(is_refused, "{index}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_missing_repeated_or_out_of_order_ends_the_session() {
    for index in 0..SCRIPT_RECORDS {
        let ended = run_script(at(index, |_| Verdict::Forward(Vec::new()))).await;
        let is_last = index == SCRIPT_RECORDS - 1;
        assert!(
            match &ended {
                Err(Error::ConnectionLost(_)) => is_last,
                Err(Error::Core(_)) => !is_last,
                _ => false,
            },
            "missing {index}: {ended:?}"
        );

        let ended =
            run_script(at(index, |record| Verdict::Forward([record.clone(), record].concat())))
                .await;
        if is_last {
            // Nobody reads on after the goodbye.
            ended.unwrap();
        } else {
            assert!(matches!(ended, Err(Error::Core(_))), "repeated {index}: {ended:?}");
        }

        if !is_last {
            let mut held = None;
            let swap: Filter = Box::new(move |seen, record| {
                if seen == index {
                    held = Some(record);
                    Verdict::Forward(Vec::new())
                } else if let Some(held) = held.take() {
                    Verdict::Forward([record, held].concat())
                } else {
                    Verdict::Forward(record)
                }
            });
            let ended = run_script(swap).await;
            assert!(matches!(ended, Err(Error::Core(_))), "swapped {index}: {ended:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_anywhere_is_a_loss() {
    for index in 0..SCRIPT_RECORDS {
        // Before, within, and behind the record.
        for place in 0..4 {
            let ended = run_script(at(index, move |mut record| {
                record.truncate([0, 3, record.len() - 1, record.len()][place]);
                Verdict::Cut(record)
            }))
            .await;
            if index == SCRIPT_RECORDS - 1 && place == 3 {
                ended.unwrap();
            } else {
                let is_loss = matches!(ended, Err(Error::ConnectionLost(_)));
                assert!(is_loss, "{index}, {place}: {ended:?}");
            }
        }
    }
}

/// The way back is protected by keys of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answers_are_protected_too() {
    let changes: [fn(Vec<u8>) -> Verdict; 4] = [
        |mut record| {
            record[30] ^= 1;
            Verdict::Forward(record)
        },
        |_| Verdict::Forward(Vec::new()),
        |record| Verdict::Forward([record.clone(), record].concat()),
        |record| Verdict::Cut(record[..record.len() - 1].to_vec()),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let listener = listen(ServerLimits::default());
        // The server's second message after its two of the handshake.
        let address = proxy(listener.address(), pass(), at(3, change)).await;
        let connecting = within(connect("127.0.0.1", address.port(), ClientLimits::default()));
        let client = connecting.await.unwrap().authenticate(&identity()).await.unwrap();
        let server = next(&listener).await.accept();
        for message in [&b"one"[..], b"two", b"three"] {
            within(server.send_control(message)).await.unwrap();
        }
        let mut received = Vec::new();
        let ended = loop {
            match within(client.next_control(NO_LIMIT)).await {
                Ok(message) => received.push(message.unwrap()),
                Err(error) => break error,
            }
        };
        assert!(matches!(ended, Error::Core(_) | Error::ConnectionLost(_)), "{number}: {ended:?}");
        let expected: &[&[u8]] = if number == 2 { &[b"one", b"two"] } else { &[b"one"] };
        assert_eq!(received, expected);
        assert!(client.is_closed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sessions_do_not_share_anything() {
    let (one, other) = tokio::join!(pair(), pair());
    assert_ne!(one.client.session_id(), other.client.session_id());
    let (mut secret, mut other_secret) = ([0; 32], [0; 32]);
    one.client.export("x", b"", &mut secret).unwrap();
    other.client.export("x", b"", &mut other_secret).unwrap();
    assert_ne!(secret, other_secret);
}
