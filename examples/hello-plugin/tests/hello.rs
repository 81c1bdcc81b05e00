//! Without Lua and without a `.so`: the kit has a host for tests.

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
