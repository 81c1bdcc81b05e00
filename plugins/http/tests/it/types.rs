//! `types/http.lua` and what is registered: the same functions and methods with the same parameters.

use std::collections::BTreeSet;

use assay_plugin::abi::{FnDesc, ObjVt};

type Signature = (String, Vec<String>);

/// `name` of the class or family, and the parameters without `self`.
fn registered(owner: &str, functions: &[FnDesc]) -> BTreeSet<Signature> {
    let mut all = BTreeSet::new();
    for function in functions {
        // SAFETY: the plugin's statics.
        #[allow(unsafe_code)]
        let (name, sig) = unsafe { (function.name.text(), function.sig.text()) };
        // Metamethods are overloads and `<close>` in the stubs.
        if name.starts_with("__") {
            continue;
        }
        let (parameters, _) = sig["fun(".len()..].split_once(')').unwrap();
        let names = parameters.split(", ").filter_map(|parameter| {
            let name = parameter.split(':').next()?.trim_end_matches('?');
            (!name.is_empty() && name != "self").then(|| name.to_owned())
        });
        all.insert((format!("{owner}.{name}"), names.collect()));
    }
    all
}

fn stubs(text: &str) -> BTreeSet<Signature> {
    let functions = text.lines().filter_map(|line| {
        line.strip_prefix("function ")?
            .strip_suffix(") end")?
            .split_once('(')
    });
    functions
        .map(|(name, parameters)| {
            let parameters = parameters.split(", ").filter(|name| !name.is_empty());
            let name = match name.split_once(':') {
                Some((class, method)) => format!("http.{class}.{method}"),
                None => name.to_owned(),
            };
            (name, parameters.map(Into::into).collect())
        })
        .collect()
}

#[test]
fn types_are_what_is_registered() {
    let plugin = &assay_http::ASSAY_PLUGIN;
    // SAFETY: the plugin's statics.
    #[allow(unsafe_code)]
    let (functions, classes): (_, Vec<&ObjVt>) = unsafe {
        let classes = std::slice::from_raw_parts(plugin.classes, plugin.nclasses as usize);
        (
            std::slice::from_raw_parts(plugin.fns, plugin.nfns as usize),
            classes.iter().map(|class| &**class).collect(),
        )
    };
    let mut known = registered("http", functions);
    let text = include_str!("../../types/http.lua");
    for class in classes {
        // SAFETY: as above.
        #[allow(unsafe_code)]
        let (name, methods) = unsafe {
            let methods = std::slice::from_raw_parts(class.methods, class.nmethods as usize);
            (class.type_name.text(), methods)
        };
        assert!(text.contains(&format!("---@class {name}\n")), "{name}");
        known.extend(registered(name, methods));
    }
    assert_eq!(stubs(text), known);
}
