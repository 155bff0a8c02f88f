//! A connection after its handshake, as a session and a lane have it: its halves, its place among
//! the pumps, its end. It knows nothing of what is said over it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use e2eeftp_core::crypto::on_clean_stack;
use e2eeftp_core::transfer::Reason;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::limits::LINGER;
use crate::link::Link;
use crate::pump::PumpSettings;
use crate::pump::limiter::Rates;
use crate::transfer::Transfer;

/// An authenticated connection. It ends with the last handle of it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) link: Arc<Link>,
    pub(crate) settings: ConnectionSettings,
    closing: AtomicBool,
    /// A place for the next pump, taken ahead. Given back when the connection is dead.
    reserved: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

/// What a connection needs from the side that made it.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionSettings {
    pub(crate) stall_timeout: Duration,
    pub(crate) keep_alive: Duration,
    pub(crate) space_timeout: Duration,
    /// Rate limits beside those of each transfer.
    pub(crate) rates: Arc<Rates>,
    /// Places for pumps, shared with the other connections of this server or process.
    pub(crate) pumps: Arc<Semaphore>,
}

impl Connection {
    /// Must be called on a tokio runtime. `places` are given back when the connection has ended.
    pub(crate) fn new(
        link: Link,
        settings: ConnectionSettings,
        places: Vec<OwnedSemaphorePermit>,
    ) -> Arc<Self> {
        let (link, reserved) = (Arc::new(link), Arc::default());
        tokio::spawn(close_when_dead(Arc::clone(&link), Arc::clone(&reserved), places));
        Arc::new(Self { link, settings, closing: AtomicBool::new(false), reserved })
    }

    /// Waits until a pump is free and keeps it for the next [`Connection::place`].
    pub(crate) async fn reserve_pump(&self, transfer: &Transfer) -> Result<()> {
        // A place that was not used is as good as a new one; to wait for another beside it could
        // be to wait for oneself.
        if lock(&self.reserved).is_none() {
            let permit = self.pump_permit(transfer).await?;
            *lock(&self.reserved) = Some(permit);
        }
        if self.link.is_dead() {
            drop(lock(&self.reserved).take());
            return Err(Error::Closed);
        }
        Ok(())
    }

    /// Waits for a free pump.
    pub(crate) async fn pump_permit(&self, transfer: &Transfer) -> Result<OwnedSemaphorePermit> {
        let permit = tokio::select! {
            biased;
            () = self.link.dead().cancelled() => return Err(Error::Closed),
            () = transfer.cancelled() => return Err(Error::Aborted),
            permit = Arc::clone(&self.settings.pumps).acquire_owned() => permit,
        };
        permit.map_err(|_| Error::Closed)
    }

    /// The place that was reserved, or the next that is free.
    pub(crate) async fn place(&self, transfer: &Transfer) -> Result<OwnedSemaphorePermit> {
        let reserved = lock(&self.reserved).take();
        match reserved {
            Some(permit) => Ok(permit),
            None => self.pump_permit(transfer).await,
        }
    }

    /// Takes the socket off the runtime, runs `work` on a blocking thread in `place`, puts the
    /// socket back. An error of `work` that leaves the two sides out of step ends the connection.
    pub(crate) async fn run_pump<T, F>(
        self: &Arc<Self>,
        place: OwnedSemaphorePermit,
        transfer: &Transfer,
        stream: u32,
        work: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&std::net::TcpStream, PumpSettings<'_>) -> Result<T> + Send + 'static,
    {
        let connection = Arc::clone(self);
        let transfer = transfer.clone();
        let runtime = tokio::runtime::Handle::current();
        let pump = spawn_blocking(move || {
            let _place = place;
            let link = &connection.link;
            let mut reader = runtime.block_on(link.reader())?;
            let mut writer = runtime.block_on(link.writer())?;
            let socket = link.detach(&mut reader, &mut writer)?;
            let reader_half = &mut *reader;
            let settings = PumpSettings {
                sealer: &mut writer.sealer,
                opener: &mut reader_half.opener,
                pending: &mut reader_half.pending,
                stream,
                transfer: &transfer,
                dead: link.dead(),
                stall_timeout: connection.settings.stall_timeout,
                keep_alive: connection.settings.keep_alive,
                space_timeout: connection.settings.space_timeout,
                rates: Some(&connection.settings.rates),
                epoch: link.epoch(),
            };
            reader_half.heard = true;
            let result = on_clean_stack(|| work(&socket, settings));
            match &result {
                Err(error) if !error.keeps_session() => link.destroy(),
                _ => link.attach(&mut reader, &mut writer, socket)?,
            }
            result
        });
        pump.await.unwrap_or_else(|_| {
            self.link.destroy();
            Err(Error::Io("pump", std::io::Error::other("the pump thread failed")))
        })
    }

    /// Says goodbye and ends the connection; waits at most a second for a running body to end and
    /// for the goodbye to leave. Idempotent.
    pub(crate) async fn close(&self, reason: Reason) {
        let Self { link, settings, closing, .. } = self;
        if closing.swap(true, Ordering::AcqRel) || link.is_dead() {
            return;
        }
        let polite = async {
            let mut writer = link.writer().await?;
            link.send(&mut writer, settings.stall_timeout, |sealer, out| {
                sealer.seal_close(reason, out)
            })
            .await?;
            writer.shutdown()?;
            Ok::<(), Error>(())
        };
        // Whether or not the goodbye could be said, the connection is over.
        drop(timeout(LINGER, polite).await);
        link.destroy();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.link.destroy();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes the socket and gives all places back as soon as the connection is dead, no matter who
/// still holds a handle of it.
async fn close_when_dead(
    link: Arc<Link>,
    reserved: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
    places: Vec<OwnedSemaphorePermit>,
) {
    link.dead().cancelled().await;
    drop(lock(&reserved).take());
    link.drop_sockets().await;
    drop(places);
}
