//! Texts and times, as checks are written with them and talk of them.

use std::time::Duration;

use assay_plugin::Value;

use crate::builtins::yaml::{self, Branch, Tree};

/// Characters of what a server said that a message has room for.
const LONGEST: usize = 200;

/// The beginning of a text.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    crate::lua::json::write_string(&mut out, text.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// `500ms`, `5s`, `1.5m`, `1h`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds = digits.parse::<f64>().ok().filter(|_| plain)? * unit;
    // A century is more than any clock is asked to add.
    (seconds <= 3.2e9).then(|| Duration::from_secs_f64(seconds))
}

/// What a node says, as it is.
pub(super) fn value(tree: &Tree) -> Value {
    match &tree.content {
        Branch::Scalar { text, plain: true } => yaml::resolve(text),
        Branch::Scalar { text, .. } => text.as_str().into(),
        Branch::List(items) => Value::List(items.iter().map(value).collect()),
        Branch::Map(pairs) => Value::Map(
            pairs
                .iter()
                .map(|(key, _, item)| (key.as_str().into(), value(item)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("500ms", 500),
            ("0s", 0),
            ("5s", 5000),
            ("1.5s", 1500),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "+5s",
            "5 s",
            "5S",
            "5sec",
            "1h30m",
            "1e3s",
            "infs",
            "5d",
            ".5s",
            "1.2.3s",
            "9999999999999h",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
