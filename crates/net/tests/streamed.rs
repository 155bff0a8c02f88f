//! Bodies from and to pipes, and compressed bodies: there and back, cancelled, broken off, hostile.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![allow(clippy::large_futures, reason = "the stack of a test has room")]
#![allow(clippy::unnecessary_box_returns, reason = "what the calls under test take")]

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use common::files::{MemorySource, Sink, content};
use common::{SHORT, pair, pair_with, root, within};
use e2eeftp_core::compress::{Encoder, MAX_PIECE_LEN, Mode};
use e2eeftp_core::transfer::Reason;
use e2eeftp_net::{
    BodyResult, ClientLimits, Error, ServerLimits, Session, StandardInput, StandardOutput, Transfer,
};
use rustix::pipe::pipe;
use tokio::task::spawn_blocking;

const MODES: [Option<Mode>; 3] = [None, Some(Mode::Always), Some(Mode::Auto)];

/// Half noise, half nothing, in turns that are no multiple of a piece.
fn mixed(len: usize) -> Vec<u8> {
    let mut bytes = content(len, "mixed");
    for (index, part) in bytes.chunks_mut(700_001).enumerate() {
        if index % 2 == 0 {
            part.fill(7);
        }
    }
    bytes
}

fn input(fd: impl Into<OwnedFd>) -> Box<StandardInput> {
    Box::new(StandardInput::new(fd.into()).unwrap())
}

fn output(fd: impl Into<OwnedFd>) -> Box<StandardOutput> {
    Box::new(StandardOutput::new(fd.into()).unwrap())
}

/// Both ends of a way: what is written to the first is read from the second.
fn ways() -> Vec<(&'static str, OwnedFd, OwnedFd)> {
    let (read, write) = pipe().unwrap();
    let (one, other) = UnixStream::pair().unwrap();
    vec![("pipe", write, read), ("socket", one.into(), other.into())]
}

#[tokio::test]
async fn a_pipe_goes_through_to_a_pipe() {
    let pair = pair().await;
    for (stream, mode) in (1..).zip(MODES) {
        for (bytes, pieces) in
            [(mixed(5_000_000), 100_000), (mixed(300), 7), (content(3_000_000, "noise"), 8192)]
        {
            for ((name, into, from), (_, out, back)) in ways().into_iter().zip(ways()) {
                let given = bytes.clone();
                let feeding = thread::spawn(move || {
                    let mut into = File::from(into);
                    for piece in given.chunks(pieces) {
                        into.write_all(piece).unwrap();
                    }
                });
                let reading = thread::spawn(move || {
                    let mut taken = Vec::new();
                    File::from(back).read_to_end(&mut taken).unwrap();
                    taken
                });
                let (sending, receiving) = (Transfer::new(), Transfer::new());
                let (sent, received) = within(async {
                    tokio::join!(
                        pair.client.send_stream(&sending, input(from), stream, mode),
                        pair.server.receive_stream(
                            &receiving,
                            output(out),
                            stream,
                            None,
                            mode.is_some()
                        ),
                    )
                })
                .await;
                let (sent, received) = (sent.unwrap(), received.unwrap());
                assert_eq!(sent, received, "{name}");
                assert_eq!((sent.bytes, sent.root), (bytes.len() as u64, root(&bytes)));
                assert_eq!(receiving.progress().transferred, sent.bytes);
                assert_eq!(sending.progress().coded, receiving.progress().coded);
                assert_eq!(sending.progress().coded == 0, mode.is_none());
                feeding.join().unwrap();
                assert!(reading.join().unwrap() == bytes, "{name} {mode:?}");
            }
        }
    }
    pair.check_usable().await;
}

#[tokio::test]
async fn plain_streams_are_bodies_like_any_other() {
    let pair = pair().await;
    let bytes = mixed(2_500_000);
    let (read, write) = pipe().unwrap();
    let given = bytes.clone();
    let feeding = thread::spawn(move || File::from(write).write_all(&given));
    let sink = Sink::new();
    let transfer = Transfer::new();
    let (sent, received) = tokio::join!(
        pair.client.send_stream(&transfer, input(read), 1, None),
        pair.server.receive_file(&transfer, sink.staged(), 1, None),
    );
    assert_eq!(sent.unwrap(), received.unwrap().0);
    assert!(sink.bytes() == bytes);
    feeding.join().unwrap().unwrap();
    // And the other way: a file to a regular file that stands for standard output.
    let mut file = tempfile::tempfile().unwrap();
    let source = MemorySource::shared(&bytes);
    let (sent, received) = tokio::join!(
        pair.client.send_file(&transfer, source, 2, 0, bytes.len() as u64),
        pair.server.receive_stream(
            &transfer,
            output(file.try_clone().unwrap()),
            2,
            Some(bytes.len() as u64),
            false
        ),
    );
    assert_eq!(sent.unwrap(), received.unwrap());
    let mut taken = Vec::new();
    std::io::Seek::rewind(&mut file).unwrap();
    file.read_to_end(&mut taken).unwrap();
    assert!(taken == bytes);
}

