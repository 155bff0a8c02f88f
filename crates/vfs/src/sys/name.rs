//! Which names mean on Windows what they say. Pure, so that it is tested on every platform.

/// Names of devices in every directory, with or without an extension, in any letter case.
const DEVICES: [&str; 7] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"];
/// Beginnings of names of devices; a digit follows.
const NUMBERED_DEVICES: [&str; 2] = ["COM", "LPT"];

/// Whether `name`, one component, is one that every Windows program takes for that name and
/// nothing else.
///
/// It is not if it is no UTF-8, if it holds a control character or one of `< > : " / \ | ? *`
/// (drives, alternate data streams, separators, patterns), if it ends with a dot or a space, which
/// Windows drops, or if what is before its first dot is the name of a device (see Microsoft,
/// "Naming Files, Paths, and Namespaces").
pub(super) fn is_plain_on_windows(name: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(name) else { return false };
    let is_special = |character: char| character < ' ' || "<>:\"/\\|?*".contains(character);
    !name.is_empty()
        && !name.contains(is_special)
        && !name.ends_with(['.', ' '])
        && !is_device(name)
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ');
    if DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) {
        return true;
    }
    let mut characters = stem.chars();
    let number = characters.next_back();
    let beginning = characters.as_str();
    // The three superscript digits count as digits.
    number.is_some_and(|number| number.is_ascii_digit() || "¹²³".contains(number))
        && NUMBERED_DEVICES.iter().any(|device| beginning.eq_ignore_ascii_case(device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices_are_refused_in_every_spelling() {
        let devices = [
            "CON",
            "con",
            "Prn",
            "AUX",
            "NUL",
            "nul.txt",
            "NUL.tar.gz",
            "aux .txt",
            "nul  .x.y",
            "COM0",
            "com1",
            "COM9.log",
            "LPT1",
            "lpt9",
            "COM¹",
            "LPT².txt",
            "com³",
            "CONIN$",
            "conout$",
            "CLOCK$",
            "con.",
        ];
        for name in devices {
            assert!(!is_plain_on_windows(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        let hostile: [&[u8]; 26] = [
            b"",
            b".",
            b"..",
            b"...",
            b"a.",
            b"a ",
            b"a. .",
            b" ",
            b"a:b",
            b"a:",
            b":a",
            b"C:",
            b"a::$DATA",
            b"..\\a",
            b"a\\b",
            b"\\",
            b"a/b",
            b"a*",
            b"a?",
            b"a<b",
            b"a>b",
            b"a|b",
            b"a\"b",
            b"a\0b",
            b"a\x1fb",
            b"a\xffb",
        ];
        for name in hostile {
            assert!(!is_plain_on_windows(name), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn other_names_are_taken_as_they_are() {
        let plain = [
            "a",
            ".a",
            " a",
            "a b",
            "a..b",
            "CONSOLE",
            "com",
            "com10",
            "lpt",
            "COMx",
            "nul_",
            "nulx.txt",
            "a.nul",
            "x~1.txt",
            "ä",
            "名前",
            "emoji 🦀",
            "$DATA",
            "a;b",
            "a,b",
            "a'b",
            "COM⁴",
            ".e2eeftp-0123.part",
        ];
        for name in plain {
            assert!(is_plain_on_windows(name.as_bytes()), "{name}");
        }
    }
}
