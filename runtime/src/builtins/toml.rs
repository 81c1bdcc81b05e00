//! `toml`: TOML 1.1 both ways.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};
use assay_plugin::{Error, Kind, MAX_DEPTH, Result, Value, View, family};

use super::place::{self, Refused};

family! {
    /// TOML. Dates and times become RFC 3339 text.
    name: "toml",
    functions: {
        /// Reads a document.
        fn parse = "fun(text: string): table",
        /// Writes a document, keys sorted.
        fn encode = "fun(value: table): string",
    },
}

/// What is read is made outside of the Lua heap, whose limit it would pass by.
const MAX_SIZE: usize = 8 << 20;

fn parse(text: &str) -> Result<Value> {
    if text.len() > MAX_SIZE {
        return Err(Error::new(
            "size",
            format!(
                "a text of {} bytes, where {MAX_SIZE} are the most",
                text.len()
            ),
        ));
    }
    let wrong = |offset: usize, what: &str| {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        place::in_text(
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
            what,
        )
    };
    match DeTable::parse(text) {
        Ok(document) => table(document.get_ref()).map_err(|(offset, what)| wrong(offset, &what)),
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            Err(wrong(offset, error.message()))
        }
    }
}

/// The parser bounds how deep this goes. An error has the offset where it is.
fn table(table: &DeTable<'_>) -> Result<Value, (usize, String)> {
    let pairs = table
        .iter()
        .map(|(key, item)| Ok((Value::from(&**key.get_ref()), value(item)?)));
    Ok(Value::Map(pairs.collect::<Result<_, _>>()?))
}

fn value(item: &Spanned<DeValue<'_>>) -> Result<Value, (usize, String)> {
    Ok(match item.get_ref() {
        DeValue::String(text) => Value::from(&**text),
        DeValue::Integer(int) => match i64::from_str_radix(int.as_str(), int.radix()) {
            Ok(int) => Value::Int(int),
            Err(_) => {
                let what = format!("the integer {} does not fit 64 bits", int.as_str());
                return Err((item.span().start, what));
            }
        },
        DeValue::Float(float) => match float.as_str().parse() {
            Ok(float) => Value::Float(float),
            Err(_) => {
                let what = format!("{} is no float", float.as_str());
                return Err((item.span().start, what));
            }
        },
        DeValue::Boolean(bool) => Value::Bool(*bool),
        DeValue::Datetime(datetime) => Value::from(&*datetime.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(value).collect::<Result<_, _>>()?),
        DeValue::Table(inner) => table(inner)?,
    })
}

fn encode(value: View<'_>) -> Result<String> {
    let mut out = String::new();
    let Ok(Kind::Map(_)) = value.kind() else {
        return Err(Error::argument(format!(
            "argument 1: expected a table with text keys, got {}",
            if value.type_name() == "table" {
                "a list"
            } else {
                value.type_name()
            }
        )));
    };
    match section(&mut out, value, &mut Vec::new()) {
        Ok(()) => Ok(out),
        Err(refused) => Err(refused.into_error()),
    }
}

/// A table with a header of its own: first what fits on lines, then its tables.
fn section(out: &mut String, value: View<'_>, path: &mut Vec<String>) -> Result<(), Refused> {
    if path.len() >= MAX_DEPTH {
        return Err(Refused::too_deep());
    }
    let Ok(Kind::Map(pairs)) = value.kind() else {
        return Err(Refused::value(value));
    };
    let mut sections = Vec::new();
    for (key, value) in place::sorted(pairs)? {
        if is_section(value) || is_array_of_sections(value) {
            sections.push((key, value));
            continue;
        }
        let name = key_text(&key)?;
        out.push_str(&name);
        out.push_str(" = ");
        inline(out, value, path.len()).map_err(|refused| refused.under(&key))?;
        out.push('\n');
    }
    for (key, value) in sections {
        path.push(key_text(&key)?);
        let result = match value.kind() {
            Ok(Kind::List(items)) => items.enumerate().try_for_each(|(index, item)| {
                header(out, "[[", path, "]]");
                section(out, item, path).map_err(|refused| refused.item(index + 1))
            }),
            _ => {
                header(out, "[", path, "]");
                section(out, value, path)
            }
        };
        result.map_err(|refused| refused.under(&key))?;
        path.pop();
    }
    Ok(())
}

fn header(out: &mut String, open: &str, path: &[String], close: &str) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(open);
    out.push_str(&path.join("."));
    out.push_str(close);
    out.push('\n');
}

