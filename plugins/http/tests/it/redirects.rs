//! Redirects: followed with care, or not at all.

use assay_plugin::Value;

use crate::mock::{Mock, OK, header, headers, line};
use crate::{body, get, host, post, table};

fn to(status: u16, location: &str) -> String {
    format!(
        "HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

fn secrets() -> (&'static str, Value) {
    let headers = [
        ("X-Vault-Token", "s.1".into()),
        ("Authorization", "x".into()),
        ("Cookie", "c".into()),
    ];
    ("headers", table(headers))
}

#[test]
fn same_origin_keeps_headers() {
    let mock = Mock::new([to(302, "../b?x=1"), OK.to_owned()]);
    let response = get(&mock.url("/a/a"), table([secrets()])).unwrap();
    assert_eq!(body(&response), b"ok");
    assert_eq!(
        response.get("url").unwrap().as_str(),
        Some(&*mock.url("/b?x=1"))
    );
    assert_eq!(line(&mock.request()), "GET /a/a HTTP/1.1");
    let second = mock.request();
    assert_eq!(line(&second), "GET /b?x=1 HTTP/1.1");
    assert_eq!(header(&second, "x-vault-token"), Some("s.1"));
}

#[test]
fn another_origin_gets_none_of_the_callers_headers() {
    let other = Mock::new([OK]);
    // Another port is another origin; a user in the location is not taken either.
    let location = other.url("/x").replace("http://", "http://user:pass@");
    let mock = Mock::new([to(307, &location)]);
    let host = host();
    let options = table([("headers", table([("X-Client", "c".into())]))]);
    let Value::Object(client) = host.call("client", (options,)).unwrap() else {
        panic!("no client")
    };
    let _: Value = host
        .method(&client, "get", (mock.url("/"), table([secrets()])))
        .unwrap();
    assert_eq!(header(&mock.request(), "x-client"), Some("c"));
    let request = other.request();
    for name in ["x-vault-token", "authorization", "cookie", "x-client"] {
        assert_eq!(header(&request, name), None, "{name}");
    }
    assert_eq!(headers(&request, "user-agent").len(), 1);
}

#[test]
fn methods_and_bodies() {
    for (status, method, with_body) in [
        (301, "GET", false),
        (302, "GET", false),
        (303, "GET", false),
        (307, "POST", true),
        (308, "POST", true),
    ] {
        let mock = Mock::new([to(status, "/next"), OK.to_owned()]);
        post(&mock.url("/"), table([("a", Value::Int(1))]), Value::Nil).unwrap();
        mock.request();
        let request = mock.request();
        assert_eq!(
            line(&request),
            format!("{method} /next HTTP/1.1"),
            "{status}"
        );
        assert_eq!(request.ends_with("{\"a\":1}"), with_body, "{status}");
        assert_eq!(
            header(&request, "content-type").is_some(),
            with_body,
            "{status}"
        );
    }
    let mock = Mock::new([to(303, "/next"), "HTTP/1.1 200 OK\r\n\r\n".into()]);
    let _: Value = host().call("head", (mock.url("/"),)).unwrap();
    mock.request();
    assert_eq!(line(&mock.request()), "HEAD /next HTTP/1.1");
}

#[test]
fn can_be_turned_off() {
    let mock = Mock::new([to(302, "/next"), to(302, "/next")]);
    let off = || table([("follow_redirects", Value::Bool(false))]);
    let response = get(&mock.url("/"), off()).unwrap();
    assert_eq!(response.get("status"), Some(&Value::Int(302)));
    assert_eq!(
        response
            .get("headers")
            .unwrap()
            .get("location")
            .unwrap()
            .as_str(),
        Some("/next")
    );
    let host = host();
    let Value::Object(client) = host.call("client", (off(),)).unwrap() else {
        panic!("no client")
    };
    let response: Value = host.method(&client, "get", (mock.url("/"),)).unwrap();
    assert_eq!(response.get("status"), Some(&Value::Int(302)));
}

#[test]
fn end_somewhere() {
    let mock = Mock::new([to(302, "/1"), to(302, "/2"), to(302, "/3")]);
    let error = get(
        &mock.url("/?secret=1"),
        table([("max_redirects", Value::Int(2))]),
    )
    .unwrap_err();
    assert_eq!(error.kind(), "redirect");
    assert_eq!(
        error.message(),
        format!("redirect: more than 2 redirects ({})", mock.url("/2"))
    );
    for location in ["gopher://x/", "http://[", "/\u{1}\u{2}\u{ff}"] {
        let mock = Mock::new([to(302, location)]);
        let result = get(&mock.url("/"), Value::Nil);
        assert!(
            result.is_err_and(|error| ["redirect", "response"].contains(&error.kind())),
            "{location}"
        );
    }
}

#[test]
fn every_hop_asks_for_permission() {
    let target = Mock::new([OK]);
    let mock = Mock::new([to(302, &target.url("/"))]);
    let host = host();
    host.deny(&format!("net.connect 127.0.0.1:{}", target.port));
    let error = host.call::<Value>("get", (mock.url("/"),)).unwrap_err();
    assert_eq!(error.kind(), "permission");
    assert_eq!(
        error.message(),
        format!("not allowed: net 127.0.0.1:{}", target.port)
    );
    mock.request();
    assert!(target.quiet());
}
