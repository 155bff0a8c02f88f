//! Sockets, sessions and the pumps that move files over them; runs without Node.
//!
//! This crate owns every socket from accept or connect to close. It drives the sans-IO protocol of
//! `e2eeftp-core` over TCP, and moves bytes between `e2eeftp-vfs` files and records. It decides
//! nothing: who may do what is told to it by the caller, as a verdict on an [`Incoming`] peer and
//! as an already opened source or staged file.
//!
//! Control messages run on a tokio runtime that the caller provides. File bodies never do: a pump
//! takes the socket off the runtime and runs on one blocking thread, because every thread hop for a
//! unit of data costs more than the encryption (`docs/ARCHITECTURE.md`, "Concurrency and memory").

mod accept;
mod address_limiter;
mod agent;
mod block_lanes;
mod body;
mod buffer;
pub mod classic;
mod connect;
mod connection;
mod error;
mod handshake;
mod job;
mod join_ids;
mod lane;
mod lane_offer;
mod limits;
mod link;
mod listener;
pub mod measure;
mod network;
mod places;
mod pump;
mod session;
mod tcp_info;
mod transfer;
mod tree;

pub use agent::Agent;
pub use block_lanes::{Lanes, OpenLanes};
pub use body::{BodyReader, BodyWriter};
pub use connect::{Connecting, connect};
pub use error::{Error, Result};
pub use job::hash_source;
pub use lane::Lane;
pub use lane_offer::LaneOffer;
pub use limits::{ClientLimits, MAX_LANES, ServerLimits};
pub use listener::{Incoming, Listener, ListenerStats};
pub use network::{Network, NotANetwork};
pub use pump::limiter::{MIN_RATE, RateLimiter, Rates};
pub use pump::meter::{Stage, Stages, TransferStats};
pub use pump::{
    BlocksResult, BodyResult, Fed, PumpSettings, StreamSink, StreamSource, receive_body,
    receive_stream, send_body, send_stream,
};
#[cfg(unix)]
pub use pump::{StandardInput, StandardOutput};
pub use session::Session;
pub use tcp_info::TcpInfo;
pub use transfer::{Phase, Progress, Transfer};
pub use tree::{
    TreeChoice, TreeEvent, TreeEventKind, TreeEvents, TreeOptions, TreeProgress, TreeSettings,
    receive_tree, send_tree,
};
