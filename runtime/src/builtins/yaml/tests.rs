use super::*;
use assay_plugin::test::Host;

fn parse(text: &str) -> Value {
    Host::new(&FAMILY).call("parse", (text,)).unwrap()
}

fn parse_error(text: &str) -> Error {
    let host = Host::new(&FAMILY);
    host.call::<Value>("parse", (text,)).unwrap_err()
}

fn parse_all(text: &str) -> Vec<Value> {
    match Host::new(&FAMILY).call("parse_all", (text,)).unwrap() {
        Value::List(documents) => documents,
        // Nothing in it: the kit's empty list of values.
        other => panic!("{other:?}"),
    }
}

fn encode(value: Value) -> String {
    Host::new(&FAMILY).call("encode", (value,)).unwrap()
}

fn map<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(pairs.map(|(key, value)| (key.into(), value)).into())
}

fn list<const N: usize>(items: [Value; N]) -> Value {
    Value::List(items.into())
}

#[test]
fn a_manifest() {
    let text = "\
apiVersion: v1 # comment
kind: Pod
metadata:
  labels: {app: web, 'on': \"yes\"}
spec:
  containers:
  - name: a
    args: [\"-c\", 'it''s']
    command: []
    env: {}
  - name: b
    script: |
      one
        two
    folded: >-
      a
      b
";
    let first = map([
        ("name", "a".into()),
        ("args", list(["-c".into(), "it's".into()])),
        ("command", list([])),
        ("env", map([])),
    ]);
    let second = map([
        ("name", "b".into()),
        ("script", "one\n  two\n".into()),
        ("folded", "a b".into()),
    ]);
    let expected = map([
        ("apiVersion", "v1".into()),
        ("kind", "Pod".into()),
        (
            "metadata",
            map([("labels", map([("app", "web".into()), ("on", "yes".into())]))]),
        ),
        ("spec", map([("containers", list([first, second]))])),
    ]);
    assert_eq!(parse(text), expected);
    assert_eq!(parse(&text.replace('\n', "\r\n")), expected);
    assert_eq!(parse(&format!("\u{feff}---\n{text}...\n")), expected);
}

#[test]
fn keys_keep_their_text() {
    let parsed = parse("1: a\n1.10: b\ntrue: c\nnull: d\n0x1F: e\n? f\n: g\n&k h: i\n");
    for (key, value) in [
        ("1", "a"),
        ("1.10", "b"),
        ("true", "c"),
        ("null", "d"),
        ("0x1F", "e"),
        ("f", "g"),
        ("h", "i"),
    ] {
        assert_eq!(parsed.get(key), Some(&value.into()), "{key}");
    }
}

#[test]
fn several_documents() {
    assert_eq!(
        parse_all("---\na: 1\n---\n# nothing\n---\nb\n...\n---\n"),
        [map([("a", Value::Int(1))]), "b".into()]
    );
    assert_eq!(parse_all(""), []);
    assert_eq!(parse(""), Value::Nil);
    assert_eq!(parse("# only a comment\n"), Value::Nil);
    assert_eq!(parse("a: 1\n---\n"), map([("a", Value::Int(1))]));
    let error = parse_error("a: 1\n---\nb: 2\n");
    assert_eq!(error.message(), "expected one document, got 2");
    assert_eq!(error.hint_text(), Some("yaml.parse_all reads them all"));
    // Anchors end with their document.
    assert!(
        parse_error("a: &x 1\n---\nb: *x\n")
            .message()
            .starts_with("line 3, column 4: ")
    );
}

#[test]
fn merge_keys() {
    let parsed = parse(
        "base: &base {a: 1, b: 1, c: 1}\nother: &other {b: 2, d: 2}\n\
         one:\n  <<: *base\n  a: 3\n\
         many:\n  c: null\n  <<: [*other, *base]\n\
         nested: &nested\n  <<: *base\n  e: 5\n\
         deep: {<<: *nested, <<: {f: 6}}\n\
         text: {'<<': 1}\n",
    );
    let ints = |pairs: &[(&str, i64)]| {
        Value::Map(
            pairs
                .iter()
                .map(|(k, v)| (Value::from(*k), Value::Int(*v)))
                .collect(),
        )
    };
    assert_eq!(
        parsed.get("one"),
        Some(&ints(&[("a", 3), ("b", 1), ("c", 1)]))
    );
    // A null of its own is no gap to fill.
    assert_eq!(
        parsed.get("many"),
        Some(&ints(&[("b", 2), ("d", 2), ("a", 1)]))
    );
    assert_eq!(
        parsed.get("deep"),
        Some(&ints(&[("e", 5), ("a", 1), ("b", 1), ("c", 1), ("f", 6)]))
    );
    assert_eq!(parsed.get("text"), Some(&ints(&[("<<", 1)])));
    for text in [
        "a: {<<: 1}",
        "a: {<<: [{b: 1}, 2]}",
        "x: &x [1]\na: {<<: *x}",
    ] {
        assert!(
            parse_error(text).message().contains("`<<` merges maps"),
            "{text}"
        );
    }
}

#[test]
fn tags() {
    let parsed = parse(
        "- !!str 12\n- !!int '12'\n- !!float 1\n- !!binary aGk=\n- !!binary |\n  /w\n  ==\n\
         - !Ref name\n- !custom {a: 1}\n- !<tag:example.com,2000:x> [1]\n- ! 12\n- !!null ''\n- !Sub 5\n",
    );
    let Value::List(items) = parsed else { panic!() };
    assert_eq!(items[0], "12".into());
    assert_eq!(items[1], Value::Int(12));
    assert_eq!(items[2], Value::Float(1.0));
    assert_eq!(items[3], "hi".into());
    assert_eq!(items[4], Value::Bytes(vec![0xff]));
    assert_eq!(items[5], "name".into());
    assert_eq!(items[6], map([("a", Value::Int(1))]));
    assert_eq!(items[7], list([Value::Int(1)]));
    assert_eq!(items[8], "12".into());
    assert_eq!(items[9], Value::Nil);
    assert_eq!(items[10], Value::Int(5));
    assert_eq!(
        parse_error("a: !!int x").message(),
        "line 1, column 10: `x` is no !!int"
    );
    assert!(
        parse_error("!!binary '%'")
            .message()
            .contains("!!binary: unexpected `%`")
    );
}

#[test]
fn null_is_nil_unless_asked_for() {
    assert_eq!(
        parse("a: null\nb: [1, ~, 2]\nc:\n"),
        map([("b", list([Value::Int(1), Value::Nil, Value::Int(2)]))])
    );
    let host = Host::new(&FAMILY);
    let keep = map([("null", Value::Bool(true))]);
    let kept: Value = host.call("parse", ("a: null\n", keep.clone())).unwrap();
    assert_eq!(kept, map([("a", Value::Null)]));
    let kept: Value = host.call("parse_all", ("---\n---\n1\n", keep)).unwrap();
    assert_eq!(kept, list([Value::Null, Value::Int(1)]));
    let error = host
        .call::<Value>("parse", ("a: 1", map([("nulls", Value::Bool(true))])))
        .unwrap_err();
    assert_eq!(error.hint_text(), Some("did you mean `null`?"));
}

#[test]
fn errors_have_a_place() {
    for (text, message) in [
        (
            "a: 1\nb: 1\na: 2\n",
            "line 3, column 1: the key `a` for a second time",
        ),
        ("a: *x\n", "line 1, column 4: "),
        (
            "a: &x [*x]\n",
            "line 1, column 8: an alias inside of what it repeats",
        ),
        ("a: b: c\n", "line 1, column 5: "),
        ("a: [1\n", "line 1, column 4: unclosed bracket"),
        ("a:\n\t- b\n", "line 2, column 2: tabs "),
        ("{[1]: 2}", "line 1, column 2: a list or map as a key"),
        ("a: 'open", "line 1, column "),
        ("%YAML 9.1.2\n---\n", "line 1, column "),
        ("a: \"\\q\"", "line 1, column "),
        ("a\0b", "line 1, column "),
    ] {
        let error = parse_error(text);
        assert_eq!(error.kind(), "syntax");
        assert!(error.message().starts_with(message), "{text:?}: {error:?}");
    }
    let error = Host::new(&FAMILY)
        .call::<Value>("parse", (&b"a: \xff"[..],))
        .unwrap_err();
    assert!(error.message().contains("expected UTF-8"), "{error:?}");
}

#[test]
fn alias_bombs_end() {
    // A billion laughs: nine levels of nine.
    let mut laughs = String::from("l0: &l0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..12 {
        let before = format!("*l{}, ", level - 1).repeat(9);
        laughs.push_str(&format!("l{level}: &l{level} [{before}]\n"));
    }
    let error = parse_error(&laughs);
    assert!(
        error.message().contains("aliases repeat more than 16 MiB"),
        "{error:?}"
    );
    // One long text many times.
    let long = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(1 << 20),
        "*a, ".repeat(100)
    );
    assert!(parse_error(&long).message().contains("aliases repeat"));
    // The same through merges.
    let mut merges = String::from("m0: &m0 {a: 1, b: 2}\n");
    for level in 1..60 {
        merges.push_str(&format!(
            "m{level}: &m{level} {{<<: [*m{0}, *m{0}]}}\n",
            level - 1
        ));
    }
    assert!(parse_error(&merges).message().contains("aliases repeat"));
    // And over several documents.
    let one = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(1 << 20),
        "*a, ".repeat(10)
    );
    let error = Host::new(&FAMILY)
        .call::<Value>("parse_all", (format!("{one}---\n{one}"),))
        .unwrap_err();
    assert!(error.message().contains("aliases repeat"), "{error:?}");
    // Nested anchors take memory by the text's length, not by depth times length.
    let nested: String = (0..100).map(|n| format!("&n{n} [")).collect();
    let text = format!("{nested}{}{}", "1,".repeat(100_000), "]".repeat(100));
    parse(&text);
}