#[tokio::test]
async fn a_compressed_file_arrives_as_it_was_and_crosses_as_less() {
    let pair = pair().await;
    let text = b"All work and no play. ".repeat(200_000);
    for (stream, mode) in (1..).zip([Mode::Always, Mode::Auto]) {
        for (bytes, offset) in [(&text, 0), (&text, 1_000_003), (&Vec::new(), 0)] {
            let part = &bytes[offset..];
            let (sink, transfer, receiving) = (Sink::new(), Transfer::new(), Transfer::new());
            let len = part.len() as u64;
            let source = MemorySource::shared(bytes);
            let (sent, received) = tokio::join!(
                pair.client.send_compressed_file(
                    &transfer,
                    source,
                    stream,
                    (offset as u64, len),
                    mode
                ),
                pair.server.receive_compressed_file(&receiving, sink.staged(), stream, Some(len)),
            );
            let sent = sent.unwrap();
            assert_eq!(sent, received.unwrap().0);
            assert_eq!((sent.bytes, sent.root), (len, root(part)));
            assert!(sink.bytes() == part);
            let progress = transfer.progress();
            assert_eq!(progress.transferred, len);
            if mode == Mode::Always {
                assert!(progress.coded <= len / 100, "{}", progress.coded);
            }
        }
    }
}

#[tokio::test]
async fn a_silent_source_keeps_the_peer_waiting_and_can_be_cancelled() {
    // The receiver's patience is far shorter than the silence.
    let (mut server, mut client) = (ServerLimits::default(), ClientLimits::default());
    server.stall_timeout = 3 * SHORT;
    client.keep_alive = SHORT / 3;
    let pair = pair_with(server, client).await;
    for (stream, mode) in (1..).zip(MODES) {
        let (read, write) = pipe().unwrap();
        let mut write = File::from(write);
        write.write_all(b"first").unwrap();
        let (sink, transfer) = (Sink::new(), Transfer::new());
        let quiet = spawn_blocking(move || {
            thread::sleep(8 * SHORT);
            write.write_all(b"second").unwrap();
            write
        });
        let (sent, received, ()) = tokio::join!(
            pair.client.send_stream(&transfer, input(read), stream, mode),
            async {
                let transfer = Transfer::new();
                if mode.is_some() {
                    let staged = sink.staged();
                    pair.server.receive_compressed_file(&transfer, staged, stream, None).await
                } else {
                    pair.server.receive_file(&transfer, sink.staged(), stream, None).await
                }
            },
            async {
                // Still open, and silent again.
                let write = quiet.await.unwrap();
                common::until("both", || transfer.progress().transferred == 11).await;
                transfer.cancel();
                drop(write);
            },
        );
        assert!(matches!(sent, Err(Error::Aborted)), "{sent:?}");
        let Err(received) = received else { panic!("it was cancelled") };
        assert!(matches!(received, Error::PeerAborted(Reason::Cancelled)), "{received:?}");
        assert!(sink.is_dropped());
        pair.check_usable().await;
    }
}

