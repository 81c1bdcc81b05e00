//! Filters: what Jinja2 has and the engine lacks, and Lua functions.

use assay_plugin::Func;
use minijinja::value::{Kwargs, Rest, StringInput, Value, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, HtmlEscape, filters};
use minijinja_contrib::{filters as more, globals, pycompat};

use crate::{text, values};

/// The filters of every template, for did-you-mean.
#[rustfmt::skip]
pub const NAMES: [&str; 56] = [
    "abs", "attr", "batch", "bool", "capitalize", "center", "chain", "count", "d", "default", "dictsort", "e",
    "escape", "filesizeformat", "first", "float", "forceescape", "format", "groupby", "indent", "int", "items",
    "join", "last", "length", "lines", "list", "lower", "map", "max", "min", "pluralize", "pprint", "reject",
    "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "slice", "sort", "split",
    "string", "striptags", "sum", "title", "tojson", "trim", "truncate", "unique", "upper", "urlencode",
    "wordcount", "wordwrap",
];

/// The tests of every template, for did-you-mean.
#[rustfmt::skip]
pub const TESTS: [&str; 36] = [
    "boolean", "defined", "divisibleby", "endingwith", "eq", "equalto", "escaped", "even", "false", "filter",
    "float", "ge", "greaterthan", "gt", "in", "int", "integer", "iterable", "le", "lessthan", "lower", "lt",
    "mapping", "ne", "none", "number", "odd", "safe", "sameas", "sequence", "startingwith", "string", "test",
    "true", "undefined", "upper",
];

pub fn add(env: &mut Environment<'_>) {
    env.set_unknown_method_callback(pycompat::unknown_method_callback);
    env.add_filter("center", center);
    env.add_filter("filesizeformat", more::filesizeformat);
    env.add_filter("forceescape", force_escape);
    env.add_filter("pluralize", more::pluralize);
    env.add_filter("striptags", more::striptags);
    env.add_filter("tojson", to_json);
    env.add_filter("truncate", more::truncate);
    env.add_filter("urlencode", url_encode);
    env.add_filter("wordcount", more::wordcount);
    env.add_filter("wordwrap", more::wordwrap);
    env.add_function("cycler", globals::cycler);
    env.add_function("joiner", globals::joiner);
}

/// A filter of the script's, which wins over one of the same name.
pub fn add_lua(env: &mut Environment<'_>, name: String, func: Func) {
    env.add_filter(name, move |args: Rest<ValueOrKwargs>| {
        values::call(&func, &args.into_values())
    });
}

fn center(value: StringInput<'_>, width: Option<usize>) -> Value {
    let width = width.unwrap_or(80);
    let text = value.as_str();
    let room = width.saturating_sub(text.chars().count());
    // An odd space goes where Python puts it.
    let left = room / 2 + (room & width & 1);
    value.preserve_safety(format!(
        "{}{text}{}",
        " ".repeat(left),
        " ".repeat(room - left)
    ))
}

fn force_escape(value: &Value) -> Value {
    Value::from_safe_string(HtmlEscape(&value.to_string()).to_string())
}

fn to_json(value: &Value, indent: Option<Value>, args: Kwargs) -> Result<Value, Error> {
    let json = filters::tojson(value, indent, args)?;
    unless_bytes(json.as_str().unwrap_or_default(), "JSON")?;
    Ok(json)
}

fn url_encode(value: &Value) -> Result<String, Error> {
    unless_bytes(&value.to_string(), "a URL")?;
    filters::urlencode(value)
}

fn unless_bytes(text: &str, what: &str) -> Result<(), Error> {
    if text::has_private(text) {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("bytes that are not UTF-8 cannot be part of {what}"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_there_are() {
        let mut env = Environment::new();
        add(&mut env);
        for (names, test) in [(&NAMES[..], "filter"), (&TESTS[..], "test")] {
            for name in names {
                let source = format!("{{{{ '{name}' is {test} }}}}");
                assert_eq!(
                    env.render_str(&source, ()).unwrap(),
                    "True",
                    "{test} {name}"
                );
            }
        }
    }
}
