use proptest::prelude::*;

use super::*;

fn round_trip(message: Message<'_>) {
    let mut bytes = Vec::new();
    message.write(&mut bytes);
    let len = bytes.len();
    for cut in 0..len {
        assert!(read_message(&bytes[..cut]).is_err(), "{message:?} cut at {cut}");
    }
    bytes.push(0xee);
    assert_eq!(read_message(&bytes).unwrap(), (message, &[0xee_u8][..]));
}

fn entry(name: &[u8]) -> FileEntry<'_> {
    FileEntry {
        name,
        size: 4096,
        modified: TreeTime { seconds: -1, nanoseconds: 999_999_999 },
        mode: 0o644,
        root: None,
        is_inline: false,
        is_large: false,
        link: None,
    }
}

#[test]
fn every_message_round_trips_and_none_can_be_cut() {
    let modified = TreeTime { seconds: i64::MIN, nanoseconds: 0 };
    let counts = TreeCounts { files: 1, bytes: 1 << 53, failed: 3, ..TreeCounts::default() };
    let counted = TreeCounts { bytes: (1 << 53) - 1, ..counts };
    let report = Report { path: b"a/b", code: "E2EEFTP_IO", text: "read: broken" };
    for message in [
        Message::Enter { name: b"", modified, mode: 0o7777 },
        Message::Enter { name: b"\xff\n", modified, mode: 0 },
        Message::File(entry(b"x")),
        Message::File(FileEntry { is_inline: true, root: Some([7; 32]), ..entry(b"x") }),
        Message::File(FileEntry { is_large: true, size: 1 << 50, ..entry(b"x") }),
        Message::File(FileEntry { link: Some((300, true)), ..entry(b"x") }),
        Message::File(FileEntry { link: Some((300, false)), ..entry(b"x") }),
        Message::Symlink { name: b"l", target: b"../t", modified },
        Message::Leave { is_complete: true },
        Message::Leave { is_complete: false },
        Message::Content(b"abc"),
        Message::ContentEnd(b"", [9; 32]),
        Message::ContentFailed,
        Message::Finished,
        Message::Answer(Answer::Want(1 << 40)),
        Message::Answer(Answer::Skip(0)),
        Message::Answer(Answer::DirectoryNew),
        Message::Answer(Answer::DirectoryOld),
        Message::Answer(Answer::DirectoryFailed),
        Message::Failure(report),
        Message::Deleted(b"a/b"),
        Message::Space { is_full: true },
        Message::Space { is_full: false },
        Message::Counts(counted),
        Message::Rule { is_include: true, pattern: b"*.c" },
        Message::Rule { is_include: false, pattern: b"/x/" },
        Message::Chosen(b"a/b"),
        Message::Begin,
    ] {
        round_trip(message);
    }
    let mut bytes = Vec::new();
    Message::Counts(counts).write(&mut bytes);
    assert_eq!(read_message(&bytes).unwrap().0, Message::Counts(counted));
}

#[test]
fn names_that_are_none_are_refused() {
    let long = [b'x'; 256];
    for name in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0", &long] {
        let mut bytes = Vec::new();
        Message::File(entry(name)).write(&mut bytes);
        assert!(read_message(&bytes).is_err(), "{name:?}");
        let mut bytes = Vec::new();
        let modified = TreeTime::default();
        Message::Symlink { name, target: b"t", modified }.write(&mut bytes);
        assert!(read_message(&bytes).is_err(), "{name:?}");
        bytes.clear();
        Message::Enter { name, modified, mode: 0 }.write(&mut bytes);
        assert_eq!(read_message(&bytes).is_ok(), name.is_empty(), "{name:?}");
    }
    for path in [&b"/a"[..], b"a/", b"a//b", b"a/../b", b"./a"] {
        let mut bytes = Vec::new();
        Message::Deleted(path).write(&mut bytes);
        assert!(read_message(&bytes).is_err(), "{path:?}");
    }
}

