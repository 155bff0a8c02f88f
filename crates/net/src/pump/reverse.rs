//! What passes against the direction of a body while a pump moves it: the receiver's Stop and its
//! notices (`docs/PROTOCOL.md` §8).

use std::time::{Duration, Instant};

use e2eeftp_core::record::{HEADER_LEN, Head, InnerType};
use e2eeftp_core::transfer::{Notice, Reason};

use super::PumpSettings;
use super::wire::Wire;
use crate::error::{Error, Result};
use crate::link::{elapsed_ms, refuse_flags};
use crate::transfer::Phase;

/// Bytes read at once; what the receiver says is short.
const READ_LEN: usize = 512;

const UNFIT: Error = Error::Protocol("only Stop and notices may answer a running body");

/// The sender's ear: opens the next record, if it has arrived, and never waits. What stands behind
/// it is for the next call. Returns the reason of a Stop of this body; a notice counts as a sign of
/// life and shows in the phase of the transfer.
pub(crate) fn listen(
    wire: &mut Wire<'_>,
    settings: &mut PumpSettings<'_>,
) -> Result<Option<Reason>> {
    let mut bytes = [0; READ_LEN];
    loop {
        if let Some(len) = whole_record(settings)? {
            let rest = settings.pending.split_off(len);
            let mut record = std::mem::replace(settings.pending, rest);
            return open(&mut record, wire, settings);
        }
        match wire.read_ready(&mut bytes)? {
            0 => return Ok(None),
            read => settings.pending.extend_from_slice(&bytes[..read]),
        }
    }
}

/// The length of the record at the front of what has arrived, once all of it is there.
fn whole_record(settings: &PumpSettings<'_>) -> Result<Option<usize>> {
    let Some(header) = settings.pending.first_chunk::<HEADER_LEN>() else { return Ok(None) };
    let len = settings.opener.record_len(header)?;
    Ok(Some(len).filter(|&len| len <= settings.pending.len()))
}

fn open(
    record: &mut [u8],
    wire: &mut Wire<'_>,
    settings: &mut PumpSettings<'_>,
) -> Result<Option<Reason>> {
    let opened = settings.opener.open(record)?;
    refuse_flags(opened.flags)?;
    match (opened.kind, opened.stream) {
        (InnerType::Stop, stream) if stream == settings.stream => {
            return Ok(Some(Reason::from_wire(opened.content)?));
        }
        (InnerType::Data, stream) if stream == settings.stream => {
            let phase = match Notice::from_wire(opened.content) {
                Ok(Notice::NoSpace) => Phase::WaitingForSpace,
                Ok(_) => Phase::Moving,
                Err(_) => return Err(UNFIT),
            };
            wire.heard();
            settings.transfer.set_phase(phase);
        }
        // A new key, or what has crossed the end of an earlier body on the way.
        (InnerType::KeyUpdate | InnerType::Stop, _) => {}
        (InnerType::Data, earlier)
            if earlier < settings.stream && Notice::from_wire(opened.content).is_ok() => {}
        (InnerType::Close, _) => return Err(Error::Closed),
        _ => return Err(UNFIT),
    }
    Ok(None)
}

/// The receiver's voice.
#[derive(Debug)]
pub(crate) struct Notices {
    last: Instant,
    interval: Duration,
}

impl Notices {
    /// Nothing is due before half of the keep-alive interval has passed.
    pub(crate) fn new(settings: &PumpSettings<'_>) -> Self {
        Self { last: Instant::now(), interval: settings.keep_alive / 2 }
    }

    /// Whether the sender has heard nothing for so long that it should.
    pub(crate) fn is_due(&self) -> bool {
        self.last.elapsed() >= self.interval
    }

    /// Tells the sender of the body.
    pub(crate) fn send(
        &mut self,
        notice: Notice,
        wire: &mut Wire<'_>,
        settings: &mut PumpSettings<'_>,
    ) -> Result<()> {
        self.last = Instant::now();
        let mut record = Vec::new();
        let now_ms = elapsed_ms(settings.epoch);
        if settings.sealer.needs_update(now_ms) {
            settings.sealer.seal_update(now_ms, &mut record)?;
        }
        let head = Head { kind: InnerType::Data, flags: 0, stream: settings.stream };
        settings.sealer.seal_small(head, notice.to_wire(), &mut record)?;
        wire.write_all(&record)
    }
}
