//! Holds LuaCATS stubs to what is registered.

use std::collections::{BTreeMap, BTreeSet};

use crate::abi::{self, FnDesc, PluginDecl, Str};

/// Holds LuaCATS stubs to a family: the same functions and methods, both ways, with the same
/// parameters and results; `---@overload` for `__call`; text for each; and where a function is async,
/// its text says that it *waits*.
///
/// `plugin!` calls it in a unit test when it is given `types:`.
///
/// # Panics
/// With a line for each difference.
pub fn check_types(plugin: &'static PluginDecl, stubs: &str) {
    // SAFETY: names are statics.
    let family = unsafe { plugin.name.text() };
    let wrong = differences(&registered(plugin), &read(family, stubs));
    assert!(
        wrong.is_empty(),
        "the types of `{family}` and what is registered differ:\n{}",
        wrong.join("\n")
    );
}

/// A family, by the names of its functions (`http.get`, `http.Client.get`).
#[derive(Default)]
struct Family {
    functions: BTreeMap<String, Function>,
    classes: BTreeSet<String>,
    /// `fun(...)` of what can be called, by its class (or the family).
    calls: BTreeSet<(String, String)>,
}

#[derive(Default)]
struct Function {
    /// As `name?: type`.
    params: Vec<String>,
    returns: Vec<String>,
    is_async: bool,
    doc: String,
}

fn registered(plugin: &'static PluginDecl) -> Family {
    let mut out = Family::default();
    // SAFETY: the plugin's static lists and texts.
    unsafe {
        let family = plugin.name.text();
        let list = |at: *const FnDesc, len: u32| match len {
            0 => &[][..],
            len => std::slice::from_raw_parts(at, len as usize),
        };
        let functions = list(plugin.fns, plugin.nfns).iter();
        for desc in functions.filter(|desc| desc.flags & abi::flag::VALUE == 0) {
            out.add(family, desc.name, desc);
        }
        for at in 0..plugin.nclasses as usize {
            let class = &**plugin.classes.add(at);
            out.classes.insert(class.type_name.text().to_owned());
            for desc in list(class.methods, class.nmethods) {
                out.add(class.type_name.text(), desc.name, desc);
            }
        }
    }
    out
}

impl Family {
    fn add(&mut self, owner: &str, name: Str, desc: &'static FnDesc) {
        // SAFETY: statics.
        let (name, sig) = unsafe { (name.text(), desc.sig.text()) };
        let (mut params, returns) = signature(sig);
        params.retain(|param| param.split([':', '?']).next() != Some("self"));
        if name == "__call" {
            let call = shown(&params, &returns);
            self.calls.insert((owner.to_owned(), call));
        } else if !name.starts_with("__") {
            let function = Function {
                params,
                returns,
                is_async: desc.flags & abi::flag::ASYNC != 0,
                doc: String::new(),
            };
            self.functions.insert(format!("{owner}.{name}"), function);
        }
    }
}

fn shown(params: &[String], returns: &[String]) -> String {
    let returns = match returns {
        [] => String::new(),
        some => format!(": {}", some.join(", ")),
    };
    format!("fun({}){returns}", params.join(", "))
}

/// `fun(name?: type, ...): type, type`: parameters and results.
fn signature(sig: &str) -> (Vec<String>, Vec<String>) {
    let inside = sig.strip_prefix("fun(").unwrap_or_default();
    let mut parts = split(inside, ')');
    let end = parts.next().unwrap_or_default();
    let rest = inside.get(end.len() + 1..).unwrap_or_default();
    let list = |text: &str| {
        split(text, ',')
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect()
    };
    (list(end), list(rest.trim_start_matches([':', ' '])))
}

/// Splits where no bracket or quote is open.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut depth, mut is_quoted) = (0i32, false);
    text.split(move |c: char| {
        if is_quoted || c == '"' {
            is_quoted ^= c == '"';
            return false;
        }
        let is_end = c == separator && depth == 0;
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' | '>' if !is_end => depth -= 1,
            _ => {}
        }
        is_end
    })
}

