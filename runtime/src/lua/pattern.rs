//! Lua patterns (reference manual, 6.5.1), by a backtracking matcher that can be stopped.
//!
//! Lua's own has exponential cases and runs in C, where no hook reaches it. This one counts what it does,
//! and asks now and then whether to go on. It owns nothing: errors of Lua's may cross it.

/// As Lua has it.
const MAX_CAPTURES: usize = 32;
/// Nested calls, as Lua has it.
const MAX_DEPTH: u32 = 200;
const ESCAPE: u8 = b'%';

/// Why there is neither a match nor none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The pattern is wrong: Lua's message.
    Pattern(&'static str),
    /// Something is wrong with a capture of this number: Lua's message, which ends with it.
    Capture(usize),
    /// Told to stop.
    Stopped,
}

/// A part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capture {
    /// Bytes from here to there.
    Span(usize, usize),
    /// `()`: where it stands.
    Position(usize),
    Open(usize),
}

type Matched = Result<Option<usize>, Failure>;

/// A search for a pattern in a text.
pub(crate) struct Matcher<'a, S> {
    text: &'a [u8],
    pattern: &'a [u8],
    captures: [Capture; MAX_CAPTURES],
    level: usize,
    depth: u32,
    steps: u32,
    stops: S,
}

/// Whether a pattern is just a text.
pub(crate) fn is_plain(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte))
}

impl<'a, S: Fn() -> bool> Matcher<'a, S> {
    /// `stops` is asked now and then whether to stop.
    pub fn new(text: &'a [u8], pattern: &'a [u8], stops: S) -> Self {
        Self {
            text,
            pattern,
            captures: [Capture::Open(0); MAX_CAPTURES],
            level: 0,
            depth: MAX_DEPTH,
            steps: 0,
            stops,
        }
    }

    /// Matches at one place only; the end of the match.
    pub fn matches_at(&mut self, start: usize) -> Matched {
        self.level = 0;
        self.depth = MAX_DEPTH;
        self.run(start, 0)
    }

    /// The captures of the last match; the whole match where it has none and `whole` is wanted.
    pub fn count(&self, whole: bool) -> usize {
        match self.level {
            0 if whole => 1,
            level => level,
        }
    }

    /// A capture of the last match, which went from `start` to `end`.
    pub fn capture(&self, index: usize, start: usize, end: usize) -> Result<Capture, Failure> {
        match self.captures[..self.level].get(index) {
            Some(Capture::Open(_)) => Err(Failure::Pattern("unfinished capture")),
            Some(capture) => Ok(*capture),
            None if index == 0 => Ok(Capture::Span(start, end)),
            None => Err(Failure::Capture(index + 1)),
        }
    }

    /// Finds `needle` as it is, from `start` on.
    pub fn find_plain(&mut self, needle: &[u8], start: usize) -> Matched {
        let Some((&first, _)) = needle.split_first() else {
            return Ok(Some(start));
        };
        let mut at = start;
        while self.text.len() - at >= needle.len() {
            let last = self.text.len() - needle.len();
            let Some(skipped) = self.text[at..=last].iter().position(|&byte| byte == first) else {
                return Ok(None);
            };
            self.step(skipped / 64 + needle.len() / 64)?;
            at += skipped;
            if self.text[at..].starts_with(needle) {
                return Ok(Some(at));
            }
            at += 1;
        }
        Ok(None)
    }

    fn step(&mut self, more: usize) -> Result<(), Failure> {
        const BETWEEN: u32 = 1 << 12;
        self.steps = self
            .steps
            .saturating_add(1)
            .saturating_add(u32::try_from(more).unwrap_or(BETWEEN));
        if self.steps >= BETWEEN {
            self.steps = 0;
            if (self.stops)() {
                return Err(Failure::Stopped);
            }
        }
        Ok(())
    }

    fn run(&mut self, at: usize, item: usize) -> Matched {
        if self.depth == 0 {
            return Err(Failure::Pattern("pattern too complex"));
        }
        self.depth -= 1;
        let matched = self.items(at, item);
        self.depth += 1;
        matched
    }

