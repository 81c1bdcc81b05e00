//! Without Lua and without a `.so`: the kit has a host for tests.

#![expect(clippy::disallowed_methods, reason = "a failure names the line")]

use assay_plugin::Value;
use assay_plugin::test::Host;

#[test]
fn greets() {
    let host = Host::new(&hello::ASSAY_PLUGIN);
    assert_eq!(
        host.call::<String>("greet", ("world",)).unwrap(),
        "hello world"
    );

    let twice = Value::Map(vec![("times".into(), Value::Int(2))]);
    let greeting: String = host.call("greet", ("world", twice)).unwrap();
    assert_eq!(greeting, "hello world, hello world");
}

#[test]
fn refuses() {
    let host = Host::new(&hello::ASSAY_PLUGIN);
    let error = host.call::<String>("greet", ("",)).unwrap_err();
    assert_eq!(error.kind(), "argument");
    assert_eq!(error.hint_text(), Some("pass somebody's name"));

    let typo = Value::Map(vec![("time".into(), Value::Int(2))]);
    let error = host.call::<String>("greet", ("world", typo)).unwrap_err();
    assert_eq!(error.message(), "argument 2: unknown option `time`");
    assert_eq!(error.hint_text(), Some("did you mean `times`?"));
}

/// docs/writing-plugins.md shows this crate.
#[test]
fn the_book_has_the_source() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    let book = std::fs::read_to_string(format!("{root}docs/writing-plugins.md")).unwrap();
    for (marker, source) in [
        ("src/lib.rs", include_str!("../src/lib.rs")),
        ("tests/hello.rs", include_str!("hello.rs")),
    ] {
        let start = format!("<!-- examples/hello-plugin/{marker} -->\n```rust");
        let (_, block) = book
            .split_once(&start)
            .unwrap_or_else(|| panic!("no block of {marker}"));
        let (_, block) = block.split_once('\n').unwrap();
        let (block, _) = block.split_once("```").unwrap();
        assert!(
            source.contains(block.trim_end()),
            "the block of {marker} is not in it any more:\n{block}"
        );
    }
}
