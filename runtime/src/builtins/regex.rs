//! `regex`: linear-time regular expressions on any bytes.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use assay_plugin::{Error, Result, Value, family};
use regex_lite::{Captures, Regex, RegexBuilder};

family! {
    /// Regular expressions in the syntax of Rust's regex crate: no look-around and no
    /// back-references, hence no pattern that runs away. `\d`, `\w` and `(?i)` know ASCII only.
    name: "regex",
    functions: {
        /// Whether the pattern is found anywhere in the text.
        fn r#match = "fun(text: string, pattern: string): boolean",
        /// The first match, or nil.
        fn find = "fun(text: string, pattern: string): regex.Match?",
        /// All matches that do not overlap.
        fn find_all = "fun(text: string, pattern: string): regex.Match[]",
        /// Replaces all matches. In the replacement `$1` and `${name}` are groups, `$$` is `$`.
        fn replace = "fun(text: string, pattern: string, replacement: string): string",
    },
}

fn r#match(text: &[u8], pattern: &str) -> Result<bool> {
    Ok(compiled(pattern)?.is_match(&Subject::new(text).text))
}

fn find(text: &[u8], pattern: &str) -> Result<Option<Value>> {
    let (regex, subject) = (compiled(pattern)?, Subject::new(text));
    let captures = regex.captures(&subject.text);
    Ok(captures.map(|captures| found(&regex, &captures, &subject)))
}

/// They are made outside of the Lua heap, whose limit they would pass by.
const MAX_MATCHES: usize = 1_000_000;

fn find_all(text: &[u8], pattern: &str) -> Result<Value> {
    let (regex, subject) = (compiled(pattern)?, Subject::new(text));
    let mut matches = Vec::new();
    for captures in regex.captures_iter(&subject.text) {
        if matches.len() == MAX_MATCHES {
            return Err(
                Error::new("size", format!("more than {MAX_MATCHES} matches"))
                    .hint("search in parts, such as the lines of fs.lines"),
            );
        }
        matches.push(found(&regex, &captures, &subject));
    }
    Ok(Value::List(matches))
}

fn replace(text: &[u8], pattern: &str, replacement: &[u8]) -> Result<Vec<u8>> {
    let (regex, subject) = (compiled(pattern)?, Subject::new(text));
    let template = template(replacement, &regex)?;
    let (mut result, mut end) = (Vec::with_capacity(text.len()), 0);
    for captures in regex.captures_iter(&subject.text) {
        let whole = subject.range(&captures, 0).unwrap_or_default();
        result.extend_from_slice(&text[end..whole.start]);
        end = whole.end;
        for part in &template {
            match part {
                Part::Text(bytes) => result.extend_from_slice(bytes),
                Part::Group(group) => {
                    let range = subject.range(&captures, *group).unwrap_or_default();
                    result.extend_from_slice(&text[range]);
                }
            }
        }
    }
    result.extend_from_slice(&text[end..]);
    Ok(result)
}

/// `{match =, groups =}`: groups by number and by name; one that took no part is absent.
fn found(regex: &Regex, captures: &Captures<'_>, subject: &Subject<'_>) -> Value {
    let group = |index| {
        let range = subject.range(captures, index)?;
        Some(Value::Bytes(subject.original[range].to_vec()))
    };
    let mut groups = Vec::new();
    for (index, name) in regex.capture_names().enumerate().skip(1) {
        let Some(value) = group(index) else { continue };
        if let Some(name) = name {
            groups.push((Value::from(name), value.clone()));
        }
        groups.push((Value::Int(index as i64), value));
    }
    Value::Map(vec![
        (Value::from("match"), group(0).unwrap_or_default()),
        (Value::from("groups"), Value::Map(groups)),
    ])
}

/// A text in the form that the engine takes, which is UTF-8. Bytes that are not each become a
/// character of the private use area: `.` and `[^x]` match them, letters do not.
struct Subject<'a> {
    original: &'a [u8],
    text: Cow<'a, str>,
    /// Where in `text` a character stands for a byte, ascending.
    stand_ins: Vec<usize>,
}

const STAND_IN: char = '\u{f7ff}';

impl<'a> Subject<'a> {
    fn new(original: &'a [u8]) -> Self {
        let (mut text, mut stand_ins) = (Cow::Borrowed(""), Vec::new());
        for chunk in original.utf8_chunks() {
            if text.is_empty() && chunk.invalid().is_empty() {
                text = Cow::Borrowed(chunk.valid());
                continue;
            }
            let text = text.to_mut();
            text.push_str(chunk.valid());
            for _ in chunk.invalid() {
                stand_ins.push(text.len());
                text.push(STAND_IN);
            }
        }
        Self {
            original,
            text,
            stand_ins,
        }
    }

