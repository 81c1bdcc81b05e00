//! Filters: what Jinja2 has and the engine lacks or takes other arguments for, and Lua functions.

use assay_plugin::Func;
use minijinja::value::{Kwargs, Rest, StringInput, Value, ValueOrKwargs, from_args};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, HtmlEscape, State, filters};
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
    env.add_filter("float", float);
    env.add_filter("indent", indent);
    env.add_filter("int", int);
    env.add_filter("pluralize", more::pluralize);
    env.add_filter("replace", replace);
    env.add_filter("striptags", more::striptags);
    env.add_filter("tojson", to_json);
    env.add_filter("truncate", truncate);
    env.add_filter("urlencode", url_encode);
    env.add_filter("wordcount", more::wordcount);
    env.add_filter("wordwrap", word_wrap);
    env.add_function("cycler", |items: Rest<Value>| globals::cycler(items.0));
    env.add_function("joiner", globals::joiner);
}

/// A filter of the script's, which wins over one of the same name.
pub fn add_lua(env: &mut Environment<'_>, name: String, func: Func) {
    env.add_filter(name, move |args: Rest<ValueOrKwargs>| {
        values::call(&func, &args.into_values())
    });
}

/// The engine repeats no string to more, either.
const MAX_TEXT: usize = 100_000_000;

fn bounded(size: usize) -> Result<(), Error> {
    if size <= MAX_TEXT {
        return Ok(());
    }
    let what = format!("the text would have more than {MAX_TEXT} bytes");
    Err(Error::new(ErrorKind::InvalidOperation, what))
}

fn center(value: StringInput<'_>, width: Option<usize>) -> Result<Value, Error> {
    let width = width.unwrap_or(80);
    bounded(width)?;
    let text = value.as_str();
    let room = width.saturating_sub(text.chars().count());
    // An odd space goes where Python puts it.
    let left = room / 2 + (room & width & 1);
    Ok(value.preserve_safety(format!(
        "{}{text}{}",
        " ".repeat(left),
        " ".repeat(room - left)
    )))
}

fn force_escape(value: &Value) -> Value {
    Value::from_safe_string(HtmlEscape(&value.to_string()).to_string())
}

fn float(
    state: &State<'_, '_>,
    value: &Value,
    default: Option<Value>,
    args: Kwargs,
) -> Result<Value, Error> {
    let default = default.or((!args.has("default")).then(|| Value::from(0.0)));
    filters::float(state, value, default, args)
}

fn int(
    state: &State<'_, '_>,
    value: &Value,
    default: Option<Value>,
    base: Option<u32>,
    args: Kwargs,
) -> Result<Value, Error> {
    let default = default.or((!args.has("default")).then(|| Value::from(0)));
    filters::int(state, value, default, base, args)
}

fn indent(value: StringInput<'_>, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = by_name(args, &["width", "first", "blank"])?;
    let width = args
        .get::<Option<Value>>("width")?
        .unwrap_or(Value::from(4));
    let first = args.get::<Option<bool>>("first")?.unwrap_or(false);
    let blank = args.get::<Option<bool>>("blank")?.unwrap_or(false);
    args.assert_all_used()?;
    let indent = match width.as_str() {
        Some(text) => text.to_owned(),
        None => {
            let width = usize::try_from(width)?;
            bounded(width)?;
            " ".repeat(width)
        }
    };
    let lines = value.as_str().split('\n').count();
    bounded(indent.len().saturating_mul(lines))?;
    let mut indented = String::new();
    for (at, line) in value.as_str().split('\n').enumerate() {
        if at > 0 {
            indented.push('\n');
        }
        if (at > 0 && (blank || !line.is_empty())) || (at == 0 && first) {
            indented += &indent;
        }
        indented += line;
    }
    Ok(value.preserve_safety(indented))
}

fn replace(
    state: &mut State<'_, '_>,
    value: StringInput<'_>,
    from: StringInput<'_>,
    to: StringInput<'_>,
    count: Option<usize>,
) -> Result<Value, Error> {
    let count = count.unwrap_or(usize::MAX);
    if value.as_str().len().saturating_mul(to.as_str().len()) > MAX_TEXT {
        let found = value.as_str().matches(from.as_str()).take(count).count();
        bounded(found.saturating_mul(to.as_str().len()))?;
    }
    let safe = value.is_safe() || from.is_safe() || to.is_safe();
    if safe && *state.auto_escape() != AutoEscape::None {
        let to = to.format(state)?;
        let replaced = value.format(state)?.replacen(from.as_str(), &to, count);
        return Ok(Value::from_safe_string(replaced));
    }
    Ok(Value::from(value.as_str().replacen(
        from.as_str(),
        to.as_str(),
        count,
    )))
}

fn truncate(
    state: &mut State<'_, '_>,
    value: &Value,
    args: Rest<ValueOrKwargs>,
) -> Result<Value, Error> {
    let args = by_name(args, &["length", "killwords", "end", "leeway"])?;
    more::truncate(state, value, args)
}

fn word_wrap(value: &Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let names = [
        "width",
        "break_long_words",
        "wrapstring",
        "break_on_hyphens",
    ];
    more::wordwrap(value, by_name(args, &names)?)
}

/// Arguments by position, as Jinja2 takes them too, for a filter that wants them by name.
fn by_name(args: Rest<ValueOrKwargs>, names: &[&'static str]) -> Result<Kwargs, Error> {
    let args = args.into_values();
    let (given, named) = from_args::<(&[Value], Kwargs)>(&args)?;
    if given.len() > names.len() {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let given = names.iter().copied().zip(given.iter().cloned());
    let named = named
        .args()
        .map(|name| Ok((name, named.get::<Value>(name)?)));
    given.map(Ok).chain(named).collect()
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