#[test]
fn deep_nesting_ends() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        (0..1000)
            .map(|n| format!("{}a:\n", " ".repeat(n)))
            .collect(),
    ] {
        assert_eq!(parse_error(&text).kind(), "syntax");
    }
    // Flow in block, each within its own limit.
    let block: String = (0..100).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    let both = format!(
        "{block}{}{}{}",
        " ".repeat(100),
        "[".repeat(100),
        "]".repeat(100)
    );
    assert!(
        parse_error(&both)
            .message()
            .contains("nested deeper than 128")
    );
    // By aliases.
    let mut aliases = String::from("a0: &a0 [1]\n");
    for level in 1..200 {
        aliases.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(
        parse_error(&aliases)
            .message()
            .contains("nested deeper than 128")
    );
}

#[test]
fn large_documents_are_fine() {
    let text: String = (0..50_000).map(|n| format!("key{n}: [a, {n}]\n")).collect();
    let Value::Map(pairs) = parse(&text) else {
        panic!()
    };
    assert_eq!(pairs.len(), 50_000);
}

#[test]
fn endless_documents_end() {
    let error = parse_error(&"- a\n".repeat(1_000_001));
    assert_eq!(
        error.message(),
        "line 1000000, column 3: more than 1000000 nodes"
    );
    let error = Host::new(&FAMILY)
        .call::<Value>("parse_all", ("--- a\n".repeat(1_000_001),))
        .unwrap_err();
    assert_eq!(
        error.message(),
        "line 1000001, column 5: more than 1000000 nodes"
    );
}

