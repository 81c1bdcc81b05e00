//! `template.render` and `template.render_string`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use assay_plugin::{Buf, Cx, De, Error, Func, Kind, Result, View};
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, ErrorKind, Template, UndefinedBehavior};
use serde::Deserialize;

use crate::failure::Place;
use crate::files::Files;
use crate::text::{self, Sink};
use crate::{chains, filters, values};

/// Instructions of one rendering: a template does not wait, so nothing else can stop it. Seconds.
pub const MAX_STEPS: u64 = 100_000_000;

/// How often a Lua function that a template calls may render a template that calls one, and so on.
const MAX_LEVELS: u32 = 10;

/// Bytes of one result.
pub const MAX_SIZE: usize = 256 << 20;

/// What a template that is a string is called in errors.
const STRING: &str = "<string>";

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    autoescape: Option<Escape>,
    strict: bool,
    filters: BTreeMap<String, Func>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Escape {
    Html,
}

pub fn render(cx: Cx, path: &[u8], vars: View<'_>, opts: Option<De<Options>>) -> Result<Buf> {
    let path = Path::new(OsStr::from_bytes(path));
    let Some(name) = path.file_name() else {
        return Err(Error::argument(format!(
            "argument 1: expected the path of a file, got \"{}\"",
            path.display()
        )));
    };
    let files = Files::new(cx, path.parent().unwrap_or(Path::new("")));
    let name = text::from_bytes(name.as_bytes());
    let vars = variables(vars)?;
    let level = Level::enter()?;
    let mut env = environment(opts, &level);
    let loader = files.clone();
    env.set_loader(move |name| loader.load(name));
    let place = Place::Files(files);
    match env.get_template(&name) {
        Ok(template) => finish(&template, &env, vars, &place),
        Err(error) if error.kind() == ErrorKind::TemplateNotFound => Err(Error::new(
            "not_found",
            format!("cannot read {}: no such file or directory", path.display()),
        )),
        Err(error) => Err(place.explain(&error, &vars, &env)),
    }
}

pub fn render_string(template: &[u8], vars: View<'_>, opts: Option<De<Options>>) -> Result<Buf> {
    let source = text::from_bytes(template);
    chains::check(STRING, &source)?;
    let vars = variables(vars)?;
    let level = Level::enter()?;
    let env = environment(opts, &level);
    match env.template_from_named_str(STRING, &source) {
        Ok(template) => finish(&template, &env, vars, &Place::String),
        Err(error) => Err(Place::String.explain(&error, &vars, &env)),
    }
}

fn variables(vars: View<'_>) -> Result<Value> {
    let wrong = |got: &str| {
        Error::argument(format!(
            "argument 2: expected a table of variables by their names, got {got}"
        ))
    };
    match vars.kind()? {
        Kind::Nil => Ok(Value::from_pairs::<_, Value, Value>([])),
        Kind::Map(_) => values::from_lua(vars).map_err(|error| error.context("argument 2")),
        Kind::List(items) if items.len() > 0 => Err(wrong("a list")),
        Kind::List(_) => Ok(Value::from_pairs::<_, Value, Value>([])),
        _ => Err(wrong(vars.type_name())),
    }
}

/// A rendering that is under way: those inside of it share its stack.
struct Level(u32);

thread_local! {
    static UNDER_WAY: Cell<u32> = const { Cell::new(0) };
}

impl Level {
    fn enter() -> Result<Self> {
        let level = UNDER_WAY.get();
        if level == MAX_LEVELS {
            let what =
                format!("more than {MAX_LEVELS} templates that are rendered inside of each other");
            return Err(Error::new("template", what).hint(
                "a Lua function that the template calls renders the next one: render that before",
            ));
        }
        UNDER_WAY.set(level + 1);
        Ok(Self(level))
    }

    /// What the engine counts macros (4) and includes (10) with. All levels together take twice what the
    /// first may, or little more.
    fn recursion_limit(&self) -> usize {
        (500 >> self.0).max(20)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        UNDER_WAY.set(self.0);
    }
}

fn environment<'a>(opts: Option<De<Options>>, level: &Level) -> Environment<'a> {
    let De(opts) = opts.unwrap_or(De(Options::default()));
    let mut env = Environment::new();
    // What was undefined, and the line on which it stands.
    env.set_debug(true);
    env.set_fuel(Some(MAX_STEPS));
    env.set_recursion_limit(level.recursion_limit());
    let escape = match opts.autoescape {
        Some(Escape::Html) => AutoEscape::Html,
        // Whatever the file is called: most of what jobs render is no HTML.
        None => AutoEscape::None,
    };
    env.set_auto_escape_callback(move |_| escape.clone());
    if opts.strict {
        env.set_undefined_behavior(UndefinedBehavior::Strict);
    }
    filters::add(&mut env);
    for (name, func) in opts.filters {
        filters::add_lua(&mut env, name, func);
    }
    env
}

fn finish(
    template: &Template<'_, '_>,
    env: &Environment<'_>,
    vars: Value,
    place: &Place,
) -> Result<Buf> {
    let mut sink = Sink {
        bytes: Vec::new(),
        limit: MAX_SIZE,
    };
    template
        .render_captured_to(vars.clone(), &mut sink)
        .map_err(|error| place.explain(&error, &vars, env))?;
    Ok(Buf::new(sink.bytes))
}