fn is_section(value: View<'_>) -> bool {
    matches!(value.kind(), Ok(Kind::Map(_)))
}

fn is_array_of_sections(value: View<'_>) -> bool {
    match value.kind() {
        Ok(Kind::List(mut items)) => items.len() > 0 && items.all(is_section),
        _ => false,
    }
}

fn inline(out: &mut String, value: View<'_>, depth: usize) -> Result<(), Refused> {
    if depth >= MAX_DEPTH {
        return Err(Refused::too_deep());
    }
    match value.kind() {
        Ok(Kind::Bool(bool)) => out.push_str(if bool { "true" } else { "false" }),
        Ok(Kind::Int(int)) => out.push_str(&int.to_string()),
        // `inf`, `-inf` and `NaN` are TOML but for the case; Rust always writes a point or an `e`.
        Ok(Kind::Float(float)) => out.push_str(&format!("{float:?}").to_ascii_lowercase()),
        Ok(Kind::Str(_) | Kind::Buf(_)) => string(out, value.as_bytes().unwrap_or_default())?,
        Ok(Kind::List(items)) => {
            out.push('[');
            for (index, item) in items.enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                inline(out, item, depth + 1).map_err(|refused| refused.item(index + 1))?;
            }
            out.push(']');
        }
        Ok(Kind::Map(pairs)) => {
            out.push('{');
            for (index, (key, value)) in place::sorted(pairs)?.into_iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { " " });
                out.push_str(&key_text(&key)?);
                out.push_str(" = ");
                inline(out, value, depth + 1).map_err(|refused| refused.under(&key))?;
            }
            out.push_str(if out.ends_with('{') { "}" } else { " }" });
        }
        Ok(Kind::Nil | Kind::Null) => return Err(Refused::new("a null, which TOML does not have")),
        _ => return Err(Refused::value(value)),
    }
    Ok(())
}

fn key_text(key: &[u8]) -> Result<String, Refused> {
    let bare = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let mut text = String::new();
    if !key.is_empty() && key.iter().all(bare) {
        text.push_str(&String::from_utf8_lossy(key));
    } else {
        string(&mut text, key)?;
    }
    Ok(text)
}

