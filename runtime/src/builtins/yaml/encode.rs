//! Values to YAML, in block style.

use assay_plugin::{Kind, MAX_DEPTH, Result, Value, View};

use super::scalar;
use crate::builtins::base64;
use crate::builtins::place::{self, Refused};

/// A document, ended by a line feed.
pub(super) fn document(value: View<'_>) -> Result<String> {
    let mut out = Writer::default();
    out.node(value, 0).map_err(Refused::into_error)?;
    Ok(out.text)
}

/// Simple keys end here; longer ones need `? `.
const LONGEST_KEY: usize = 1000;
const INDENT: usize = 2;

#[derive(Default)]
struct Writer {
    text: String,
}

impl Writer {
    /// A node that starts where the text ends; its further lines are indented by `depth`.
    fn node(&mut self, value: View<'_>, depth: usize) -> Result<(), Refused> {
        if depth > MAX_DEPTH {
            return Err(Refused::too_deep());
        }
        match value.kind() {
            Ok(Kind::List(items)) if items.len() > 0 => {
                for (index, item) in items.enumerate() {
                    self.margin(index, depth);
                    self.text.push_str("- ");
                    self.node(item, depth + 1)
                        .map_err(|refused| refused.item(index + 1))?;
                }
                Ok(())
            }
            Ok(Kind::Map(pairs)) if pairs.len() > 0 => {
                for (index, (key, value)) in place::sorted(pairs)?.into_iter().enumerate() {
                    self.margin(index, depth);
                    self.pair(&key, value, depth)
                        .map_err(|refused| refused.under(&key))?;
                }
                Ok(())
            }
            _ => {
                self.scalar(value, depth)?;
                self.text.push('\n');
                Ok(())
            }
        }
    }

    fn pair(&mut self, key: &[u8], value: View<'_>, depth: usize) -> Result<(), Refused> {
        if key.len() > LONGEST_KEY {
            self.text.push_str("? ");
            self.string(key, None)?;
            self.text.push('\n');
            self.indent(depth);
        } else {
            self.string(key, None)?;
        }
        self.text.push(':');
        let is_block = match value.kind() {
            Ok(Kind::List(items)) => items.len() > 0,
            Ok(Kind::Map(pairs)) => pairs.len() > 0,
            _ => false,
        };
        if is_block {
            self.text.push('\n');
            self.indent(depth + 1);
        } else {
            self.text.push(' ');
        }
        self.node(value, depth + 1)
    }

    /// The indentation of every line but the first, whose place is reached already.
    fn margin(&mut self, index: usize, depth: usize) {
        if index > 0 {
            self.indent(depth);
        }
    }

    fn indent(&mut self, depth: usize) {
        self.text.extend(std::iter::repeat_n(' ', INDENT * depth));
    }

    fn scalar(&mut self, value: View<'_>, depth: usize) -> Result<(), Refused> {
        match value.kind() {
            Ok(Kind::Nil | Kind::Null) => self.text.push_str("null"),
            Ok(Kind::Bool(bool)) => self.text.push_str(if bool { "true" } else { "false" }),
            Ok(Kind::Int(int)) => self.text.push_str(&int.to_string()),
            Ok(Kind::Float(float)) => self.text.push_str(&number(float)),
            Ok(Kind::Str(_) | Kind::Buf(_)) => {
                self.string(value.as_bytes().unwrap_or_default(), Some(depth))?;
            }
            Ok(Kind::List(_)) => self.text.push_str("[]"),
            Ok(Kind::Map(_)) => self.text.push_str("{}"),
            _ => return Err(Refused::value(value)),
        }
        Ok(())
    }

    /// A text, with a `depth` as a block of lines where that is possible.
    fn string(&mut self, bytes: &[u8], depth: Option<usize>) -> Result<(), Refused> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            let Some(_) = depth else {
                return Err(Refused::new("a key that is no UTF-8"));
            };
            self.text.push_str("!!binary ");
            self.text.push_str(&base64::encode(bytes));
            return Ok(());
        };
        match depth {
            _ if is_plain(text) => self.text.push_str(text),
            Some(depth) if is_block(text) => self.block(text, depth),
            _ => self.quoted(text),
        }
        Ok(())
    }

    fn block(&mut self, text: &str, depth: usize) {
        let lines = text.trim_end_matches('\n');
        self.text.push_str(match text.len() - lines.len() {
            0 => "|-",
            1 => "|",
            _ => "|+",
        });
        let kept = text.strip_suffix('\n').unwrap_or(text);
        for line in kept.split('\n') {
            self.text.push('\n');
            if !line.is_empty() {
                self.indent(depth.max(1));
                self.text.push_str(line);
            }
        }
    }

    fn quoted(&mut self, text: &str) {
        self.text.push('"');
        for character in text.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                other if is_printable(other) => self.text.push(other),
                other if u32::from(other) <= 0xff => {
                    self.text.push_str(&format!("\\x{:02x}", u32::from(other)));
                }
                other => self.text.push_str(&format!("\\u{:04x}", u32::from(other))),
            }
        }
        self.text.push('"');
    }
}

/// Whether all readers, also of YAML 1.1, take it as this text without quotes. Quotes too many do
/// no harm, so this knows letters, and little else.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let [first, .., last] = bytes else {
        return matches!(bytes, [byte] if byte.is_ascii_alphabetic() && !b"yYnN".contains(byte));
    };
    let safe = |byte: &u8| byte.is_ascii_alphanumeric() || b" _-./:@+=,".contains(byte);
    (first.is_ascii_alphabetic() || b"_/".contains(first))
        && !b" :".contains(last)
        && bytes.iter().all(safe)
        && !text.contains(": ")
        && !["yes", "no", "on", "off", "true", "false", "null"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word))
        && matches!(scalar::resolve(text), Value::Bytes(_))
}

/// Whether a block of lines keeps it exactly.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text
            .chars()
            .all(|c| c == '\n' || c == '\t' || is_printable(c))
        && text
            .split('\n')
            .all(|line| line.is_empty() || !line.trim().is_empty())
        && !text.trim_end_matches('\n').is_empty()
}

/// What may stand in a text as it is. Line feeds, tabs and the separators that are line breaks to
/// some may not.
fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(
            u32::from(character),
            0x2028 | 0x2029 | 0xfeff | 0xfffe | 0xffff
        )
}

/// With a point and a signed exponent, without which YAML 1.1 reads text.
fn number(float: f64) -> String {
    if float.is_nan() {
        return ".nan".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf" } else { "-.inf" }.into();
    }
    let text = format!("{float:?}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}
