//! One emulated link between two network namespaces.
//!
//! [`tun`] gives a network device whose packets a program reads and writes, [`link`] decides what
//! becomes of a packet and when, [`ring`] holds those under way, [`direction`] moves them.

pub mod clock;
pub mod direction;
pub mod link;
pub mod ring;
pub mod tun;
