//! A peer that speaks the protocol by hand over plain TCP, and may say what an honest one never
//! would.

use std::io;
use std::net::SocketAddr;

use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::handshake::{
    ClientSettings, Established, FLIGHT_RECORD_LEN, Join, SERVER_HELLO_RECORD_LEN, ServerProved,
    ServerSettings, read_client_hello, start_client,
};
use e2eeftp_core::identity::IdentityKey;
use e2eeftp_core::record::{HEADER_LEN, Head, InnerType, MAX_CONTROL_CONTENT, OVERHEAD};
use e2eeftp_core::{Random, record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{identity, loopback, within};

/// Reads one record, whatever it is, by the length in its header.
pub(crate) async fn read_record(from: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Vec<u8>> {
    let mut record = vec![0; HEADER_LEN];
    from.read_exact(&mut record).await?;
    let len = u32::from_be_bytes([0, record[1], record[2], record[3]]) as usize;
    record.resize(HEADER_LEN + len, 0);
    from.read_exact(&mut record[HEADER_LEN..]).await?;
    Ok(record)
}

/// All that comes until the peer ends its direction. A reset is a failure: it could overtake the
/// last bytes.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    within(stream.read_to_end(&mut bytes)).await.unwrap();
    bytes
}

/// A client that has the server's answer and has not proved itself yet.
pub(crate) struct HalfOpen {
    pub(crate) stream: TcpStream,
    pub(crate) proved: ServerProved,
    pub(crate) m1: Vec<u8>,
    pub(crate) m3: Vec<u8>,
    /// As it came, still sealed.
    pub(crate) m4: Vec<u8>,
}

impl HalfOpen {
    pub(crate) async fn new(address: SocketAddr, random: impl Random) -> Self {
        Self::with(address, random, None).await
    }

    /// A connection that asks to join a session.
    pub(crate) async fn joining(address: SocketAddr, join: Join) -> Self {
        Self::with(address, OsRandom::new(), Some(join)).await
    }

    async fn with(address: SocketAddr, mut random: impl Random, join: Option<Join>) -> Self {
        let settings = ClientSettings { join, ..ClientSettings::default() };
        let (state, m1) = start_client(settings, &mut random).unwrap();
        let mut stream = within(TcpStream::connect(address)).await.unwrap();
        stream.write_all(&m1).await.unwrap();
        let m3 = within(read_record(&mut stream)).await.unwrap();
        let m4 = within(read_record(&mut stream)).await.unwrap();
        assert_eq!((m3.len(), m4.len()), (SERVER_HELLO_RECORD_LEN, FLIGHT_RECORD_LEN));
        let proved = state.handle(&m3).unwrap().handle(&mut m4.clone()).unwrap();
        Self { stream, proved, m1, m3, m4 }
    }

    /// The genuine last message of the handshake, not sent.
    pub(crate) fn m5(self) -> (TcpStream, Vec<u8>, Established) {
        let (m5, established) = self.proved.authenticate(&identity()).unwrap();
        (self.stream, m5, established)
    }

    /// Sends the last message of a join.
    pub(crate) async fn finish_joined(self) -> RawPeer {
        let Self { mut stream, proved, .. } = self;
        let (m5, established) = proved.finish_joined().unwrap();
        stream.write_all(&m5).await.unwrap();
        RawPeer { stream, established }
    }
}

/// One end of an established connection.
pub(crate) struct RawPeer {
    pub(crate) stream: TcpStream,
    established: Established,
}

impl RawPeer {
    /// Connects to a listener and proves a fresh identity.
    pub(crate) async fn client(address: SocketAddr) -> Self {
        let half_open = HalfOpen::new(address, OsRandom::new()).await;
        let (mut stream, m5, established) = half_open.m5();
        stream.write_all(&m5).await.unwrap();
        Self { stream, established }
    }

    /// Joins a session, whose client has `join` from its own end.
    pub(crate) async fn lane(address: SocketAddr, join: Join) -> Self {
        HalfOpen::joining(address, join).await.finish_joined().await
    }

    /// What a lane of this session under `id` needs.
    pub(crate) fn join(&self, id: &[u8; 32]) -> Join {
        Join { id: *id, secret: self.established.exporter.join_secret(id) }
    }

    /// Takes the server's side of a connection up to the client's proof.
    pub(crate) async fn server(mut stream: TcpStream, identity: &IdentityKey) -> Self {
        let m1 = within(read_record(&mut stream)).await.unwrap();
        let hello = read_client_hello(&ServerSettings::default(), &m1).unwrap();
        let (state, answer) = hello.respond(identity, None, 0, &mut OsRandom::new()).unwrap();
        stream.write_all(&answer).await.unwrap();
        let mut m5 = within(read_record(&mut stream)).await.unwrap();
        let established = state.handle(&mut m5).unwrap().into_established();
        Self { stream, established }
    }

    /// The sealed record. Making one and not sending it leaves a gap.
    pub(crate) fn seal(&mut self, kind: InnerType, stream: u32, content: &[u8]) -> Vec<u8> {
        self.seal_flagged(kind, 0, stream, content)
    }

    pub(crate) fn seal_flagged(
        &mut self,
        kind: InnerType,
        flags: u8,
        stream: u32,
        content: &[u8],
    ) -> Vec<u8> {
        let head = Head { kind, flags, stream };
        let mut out = Vec::new();
        let sealer = &mut self.established.sealer;
        if kind == InnerType::KeyUpdate {
            sealer.seal_update(0, &mut out).unwrap();
        } else if content.len() <= MAX_CONTROL_CONTENT {
            sealer.seal_small(head, content, &mut out).unwrap();
        } else {
            out.resize(OVERHEAD + content.len(), 0);
            out[record::CONTENT_OFFSET..][..content.len()].copy_from_slice(content);
            sealer.seal(head, content.len(), &mut out).unwrap();
        }
        out
    }

    pub(crate) async fn send(&mut self, kind: InnerType, stream: u32, content: &[u8]) {
        let record = self.seal(kind, stream, content);
        self.send_bytes(&record).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        within(self.stream.write_all(bytes)).await.unwrap();
    }

    /// The next record, opened.
    pub(crate) async fn receive(&mut self) -> (InnerType, u32, Vec<u8>) {
        let mut record = within(read_record(&mut self.stream)).await.unwrap();
        let opened = self.established.opener.open(&mut record).unwrap();
        (opened.kind, opened.stream, opened.content.to_vec())
    }
}

/// A listening socket without a protocol behind it.
pub(crate) async fn listen_raw() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(loopback()).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A session of a real client with a server that is driven by hand.
pub(crate) async fn client_of_raw_server() -> (e2eeftp_net::Session, RawPeer) {
    let (listener, address) = listen_raw().await;
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        RawPeer::server(stream, &identity()).await
    };
    let (client, server) = tokio::join!(super::dial_in(address), serving);
    (client.unwrap(), server)
}

/// A session of a real server with a client that is driven by hand.
pub(crate) async fn server_of_raw_client(
    limits: e2eeftp_net::ServerLimits,
) -> (e2eeftp_net::Session, RawPeer) {
    let listener = super::listen(limits);
    let client = RawPeer::client(listener.address()).await;
    (super::next(&listener).await.accept(), client)
}
