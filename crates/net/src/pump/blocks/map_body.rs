//! The map of what the receiver has: a small body that runs in front of the blocks, the other way.

use e2eeftp_core::crypto::RootHasher;
use e2eeftp_core::record::{Head, InnerType};
use e2eeftp_core::transfer::{BlockLayout, BlockMap, End, Reason};

use crate::error::{Error, Result};
use crate::link::elapsed_ms;
use crate::pump::PumpSettings;
use crate::pump::inbox::{Received, read_record, read_some_record};
use crate::pump::wire::Wire;

/// Content of one record of the map.
const PIECE_LEN: usize = 16 * 1024;

/// Sends `map` on the stream of the transfer.
pub(super) fn send_map(
    wire: &mut Wire<'_>,
    settings: &mut PumpSettings<'_>,
    map: &BlockMap,
) -> Result<()> {
    let bytes = map.to_wire();
    let mut hasher = RootHasher::new();
    hasher.update(&bytes);
    let end = End { total: bytes.len() as u64, root: hasher.finalize() };
    for piece in bytes.chunks(PIECE_LEN) {
        let mut record = Vec::new();
        let now_ms = elapsed_ms(settings.epoch);
        if settings.sealer.needs_update(now_ms) {
            settings.sealer.seal_update(now_ms, &mut record)?;
        }
        let head = Head { kind: InnerType::Data, flags: 0, stream: settings.stream };
        settings.sealer.seal_small(head, piece, &mut record)?;
        wire.write_all(&record)?;
    }
    let head = Head { kind: InnerType::End, flags: 0, stream: settings.stream };
    let mut record = Vec::new();
    settings.sealer.seal_small(head, &end.to_wire(), &mut record)?;
    wire.write_all(&record)
}

/// Receives the map of a receiver about a file of `layout`.
pub(super) fn receive_map(
    wire: &mut Wire<'_>,
    settings: &mut PumpSettings<'_>,
    layout: &BlockLayout,
) -> Result<BlockMap> {
    let limit = BlockMap::max_wire_len(layout);
    let mut bytes = Vec::new();
    loop {
        let Received { kind, stream, content } = read_record(wire, settings)?;
        match kind {
            // A Stop may have crossed the end of an earlier body on the way.
            InnerType::Stop if stream != settings.stream => {}
            InnerType::KeyUpdate => {}
            InnerType::Close => return Err(Error::Closed),
            _ if stream != settings.stream => {
                return Err(Error::Protocol("a record of another body"));
            }
            InnerType::Stop | InnerType::Abort => {
                return Err(Error::PeerStopped(Reason::from_wire(&content)?));
            }
            InnerType::Data => {
                if bytes.len() as u64 + content.len() as u64 > limit {
                    return Err(Error::Protocol("a map that is longer than its file allows"));
                }
                bytes.extend_from_slice(&content);
            }
            InnerType::End => {
                let mut hasher = RootHasher::new();
                hasher.update(&bytes);
                let end = End { total: bytes.len() as u64, root: hasher.finalize() };
                if End::from_wire(&content)? != end {
                    return Err(Error::Protocol("a map that is not what its end says"));
                }
                return Ok(BlockMap::from_wire(layout, &bytes)?);
            }
            _ => return Err(Error::Protocol("a record that does not belong to a map")),
        }
    }
}

/// What the sender has said before it got its map, if anything: it may give the body up.
///
/// # Errors
/// [`Error::PeerAborted`]; connection errors.
pub(super) fn hear_abort(wire: &mut Wire<'_>, settings: &mut PumpSettings<'_>) -> Result<()> {
    if settings.pending.is_empty() && !wire.has_input()? {
        return Ok(());
    }
    // A record that has not come whole is waited for at the next look.
    let Some(Received { kind, stream, content }) = read_some_record(wire, settings)? else {
        return Ok(());
    };
    match kind {
        // A Stop may have crossed the end of an earlier body on the way, or this one's map.
        InnerType::Stop | InnerType::KeyUpdate => Ok(()),
        InnerType::Close => Err(Error::Closed),
        InnerType::Abort if stream == settings.stream => {
            Err(Error::PeerAborted(Reason::from_wire(&content)?))
        }
        _ => Err(Error::Protocol("a sender waits for the map")),
    }
}

/// Drops what still comes of a body of this stream, up to its end. Draining must have been started.
pub(super) fn drain_map(wire: &mut Wire<'_>, settings: &mut PumpSettings<'_>) -> Result<()> {
    loop {
        let Some(received) = read_some_record(wire, settings)? else { continue };
        match received.kind {
            InnerType::Close => return Err(Error::Closed),
            InnerType::End | InnerType::Abort if received.stream == settings.stream => {
                return Ok(());
            }
            InnerType::Stop | InnerType::Data | InnerType::Block | InnerType::KeyUpdate => {}
            _ => return Err(Error::Protocol("a record that does not belong to a body")),
        }
    }
}
