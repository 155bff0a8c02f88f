//! Connections that want to join a session and may not, and lanes that say what no lane says.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use e2eeftp_core::PeerFault;
use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::handshake::{
    ClientSettings, Join, ServerSettings, read_client_hello, start_client,
};
use e2eeftp_core::record::InnerType;
use e2eeftp_core::transfer::Reason;
use e2eeftp_net::{ClientLimits, Error, LaneOffer, Listener, ServerLimits, Session};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::common::files::{Sink, content};
use crate::common::lanes::{check_moves, receive, send};
use crate::common::proxy::{Recording, Verdict, at, pass, proxy, record};
use crate::common::raw::{HalfOpen, RawPeer, listen_raw, read_record, read_to_end};
use crate::common::{
    NO_LIMIT, Pair, SHORT, dial_in, identity, impatient_server, listen, next, pair, until, within,
};
use crate::{assert_nobody, assert_serves, refusal};

/// A server with a session, and the client's end of it to be driven by hand.
async fn session() -> (Listener, Session, RawPeer) {
    let listener = listen(ServerLimits::default());
    let client = RawPeer::client(listener.address()).await;
    let server = next(&listener).await.accept();
    (listener, server, client)
}

fn hello(join: Join) -> Vec<u8> {
    let settings = ClientSettings { join: Some(join), ..ClientSettings::default() };
    start_client(settings, &mut OsRandom::new()).unwrap().1
}

/// Says `bytes` and nothing else; all that the server answers before it closes.
async fn answer_to(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = within(TcpStream::connect(address)).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_to_end(&mut stream).await
}

async fn assert_refused(listener: &Listener, join: Join) {
    assert_eq!(answer_to(listener.address(), &hello(join)).await, refusal());
}

