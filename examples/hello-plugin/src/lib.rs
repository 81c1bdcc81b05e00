//! The `hello` family: the plugin of docs/writing-plugins.md.

use assay_plugin::{De, Error, Result, plugin};

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    times: Option<u32>,
}

fn greet(name: &str, options: Option<De<Options>>) -> Result<String> {
    if name.is_empty() {
        return Err(Error::argument("the name is empty").hint("pass somebody's name"));
    }
    let times = options.and_then(|De(options)| options.times).unwrap_or(1);
    Ok(vec![format!("hello {name}"); times.min(100) as usize].join(", "))
}

plugin! {
    /// Says hello.
    name: "hello",
    functions: {
        /// Greets somebody, several times if asked to.
        fn greet = "fun(name: string, options?: { times?: integer }): string",
    },
}
