//! Listening sockets and the peers that arrive.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use e2eeftp_core::identity::RotationChain;
use e2eeftp_net::{Incoming, Listener, Network, ServerLimits};
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

use crate::error::{IntoThrown, closed, number, promise, thrown};
use crate::identity::{NativeIdentity, PublicKeyInfo};
use crate::session::NativeSession;
use crate::transfer::rate_limit;

/// Where to listen, and the limits; what is left out has the default of `docs/ARCHITECTURE.md`.
#[napi(object)]
pub struct NativeListenOptions {
    /// An IP address.
    pub host: String,
    /// 0 lets the system choose.
    pub port: u16,
    /// Text of a file `server_id.rotation` that leads to the identity.
    pub rotation: Option<String>,
    pub handshake_timeout_ms: Option<u32>,
    pub proof_timeout_ms: Option<u32>,
    pub max_connections: Option<u32>,
    pub max_half_open: Option<u32>,
    pub handshakes_per_second: Option<u32>,
    pub handshake_burst: Option<u32>,
    pub stall_timeout_ms: Option<u32>,
    pub keep_alive_ms: Option<u32>,
    pub max_transfers: Option<u32>,
    /// Bytes a second of all file bodies together, for each direction; 0 means no limit.
    pub rate_limit: Option<f64>,
    pub space_timeout_ms: Option<u32>,
}

impl From<&NativeListenOptions> for ServerLimits {
    fn from(options: &NativeListenOptions) -> Self {
        let mut limits = Self::default();
        let set = |target: &mut usize, value: Option<u32>| {
            if let Some(value) = value {
                *target = usize::try_from(value).unwrap_or(usize::MAX);
            }
        };
        set(&mut limits.max_connections, options.max_connections);
        set(&mut limits.max_half_open, options.max_half_open);
        set(&mut limits.max_transfers, options.max_transfers);
        let time = |target: &mut Duration, value: Option<u32>| {
            if let Some(value) = value {
                *target = Duration::from_millis(value.into());
            }
        };
        time(&mut limits.handshake_timeout, options.handshake_timeout_ms);
        time(&mut limits.proof_timeout, options.proof_timeout_ms);
        time(&mut limits.stall_timeout, options.stall_timeout_ms);
        time(&mut limits.keep_alive, options.keep_alive_ms);
        time(&mut limits.space_timeout, options.space_timeout_ms);
        if let Some(rate) = options.rate_limit {
            limits.rate_limit = rate_limit(rate);
        }
        if let Some(rate) = options.handshakes_per_second {
            limits.handshakes_per_second = rate;
        }
        if let Some(burst) = options.handshake_burst {
            limits.handshake_burst = burst;
        }
        limits
    }
}

/// Counters of a listener since it was bound.
#[napi(object)]
pub struct NativeListenerStats {
    pub accepted: f64,
    pub refused: f64,
    pub failed: f64,
    /// Connections open now.
    pub open: f64,
}

/// A listening socket.
#[napi]
pub struct NativeListener {
    listener: Arc<Listener>,
}

impl NativeListener {
    /// For a listener of another protocol beside it.
    pub(crate) fn shared(&self) -> Arc<Listener> {
        Arc::clone(&self.listener)
    }
}

#[napi]
impl NativeListener {
    /// Binds an address and starts to accept.
    #[napi]
    pub fn bind<'env>(
        env: &'env Env,
        identity: &NativeIdentity,
        options: NativeListenOptions,
    ) -> napi::Result<PromiseRaw<'env, NativeListener>> {
        let host = listening_address(&options.host)?;
        let key = Arc::clone(identity.key()?);
        promise(env, async move {
            let limits = ServerLimits::from(&options);
            let rotation = options.rotation.as_deref().map(RotationChain::from_text).transpose();
            let rotation = rotation.or_throw()?.map(Arc::new);
            let address = (host, options.port).into();
            let listener = Listener::bind_rotated(address, key, rotation, limits).or_throw()?;
            Ok(NativeListener { listener: Arc::new(listener) })
        })
    }

    /// Binds a further address for the same identity; every limit counts over both together.
    #[napi]
    pub fn bind_beside<'env>(
        &self,
        env: &'env Env,
        host: String,
        port: u16,
    ) -> napi::Result<PromiseRaw<'env, NativeListener>> {
        let (host, listener) = (listening_address(&host)?, Arc::clone(&self.listener));
        promise(env, async move {
            let listener = listener.bind_beside((host, port).into()).or_throw()?;
            Ok(NativeListener { listener: Arc::new(listener) })
        })
    }

    #[napi(getter)]
    pub fn host(&self) -> String {
        self.listener.address().ip().to_string()
    }

    #[napi(getter)]
    pub fn port(&self) -> u16 {
        self.listener.address().port()
    }

    #[napi(getter)]
    pub fn stats(&self) -> NativeListenerStats {
        let stats = self.listener.stats();
        NativeListenerStats {
            accepted: number(stats.accepted),
            refused: number(stats.refused),
            failed: number(stats.failed),
            open: number(stats.open),
        }
    }

    /// The next peer that has proved an identity, or null after `close()`.
    #[napi]
    pub fn next<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<PromiseRaw<'env, Option<NativeIncoming>>> {
        let listener = Arc::clone(&self.listener);
        promise(env, async move {
            let incoming = listener.next().await;
            Ok(incoming.map(NativeIncoming::new))
        })
    }

    /// Stops accepting; sessions live on. Idempotent.
    #[napi]
    pub fn close(&self) {
        self.listener.close();
    }
}

