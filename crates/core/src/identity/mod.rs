//! Who a peer is: Ed25519 keys, also in security keys and ssh-agents, the formats they are kept in,
//! and signatures in SSHSIG form.

pub mod agent;
mod identity_key;
mod openssh;
mod pem;
mod pkcs8;
mod public_key;
pub mod rotation;
mod signature;
mod signer;
pub mod sshsig;
mod wire;

pub use identity_key::IdentityKey;
pub use public_key::{KeyKind, PublicKey};
pub use rotation::{Rotation, RotationChain};
pub use signature::Signature;
pub use signer::Signer;

pub(crate) use wire::put_lv16;