#[tokio::test]
async fn a_reader_that_stands_still_holds_the_sender_back_and_can_be_cancelled() {
    let pair = pair().await;
    for (stream, (name, out, back)) in (1..).zip(ways()) {
        let bytes = mixed(30_000_000);
        let (sending, transfer) = (Transfer::new(), Transfer::new());
        let (sent, received, ()) = tokio::join!(
            pair.client.send_file(
                &sending,
                MemorySource::shared(&bytes),
                stream,
                0,
                bytes.len() as u64
            ),
            pair.server.receive_stream(&transfer, output(out), stream, None, false),
            async {
                common::until("some", || transfer.progress().transferred > 0).await;
                tokio::time::sleep(Duration::from_millis(300)).await;
                assert!(transfer.progress().transferred < bytes.len() as u64, "{name}");
                transfer.cancel();
            },
        );
        assert!(matches!(received, Err(Error::Aborted)), "{name} {received:?}");
        assert!(matches!(sent, Err(Error::PeerStopped(Reason::Cancelled))), "{name} {sent:?}");
        drop(back);
        pair.check_usable().await;
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_stops_the_sender() {
    let pair = pair().await;
    for (stream, (name, out, back)) in (1..).zip(ways()) {
        let bytes = mixed(30_000_000);
        let reading = thread::spawn(move || {
            File::from(back).read_exact(&mut vec![0; 100_000]).unwrap();
        });
        let (sending, receiving) = (Transfer::new(), Transfer::new());
        let len = bytes.len() as u64;
        let (sent, received) = tokio::join!(
            pair.client.send_file(&sending, MemorySource::shared(&bytes), stream, 0, len),
            pair.server.receive_stream(&receiving, output(out), stream, None, false),
        );
        let received = received.unwrap_err();
        assert!(matches!(received, Error::Pipe(..)), "{name} {received:?}");
        assert_eq!(received.code(), "E2EEFTP_IO");
        assert!(matches!(sent, Err(Error::PeerStopped(Reason::Io))), "{name} {sent:?}");
        reading.join().unwrap();
        pair.check_usable().await;
    }
}

/// What a hostile sender says in place of pieces. The receiver must have kept nothing and still be
/// in step.
async fn refused(from: &Session, to: &Session, stream: u32, says: &[u8], expected: Option<u64>) {
    let sink = Sink::new();
    let transfer = Transfer::new();
    let says = async {
        let mut writer = from.body_writer(stream);
        for piece in says.chunks(100_000) {
            if writer.write(piece).await.is_err() {
                return;
            }
        }
        let _ = writer.finish().await;
    };
    let (received, ()) = within(async {
        tokio::join!(to.receive_compressed_file(&transfer, sink.staged(), stream, expected), says)
    })
    .await;
    let Err(error) = received else { panic!("it was taken") };
    assert!(matches!(error, Error::Integrity(_)), "{error:?}");
    assert!(sink.is_dropped());
    common::check_usable(from, to).await;
}

fn written(coding: u8, plain_len: usize, coded: &[u8]) -> Vec<u8> {
    let mut bytes = vec![coding];
    bytes.extend_from_slice(&u32::try_from(plain_len).unwrap().to_be_bytes()[1..]);
    bytes.extend_from_slice(&u32::try_from(coded.len()).unwrap().to_be_bytes()[1..]);
    bytes.extend_from_slice(coded);
    bytes
}

#[tokio::test]
async fn hostile_pieces_are_refused_and_the_session_goes_on() {
    let pair = pair().await;
    let mut good = Vec::new();
    Encoder::new().unwrap().encode(&vec![7; 100_000], true, &mut good).unwrap();
    let mut damaged = good.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 0x55;
    // A frame of a kilobyte for a gigabyte, as its length says and not; and many honest ones.
    let bomb = zeros_frame();
    let cases: Vec<(Vec<u8>, Option<u64>)> = vec![
        (b"GET / HTTP/1.1\r\n".to_vec(), None),
        (vec![0xff; 300_000], None),
        (written(2, 5, b"hello"), None),
        (written(0, 0, b""), None),
        (written(1, MAX_PIECE_LEN, &bomb), None),
        (damaged, None),
        // More than was announced: not even unpacked.
        (good.clone(), Some(99_999)),
        (good.repeat(1000), Some(150_000)),
        // Less, and half a piece, and half a header.
        (good.clone(), Some(100_001)),
        (good[..good.len() - 1].to_vec(), None),
        (good[..3].to_vec(), None),
        // Whole and right, but the end speaks of the compressed bytes.
        (good.clone(), None),
    ];
    for (stream, (says, expected)) in (1..).zip(cases) {
        refused(&pair.client, &pair.server, stream, &says, expected).await;
    }
}

/// A zstd frame whose content is 128 MiB of zeros: a header, and blocks that repeat one byte
/// (RFC 8878 §3.1.1).
fn zeros_frame() -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x88];
    frame.extend_from_slice(&(128u32 << 20).to_le_bytes());
    for block in 0..1024u32 {
        let is_last = u32::from(block == 1023);
        let header = (128u32 << 10) << 3 | 1 << 1 | is_last;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

#[tokio::test]
async fn a_cut_source_ends_a_compressed_body_without_a_result() {
    let pair = pair().await;
    let bytes = mixed(3_000_000);
    let sink = Sink::new();
    let (transfer, receiving) = (Transfer::new(), Transfer::new());
    let (sent, received): (Result<BodyResult, Error>, _) = tokio::join!(
        // One byte more than there is.
        pair.client.send_compressed_file(
            &transfer,
            MemorySource::shared(&bytes),
            1,
            (0, bytes.len() as u64 + 1),
            Mode::Always
        ),
        pair.server.receive_compressed_file(&receiving, sink.staged(), 1, None),
    );
    assert!(matches!(sent, Err(Error::Vfs(_))), "{sent:?}");
    let Err(received) = received else { panic!("it was cut") };
    assert!(matches!(received, Error::PeerAborted(Reason::SourceChanged)), "{received:?}");
    pair.check_usable().await;
}
