//! The family as scripts call it, through the kit's host. Filters, which need Lua, are tested by
//! `tests/lua/template`, the language against Jinja2 by `tests/tests/jinja2.rs`.

#![expect(clippy::disallowed_methods, reason = "a failure names the line")]

use std::fs;
use std::path::Path;

use assay_plugin::test::Host;
use assay_plugin::{Error, Result, Value};
use tempfile::TempDir;

fn host() -> Host {
    Host::new(&assay_template::ASSAY_PLUGIN)
}

/// A table from pairs.
fn table<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(pairs.into_iter().map(|(k, v)| (k.into(), v)).collect())
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

fn render_string(template: &[u8], vars: Value, opts: Value) -> Result<Vec<u8>> {
    host().call("render_string", (bytes(template), vars, opts))
}

fn text(template: &str, vars: Value) -> String {
    let rendered = render_string(template.as_bytes(), vars, Value::Nil);
    String::from_utf8(rendered.unwrap_or_else(|error| panic!("{template}: {error:?}"))).unwrap()
}

fn fails(template: &str, vars: Value, opts: Value) -> Error {
    match render_string(template.as_bytes(), vars, opts) {
        Ok(rendered) => panic!("{template}: no error, but {rendered:?}"),
        Err(error) => error,
    }
}

fn strict() -> Value {
    table([("strict", Value::Bool(true))])
}

/// A folder with files, by their paths in it.
fn folder<const N: usize>(files: [(&str, &str); N]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, source) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, source).unwrap();
    }
    folder
}

fn render(path: &Path) -> Result<String> {
    host().call(
        "render",
        (path.to_str().unwrap(), table([("x", Value::Int(1))])),
    )
}

#[test]
fn values_are_pythons() {
    let vars = table([
        ("int", Value::Int(i64::MIN)),
        ("float", Value::Float(3.0)),
        ("yes", Value::Bool(true)),
        ("null", Value::Null),
        (
            "list",
            Value::List(vec![Value::Int(1), "two".into(), Value::Null]),
        ),
        ("empty", Value::Map(Vec::new())),
        ("nothing", Value::List(Vec::new())),
    ]);
    assert_eq!(
        text(
            "{{ int }} {{ float }} {{ yes }} {{ null }} {{ list }} {{ empty }} {{ nothing }} {{ missing }}.",
            vars
        ),
        "-9223372036854775808 3.0 True None [1, 'two', None] {} [] ."
    );
    assert_eq!(
        text("{{ 9007199254740993 + x }}", table([("x", Value::Int(0))])),
        "9007199254740993"
    );
}

#[test]
fn maps_are_in_the_order_of_their_keys() {
    let map = Value::Map(vec![
        ("b".into(), Value::Int(1)),
        (Value::Int(10), Value::Int(2)),
        ("a".into(), Value::Int(3)),
        (Value::Int(9), Value::Int(4)),
    ]);
    assert_eq!(
        text(
            "{% for k, v in m.items() %}{{ k }}={{ v }} {% endfor %}{{ m[10] }}",
            table([("m", map)])
        ),
        "9=4 10=2 a=3 b=1 2"
    );
}

#[test]
fn bytes_that_are_not_utf_8_survive() {
    let odd = b"\xff\x00gr\xc3\xbcn\xf4\x8f\xbe\x80\x80";
    let rendered = render_string(
        b"<\xfe{{ v }}>{{ v|length }}{{ v|upper }}",
        table([("v", bytes(odd))]),
        Value::Nil,
    );
    let expected = [
        &b"<\xfe"[..],
        odd,
        // 0xff, 0, g, r, \u{fc}, n, the private character byte by byte, 0x80
        b">11",
        b"\xff\x00GR\xc3\x9cN\xf4\x8f\xbe\x80\x80",
    ]
    .concat();
    assert_eq!(rendered.unwrap(), expected);

    let error = fails("{{ v|tojson }}", table([("v", bytes(odd))]), Value::Nil);
    assert_eq!(
        error.message(),
        "<string>:1: bytes that are not UTF-8 cannot be part of JSON: {{ v|tojson }}"
    );
    let error = fails("{{ [v]|tojson }}", table([("v", bytes(odd))]), Value::Nil);
    assert!(error.message().contains("part of JSON"), "{error:?}");
    let error = fails("{{ v|urlencode }}", table([("v", bytes(odd))]), Value::Nil);
    assert!(error.message().contains("part of a URL"), "{error:?}");
}

