//! Outgoing connections.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use e2eeftp_core::identity::{PublicKey, RotationChain};
use e2eeftp_net::{ClientLimits, Connecting};
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

use crate::error::{IntoThrown, closed, number, promise};
use crate::identity::{Holder, NativeIdentity, PublicKeyInfo};
use crate::rotation::{NativeRotation, steps};
use crate::session::NativeSession;

/// Where to connect to.
#[napi(object)]
pub struct NativeConnectOptions {
    /// A name or an IP address.
    pub host: String,
    pub port: u16,
    /// For look-up, TCP and handshake together; default 10 s.
    pub timeout_ms: Option<u32>,
    /// No byte of a body moved for this long; default 30 s.
    pub stall_timeout_ms: Option<u32>,
    /// A streamed body whose source is silent says so this often; default 10 s.
    pub keep_alive_ms: Option<u32>,
    /// A full disk of this side is waited for as long; 0: not at all; default 10 minutes.
    pub space_timeout_ms: Option<u32>,
}

/// The limits of a connection; those left out have their defaults.
pub(crate) fn client_limits(options: &NativeConnectOptions) -> ClientLimits {
    let mut limits = ClientLimits::default();
    if let Some(ms) = options.timeout_ms {
        limits.connect_timeout = Duration::from_millis(ms.into());
    }
    if let Some(ms) = options.stall_timeout_ms {
        limits.stall_timeout = Duration::from_millis(ms.into());
    }
    if let Some(ms) = options.keep_alive_ms {
        limits.keep_alive = Duration::from_millis(ms.into());
    }
    if let Some(ms) = options.space_timeout_ms {
        limits.space_timeout = Duration::from_millis(ms.into());
    }
    limits
}

/// Connects and lets the server prove its identity; the client has said nothing of itself yet.
#[napi]
pub fn connect(
    env: &Env,
    options: NativeConnectOptions,
) -> napi::Result<PromiseRaw<'_, NativeConnecting>> {
    let limits = client_limits(&options);
    promise(env, async move {
        let connecting =
            e2eeftp_net::connect(&options.host, options.port, limits).await.or_throw()?;
        Ok(NativeConnecting {
            server_time: connecting.server_time(),
            server_key: connecting.server_key().clone(),
            rotation: connecting.rotation().cloned(),
            connecting: Mutex::new(Some(connecting)),
        })
    })
}

/// A connection to a server that has proved its identity.
#[napi]
pub struct NativeConnecting {
    server_time: u64,
    connecting: Mutex<Option<Connecting>>,
    server_key: PublicKey,
    rotation: Option<RotationChain>,
}

impl NativeConnecting {
    fn take(&self) -> Option<Connecting> {
        self.connecting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[napi]
impl NativeConnecting {
    /// The identity that the server has proved.
    #[napi(getter)]
    pub fn server_key(&self) -> PublicKeyInfo {
        (&self.server_key).into()
    }

    /// The verified statements that lead from older keys of the server to this one, oldest first.
    #[napi(getter)]
    pub fn rotation(&self) -> Vec<NativeRotation> {
        self.rotation.as_ref().map(steps).unwrap_or_default()
    }

    /// Proves the client's identity. The verdict comes with the first `nextControl()`.
    #[napi]
    pub fn authenticate<'env>(
        &self,
        env: &'env Env,
        identity: &NativeIdentity,
    ) -> napi::Result<PromiseRaw<'env, NativeSession>> {
        let connecting = self.take().ok_or_else(|| closed("the connection"))?;
        let holder = identity.holder.clone();
        promise(env, async move {
            let session = match holder {
                Holder::Process(key) => connecting.authenticate(&*key).await,
                Holder::Agent(agent, key) => connecting.authenticate_by_agent(&agent, &key).await,
            };
            Ok(NativeSession { session: session.or_throw()? })
        })
    }

    /// The server's clock at the handshake, seconds since 1970.
    #[napi(getter)]
    pub fn server_time(&self) -> f64 {
        number(self.server_time)
    }

    /// Closes the connection without saying who the client is. Idempotent.
    #[napi]
    pub fn close(&self) {
        drop(self.take());
    }
}
