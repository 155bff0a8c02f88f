//! Statements by which a server's old key names its successor: `docs/PROTOCOL.md` §4.1.

use e2eeftp_core::identity::{PublicKey, RotationChain};
use napi_derive::napi;

use crate::error::{IntoThrown, number};
use crate::identity::{NativeIdentity, PublicKeyInfo};

/// One verified statement.
#[napi(object)]
pub struct NativeRotation {
    /// The key that signed.
    pub old_key: PublicKeyInfo,
    /// The key that it named.
    pub new_key: PublicKeyInfo,
    /// A whole number from 1 to 2^53 - 1 that rises with every rotation of a server.
    pub sequence: f64,
}

pub(crate) fn steps(chain: &RotationChain) -> Vec<NativeRotation> {
    chain
        .steps()
        .map(|(step, new_key)| NativeRotation {
            old_key: step.old_key().into(),
            new_key: new_key.into(),
            sequence: number(step.sequence()),
        })
        .collect()
}

/// Reads the text of a file `server_id.rotation` and verifies all of it; throws `E2EEFTP_KEY_FILE`.
#[napi(catch_unwind)]
pub fn read_rotation(text: String) -> napi::Result<Vec<NativeRotation>> {
    Ok(steps(&RotationChain::from_text(&text).or_throw()?))
}

/// The text of the file `server_id.rotation` after `identity` has named `newKey` its successor.
/// `before` is the text until now; `atLeast` is the smallest sequence number to take.
#[napi(catch_unwind)]
pub fn extend_rotation(
    identity: &NativeIdentity,
    new_key: String,
    at_least: u32,
    before: Option<String>,
) -> napi::Result<String> {
    let before = before.as_deref().map(RotationChain::from_text).transpose().or_throw()?;
    let new_key = PublicKey::from_text(&new_key).or_throw()?;
    let key = identity.key()?;
    let chain = RotationChain::extended(before, &**key, &new_key, at_least.into()).or_throw()?;
    Ok(chain.to_text())
}