/// No lane has come, and none is on its way.
async fn assert_no_lane(offer: &LaneOffer) {
    let lane = timeout(Duration::from_millis(100), offer.next()).await;
    assert!(!matches!(lane, Ok(Some(_))), "{lane:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_are_no_good_get_the_one_refusal() {
    let (listener, server, client) = session().await;
    let offer = server.offer_lanes(3).unwrap();
    let ids = offer.ids().to_vec();

    // One that nobody has handed out, with a secret that would be right for it.
    assert_refused(&listener, client.join(&[7; 32])).await;
    // One of a session that has ended.
    let over = RawPeer::client(listener.address()).await;
    let session_over = next(&listener).await.accept();
    let offer_over = session_over.offer_lanes(1).unwrap();
    session_over.destroy();
    assert_refused(&listener, over.join(&offer_over.ids()[0])).await;
    // One of another server, where it stays good.
    let elsewhere = listen(ServerLimits::default());
    assert_refused(&elsewhere, client.join(&ids[0])).await;
    // One that was used.
    let lane = RawPeer::lane(listener.address(), client.join(&ids[0])).await;
    let there = within(offer.next()).await.unwrap();
    assert_refused(&listener, client.join(&ids[0])).await;
    // A hello without a join is nobody's lane, and a joining one no login.
    assert_nobody(&listener).await;

    assert_eq!((listener.stats().failed, elsewhere.stats().failed), (3, 1));
    assert!(!there.is_closed());
    drop(lane);
    assert_serves(&listener).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_is_good_for_one_try() {
    let (listener, server, client) = session().await;
    let offer = server.offer_lanes(4).unwrap();
    let ids = offer.ids().to_vec();
    let other = RawPeer::client(listener.address()).await;
    let _server_of_other = next(&listener).await.accept();
    // Of another session of this server, all zeros as in a handshake without a join, of another id.
    let wrong = [
        Join { id: ids[0], ..other.join(&ids[0]) },
        Join { id: ids[1], secret: [0; 48].into() },
        Join { id: ids[2], ..client.join(&ids[3]) },
    ];
    for join in wrong {
        let id = join.id;
        assert_refused(&listener, join).await;
        assert_refused(&listener, client.join(&id)).await;
    }
    assert_no_lane(&offer).await;
    RawPeer::lane(listener.address(), client.join(&ids[3])).await;
    within(offer.next()).await.unwrap();
    assert!(within(offer.next()).await.is_none());
    // The places of the wrong ones are free again, that of the lane too once it has ended.
    until("the lane has ended", || listener.stats().open == 2).await;
    assert_eq!(server.offer_lanes(99).unwrap().ids().len(), e2eeftp_net::MAX_LANES);
}

/// However many come at once with the same id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_at_once_has_it() {
    let Pair { client, server, listener } = pair().await;
    let offer = server.offer_lanes(1).unwrap();
    let id = offer.ids()[0];
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.connect_lane(&id, &ClientLimits::default()).await })
        })
        .collect();
    let mut joined = Vec::new();
    for attempt in tries {
        match within(attempt).await.unwrap() {
            Ok(lane) => joined.push(lane),
            Err(error) => assert!(matches!(error, Error::Refused), "{error:?}"),
        }
    }
    assert_eq!(joined.len(), 1);
    let there = within(offer.next()).await.unwrap();
    check_moves(&joined[0], &there, 1).await;
    assert!(within(offer.next()).await.is_none());
    assert_eq!(listener.stats().failed, 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_lane_played_again() {
    let (listener, server, client) = session().await;
    let offer = server.offer_lanes(2).unwrap();
    let recording = Recording::default();
    let address = proxy(listener.address(), record(&recording), pass()).await;
    let mut lane = RawPeer::lane(address, client.join(&offer.ids()[0])).await;
    let there = within(offer.next()).await.unwrap();
    lane.send(InnerType::Data, 1, b"once").await;
    lane.send(InnerType::Close, 0, &Reason::Done.to_wire()).await;
    let received = receive(&there, &Sink::new(), 1).await;
    assert!(matches!(received, Err(Error::Closed)), "{received:?}");

    let recording = recording.lock().unwrap().clone();
    assert_eq!(recording.len(), 4, "hello, proof, data, goodbye");
    assert_eq!(answer_to(listener.address(), &recording[0]).await, refusal());
    assert_eq!(answer_to(listener.address(), &recording.concat()).await, refusal());
    // Nor does it help that the id in it is another one, which is good.
    let mut edited = recording[0].clone();
    let id = edited.windows(32).position(|window| window == offer.ids()[0]).unwrap();
    edited[id..id + 32].copy_from_slice(&offer.ids()[1]);
    assert_eq!(answer_to(listener.address(), &edited).await, refusal());
    assert_no_lane(&offer).await;
    assert_nobody(&listener).await;
}

/// Somebody on the path keeps a hello from arriving and sends it in the client's place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_hello_opens_nothing() {
    let (listener, server, client) = session().await;
    let offer = server.offer_lanes(2).unwrap();
    let stolen = client.join(&offer.ids()[0]);
    // The thief sees the server's answer, and has no key for the proof: it says what it has.
    let HalfOpen { mut stream, m1, m4, .. } = HalfOpen::joining(listener.address(), stolen).await;
    stream.write_all(&m4).await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, refusal());
    assert_eq!(answer_to(listener.address(), &m1).await, refusal());
    assert_no_lane(&offer).await;
    RawPeer::lane(listener.address(), client.join(&offer.ids()[1])).await;
    within(offer.next()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_is_good_from_the_address_of_its_session() {
    let (listener, server, client) = session().await;
    let offer = server.offer_lanes(2).unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into()).unwrap();
    let mut stream = within(socket.connect(listener.address())).await.unwrap();
    stream.write_all(&hello(client.join(&offer.ids()[0]))).await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, refusal());
    assert_refused(&listener, client.join(&offer.ids()[0])).await;
    assert_no_lane(&offer).await;
    RawPeer::lane(listener.address(), client.join(&offer.ids()[1])).await;
    within(offer.next()).await.unwrap();
}

