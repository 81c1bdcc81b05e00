//! What is sent, and what comes back.

use assay_plugin::Value;

use crate::mock::{Mock, OK, header, headers, line};
use crate::{body, get, host, list, post, table};

#[test]
fn a_response_is_a_record() {
    let mock = Mock::new([
        "HTTP/1.1 404 Not Found\r\nX-One: 1\r\nx-two: a\r\nX-Two: b\r\nSet-Cookie: a=1, 2\r\nset-cookie: b=2\r\n\
         content-length: 4\r\n\r\nnoü",
    ]);
    let response = get(&mock.url("/a?b=c#d"), Value::Nil).unwrap();
    assert_eq!(response.get("status"), Some(&Value::Int(404)));
    assert_eq!(
        response.get("url").unwrap().as_str(),
        Some(&*mock.url("/a?b=c#d"))
    );
    assert_eq!(body(&response), "noü".as_bytes());
    let header = |name| {
        response
            .get("headers")
            .unwrap()
            .get(name)
            .and_then(Value::as_str)
    };
    assert_eq!(header("x-one"), Some("1"));
    assert_eq!(header("x-two"), Some("a, b"));
    assert_eq!(
        header("set-cookie"),
        Some("a=1, 2"),
        "cookies cannot be joined"
    );
    let repeated = response.get("repeated_headers").unwrap();
    assert_eq!(repeated.get("set-cookie"), Some(&list(["a=1, 2", "b=2"])));
    assert_eq!(repeated.get("x-one"), None);
    let request = mock.request();
    assert_eq!(line(&request), "GET /a?b=c HTTP/1.1");
    assert_eq!(
        headers(&request, "user-agent"),
        [concat!("assay/", env!("CARGO_PKG_VERSION"))]
    );
}

#[test]
fn bodies_are_bytes_both_ways() {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 256\r\n\r\n".to_vec();
    answer.extend(0..=255_u8);
    let mock = Mock::new([answer]);
    let sent = Value::Bytes(vec![0, 255, 10, 13, 128]);
    let response = post(&mock.url("/"), sent, Value::Nil).unwrap();
    assert_eq!(body(&response), (0..=255).collect::<Vec<u8>>());
    let request = mock.request();
    assert_eq!(header(&request, "content-length"), Some("5"));
    assert_eq!(
        header(&request, "content-type"),
        None,
        "nobody said what it is"
    );
}

#[test]
fn large_bodies_cross_as_buffers() {
    for size in [4095, 4096, 300_000] {
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n").into_bytes();
        answer.extend(vec![b'x'; size]);
        let mock = Mock::new([answer]);
        let response = get(&mock.url("/"), Value::Nil).unwrap();
        assert_eq!(body(&response).len(), size);
        assert_eq!(
            matches!(response.get("body"), Some(Value::Buf(_))),
            size >= 4096
        );
    }
}

#[test]
fn a_table_is_json_and_the_callers_type_wins() {
    let mock = Mock::new([OK, OK, OK, OK]);
    let value = table([
        ("z", Value::Null),
        (
            "a",
            Value::List(vec![Value::Int(1), Value::Float(0.5), Value::Bool(true)]),
        ),
        ("m", Value::Map(vec![])),
        ("ü\"", Value::List(vec![])),
    ]);
    post(&mock.url("/"), value, Value::Nil).unwrap();
    let request = mock.request();
    assert_eq!(headers(&request, "content-type"), ["application/json"]);
    assert!(
        request.ends_with("\r\n\r\n{\"a\":[1,0.5,true],\"m\":{},\"z\":null,\"ü\\\"\":[]}"),
        "{request}"
    );

    let patch = table([(
        "headers",
        table([("Content-TYPE", "application/merge-patch+json".into())]),
    )]);
    let _: Value = host()
        .call("patch", (mock.url("/"), Value::Map(vec![]), patch))
        .unwrap();
    let request = mock.request();
    assert_eq!(line(&request), "PATCH / HTTP/1.1");
    assert_eq!(
        headers(&request, "content-type"),
        ["application/merge-patch+json"]
    );
    assert!(request.ends_with("\r\n\r\n{}"), "{request}");

    post(&mock.url("/"), Value::Nil, table([("body", list(["x"]))])).unwrap();
    assert!(mock.request().ends_with("[\"x\"]"));

    let form = table([(
        "form",
        table([("b", "1 +&=".into()), ("a", list(["x", "y"]))]),
    )]);
    post(&mock.url("/"), Value::Nil, form).unwrap();
    let request = mock.request();
    assert_eq!(
        headers(&request, "content-type"),
        ["application/x-www-form-urlencoded"]
    );
    assert!(
        request.ends_with("\r\n\r\na=x&a=y&b=1%20%2B%26%3D"),
        "{request}"
    );
}

