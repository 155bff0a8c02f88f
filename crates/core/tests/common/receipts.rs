//! Receipts for the tests, and the file `receipt.json`.

use e2eeftp_core::identity::{IdentityKey, PublicKey, Signature, Signer as _};
use e2eeftp_core::receipt::{Direction, Name, Receipt, Statement};
use serde_json::{Value, json};

use super::vectors::{self, security_key, touch};

/// Seed of the security key of the client.
pub(crate) const TOUCHED_SEED: [u8; 32] = [9; 32];

/// The key of a side, by its name.
fn identity(name: &str) -> IdentityKey {
    vectors::identity(blake3::hash(name.as_bytes()).as_bytes())
}

/// A statement about 5 bytes between `client` and the server of these tests.
pub(crate) fn statement(client: &PublicKey, name: &Name) -> Statement {
    Statement {
        id: *b"an id of 16 byte",
        direction: Direction::Send,
        size: 5,
        root: *blake3::hash(b"hello").as_bytes(),
        name_commitment: name.commitment(),
        client: client.clone(),
        server: identity("server identity").public_key().clone(),
        time: 1_795_373_917,
    }
}

pub(crate) fn name() -> Name {
    Name::new("/in/50 % Grüße\n.txt".as_bytes(), [7; 32]).unwrap()
}

pub(crate) fn server_signature(statement: &Statement) -> Signature {
    let key = identity("server identity");
    key.sign(&statement.signing_request(key.public_key()).unwrap()).unwrap().into()
}

pub(crate) fn client_signature(statement: &Statement) -> Signature {
    let key = identity("client identity");
    key.sign(&statement.signing_request(key.public_key()).unwrap()).unwrap().into()
}

/// A receipt of a client with a plain key.
pub(crate) fn plain() -> Receipt {
    let statement = statement(identity("client identity").public_key(), &name());
    let (client, server) = (client_signature(&statement), server_signature(&statement));
    Receipt::new(statement, Some(name()), client, server).unwrap()
}

/// A receipt of a client with a security key, without the name.
pub(crate) fn touched() -> Receipt {
    let key = security_key(&TOUCHED_SEED, "ssh:");
    let statement = Statement { direction: Direction::Get, ..statement(&key, &name()) };
    let request = statement.signing_request(&key).unwrap();
    let (_, client) = touch(&TOUCHED_SEED, "ssh:", (1, 7), &request);
    let server = server_signature(&statement);
    Receipt::new(statement, None, client, server).unwrap()
}

/// `receipt.json`: a receipt of a plain key with the name, and one of a security key without.
pub(crate) fn cases() -> Value {
    let case = |title: &str, receipt: &Receipt| {
        let statement = receipt.statement();
        json!({
            "name": title,
            "path": receipt.name().map(|name| hex::encode(name.path())),
            "salt": receipt.name().map(|name| hex::encode(name.salt())),
            "size": statement.size,
            "root": hex::encode(statement.root),
            "name_commitment": hex::encode(statement.name_commitment),
            "client": hex::encode(statement.client.to_ssh_blob()),
            "server": hex::encode(statement.server.to_ssh_blob()),
            "time": statement.time,
            "statement": statement.to_text().unwrap(),
            "file": receipt.to_text().unwrap(),
        })
    };
    let about = "Receipts as files: `statement` is what both keys sign, under the namespace \
        receipt@e2eeftp. `name_commitment` is made of `path` and `salt`.";
    vectors::file(
        about,
        &[case("plain", &plain()), case("security key, name withheld", &touched())],
    )
}