#[test]
fn html_is_escaped_when_asked_for() {
    let vars = || table([("v", "<a href=\"x\">&'</a>".into())]);
    assert_eq!(text("{{ v }}", vars()), "<a href=\"x\">&'</a>");
    let html = table([("autoescape", "html".into())]);
    let rendered = render_string(
        b"<b>{{ v }}{{ v|safe }}{{ '<'|forceescape }}</b>",
        vars(),
        html,
    )
    .unwrap();
    let rendered = String::from_utf8(rendered).unwrap();
    assert!(
        rendered.starts_with("<b>&lt;a href=&quot;x&quot;&gt;&amp;&#x27;&lt;&#x2f;a&gt;<a href"),
        "{rendered}"
    );
    assert!(rendered.ends_with("&lt;</b>"), "{rendered}");
    // Whatever the file is called.
    let folder = folder([("page.html", "{{ '<' }}")]);
    assert_eq!(render(&folder.path().join("page.html")).unwrap(), "<");
}

#[test]
fn errors_name_line_source_and_what_was_meant() {
    let vars = || {
        let user = table([("name", "x".into())]);
        table([
            ("title", "t".into()),
            ("user", user),
            ("list", Value::List(vec![Value::Int(1)])),
        ])
    };
    for (template, opts, message, hint) in [
        (
            "a\n  {{ title|uper }}\nb",
            Value::Nil,
            "<string>:2: unknown filter `uper`: {{ title|uper }}",
            Some("did you mean `upper`?"),
        ),
        (
            "{{ title|to_yaml }}",
            Value::Nil,
            "<string>:1: unknown filter `to_yaml`: {{ title|to_yaml }}",
            Some("a filter of your own: { filters = { to_yaml = function(value) ... end } }"),
        ),
        (
            "{{ title is strin }}",
            Value::Nil,
            "<string>:1: unknown test `strin`: {{ title is strin }}",
            Some("did you mean `string`?"),
        ),
        (
            "{{ rang(3) }}",
            Value::Nil,
            "<string>:1: unknown function `rang`: {{ rang(3) }}",
            Some("did you mean `range`?"),
        ),
        (
            "{{ titel }}",
            strict(),
            "<string>:1: `titel` is undefined: {{ titel }}",
            Some("did you mean `title`?"),
        ),
        (
            "{{ user.nmae }}",
            strict(),
            "<string>:1: `user.nmae` is undefined: {{ user.nmae }}",
            Some("did you mean `name`?"),
        ),
        (
            "{% for x in lst %}{% endfor %}",
            strict(),
            "<string>:1: `lst` is undefined: {% for x in lst %}{% endfor %}",
            Some("did you mean `list`?"),
        ),
        // Without `strict`, too: there is nothing below what is undefined.
        (
            "{{ a.b }}",
            Value::Nil,
            "<string>:1: `a` is undefined: {{ a.b }}",
            None,
        ),
        (
            "{{ title.nope() }}",
            Value::Nil,
            "<string>:1: string has no method named nope: {{ title.nope() }}",
            None,
        ),
        (
            "\n\n{% for x in list %}\n",
            Value::Nil,
            "<string>:3: syntax error: unexpected end of input, expected end of block: {% for x in list %}",
            None,
        ),
        (
            "{{ title + 1 }}",
            Value::Nil,
            "<string>:1: tried to use + operator on unsupported types string and number: {{ title + 1 }}",
            None,
        ),
        (
            "{% include 'x.html' %}",
            Value::Nil,
            "<string>:1: no template `x.html`: a string has no folder to look in: {% include 'x.html' %}",
            Some("template.render reads a file and what it includes"),
        ),
    ] {
        let error = fails(template, vars(), opts);
        assert_eq!(error.message(), message);
        assert_eq!(error.hint_text(), hint, "{template}");
        assert_eq!(error.kind(), "template", "{template}");
    }
    let long = format!("{{{{ nope.nope }}}}{}", "\u{fc}".repeat(200));
    let error = fails(&long, vars(), Value::Nil);
    assert!(error.message().ends_with("\u{fc}..."), "{error:?}");
}

