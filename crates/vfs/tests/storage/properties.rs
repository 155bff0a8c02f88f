//! Properties of paths that hold for all bytes.

use e2eeftp_vfs::{ErrorKind, VPath};
use proptest::prelude::*;

use crate::support::kind;

/// Bytes that meet the rules of paths more often than random ones do.
fn raw_path() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"/".to_vec()),
        Just(b".".to_vec()),
        Just(b"..".to_vec()),
        Just(b"\0".to_vec()),
        Just(b"\\".to_vec()),
        Just(b"|\n".to_vec()),
        Just(vec![b'x'; 200]),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn parsing_gives_a_canonical_path_or_an_error(raw in raw_path()) {
        let Ok(path) = VPath::parse(&raw) else { return Ok(()) };
        let bytes = path.as_bytes();
        prop_assert!(bytes.starts_with(b"/") && bytes.len() <= VPath::MAX_LEN);
        prop_assert!(path.is_root() || !bytes.ends_with(b"/"));
        for component in path.components() {
            prop_assert!(!matches!(component, b"" | b"." | b".."));
            prop_assert!(component.len() <= VPath::MAX_COMPONENT_LEN);
            prop_assert!(!component.contains(&0) && !component.contains(&b'/'));
        }
        prop_assert_eq!(&VPath::parse(bytes).unwrap(), &path);
    }

    #[test]
    fn only_the_stated_reasons_refuse(raw in raw_path()) {
        let components: Vec<_> = raw.split(|&byte| byte == b'/').collect();
        let is_bad = raw.contains(&0)
            || components.iter().any(|component| *component == b".." || component.len() > 255);
        match VPath::parse(&raw) {
            Ok(_) => prop_assert!(!is_bad),
            Err(error) => {
                prop_assert!(is_bad || raw.len() >= VPath::MAX_LEN);
                prop_assert_eq!(error.kind(), ErrorKind::BadPath);
            }
        }
    }

    #[test]
    fn parent_name_child_and_join_agree(first in raw_path(), second in raw_path()) {
        let (Ok(first), Ok(second)) = (VPath::parse(&first), VPath::parse(&second)) else {
            return Ok(());
        };
        match (first.parent(), first.file_name()) {
            (Some(parent), Some(name)) => prop_assert_eq!(&parent.child(name).unwrap(), &first),
            (parent, name) => prop_assert!(first.is_root() && parent.is_none() && name.is_none()),
        }
        if let Ok(joined) = first.join(&second) {
            let expected: Vec<_> = first.components().chain(second.components()).collect();
            prop_assert_eq!(joined.components().collect::<Vec<_>>(), expected);
            prop_assert_eq!(&VPath::parse(joined.as_bytes()).unwrap(), &joined);
        }
    }
}

#[test]
fn examples() {
    for (raw, canonical) in [
        ("", "/"),
        ("/", "/"),
        (".", "/"),
        ("a", "/a"),
        ("//a/./b//", "/a/b"),
        ("/...", "/..."),
        ("/a\\..\\b", "/a\\..\\b"),
    ] {
        assert_eq!(VPath::parse(raw.as_bytes()).unwrap().as_bytes(), canonical.as_bytes());
    }
    assert_eq!(VPath::root().as_bytes(), b"/");
    assert_eq!(format!("{:?}", VPath::parse(b"a\n\xff").unwrap()), "VPath(\"/a\\n\\xff\")");
}

#[test]
fn a_result_that_is_too_long_is_no_path() {
    // 16 full components and a leading slash are 4096 bytes; without the slash they parse to more.
    let component = "x".repeat(255);
    let longest = VPath::parse(format!("/{component}").repeat(16).as_bytes()).unwrap();
    assert_eq!(longest.as_bytes().len(), VPath::MAX_LEN);
    assert_eq!(kind(longest.child(b"x")), ErrorKind::BadPath);
    assert_eq!(kind(longest.join(&longest)), ErrorKind::BadPath);
    let relative = format!("{component}/").repeat(16);
    let without_slash = format!("{relative}.").into_bytes();
    assert_eq!(kind(VPath::parse(&without_slash)), ErrorKind::BadPath);
    let unslashed = format!("{}a/bc", "ab/".repeat(1364));
    assert_eq!(unslashed.len(), VPath::MAX_LEN);
    assert_eq!(kind(VPath::parse(unslashed.as_bytes())), ErrorKind::BadPath);
}

#[test]
fn a_child_is_one_component() {
    for name in ["", ".", "..", "a/b", "/a", "a/", "a\0"] {
        assert_eq!(kind(VPath::root().child(name.as_bytes())), ErrorKind::BadPath, "{name:?}");
    }
}
