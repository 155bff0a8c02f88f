//! Drives the sans-IO handshake of `e2eeftp-core` over a TCP stream.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::handshake::{
    ClientProved, ClientSettings, Refusal, ServerProved, ServerSettings, read_client_hello,
    refusal_record, start_client,
};
use e2eeftp_core::identity::Signer;
use e2eeftp_core::record::{HEADER_LEN, Phase, record_len};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::limits::LINGER;

/// Kind byte of a refusal record (`docs/PROTOCOL.md`, "Records").
pub(crate) const REFUSAL_KIND: u8 = 0x53;

/// The client's part up to the point where the server has proved its identity.
pub(crate) async fn client_until_proved(
    stream: &mut TcpStream,
    settings: ClientSettings,
) -> Result<ServerProved> {
    let (expect_hello, hello) = start_client(settings, &mut OsRandom::new())?;
    stream.write_all(&hello).await.map_err(lost)?;
    let record = read_handshake_record(stream).await?;
    let expect_auth = expect_hello.handle(&record)?;
    let mut record = read_handshake_record(stream).await?;
    Ok(expect_auth.handle(&mut record)?)
}

/// The server's part up to the point where the client has proved its identity. Whether that
/// identity may come in is for the caller to judge.
pub(crate) async fn server_until_proved(
    stream: &mut TcpStream,
    settings: &ServerSettings,
    signer: &dyn Signer,
) -> Result<ClientProved> {
    let record = read_handshake_record(stream).await?;
    let hello = read_client_hello(settings, &record)?;
    if hello.join_id().is_some() {
        return Err(Error::Protocol("no session has handed out join ids"));
    }
    let unix_time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let (expect_auth, reply) = hello.respond(signer, None, unix_time, &mut OsRandom::new())?;
    stream.write_all(&reply).await.map_err(lost)?;
    let mut record = read_handshake_record(stream).await?;
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
async fn read_handshake_record(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut header = [0; HEADER_LEN];
    stream.read_exact(&mut header).await.map_err(lost)?;
    let len = record_len(&header, Phase::Handshake)?;
    let mut record = vec![0; len];
    record[..HEADER_LEN].copy_from_slice(&header);
    stream.read_exact(&mut record[HEADER_LEN..]).await.map_err(lost)?;
    Ok(record)
}

fn lost(error: io::Error) -> Error {
    Error::from_socket("handshake", error)
}
