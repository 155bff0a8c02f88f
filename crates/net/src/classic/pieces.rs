//! One sealed piece over a blocking socket: the pumps of `classic`, each on one thread with one
//! buffer, whatever the length of the file.

use std::io::IoSlice;
use std::net::TcpStream;
use std::time::Duration;

use e2eeftp_core::classic::{BLOCK_LEN, IV_LEN, MAC_LEN, PieceKeys, PieceOpener, PieceSealer};
use e2eeftp_core::crypto::{OsRandom, RootHasher};
use e2eeftp_vfs::{Source, Staged};
use tokio_util::sync::CancellationToken;

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::pump::wire::Wire;
use crate::pump::{BodyResult, read_exactly};
use crate::transfer::{Phase, Transfer};

/// Bytes that go through cipher, code and hash while they are in the processor's cache.
const PART_LEN: usize = 256 * 1024;
const _: () = assert!(PART_LEN.is_multiple_of(BLOCK_LEN), "whole blocks");

/// What a pump works with.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub(super) socket: &'a TcpStream,
    pub(super) keys: PieceKeys,
    pub(super) transfer: &'a Transfer,
    pub(super) dead: &'a CancellationToken,
    pub(super) stall_timeout: Duration,
}

impl<'a> Piece<'a> {
    /// The socket with the switches of this transfer, and the keys.
    fn start(self, total: Option<u64>) -> Result<(Wire<'a>, PieceKeys)> {
        self.transfer.set_total(total);
        self.transfer.set_phase(Phase::Moving);
        let wire = Wire::new(self.socket, self.transfer, self.dead, self.stall_timeout)?;
        Ok((wire, self.keys))
    }
}

/// Sends `head` and the sealed `source`; see `Connection::send_piece`.
pub(super) fn send(
    piece: Piece<'_>,
    source: &dyn Source,
    head: &[u8],
    until_answered: bool,
) -> Result<Option<BodyResult>> {
    let transfer = piece.transfer;
    let len = source.metadata().size;
    let (mut wire, keys) = piece.start(Some(len))?;
    source.advise_sequential();
    let mut hasher = RootHasher::new();
    let (mut sealer, iv) = PieceSealer::new(keys, &mut OsRandom::new())?;
    wire.write_all(&[head, &iv].concat())?;
    let mut buffer = Buffer::take();
    let bytes = &mut buffer.as_mut()[..PART_LEN];
    let block = BLOCK_LEN as u64;
    let whole = len / block * block;
    let mut sent = 0;
    while sent < whole {
        let part = &mut bytes[..part_len(whole - sent)];
        read_exactly(source, part, sent)?;
        hasher.update(part);
        sealer.seal(part)?;
        wire.write_all(part)?;
        sent += part.len() as u64;
        transfer.add(part.len() as u64);
        if transfer.is_cancelled() {
            return Err(Error::Aborted);
        }
        if until_answered && wire.has_input()? {
            return Ok(None);
        }
    }
    transfer.set_phase(Phase::Finishing);
    let tail = &mut bytes[..part_len(len - whole)];
    read_exactly(source, tail, sent)?;
    hasher.update(tail);
    // Before the code: without it the peer has nothing.
    source.check_unchanged()?;
    wire.write_all(&sealer.finish(tail)?)?;
    transfer.add(tail.len() as u64);
    transfer.set_phase(Phase::Done);
    Ok(Some(BodyResult { bytes: len, root: hasher.finalize() }))
}

/// Receives a piece of `sealed_len` bytes into `staged`; `pending` has its first bytes, and keeps
/// what stands behind it. See `Connection::receive_piece`.
pub(super) fn receive(
    piece: Piece<'_>,
    staged: &mut dyn Staged,
    sealed_len: u64,
    pending: &mut Vec<u8>,
) -> Result<BodyResult> {
    let transfer = piece.transfer;
    let (wire, keys) = piece.start(None)?;
    let mut input = Input { wire, pending, transfer };
    let mut iv = [0; IV_LEN];
    input.read_exact(&mut iv)?;
    let mut opener = PieceOpener::new(keys, sealed_len, &iv)?;
    // Padding takes 1 to 16 bytes of it: a total for the eye.
    transfer.set_total(Some(opener.left()));
    let mut output = Output { staged, hasher: RootHasher::new(), written: 0, transfer };
    let mut buffer = Buffer::take();
    let bytes = &mut buffer.as_mut()[..PART_LEN];
    while opener.left() > 0 {
        let part = &mut bytes[..part_len(opener.left())];
        input.read_exact(part)?;
        output.write(opener.open(part)?)?;
    }
    transfer.set_phase(Phase::Finishing);
    let mut mac = [0; MAC_LEN];
    input.read_exact(&mut mac)?;
    output.write(opener.finish(&mac)?.content())?;
    transfer.set_total(Some(output.written));
    transfer.set_phase(Phase::Done);
    Ok(BodyResult { bytes: output.written, root: output.hasher.finalize() })
}

/// At most [`PART_LEN`].
fn part_len(left: u64) -> usize {
    usize::try_from(left).map_or(PART_LEN, |left| left.min(PART_LEN))
}

/// What has been received ahead, then the socket.
struct Input<'a, 'b> {
    wire: Wire<'a>,
    pending: &'b mut Vec<u8>,
    transfer: &'a Transfer,
}

impl Input<'_, '_> {
    fn read_exact(&mut self, bytes: &mut [u8]) -> Result<()> {
        let mut filled = self.pending.len().min(bytes.len());
        for (byte, received) in bytes.iter_mut().zip(self.pending.drain(..filled)) {
            *byte = received;
        }
        while filled < bytes.len() {
            let rest = &mut bytes[filled..];
            let wanted = rest.len();
            filled += self.wire.read(rest, Some(wanted))?.unwrap_or(0);
            if self.transfer.is_cancelled() {
                return Err(Error::Aborted);
            }
        }
        Ok(())
    }
}

/// The staged file, and what is known of what went into it.
struct Output<'a> {
    staged: &'a mut dyn Staged,
    hasher: RootHasher,
    written: u64,
    transfer: &'a Transfer,
}

impl Output<'_> {
    fn write(&mut self, content: &[u8]) -> Result<()> {
        if content.is_empty() {
            return Ok(());
        }
        self.hasher.update(content);
        self.staged.write_at(&mut [IoSlice::new(content)], self.written)?;
        let len = content.len() as u64;
        self.written += len;
        self.transfer.add(len);
        Ok(())
    }
}
