//! Routes and the paths that are looked up in them.

#![no_main]

use assay_fuzz::with_view;
use assay_plugin::{Func, Value};
use libfuzzer_sys::fuzz_target;

thread_local!(static HANDLER: (assay::Vm, Func) = {
    let vm = assay::Vm::new(assay::Config::default()).expect("a VM");
    let handler = vm.load("=handler", b"return nil").expect("Lua");
    (vm, handler)
});

fuzz_target!(|input: (Vec<(bool, String)>, Vec<String>)| {
    let (routes, paths) = input;
    let of = |method: bool| {
        let routes = routes.iter().filter(|(which, _)| *which == method);
        let handler = HANDLER.with(|(_, handler)| handler.clone());
        Value::Map(
            routes
                .map(|(_, path)| {
                    (
                        Value::from(format!("/{path}").as_str()),
                        Value::Func(handler.clone()),
                    )
                })
                .collect(),
        )
    };
    let table = Value::Map(vec![("GET".into(), of(true)), ("*".into(), of(false))]);
    let paths: Vec<_> = paths.iter().map(|path| format!("/{path}")).collect();
    let looked_up = with_view(&table, |routes| assay_http::fuzzing::router(routes, &paths));
    drop(looked_up.expect("a flat table"));
});
