//! The `template` family: Jinja2 templates.
//!
//! Not here: an engine (minijinja is it), and a cache of templates: each call reads and compiles.
//!
//! # Layout
//! - `render`: `template.render`, `template.render_string`, their options, the engine's set-up.
//! - `files`: what `include`, `import` and `extends` read, and from where.
//! - `values`: between Lua values and the engine's. `text`: strings that are not UTF-8 on their way.
//! - `filters`: filters that Jinja2 has and the engine lacks, and Lua functions as filters.
//! - `chains`: sources that would overflow the stack. `failure`: what went wrong, in which template, on which line.
//!
//! # Example
//! ```
//! let host = assay_plugin::test::Host::new(&assay_template::ASSAY_PLUGIN);
//! let vars = assay_plugin::Value::Map(vec![("name".into(), "you".into())]);
//! let text: String = host.call("render_string", ("hello {{ name }}", vars)).unwrap();
//! assert_eq!(text, "hello you");
//! ```

mod chains;
mod failure;
mod files;
mod filters;
mod render;
mod text;
mod values;

use assay_plugin::plugin;
use render::{render, render_string};

plugin! {
    /// Jinja2 templates.
    name: "template",
    permissions: ["fs.read"],
    types: include_str!("../types/template.lua"),
    functions: {
        /// Renders a template file.
        ///
        /// `include`, `import` and `extends` name files from the file's folder on; they cannot leave it.
        fn render = "fun(path: string, vars?: table<string, any>, opts?: template.Options): string",
        /// Renders a template that is a string. It can neither include nor extend files.
        fn render_string = "fun(template: string, vars?: table<string, any>, opts?: template.Options): string",
    },
}