fn read(family: &str, stubs: &str) -> Family {
    let mut out = Family::default();
    let mut class = String::new();
    let mut locals = BTreeMap::from([(family.to_owned(), family.to_owned())]);
    let (mut tags, mut doc) = (Vec::new(), String::new());
    for line in stubs.lines().chain([""]) {
        if let Some(text) = line.strip_prefix("---") {
            match text.strip_prefix('@') {
                Some(tag) => tags.push(tag),
                None => doc = format!("{doc}{text}\n"),
            }
            continue;
        }
        // An overload of a function is in the block of no class.
        if let Some(name) = tagged(&tags, "class ").next() {
            let name = name.trim_start_matches("(exact) ");
            name.split([':', ' '])
                .next()
                .unwrap_or_default()
                .clone_into(&mut class);
            out.classes.insert(class.clone());
            for call in tagged(&tags, "overload ") {
                let (params, returns) = signature(call);
                out.calls.insert((class.clone(), shown(&params, &returns)));
            }
        }
        if let Some(name) = line.strip_suffix(" = {}") {
            let name = name.trim_start_matches("local ");
            locals.insert(name.to_owned(), class.clone());
        } else if let Some((name, params)) = line
            .strip_prefix("function ")
            .and_then(|rest| rest.strip_suffix(") end")?.split_once('('))
        {
            let function = Function {
                params: split(params, ',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                    .map(|name| param(name, &tags))
                    .collect(),
                returns: tagged(&tags, "return ")
                    .map(|text| typed(text).to_owned())
                    .collect(),
                is_async: false,
                doc: std::mem::take(&mut doc),
            };
            match name.split_once([':', '.']) {
                Some((owner, name)) => {
                    let owner = locals.get(owner).map_or(owner, String::as_str);
                    out.functions.insert(format!("{owner}.{name}"), function);
                }
                None => {
                    let call = shown(&function.params, &function.returns);
                    out.calls.insert((name.to_owned(), call));
                }
            }
        }
        tags.clear();
        doc.clear();
    }
    out
}

fn tagged<'a>(tags: &'a [&str], tag: &'a str) -> impl Iterator<Item = &'a str> {
    tags.iter().filter_map(move |text| text.strip_prefix(tag))
}

/// A parameter as a signature has it.
fn param(name: &str, tags: &[&str]) -> String {
    let documented = tagged(tags, "param ").find_map(|text| {
        let (found, rest) = text.split_once(' ')?;
        (found.trim_end_matches('?') == name).then(|| format!("{found}: {}", typed(rest)))
    });
    documented.unwrap_or_else(|| name.to_owned())
}

/// The type that a text begins with. What follows is its description.
fn typed(text: &str) -> &str {
    let mut from = 0;
    loop {
        let rest = &text[from..];
        let Some(end) = split(rest, ' ').next().map(str::len) else {
            return text;
        };
        let end = from + end;
        // `fun(): string` goes on behind its colon.
        if text[..end].ends_with(':') && end < text.len() {
            from = end + 1;
            continue;
        }
        return &text[..end];
    }
}

fn differences(registered: &Family, stubs: &Family) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, function) in &registered.functions {
        let Some(stub) = stubs.functions.get(name) else {
            wrong.push(format!("{name} is registered and has no stub"));
            continue;
        };
        if (&function.params, &function.returns) != (&stub.params, &stub.returns) {
            wrong.push(format!(
                "{name} is registered as `{}`, its stub says `{}`",
                shown(&function.params, &function.returns),
                shown(&stub.params, &stub.returns)
            ));
        }
        let says = stub
            .doc
            .split(|c: char| !c.is_alphabetic())
            .any(|word| matches!(word, "Waits" | "waits"));
        match (stub.doc.trim(), function.is_async, says) {
            ("", ..) => wrong.push(format!("the stub of {name} has no text")),
            (_, true, false) => wrong.push(format!(
                "{name} is async, and its stub does not say that it waits"
            )),
            (_, false, true) => wrong.push(format!(
                "the stub of {name} says that it waits, but it is not async"
            )),
            _ => {}
        }
    }
    for name in stubs
        .functions
        .keys()
        .filter(|name| !registered.functions.contains_key(*name))
    {
        wrong.push(format!("{name} has a stub and is not registered"));
    }
    for class in registered.classes.difference(&stubs.classes) {
        wrong.push(format!("{class} is registered and has no `---@class`"));
    }
    for (owner, call) in registered.calls.difference(&stubs.calls) {
        wrong.push(format!(
            "{owner} is callable and has no `---@overload {call}`"
        ));
    }
    for (owner, call) in stubs.calls.difference(&registered.calls) {
        wrong.push(format!(
            "{owner} has `---@overload {call}`, which is not registered"
        ));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    mod family {
        use crate::{Ref, family, object};

        pub struct Thing;

        impl Thing {
            fn poke(_this: Ref<Thing>, _times: Option<i64>) {}
            fn __call(_this: Ref<Thing>, _text: String) -> Option<String> {
                None
            }
        }

        object! {
            Thing as "demo.Thing" {
                fn poke = "fun(self: demo.Thing, times?: integer)",
                fn __call = "fun(self: demo.Thing, text: string): string?",
            }
        }

        fn make(_f: crate::Func, _options: crate::Value) -> String {
            String::new()
        }
        async fn fetch(_url: String) {}
        fn __call(_n: f64) {}

        family! {
            name: "demo",
            functions: {
                fn make = "fun(fn: fun(a: string, b?: {x: integer, y: table<string, any>}): string, options?: table): string, integer",
                async fn fetch = "fun(url: string)",
                fn __call = "fun(n: number)",
            },
            classes: [Thing],
        }
    }

    const STUBS: &str = r#"---@meta

---@class demo
---@overload fun(n: number)
demo = {}

---@class demo.Thing
---@overload fun(text: string): string?
local Thing = {}

---Pokes it.
---@param times? integer how often
function Thing:poke(times) end

---Makes one.
---@param fn fun(a: string, b?: {x: integer, y: table<string, any>}): string called at once
---@param options? table all "kinds" of
---@return string name of it
---@return integer
function demo.make(fn, options) end

---Fetches, and waits for the end.
---@param url string
---@overload fun(): string
function demo.fetch(url) end"#;

    fn check(stubs: &str) -> Vec<String> {
        differences(&registered(&family::FAMILY), &read("demo", stubs))
    }

    #[test]
    fn stubs_that_say_what_is_registered() {
        assert_eq!(check(STUBS), Vec::<String>::new());
        check_types(&family::FAMILY, STUBS);
    }

    #[test]
    fn each_difference_is_found() {
        for (from, to, wanted) in [
            (
                "Thing:poke(times)",
                "Thing:prod(times)",
                "demo.Thing.poke is registered and has no stub",
            ),
            (
                "Thing:poke(times)",
                "Thing:prod(times)",
                "demo.Thing.prod has a stub and is not registered",
            ),
            (
                "times? integer",
                "times integer",
                "demo.Thing.poke is registered as `fun(times?: integer)`, its stub says `fun(times: integer)`",
            ),
            (
                "@param times?",
                "@param time?",
                "its stub says `fun(times)`",
            ),
            (
                "fetch(url)",
                "fetch(url, more)",
                "its stub says `fun(url: string, more)`",
            ),
            (
                "y: table<string, any>}",
                "y: table<string, string>}",
                "demo.make is registered as",
            ),
            (
                "---@return integer\n",
                "",
                "its stub says `fun(fn: fun(a: string, b?: {x: integer, y: table<string, any>}): string, options?: table): string`",
            ),
            (
                "Fetches, and waits for",
                "Fetches, then is at",
                "demo.fetch is async, and its stub does not say that it waits",
            ),
            (
                "Makes one.",
                "Waits.",
                "the stub of demo.make says that it waits, but it is not async",
            ),
            (
                "---Pokes it.\n",
                "",
                "the stub of demo.Thing.poke has no text",
            ),
            (
                "@class demo.Thing",
                "@class demo.Thin",
                "demo.Thing is registered and has no `---@class`",
            ),
            (
                "(n: number)",
                "(n: integer)",
                "demo is callable and has no `---@overload fun(n: number)`",
            ),
            (
                "(n: number)",
                "(n: integer)",
                "demo has `---@overload fun(n: integer)`, which is not registered",
            ),
        ] {
            let stubs = STUBS.replacen(from, to, 1);
            assert_ne!(stubs, STUBS, "{from}");
            let wrong = check(&stubs);
            assert!(
                wrong.iter().any(|line| line.contains(wanted)),
                "{wanted}: {wrong:#?}"
            );
        }
    }
}
