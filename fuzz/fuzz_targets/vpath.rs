//! Paths from a peer: whatever is accepted names something below the root, in one way only.
#![no_main]

use e2eeftp_vfs::VPath;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    let Ok(path) = VPath::parse(raw) else {
        let is_bad = raw.len() > 4095
            || raw.contains(&0)
            || raw.split(|byte| *byte == b'/').any(|name| name == b".." || name.len() > 255);
        assert!(is_bad, "a good path was refused");
        return;
    };
    let bytes = path.as_bytes();
    assert!(bytes.starts_with(b"/") && bytes.len() <= 4096 && !bytes.contains(&0));
    assert!(path.is_root() || !bytes.ends_with(b"/"));
    for name in path.components() {
        assert!(!name.is_empty() && name.len() <= 255 && name != b"." && name != b"..");
    }
    let wanted = raw.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    assert!(path.components().eq(wanted), "names were changed");
    assert_eq!(VPath::parse(bytes).ok(), Some(path.clone()));
});