#[test]
fn layout() {
    let value = map([
        (
            "b",
            list([
                Value::Int(1),
                map([("x", "w".into()), ("a", list([]))]),
                list(["z".into()]),
            ]),
        ),
        ("a", map([("empty", map([])), ("null", Value::Null)])),
        ("script", "one\n  two\n".into()),
        ("cut", list(["a\nb".into()])),
    ]);
    assert_eq!(
        encode(value),
        "\
a:
  empty: {}
  \"null\": null
b:
  - 1
  - a: []
    x: w
  - - z
cut:
  - |-
    a
    b
script: |
  one
    two
"
    );
    assert_eq!(encode(Value::Map(vec![])), "{}\n");
    assert_eq!(encode("a\nb\n".into()), "|\n  a\n  b\n");
    assert_eq!(encode(Value::Nil), "null\n");
}

#[test]
fn what_looks_like_something_else_is_quoted() {
    for text in [
        "",
        "~",
        "null",
        "NULL",
        "true",
        "False",
        "yes",
        "No",
        "ON",
        "off",
        "y",
        "N",
        "1",
        "-1",
        "+1",
        "1.5",
        ".5",
        "1e3",
        "0x1f",
        "0o7",
        "0644",
        "1_000",
        "12:30:45",
        "2026-01-31",
        ".inf",
        "-.inf",
        ".nan",
        "<<",
        "=",
        "- a",
        "-",
        "a: b",
        "a:",
        ": a",
        "a #b",
        "#a",
        " a",
        "a ",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "[a]",
        "{a}",
        "'a'",
        "\"a\"",
        "? a",
        "---",
        "...",
        "\t",
        "a\tb",
        "\r\n",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\\",
        "a\0b",
        "12e03",
    ] {
        let encoded = encode(text.into());
        assert!(encoded.starts_with('"'), "{text:?}: {encoded:?}");
        assert_eq!(parse(&encoded), text.into(), "{encoded:?}");
        let encoded = encode(map([(text, Value::Int(1))]));
        assert_eq!(parse(&encoded), map([(text, Value::Int(1))]), "{encoded:?}");
    }
    for text in [
        "a",
        "apps/v1",
        "nginx:1.25",
        "Hello, world",
        "user@example.com",
        "a-b_c",
    ] {
        assert_eq!(encode(text.into()), format!("{text}\n"));
    }
}

