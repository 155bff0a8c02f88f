//! Lanes between honest ends: what they carry, whose they are, how many there may be, and when
//! they end.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

mod common;

use std::collections::HashSet;
use std::time::Duration;

use common::files::{Gate, Sink, content};
use common::lanes::{check_moves, join, lane, receive, send};
use common::raw::{HalfOpen, RawPeer, read_to_end};
use common::{
    NO_LIMIT, Pair, dial_in, listen, loopback, next, pair, pair_with, say, until, within,
};
use e2eeftp_core::record::InnerType;
use e2eeftp_core::transfer::Reason;
use e2eeftp_net::{ClientLimits, Error, Lane, MAX_LANES, ServerLimits, Session, Transfer};
use tokio::time::timeout;

async fn connect_lane(client: &Session, id: &[u8; 32]) -> Result<Lane, Error> {
    within(client.connect_lane(id, &ClientLimits::default())).await
}

async fn assert_refused(client: &Session, id: &[u8; 32]) {
    let refused = connect_lane(client, id).await;
    assert!(matches!(refused, Err(Error::Refused)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_go_both_ways_beside_the_session() {
    let pair = pair().await;
    let offer = pair.server.offer_lanes(3).unwrap();
    let mut lanes = Vec::new();
    for index in 0..3 {
        lanes.push(join(&pair.client, &offer, index).await);
    }
    for stream in 1..3 {
        for (client, server) in &lanes {
            check_moves(client, server, stream).await;
            check_moves(server, client, stream).await;
        }
        pair.check_usable().await;
    }
    // All at once, and one that stands still holds nobody up.
    let (gate, bytes) = (Gate::default(), content(3_000_000, "held"));
    let held = Sink::held_at(1_000_000, &gate);
    let slow = async { tokio::join!(send(&lanes[0].0, &bytes, 9), receive(&lanes[0].1, &held, 9)) };
    let others = async {
        gate.reached().await;
        tokio::join!(
            check_moves(&lanes[1].0, &lanes[1].1, 9),
            check_moves(&lanes[2].1, &lanes[2].0, 9),
            pair.check_usable()
        );
        gate.open();
    };
    let ((sent, received), ()) = within(async { tokio::join!(slow, others) }).await;
    assert_eq!(sent.unwrap(), received.unwrap());
    assert_eq!(held.bytes(), bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_belongs_to_its_session_and_is_no_login() {
    let listener = listen(ServerLimits::default());
    let mut names = HashSet::new();
    for _ in 0..2 {
        let client = dial_in(listener.address()).await.unwrap();
        let server = next(&listener).await.accept();
        for _ in 0..2 {
            let (here, there) = lane(&client, &server).await;
            assert_eq!(here.id(), there.id());
            assert!(names.insert(here.id()), "lanes have names of their own");
            for end in [&here, &there] {
                assert_eq!(end.session_id(), server.session_id());
                assert_ne!(end.id(), end.session_id());
            }
            assert_eq!(here.address(), listener.address());
            check_moves(&here, &there, 1).await;
        }
    }
    let nobody = timeout(Duration::from_millis(100), listener.next()).await;
    assert!(nobody.is_err(), "{nobody:?}");
    assert_eq!((listener.stats().accepted, listener.stats().failed), (6, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_reaches_its_server_at_another_address() {
    let first = listen(ServerLimits::default());
    let second = first.bind_beside(loopback()).unwrap();
    let client = RawPeer::client(first.address()).await;
    let server = next(&first).await.accept();
    let offer = server.offer_lanes(1).unwrap();
    let lane = RawPeer::lane(second.address(), client.join(&offer.ids()[0])).await;
    let there = within(offer.next()).await.unwrap();
    assert_eq!(there.address(), lane.stream.local_addr().unwrap());
    assert_eq!(there.session_id(), server.session_id());
    // Each address is closed on its own.
    let offer = server.offer_lanes(1).unwrap();
    second.close();
    RawPeer::lane(first.address(), client.join(&offer.ids()[0])).await;
    within(offer.next()).await.unwrap();
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    ServerDestroys,
    ServerCloses,
    ServerDrops,
    ClientDestroys,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_end_with_their_session() {
    for end in [End::ServerDestroys, End::ServerCloses, End::ServerDrops, End::ClientDestroys] {
        let Pair { client, server, listener } = pair().await;
        let offer = server.offer_lanes(3).unwrap();
        let (idle, idle_there) = join(&client, &offer, 0).await;
        let (busy, busy_there) = join(&client, &offer, 1).await;
        check_moves(&idle, &idle_there, 1).await;
        // Its sender never comes.
        let waiting = tokio::spawn(async move { receive(&busy_there, &Sink::new(), 1).await });
        let left = offer.ids()[2];
        match end {
            End::ServerDestroys => server.destroy(),
            End::ServerCloses => within(server.close(Reason::ShuttingDown)).await,
            End::ServerDrops => drop(server),
            End::ClientDestroys => {
                client.destroy();
                assert!(within(server.next_control(NO_LIMIT)).await.is_err());
            }
        }
        let waited = within(waiting).await.unwrap();
        let is_end = |error: &Error| matches!(error, Error::Closed | Error::ConnectionLost(_));
        assert!(waited.as_ref().is_err_and(is_end), "{end:?}: {waited:?}");
        until("the idle lane is closed", || idle_there.is_closed()).await;
        assert!(within(offer.next()).await.is_none(), "{end:?}");
        until("all places are free", || listener.stats().open == 0).await;

        let refused = connect_lane(&client, &left).await;
        if end == End::ClientDestroys {
            assert!(matches!(refused, Err(Error::Closed)), "{refused:?}");
        } else {
            assert!(matches!(refused, Err(Error::Refused)), "{end:?}: {refused:?}");
            let told = within(client.next_control(NO_LIMIT)).await;
            assert!(!matches!(told, Ok(Some(_))), "{end:?}: {told:?}");
        }
        assert!(idle.is_closed() && busy.is_closed(), "{end:?}: the client's ends");
        let received = receive(&idle, &Sink::new(), 2).await;
        assert!(matches!(received, Err(Error::Closed)), "{end:?}: {received:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_has_ended_hands_nothing_out() {
    let Pair { client, server, .. } = pair().await;
    server.destroy();
    assert!(matches!(server.offer_lanes(1), Err(Error::Closed)));
    client.destroy();
    assert!(matches!(connect_lane(&client, &[7; 32]).await, Err(Error::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_side_has_its_part() {
    let Pair { client, server, .. } = pair().await;
    let offered = client.offer_lanes(1);
    assert_eq!(offered.unwrap_err().code(), "E2EEFTP_INTERNAL");
    let joined = connect_lane(&server, &[7; 32]).await;
    assert_eq!(joined.unwrap_err().code(), "E2EEFTP_INTERNAL");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_lanes_than_a_session_may_have() {
    let Pair { client, server, listener } = pair().await;
    let offer = server.offer_lanes(MAX_LANES + 5).unwrap();
    assert_eq!(offer.ids().len(), MAX_LANES);
    assert_eq!(offer.ids().iter().collect::<HashSet<_>>().len(), MAX_LANES);
    let empty = server.offer_lanes(1).unwrap();
    assert!(empty.ids().is_empty());
    assert!(within(empty.next()).await.is_none(), "none can come");

    let mut lanes = Vec::new();
    for index in 0..MAX_LANES {
        lanes.push(join(&client, &offer, index).await);
    }
    assert!(within(offer.next()).await.is_none(), "all ids are used up");
    assert_refused(&client, &offer.ids()[0]).await;
    assert_refused(&client, &[0; 32]).await;
    assert!(server.offer_lanes(1).unwrap().ids().is_empty(), "the lanes count");
    drop(offer);
    for (here, there) in &lanes {
        check_moves(here, there, 1).await;
    }
    // A lane that has ended leaves its place; another session has places of its own.
    drop(lanes.pop());
    until("a place is free", || listener.stats().open == 1 + lanes.len() as u64).await;
    let (here, there) = lane(&client, &server).await;
    check_moves(&here, &there, 1).await;
    let other = dial_in(listener.address()).await.unwrap();
    let its_server = next(&listener).await.accept();
    assert_eq!(its_server.offer_lanes(MAX_LANES).unwrap().ids().len(), MAX_LANES);
    drop(other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_offer_leaves_nothing() {
    let Pair { client, server, listener } = pair().await;
    let offer = server.offer_lanes(MAX_LANES).unwrap();
    let (taken, taken_there) = join(&client, &offer, 0).await;
    let left = connect_lane(&client, &offer.ids()[1]).await.unwrap();
    until("it waits to be taken", || listener.stats().open == 3).await;
    let ids = offer.ids().to_vec();
    drop(offer);
    for id in &ids {
        assert_refused(&client, id).await;
    }
    // Who came in vain is told.
    let told = receive(&left, &Sink::new(), 1).await;
    assert!(matches!(told, Err(Error::Closed)), "{told:?}");
    check_moves(&taken, &taken_there, 1).await;
    until("the places are free", || listener.stats().open == 2).await;
    assert_eq!(server.offer_lanes(MAX_LANES).unwrap().ids().len(), MAX_LANES - 1);
}

/// On one thread nothing runs between the two.
#[tokio::test]
async fn a_withdrawn_offer_is_gone_at_once() {
    let Pair { server, client: _client, .. } = pair().await;
    drop(server.offer_lanes(MAX_LANES).unwrap());
    assert_eq!(server.offer_lanes(MAX_LANES).unwrap().ids().len(), MAX_LANES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_comes_after_its_offer_is_gone() {
    let listener = listen(ServerLimits::default());
    let client = RawPeer::client(listener.address()).await;
    let server = next(&listener).await.accept();
    let offer = server.offer_lanes(1).unwrap();
    let late = HalfOpen::joining(listener.address(), client.join(&offer.ids()[0])).await;
    drop(offer);
    let mut late = late.finish_joined().await;
    let (kind, _, reason) = late.receive().await;
    assert_eq!((kind, &reason[..]), (InnerType::Close, &Reason::Cancelled.to_wire()[..]));
    assert_eq!(read_to_end(&mut late.stream).await, b"");
    until("its place is free", || listener.stats().open == 1).await;
    assert_eq!(server.offer_lanes(MAX_LANES).unwrap().ids().len(), MAX_LANES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_expire() {
    let mut limits = ServerLimits::default();
    limits.join_id_lifetime = Duration::from_secs(2);
    let Pair { client, server, listener } = pair_with(limits, ClientLimits::default()).await;
    let offer = server.offer_lanes(MAX_LANES).unwrap();
    let (here, there) = join(&client, &offer, 0).await;
    assert!(within(offer.next()).await.is_none(), "the ids have expired");
    assert_refused(&client, &offer.ids()[1]).await;
    // What has come lives on, and there are new ids.
    check_moves(&here, &there, 1).await;
    assert_eq!(server.offer_lanes(MAX_LANES).unwrap().ids().len(), MAX_LANES - 1);
    assert_eq!(listener.stats().failed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_is_a_connection_like_any_other() {
    let mut limits = ServerLimits::default();
    limits.max_connections = 2;
    let Pair { client, server, listener } = pair_with(limits, ClientLimits::default()).await;
    let offer = server.offer_lanes(2).unwrap();
    let (here, there) = join(&client, &offer, 0).await;
    assert_eq!(listener.stats().open, 2);
    // Nothing is read of one too many, so its id stays good.
    for _ in 0..2 {
        let busy = connect_lane(&client, &offer.ids()[1]).await;
        assert!(matches!(busy, Err(Error::Busy)), "{busy:?}");
    }
    within(here.close(Reason::Done)).await;
    let told = receive(&there, &Sink::new(), 1).await;
    assert!(matches!(told, Err(Error::Closed)), "a goodbye and not a loss: {told:?}");
    until("the place is free", || listener.stats().open == 1).await;
    let (here, there) = join(&client, &offer, 1).await;
    check_moves(&here, &there, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_and_sessions_share_the_places_for_pumps() {
    let mut limits = ServerLimits::default();
    limits.max_transfers = 1;
    let pair = pair_with(limits, ClientLimits::default()).await;
    let (here, there) = lane(&pair.client, &pair.server).await;
    let (_other_here, other_there) = lane(&pair.client, &pair.server).await;
    other_there.reserve_pump(&Transfer::new()).await.unwrap();
    // It has to wait, and can be called off.
    let transfer = Transfer::new();
    let pump = there.run_pump(&transfer, 1, |_, _| Ok(()));
    let (ran, ()) = within(async {
        tokio::join!(pump, async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            transfer.cancel();
        })
    })
    .await;
    assert!(matches!(ran, Err(Error::Aborted)), "{ran:?}");
    // A lane that ends gives back what it had reserved.
    other_there.destroy();
    check_moves(&here, &there, 2).await;
    pair.check_usable().await;
    assert!(matches!(other_there.reserve_pump(&Transfer::new()).await, Err(Error::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_costs_its_session_nothing_when_it_fails() {
    let pair = pair().await;
    let offer = pair.server.offer_lanes(3).unwrap();
    let (failing, there) = join(&pair.client, &offer, 0).await;
    let receiving = tokio::spawn(async move {
        let received = receive(&there, &Sink::new(), 1).await;
        (received, there)
    });
    failing.destroy();
    let (received, there) = within(receiving).await.unwrap();
    assert!(matches!(received, Err(Error::ConnectionLost(_))), "{received:?}");
    assert!(there.is_closed());
    // A pump that panics takes its lane with it, and nothing else.
    let (here, panicking) = join(&pair.client, &offer, 1).await;
    let transfer = Transfer::new();
    let failed = panicking.run_pump(&transfer, 1, |_, _| -> Result<(), Error> {
        panic!("on purpose");
    });
    assert!(matches!(within(failed).await, Err(Error::Io(..))));
    assert!(panicking.is_closed());
    assert!(receive(&here, &Sink::new(), 1).await.is_err());
    pair.check_usable().await;
    let (here, there) = join(&pair.client, &offer, 2).await;
    check_moves(&here, &there, 1).await;
    say(&pair.client, &pair.server, b"still here").await;
}
