//! The messages of a tree dialog, a record full of them.
#![no_main]

use e2eeftp_core::tree::{ChosenPaths, Filter, Message, check_name, read_message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    let (mut rest, mut filter, mut chosen) = (content, Filter::new(), ChosenPaths::new());
    while let Ok((message, after)) = read_message(rest) {
        // What is read is written back to the same bytes: there is one form of each message.
        let mut again = Vec::new();
        message.write(&mut again);
        assert_eq!(again, rest[..rest.len() - after.len()]);
        match message {
            Message::Enter { name, .. } => assert!(name.is_empty() || check_name(name)),
            Message::File(entry) => {
                assert!(check_name(entry.name) && !entry.name.contains(&b'/'));
                filter.takes(entry.name, false);
                chosen.takes(entry.name, false);
            }
            Message::Symlink { name, target, .. } => {
                assert!(check_name(name));
                filter.takes(target, true);
            }
            Message::Rule { is_include, pattern } => drop(filter.push(is_include, pattern)),
            Message::Chosen(path) => {
                if chosen.push(path).is_ok() {
                    assert!(chosen.takes(path, false));
                }
            }
            Message::Failure(report) => assert!(!report.path.starts_with(b"/")),
            _ => {}
        }
        rest = after;
    }
});
