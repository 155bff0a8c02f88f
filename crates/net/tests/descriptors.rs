//! No connection leaves a descriptor behind. Alone in its process, because it counts them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]

mod common;

use common::files::{Sink, content};
use common::lanes::{check_moves, lane};
use common::{NO_LIMIT, dial_in, listen, move_body, next, until, within};
use e2eeftp_core::transfer::Reason;
use e2eeftp_net::ServerLimits;

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_connections_leave_nothing_behind() {
    let listener = listen(ServerLimits::default());
    let bytes = content(10_000, "descriptors");
    let mut before = 0;
    let mut kept = Vec::new();
    for round in 0..501 {
        let client = dial_in(listener.address()).await.unwrap();
        let server = next(&listener).await.accept();
        if round % 5 == 0 {
            let (sent, _) = move_body(&client, &server, &bytes, &Sink::new(), 1).await;
            sent.unwrap();
        }
        let lanes = if round % 7 == 0 { Some(lane(&client, &server).await) } else { None };
        if round % 14 == 0
            && let Some((here, there)) = &lanes
        {
            check_moves(here, there, 2).await;
        }
        match round % 4 {
            0 => {
                within(client.close(Reason::Done)).await;
                assert!(within(server.next_control(NO_LIMIT)).await.unwrap().is_none());
            }
            1 => client.destroy(),
            2 => {
                drop(client);
                assert!(within(server.next_control(NO_LIMIT)).await.is_err());
            }
            _ => drop((client, server)),
        }
        // The handles of a lane keep nothing open.
        kept.extend(lanes);
        if round == 0 {
            until("the first connection is gone", || listener.stats().open == 0).await;
            before = open_descriptors();
        }
    }
    assert_eq!(kept.len(), 72);
    until("all connections are gone", || listener.stats().open == 0).await;
    until("all descriptors are closed", || open_descriptors() <= before).await;
}
