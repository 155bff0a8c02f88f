//! Textual encoding (RFC 7468), one block per text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::{Error, KeyFault};

/// The longest text that is looked at; keys are a few hundred bytes long.
const MAX_LEN: usize = 64 * 1024;

/// The bytes between `-----BEGIN label-----` and `-----END label-----`. Text around the block
/// is refused but for white space, line lengths are free.
pub(super) fn decode(text: &str, label: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let body = text
        .trim()
        .strip_prefix("-----BEGIN ")
        .and_then(|rest| rest.strip_prefix(label))
        .and_then(|rest| rest.strip_prefix("-----"))
        .and_then(|rest| rest.strip_suffix("-----"))
        .and_then(|rest| rest.strip_suffix(label))
        .and_then(|rest| rest.strip_suffix("-----END "))
        .filter(|body| body.len() <= MAX_LEN)
        .ok_or(KeyFault::Malformed)?;
    let mut dense = Zeroizing::new(Vec::with_capacity(body.len()));
    dense.extend(body.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let mut out = Zeroizing::new(vec![0; dense.len() / 4 * 3 + 3]);
    let len = STANDARD.decode_slice(&*dense, &mut out).map_err(|_| KeyFault::Malformed)?;
    out.truncate(len);
    Ok(out)
}

/// Writes one block with `width` characters to a line.
pub(super) fn encode(bytes: &[u8], label: &str, width: usize) -> Zeroizing<String> {
    let mut dense = Zeroizing::new(String::with_capacity(bytes.len() / 3 * 4 + 4));
    STANDARD.encode_string(bytes, &mut dense);
    let lines = dense.len() / width + 1;
    let mut out = Zeroizing::new(String::with_capacity(dense.len() + lines + 2 * label.len() + 40));
    out.push_str("-----BEGIN ");
    out.push_str(label);
    out.push_str("-----\n");
    for (index, character) in dense.chars().enumerate() {
        if index > 0 && index % width == 0 {
            out.push('\n');
        }
        out.push(character);
    }
    out.push_str("\n-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}
