//! A peer that has proved itself and holds the keys, and says the wrong thing at the wrong time.

use e2eeftp_core::record::{InnerType, MAX_CONTENT};
use e2eeftp_core::transfer::{End, Reason};
use e2eeftp_core::{Error as CoreError, PeerFault};
use e2eeftp_net::{Error, ServerLimits, Session, Transfer};

use crate::common::files::{MemorySource, Sink, content};
use crate::common::raw::{RawPeer, server_of_raw_client};
use crate::common::{NO_LIMIT, root, within};

async fn peers() -> (Session, RawPeer) {
    server_of_raw_client(ServerLimits::default()).await
}

async fn receive(session: &Session, stream: u32) -> Result<Vec<u8>, Error> {
    let (sink, transfer) = (Sink::new(), Transfer::new());
    let received = within(session.receive_file(&transfer, sink.staged(), stream, None)).await;
    received.map(|_| sink.bytes())
}

async fn read(session: &Session, stream: u32) -> Result<Vec<u8>, Error> {
    let mut reader = session.body_reader(stream);
    let mut bytes = Vec::new();
    while let Some(piece) = within(reader.read(1 << 20)).await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn end_of(bytes: &[u8]) -> [u8; End::WIRE_LEN] {
    End { total: bytes.len() as u64, root: root(bytes) }.to_wire()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_nobody_asked_for() {
    let reason = Reason::Cancelled.to_wire();
    let records: [(InnerType, &[u8]); 3] =
        [(InnerType::Data, b"x"), (InnerType::End, &end_of(b"")), (InnerType::Abort, &reason)];
    for (kind, content) in records {
        let (session, mut peer) = peers().await;
        peer.send(InnerType::Control, 0, b"before").await;
        peer.send(kind, 1, content).await;
        peer.send(InnerType::Control, 0, b"after").await;
        assert!(within(session.next_control(NO_LIMIT)).await.unwrap().is_some());
        let ended = within(session.next_control(NO_LIMIT)).await;
        assert!(matches!(ended, Err(Error::Protocol(_))), "{kind:?}: {ended:?}");
        assert!(session.is_closed());
        assert!(within(session.next_control(NO_LIMIT)).await.is_err(), "nothing after it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_that_nobody_has_defined() {
    let refused = |ended: &Result<Vec<u8>, Error>| matches!(ended, Err(Error::Protocol(_)));
    for flags in [1, 0x80] {
        let (session, mut peer) = peers().await;
        let record = peer.seal_flagged(InnerType::Control, flags, 0, b"flagged");
        peer.send_bytes(&record).await;
        let ended = within(session.next_control(NO_LIMIT)).await;
        assert!(matches!(ended, Err(Error::Protocol(_))), "{ended:?}");
        for kind in [InnerType::Data, InnerType::End] {
            for is_pump in [true, false] {
                let (session, mut peer) = peers().await;
                let content = if kind == InnerType::End { end_of(b"").to_vec() } else { vec![7] };
                let record = peer.seal_flagged(kind, flags, 1, &content);
                peer.send_bytes(&record).await;
                let ended =
                    if is_pump { receive(&session, 1).await } else { read(&session, 1).await };
                assert!(refused(&ended), "{kind:?}: {ended:?}");
                assert!(session.is_closed());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_belong_into_a_body() {
    let end = end_of(b"onetwo");
    let records: [(InnerType, u32, &[u8]); 4] = [
        (InnerType::Control, 0, b"now?"),
        (InnerType::Data, 8, b"of another"),
        (InnerType::End, 8, &end),
        (InnerType::Abort, 8, &[0, 1]),
    ];
    for (kind, stream, content) in records {
        for is_pump in [true, false] {
            let (session, mut peer) = peers().await;
            peer.send(InnerType::Data, 7, b"one").await;
            peer.send(kind, stream, content).await;
            peer.send(InnerType::Data, 7, b"two").await;
            peer.send(InnerType::End, 7, &end).await;
            let ended = if is_pump { receive(&session, 7).await } else { read(&session, 7).await };
            assert!(matches!(ended, Err(Error::Protocol(_))), "{kind:?}: {ended:?}");
            assert!(session.is_closed());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_stand_in_a_body() {
    for is_pump in [true, false] {
        let (session, mut peer) = peers().await;
        // A Stop of a body that is over may come late; a new key may come at any time; a record
        // may be empty, or larger than those of our own sender.
        let large = content(MAX_CONTENT, "large");
        peer.send(InnerType::Stop, 3, &Reason::Io.to_wire()).await;
        peer.send(InnerType::Data, 7, b"").await;
        peer.send(InnerType::KeyUpdate, 0, b"").await;
        peer.send(InnerType::Data, 7, &large).await;
        peer.send(InnerType::KeyUpdate, 0, b"").await;
        peer.send(InnerType::KeyUpdate, 0, b"").await;
        peer.send(InnerType::End, 7, &end_of(&large)).await;
        peer.send(InnerType::Stop, 3, &Reason::Io.to_wire()).await;
        peer.send(InnerType::KeyUpdate, 0, b"").await;
        peer.send(InnerType::Control, 0, b"after").await;
        let received =
            if is_pump { receive(&session, 7).await } else { read(&session, 7).await }.unwrap();
        assert!(received == large);
        let after = within(session.next_control(NO_LIMIT)).await.unwrap();
        assert_eq!(after.as_deref(), Some(&b"after"[..]));
    }
}

/// What was received ahead of a body of our own, and is looked at during it, stays in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_received_ahead_of_sending() {
    let (session, mut peer) = peers().await;
    let stop = Reason::Io.to_wire();
    let body = peer.seal(InnerType::End, 1, &end_of(b""));
    let ahead = peer.seal(InnerType::Stop, 1, &stop);
    let message = peer.seal(InnerType::Control, 0, b"kept");
    peer.send_bytes(&[body, ahead, message].concat()).await;
    assert_eq!(receive(&session, 1).await.unwrap(), b"");
    // Makes the sender look.
    peer.send(InnerType::Stop, 1, &stop).await;
    let (transfer, source) = (Transfer::new(), MemorySource::shared(b"ours"));
    within(session.send_file(&transfer, source, 2, 0, 4)).await.unwrap();
    assert_eq!(peer.receive().await, (InnerType::Data, 2, b"ours".to_vec()));
    assert_eq!(peer.receive().await, (InnerType::End, 2, end_of(b"ours").to_vec()));
    let kept = within(session.next_control(NO_LIMIT)).await.unwrap();
    assert_eq!(kept.as_deref(), Some(&b"kept"[..]));
}

/// The peer of a sender speaks while the sender is blocked, so that it must be heard.
async fn send_while_peer_says(
    records: &[(InnerType, u32, Vec<u8>)],
    is_pump: bool,
) -> Result<(), Error> {
    let (session, mut peer) = peers().await;
    let bytes = content(16 << 20, "sending");
    for (kind, stream, content) in records {
        peer.send(*kind, *stream, content).await;
    }
    let transfer = Transfer::new();
    let sending = async {
        if is_pump {
            let source = MemorySource::shared(&bytes);
            session.send_file(&transfer, source, 7, 0, 16 << 20).await.map(|_| ())
        } else {
            let mut writer = session.body_writer(7);
            for piece in bytes.chunks(100_000) {
                writer.write(piece).await?;
            }
            writer.finish().await.map(|_| ())
        }
    };
    let draining = async {
        loop {
            let mut record = crate::common::raw::read_record(&mut peer.stream).await?;
            // The last record of a body is short.
            if record.len() < 200 {
                record.clear();
                return Ok::<(), std::io::Error>(());
            }
        }
    };
    let (sent, _) = within(async { tokio::join!(sending, draining) }).await;
    assert_eq!(session.is_closed(), sent.as_ref().is_err_and(|error| !error.keeps_session()));
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_receiver_of_a_body_may_say() {
    let stop = |stream, reason: Reason| (InnerType::Stop, stream, reason.to_wire().to_vec());
    let update = || (InnerType::KeyUpdate, 0, Vec::new());
    for is_pump in [true, false] {
        let notice = |content: &[u8]| (InnerType::Data, 7, content.to_vec());
        let harmless = [
            vec![],
            vec![stop(6, Reason::Io)],
            vec![update(), stop(6, Reason::Io)],
            vec![notice(&[]), notice(&[1]), notice(&[1]), update(), notice(&[])],
        ];
        for records in harmless {
            send_while_peer_says(&records, is_pump).await.unwrap();
        }
        let stops = [
            vec![stop(7, Reason::NoSpace)],
            vec![update(), stop(7, Reason::NoSpace)],
            vec![stop(5, Reason::Io), update(), stop(6, Reason::Io), stop(7, Reason::NoSpace)],
        ];
        for records in stops {
            let sent = send_while_peer_says(&records, is_pump).await;
            assert!(matches!(sent, Err(Error::PeerStopped(Reason::NoSpace))), "{sent:?}");
        }
        // A reason of a later version is a reason.
        let unknown = [(InnerType::Stop, 7, vec![0x12, 0x34])];
        let sent = send_while_peer_says(&unknown, is_pump).await;
        let is_told = matches!(sent, Err(Error::PeerStopped(Reason::Unknown(0x1234))));
        assert!(is_told, "{sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_receiver_of_a_body_may_not_say() {
    let records = [
        (InnerType::Control, 0, b"hello?".to_vec()),
        (InnerType::Data, 7, b"mine".to_vec()),
        (InnerType::Data, 7, vec![0]),
        (InnerType::Data, 7, vec![1, 1]),
        (InnerType::Data, 8, Vec::new()),
        (InnerType::End, 7, end_of(b"").to_vec()),
        (InnerType::Abort, 7, vec![0, 1]),
    ];
    for is_pump in [true, false] {
        for record in &records {
            let sent = send_while_peer_says(std::slice::from_ref(record), is_pump).await;
            assert!(matches!(sent, Err(Error::Protocol(_))), "{record:?}: {sent:?}");
        }
        let goodbye = [(InnerType::Close, 0, vec![0, 8])];
        let sent = send_while_peer_says(&goodbye, is_pump).await;
        assert!(matches!(sent, Err(Error::Closed)), "{sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_of_a_body_that_was_never_sent() {
    for (stream, content) in [(1, &[][..]), (8, &[1])] {
        let (session, mut peer) = peers().await;
        if stream == 8 {
            let (transfer, source) = (Transfer::new(), MemorySource::shared(b""));
            within(session.send_file(&transfer, source, 7, 0, 0)).await.unwrap();
            peer.send(InnerType::Data, 7, content).await;
        }
        peer.send(InnerType::Data, stream, content).await;
        let heard = within(session.next_control(NO_LIMIT)).await;
        assert!(matches!(heard, Err(Error::Protocol(_))), "{heard:?}");
        assert!(session.is_closed());
    }
}

/// Each new key is a step of work and nothing else: no memory, no stack.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_new_keys() {
    let (session, mut peer) = peers().await;
    let mut flood = Vec::new();
    for _ in 0..20_000 {
        flood.extend_from_slice(&peer.seal(InnerType::KeyUpdate, 0, b""));
    }
    let stop = peer.seal(InnerType::Stop, 7, &Reason::NoSpace.to_wire());
    let control = peer.seal(InnerType::Control, 0, b"after the flood");
    let bytes = content(4 << 20, "flooded");
    let transfer = Transfer::new();
    let (mut from, mut into) = peer.stream.split();
    let sending = async {
        let source = MemorySource::shared(&bytes);
        session.send_file(&transfer, source, 7, 0, 4 << 20).await
    };
    let flooding = async {
        use tokio::io::AsyncWriteExt;
        into.write_all(&[flood, stop, control].concat()).await.unwrap();
    };
    let draining =
        async { while crate::common::raw::read_record(&mut from).await.unwrap().len() > 200 {} };
    let (sent, (), ()) = within(async { tokio::join!(sending, flooding, draining) }).await;
    // The body may be over before the Stop behind the flood is seen.
    assert!(matches!(sent, Ok(_) | Err(Error::PeerStopped(Reason::NoSpace))), "{sent:?}");
    let after = within(session.next_control(NO_LIMIT)).await.unwrap();
    assert_eq!(after.as_deref(), Some(&b"after the flood"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_are_judged_before_anything_is_stored() {
    let headers: [([u8; 4], PeerFault); 6] = [
        ([0x52, 0xff, 0xff, 0xff], PeerFault::Length),
        ([0x52, 0x04, 0x10, 0x19], PeerFault::Length),
        ([0x52, 0, 0, 23], PeerFault::Length),
        ([0x52, 0, 0, 0], PeerFault::Length),
        ([0x51, 0, 6, 0], PeerFault::RecordKind),
        ([0x00, 0, 0, 64], PeerFault::RecordKind),
    ];
    for (header, fault) in headers {
        for way in 0..4 {
            let (session, mut peer) = peers().await;
            peer.send_bytes(&header).await;
            let bytes = content(4 << 20, "judged");
            let ended = match way {
                0 => within(session.next_control(NO_LIMIT)).await.map(|_| ()),
                1 => receive(&session, 1).await.map(|_| ()),
                2 => read(&session, 1).await.map(|_| ()),
                _ => {
                    let transfer = Transfer::new();
                    let source = MemorySource::shared(&bytes);
                    within(session.send_file(&transfer, source, 1, 0, 1 << 20)).await.map(|_| ())
                }
            };
            let expected = CoreError::Peer(fault);
            assert!(
                matches!(ended, Err(Error::Core(error)) if error == expected),
                "{header:?}, {way}: {ended:?}"
            );
            assert!(session.is_closed());
        }
    }
}

/// What follows the goodbye is not looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_comes_after_the_goodbye() {
    let (session, mut peer) = peers().await;
    let goodbye = peer.seal(InnerType::Close, 0, &Reason::Done.to_wire());
    peer.send_bytes(&[&goodbye[..], &[0x52; 500]].concat()).await;
    assert!(within(session.next_control(NO_LIMIT)).await.unwrap().is_none());
    let again = within(session.next_control(NO_LIMIT)).await;
    assert!(matches!(again, Err(Error::Closed)), "{again:?}");
}
