//! Expressions over JSON: `.items[0].status == "ready"`.

use std::cmp::Ordering;

use assay_plugin::Value;
use regex_lite::Regex;

use super::text;
use crate::builtins::yaml;

/// A path into a value, and what must hold there; without a test, that it is neither absent, null nor
/// false.
pub(super) struct Expression {
    source: String,
    path: Vec<Step>,
    /// How much of the source is the path.
    path_end: usize,
    test: Option<Test>,
}

enum Step {
    Key(String),
    /// From 0; from the end where it is negative.
    Item(i64),
}

enum Test {
    Compare(Operator, Value),
    Contains(Value),
    Matches(Regex),
}

#[derive(Clone, Copy, PartialEq)]
enum Operator {
    Equal,
    Different,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// What is wrong with an expression, and at which byte.
pub(super) type Wrong = (usize, String);

/// Longer ones before those that they begin with.
const OPERATORS: [(&str, Option<Operator>); 8] = [
    ("==", Some(Operator::Equal)),
    ("!=", Some(Operator::Different)),
    ("<=", Some(Operator::AtMost)),
    (">=", Some(Operator::AtLeast)),
    ("=~", None),
    ("<", Some(Operator::Less)),
    (">", Some(Operator::Greater)),
    ("contains", None),
];

impl Expression {
    pub fn parse(source: &str) -> Result<Self, Wrong> {
        let mut reader = Reader { source, at: 0 };
        reader.spaces();
        let path = reader.path()?;
        let path_end = reader.at;
        reader.spaces();
        let test = match reader.rest() {
            "" => None,
            _ => Some(reader.test()?),
        };
        Ok(Self {
            source: source.trim().to_owned(),
            path,
            path_end: path_end - (source.len() - source.trim_start().len()),
            test,
        })
    }

    /// Whether it holds; else what is there instead.
    pub fn holds(&self, root: &Value) -> Result<(), String> {
        let found = self.find(root);
        let value = found.unwrap_or(&Value::Null);
        let holds = match &self.test {
            None => Ok(!matches!(
                value,
                Value::Nil | Value::Null | Value::Bool(false)
            )),
            Some(test) => test.holds(value),
        };
        let is = match found {
            None => "is absent".into(),
            Some(value) => format!("is {}", text::shortened(&json(value))),
        };
        let path = &self.source[..self.path_end];
        match holds {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("expected `{}`, but `{path}` {is}", self.source)),
            Err(why) => Err(format!("`{}`: {why}, and `{path}` {is}", self.source)),
        }
    }

    fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.path.iter().try_fold(root, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Item(index) => {
                let Value::List(items) = value else {
                    return None;
                };
                let len = i64::try_from(items.len()).ok()?;
                let index = if *index < 0 { index + len } else { *index };
                items.get(usize::try_from(index).ok()?)
            }
        })
    }
}

impl Test {
    fn holds(&self, value: &Value) -> Result<bool, &'static str> {
        Ok(match self {
            Self::Compare(Operator::Equal, wanted) => equal(value, wanted),
            Self::Compare(Operator::Different, wanted) => !equal(value, wanted),
            Self::Compare(operator, wanted) => {
                let order = match (value, wanted) {
                    (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
                    (Value::Int(a), Value::Int(b)) => a.cmp(b),
                    _ => match (number(value), number(wanted)) {
                        (Some(a), Some(b)) => a.total_cmp(&b),
                        _ => return Err("only two numbers or two texts have an order"),
                    },
                };
                match operator {
                    Operator::Less => order == Ordering::Less,
                    Operator::AtMost => order != Ordering::Greater,
                    Operator::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                }
            }
            Self::Contains(wanted) => match (value, wanted) {
                (Value::Bytes(text), Value::Bytes(part)) => text::contains(text, part),
                (Value::List(items), wanted) => items.iter().any(|item| equal(item, wanted)),
                (Value::Map(_), Value::Bytes(key)) => {
                    std::str::from_utf8(key).is_ok_and(|key| value.get(key).is_some())
                }
                _ => return Err("a text contains texts, a list items, an object keys"),
            },
            Self::Matches(regex) => match value {
                Value::Bytes(bytes) => regex.is_match(&String::from_utf8_lossy(bytes)),
                _ => return Err("`=~` is for texts"),
            },
        })
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(int) => Some(*int as f64),
        Value::Float(float) => Some(*float),
        _ => None,
    }
}

/// By content: 1 and 1.0 are equal, and so are objects whose keys come in another order.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Nil | Value::Null, Value::Nil | Value::Null) => true,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Map(a), Value::Map(pairs)) => {
            a.len() == pairs.len()
                && a.iter().all(|(key, value)| {
                    let other = pairs.iter().find(|(other, _)| other == key);
                    other.is_some_and(|(_, other)| equal(value, other))
                })
        }
        // An empty table does not say which of both it is.
        (Value::Map(empty), Value::List(other)) | (Value::List(other), Value::Map(empty)) => {
            empty.is_empty() && other.is_empty()
        }
        (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)) => {
            number(a) == number(b)
        }
        _ => a == b,
    }
}

