//! Options are strict: what is wrong is named, before anything is sent.

use assay_plugin::Value;

use crate::{get, host, list, post, table};

/// Nothing listens there, so that a request would fail with another error.
const NOWHERE: &str = "http://127.0.0.1:1/";

#[track_caller]
fn refused(options: Value, message: &str) {
    let error = get(NOWHERE, options).unwrap_err();
    assert_eq!((error.kind(), error.message()), ("argument", message));
}

#[test]
fn unknown_and_mistyped_options() {
    let error = get(NOWHERE, table([("timout", Value::Int(1))])).unwrap_err();
    assert_eq!(error.message(), "argument 2: unknown option `timout`");
    assert_eq!(error.hint_text(), Some("did you mean `timeout`?"));
    refused(
        table([("timeout", "soon".into())]),
        "argument 2: option `timeout`: expected a number, got string \"soon\"",
    );
    refused(Value::Int(3), "argument 2: expected a table, got number 3");
    refused(
        table([("stream", Value::Int(1))]),
        "argument 2: option `stream`: expected a boolean, got number 1",
    );
    refused(table([("url", "x".into())]), "unknown option `url`");
    // Each function has its own.
    let error = refused_with_hint(table([("sha256", "x".into())]));
    assert_eq!(
        error,
        "unknown option `sha256`: `sha256` is an option of `download`"
    );
    for name in ["stream", "max_body", "body", "form", "multipart"] {
        let error = host()
            .call::<Value>(
                "download",
                (NOWHERE, "x", table([(name, Value::Bool(true))])),
            )
            .unwrap_err();
        assert_eq!(error.kind(), "argument", "{name}");
    }
    refused(
        table([("retries", table([("attempt", Value::Int(1))]))]),
        "argument 2: option `retries`: unknown option `attempt`",
    );
    let error = host()
        .call::<Value>("client", (table([("ca_certs", "x".into())]),))
        .unwrap_err();
    assert_eq!(error.hint_text(), Some("did you mean `ca_cert`?"));
    let error = host()
        .call::<Value>("request", (table([("method", "GET".into())]),))
        .unwrap_err();
    assert_eq!(error.message(), "option `url` is missing");
}

fn refused_with_hint(options: Value) -> String {
    let error = get(NOWHERE, options).unwrap_err();
    format!("{}: {}", error.message(), error.hint_text().unwrap_or("-"))
}