#[test]
fn what_is_undefined_renders_as_nothing_unless_strict() {
    assert_eq!(
        text(
            "[{{ a }}{% for x in a %}x{% endfor %}{% if a %}y{% endif %}]",
            Value::Nil
        ),
        "[]"
    );
    for template in [
        "{{ a }}",
        "{% for x in a %}{% endfor %}",
        "{% if a %}{% endif %}",
        "{{ a|upper }}",
    ] {
        let error = fails(template, Value::Nil, strict());
        assert!(
            error.message().contains("`a` is undefined"),
            "{template}: {error:?}"
        );
    }
    let rendered = render_string(
        b"{{ a|default('d') }}{{ a is defined }}",
        Value::Nil,
        strict(),
    );
    assert_eq!(rendered.unwrap(), b"dFalse");
}

#[test]
fn files_start_at_the_folder_of_the_rendered_one() {
    let folder = folder([
        (
            "t/page.html",
            "{% extends 'layout.html' %}{% block body %}{% include 'parts/menu.html' %}{% endblock %}",
        ),
        ("t/layout.html", "<{% block body %}{% endblock %}>\n"),
        // From the rendered file's folder on, not from this one's.
        (
            "t/parts/menu.html",
            "menu {% include './parts/entry.html' %}",
        ),
        (
            "t/parts/entry.html",
            "{% from 'macros.html' import m %}{{ m(x) }}{% include ['none', 'end.html'] %}",
        ),
        (
            "t/macros.html",
            "{% macro m(v) %}entry {{ v }}{% endmacro %}",
        ),
        ("t/end.html", "!{% include 'none' ignore missing %}\n"),
    ]);
    assert_eq!(
        render(&folder.path().join("t/page.html")).unwrap(),
        "<menu entry 1!>"
    );
    // A bare name: the folder is the working directory.
    let error = render(Path::new("nowhere.txt")).unwrap_err();
    assert_eq!(
        error.message(),
        "cannot read nowhere.txt: no such file or directory"
    );
}

#[test]
fn names_cannot_leave_the_folder() {
    let folder = folder([
        ("secret", "s"),
        ("t/up.txt", "{% include '../secret' %}"),
        ("t/inside.txt", "{% include 'a/../up.txt' ignore missing %}"),
        (
            "t/absolute.txt",
            "{% include '/etc/hostname' ignore missing %}",
        ),
        ("t/link.txt", "{% include 'link' %}"),
    ]);
    let root = folder.path().join("t");
    for (file, name) in [
        ("up.txt", "../secret"),
        ("inside.txt", "a/../up.txt"),
        ("absolute.txt", "/etc/hostname"),
    ] {
        let error = render(&root.join(file)).unwrap_err();
        let path = root.join(file).display().to_string();
        assert!(
            error.message().starts_with(&format!(
                "{path}:1: template `{name}` leads out of {}: ",
                root.display()
            )),
            "{error:?}"
        );
    }
    // A mounted ConfigMap is links into a folder beside it.
    std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
    assert_eq!(render(&root.join("link.txt")).unwrap(), "s");
}

