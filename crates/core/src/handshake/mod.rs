//! The handshake: mutual authentication and fresh keys in one round trip.
//!
//! ```text
//! client                                                     server
//! start_client          -- M1 ClientHello -->                read_client_hello
//!                                                            ClientHello::respond
//! ExpectServerHello     <-- M3 ServerHello, M4 ServerAuth --
//! ExpectServerAuth
//! ServerProved          -- M5 ClientAuth, records -->        ExpectClientAuth
//! Established                                                ClientProved -> Established
//! ```
//!
//! Each state is a type whose method consumes it, so that a message can be neither skipped nor
//! taken twice, and a failed handshake can't go on. Every failure is answered with the same
//! [`refusal_record`] and the end of the connection. See `docs/PROTOCOL.md` §2 to §5.

mod client;
mod client_hello;
mod established;
mod extensions;
mod flight;
mod parameters;
mod proof;
mod refusal;
mod schedule;
mod server;
mod server_hello;
mod settings;
mod suite;
mod transcript;

pub use client::{ExpectServerAuth, ExpectServerHello, ServerProved, start_client};
pub use established::Established;
pub use refusal::{Refusal, refusal_record};
pub use server::{ClientHello, ClientProved, ExpectClientAuth, read_client_hello};
pub use settings::{ClientSettings, Join, ServerSettings};
pub use suite::{Suite, Suites};

pub use client_hello::CLIENT_HELLO_RECORD_LEN;
pub use flight::FLIGHT_RECORD_LEN;
pub use server_hello::SERVER_HELLO_RECORD_LEN;

pub(crate) use schedule::TrafficSecret;

/// Namespace of the server's signature.
pub const SERVER_NAMESPACE: &str = "server-auth@e2eeftp";
/// Namespace of the client's signature.
pub const CLIENT_NAMESPACE: &str = "client-auth@e2eeftp";
/// The version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;
