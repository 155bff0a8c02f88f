//! Listening on several addresses.

mod common;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use e2eeftp_net::{Listener, ServerLimits};

#[tokio::test]
async fn all_addresses_of_both_families_share_a_port() {
    let key = || Arc::new(common::identity());
    let limits = ServerLimits::default;
    let v4 = Listener::bind((Ipv4Addr::UNSPECIFIED, 0).into(), key(), limits()).unwrap();
    let port = v4.address().port();
    let v6 = Listener::bind((Ipv6Addr::UNSPECIFIED, port).into(), key(), limits()).unwrap();
    assert_eq!(v6.address().port(), port);
}
