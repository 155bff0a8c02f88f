//! The messages of a tree dialog, each whole within one record.
//!
//! The **source** has the tree and describes it, directory by directory; the **sink** compares
//! with what it has and answers. A message is a tag and its fields; the content of a file is the
//! only part of a stream that the hash of its end does not cover, because the file's own root does.

use super::codec::{Reader, put_bytes, put_number, put_signed};
use crate::{Error, PeerFault};

/// Longest name in bytes.
pub const MAX_NAME_LEN: usize = 255;
/// Longest path from the top of the tree in bytes.
pub const MAX_PATH_LEN: usize = 4096;
/// Longest target of a symbolic link in bytes.
pub const MAX_LINK_TARGET_LEN: usize = 4095;
/// Files up to this length travel inside the dialog; a longer one goes by a request of its own.
pub const SMALL_MAX_LEN: u64 = 1 << 20;
/// No message is longer than this without the content that it carries.
pub const MAX_HEAD_LEN: usize = MAX_PATH_LEN + MAX_TEXT_LEN + MAX_CODE_LEN + 128;
const MAX_CODE_LEN: usize = 64;
const MAX_TEXT_LEN: usize = 256;
/// Sizes and counts that a peer written in JavaScript can hold.
const MAX_COUNT: u64 = (1 << 53) - 1;

const ENTER: u8 = 0x01;
const FILE: u8 = 0x02;
const SYMLINK: u8 = 0x03;
const LEAVE: u8 = 0x04;
const CONTENT: u8 = 0x05;
const CONTENT_END: u8 = 0x06;
const CONTENT_FAILED: u8 = 0x07;
const FINISHED: u8 = 0x08;
const WANT: u8 = 0x11;
const SKIP: u8 = 0x12;
const DIRECTORY_NEW: u8 = 0x13;
const DIRECTORY_OLD: u8 = 0x14;
const DIRECTORY_FAILED: u8 = 0x15;
const FAILURE: u8 = 0x18;
const DELETED: u8 = 0x19;
const COUNTS: u8 = 0x1a;
const SPACE: u8 = 0x1b;
const INCLUDE: u8 = 0x21;
const EXCLUDE: u8 = 0x22;
const CHOSEN: u8 = 0x23;
const BEGIN: u8 = 0x24;

const INLINE: u8 = 1;
const ROOTED: u8 = 2;
const LARGE: u8 = 4;
const LINK_FIRST: u8 = 8;
const LINK_AGAIN: u8 = 16;

/// A moment, as file systems keep it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TreeTime {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Below 1,000,000,000.
    pub nanoseconds: u32,
}

/// A regular file as the source announces it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileEntry<'a> {
    /// One valid name.
    pub name: &'a [u8],
    /// Bytes; at most [`SMALL_MAX_LEN`] unless `is_large`.
    pub size: u64,
    /// Modification time.
    pub modified: TreeTime,
    /// Permission bits, within `0o7777`.
    pub mode: u32,
    /// BLAKE3 root of the content, where contents are compared.
    pub root: Option<[u8; 32]>,
    /// The content follows at once, and no answer is expected.
    pub is_inline: bool,
    /// The file goes by a request of its own when it is wanted.
    pub is_large: bool,
    /// Number of a file with several names, and whether this is the first of them. The others
    /// have no content and no answer.
    pub link: Option<(u64, bool)>,
}

/// What a sink has done, or would have done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TreeCounts {
    /// Files whose content was stored.
    pub files: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Files that were there already.
    pub skipped: u64,
    /// Directories that were made.
    pub directories: u64,
    /// Symbolic and hard links that were made.
    pub links: u64,
    /// Names that were removed.
    pub deleted: u64,
    /// Failures that were reported.
    pub failed: u64,
}

/// What the sink says to one directory or to files, in the order of the entries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The contents of the next so many files.
    Want(u64),
    /// The next so many files are there already, or can't be stored.
    Skip(u64),
    /// The directory has nothing to compare with: contents may follow their entries at once.
    DirectoryNew,
    /// The directory was there.
    DirectoryOld,
    /// The directory can't be made: nothing in it will be stored.
    DirectoryFailed,
}

