//! Drives the sans-IO handshake of `e2eeftp-core` over a TCP stream.

use std::io;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::handshake::{
    ClientProved, ClientSettings, ExpectClientAuth, Refusal, ServerProved, ServerSettings,
    read_client_hello, refusal_record, start_client,
};
use e2eeftp_core::identity::Signer;
use e2eeftp_core::record::{HEADER_LEN, Phase, TAG_LEN, record_len};
use e2eeftp_core::{self as core, PeerFault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::join_ids::{Claim, ExpectedLane, JoinIds};
use crate::limits::LINGER;

/// Lengths of whole handshake records (`docs/PROTOCOL.md`, "Handshake").
const CLIENT_HELLO_LEN: usize = HEADER_LEN + 1536;
const SERVER_HELLO_LEN: usize = HEADER_LEN + 1216;
const AUTH_LEN: usize = HEADER_LEN + 1024 + TAG_LEN;
/// Kind byte of a refusal record (`docs/PROTOCOL.md`, "Records").
pub(crate) const REFUSAL_KIND: u8 = 0x53;

/// The client's part up to the point where the server has proved its identity.
pub(crate) async fn client_until_proved(
    stream: &mut TcpStream,
    settings: ClientSettings,
) -> Result<ServerProved> {
    let (expect_hello, hello) = start_client(settings, &mut OsRandom::new())?;
    stream.write_all(&hello).await.map_err(lost)?;
    let record = read_handshake_record(stream, SERVER_HELLO_LEN).await?;
    let expect_auth = expect_hello.handle(&record)?;
    let mut record = read_handshake_record(stream, AUTH_LEN).await?;
    Ok(expect_auth.handle(&mut record)?)
}

/// The server's part up to the point where it has said all it has to say. With it comes what a
/// join id leads to, where the client at `from` has named one: that id is used up.
pub(crate) async fn server_until_answered(
    stream: &mut TcpStream,
    settings: &ServerSettings,
    signer: &dyn Signer,
    join_ids: &JoinIds,
    from: IpAddr,
) -> Result<(ExpectClientAuth, Option<ExpectedLane>)> {
    let record = read_handshake_record(stream, CLIENT_HELLO_LEN).await?;
    let hello = read_client_hello(settings, &record)?;
    let claim = hello.join_id().map(|id| join_ids.claim(id, from));
    let secret = claim.as_ref().map(|claim| &*claim.join.secret);
    let unix_time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let (expect_auth, reply) = hello.respond(signer, secret, unix_time, &mut OsRandom::new())?;
    let lane = match claim {
        None => None,
        Some(Claim { lane: Some(lane), .. }) => Some(lane),
        Some(Claim { lane: None, .. }) => return Err(core::Error::from(PeerFault::Join).into()),
    };
    stream.write_all(&reply).await.map_err(lost)?;
    Ok((expect_auth, lane))
}

/// Waits for the client's proof of its identity. Whether that identity may come in is for the
/// caller to judge.
pub(crate) async fn client_proof(
    stream: &mut TcpStream,
    expect_auth: ExpectClientAuth,
) -> Result<ClientProved> {
    let mut record = read_handshake_record(stream, AUTH_LEN).await?;
    Ok(expect_auth.handle(&mut record)?)
}

/// Sends the one refusal there is and closes. The peer gets [`LINGER`] to read it; closing at once
/// would let a reset overtake it while unread bytes of the peer wait here.
pub(crate) async fn refuse(mut stream: TcpStream, refusal: Refusal) {
    let polite = async {
        stream.write_all(&refusal_record(refusal)).await?;
        stream.shutdown().await?;
        let mut sink = [0; 1024];
        while stream.read(&mut sink).await? > 0 {}
        io::Result::Ok(())
    };
    // A peer that does not wait for its refusal has no claim to it.
    drop(timeout(LINGER, polite).await);
}

/// Reads exactly one record of the handshake; the length is judged before any of the body is read.
///
/// `usual_len` is what it normally has: as much is asked for at first, so that one system call
/// mostly does. No byte behind the record is taken.
async fn read_handshake_record(stream: &mut TcpStream, usual_len: usize) -> Result<Vec<u8>> {
    let mut record = Vec::with_capacity(usual_len);
    while record.len() < HEADER_LEN {
        read_some(stream, &mut record, usual_len).await?;
    }
    let header = record.first_chunk().ok_or_else(Error::end_of_stream)?;
    let len = record_len(header, Phase::Handshake)?;
    while record.len() < len {
        read_some(stream, &mut record, len).await?;
    }
    if record.len() > len {
        return Err(Error::Protocol("a short record with something behind it"));
    }
    Ok(record)
}

/// Receives at least one byte, and at most until `record` has `len`.
async fn read_some(stream: &mut TcpStream, record: &mut Vec<u8>, len: usize) -> Result<()> {
    let left = u64::try_from(len - record.len()).unwrap_or(0);
    match stream.take(left).read_buf(record).await {
        Ok(0) => Err(Error::end_of_stream()),
        Ok(_) => Ok(()),
        Err(error) => Err(lost(error)),
    }
}

fn lost(error: io::Error) -> Error {
    Error::from_socket("handshake", error)
}
