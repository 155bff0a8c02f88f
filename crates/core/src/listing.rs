//! Pages of a listing (`docs/PROTOCOL.md` §7.5), as the server writes them.
//!
//! A page is a CBOR array (RFC 8949) of a few fixed shapes in their shortest form, so the writer
//! is a dozen lines instead of a library, and a listing of a million names costs no conversion.

/// Most items in a page.
pub const MAX_PAGE_ITEMS: usize = 256;
/// Longest page in bytes.
pub const MAX_PAGE_LEN: usize = 131_072;
/// Longest path of an item in bytes.
pub const MAX_PATH_LEN: usize = 4096;

/// Head of the array of items.
const PAGE_HEAD_LEN: usize = 3;
/// Longest code and longest text of a report, in bytes.
const MAX_TEXT_LEN: usize = 256;
/// The longest item: five members, or a report with path, code and text.
const MAX_ITEM_LEN: usize = 1 + (3 + MAX_PATH_LEN) + 2 * (3 + MAX_TEXT_LEN);
/// The largest number that a peer written in JavaScript can hold.
const MAX_COUNT: u64 = (1 << 53) - 1;
/// The times that a JavaScript `Date` can hold, in milliseconds.
const MAX_TIME: i64 = 8_640_000_000_000_000;

/// CBOR major types.
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;

/// What an entry is, by the letter that it has on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `f`
    File,
    /// `d`
    Directory,
    /// `l`
    Symlink,
    /// `o`: a pipe, socket or device.
    Other,
}

impl Kind {
    fn letter(self) -> &'static str {
        match self {
            Self::File => "f",
            Self::Directory => "d",
            Self::Symlink => "l",
            Self::Other => "o",
        }
    }
}

/// One entry of a listing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PageEntry<'a> {
    /// A name, or in a recursive listing a path from the listed directory; at most
    /// [`MAX_PATH_LEN`] bytes.
    pub path: &'a [u8],
    /// What it is.
    pub kind: Kind,
    /// Bytes of content; what is above 2^53 - 1 is written as that.
    pub size: u64,
    /// Modification time in whole milliseconds since 1970, rounded down.
    pub modified_ms: i64,
    /// Permission bits, within `0o7777`.
    pub mode: u32,
}

/// A page that is being written.
#[derive(Debug, Default)]
pub struct PageWriter {
    items: Vec<u8>,
    count: usize,
}

impl PageWriter {
    /// An empty page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the page has no item.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether the next item belongs on another page: there may be no room for it.
    pub fn is_full(&self) -> bool {
        self.count >= MAX_PAGE_ITEMS
            || PAGE_HEAD_LEN + self.items.len() + MAX_ITEM_LEN > MAX_PAGE_LEN
    }

    /// Adds an entry, `[path, kind, size, mtime, mode]`. The size of anything but a file is
    /// written as 0.
    pub fn push_entry(&mut self, entry: &PageEntry<'_>) {
        let size = if entry.kind == Kind::File { entry.size.min(MAX_COUNT) } else { 0 };
        self.head(ARRAY, 5);
        self.string(BYTES, entry.path);
        self.string(TEXT, entry.kind.letter().as_bytes());
        self.head(UNSIGNED, size);
        self.time(entry.modified_ms);
        self.head(UNSIGNED, entry.mode.into());
        self.count += 1;
    }

    /// Adds a report that the directory `path` can't be read, `[path, code, text]`. What is longer
    /// than 256 bytes is cut.
    pub fn push_unreadable(&mut self, path: &[u8], code: &str, text: &str) {
        self.head(ARRAY, 3);
        self.string(BYTES, path);
        self.string(TEXT, start_of(code).as_bytes());
        self.string(TEXT, start_of(text).as_bytes());
        self.count += 1;
    }

    /// The bytes of the page.
    pub fn finish(self) -> Vec<u8> {
        let mut page = Self::default();
        page.head(ARRAY, self.count as u64);
        page.items.extend_from_slice(&self.items);
        page.items
    }

    fn time(&mut self, ms: i64) {
        let ms = ms.clamp(-MAX_TIME, MAX_TIME);
        match u64::try_from(ms) {
            Ok(ms) => self.head(UNSIGNED, ms),
            // RFC 8949 §3.1: -1 - n is written as n.
            Err(_) => self.head(NEGATIVE, ms.unsigned_abs() - 1),
        }
    }

    fn string(&mut self, major: u8, bytes: &[u8]) {
        self.head(major, bytes.len() as u64);
        self.items.extend_from_slice(bytes);
    }

