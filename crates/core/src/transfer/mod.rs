//! The fixed bodies that end a stream, the reasons for ending one early, and what the receiver of a
//! running one may say.

mod end;
mod notice;
mod reason;

pub use end::End;
pub use notice::Notice;
pub use reason::Reason;