#[test]
fn times_are_validated() {
    for (value, shown) in [
        (0.0, "0"),
        (-1.0, "-1"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (1e300, &*format!("{}", 1e300)),
    ] {
        for option in ["timeout", "connect_timeout"] {
            let message = format!(
                "option `{option}`: expected seconds above 0 and up to 31536000, got {shown}"
            );
            refused(table([(option, Value::Float(value))]), &message);
        }
    }
    let negative = table([("max_redirects", Value::Int(-1))]);
    assert!(
        get(NOWHERE, negative)
            .unwrap_err()
            .message()
            .contains("`max_redirects`")
    );
}

#[test]
fn headers_are_validated_by_name() {
    let headers = |name: &str, value: Value| table([("headers", table([(name, value)]))]);
    refused(headers("X Y", "v".into()), "header `X Y`: not a valid name");
    refused(
        headers("X\n", "v".into()),
        "header `X\\n`: not a valid name",
    );
    refused(
        headers("X-A", "a\r\nX-B: b".into()),
        "header `X-A`: the value holds a line break or another control character",
    );
    refused(
        headers("X-A", Value::Map(vec![])),
        "header `X-A`: expected a string, number, boolean or a list of them, got table",
    );
    refused(
        headers("Content-Length", "3".into()),
        "header `content-length`: follows from the body and cannot be set",
    );
    refused(
        headers("content-type", list(["a/b", "c/d"])),
        "header `content-type`: given more than once",
    );
    refused(
        table([("headers", list(["a"]))]),
        "`headers`: expected a table of names and values, got table",
    );
    let token = table([("auth", table([("bearer", "a\nb".into())]))]);
    refused(
        token,
        "option `auth.bearer`: the token holds a line break or another control character",
    );
}

#[test]
fn auth_is_one_thing() {
    refused(
        table([("auth", Value::Map(vec![]))]),
        "option `auth`: expected either `basic` or `bearer`",
    );
    let error = get(NOWHERE, table([("auth", table([("barer", "x".into())]))])).unwrap_err();
    assert_eq!(
        error.message(),
        "argument 2: option `auth`: unknown option `barer`"
    );
}

#[test]
fn queries_are_validated() {
    refused(
        table([("query", "a=b".into())]),
        "option `query`: expected a table of names and values, got string",
    );
    refused(
        table([("query", table([("a", Value::Map(vec![]))]))]),
        "option `query.a`: expected a string, number, boolean or a list of them, got table",
    );
    let numbered = Value::Map(vec![(Value::Int(5), "x".into())]);
    refused(
        table([("query", numbered)]),
        "option `query`: a name must be a string, got number",
    );
}

#[test]
fn bodies_are_validated() {
    #[track_caller]
    fn refused(body: Value, options: Value, message: &str) {
        let error = post(NOWHERE, body, options).unwrap_err();
        assert_eq!((error.kind(), error.message()), ("argument", message));
    }
    refused(
        "a".into(),
        table([("body", "b".into())]),
        "there are two bodies: the body argument and `body`",
    );
    refused(
        "a".into(),
        table([("form", Value::Map(vec![]))]),
        "there are two bodies: the body argument and `form`",
    );
    refused(
        Value::Bool(true),
        Value::Nil,
        "body: expected a string, or a table to send as JSON, got boolean",
    );
    let at = |value: Value| table([("a", Value::List(vec![Value::Int(1), table([("b", value)])]))]);
    refused(
        at(Value::Float(f64::NAN)),
        Value::Nil,
        "body: JSON cannot hold the number NaN at `a.2.b`",
    );
    refused(
        at(Value::Float(-f64::INFINITY)),
        Value::Nil,
        "body: JSON cannot hold the number -inf at `a.2.b`",
    );
    refused(
        at(Value::Bytes(b"a\xff".to_vec())),
        Value::Nil,
        "body: JSON cannot hold a string that is not UTF-8 (byte 0xff at offset 1) at `a.2.b`",
    );
    let numbered = Value::Map(vec![(Value::Int(5), "x".into())]);
    refused(
        at(numbered),
        Value::Nil,
        "body: JSON cannot hold the key 5, which is no string at `a.2.b`",
    );
    let client: Value = host().call("client", ()).unwrap();
    refused(
        at(client),
        Value::Nil,
        "body: JSON cannot hold a http.Client at `a.2.b`",
    );
}

#[test]
fn urls_are_validated_without_showing_secrets() {
    for (url, message) in [
        (
            "ftp://u:p@host/x?token=1",
            "expected a URL of http or https, got `ftp:` (ftp://host/x?...)",
        ),
        ("http://", "not a URL: empty host (http://)"),
        (
            "http://u:secret@[::1",
            "not a URL: invalid IPv6 address (...)",
        ),
        (
            "/v1/x?token=1",
            "not a URL: relative URL without a base (/v1/x)",
        ),
    ] {
        let error = get(url, Value::Nil).unwrap_err();
        assert_eq!((error.kind(), error.message()), ("argument", message));
    }
    let error = get("/x", Value::Nil).unwrap_err();
    assert_eq!(
        error.hint_text(),
        Some("a path alone needs a client with a `base_url`")
    );
    for base in ["nonsense", "http://h/?a=b"] {
        let error = host()
            .call::<Value>("client", (table([("base_url", base.into())]),))
            .unwrap_err();
        assert!(
            error.message().starts_with("option `base_url`: "),
            "{error}"
        );
    }
}