#[test]
fn contradictions_of_a_file_entry_are_refused() {
    for entry in [
        FileEntry { size: SMALL_MAX_LEN + 1, ..entry(b"x") },
        FileEntry { is_inline: true, is_large: true, ..entry(b"x") },
        FileEntry { is_inline: true, link: Some((1, false)), ..entry(b"x") },
        FileEntry { mode: 0o10000, ..entry(b"x") },
        FileEntry { modified: TreeTime { seconds: 0, nanoseconds: 1_000_000_000 }, ..entry(b"x") },
    ] {
        let mut bytes = Vec::new();
        Message::File(entry).write(&mut bytes);
        assert!(read_message(&bytes).is_err(), "{entry:?}");
    }
    assert!(read_message(&[0x11, 0x80, 0x00]).is_err(), "a longer form");
    assert!(read_message(&[0x7f]).is_err(), "an unknown tag");
    assert!(read_message(&[]).is_err());
}

#[test]
fn long_texts_are_cut_between_characters() {
    let text = "é".repeat(200);
    let mut bytes = Vec::new();
    Message::Failure(Report { path: b"", code: "X", text: &text }).write(&mut bytes);
    let Message::Failure(report) = read_message(&bytes).unwrap().0 else { panic!() };
    assert_eq!(report.text, "é".repeat(128));
    assert!(bytes.len() <= MAX_HEAD_LEN);
}

fn takes(rules: &[&str], path: &str) -> bool {
    let mut filter = Filter::new();
    for rule in rules {
        let (sign, pattern) = rule.split_once(' ').unwrap();
        filter.push(sign == "+", pattern.as_bytes()).unwrap();
    }
    let (path, is_directory) = path.strip_suffix('/').map_or((path, false), |path| (path, true));
    filter.takes(path.as_bytes(), is_directory)
}

/// The cases that rsync(1) explains, and the corners of its matching.
#[test]
fn rules_mean_what_they_mean_to_rsync() {
    let cases: &[(&[&str], &[&str], &[&str])] = &[
        // rules, taken, left out
        (&["- *.o"], &["a.c", "x.o.c", "o/"], &["a.o", "d/a.o", "d.o/"]),
        (&["- /foo"], &["d/foo", "foobar"], &["foo", "foo/"]),
        (&["- foo/"], &["foo", "d/foo"], &["foo/", "d/foo/"]),
        (&["- /foo/*/bar"], &["foo/bar", "foo/a/b/bar", "x/foo/a/bar"], &["foo/a/bar"]),
        (&["- /foo/**/bar"], &["foo/bar", "x/foo/a/bar"], &["foo/a/bar", "foo/a/b/bar"]),
        (&["- foo/bar"], &["foo", "xfoo/bar", "foo/bar/x"], &["foo/bar", "d/foo/bar"]),
        (&["- foo/*.o"], &["foo/d/a.o", "a.o"], &["foo/a.o", "d/foo/a.o"]),
        (&["- **.o"], &["a.c"], &["a.o", "d/e/a.o"]),
        (&["- **/x"], &["ax", "d/ax"], &["x", "d/x", "d/e/x"]),
        (&["- foo**"], &["a", "d/afoo"], &["foo", "foo/a", "d/foob/c"]),
        (&["- foo**bar"], &["foo/ba", "d/xfoobar"], &["foobar", "foo/x/bar", "d/foo/bar"]),
        (&["- dir/***"], &["dir", "xdir/", "xdir/a"], &["dir/", "dir/a", "d/dir/a/b", "d/dir/"]),
        (&["- /dir/***"], &["d/dir/", "d/dir/x"], &["dir/", "dir/a/b"]),
        (&["- dir/**"], &["dir/", "dir"], &["dir/a", "dir/a/b", "x/dir/a"]),
        (&["- a?c"], &["ac", "abbc", "a/c"], &["abc"]),
        (&["- [a-c]x"], &["dx", "x"], &["ax", "cx", "d/bx"]),
        (&["- [!a-c]x"], &["ax"], &["dx", "-x"]),
        (&["- [^a]x"], &["ax"], &["^x", "bx"]),
        (&["- []x]y"], &["ay"], &["]y", "xy"]),
        (&["- [a-]y"], &["by"], &["-y", "ay"]),
        (&["- [[:digit:]]*"], &["a1"], &["1a", "d/22"]),
        (&["- [a"], &["[a", "a"], &[]),
        (&[r"- a\*b*"], &["axb"], &["a*b", "a*bc"]),
        (&[r"- a\b"], &["ab"], &[r"a\b"]),
        (&["+ */", "+ *.c", "- *"], &["d/", "d/a.c", "a.c"], &["a.h", "d/a.h"]),
        (&["+ /some/", "+ /some/path/", "- /some/*"], &["some/", "some/path/"], &["some/x"]),
        (&["+ a", "- a"], &["a", "d/a"], &[]),
        (&["- a", "+ a"], &[], &["a", "d/a"]),
        (&[], &["a", "d/"], &[]),
    ];
    for (rules, taken, left_out) in cases {
        for path in *taken {
            assert!(takes(rules, path), "{rules:?} should take {path}");
        }
        for path in *left_out {
            assert!(!takes(rules, path), "{rules:?} should leave {path} out");
        }
    }
}