#[test]
fn errors_in_includes_say_from_where() {
    let folder = folder([
        ("page.html", "\n{% include 'a.html' %}"),
        ("a.html", "\n\n{% include 'b.html' %}"),
        ("b.html", "{{ x|nope_nope }}"),
        ("missing.html", "{% include 'c.html' %}"),
        ("missing-all.html", "{% include ['c.html', 'd.html'] %}"),
        ("broken.html", "{% include 'syntax.html' %}"),
        ("syntax.html", "fine\n{% if %}"),
    ]);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let error = render(&folder.path().join("page.html")).unwrap_err();
    assert_eq!(
        error.message(),
        format!(
            "{}:1: unknown filter `nope_nope`: {{{{ x|nope_nope }}}} (from {}:3) (from {}:2)",
            at("b.html"),
            at("a.html"),
            at("page.html")
        )
    );
    let error = render(&folder.path().join("missing.html")).unwrap_err();
    assert_eq!(
        error.message(),
        format!(
            "{}:1: no template `c.html` (looked for {}): {{% include 'c.html' %}}",
            at("missing.html"),
            at("c.html")
        )
    );
    let error = render(&folder.path().join("missing-all.html")).unwrap_err();
    assert!(
        error
            .message()
            .contains(":1: no template `c.html` or `d.html`: "),
        "{error:?}"
    );
    let error = render(&folder.path().join("broken.html")).unwrap_err();
    assert!(
        error
            .message()
            .starts_with(&format!("{}:2: syntax error: ", at("syntax.html"))),
        "{error:?}"
    );
}

#[test]
fn files_that_cannot_be_read() {
    let folder = folder([("dir.txt", "{% include 'sub' %}"), ("sub/x", "")]);
    let error = render(&folder.path().join("none.txt")).unwrap_err();
    assert_eq!(error.kind(), "not_found");
    assert_eq!(
        error.message(),
        format!(
            "cannot read {}/none.txt: no such file or directory",
            folder.path().display()
        )
    );
    let error = render(&folder.path().join("dir.txt")).unwrap_err();
    assert_eq!(error.kind(), "io");
    assert!(
        error.message().contains("dir.txt:1: cannot read "),
        "{error:?}"
    );
    for path in ["", "/", ".."] {
        let error = render(Path::new(path)).unwrap_err();
        assert_eq!(
            error.message(),
            format!("argument 1: expected the path of a file, got \"{path}\"")
        );
    }
}

#[test]
fn every_file_is_asked_for() {
    let folder = folder([
        ("page.txt", "{% include 'part.txt' ignore missing %}"),
        ("part.txt", "part"),
    ]);
    let page = folder.path().join("page.txt").display().to_string();
    let part = folder.path().join("part.txt").display().to_string();
    for denied in [&page, &part] {
        let host = host();
        host.deny(&format!("fs.read {denied}"));
        let error = host.call::<String>("render", (page.as_str(),)).unwrap_err();
        assert_eq!(error.kind(), "permission");
        assert!(
            error
                .message()
                .ends_with(&format!("not allowed: read {denied}")),
            "{error:?}"
        );
    }
}

#[test]
fn what_does_not_end_is_ended() {
    let error = fails(
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        Value::Nil,
        Value::Nil,
    );
    assert!(
        error.message().contains("recursion limit exceeded"),
        "{error:?}"
    );
    let deep = format!(
        "{}{}",
        "{% if 1 %}".repeat(10_000),
        "{% endif %}".repeat(10_000)
    );
    assert!(
        fails(&deep, Value::Nil, Value::Nil)
            .message()
            .contains("recursion")
    );

    let folder = folder([("self.txt", "{% include 'self.txt' %}")]);
    let error = render(&folder.path().join("self.txt")).unwrap_err();
    assert!(
        error.message().contains("recursion limit exceeded"),
        "{error:?}"
    );
}

