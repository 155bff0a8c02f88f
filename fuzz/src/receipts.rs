//! A receipt that holds.

use e2eeftp_core::identity::{IdentityKey, Signature, Signer as _};
use e2eeftp_core::receipt::{Direction, Name, Receipt, Statement};

use crate::peers::identity;

/// The same receipt each time.
pub fn genuine() -> Receipt {
    let (client, server) = (identity("client identity"), identity("server identity"));
    let name = Name::new(b"/in/a file", [7; 32]).unwrap();
    let statement = Statement {
        id: [1; 16],
        direction: Direction::Send,
        size: 5,
        root: [2; 32],
        name_commitment: name.commitment(),
        client: client.public_key().clone(),
        server: server.public_key().clone(),
        time: 1_800_000_000,
    };
    let sign = |key: &IdentityKey| {
        let request = statement.signing_request(key.public_key()).unwrap();
        Signature::from(key.sign(&request).unwrap())
    };
    let (by_client, by_server) = (sign(&client), sign(&server));
    Receipt::new(statement, Some(name), by_client, by_server).unwrap()
}
