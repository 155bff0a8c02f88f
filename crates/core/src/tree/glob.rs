//! Wildcards as rsync has them (`rsync(1)`, "PATTERN MATCHING RULES"): `*` and `?` stop at a slash,
//! `**` does not, `[...]` is one byte of a class and never a slash, `\` takes the next byte as it is.

/// Whether the whole of `text` is what `pattern` describes.
///
/// Takes time proportional to the product of both lengths at worst, whatever the pattern.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let tokens = parse(pattern);
    // reachable[i]: the tokens so far can match text[..i].
    let mut reachable = vec![false; text.len() + 1];
    let mut next = reachable.clone();
    reachable[0] = true;
    for token in &tokens {
        next.fill(false);
        let mut open = false;
        for end in 0..=text.len() {
            let before = end.checked_sub(1).and_then(|index| text.get(index)).copied();
            match token {
                Token::Many { crosses } => {
                    open = reachable[end] || (open && (*crosses || before != Some(b'/')));
                    next[end] = open;
                }
                Token::One(one) => {
                    next[end] = before.is_some_and(|byte| reachable[end - 1] && one.takes(byte));
                }
            }
        }
        std::mem::swap(&mut reachable, &mut next);
    }
    reachable[text.len()]
}

enum Token {
    Many { crosses: bool },
    One(One),
}

enum One {
    Byte(u8),
    AnyButSlash,
    Class {
        is_negated: bool,
        members: Box<[bool; 256]>,
    },
    /// A class without an end matches nothing.
    Nothing,
}

impl One {
    fn takes(&self, byte: u8) -> bool {
        match self {
            Self::Byte(wanted) => *wanted == byte,
            Self::AnyButSlash => byte != b'/',
            Self::Class { is_negated, members } => {
                byte != b'/' && members[usize::from(byte)] != *is_negated
            }
            Self::Nothing => false,
        }
    }
}

fn parse(pattern: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = pattern.get(at) {
        at += 1;
        tokens.push(match byte {
            b'*' => {
                let stars = pattern[at..].iter().take_while(|&&byte| byte == b'*').count();
                at += stars;
                Token::Many { crosses: stars > 0 }
            }
            b'?' => Token::One(One::AnyButSlash),
            b'[' => {
                let rest = &pattern[at..];
                let (one, len) = class(rest).unwrap_or((One::Nothing, rest.len()));
                at += len;
                Token::One(one)
            }
            b'\\' => {
                let literal = pattern.get(at).copied();
                at += 1;
                Token::One(literal.map_or(One::Nothing, One::Byte))
            }
            literal => Token::One(One::Byte(literal)),
        });
    }
    tokens
}

/// Parses a class behind its `[`; also how long it is with its `]`.
fn class(pattern: &[u8]) -> Option<(One, usize)> {
    let mut members = Box::new([false; 256]);
    let mut at = 0;
    let is_negated = matches!(pattern.first(), Some(b'!' | b'^'));
    if is_negated {
        at += 1;
    }
    let mut is_first = true;
    let mut previous: Option<u8> = None;
    loop {
        let mut byte = *pattern.get(at)?;
        at += 1;
        if byte == b']' && !is_first {
            return Some((One::Class { is_negated, members }, at));
        }
        is_first = false;
        if byte == b'[' && pattern.get(at) == Some(&b':') {
            let rest = &pattern[at + 1..];
            let end = rest.windows(2).position(|pair| pair == b":]")?;
            add_named(&rest[..end], &mut members)?;
            at += 1 + end + 2;
            previous = None;
            continue;
        }
        let is_range = byte == b'-' && !matches!(pattern.get(at), None | Some(b']'));
        if let (true, Some(from)) = (is_range, previous) {
            let mut to = *pattern.get(at)?;
            at += 1;
            if to == b'\\' {
                to = *pattern.get(at)?;
                at += 1;
            }
            for member in from..=to {
                members[usize::from(member)] = true;
            }
            previous = None;
            continue;
        }
        if byte == b'\\' {
            byte = *pattern.get(at)?;
            at += 1;
        }
        members[usize::from(byte)] = true;
        previous = Some(byte);
    }
}

/// Adds a class by its POSIX name; `None` for one that is not known.
fn add_named(name: &[u8], members: &mut [bool; 256]) -> Option<()> {
    let test: fn(&u8) -> bool = match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    };
    for byte in 0..=255_u8 {
        members[usize::from(byte)] |= test(&byte);
    }
    Some(())
}