    /// Matches the items of the pattern from `item` on.
    fn items(&mut self, mut at: usize, mut item: usize) -> Matched {
        loop {
            self.step(0)?;
            let Some(&first) = self.pattern.get(item) else {
                return Ok(Some(at));
            };
            let second = self.pattern.get(item + 1).copied();
            match (first, second) {
                (b'(', Some(b')')) => return self.open(at, item + 2, Capture::Position(at)),
                (b'(', _) => return self.open(at, item + 1, Capture::Open(at)),
                (b')', _) => return self.close(at, item + 1),
                (b'$', None) => return Ok(Some(at).filter(|&at| at == self.text.len())),
                (ESCAPE, Some(b'b')) => match self.balance(at, item + 2)? {
                    Some(end) => {
                        at = end;
                        item += 4;
                        continue;
                    }
                    None => return Ok(None),
                },
                (ESCAPE, Some(b'f')) => {
                    item += 2;
                    if self.pattern.get(item) != Some(&b'[') {
                        return Err(Failure::Pattern("missing '[' after '%f' in pattern"));
                    }
                    let end = self.class_end(item)?;
                    let before = at.checked_sub(1).map_or(0, |at| self.text[at]);
                    let here = self.text.get(at).copied().unwrap_or(0);
                    let set = &self.pattern[item..end];
                    if in_set(set, before) || !in_set(set, here) {
                        return Ok(None);
                    }
                    item = end;
                    continue;
                }
                (ESCAPE, Some(digit @ b'0'..=b'9')) => match self.same_again(at, digit)? {
                    Some(end) => {
                        at = end;
                        item += 2;
                        continue;
                    }
                    None => return Ok(None),
                },
                _ => {}
            }
            let end = self.class_end(item)?;
            match self.pattern.get(end) {
                Some(b'?') => {
                    if self.is_single(at, item, end)
                        && let Some(found) = self.run(at + 1, end + 1)?
                    {
                        return Ok(Some(found));
                    }
                    item = end + 1;
                }
                Some(b'*') => return self.longest(at, item, end, 0),
                Some(b'+') => return self.longest(at, item, end, 1),
                Some(b'-') => return self.shortest(at, item, end),
                _ => {
                    if !self.is_single(at, item, end) {
                        return Ok(None);
                    }
                    at += 1;
                    item = end;
                }
            }
        }
    }

    fn open(&mut self, at: usize, rest: usize, capture: Capture) -> Matched {
        if self.level == MAX_CAPTURES {
            return Err(Failure::Pattern("too many captures"));
        }
        self.captures[self.level] = capture;
        self.level += 1;
        let matched = self.run(at, rest)?;
        if matched.is_none() {
            self.level -= 1;
        }
        Ok(matched)
    }

    fn close(&mut self, at: usize, rest: usize) -> Matched {
        let open = self.captures[..self.level]
            .iter()
            .rposition(|capture| matches!(capture, Capture::Open(_)));
        let Some(index) = open else {
            return Err(Failure::Pattern("invalid pattern capture"));
        };
        let before = self.captures[index];
        if let Capture::Open(start) = before {
            self.captures[index] = Capture::Span(start, at);
        }
        let matched = self.run(at, rest)?;
        if matched.is_none() {
            self.captures[index] = before;
        }
        Ok(matched)
    }

