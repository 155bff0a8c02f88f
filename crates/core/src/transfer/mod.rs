//! What a transfer says and remembers: the ends of a stream, the blocks of a file, what is kept of
//! them, and the plans of both sides.

mod block_head;
mod end;
mod journal;
mod layout;
mod map;
mod notice;
mod reason;
mod receive_plan;
mod send_plan;

pub use block_head::BlockHead;
pub use end::End;
pub use journal::{JournalContent, JournalHeader, KeptBlock, encode_entry};
pub use layout::BlockLayout;
pub use map::BlockMap;
pub use notice::Notice;
pub use reason::Reason;
pub use receive_plan::{ReceivePlan, Shortfall};
pub use send_plan::{Next, SendPlan};