    /// RFC 8949 §3: the argument in as few bytes as hold it.
    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let bytes = argument.to_be_bytes();
        let (info, width) = match argument {
            0..24 => {
                self.items.push(major | bytes[7]);
                return;
            }
            24..0x100 => (24, 1),
            0x100..0x1_0000 => (25, 2),
            0x1_0000..0x1_0000_0000 => (26, 4),
            _ => (27, 8),
        };
        self.items.push(major | info);
        self.items.extend_from_slice(&bytes[8 - width..]);
    }
}

/// At most [`MAX_TEXT_LEN`] bytes of a text, whole characters.
fn start_of(text: &str) -> &str {
    let end = (0..=MAX_TEXT_LEN.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &[u8]) -> PageEntry<'_> {
        PageEntry { path, kind: Kind::File, size: 0, modified_ms: 0, mode: 0 }
    }

    fn page_of(entry: &PageEntry<'_>) -> String {
        let mut page = PageWriter::new();
        page.push_entry(entry);
        hex::encode(page.finish())
    }

    /// Encodings of RFC 8949, Appendix A.
    #[test]
    fn numbers_have_their_shortest_form() {
        for (size, expected) in [
            (0, "00"),
            (23, "17"),
            (24, "1818"),
            (100, "1864"),
            (255, "18ff"),
            (256, "190100"),
            (1000, "1903e8"),
            (1_000_000, "1a000f4240"),
            (u64::from(u32::MAX), "1affffffff"),
            (1_000_000_000_000, "1b000000e8d4a51000"),
            (u64::MAX, "1b001fffffffffffff"),
        ] {
            let page = page_of(&PageEntry { size, ..entry(b"a") });
            assert_eq!(page, format!("818541616166{expected}0000"));
        }
        for (modified_ms, expected) in [
            (-1, "20"),
            (-10, "29"),
            (-100, "3863"),
            (-1000, "3903e7"),
            (1_000_000_000_000, "1b000000e8d4a51000"),
            (i64::MAX, "1b001eb208c2dc0000"),
            (i64::MIN, "3b001eb208c2dbffff"),
        ] {
            let page = page_of(&PageEntry { modified_ms, ..entry(b"a") });
            assert_eq!(page, format!("81854161616600{expected}00"));
        }
    }

    #[test]
    fn only_files_have_a_size() {
        for (kind, letter) in [(Kind::Directory, "64"), (Kind::Symlink, "6c"), (Kind::Other, "6f")]
        {
            let page = page_of(&PageEntry { kind, size: 5, mode: 0o755, ..entry(b"a") });
            assert_eq!(page, format!("8185416161{letter}00001901ed"));
        }
    }

    #[test]
    fn a_report_is_cut_between_characters() {
        let mut page = PageWriter::new();
        assert!(page.is_empty());
        page.push_unreadable(b"d", "E2EEFTP_IO", &"é".repeat(200));
        assert!(!page.is_empty());
        let page = page.finish();
        assert_eq!(page[..5], [0x81, 0x83, 0x41, b'd', 0x6a]);
        assert_eq!(page[15..18], [0x79, 1, 0]);
        assert_eq!(page[18..], *"é".repeat(128).as_bytes());
        let mut page = PageWriter::new();
        page.push_unreadable(b"", "", &format!("x{}", "é".repeat(200)));
        assert_eq!(page.finish().len(), 4 + 2 + 255);
    }

    #[test]
    fn a_page_takes_no_more_than_its_limits() {
        for len in [1, 255, 300, MAX_PATH_LEN] {
            let (path, mut page, mut count) = (vec![b'x'; len], PageWriter::new(), 0);
            while !page.is_full() {
                page.push_entry(&PageEntry {
                    size: u64::MAX,
                    modified_ms: i64::MIN,
                    mode: 0o7777,
                    ..entry(&path)
                });
                count += 1;
            }
            let page_len = page.finish().len();
            assert!(page_len <= MAX_PAGE_LEN && count <= MAX_PAGE_ITEMS);
            assert!(count == MAX_PAGE_ITEMS || page_len + 2 * MAX_ITEM_LEN > MAX_PAGE_LEN);
        }
        let longest = "x".repeat(MAX_PATH_LEN);
        let mut page = PageWriter::new();
        while !page.is_full() {
            page.push_unreadable(longest.as_bytes(), &longest, &longest);
        }
        assert!(page.finish().len() <= MAX_PAGE_LEN);
    }
}
