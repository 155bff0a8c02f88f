//! How sessions end: goodbye, silence, destruction, and what each wait and each peer sees of it.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use common::files::{MemorySource, Sink, content};
use common::raw::{client_of_raw_server, read_to_end, server_of_raw_client};
use common::{
    NO_LIMIT, Pair, SHORT, dial, dial_in, identity, impatient_pair, listen, next, pair, pair_with,
    say, until, within,
};
use e2eeftp_core::record::{InnerType, MAX_CONTROL_CONTENT};
use e2eeftp_core::transfer::Reason;
use e2eeftp_core::{Error as CoreError, Misuse};
use e2eeftp_net::{ClientLimits, Error, Listener, ServerLimits, Session, Transfer, connect};
use tokio::time::sleep;

async fn assert_over(session: &Session) {
    assert!(session.is_closed());
    let transfer = Transfer::new();
    assert!(matches!(within(session.next_control(NO_LIMIT)).await, Err(Error::Closed)));
    assert!(matches!(within(session.send_control(b"x")).await, Err(Error::Closed)));
    let source = MemorySource::shared(b"x");
    let sent = within(session.send_file(&transfer, source, 1, 0, 1)).await;
    assert!(matches!(sent, Err(Error::Closed)));
    let sink = Sink::new();
    let received = within(session.receive_file(&transfer, sink.staged(), 1, None)).await;
    assert!(matches!(received.map(|_| ()), Err(Error::Closed)));
    assert!(sink.is_dropped());
    assert!(matches!(within(session.body_writer(1).write(b"x")).await, Err(Error::Closed)));
    assert!(matches!(within(session.body_reader(1).read(1)).await, Err(Error::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_is_the_end_of_the_messages() {
    let Pair { client, server, .. } = pair().await;
    within(client.send_control(b"last words")).await.unwrap();
    // Closing is idempotent, also at once and by several handles.
    let other = client.clone();
    within(async { tokio::join!(client.close(Reason::Done), other.close(Reason::Cancelled)) })
        .await;
    within(client.close(Reason::Done)).await;
    assert_over(&client).await;
    assert_over(&other).await;
    let message = within(server.next_control(NO_LIMIT)).await.unwrap();
    assert_eq!(message.as_deref(), Some(&b"last words"[..]));
    assert!(within(server.next_control(NO_LIMIT)).await.unwrap().is_none());
    assert_over(&server).await;
    within(server.close(Reason::Done)).await;
}

/// A close with unread bytes makes the kernel reset the connection; the goodbye must not be lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_arrives_although_something_was_left_unread() {
    for _ in 0..20 {
        let Pair { client, server, .. } = pair().await;
        for _ in 0..10 {
            within(server.send_control(&[7; 10_000])).await.unwrap();
        }
        say(&client, &server, b"before").await;
        within(client.close(Reason::Done)).await;
        assert!(within(server.next_control(NO_LIMIT)).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bare_end_of_stream_is_a_loss() {
    let (server, client) = server_of_raw_client(ServerLimits::default()).await;
    drop(client);
    let ended = within(server.next_control(NO_LIMIT)).await;
    assert!(matches!(ended, Err(Error::ConnectionLost(_))), "{ended:?}");
    assert_over(&server).await;

    let (client, server) = client_of_raw_server().await;
    drop(server);
    let ended = within(client.next_control(NO_LIMIT)).await;
    assert!(matches!(ended, Err(Error::ConnectionLost(_))), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_peer_of_a_destroyed_session_knows_at_once() {
    let Pair { client, server, .. } = pair().await;
    client.destroy();
    let ended = within(server.next_control(NO_LIMIT)).await;
    assert!(matches!(ended, Err(Error::ConnectionLost(_))), "{ended:?}");
    client.destroy();
    within(client.close(Reason::Done)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_last_handle_closes_the_socket() {
    let (server, mut client) = server_of_raw_client(ServerLimits::default()).await;
    let other = server.clone();
    drop(server);
    within(other.send_control(b"alive")).await.unwrap();
    assert_eq!(client.receive().await, (InnerType::Control, 0, b"alive".to_vec()));
    drop(other);
    assert_eq!(read_to_end(&mut client.stream).await, b"", "a bare end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_handle_keeps_the_connection() {
    let Pair { client, server, .. } = pair().await;
    let mut writer = client.body_writer(1);
    drop(client);
    let mut reader = server.body_reader(1);
    within(writer.write(b"still")).await.unwrap();
    assert_eq!(within(reader.read(10)).await.unwrap().as_deref(), Some(&b"still"[..]));
    drop(writer);
    let ended = within(reader.read(10)).await;
    assert!(matches!(ended, Err(Error::ConnectionLost(_))), "{ended:?}");
}

/// Lets `wait` begin, destroys the session, and shows that `wait` ends soon.
async fn assert_woken<T: std::fmt::Debug>(
    session: &Session,
    wait: impl Future<Output = Result<T, Error>>,
) {
    let (ended, ()) = within(async {
        tokio::join!(wait, async {
            sleep(Duration::from_millis(150)).await;
            session.destroy();
        })
    })
    .await;
    assert!(matches!(ended, Err(Error::Closed)), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn destroying_a_session_wakes_every_wait() {
    let bytes = content(32 << 20, "wake");

    let Pair { client, server, .. } = pair().await;
    assert_woken(&client, client.next_control(NO_LIMIT)).await;
    drop(server);

    let Pair { client, server, .. } = pair().await;
    assert_woken(&client, client.next_control(Duration::from_secs(20))).await;
    drop(server);

    let Pair { client, server, .. } = pair().await;
    let transfer = Transfer::new();
    let receiving =
        async { client.receive_file(&transfer, Sink::new().staged(), 1, None).await.map(|_| ()) };
    assert_woken(&client, receiving).await;
    drop(server);

    // Nobody takes what these two send.
    let Pair { client, server, .. } = pair().await;
    let transfer = Transfer::new();
    let source = MemorySource::shared(&bytes);
    assert_woken(&client, client.send_file(&transfer, source, 1, 0, 32 << 20)).await;
    drop(server);

    let Pair { client, server, .. } = pair().await;
    assert_woken(&client, async { client.body_writer(1).write(&bytes).await }).await;
    drop(server);

    let Pair { client, server, .. } = pair().await;
    assert_woken(&client, async { client.body_reader(1).read(1).await }).await;
    drop(server);

    let Pair { client, server, .. } = pair().await;
    assert_woken(&client, async { client.body_reader(1).stop(Reason::Cancelled).await }).await;
    drop(server);

    // A transfer that waits for another task's wait for messages.
    let Pair { client, server, .. } = pair().await;
    let transfer = Transfer::new();
    let both = async {
        let source = MemorySource::shared(&bytes);
        let (message, sent) = tokio::join!(
            client.next_control(NO_LIMIT),
            client.send_file(&transfer, source, 1, 0, 5)
        );
        assert!(matches!(message, Err(Error::Closed)), "{message:?}");
        sent
    };
    assert_woken(&client, both).await;
    drop(server);

    // A transfer that waits for its turn.
    let mut limits = ServerLimits::default();
    limits.max_transfers = 0;
    let Pair { client, server, .. } = pair_with(limits, ClientLimits::default()).await;
    let transfer = Transfer::new();
    let source = MemorySource::shared(&bytes);
    assert_woken(&server, server.send_file(&transfer, source, 1, 0, 5)).await;
    drop(client);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_waits_for_its_turn_can_be_cancelled() {
    let mut limits = ServerLimits::default();
    limits.max_transfers = 0;
    let Pair { client, server, .. } = pair_with(limits, ClientLimits::default()).await;
    let (sending, receiving, sink) = (Transfer::new(), Transfer::new(), Sink::new());
    let (sent, received, ()) = within(async {
        tokio::join!(
            server.send_file(&sending, MemorySource::shared(b"never"), 1, 0, 5),
            client.receive_file(&receiving, sink.staged(), 1, Some(5)),
            async {
                sleep(Duration::from_millis(50)).await;
                sending.cancel();
            }
        )
    })
    .await;
    assert!(matches!(sent, Err(Error::Aborted)), "{sent:?}");
    assert!(matches!(received.map(|_| ()), Err(Error::PeerAborted(Reason::Cancelled))));

    let (sending, receiving) = (Transfer::new(), Transfer::new());
    let bytes = content(32 << 20, "declined");
    let (sent, received, ()) = within(async {
        tokio::join!(
            client.send_file(&sending, MemorySource::shared(&bytes), 2, 0, 32 << 20),
            server.receive_file(&receiving, Sink::new().staged(), 2, None),
            async {
                sleep(Duration::from_millis(50)).await;
                receiving.cancel();
            }
        )
    })
    .await;
    assert!(matches!(sent, Err(Error::PeerStopped(Reason::Cancelled))), "{sent:?}");
    assert!(matches!(received.map(|_| ()), Err(Error::Aborted)));
    say(&client, &server, b"usable").await;
    say(&server, &client, b"usable").await;
}

/// The limit counts from the last message, in whatever state the socket was left by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_peer_times_out() {
    for messages in 0..3 {
        let Pair { client, server, .. } = pair().await;
        for _ in 0..messages {
            say(&client, &server, b"hello").await;
        }
        let idle = within(server.next_control(SHORT)).await;
        assert!(matches!(idle, Err(Error::Timeout(_))), "{idle:?}");
        assert_over(&server).await;
        let ended = within(client.next_control(NO_LIMIT)).await;
        assert!(matches!(ended, Err(Error::ConnectionLost(_))), "{ended:?}");
    }
}

/// Runs on a clock that jumps whenever nothing is left to do but wait.
#[tokio::test]
async fn without_a_limit_the_wait_for_a_message_never_ends() {
    let mut pairs = Vec::new();
    for messages in 0..3 {
        let pair = pair().await;
        for _ in 0..messages {
            say(&pair.client, &pair.server, b"hello").await;
        }
        pairs.push(pair);
    }
    for Pair { client, server, .. } in pairs {
        tokio::time::pause();
        let mut waiting = pin!(server.next_control(NO_LIMIT));
        let day = Duration::from_secs(86_400);
        assert!(tokio::time::timeout(day, &mut waiting).await.is_err(), "ended within a day");
        tokio::time::resume();
        within(client.send_control(b"good morning")).await.unwrap();
        let message = within(waiting).await.unwrap();
        assert_eq!(message.as_deref(), Some(&b"good morning"[..]));
    }
}

#[tokio::test]
async fn half_a_message_times_out_without_a_limit_too() {
    let (server, mut client) = server_of_raw_client(ServerLimits::default()).await;
    let record = client.seal(InnerType::Control, 0, b"slow");
    client.send_bytes(&record[..record.len() - 1]).await;
    // The half has arrived before the clock jumps.
    assert!(tokio::time::timeout(SHORT, server.next_control(NO_LIMIT)).await.is_err());
    tokio::time::pause();
    let ended = server.next_control(NO_LIMIT).await;
    assert!(matches!(ended, Err(Error::Timeout(_))), "{ended:?}");
    assert!(server.is_closed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_is_dropped_loses_nothing() {
    let (server, mut client) = server_of_raw_client(ServerLimits::default()).await;
    let record = client.seal(InnerType::Control, 0, b"in pieces");
    for piece in record.chunks(9) {
        client.send_bytes(piece).await;
        if piece.len() == 9 {
            let dropped =
                tokio::time::timeout(Duration::from_millis(20), server.next_control(NO_LIMIT));
            assert!(dropped.await.is_err());
        }
    }
    let message = within(server.next_control(NO_LIMIT)).await.unwrap();
    assert_eq!(message.as_deref(), Some(&b"in pieces"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_every_allowed_length() {
    let Pair { client, server, .. } = pair().await;
    for len in [1, 55, 56, 57, 1000, MAX_CONTROL_CONTENT - 1, MAX_CONTROL_CONTENT] {
        say(&client, &server, &content(len, "control")).await;
        say(&server, &client, &content(len, "control")).await;
    }
    for len in [0, MAX_CONTROL_CONTENT + 1, 1 << 20] {
        let sent = within(client.send_control(&vec![1; len])).await;
        let refused = CoreError::Misuse(Misuse::ContentLength);
        assert!(matches!(sent, Err(Error::Core(error)) if error == refused), "{sent:?}");
    }
    say(&client, &server, b"a mistake of the caller costs nothing").await;
}

/// Messages in each direction.
const COUNT: u32 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_and_waits_run_side_by_side() {
    let Pair { client, server, .. } = pair().await;
    let send = |session: Session| async move {
        for number in 0..COUNT {
            session.send_control(&number.to_be_bytes()).await.unwrap();
        }
    };
    let receive = |session: Session| async move {
        for number in 0..COUNT {
            let message = session.next_control(NO_LIMIT).await.unwrap();
            assert_eq!(message.as_deref(), Some(&number.to_be_bytes()[..]));
        }
    };
    within(async {
        tokio::join!(
            send(client.clone()),
            receive(client.clone()),
            send(server.clone()),
            receive(server.clone())
        )
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_in_the_middle_of_a_body_is_no_success() {
    let Pair { client, server, .. } = pair().await;
    let mut writer = client.body_writer(1);
    within(writer.write(b"half")).await.unwrap();
    within(client.close(Reason::ShuttingDown)).await;
    let (sink, transfer) = (Sink::new(), Transfer::new());
    let received = within(server.receive_file(&transfer, sink.staged(), 1, None)).await;
    assert!(matches!(received.map(|_| ()), Err(Error::Closed)));
    assert!(server.is_closed() && sink.is_dropped());

    let Pair { client, server, .. } = pair().await;
    let mut writer = client.body_writer(1);
    within(writer.write(b"half")).await.unwrap();
    within(client.close(Reason::ShuttingDown)).await;
    let mut reader = server.body_reader(1);
    assert!(within(reader.read(10)).await.unwrap().is_some());
    let ended = within(reader.read(10)).await;
    assert!(matches!(ended, Err(Error::Closed)), "{ended:?}");
    assert!(server.is_closed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_does_not_wait_for_a_body_that_stands_still() {
    let Pair { client, server, .. } = impatient_pair().await;
    let (patient, _silent) = client_of_raw_server().await;
    let (transfer, sink) = (Transfer::new(), Sink::new());
    let (received, ()) = within(async {
        tokio::join!(patient.receive_file(&transfer, sink.staged(), 1, None), async {
            sleep(Duration::from_millis(100)).await;
            patient.close(Reason::Cancelled).await;
        })
    })
    .await;
    assert!(matches!(received.map(|_| ()), Err(Error::Closed)));
    drop((client, server));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_closes() {
    let listener = listen(ServerLimits::default());
    let address = listener.address();
    let client = dial_in(address).await.unwrap();
    let server = next(&listener).await.accept();
    let half_open = dial(address).await.unwrap();
    listener.close();
    listener.close();
    assert!(within(listener.next()).await.is_none());
    // What was under way is over, new peers find nobody, the session lives on.
    let identity = identity();
    if let Ok(session) = within(half_open.authenticate(&identity)).await {
        assert!(within(session.next_control(NO_LIMIT)).await.is_err());
    }
    let mut refused = None;
    until("nobody listens", || {
        refused = std::net::TcpStream::connect(address).err();
        refused.is_some()
    })
    .await;
    let gone = within(connect("127.0.0.1", address.port(), ClientLimits::default())).await;
    assert!(matches!(gone, Err(Error::Connect(_))), "{gone:?}");
    say(&client, &server, b"still here").await;
    drop(listener);
    say(&server, &client, b"still here").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_counts() {
    let listener = listen(ServerLimits::default());
    let accepted = dial_in(listener.address()).await.unwrap();
    let server = next(&listener).await.accept();
    assert_eq!(listener.stats().open, 1);
    let refused = dial_in(listener.address()).await.unwrap();
    let (ended, ()) = within(async {
        tokio::join!(refused.next_control(NO_LIMIT), next(&listener).await.refuse())
    })
    .await;
    assert!(matches!(ended, Err(Error::Refused)), "{ended:?}");
    let dropped = dial_in(listener.address()).await.unwrap();
    drop(next(&listener).await);
    let ended = within(dropped.next_control(NO_LIMIT)).await;
    assert!(matches!(ended, Err(Error::ConnectionLost(_))), "{ended:?}");
    until("the places are free again", || listener.stats().open == 1).await;
    accepted.destroy();
    // The server has a handle, but nothing to wait for; it finds out when it asks.
    assert!(within(server.next_control(NO_LIMIT)).await.is_err());
    until("the place is free although a handle is held", || listener.stats().open == 0).await;
    let stats = listener.stats();
    assert_eq!((stats.accepted, stats.refused, stats.failed), (3, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_to_connect_to() {
    let unknown = connect("host.invalid", 1, ClientLimits::default());
    assert!(matches!(within(unknown).await, Err(Error::UnknownHost(_) | Error::Timeout(_))));
}

#[tokio::test]
async fn all_addresses_of_both_families_share_a_port() {
    let bind = |host: IpAddr, port| {
        Listener::bind((host, port).into(), Arc::new(identity()), ServerLimits::default()).unwrap()
    };
    let v4 = bind(Ipv4Addr::UNSPECIFIED.into(), 0);
    let v6 = bind(Ipv6Addr::UNSPECIFIED.into(), v4.address().port());
    assert_eq!(v6.address().port(), v4.address().port());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reserved_place_is_given_back_with_its_connection_and_never_waited_for_twice() {
    let mut limits = ServerLimits::default();
    limits.max_transfers = 1;
    let listener = listen(limits);
    let first_client = dial_in(listener.address()).await.unwrap();
    let second_client = dial_in(listener.address()).await.unwrap();
    let (first, second) = (next(&listener).await.accept(), next(&listener).await.accept());
    let transfer = Transfer::new();
    within(first.reserve_pump(&transfer)).await.unwrap();
    within(first.reserve_pump(&transfer)).await.unwrap();
    // The handle of the dead session is still held, as JavaScript may hold it.
    first.destroy();
    within(second.reserve_pump(&transfer)).await.unwrap();
    assert!(matches!(within(first.reserve_pump(&transfer)).await, Err(Error::Closed)));
    drop((first_client, second_client));
}