#[test]
fn every_method_goes_out() {
    let without = [
        ("get", "GET"),
        ("head", "HEAD"),
        ("options", "OPTIONS"),
        ("delete", "DELETE"),
    ];
    for (function, method) in without {
        let mock = Mock::new(["HTTP/1.1 204 No Content\r\n\r\n"]);
        let options = if function == "delete" {
            table([("body", "why".into())])
        } else {
            Value::Nil
        };
        let response: Value = host().call(function, (mock.url("/x"), options)).unwrap();
        assert_eq!(response.get("status"), Some(&Value::Int(204)));
        let request = mock.request();
        assert_eq!(line(&request), format!("{method} /x HTTP/1.1"));
        assert_eq!(request.ends_with("\r\n\r\nwhy"), function == "delete");
    }
    let mock = Mock::new([OK]);
    let call = table([
        ("method", "propfind".into()),
        ("url", mock.url("/x").as_str().into()),
        ("body", "b".into()),
    ]);
    let _: Value = host().call("request", (call,)).unwrap();
    assert!(mock.request().starts_with("PROPFIND /x HTTP/1.1"));
}

#[test]
fn head_has_a_length_and_no_body() {
    let mock = Mock::new(["HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n"]);
    let response: Value = host().call("head", (mock.url("/"),)).unwrap();
    assert_eq!(body(&response), b"");
}

#[test]
fn queries_are_encoded_and_merged() {
    let mock = Mock::new([OK]);
    let query = table([
        ("query", "up{a=\"b\"} + 1 & 2".into()),
        (
            "t",
            Value::List(vec![Value::Int(1), Value::Float(1.5), Value::Bool(true)]),
        ),
        ("bytes", Value::Bytes(vec![0xff])),
    ]);
    get(&mock.url("/q?first=a%20b"), table([("query", query)])).unwrap();
    assert_eq!(
        line(&mock.request()),
        "GET /q?first=a%20b&bytes=%FF&query=up%7Ba%3D%22b%22%7D%20%2B%201%20%26%202&t=1&t=1.5&t=true HTTP/1.1"
    );
}

#[test]
fn headers_of_the_caller_replace_defaults() {
    let mock = Mock::new([OK]);
    let headers_given = table([
        ("User-Agent", "mine".into()),
        ("Accept", "text/plain".into()),
        ("X-Number", Value::Int(7)),
        ("X-Many", list(["1", "2"])),
        ("Host", "auth.example.test".into()),
    ]);
    get(&mock.url("/"), table([("headers", headers_given)])).unwrap();
    let request = mock.request();
    assert_eq!(headers(&request, "user-agent"), ["mine"]);
    assert_eq!(headers(&request, "accept"), ["text/plain"]);
    assert_eq!(headers(&request, "x-number"), ["7"]);
    assert_eq!(headers(&request, "x-many"), ["1", "2"]);
    assert_eq!(headers(&request, "host"), ["auth.example.test"]);
}