#[test]
fn values_come_back() {
    let text = |text: &str| Value::from(text);
    for value in [
        Value::Int(i64::MIN),
        Value::Float(1.0),
        Value::Float(1e300),
        Value::Float(-1.5e-300),
        Value::Float(f64::MIN_POSITIVE),
        Value::Float(f64::INFINITY),
        Value::Float(f64::NEG_INFINITY),
        Value::Bytes((0..=255).collect()),
        text("é\u{1f980}"),
        text("a\n\n\nb\n\n"),
        text("\na"),
        text(" a\nb"),
        text("a\n \nb"),
        text("a\n\tb\n"),
        text("\n"),
        text("\n\n"),
        text("a\r\nb"),
        text("a\n# b\n- c: d\n--- \n"),
        text(&"long ".repeat(1000)),
        list([
            list([list([]), map([])]),
            text("- x"),
            text("a\nb\n\n"),
            Value::Int(1),
        ]),
        map([(
            "k",
            list([map([("a\nb", text("c\nd"))]), Value::Bool(false)]),
        )]),
        Value::Map(vec![(
            "k".repeat(5000).as_str().into(),
            map([("a", list([Value::Int(1)]))]),
        )]),
    ] {
        let encoded = encode(value.clone());
        assert_eq!(parse(&encoded), value, "{encoded}");
        let wrapped = map([("x", list([value]))]);
        let encoded = encode(wrapped.clone());
        assert_eq!(parse(&encoded), wrapped, "{encoded}");
    }
    assert_eq!(encode(Value::Float(f64::NAN)), ".nan\n");
}

#[test]
fn what_yaml_cannot_say() {
    let host = Host::new(&FAMILY);
    let refused = |value: Value| host.call::<String>("encode", (value,)).unwrap_err();
    let bad_key = Value::Map(vec![(Value::Bool(true), Value::Int(1))]);
    assert_eq!(
        refused(map([("a", list([Value::Int(1), bad_key]))])).message(),
        "cannot encode a key of type boolean at `a[2]`"
    );
    let mut deep = Value::Int(1);
    for _ in 0..150 {
        deep = list([deep]);
    }
    assert!(encode(deep).starts_with("- - - "));
}