/// A value as JSON, for messages.
fn json(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => text::quoted(&String::from_utf8_lossy(bytes)),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => float.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().take(SHOWN).map(json).collect();
            format!("[{}]", items.join(","))
        }
        Value::Map(pairs) => {
            let pairs = pairs.iter().take(SHOWN);
            let pairs: Vec<String> = pairs
                .map(|(key, value)| format!("{}:{}", json(key), json(value)))
                .collect();
            format!("{{{}}}", pairs.join(","))
        }
        _ => "null".into(),
    }
}

/// Items of a list that a message can have room for.
const SHOWN: usize = 100;

struct Reader<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Reader<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn spaces(&mut self) {
        self.at = self.source.len() - self.rest().trim_start().len();
    }

    fn wrong<T>(&self, what: impl Into<String>) -> Result<T, Wrong> {
        Err((self.at, what.into()))
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn path(&mut self) -> Result<Vec<Step>, Wrong> {
        let mut steps = Vec::new();
        if !self.rest().starts_with('.') {
            return self.wrong("a path begins with `.`, as in `.status == \"ok\"`");
        }
        // The whole value is `.` alone, and `.[0]` is an item of it.
        if self.rest()[1..].starts_with([' ', '[']) || self.rest() == "." {
            self.at += 1;
        }
        loop {
            if self.take("[") {
                steps.push(self.item()?);
                if !self.take("]") {
                    return self.wrong("expected `]`");
                }
            } else if self.take(".") {
                let rest = self.rest();
                let name = rest
                    .find(|c: char| c.is_whitespace() || ".[]=!<>~\"'(){}|,".contains(c))
                    .map_or(rest, |end| &rest[..end]);
                if name.is_empty() {
                    return self
                        .wrong("expected a name behind `.`; others are written `[\"...\"]`");
                }
                self.at += name.len();
                steps.push(Step::Key(name.to_owned()));
            } else {
                return Ok(steps);
            }
        }
    }

    fn item(&mut self) -> Result<Step, Wrong> {
        let rest = self.rest();
        if rest.starts_with('"') {
            let end = closing_quote(rest).map_or(rest.len(), |at| at + 1);
            let key = self.literal(&rest[..end])?;
            self.at += end;
            return match key {
                Value::Bytes(key) => Ok(Step::Key(String::from_utf8_lossy(&key).into_owned())),
                _ => self.wrong("expected a text"),
            };
        }
        let digits = rest
            .find(|c: char| c != '-' && !c.is_ascii_digit())
            .map_or(rest, |end| &rest[..end]);
        let Ok(index) = digits.parse() else {
            return self.wrong("expected a number or a text in quotes");
        };
        self.at += digits.len();
        Ok(Step::Item(index))
    }

    fn test(&mut self) -> Result<Test, Wrong> {
        let Some((name, operator)) = OPERATORS
            .iter()
            .find(|(operator, _)| self.rest().starts_with(operator))
        else {
            return self.wrong("expected an operator: ==, !=, <, <=, >, >=, =~ or contains");
        };
        self.at += name.len();
        let rest = self.rest().trim();
        if rest.is_empty() {
            return self.wrong(format!("expected a value behind `{name}`"));
        }
        self.spaces();
        let value = self.literal(rest)?;
        Ok(match operator {
            Some(operator) => Test::Compare(*operator, value),
            None if *name == "contains" => Test::Contains(value),
            None => match &value {
                Value::Bytes(pattern) => match Regex::new(&String::from_utf8_lossy(pattern)) {
                    Ok(regex) => Test::Matches(regex),
                    Err(error) => return self.wrong(error.to_string()),
                },
                _ => return self.wrong("expected a regular expression in quotes behind `=~`"),
            },
        })
    }

    /// A value in JSON. Its lists, objects and quoted texts are YAML as well, which has a reader here. A
    /// single word without quotes is a text: files for other runtimes have such.
    fn literal(&self, text: &str) -> Result<Value, Wrong> {
        if !text.starts_with(['"', '[', '{']) {
            if text.contains(|c: char| c.is_whitespace() || "\"'[]{}#&*|<>=!%@`,".contains(c)) {
                return self.wrong("expected a value in JSON: texts are in double quotes");
            }
            return Ok(yaml::resolve(text));
        }
        let wrong = |column: usize, what: &str| {
            let before = text.chars().take(column.saturating_sub(1));
            Err((
                self.at + before.map(char::len_utf8).sum::<usize>(),
                what.to_owned(),
            ))
        };
        if text.starts_with('"') && closing_quote(text) != Some(text.len() - 1) {
            return self.wrong("a text in quotes that does not end, or has something behind it");
        }
        match yaml::tree(text) {
            Ok(Some(tree)) => Ok(text::value(&tree)),
            Ok(None) => wrong(1, "expected a value in JSON"),
            // `line 1, column 7: what`
            Err(error) => {
                let message = error.message();
                let (place, what) = message.split_once(": ").unwrap_or(("", message));
                let column = place.rsplit(' ').next().and_then(|at| at.parse().ok());
                wrong(column.unwrap_or(1), what)
            }
        }
    }
}