pub(crate) fn listening_address(host: &str) -> napi::Result<IpAddr> {
    host.parse().map_err(|_| {
        thrown("E2EEFTP_INVALID_ARGUMENT", "the listening address must be an IP address")
    })
}

/// The canonical text of a network such as `10.0.0.0/8` or `2001:db8::1`; throws
/// `E2EEFTP_INVALID_ARGUMENT` for anything else.
#[napi(catch_unwind)]
pub fn parse_network(text: String) -> napi::Result<String> {
    network(&text).map(|network| network.to_string())
}

pub(crate) fn network(text: &str) -> napi::Result<Network> {
    text.parse().map_err(|_| {
        thrown("E2EEFTP_INVALID_ARGUMENT", "a network is an IP address with a prefix, or without")
    })
}

/// A peer that waits for the verdict on its identity.
#[napi]
pub struct NativeIncoming {
    /// `None` once there is a verdict, and while its address is judged.
    incoming: Arc<Mutex<Option<Incoming>>>,
    client_key: e2eeftp_core::identity::PublicKey,
    address: std::net::SocketAddr,
}

impl NativeIncoming {
    fn new(incoming: Incoming) -> Self {
        Self {
            client_key: incoming.client_key().clone(),
            address: incoming.address(),
            incoming: Arc::new(Mutex::new(Some(incoming))),
        }
    }

    fn take(&self) -> napi::Result<Incoming> {
        let mut incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        incoming.take().ok_or_else(|| closed("the incoming connection"))
    }
}

#[napi]
impl NativeIncoming {
    #[napi(getter)]
    pub fn client_key(&self) -> PublicKeyInfo {
        (&self.client_key).into()
    }

    #[napi(getter)]
    pub fn peer_host(&self) -> String {
        self.address.ip().to_canonical().to_string()
    }

    #[napi(getter)]
    pub fn peer_port(&self) -> u16 {
        self.address.port()
    }

    /// Turns the peer away unless it connects from one of `networks`, and tells whether it may
    /// stay. Throws, and turns it away, when one of them is no network.
    #[napi]
    pub fn only_from<'env>(
        &self,
        env: &'env Env,
        networks: Vec<String>,
    ) -> napi::Result<PromiseRaw<'env, bool>> {
        let incoming = self.take()?;
        let place = Arc::clone(&self.incoming);
        promise(env, async move {
            let networks: napi::Result<Vec<Network>> =
                networks.iter().map(|text| network(text)).collect();
            let allowed = incoming.only_from(networks.as_deref().unwrap_or_default()).await;
            let is_allowed = allowed.is_some();
            *place.lock().unwrap_or_else(PoisonError::into_inner) = allowed;
            networks.map(|_| is_allowed)
        })
    }

    /// Lets the peer in and sends the first control message.
    #[napi]
    pub fn accept<'env>(
        &self,
        env: &'env Env,
        ready: &[u8],
    ) -> napi::Result<PromiseRaw<'env, NativeSession>> {
        let (incoming, ready) = (self.take()?, ready.to_vec());
        promise(env, async move {
            let session = incoming.accept();
            session.send_control(&ready).await.or_throw()?;
            Ok(NativeSession { session })
        })
    }

    /// Turns the peer away without a reason.
    #[napi]
    pub fn refuse<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let incoming = self.take()?;
        promise(env, async move {
            incoming.refuse().await;
            Ok(())
        })
    }
}
