//! `yaml`: YAML 1.2 both ways.

mod encode;
mod parse;
mod scalar;

use assay_plugin::{De, Error, Result, Value, View, family};
use serde::Deserialize;

family! {
    /// YAML 1.2: `yes` and `on` are text, as are numbers with leading zeros and integers beyond 64
    /// bits. Merge keys are applied, unknown tags passed over, and keys keep their text.
    name: "yaml",
    functions: {
        /// Reads the one document of a text.
        fn parse = "fun(text: string, opts?: yaml.ParseOptions): any",
        /// Reads all documents of a text that are not empty.
        fn parse_all = "fun(text: string, opts?: yaml.ParseOptions): any[]",
        /// Writes a document, keys sorted. What others could read as a number or bool is quoted.
        fn encode = "fun(value: any): string",
    },
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ParseOptions {
    /// Keeps nulls as `json.null`.
    null: bool,
}

fn parse(text: &str, opts: Option<De<ParseOptions>>) -> Result<Value> {
    let mut documents = parse_all(text, opts)?;
    match documents.len() {
        0 => Ok(Value::Nil),
        1 => Ok(documents.remove(0)),
        more => Err(
            Error::new("syntax", format!("expected one document, got {more}"))
                .hint("yaml.parse_all reads them all"),
        ),
    }
}

fn parse_all(text: &str, opts: Option<De<ParseOptions>>) -> Result<Vec<Value>> {
    let keep_null = opts.is_some_and(|De(opts)| opts.null);
    parse::documents(text, keep_null)
}

fn encode(value: View<'_>) -> Result<String> {
    encode::document(value)
}

pub(crate) use parse::{Branch, Place, Tree};
pub(crate) use scalar::resolve;

/// The one document of a text, with the places of its nodes; none when there is nothing in it.
pub(crate) fn tree(text: &str) -> Result<Option<Tree>> {
    let mut documents = parse::trees(text)?;
    match documents.len() {
        0 | 1 => Ok(documents.pop()),
        more => Err(Error::new(
            "syntax",
            format!("expected one document, got {more}"),
        )),
    }
}

#[cfg(test)]
mod tests;