/// Something that did not work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Report<'a> {
    /// From the top of the tree; empty for the top itself.
    pub path: &'a [u8],
    /// A name of `docs/ERRORS.md`.
    pub code: &'a str,
    /// For people.
    pub text: &'a str,
}

/// One message of a dialog.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Message<'a> {
    /// From here on names are those of this directory; the top has an empty name.
    Enter {
        /// One valid name, or empty for the top.
        name: &'a [u8],
        /// Modification time.
        modified: TreeTime,
        /// Permission bits, within `0o7777`.
        mode: u32,
    },
    /// A regular file of the directory.
    File(FileEntry<'a>),
    /// A symbolic link of the directory.
    Symlink {
        /// One valid name.
        name: &'a [u8],
        /// Not empty, without NUL.
        target: &'a [u8],
        /// Modification time of the link itself.
        modified: TreeTime,
    },
    /// Back to the directory above.
    Leave {
        /// Whether every name of the directory was listed.
        is_complete: bool,
    },
    /// A part of the content that is due; more follows.
    Content(&'a [u8]),
    /// The last part, and the root of the whole.
    ContentEnd(&'a [u8], [u8; 32]),
    /// The content that is due does not come.
    ContentFailed,
    /// Every entry was sent, and every large file has come to its end.
    Finished,
    /// An answer of the sink.
    Answer(Answer),
    /// Something failed at the side that says so.
    Failure(Report<'a>),
    /// The sink has removed this path, or would have.
    Deleted(&'a [u8]),
    /// The sink waits because its disk is full, or goes on.
    Space {
        /// Whether it waits.
        is_full: bool,
    },
    /// The last word of the sink.
    Counts(TreeCounts),
    /// A rule of the client's filter.
    Rule {
        /// Whether names that match are taken.
        is_include: bool,
        /// The pattern.
        pattern: &'a [u8],
    },
    /// A path of the client's list of files.
    Chosen(&'a [u8]),
    /// All rules and paths were told.
    Begin,
}

/// Whether `name` is one component that a directory may hold.
pub fn check_name(name: &[u8]) -> bool {
    !(name.is_empty()
        || name.len() > MAX_NAME_LEN
        || name == b"."
        || name == b".."
        || name.contains(&b'/')
        || name.contains(&0))
}

impl Message<'_> {
    /// Appends the message to `out`. Texts that are too long are cut.
    pub fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Enter { name, modified, mode } => {
                out.push(ENTER);
                put_time(modified, out);
                put_number(mode.into(), out);
                put_bytes(name, out);
            }
            Self::File(ref entry) => put_file(entry, out),
            Self::Symlink { name, target, modified } => {
                out.push(SYMLINK);
                put_time(modified, out);
                put_bytes(target, out);
                put_bytes(name, out);
            }
            Self::Leave { is_complete } => out.extend_from_slice(&[LEAVE, is_complete.into()]),
            Self::Content(bytes) => {
                write_content_head(false, bytes.len(), out);
                out.extend_from_slice(bytes);
            }
            Self::ContentEnd(bytes, root) => {
                write_content_head(true, bytes.len(), out);
                out.extend_from_slice(bytes);
                out.extend_from_slice(&root);
            }
            Self::ContentFailed => out.push(CONTENT_FAILED),
            Self::Finished => out.push(FINISHED),
            Self::Answer(answer) => put_answer(answer, out),
            Self::Failure(report) => {
                out.push(FAILURE);
                put_bytes(cut(report.path, MAX_PATH_LEN), out);
                put_bytes(cut_text(report.code, MAX_CODE_LEN).as_bytes(), out);
                put_bytes(cut_text(report.text, MAX_TEXT_LEN).as_bytes(), out);
            }
            Self::Deleted(path) => {
                out.push(DELETED);
                put_bytes(cut(path, MAX_PATH_LEN), out);
            }
            Self::Space { is_full } => out.extend_from_slice(&[SPACE, is_full.into()]),
            Self::Counts(counts) => {
                out.push(COUNTS);
                for count in counts.as_array() {
                    put_number(count.min(MAX_COUNT), out);
                }
            }
            Self::Rule { is_include, pattern } => {
                out.push(if is_include { INCLUDE } else { EXCLUDE });
                put_bytes(pattern, out);
            }
            Self::Chosen(path) => {
                out.push(CHOSEN);
                put_bytes(path, out);
            }
            Self::Begin => out.push(BEGIN),
        }
    }
}

/// The head of [`Message::Content`] or [`Message::ContentEnd`] with `len` bytes: for a writer that
/// puts the bytes behind it by itself.
pub fn write_content_head(is_last: bool, len: usize, out: &mut Vec<u8>) {
    out.push(if is_last { CONTENT_END } else { CONTENT });
    put_number(len as u64, out);
}

/// Reads the message at the front of `bytes`; gives back what stands behind it.
///
/// # Errors
/// [`PeerFault`] for anything that no writer makes: a cut message, a number that is out of range or
/// not in its shortest form, a name that is no name.
pub fn read_message(bytes: &[u8]) -> Result<(Message<'_>, &[u8]), Error> {
    let mut reader = Reader::new(bytes);
    let tag = reader.byte()?;
    let message = match tag {
        ENTER => {
            let (modified, mode) = (time(&mut reader)?, mode(&mut reader)?);
            let name = reader.bytes(MAX_NAME_LEN)?;
            if !name.is_empty() && !check_name(name) {
                return Err(PeerFault::Value.into());
            }
            Message::Enter { name, modified, mode }
        }
        FILE => Message::File(file(&mut reader)?),
        SYMLINK => {
            let modified = time(&mut reader)?;
            let target = reader.bytes(MAX_LINK_TARGET_LEN)?;
            if target.is_empty() || target.contains(&0) {
                return Err(PeerFault::Value.into());
            }
            Message::Symlink { name: name(&mut reader)?, target, modified }
        }
        LEAVE => Message::Leave { is_complete: reader.at_most(1)? == 1 },
        CONTENT => Message::Content(reader.bytes(content_max())?),
        CONTENT_END => {
            let content = reader.bytes(content_max())?;
            Message::ContentEnd(content, reader.array()?)
        }
        CONTENT_FAILED => Message::ContentFailed,
        FINISHED => Message::Finished,
        WANT => Message::Answer(Answer::Want(reader.at_most(MAX_COUNT)?)),
        SKIP => Message::Answer(Answer::Skip(reader.at_most(MAX_COUNT)?)),
        DIRECTORY_NEW => Message::Answer(Answer::DirectoryNew),
        DIRECTORY_OLD => Message::Answer(Answer::DirectoryOld),
        DIRECTORY_FAILED => Message::Answer(Answer::DirectoryFailed),
        FAILURE => {
            let path = path(&mut reader)?;
            let code = reader.text(MAX_CODE_LEN)?;
            Message::Failure(Report { path, code, text: reader.text(MAX_TEXT_LEN)? })
        }
        DELETED => Message::Deleted(path(&mut reader)?),
        SPACE => Message::Space { is_full: reader.at_most(1)? == 1 },
        COUNTS => {
            let mut counts = [0; 7];
            for count in &mut counts {
                *count = reader.at_most(MAX_COUNT)?;
            }
            Message::Counts(TreeCounts::from_array(counts))
        }
        INCLUDE | EXCLUDE => {
            let pattern = reader.bytes(MAX_PATH_LEN)?;
            Message::Rule { is_include: tag == INCLUDE, pattern }
        }
        CHOSEN => Message::Chosen(path(&mut reader)?),
        BEGIN => Message::Begin,
        _ => return Err(PeerFault::MessageType.into()),
    };
    Ok((message, reader.rest()))
}

impl TreeCounts {
    /// In the order of the fields.
    pub fn as_array(&self) -> [u64; 7] {
        let Self { files, bytes, skipped, directories, links, deleted, failed } = *self;
        [files, bytes, skipped, directories, links, deleted, failed]
    }

    fn from_array(counts: [u64; 7]) -> Self {
        let [files, bytes, skipped, directories, links, deleted, failed] = counts;
        Self { files, bytes, skipped, directories, links, deleted, failed }
    }
}

fn put_file(entry: &FileEntry<'_>, out: &mut Vec<u8>) {
    let mut flags = 0;
    if entry.is_inline {
        flags |= INLINE;
    }
    if entry.root.is_some() {
        flags |= ROOTED;
    }
    if entry.is_large {
        flags |= LARGE;
    }
    if let Some((_, is_first)) = entry.link {
        flags |= if is_first { LINK_FIRST } else { LINK_AGAIN };
    }
    out.extend_from_slice(&[FILE, flags]);
    put_number(entry.size, out);
    put_time(entry.modified, out);
    put_number(entry.mode.into(), out);
    if let Some(root) = &entry.root {
        out.extend_from_slice(root);
    }
    if let Some((number, _)) = entry.link {
        put_number(number, out);
    }
    put_bytes(entry.name, out);
}

fn file<'a>(reader: &mut Reader<'a>) -> Result<FileEntry<'a>, Error> {
    let flags = reader.byte()?;
    let is_known = flags & !(INLINE | ROOTED | LARGE | LINK_FIRST | LINK_AGAIN) == 0;
    let links = flags & (LINK_FIRST | LINK_AGAIN);
    // What is large, or has no content of its own, has none that follows.
    let has_content = flags & LARGE == 0 && links != LINK_AGAIN;
    if !is_known || links == LINK_FIRST | LINK_AGAIN || (flags & INLINE != 0 && !has_content) {
        return Err(PeerFault::Value.into());
    }
    let size = reader.at_most(MAX_COUNT)?;
    if flags & LARGE == 0 && size > SMALL_MAX_LEN {
        return Err(PeerFault::Value.into());
    }
    let modified = time(reader)?;
    let mode = mode(reader)?;
    let root = if flags & ROOTED == 0 { None } else { Some(reader.array()?) };
    let link = match links {
        0 => None,
        kind => Some((reader.at_most(MAX_COUNT)?, kind == LINK_FIRST)),
    };
    let name = name(reader)?;
    let (is_inline, is_large) = (flags & INLINE != 0, flags & LARGE != 0);
    Ok(FileEntry { name, size, modified, mode, root, is_inline, is_large, link })
}

