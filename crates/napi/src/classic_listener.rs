//! The wire format of the original Python e2eeftp: listeners, and the peers that arrive.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use e2eeftp_core::identity::PublicKey;
use e2eeftp_net::Network;
use e2eeftp_net::classic::{Incoming, Listener};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi_derive::napi;

use crate::classic::NativeClassicConnection;
use crate::error::{IntoThrown, closed, promise};
use crate::identity::{NativeIdentity, PublicKeyInfo};
use crate::listener::{NativeListener, listening_address, network};

/// A listening socket.
#[napi]
pub struct NativeClassicListener {
    listener: Arc<Listener>,
}

#[napi]
impl NativeClassicListener {
    /// Binds an address under the limits of the server that `listener` belongs to, and starts to
    /// accept.
    #[napi]
    pub fn bind_beside<'env>(
        env: &'env Env,
        listener: &NativeListener,
        host: String,
        port: u16,
    ) -> napi::Result<PromiseRaw<'env, NativeClassicListener>> {
        let (host, beside) = (listening_address(&host)?, listener.shared());
        promise(env, async move {
            let listener = Listener::bind_beside(&beside, (host, port).into()).or_throw()?;
            Ok(NativeClassicListener { listener: Arc::new(listener) })
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

    /// The next peer whose hello verifies, or null after `close()`.
    #[napi]
    pub fn next<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<PromiseRaw<'env, Option<NativeClassicIncoming>>> {
        let listener = Arc::clone(&self.listener);
        promise(env, async move { Ok(listener.next().await.map(NativeClassicIncoming::new)) })
    }

    /// Stops accepting; connections live on. Idempotent.
    #[napi]
    pub fn close(&self) {
        self.listener.close();
    }
}

/// A peer that waits for the verdict on its identity and its ephemeral key.
#[napi]
pub struct NativeClassicIncoming {
    incoming: Mutex<Option<Incoming>>,
    client_key: PublicKey,
    ephemeral: [u8; 32],
    address: SocketAddr,
}

impl NativeClassicIncoming {
    fn new(incoming: Incoming) -> Self {
        Self {
            client_key: incoming.client_key().clone(),
            ephemeral: *incoming.ephemeral(),
            address: incoming.address(),
            incoming: Mutex::new(Some(incoming)),
        }
    }

    fn take(&self) -> Option<Incoming> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[napi]
impl NativeClassicIncoming {
    #[napi(getter)]
    pub fn client_key(&self) -> PublicKeyInfo {
        (&self.client_key).into()
    }

    /// 32 bytes; a peer that is no replay has made them for this connection.
    #[napi(getter)]
    pub fn ephemeral(&self) -> Buffer {
        self.ephemeral.to_vec().into()
    }

    #[napi(getter)]
    pub fn peer_host(&self) -> String {
        self.address.ip().to_canonical().to_string()
    }

    #[napi(getter)]
    pub fn peer_port(&self) -> u16 {
        self.address.port()
    }

    /// Refuses the peer unless it connects from one of `networks`, and tells whether it may stay.
    /// Throws, and refuses it, when one of them is no network.
    #[napi(catch_unwind)]
    pub fn only_from(&self, networks: Vec<String>) -> napi::Result<bool> {
        let incoming = self.take().ok_or_else(|| closed("the incoming connection"))?;
        let networks: Vec<Network> =
            networks.iter().map(|text| network(text)).collect::<napi::Result<_>>()?;
        let allowed = incoming.only_from(&networks);
        let is_allowed = allowed.is_some();
        *self.incoming.lock().unwrap_or_else(PoisonError::into_inner) = allowed;
        Ok(is_allowed)
    }

    /// Lets the peer in.
    #[napi]
    pub fn accept<'env>(
        &self,
        env: &'env Env,
        identity: &NativeIdentity,
    ) -> napi::Result<PromiseRaw<'env, NativeClassicConnection>> {
        let incoming = self.take().ok_or_else(|| closed("the incoming connection"))?;
        let key = Arc::clone(identity.key()?);
        promise(env, async move { Ok(incoming.accept(&key).await.or_throw()?.into()) })
    }

    /// Closes the connection without a byte. Idempotent.
    #[napi]
    pub fn refuse(&self) {
        drop(self.take());
    }
}