    /// `%bxy`: from an `x` to the `y` that balances it.
    fn balance(&mut self, at: usize, pair: usize) -> Matched {
        let Some(&[open, close]) = self.pattern.get(pair..pair + 2) else {
            return Err(Failure::Pattern(
                "malformed pattern (missing arguments to '%b')",
            ));
        };
        if self.text.get(at) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1;
        for next in at + 1..self.text.len() {
            self.step(0)?;
            let byte = self.text[next];
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(next + 1));
                }
            } else if byte == open {
                depth += 1;
            }
        }
        Ok(None)
    }

    /// `%1`: what a capture holds, once more.
    fn same_again(&mut self, at: usize, digit: u8) -> Matched {
        let number = usize::from(digit - b'0');
        let known = number
            .checked_sub(1)
            .and_then(|index| self.captures[..self.level].get(index).copied());
        match known {
            Some(Capture::Span(start, end)) => {
                self.step((end - start) / 64)?;
                let wanted = &self.text[start..end];
                Ok(self.text[at..]
                    .starts_with(wanted)
                    .then(|| at + wanted.len()))
            }
            // A position is no text.
            Some(Capture::Position(_)) => Ok(None),
            Some(Capture::Open(_)) | None => Err(Failure::Capture(number)),
        }
    }

    /// Where a class ends that begins here: one byte, an escape, or a set.
    fn class_end(&self, item: usize) -> Result<usize, Failure> {
        const OPEN_SET: Failure = Failure::Pattern("malformed pattern (missing ']')");
        match self.pattern[item] {
            ESCAPE if item + 1 == self.pattern.len() => {
                Err(Failure::Pattern("malformed pattern (ends with '%')"))
            }
            ESCAPE => Ok(item + 2),
            b'[' => {
                let mut at = item + 1;
                if self.pattern.get(at) == Some(&b'^') {
                    at += 1;
                }
                // The first one stands for itself, also when it is a bracket.
                loop {
                    let byte = *self.pattern.get(at).ok_or(OPEN_SET)?;
                    at += 1;
                    if byte == ESCAPE {
                        at += 1;
                    }
                    if *self.pattern.get(at).ok_or(OPEN_SET)? == b']' {
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(item + 1),
        }
    }

    /// Whether the byte here is of the class between `item` and `end`.
    fn is_single(&self, at: usize, item: usize, end: usize) -> bool {
        let Some(&byte) = self.text.get(at) else {
            return false;
        };
        match self.pattern[item] {
            b'.' => true,
            ESCAPE => in_class(self.pattern[item + 1], byte),
            b'[' => in_set(&self.pattern[item..end], byte),
            literal => literal == byte,
        }
    }

    /// As many as there are, then fewer, at least `least`.
    fn longest(&mut self, at: usize, item: usize, end: usize, least: usize) -> Matched {
        let mut count = 0;
        while self.is_single(at + count, item, end) {
            self.step(0)?;
            count += 1;
        }
        while count >= least {
            if let Some(found) = self.run(at + count, end + 1)? {
                return Ok(Some(found));
            }
            if count == 0 {
                break;
            }
            count -= 1;
        }
        Ok(None)
    }

    /// As few as will do.
    fn shortest(&mut self, mut at: usize, item: usize, end: usize) -> Matched {
        loop {
            if let Some(found) = self.run(at, end + 1)? {
                return Ok(Some(found));
            }
            if !self.is_single(at, item, end) {
                return Ok(None);
            }
            at += 1;
        }
    }
}

/// `[...]`, from bracket to bracket.
fn in_set(set: &[u8], byte: u8) -> bool {
    let inner = &set[1..set.len() - 1];
    let (inner, negated) = match inner.split_first() {
        Some((b'^', rest)) => (rest, true),
        _ => (inner, false),
    };
    let mut at = 0;
    while at < inner.len() {
        let hit = match inner[at..] {
            [ESCAPE, class, ..] => {
                at += 2;
                in_class(class, byte)
            }
            [low, b'-', high, ..] => {
                at += 3;
                (low..=high).contains(&byte)
            }
            [literal, ..] => {
                at += 1;
                literal == byte
            }
            [] => false,
        };
        if hit {
            return !negated;
        }
    }
    negated
}

/// `%a` and the others; their capitals are what they are not. Anything else stands for itself.
fn in_class(class: u8, byte: u8) -> bool {
    let within = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'g' => byte.is_ascii_graphic(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | b'\t'..=b'\r'),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        // Of Lua 5.1, and still there.
        b'z' => byte == 0,
        _ => return class == byte,
    };
    within != class.is_ascii_uppercase()
}
