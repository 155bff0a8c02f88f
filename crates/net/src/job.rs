//! Work on files that a request waits for and that moves nothing over its connection: copies and
//! hashes. It runs on a blocking thread, takes a place among the pumps for as long as it lasts, can
//! be ended by either side (`docs/PROTOCOL.md` §7.3), and ends with its connection.

use std::ops::Range;
use std::sync::Arc;

use e2eeftp_core::crypto::RootHasher;
use e2eeftp_core::record::{Head, InnerType};
use e2eeftp_core::transfer::Reason;
use e2eeftp_vfs::{CopyObserver, CopyOptions, CopyReport, Source, VPath, View};
use tokio::task::spawn_blocking;

use crate::error::{Error, Result};
use crate::pump::BodyResult;
use crate::session::Session;
use crate::transfer::{Phase, Transfer};

/// Bytes read at once: BLAKE3 has its full speed, and a cancel is heard soon.
const PIECE_LEN: usize = 1024 * 1024;

impl CopyObserver for Transfer {
    fn expect(&self, bytes: Option<u64>) {
        self.set_total(bytes);
    }

    fn add(&self, bytes: u64) {
        Transfer::add(self, bytes);
    }

    fn is_cancelled(&self) -> bool {
        Transfer::is_cancelled(self)
    }
}

impl Session {
    /// Copies within `view`, see [`View::copy`]; `transfer` counts and cancels.
    ///
    /// # Errors
    /// [`Error::Vfs`]; [`Error::Aborted`] after a cancel; [`Error::Closed`] when the connection
    /// ended before it began.
    pub async fn copy(
        &self,
        transfer: &Transfer,
        view: Arc<View>,
        from: VPath,
        to: VPath,
        options: CopyOptions,
    ) -> Result<CopyReport> {
        self.run_job(transfer, move |transfer| {
            let copied = view.copy(&from, &to, &options, transfer);
            copied.map_err(|error| match error.kind() {
                e2eeftp_vfs::ErrorKind::Cancelled => Error::Aborted,
                _ => error.into(),
            })
        })
        .await
    }

    /// Length and BLAKE3 root of the bytes of `source` in `range`; `transfer` counts and cancels.
    ///
    /// # Errors
    /// As [`hash_source`]; [`Error::Closed`] when the connection ended before it began.
    pub async fn hash(
        &self,
        transfer: &Transfer,
        source: Arc<dyn Source>,
        range: Range<u64>,
    ) -> Result<BodyResult> {
        self.run_job(transfer, move |transfer| hash_source(transfer, &*source, range)).await
    }

    /// Whether the peer has asked to stop request `stream`, as far as has arrived; never waits. A
    /// control message behind it is kept for [`Session::next_control`]; what stands behind that
    /// one is not looked at.
    ///
    /// # Errors
    /// [`Error::Closed`] after a Close of the peer, which ends the session; [`Error::Protocol`] for
    /// any other record; connection errors.
    pub async fn heard_stop(&self, stream: u32) -> Result<bool> {
        let link = &self.connection().link;
        let mut reader = link.reader().await?;
        while reader.ahead.is_none() {
            let Some(message) = link.try_receive(&mut reader)? else { return Ok(false) };
            match message.kind {
                InnerType::Stop if message.stream == stream => return Ok(true),
                // A Stop may cross the end of an earlier body on the way.
                InnerType::Stop | InnerType::KeyUpdate => {}
                InnerType::Control => reader.ahead = Some(message.content),
                InnerType::Close => {
                    link.destroy();
                    return Err(Error::Closed);
                }
                _ => {
                    link.destroy();
                    return Err(Error::Protocol("a body record outside a body"));
                }
            }
        }
        Ok(false)
    }

    /// Asks the peer to stop request `stream`, which has no body under way. It answers the request
    /// in any case, and may have completed it before it heard of this.
    ///
    /// # Errors
    /// Connection errors.
    pub async fn stop_request(&self, stream: u32) -> Result<()> {
        let link = &self.connection().link;
        let head = Head { kind: InnerType::Stop, flags: 0, stream };
        let mut writer = link.writer().await?;
        link.send(&mut writer, self.connection().settings.stall_timeout, |sealer, out| {
            sealer.seal_small(head, &Reason::Cancelled.to_wire(), out)
        })
        .await
    }

    /// Runs `work` on a blocking thread once there is a place for it.
    async fn run_job<T, F>(&self, transfer: &Transfer, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transfer) -> Result<T> + Send + 'static,
    {
        let permit = self.pump_permit(transfer).await?;
        let counted = transfer.clone();
        let mut job = spawn_blocking(move || {
            let _permit = permit;
            counted.set_phase(Phase::Moving);
            let result = work(&counted);
            counted.set_phase(Phase::Done);
            result
        });
        let finished = tokio::select! {
            biased;
            finished = &mut job => finished,
            // Nobody is left who could be told.
            () = self.connection().link.dead().cancelled() => {
                transfer.cancel();
                job.await
            }
        };
        finished.unwrap_or_else(|_| {
            Err(Error::Io("job", std::io::Error::other("the worker thread failed")))
        })
    }
}

/// Length and BLAKE3 root of the bytes of a file in `range`, as far as there are any, read once
/// from start to end on the calling thread.
///
/// # Errors
/// [`Error::Aborted`] after a cancel of `transfer`; [`Error::Vfs`] when the file can't be read or
/// changed meanwhile (`SourceChanged`).
pub fn hash_source(
    transfer: &Transfer,
    source: &dyn Source,
    range: Range<u64>,
) -> Result<BodyResult> {
    let size = source.metadata().size;
    let (start, end) = (range.start.min(size), range.end.min(size));
    let total = end.saturating_sub(start);
    transfer.set_total(Some(total));
    source.advise_sequential();
    let mut hasher = RootHasher::new();
    let mut buffer = vec![0; PIECE_LEN];
    let mut bytes = 0;
    while bytes < total {
        if transfer.is_cancelled() {
            return Err(Error::Aborted);
        }
        let len = usize::try_from(total - bytes).unwrap_or(PIECE_LEN).min(PIECE_LEN);
        let piece = &mut buffer[..len];
        let count = source.read_at(piece, start + bytes)?;
        if count < len {
            let kind = e2eeftp_vfs::ErrorKind::SourceChanged;
            return Err(e2eeftp_vfs::Error::new(kind, "read").into());
        }
        hasher.update(piece);
        bytes += count as u64;
        transfer.add(count as u64);
    }
    source.check_unchanged()?;
    Ok(BodyResult { bytes, root: hasher.finalize() })
}
