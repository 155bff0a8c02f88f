//! The fixed bodies that end a stream, and the reasons for ending one early.

mod end;
mod reason;

pub use end::End;
pub use reason::Reason;
