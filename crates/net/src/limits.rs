//! Time and number limits of a connection, with the defaults of the product.

use std::time::Duration;

/// How long a peer may take for one record once its first byte has arrived.
pub(crate) const RECORD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a refused or closed connection is drained, so that the last record reaches the peer.
pub(crate) const LINGER: Duration = Duration::from_secs(1);
/// How long a given-up body may take until both sides are in step again.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Default of `keep_alive`, well within every stall limit.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Default of `space_timeout`.
const SPACE_TIMEOUT: Duration = Duration::from_secs(600);
/// File pumps that run for clients of this process at the same time; further ones wait.
pub(crate) const MAX_CLIENT_TRANSFERS: usize = 256;

/// Lanes of one session at once, those included for which a join id is out.
pub const MAX_LANES: usize = 16;

/// Limits of a listener and of the sessions it accepts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerLimits {
    /// From accept to the server's answer to a hello. Default 10 s.
    pub handshake_timeout: Duration,
    /// From that answer to the client's proof of its identity, which ends the handshake: a person
    /// may have to touch a security key. Default 45 s. For a lane, `handshake_timeout` once more.
    pub proof_timeout: Duration,
    /// Handshakes under way at once; one address may have a quarter of them, loopback all.
    /// Default 256.
    pub max_half_open: usize,
    /// Connections at once, handshakes included. Default 4096.
    pub max_connections: usize,
    /// Handshakes a second from one address (IPv6: /56) in the long run; 0 means no limit.
    /// Default 50. Loopback addresses are not limited.
    pub handshakes_per_second: u32,
    /// Handshakes that one address may start at once before the rate applies. Default 200.
    pub handshake_burst: u32,
    /// How long a join id is good. Default 60 s.
    pub join_id_lifetime: Duration,
    /// No byte of a body moved for this long: the connection is given up. Default 5 minutes, so
    /// that a client may pause, behind a pager for example.
    pub stall_timeout: Duration,
    /// A streamed body whose source is silent says so this often, and so does, twice as often, the
    /// receiver of a file that takes nothing for a while. Default 10 s; to be well within the
    /// peer's stall limit.
    pub keep_alive: Duration,
    /// File pumps at once; further transfers wait for their turn. Default 256.
    pub max_transfers: usize,
    /// Bytes a second that all file bodies together may move in each direction; 0 means no limit,
    /// which is the default. See [`crate::RateLimiter`].
    pub rate_limit: u64,
    /// How long a full disk is waited for. Default 10 minutes; zero: not at all.
    pub space_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            proof_timeout: Duration::from_secs(45),
            max_half_open: 256,
            max_connections: 4096,
            handshakes_per_second: 50,
            handshake_burst: 200,
            join_id_lifetime: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(300),
            keep_alive: KEEP_ALIVE,
            max_transfers: 256,
            rate_limit: 0,
            space_timeout: SPACE_TIMEOUT,
        }
    }
}

/// Limits of an outgoing connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientLimits {
    /// For name look-up, TCP connect and handshake together. Default 10 s.
    pub connect_timeout: Duration,
    /// No byte of a body moved for this long: the connection is given up. Default 30 s.
    pub stall_timeout: Duration,
    /// A streamed body whose source is silent says so this often, and so does, twice as often, the
    /// receiver of a file that takes nothing for a while. Default 10 s; to be well within the
    /// peer's stall limit.
    pub keep_alive: Duration,
    /// How long a full disk of this side is waited for. Default 10 minutes; zero: not at all.
    pub space_timeout: Duration,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            keep_alive: KEEP_ALIVE,
            space_timeout: SPACE_TIMEOUT,
        }
    }
}