#[test]
fn auth_becomes_a_header() {
    let mock = Mock::new([OK, OK, OK]);
    let auth = |auth| table([("auth", auth)]);
    get(
        &mock.url("/"),
        auth(table([("basic", list(["user", "pässword"]))])),
    )
    .unwrap();
    assert_eq!(
        header(&mock.request(), "authorization"),
        Some("Basic dXNlcjpww6Rzc3dvcmQ=")
    );
    let named = table([("user", "u".into()), ("pass", "p".into())]);
    get(&mock.url("/"), auth(table([("basic", named)]))).unwrap();
    assert_eq!(header(&mock.request(), "authorization"), Some("Basic dTpw"));
    get(&mock.url("/"), auth(table([("bearer", "t0ken".into())]))).unwrap();
    assert_eq!(
        header(&mock.request(), "authorization"),
        Some("Bearer t0ken")
    );
}

#[test]
fn a_client_has_defaults_that_calls_override() {
    let mock = Mock::new([OK, OK, OK]);
    let host = host();
    let options = table([
        ("base_url", mock.url("/api/").as_str().into()),
        (
            "headers",
            table([("X-Token", "default".into()), ("X-Other", "o".into())]),
        ),
        ("auth", table([("bearer", "b".into())])),
        ("timeout", Value::Int(5)),
        ("pool", Value::Int(0)),
    ]);
    let Value::Object(client) = host.call("client", (options,)).unwrap() else {
        panic!("no client")
    };
    let _: Value = host.method(&client, "get", ("/v1/x",)).unwrap();
    let request = mock.request();
    assert_eq!(line(&request), "GET /api/v1/x HTTP/1.1");
    assert_eq!(headers(&request, "x-token"), ["default"]);
    assert_eq!(headers(&request, "authorization"), ["Bearer b"]);
    let call = table([("headers", table([("x-token", "call".into())]))]);
    let _: Value = host.method(&client, "put", ("v1/y", "body", call)).unwrap();
    let request = mock.request();
    assert_eq!(line(&request), "PUT /api/v1/y HTTP/1.1");
    assert_eq!(headers(&request, "x-token"), ["call"]);
    assert_eq!(headers(&request, "x-other"), ["o"]);
    let call = table([("url", "?a=b".into())]);
    let _: Value = host.method(&client, "request", (call,)).unwrap();
    assert_eq!(line(&mock.request()), "GET /api?a=b HTTP/1.1");

    let _: Value = host.method(&client, "close", ()).unwrap();
    let error = host.method::<Value>(&client, "get", ("/",)).unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        ("closed", "the client is closed")
    );
}

/// "ok", as gzip has it.
const PACKED: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\xcb\xcf\x06\0\x47\xdd\xdc\x79\x02\0\0\0";

fn packed(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn gzip_is_asked_for_and_unpacked_unless_the_caller_does() {
    let mock = Mock::new([packed(PACKED), packed(PACKED), packed(&PACKED.repeat(2))]);
    let response = get(&mock.url("/"), Value::Nil).unwrap();
    assert_eq!(body(&response), b"ok");
    let headers = response.get("headers").unwrap();
    assert_eq!(headers.get("content-encoding"), None);
    assert_eq!(headers.get("content-length"), None);
    assert_eq!(header(&mock.request(), "accept-encoding"), Some("gzip"));
    let own = table([("headers", table([("Accept-Encoding", "br, gzip".into())]))]);
    let response = get(&mock.url("/"), own).unwrap();
    assert_eq!(body(&response), PACKED);
    assert_eq!(header(&mock.request(), "accept-encoding"), Some("br, gzip"));
    assert_eq!(
        body(&get(&mock.url("/"), Value::Nil).unwrap()),
        b"okok",
        "two members"
    );
}

#[test]
fn what_is_no_gzip_or_not_all_of_it_raises() {
    let mut wrong = PACKED.to_vec();
    wrong[15] ^= 1;
    for broken in [&PACKED[..PACKED.len() - 1], &PACKED[..4], b"text", &wrong] {
        let mock = Mock::new([packed(broken)]);
        let error = get(&mock.url("/"), Value::Nil).unwrap_err();
        assert_eq!(error.kind(), "body", "{broken:?}");
        assert!(
            error.message().starts_with("body: cannot unpack it: "),
            "{error}"
        );
    }
}
