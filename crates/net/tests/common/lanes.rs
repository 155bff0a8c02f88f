//! Both ends of a lane, and bodies over it.

use e2eeftp_net::{
    BodyResult, ClientLimits, Error, Lane, LaneOffer, Session, Transfer, receive_body, send_body,
};

use super::files::{MemorySource, Sink, content};
use super::within;

/// One lane, by an offer of one id.
pub(crate) async fn lane(client: &Session, server: &Session) -> (Lane, Lane) {
    let offer = server.offer_lanes(1).unwrap();
    join(client, &offer, 0).await
}

/// The lane of the id with number `index`.
pub(crate) async fn join(client: &Session, offer: &LaneOffer, index: usize) -> (Lane, Lane) {
    let joined = within(client.connect_lane(&offer.ids()[index], &ClientLimits::default())).await;
    (joined.unwrap(), within(offer.next()).await.unwrap())
}

pub(crate) async fn send(lane: &Lane, bytes: &[u8], stream: u32) -> Result<BodyResult, Error> {
    let (transfer, source, len) =
        (Transfer::new(), MemorySource::shared(bytes), bytes.len() as u64);
    let pump = lane.run_pump(&transfer, stream, move |socket, settings| {
        send_body(socket, &*source, 0, len, settings)
    });
    within(pump).await
}

pub(crate) async fn receive(lane: &Lane, sink: &Sink, stream: u32) -> Result<BodyResult, Error> {
    let (transfer, mut staged) = (Transfer::new(), sink.staged());
    let pump = lane.run_pump(&transfer, stream, move |socket, settings| {
        receive_body(socket, &mut *staged, None, settings)
    });
    within(pump).await
}

/// A body from one end to the other.
pub(crate) async fn check_moves(from: &Lane, to: &Lane, stream: u32) {
    let (bytes, sink) = (content(700_001, "lane"), Sink::new());
    let (sent, received) = tokio::join!(send(from, &bytes, stream), receive(to, &sink, stream));
    assert_eq!(sent.unwrap(), received.unwrap());
    assert_eq!(sink.bytes(), bytes);
}
