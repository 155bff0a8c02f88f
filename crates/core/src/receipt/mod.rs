//! Receipts of transfers, signed by both sides: `docs/PROTOCOL.md` §7.6.
//!
//! Client and server sign the same [`Statement`]: which bytes went which way, under which name,
//! between whom and when. The name is in it as a commitment only, so that who sees a statement
//! learns a name only from somebody who reveals it. A [`Receipt`] is the statement with both
//! signatures, and mostly with the name.
//!
//! Both are texts with exactly one form: a receipt that differs in a single byte is none. A clock
//! or a file is never looked at here, and no statement is compared with a transfer: that is for
//! the two sides to do before they sign.

mod file;
mod hex;
mod name;
mod statement;
mod utc;

pub use file::{MAX_RECEIPT_LEN, Receipt};
pub use name::{MAX_NAME_LEN, Name, SALT_LEN};
pub use statement::{Direction, MAX_SIZE, MAX_STATEMENT_LEN, Statement};

/// Namespace of the signatures.
pub const RECEIPT_NAMESPACE: &str = "receipt@e2eeftp";