fn string(out: &mut String, bytes: &[u8]) -> Result<(), Refused> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Refused::new("bytes that are no UTF-8 (base64.encode makes them text)"))?;
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => {
                out.push_str(&format!("\\u{:04X}", u32::from(control)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_plugin::test::Host;

    fn parse(text: &str) -> Result<Value> {
        Host::new(&FAMILY).call("parse", (text,))
    }

    fn encode(value: Value) -> Result<String> {
        Host::new(&FAMILY).call("encode", (value,))
    }

    fn map<const N: usize>(pairs: [(&str, Value); N]) -> Value {
        Value::Map(pairs.map(|(key, value)| (key.into(), value)).into())
    }

    #[test]
    fn every_type() {
        let parsed = parse(
            "s = 'x'\ni = -9_223_372_036_854_775_808\nh = 0xff\nf = 1e3\nb = true\nn = -nan\n\
             a = []\nt = {}\nl = [1, 'two', [3]]\n[x.\"y z\"]\n[[p]]\nq = 1\n[[p]]\n",
        )
        .unwrap();
        assert_eq!(parsed.get("s"), Some(&"x".into()));
        assert_eq!(parsed.get("i"), Some(&Value::Int(i64::MIN)));
        assert_eq!(parsed.get("h"), Some(&Value::Int(255)));
        assert_eq!(parsed.get("f"), Some(&Value::Float(1000.0)));
        assert_eq!(parsed.get("b"), Some(&Value::Bool(true)));
        assert!(matches!(parsed.get("n"), Some(Value::Float(nan)) if nan.is_nan()));
        assert_eq!(parsed.get("a"), Some(&Value::List(vec![])));
        assert_eq!(parsed.get("t"), Some(&Value::Map(vec![])));
        assert_eq!(
            parsed.get("x").unwrap().get("y z"),
            Some(&Value::Map(vec![]))
        );
        assert!(matches!(parsed.get("p"), Some(Value::List(tables)) if tables.len() == 2));
    }

    #[test]
    fn datetimes_are_text() {
        for (written, read) in [
            ("1979-05-27T07:32:00Z", "1979-05-27T07:32:00Z"),
            ("1979-05-27 00:32:00.5-07:00", "1979-05-27T00:32:00.5-07:00"),
            ("1979-05-27T07:32:00", "1979-05-27T07:32:00"),
            ("1979-05-27", "1979-05-27"),
            ("07:32:00", "07:32:00"),
        ] {
            let parsed = parse(&format!("d = {written}")).unwrap();
            assert_eq!(parsed.get("d"), Some(&read.into()));
        }
    }

    #[test]
    fn errors_have_a_place() {
        for (text, place) in [
            ("a = 1\nb = ", "line 2, column 5: "),
            ("a = 1\na = 2", "line 2, column 1: "),
            (
                "\"é\" = 1\n\"ü\" = 9223372036854775808",
                "line 2, column 7: the integer 9223372036854775808",
            ),
            ("a = 1\0", "line 1, column 5: "),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), "syntax");
            assert!(error.message().starts_with(place), "{text:?}: {error:?}");
        }
    }

    #[test]
    fn hostile_texts_end() {
        for text in [
            format!("a = {}", "[".repeat(100_000)),
            format!("a = {}", "{a=".repeat(100_000)),
            format!("[{}a]", "a.".repeat(100_000)),
            format!("{}a = 1", "a.".repeat(100_000)),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.message().contains("recursion"), "{error:?}");
        }
        let error = parse(&" ".repeat(MAX_SIZE + 1)).unwrap_err();
        assert_eq!(error.kind(), "size");
        let error: Error = Host::new(&FAMILY)
            .call::<Value>("parse", (&b"a = '\xff'"[..],))
            .unwrap_err();
        assert!(error.message().contains("expected UTF-8"), "{error:?}");
    }

    #[test]
    fn documents_come_back() {
        let value = map([
            ("text", "a\"\\\n\t\u{1}\u{7f}é".into()),
            ("whole", Value::Float(1.0)),
            ("huge", Value::Float(1e300)),
            ("none", Value::List(vec![])),
            (
                "mixed",
                Value::List(vec![Value::Int(1), map([("a b", Value::Bool(true))])]),
            ),
            (
                "table",
                map([("sub", map([("x", Value::Int(1))])), ("y", Value::Int(2))]),
            ),
            (
                "array",
                Value::List(vec![map([("n", Value::Int(1))]), Value::Map(vec![])]),
            ),
        ]);
        let text = encode(value.clone()).unwrap();
        let parsed = parse(&text).unwrap();
        for key in ["text", "whole", "huge", "none", "mixed", "array"] {
            assert_eq!(parsed.get(key), value.get(key), "{key} in {text}");
        }
        assert_eq!(parsed.get("table").unwrap().get("y"), Some(&Value::Int(2)));
        assert_eq!(text, encode(parsed).unwrap());
    }

    #[test]
    fn layout() {
        let value = map([
            (
                "b",
                map([("z", Value::Int(1)), ("c", map([("d", "x".into())]))]),
            ),
            ("a", Value::Int(1)),
            ("list", Value::List(vec![map([("k", Value::Int(1))])])),
        ]);
        assert_eq!(
            encode(value).unwrap(),
            "a = 1\n\n[b]\nz = 1\n\n[b.c]\nd = \"x\"\n\n[[list]]\nk = 1\n"
        );
        assert_eq!(encode(Value::Map(vec![])).unwrap(), "");
    }

    #[test]
    fn what_toml_cannot_say() {
        for (value, message) in [
            (
                map([(
                    "a",
                    map([("b", Value::List(vec![Value::Int(1), Value::Null]))]),
                )]),
                "cannot encode a null, which TOML does not have at `a.b[2]`",
            ),
            (
                map([("a", Value::Bytes(vec![0xff]))]),
                "cannot encode bytes that are no UTF-8 (base64.encode makes them text) at `a`",
            ),
            (
                Value::Map(vec![(Value::Bool(true), Value::Int(1))]),
                "cannot encode a key of type boolean",
            ),
            (
                Value::Map(vec![
                    (Value::Int(1), Value::Int(1)),
                    ("1".into(), Value::Int(1)),
                ]),
                "cannot encode the key both as a number and as text at `1`",
            ),
            (
                Value::List(vec![Value::Int(1)]),
                "argument 1: expected a table with text keys, got a list",
            ),
            (
                Value::Nil,
                "argument 1: expected a table with text keys, got nil",
            ),
        ] {
            let error = encode(value).unwrap_err();
            assert_eq!(error.message(), message);
        }
    }
}