/// Where the quote is that ends the text which the first one begins.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().enumerate().skip(1).find_map(|(at, byte)| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        text::value(&yaml::tree(text).unwrap().unwrap())
    }

    fn holds(expression: &str, root: &Value) -> Result<(), String> {
        let parsed = Expression::parse(expression);
        parsed
            .map_err(|(at, what)| format!("{at}: {what}"))
            .unwrap()
            .holds(root)
    }

    fn root() -> Value {
        value(
            r#"{"a": {"b": "v", "a-b": 1, "x y": true, "": 0}, "n": 3, "f": 3.0, "z": null, "no": false,
                "list": [1, {"k": "w"}, "three", []], "big": 9007199254740993, "empty": {}, "t": "caf\u00e9 \"q\""}"#,
        )
    }

    #[test]
    fn what_holds() {
        for expression in [
            r#".a.b == "v""#,
            r#"  .a.b=="v"  "#,
            ".a.b == v",
            ".a",
            ".a.a-b == 1",
            r#".a["x y"] == true"#,
            r#".a[""] == 0"#,
            ".n > 2",
            ".n == 3.0",
            ".f == 3",
            ".n >= 3",
            ".n <= 3",
            ".n < 3.5",
            ".n != 4",
            ".z == null",
            ".missing == null",
            ".missing.deeper == null",
            ".no == false",
            ".list[0] == 1",
            ".list[-2] == \"three\"",
            ".list[1].k =~ \"^w$\"",
            ".list contains 1",
            r#".list contains {"k": "w"}"#,
            r#".list == [1, {"k": "w"}, "three", []]"#,
            ".big == 9007199254740993",
            ".big != 9007199254740992",
            ".empty == {}",
            ".a contains \"b\"",
            ".a.b < \"w\"",
            r#".t == "café \"q\"""#,
            r#".t contains "\"q""#,
            ".t =~ \"(?i)CAF\"",
            ".",
            ". contains \"n\"",
            r#".a == {"": 0, "x y": true, "a-b": 1, "b": "v"}"#,
        ] {
            assert_eq!(holds(expression, &root()), Ok(()), "{expression}");
        }
        assert_eq!(
            holds(".[1].k == \"w\"", root().get("list").unwrap()),
            Ok(())
        );
    }

    #[test]
    fn what_does_not_hold_says_what_is_there() {
        for (expression, message) in [
            (
                ".a.b == \"w\"",
                r#"expected `.a.b == "w"`, but `.a.b` is "v""#,
            ),
            (".missing", "expected `.missing`, but `.missing` is absent"),
            (".z", "expected `.z`, but `.z` is null"),
            (".no", "expected `.no`, but `.no` is false"),
            (".n == \"3\"", "expected `.n == \"3\"`, but `.n` is 3"),
            (".list[9]", "expected `.list[9]`, but `.list[9]` is absent"),
            (".n[0]", "expected `.n[0]`, but `.n[0]` is absent"),
            (
                ".a.b > 1",
                "`.a.b > 1`: only two numbers or two texts have an order, and `.a.b` is \"v\"",
            ),
            (
                ".missing < 1",
                "`.missing < 1`: only two numbers or two texts have an order, and `.missing` is absent",
            ),
            (
                ".n =~ \"3\"",
                "`.n =~ \"3\"`: `=~` is for texts, and `.n` is 3",
            ),
            (
                ".n contains 3",
                "`.n contains 3`: a text contains texts, a list items, an object keys, and `.n` is 3",
            ),
            (
                ".list == [1]",
                r#"expected `.list == [1]`, but `.list` is [1,{"k":"w"},"three",[]]"#,
            ),
        ] {
            assert_eq!(holds(expression, &root()), Err(message.into()));
        }
    }

    #[test]
    fn mistakes_have_a_place() {
        for (expression, at, message) in [
            ("status", 0, "a path begins with `.`"),
            ("", 0, "a path begins with `.`"),
            (".a..b", 3, "expected a name behind `.`"),
            (".a = 1", 3, "expected an operator"),
            (".a ==", 5, "expected a value behind `==`"),
            (".a[x]", 3, "expected a number or a text in quotes"),
            (".a[0", 4, "expected `]`"),
            (".a[\"x]", 3, "a text in quotes that does not end"),
            (".a == 'v'", 6, "texts are in double quotes"),
            (".a == two words", 6, "texts are in double quotes"),
            (
                ".a == \"x\" or .b",
                6,
                "a text in quotes that does not end, or",
            ),
            (".a == [1, 2", 6, ""),
            (".a =~ 1", 6, "expected a regular expression in quotes"),
            (".a =~ \"(\"", 6, "found open group"),
            (".é[", 4, "expected a number"),
            (".a -- 1", 3, "expected an operator"),
        ] {
            let Err((found, what)) = Expression::parse(expression) else {
                panic!("{expression} is taken");
            };
            assert!(what.contains(message), "{expression}: {what}");
            if !message.is_empty() {
                assert_eq!(found, at, "{expression}: {what}");
            }
        }
    }
}
