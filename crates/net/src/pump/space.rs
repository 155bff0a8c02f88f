//! A full disk holds a transfer up instead of ending it.
//!
//! While the receiver waits for room it reads nothing, so the sender is held back by TCP; notices
//! tell the sender why, so that it waits, too. A cancel is heard within 100 ms.

use std::time::{Duration, Instant};

use e2eeftp_core::transfer::Notice;
use e2eeftp_vfs::ErrorKind;

use super::PumpSettings;
use super::meter::Stage;
use super::reverse::Notices;
use super::wire::Wire;
use crate::error::{Error, Result};
use crate::transfer::Phase;

/// Time between two tries.
const RETRY: Duration = Duration::from_secs(1);
/// Longest sleep: how soon a cancel is heard.
const NAP: Duration = Duration::from_millis(50);

/// Runs `work`, a write to the target that may be repeated as a whole, and runs it again each
/// second for as long as there is no space for it, at most [`PumpSettings::space_timeout`].
///
/// Meanwhile the transfer is in [`Phase::WaitingForSpace`], here and at the peer.
///
/// # Errors
/// Those of `work`, `NoSpace` once the time is up; [`Error::Aborted`] after a cancel; connection
/// errors.
pub(crate) fn until_space<T>(
    wire: &mut Wire<'_>,
    settings: &mut PumpSettings<'_>,
    mut work: impl FnMut() -> Result<T>,
) -> Result<T> {
    let full = match work() {
        Err(error) if is_full(&error) => error,
        done => return done,
    };
    if settings.space_timeout.is_zero() {
        return Err(full);
    }
    wire.meter.lap(Stage::FileWrite);
    let deadline = Instant::now() + settings.space_timeout;
    settings.transfer.set_phase(Phase::WaitingForSpace);
    let mut notices = Notices::new(settings);
    notices.send(Notice::NoSpace, wire, settings)?;
    let outcome = loop {
        nap(wire, settings, Instant::now() + RETRY)?;
        wire.lap(Stage::SpaceWait);
        match work() {
            Err(error) if is_full(&error) && Instant::now() < deadline => {}
            done => break done,
        }
        if notices.is_due() {
            notices.send(Notice::NoSpace, wire, settings)?;
        }
    };
    settings.transfer.set_phase(Phase::Moving);
    if outcome.is_ok() {
        notices.send(Notice::Alive, wire, settings)?;
    }
    outcome
}

fn is_full(error: &Error) -> bool {
    matches!(error, Error::Vfs(error) if error.kind() == ErrorKind::NoSpace)
}

fn nap(wire: &Wire<'_>, settings: &PumpSettings<'_>, until: Instant) -> Result<()> {
    loop {
        wire.check()?;
        if settings.transfer.is_cancelled() {
            return Err(Error::Aborted);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(NAP));
    }
}
