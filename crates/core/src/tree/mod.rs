//! What the two sides of a tree transfer say to each other (`docs/PROTOCOL.md` §7.6), and the rules
//! that choose what belongs to it. No input or output: bytes in, values out.

mod chosen;
mod codec;
mod filter;
mod glob;
mod message;

pub use chosen::{ChosenPaths, MAX_CHOSEN_LEN};
pub use filter::{Filter, MAX_RULE_COUNT, MAX_RULES_LEN, Rule};
pub use message::{
    Answer, FileEntry, MAX_HEAD_LEN, MAX_LINK_TARGET_LEN, MAX_NAME_LEN, MAX_PATH_LEN, Message,
    Report, SMALL_MAX_LEN, TreeCounts, TreeTime, check_name, read_message, write_content_head,
};

#[cfg(test)]
mod tests;