#[test]
fn filters_have_bounds() {
    let mut filter = Filter::new();
    assert!(filter.push(true, b"").is_err());
    assert!(filter.push(true, b"/").is_err());
    assert!(filter.push(true, b"a\0").is_err());
    assert!(filter.push(true, &[b'a'; MAX_PATH_LEN + 1]).is_err());
    for _ in 0..MAX_RULE_COUNT - filter.rules().len() {
        filter.push(true, b"a").unwrap();
    }
    assert!(filter.push(true, b"a").is_err());
}

/// Backtracking matchers need exponential time for this.
#[test]
fn no_pattern_is_slow() {
    let pattern = [b"a*".repeat(200), b"b".to_vec()].concat();
    let mut filter = Filter::new();
    filter.push(false, &pattern).unwrap();
    assert!(filter.takes(&[b'a'; 250], false));
}

#[test]
fn a_list_of_paths_takes_what_is_named_and_the_way_to_it() {
    let mut chosen = ChosenPaths::new();
    for path in [&b"a/b/c"[..], b"./d//e/", b"f"] {
        chosen.push(path).unwrap();
    }
    for (path, is_directory, expected) in [
        ("a", true, true),
        ("a", false, false),
        ("a/b", true, true),
        ("a/b/c", false, true),
        ("a/b/d", false, false),
        ("a/bb", true, false),
        ("d", true, true),
        ("d/e", true, true),
        ("d/e/x/y", false, true),
        ("d/f", false, false),
        ("g", true, false),
    ] {
        assert_eq!(chosen.takes(path.as_bytes(), is_directory), expected, "{path}");
    }
    assert_eq!(chosen.missing().collect::<Vec<_>>(), [b"f"]);
    assert!(chosen.push(b"../x").is_err());
    assert!(chosen.push(b"a/../x").is_err());
    chosen.push(b".").unwrap();
    assert!(chosen.takes(b"whatever", false));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok((message, rest)) = read_message(&bytes) {
            let mut again = Vec::new();
            message.write(&mut again);
            prop_assert_eq!(&again, &bytes[..bytes.len() - rest.len()]);
        }
    }

    #[test]
    fn no_rule_makes_the_filter_panic(
        pattern in "[a*?/\\[\\]!^\\\\:-]{0,12}",
        path in "[a/b-]{1,8}",
        is_directory: bool,
    ) {
        let mut filter = Filter::new();
        if filter.push(false, pattern.as_bytes()).is_ok() {
            filter.takes(path.as_bytes(), is_directory);
        }
    }
}