#[test]
fn chains_that_would_overflow_the_stack_are_errors() {
    let long = 100_000;
    for chain in [
        format!("{{{{ 1{} }}}}", " + 1".repeat(long)),
        format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(long)),
        format!("{{{{ {}1 }}}}", "not ".repeat(long)),
        format!("{{{{ {}1 }}}}", "-".repeat(long)),
        format!("{{{{ 1{} }}}}", "|int".repeat(long)),
        format!("{{{{ a{} }}}}", "[0]".repeat(long)),
        format!("{{{{ a{} }}}}", "()".repeat(long)),
        format!("{{% set x = [1, (2{}), 3] %}}", ".b(1, 2)".repeat(long)),
    ] {
        let error = fails(&format!("\n{chain}"), Value::Nil, Value::Nil);
        assert_eq!(
            error.message(),
            "<string>:2: an expression of more than 1000 parts"
        );
    }
    let branches = format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(long));
    let folder = folder([
        ("branches.txt", &*branches),
        ("page.txt", "\n{% include 'branches.txt' %}"),
    ]);
    let error = render(&folder.path().join("page.txt")).unwrap_err();
    let (page, branches) = (
        folder.path().join("page.txt"),
        folder.path().join("branches.txt"),
    );
    assert_eq!(
        error.message(),
        format!(
            "{}:2: {}:1: an `if` of more than 250 branches",
            page.display(),
            branches.display()
        )
    );
}

#[test]
fn what_is_long_but_no_chain_is_rendered() {
    let items = "-1, f(1 + 1)[0], {'a': 1}, ".repeat(2000);
    let vars = || table([("a", bytes(b"x"))]);
    for (template, size) in [
        (format!("{{{{ [{items}]|length }}}}"), 4),
        (
            "{{ a }}{% if a %}{{ a }}{% elif 1 %}{% endif %}".repeat(2000),
            4000,
        ),
        (
            format!("{{% raw %}}{{{{ {} {{% endraw %}}", "not ".repeat(2000)),
            8004,
        ),
        (format!("{{# {} #}}", "not ".repeat(2000)), 0),
        (format!("{{{{ '{}' }}}}", "+ 1 ".repeat(2000)), 8000),
        (format!("{{{{ 1{} }}}}", "+1".repeat(499)), 3),
    ] {
        let template = template.replace("f(", "range(").replace(")[0]", ")|first");
        assert_eq!(text(&template, vars()).len(), size, "{template}");
    }
}

#[test]
fn texts_that_would_fill_memory_are_errors() {
    for template in [
        "{{ 'x' * 10 ** 9 }}",
        "{{ 'x'|center(10 ** 15) }}",
        "{{ 'x'|indent(10 ** 15, first=true) }}",
        "{{ ('\n' * 1000)|indent('x' * 1000000) }}",
        "{{ ('x' * 100000)|replace('x', 'y' * 100000) }}",
        "{{ range(10 ** 9)|list }}",
    ] {
        let error = fails(template, Value::Nil, Value::Nil);
        assert!(
            [
                "too large",
                "too many elements",
                "the text would have more than 100000000 bytes"
            ]
            .iter()
            .any(|what| error.message().contains(what)),
            "{error:?}"
        );
    }
    assert_eq!(
        text(
            "{{ ('x' * 20000 ~ 'a')|replace('a', 'y' * 20000)|length }}",
            Value::Nil
        ),
        "40000"
    );
}

#[test]
fn arguments_are_checked() {
    for (vars, opts, message) in [
        (
            Value::List(vec![Value::Int(1)]),
            Value::Nil,
            "argument 2: expected a table of variables by their names, got a list",
        ),
        (
            Value::Int(1),
            Value::Nil,
            "argument 2: expected a table of variables by their names, got number",
        ),
        (
            Value::Nil,
            table([("autoescape", "xml".into())]),
            "argument 3: option `autoescape`: expected one of `html`, got \"xml\"",
        ),
        (
            Value::Nil,
            table([("filters", table([("x", Value::Int(1))]))]),
            "argument 3: option `filters.x`: expected function, got number 1",
        ),
    ] {
        let error = fails("", vars, opts);
        assert_eq!(error.message(), message);
        assert_eq!(error.kind(), "argument");
    }
    let error = fails("", Value::Nil, table([("stric", Value::Bool(true))]));
    assert_eq!(error.hint_text(), Some("did you mean `strict`?"));
    // An empty table, whatever it is marked as.
    assert_eq!(text("x", Value::List(Vec::new())), "x");
}
