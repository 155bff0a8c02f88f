//! Which names of a tree are taken: `--include` and `--exclude` with rsync's meaning.
//!
//! The first rule that matches a name decides; without one it is taken. A directory that is not
//! taken is not looked into, so that a rule for a name in it never comes to be asked.

use super::glob;
use super::message::MAX_PATH_LEN;
use crate::{Error, PeerFault};

/// Most rules of a filter.
pub const MAX_RULE_COUNT: usize = 1024;
/// Most bytes of all patterns together.
pub const MAX_RULES_LEN: usize = 64 << 10;

/// One rule.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent properties of a pattern")]
pub struct Rule {
    /// As it was given.
    text: Vec<u8>,
    is_include: bool,
    /// Without the slashes at both ends that are not part of what is compared.
    pattern: Vec<u8>,
    /// Only at the top of the tree.
    is_anchored: bool,
    /// Only directories.
    is_directory: bool,
    has_wildcard: bool,
    /// Has `**`.
    crosses: bool,
    /// Begins with `**`.
    begins_crossing: bool,
    /// Ended with `/***`: the directory itself, too.
    takes_directory: bool,
    slash_count: usize,
}

impl Rule {
    /// Reads a pattern of `rsync(1)`, "PATTERN MATCHING RULES".
    ///
    /// # Errors
    /// [`PeerFault`] when it is empty, longer than a path can be, or has a NUL byte.
    pub fn parse(is_include: bool, text: &[u8]) -> Result<Self, Error> {
        if text.is_empty() || text == b"/" || text.len() > MAX_PATH_LEN || text.contains(&0) {
            return Err(PeerFault::Value.into());
        }
        let mut pattern = text.to_vec();
        let is_directory = pattern.last() == Some(&b'/');
        if is_directory {
            pattern.pop();
        }
        let is_anchored = pattern.first() == Some(&b'/');
        if is_anchored {
            pattern.remove(0);
        }
        let has_wildcard = pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
        let takes_directory = pattern.ends_with(b"/***");
        if takes_directory {
            pattern.pop();
        }
        let crosses = pattern.windows(2).any(|pair| pair == b"**");
        Ok(Self {
            text: text.to_vec(),
            is_include,
            is_anchored,
            is_directory,
            has_wildcard,
            crosses,
            begins_crossing: pattern.starts_with(b"**"),
            takes_directory,
            slash_count: slashes(&pattern) + usize::from(is_anchored),
            pattern,
        })
    }

    /// Whether names that match are taken.
    pub fn is_include(&self) -> bool {
        self.is_include
    }

    /// The pattern as it was given.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    fn matches(&self, path: &[u8], is_directory: bool) -> bool {
        if self.is_directory && !is_directory {
            return false;
        }
        let name = if self.slash_count == 0 && !self.crosses { last_of(path) } else { path };
        if !self.has_wildcard {
            let is_end = name == &self.pattern[..];
            return is_end
                || (!self.is_anchored
                    && name
                        .strip_suffix(&self.pattern[..])
                        .is_some_and(|before| before.last() == Some(&b'/')));
        }
        if self.takes_directory && is_directory {
            let with_slash = [name, b"/"].concat();
            return self.matches_wildcard(&with_slash);
        }
        self.matches_wildcard(name)
    }

    fn matches_wildcard(&self, name: &[u8]) -> bool {
        let pattern = &self.pattern[..];
        if self.is_anchored {
            return glob::matches(pattern, name);
        }
        if self.begins_crossing {
            // `**/x` may match at the top, too.
            return glob::matches(pattern, name) || glob::matches(pattern, &[b"/", name].concat());
        }
        if self.crosses {
            let starts = name.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            return glob::matches(pattern, name)
                || starts.map(|(at, _)| &name[at + 1..]).any(|tail| glob::matches(pattern, tail));
        }
        glob::matches(pattern, tail_of(name, self.slash_count + 1))
    }
}

/// The rules of one transfer, in their order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    rules: Vec<Rule>,
    /// Of all patterns.
    len: usize,
}

impl Filter {
    /// A filter that takes everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule behind the others.
    ///
    /// # Errors
    /// As [`Rule::parse`], and above [`MAX_RULE_COUNT`] or [`MAX_RULES_LEN`].
    pub fn push(&mut self, is_include: bool, pattern: &[u8]) -> Result<(), Error> {
        self.len += pattern.len();
        if self.rules.len() >= MAX_RULE_COUNT || self.len > MAX_RULES_LEN {
            return Err(PeerFault::Length.into());
        }
        self.rules.push(Rule::parse(is_include, pattern)?);
        Ok(())
    }

    /// The rules in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether `path` is taken: components from the top of the tree, joined by `/`. The directories
    /// above it are asked for themselves.
    pub fn takes(&self, path: &[u8], is_directory: bool) -> bool {
        let first = self.rules.iter().find(|rule| rule.matches(path, is_directory));
        first.is_none_or(|rule| rule.is_include)
    }

    /// Whether everything is taken.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

fn slashes(bytes: &[u8]) -> usize {
    bytes.split(|&byte| byte == b'/').count() - 1
}

fn last_of(path: &[u8]) -> &[u8] {
    tail_of(path, 1)
}

/// The last `count` components, or all of them.
fn tail_of(path: &[u8], count: usize) -> &[u8] {
    let slash = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/').nth(count - 1);
    slash.map_or(path, |(at, _)| &path[at + 1..])
}