    /// Where a group stands in the original.
    fn range(&self, captures: &Captures<'_>, group: usize) -> Option<Range<usize>> {
        let range = captures.get(group)?.range();
        Some(self.offset(range.start)..self.offset(range.end))
    }

    fn offset(&self, offset: usize) -> usize {
        let before = self.stand_ins.partition_point(|at| *at < offset);
        offset - before * (STAND_IN.len_utf8() - 1)
    }
}

enum Part<'a> {
    Text(&'a [u8]),
    Group(usize),
}

fn template<'a>(mut rest: &'a [u8], regex: &Regex) -> Result<Vec<Part<'a>>> {
    let mut parts = Vec::new();
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        let (text, dollar) = rest.split_at(at);
        parts.push(Part::Text(text));
        let after = &dollar[1..];
        let count = |is: fn(&u8) -> bool| after.iter().take_while(|byte| is(byte)).count();
        let (name, length) = match after.first() {
            Some(b'$') => {
                parts.push(Part::Text(b"$"));
                rest = &after[1..];
                continue;
            }
            Some(b'{') => {
                let end = after.iter().position(|byte| *byte == b'}').ok_or_else(|| {
                    Error::argument("argument 3: `${` without `}`").hint("a plain $ is $$")
                })?;
                (&after[1..end], end + 1)
            }
            Some(b'0'..=b'9') => {
                let end = count(u8::is_ascii_digit);
                (&after[..end], end)
            }
            _ => {
                let end = count(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
                (&after[..end], end)
            }
        };
        if length == 0 {
            parts.push(Part::Text(b"$"));
        } else {
            parts.push(Part::Group(group_number(name, regex)?));
        }
        rest = &after[length..];
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

fn group_number(name: &[u8], regex: &Regex) -> Result<usize> {
    let name = String::from_utf8_lossy(name);
    let number = match name.parse::<usize>() {
        Ok(number) => Some(number).filter(|number| *number < regex.captures_len()),
        Err(_) => regex
            .capture_names()
            .position(|known| known == Some(&*name)),
    };
    number.ok_or_else(|| {
        Error::argument(format!(
            "argument 3: the pattern has no group `{name}`, only {} groups",
            regex.captures_len() - 1
        ))
        .hint("a plain $ is $$; a group before a letter is ${1}")
    })
}

/// How many compiled patterns a thread keeps, and how large one may be.
const CACHED: usize = 64;
const SIZE_LIMIT: usize = 1 << 20;

/// How many characters of a pattern an error shows.
const SHOWN: usize = 200;

thread_local! {
    /// The most recently used last.
    static CACHE: RefCell<Vec<Rc<Regex>>> = const { RefCell::new(Vec::new()) };
}

fn compiled(pattern: &str) -> Result<Rc<Regex>> {
    CACHE.with_borrow_mut(|cache| {
        let regex = match cache.iter().rposition(|regex| regex.as_str() == pattern) {
            Some(at) => cache.remove(at),
            None => Rc::new(compile(pattern)?),
        };
        if cache.len() == CACHED {
            cache.remove(0);
        }
        cache.push(Rc::clone(&regex));
        Ok(regex)
    })
}

fn compile(pattern: &str) -> Result<Regex> {
    let built = RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).build();
    built.map_err(|error| {
        let shown: String = pattern.chars().take(SHOWN).collect();
        let more = if shown.len() < pattern.len() {
            "..."
        } else {
            ""
        };
        let error = Error::argument(format!("argument 2: pattern {shown:?}{more}: {error}"));
        if ["(?=", "(?!", "(?<=", "(?<!"]
            .iter()
            .any(|look| pattern.contains(look))
        {
            error.hint("look-around is not supported")
        } else {
            error
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_plugin::test::Host;

    fn find(text: &[u8], pattern: &str) -> Value {
        Host::new(&FAMILY).call("find", (text, pattern)).unwrap()
    }

    fn replace(text: &[u8], pattern: &str, with: &[u8]) -> Result<Vec<u8>> {
        Host::new(&FAMILY).call("replace", (text, pattern, with))
    }

    fn group(found: &Value, index: i64) -> Option<&Value> {
        let Some(Value::Map(groups)) = found.get("groups") else {
            panic!("{found:?}")
        };
        groups
            .iter()
            .find(|(key, _)| *key == Value::Int(index))
            .map(|(_, value)| value)
    }

    #[test]
    fn text_comes_before_pattern() {
        let host = Host::new(&FAMILY);
        assert!(host.call::<bool>("match", ("abc123", r"\d+$")).unwrap());
        assert!(!host.call::<bool>("match", (r"\d+$", "abc123")).unwrap());
    }

    #[test]
    fn groups_by_number_and_name() {
        let found = find(b"on 2026-11-22", r"(?P<year>\d+)-(\d+)(?:-(\d+))?(x)?");
        assert_eq!(found.get("match"), Some(&"2026-11-22".into()));
        assert_eq!(group(&found, 1), Some(&"2026".into()));
        assert_eq!(group(&found, 3), Some(&"22".into()));
        assert_eq!(group(&found, 4), None);
        assert_eq!(
            found.get("groups").unwrap().get("year"),
            Some(&"2026".into())
        );
        assert_eq!(find(b"none", r"\d"), Value::Nil);
    }

    #[test]
    fn all_matches() {
        let host = Host::new(&FAMILY);
        let all: Value = host.call("find_all", ("a1b22", r"[a-z](\d+)")).unwrap();
        let Value::List(all) = all else {
            panic!("{all:?}")
        };
        assert_eq!(all.len(), 2);
        assert_eq!(group(&all[1], 1), Some(&"22".into()));
        let none: Value = host.call("find_all", ("abc", "x")).unwrap();
        assert_eq!(none, Value::List(Vec::new()));
        let empty: Value = host.call("find_all", ("é", "")).unwrap();
        assert!(matches!(empty, Value::List(all) if all.len() == 2));
    }

    #[test]
    fn endless_matches_end() {
        let host = Host::new(&FAMILY);
        let text = "a".repeat(MAX_MATCHES);
        let error = host.call::<Value>("find_all", (&*text, "")).unwrap_err();
        assert_eq!(error.message(), "more than 1000000 matches");
    }

    #[test]
    fn any_bytes() {
        let found = find(b"\xff\xfe=\x00\xff;\xc3\xa9", "=(.+);(\u{e9})");
        assert_eq!(
            found.get("match"),
            Some(&Value::Bytes(b"=\x00\xff;\xc3\xa9".to_vec()))
        );
        assert_eq!(group(&found, 1), Some(&Value::Bytes(b"\x00\xff".to_vec())));
        assert_eq!(
            replace(b"\xffa\xfeb", "[ab]", b"\xfd").unwrap(),
            b"\xff\xfd\xfe\xfd"
        );
        assert_eq!(replace(b"\xff\xfe", r"\w", b"x").unwrap(), b"\xff\xfe");
        // A real character that equals the stand-in keeps its three bytes.
        let text = "\u{f7ff}".as_bytes();
        assert_eq!(replace(text, "x", b"").unwrap(), text);
        let mixed = [text, b"\xff", text].concat();
        assert_eq!(replace(&mixed, "(.)", b"$1").unwrap(), mixed);
    }

    #[test]
    fn replacements() {
        assert_eq!(
            replace(b"a-b c-d", r"(\w)-(\w)", b"$2-$1").unwrap(),
            b"b-a d-c"
        );
        assert_eq!(
            replace(b"ab", r"(?<x>a)", b"<$x${x}$$$0>").unwrap(),
            b"<aa$a>b"
        );
        assert_eq!(replace(b"a", "(a)", b"$1b").unwrap(), b"ab");
        assert_eq!(replace(b"cost", "cost", b"5$ ").unwrap(), b"5$ ");
        assert_eq!(replace(b"ac", "(a)(b)?", b"[$2]").unwrap(), b"[]c");
        assert_eq!(replace(b"abc", "", b"-").unwrap(), b"-a-b-c-");
        let error = replace(b"a", "(a)", b"$2").unwrap_err();
        assert_eq!(
            error.message(),
            "argument 3: the pattern has no group `2`, only 1 groups"
        );
        assert!(replace(b"a", "a", b"${1").is_err());
        assert!(replace(b"a", "a", b"$99999999999999999999999").is_err());
    }

    #[test]
    fn hostile_patterns_end() {
        let host = Host::new(&FAMILY);
        for pattern in [
            "(",
            "a{1000000}",
            "(a{999}){999}",
            "(?=a)",
            &"(".repeat(100_000),
        ] {
            let error = host.call::<bool>("match", ("aaaa", pattern)).unwrap_err();
            assert_eq!(error.kind(), "argument", "{error:?}");
        }
        // Exponential in engines that backtrack.
        let text = "a".repeat(5_000);
        assert!(
            !host
                .call::<bool>("match", (&*text, "(a+)+$b|(a|a)*c"))
                .unwrap()
        );
        let error = host.call::<bool>("match", ("a", &b"\xff"[..])).unwrap_err();
        assert!(
            error.message().starts_with("argument 2: expected UTF-8"),
            "{error:?}"
        );
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        compiled("kept").unwrap();
        for number in 0..10 * CACHED {
            compiled(&format!("pattern {number}")).unwrap();
            compiled("kept").unwrap();
        }
        CACHE.with_borrow(|cache| {
            assert_eq!(cache.len(), CACHED);
            assert_eq!(cache.last().unwrap().as_str(), "kept");
        });
        assert!(compiled("(").is_err());
    }
}
