//! `${NAME}` in the texts of a checks file, and what of it must not be told.

use std::ffi::OsString;
use std::ops::Range;

use crate::builtins::base64;

/// The environment, as far as a file asks for it.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// A text with its variables filled in.
pub(super) struct Filled {
    pub text: String,
    /// Whether there were variables.
    pub has_variables: bool,
    /// Where values of the environment are in it.
    pub spans: Vec<Range<usize>>,
}

/// What is wrong with a text, and at which byte of it.
pub(super) struct Wrong {
    pub at: usize,
    pub message: String,
    pub hint: Option<String>,
}

/// Fills in `${NAME}` and `${NAME:-default}`; `$${` is `${`.
pub(super) fn fill(source: &str, lookup: Lookup<'_>) -> Result<Filled, Wrong> {
    let mut filled = Filled {
        text: String::with_capacity(source.len()),
        has_variables: false,
        spans: Vec::new(),
    };
    let mut rest = source;
    while let Some(found) = rest.find("${") {
        let at = source.len() - rest.len() + found;
        if let Some(before) = rest[..found].strip_suffix('$') {
            filled.text.push_str(before);
            filled.text.push_str("${");
            rest = &rest[found + 2..];
            continue;
        }
        filled.text.push_str(&rest[..found]);
        let wrong = |message: String, hint: Option<String>| Wrong { at, message, hint };
        let Some(len) = rest[found..].find('}') else {
            return Err(wrong(
                "`${` without its `}`".into(),
                Some("`$${` is a `${` that is meant as it is".into()),
            ));
        };
        let inner = &rest[found + 2..found + len];
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        if !is_name(name) {
            return Err(wrong(
                format!("`${{{inner}}}` is no variable"),
                Some(
                    "write ${NAME} or ${NAME:-default}, and $${ for a `${` that is meant as it is"
                        .into(),
                ),
            ));
        }
        filled.has_variables = true;
        // As in a shell, an empty one is as good as none where there is a default.
        let value = lookup(name).filter(|value| default.is_none() || !value.is_empty());
        match (value.map(OsString::into_string), default) {
            (Some(Ok(value)), _) => {
                let start = filled.text.len();
                filled.text.push_str(&value);
                filled.spans.push(start..filled.text.len());
            }
            (Some(Err(_)), _) => {
                return Err(wrong(format!("the variable `{name}` is not UTF-8"), None));
            }
            (None, Some(default)) => filled.text.push_str(default),
            (None, None) => {
                return Err(wrong(
                    format!("the variable `{name}` is not set"),
                    Some(format!("set it, or give a default: ${{{name}:-...}}")),
                ));
            }
        }
        rest = &rest[found + len + 1..];
    }
    filled.text.push_str(rest);
    Ok(filled)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Texts that no message may have.
#[derive(Default, Clone)]
pub(super) struct Secrets(Vec<String>);

/// What is shorter would be found everywhere.
const SHORTEST: usize = 4;

impl Secrets {
    pub fn add(&mut self, text: &str) {
        if text.len() >= SHORTEST && !self.0.iter().any(|known| known == text) {
            // What contains another one goes first.
            let longer = self.0.partition_point(|known| known.len() >= text.len());
            self.0.insert(longer, text.to_owned());
        }
    }

    /// What the environment gave to a text.
    pub fn add_spans(&mut self, filled: &Filled) {
        for span in &filled.spans {
            self.add(&filled.text[span.clone()]);
        }
    }

    /// The password of a URL, and what the environment gave to its user and query.
    pub fn add_url(&mut self, filled: &Filled) {
        let url = filled.text.as_str();
        let begin = url.find("://").map_or(0, |at| at + 3);
        let authority_end = url[begin..]
            .find(['/', '?', '#'])
            .map_or(url.len(), |at| begin + at);
        let user = begin
            ..url[begin..authority_end]
                .rfind('@')
                .map_or(begin, |at| begin + at);
        let query = url.find('?').unwrap_or(url.len())..url.len();
        if let Some((_, password)) = url[user.clone()].split_once(':') {
            self.add(password);
        }
        for span in &filled.spans {
            for part in [&user, &query] {
                let (start, end) = (span.start.max(part.start), span.end.min(part.end));
                if start < end {
                    for text in url[start..end].split(['?', '&', '=']) {
                        self.add(text);
                    }
                }
            }
        }
    }

    /// A password and the header that it goes out in.
    pub fn add_basic(&mut self, user: &str, password: &str) {
        self.add(password);
        self.add(&base64::encode(format!("{user}:{password}").as_bytes()));
    }

    /// A text without them.
    pub fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.as_str(), "***")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<OsString> {
        use std::os::unix::ffi::OsStringExt;
        match name {
            "A" => Some("value".into()),
            "EMPTY" => Some("".into()),
            "TOKEN_1" => Some("s3cret-token".into()),
            "YAML" => Some("x\nother: [1, 2]".into()),
            "BYTES" => Some(OsString::from_vec(vec![0xff])),
            "URL" => Some("https://me:pass-word@host/p?key=abcdef&b=1".into()),
            _ => None,
        }
    }

    fn filled(text: &str) -> Result<String, String> {
        match fill(text, &lookup) {
            Ok(filled) => Ok(filled.text),
            Err(wrong) => Err(format!("{}: {}", wrong.at, wrong.message)),
        }
    }

    #[test]
    fn variables_are_filled_in() {
        for (text, wanted) in [
            ("", ""),
            ("plain $A {A} $", "plain $A {A} $"),
            ("${A}", "value"),
            ("a${A}b${A}", "avaluebvalue"),
            ("${EMPTY}", ""),
            ("${EMPTY:-other}", "other"),
            ("${NONE:-}", ""),
            ("${NONE:-a:-b $x}", "a:-b $x"),
            ("${A:-other}", "value"),
            ("$${A}", "${A}"),
            ("$${A} ${A}", "${A} value"),
            ("${YAML}", "x\nother: [1, 2]"),
            // What was filled in is not looked at again.
            ("${NONE:-$}{A}", "${A}"),
        ] {
            assert_eq!(filled(text), Ok(wanted.into()), "{text}");
        }
    }

    #[test]
    fn mistakes_have_a_place() {
        for (text, message) in [
            ("a ${NONE}", "2: the variable `NONE` is not set"),
            ("${A", "0: `${` without its `}`"),
            ("${}", "0: `${}` is no variable"),
            ("${A B}", "0: `${A B}` is no variable"),
            ("${A-x}", "0: `${A-x}` is no variable"),
            ("${1A}", "0: `${1A}` is no variable"),
            ("${BYTES}", "0: the variable `BYTES` is not UTF-8"),
        ] {
            assert_eq!(filled(text), Err(message.into()), "{text}");
        }
    }

    #[test]
    fn secrets_are_hidden() {
        let mut secrets = Secrets::default();
        let fill = |text| fill(text, &lookup).ok().unwrap();
        secrets.add_spans(&fill("Bearer ${TOKEN_1}"));
        secrets.add_basic("me", "hunter22");
        secrets.add("abc");
        assert_eq!(
            secrets.hide("s3cret-token, Basic bWU6aHVudGVyMjI=, hunter22, abc, Bearer"),
            "***, Basic ***, ***, abc, Bearer"
        );
    }

    #[test]
    fn of_a_url_user_and_query_are_hidden() {
        let hidden = |url: &str, text: &str| {
            let mut secrets = Secrets::default();
            secrets.add_url(&fill(url, &lookup).ok().unwrap());
            secrets.hide(text)
        };
        assert_eq!(
            hidden("${URL}", "host pass-word abcdef key=1"),
            "host *** *** key=1"
        );
        assert_eq!(hidden("http://${A}/x", "value"), "value");
        assert_eq!(
            hidden("http://h/x?page=next&k=${A}", "next value"),
            "next ***"
        );
        assert_eq!(
            hidden("http://u:literal@h/${A}", "literal value"),
            "*** value"
        );
    }
}