fn put_answer(answer: Answer, out: &mut Vec<u8>) {
    match answer {
        Answer::Want(count) => {
            out.push(WANT);
            put_number(count, out);
        }
        Answer::Skip(count) => {
            out.push(SKIP);
            put_number(count, out);
        }
        Answer::DirectoryNew => out.push(DIRECTORY_NEW),
        Answer::DirectoryOld => out.push(DIRECTORY_OLD),
        Answer::DirectoryFailed => out.push(DIRECTORY_FAILED),
    }
}

fn put_time(time: TreeTime, out: &mut Vec<u8>) {
    put_signed(time.seconds, out);
    put_number(time.nanoseconds.into(), out);
}

fn time(reader: &mut Reader<'_>) -> Result<TreeTime, Error> {
    let seconds = reader.signed()?;
    let nanoseconds = reader.at_most(999_999_999)?;
    Ok(TreeTime { seconds, nanoseconds: u32::try_from(nanoseconds).unwrap_or(0) })
}

fn mode(reader: &mut Reader<'_>) -> Result<u32, Error> {
    Ok(u32::try_from(reader.at_most(0o7777)?).unwrap_or(0))
}

fn name<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    let name = reader.bytes(MAX_NAME_LEN)?;
    if check_name(name) { Ok(name) } else { Err(PeerFault::Value.into()) }
}

/// A path whose components are names; empty for the top.
fn path<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    let path = reader.bytes(MAX_PATH_LEN)?;
    let is_valid = path.is_empty() || path.split(|&byte| byte == b'/').all(check_name);
    if is_valid { Ok(path) } else { Err(PeerFault::Value.into()) }
}

fn content_max() -> usize {
    usize::try_from(SMALL_MAX_LEN).unwrap_or(usize::MAX)
}

fn cut(bytes: &[u8], max: usize) -> &[u8] {
    bytes.get(..max).unwrap_or(bytes)
}

fn cut_text(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
