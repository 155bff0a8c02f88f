//! The places that the listeners of one server give away together: connections, handshakes under
//! way, file pumps. A server with two addresses has as many of each as a server with one.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::address_limiter::{AddressLimiter, AddressPermit};
use crate::connection::ConnectionSettings;
use crate::limits::ServerLimits;
use crate::pump::limiter::Rates;

/// Peers that are being turned away politely at once.
const MAX_TURNING_AWAY: usize = 64;
/// One address may have this part of the handshakes under way.
const HALF_OPEN_SHARE: usize = 4;

/// What the listeners of a server share.
#[derive(Debug)]
pub(crate) struct Places {
    limits: ServerLimits,
    half_open: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    pumps: Arc<Semaphore>,
    /// Bounds the tasks that turn peers away politely.
    turning_away: Arc<Semaphore>,
    limiter: Mutex<AddressLimiter>,
    rates: Arc<Rates>,
}

/// The places of one connection that has begun its handshake.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Among the connections: kept until the session has ended.
    pub(crate) slot: OwnedSemaphorePermit,
    /// Among the handshakes under way: given back when it is dropped.
    pub(crate) half_open: HalfOpen,
}

/// One handshake under way; counts until it is dropped.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    _permit: OwnedSemaphorePermit,
    _of_address: AddressPermit,
}

impl Places {
    pub(crate) fn new(limits: ServerLimits) -> Self {
        Self {
            half_open: Arc::new(Semaphore::new(limits.max_half_open)),
            connections: Arc::new(Semaphore::new(limits.max_connections)),
            pumps: Arc::new(Semaphore::new(limits.max_transfers)),
            turning_away: Arc::new(Semaphore::new(MAX_TURNING_AWAY)),
            limiter: Mutex::new(AddressLimiter::new(
                limits.handshakes_per_second,
                limits.handshake_burst,
                limits.max_half_open.div_ceil(HALF_OPEN_SHARE),
            )),
            rates: Arc::new(Rates::new(limits.rate_limit)),
            limits,
        }
    }

    pub(crate) fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    /// Takes what a new connection from `address` needs; `None` when a limit is reached.
    pub(crate) fn take(&self, address: IpAddr) -> Option<Taken> {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = limiter.admit(address, Instant::now())?;
        let slot = Arc::clone(&self.connections).try_acquire_owned().ok()?;
        let permit = Arc::clone(&self.half_open).try_acquire_owned().ok()?;
        Some(Taken { slot, half_open: HalfOpen { _permit: permit, _of_address: of_address } })
    }

    /// A place among those that are turned away with a word; `None` when there are too many.
    pub(crate) fn turn_away(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turning_away).try_acquire_owned().ok()
    }

    /// The places of file pumps.
    pub(crate) fn pumps(&self) -> Arc<Semaphore> {
        Arc::clone(&self.pumps)
    }

    /// What a connection of this server gets.
    pub(crate) fn connection_settings(&self) -> ConnectionSettings {
        let ServerLimits { stall_timeout, keep_alive, space_timeout, .. } = self.limits;
        let rates = Arc::clone(&self.rates);
        ConnectionSettings { stall_timeout, keep_alive, space_timeout, rates, pumps: self.pumps() }
    }

    /// Connections that are open now, handshakes included.
    pub(crate) fn open(&self) -> u64 {
        let free = self.connections.available_permits();
        u64::try_from(self.limits.max_connections.saturating_sub(free)).unwrap_or(0)
    }
}