/// A person may take time for a proof. Nobody has to touch a key for a lane.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_does_not_prove_itself() {
    let mut limits = impatient_server();
    limits.handshake_timeout = Duration::from_secs(2);
    limits.proof_timeout = Duration::from_secs(3600);
    let listener = listen(limits);
    let client = RawPeer::client(listener.address()).await;
    let server = next(&listener).await.accept();
    let offer = server.offer_lanes(1).unwrap();
    let mut silent = HalfOpen::joining(listener.address(), client.join(&offer.ids()[0])).await;
    assert_eq!(read_to_end(&mut silent.stream).await, refusal());
    assert!(within(offer.next()).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_does_not_prove_itself_ends_with_the_session() {
    let mut limits = ServerLimits::default();
    limits.handshake_timeout = Duration::from_secs(3600);
    let listener = listen(limits);
    let client = RawPeer::client(listener.address()).await;
    let server = next(&listener).await.accept();
    let offer = server.offer_lanes(1).unwrap();
    let mut orphan = HalfOpen::joining(listener.address(), client.join(&offer.ids()[0])).await;
    server.destroy();
    assert_eq!(read_to_end(&mut orphan.stream).await, refusal());
    drop(orphan);
    until("no place is taken", || listener.stats().open == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_is_no_session() {
    let (listener, server, mut client) = session().await;
    let offer = server.offer_lanes(3).unwrap();
    // To a pump that receives, and to one that sends.
    let mut lane = RawPeer::lane(listener.address(), client.join(&offer.ids()[0])).await;
    let there = within(offer.next()).await.unwrap();
    lane.send(InnerType::Control, 0, b"{DELETE everything}").await;
    let received = receive(&there, &Sink::new(), 1).await;
    assert!(matches!(received, Err(Error::Protocol(_))), "{received:?}");
    assert!(there.is_closed());

    let mut lane = RawPeer::lane(listener.address(), client.join(&offer.ids()[1])).await;
    let there = within(offer.next()).await.unwrap();
    lane.send(InnerType::Control, 0, b"{DELETE everything}").await;
    let sent = send(&there, &content(3_000_000, "lane"), 1).await;
    assert!(matches!(sent, Err(Error::Protocol(_))), "{sent:?}");
    assert!(there.is_closed());
    assert_nobody(&listener).await;
    // The session goes on, and so do its other lanes.
    client.send(InnerType::Control, 0, b"still here").await;
    let message = within(server.next_control(NO_LIMIT)).await.unwrap();
    assert_eq!(message.as_deref(), Some(&b"still here"[..]));
    let mut lane = RawPeer::lane(listener.address(), client.join(&offer.ids()[2])).await;
    let there = within(offer.next()).await.unwrap();
    // A record of the session on the lane: the keys are others.
    let record = client.seal(InnerType::Data, 1, b"of the session");
    lane.send_bytes(&record).await;
    let received = receive(&there, &Sink::new(), 1).await;
    let is_decrypt = |error: &Error| matches!(error, Error::Core(e2eeftp_core::Error::Decrypt));
    assert!(received.as_ref().is_err_and(is_decrypt), "{received:?}");
}

/// Whoever answers in the server's place does not know the session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_false_server_gets_no_lane() {
    let (listener, address) = listen_raw().await;
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        RawPeer::server(stream, &identity()).await
    };
    let (client, mut server) = tokio::join!(dial_in(address), serving);
    let client = client.unwrap();
    let mut limits = ClientLimits::default();
    limits.connect_timeout = SHORT;

    // It says nothing; it refuses; it answers as if nothing had been said of a join.
    let silent = within(client.connect_lane(&[7; 32], &limits)).await;
    assert!(matches!(silent, Err(Error::Timeout(_))), "{silent:?}");
    drop(within(listener.accept()).await.unwrap());
    let own = start_client(ClientSettings::default(), &mut OsRandom::new()).unwrap().1;
    let full = read_client_hello(&ServerSettings::default(), &own).unwrap();
    let (_, full) = full.respond(&identity(), None, 0, &mut OsRandom::new()).unwrap();
    let patient = ClientLimits::default();
    for answer in [refusal(), full] {
        let is_refusal = answer == refusal();
        let lane = client.connect_lane(&[7; 32], &patient);
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_record(&mut stream).await.unwrap();
            stream.write_all(&answer).await.unwrap();
            stream
        };
        let (lane, _stream) = within(async { tokio::join!(lane, serving) }).await;
        match lane.unwrap_err() {
            Error::Refused => assert!(is_refusal),
            Error::Core(error) => {
                assert_eq!(error, e2eeftp_core::Error::Peer(PeerFault::JoinIgnored));
            }
            error => panic!("{error:?}"),
        }
    }
    drop(listener);
    let nobody = within(client.connect_lane(&[7; 32], &limits)).await;
    assert!(matches!(nobody, Err(Error::Connect(_))), "{nobody:?}");
    // The session has nothing to do with it.
    server.send(InnerType::Control, 0, b"still here").await;
    let message = within(client.next_control(NO_LIMIT)).await.unwrap();
    assert_eq!(message.as_deref(), Some(&b"still here"[..]));
}

/// A lane whose client is told something else than it is owed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_byte_in_the_handshake_of_a_lane() {
    for (number, offset) in [(0, 1300), (0, 1250), (1, 600)] {
        let (listener, server, client) = session().await;
        let offer = server.offer_lanes(1).unwrap();
        let flip = at(number, move |mut record| {
            record[offset] ^= 1;
            Verdict::Forward(record)
        });
        let address = proxy(listener.address(), flip, pass()).await;
        let settings = ClientSettings {
            join: Some(client.join(&offer.ids()[0])),
            ..ClientSettings::default()
        };
        let (state, m1) = start_client(settings, &mut OsRandom::new()).unwrap();
        let mut stream = within(TcpStream::connect(address)).await.unwrap();
        stream.write_all(&m1).await.unwrap();
        if number == 1 {
            let m3 = within(read_record(&mut stream)).await.unwrap();
            let mut m4 = within(read_record(&mut stream)).await.unwrap();
            let proved = state.handle(&m3).unwrap().handle(&mut m4).unwrap();
            stream.write_all(&proved.finish_joined().unwrap().0).await.unwrap();
        }
        assert_eq!(read_to_end(&mut stream).await, refusal());
        assert_no_lane(&offer).await;
        assert_refused(&listener, client.join(&offer.ids()[0])).await;
    }
}
