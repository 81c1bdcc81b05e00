//! docs/checks.schema.json, for editors: made from the keys that files are read by.

use std::path::Path;

use super::keys::described;
use super::text::quoted;

/// A key as the schema has it.
pub struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub doc: &'static str,
}

/// What a key's value may be.
pub enum Shape {
    Required(&'static Shape),
    OneOrMore(&'static Shape),
    Map(&'static [Key]),
    /// With one of its keys.
    OneOf(&'static [Key]),
    Word(&'static [&'static str]),
    Text,
    Url,
    Method,
    Texts,
    Headers,
    Anything,
    Bool,
    Number,
    Count,
    Duration,
    Jitter,
    Backoff,
    Parallel,
    Status,
    Matchers,
    HeaderMatchers,
    Checks,
}

const VARIABLE: &str = r#"{"type":"string","pattern":"\\$\\{"}"#;
const SCALAR: &str = r#"{"type":["string","number","boolean"]}"#;

/// Something that is no text, or a variable that stands for it.
fn or_variable(schema: &str) -> String {
    format!(r#"{{"anyOf":[{schema},{VARIABLE}]}}"#)
}

fn one_or_more(schema: &str) -> String {
    format!(r#"{{"anyOf":[{schema},{{"type":"array","minItems":1,"items":{schema}}}]}}"#)
}

fn matcher() -> String {
    format!(
        r#"{{"anyOf":[{{"type":"string"}},{}]}}"#,
        Shape::OneOf(described::MATCHER).schema()
    )
}

impl Shape {
    fn schema(&self) -> String {
        match self {
            Self::Required(shape) => shape.schema(),
            Self::OneOrMore(shape) => one_or_more(&shape.schema()),
            Self::Map(keys) => object(keys, ""),
            Self::OneOf(keys) => object(keys, r#","minProperties":1,"maxProperties":1"#),
            Self::Word(words) => format!(
                r#"{{"enum":[{}]}}"#,
                words
                    .iter()
                    .map(|word| quoted(word))
                    .collect::<Vec<_>>()
                    .join(",")
            ),
            Self::Text => r#"{"type":"string"}"#.into(),
            Self::Url => r#"{"type":"string","pattern":"^https?://[^/:?#]|^\\$\\{"}"#.into(),
            Self::Method => r#"{"type":"string","pattern":"^[A-Za-z]+$|\\$\\{"}"#.into(),
            Self::Texts => format!(r#"{{"type":"object","additionalProperties":{SCALAR}}}"#),
            Self::Headers => format!(
                r#"{{"type":"object","additionalProperties":{{"anyOf":[{SCALAR},{{"type":"array","items":{SCALAR}}}]}}}}"#
            ),
            Self::Anything => r#"{"type":["string","object","array"]}"#.into(),
            Self::Bool => or_variable(r#"{"type":"boolean"}"#),
            Self::Number => or_variable(r#"{"type":"number"}"#),
            Self::Count => or_variable(r#"{"type":"integer","minimum":0,"maximum":1000000}"#),
            Self::Duration => {
                r#"{"type":"string","pattern":"^[0-9][0-9.]*(ms|s|m|h)$|\\$\\{"}"#.into()
            }
            Self::Jitter => or_variable(
                r#"{"anyOf":[{"type":"boolean"},{"type":"number","minimum":0,"maximum":1}]}"#,
            ),
            Self::Backoff => format!(
                r#"{{"anyOf":[{},{},{}]}}"#,
                Self::Duration.schema(),
                Self::Word(&["linear", "exponential"]).schema(),
                Self::Map(described::BACKOFF).schema()
            ),
            Self::Parallel => or_variable(
                r#"{"anyOf":[{"type":"boolean"},{"type":"integer","minimum":1,"maximum":10000}]}"#,
            ),
            Self::Status => one_or_more(
                r#"{"anyOf":[{"type":"integer","minimum":100,"maximum":599},{"type":"string","pattern":"^[1-5][xX][xX]$|\\$\\{"}]}"#,
            ),
            Self::Matchers => one_or_more(&matcher()),
            Self::HeaderMatchers => format!(
                r#"{{"type":"object","additionalProperties":{}}}"#,
                one_or_more(&matcher())
            ),
            Self::Checks => {
                let types = [
                    ("http", described::HTTP),
                    ("prometheus", described::PROMETHEUS),
                    ("script", described::SCRIPT),
                ];
                let types = types.map(|(name, own)| check(name, own));
                format!(
                    r#"{{"type":"array","minItems":1,"items":{{"anyOf":[{}]}}}}"#,
                    types.join(",")
                )
            }
        }
    }
}

fn properties<'k>(keys: impl IntoIterator<Item = &'k Key>) -> (Vec<String>, Vec<String>) {
    let (mut properties, mut required) = (Vec::new(), Vec::new());
    for key in keys {
        let schema = key.shape.schema();
        let doc = quoted(key.doc.trim());
        properties.push(format!(
            r#"{}:{{"description":{doc},{}"#,
            quoted(key.name),
            &schema[1..]
        ));
        if let Shape::Required(_) = key.shape {
            required.push(quoted(key.name));
        }
    }
    (properties, required)
}

fn object(keys: &[Key], more: &str) -> String {
    let (properties, required) = properties(keys);
    format!(
        r#"{{"type":"object","additionalProperties":false,"properties":{{{}}},"required":[{}]{more}}}"#,
        properties.join(","),
        required.join(",")
    )
}

/// A check of one type.
fn check(kind: &str, own: &[Key]) -> String {
    let (mut properties, required) = properties(described::CHECK.iter().chain(own));
    for property in &mut properties {
        if property.starts_with("\"type\":") {
            *property = format!(r#""type":{{"const":"{kind}"}}"#);
        }
    }
    format!(
        r#"{{"title":"{kind}","type":"object","additionalProperties":false,"properties":{{{}}},"required":[{}]}}"#,
        properties.join(","),
        required.join(",")
    )
}

fn schema() -> String {
    let file = object(described::FILE, "");
    let compact = format!(
        r#"{{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"Checks of Assay",{}"#,
        &file[1..]
    );
    // Our own JSON lays it out.
    let source = format!("return json.encode(json.parse([==[{compact}]==]), {{pretty = true}})");
    let runtime = crate::EventLoop::new().unwrap();
    let vm = crate::Vm::new(crate::Config::default()).unwrap();
    let value = runtime
        .block_on(vm.eval("=schema", source.as_bytes()))
        .unwrap();
    format!("{}\n", value.as_str().unwrap())
}

#[test]
fn the_schema_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/checks.schema.json");
    let wanted = schema();
    if std::env::var_os("UPDATE").is_some() {
        fs_err::write(&path, &wanted).unwrap();
    }
    let found = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/checks.schema.json is out of date: run `UPDATE=1 cargo test -p assay schema`"
    );
}
