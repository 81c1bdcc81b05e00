//! A transfer that fails says in which phase.

use std::io::Write;
use std::net::TcpListener;

use assay_plugin::Value;

use crate::mock::{Mock, read};
use crate::{get, table};

#[track_caller]
fn fails(url: &str, options: Value, kind: &str, message: &str) {
    let error = get(url, options).unwrap_err();
    assert_eq!((error.kind(), error.message()), (kind, message));
}

#[test]
fn connect() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://user:pass@127.0.0.1:{port}/p?token=secret");
    let message = format!("connect: connection refused (http://127.0.0.1:{port}/p?...)");
    fails(&url, Value::Nil, "connect", &message);
}

#[test]
fn dns() {
    let error = get("http://no-such-host.invalid/", Value::Nil).unwrap_err();
    assert_eq!(error.kind(), "dns");
    assert!(
        error
            .message()
            .starts_with("dns: cannot resolve no-such-host.invalid: "),
        "{error}"
    );
    assert!(
        error.message().ends_with(" (http://no-such-host.invalid/)"),
        "{error}"
    );
}

#[test]
fn timeout_before_and_in_the_body() {
    for (answer, what) in [
        ("", "no answer"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab",
            "the body did not end",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            read(&mut stream);
            stream.write_all(answer.as_bytes()).unwrap();
            // Until the client hangs up.
            read(&mut stream);
        });
        let options = table([("timeout", Value::Float(0.2))]);
        fails(
            &url,
            options,
            "timeout",
            &format!("timeout: {what} within 0.2 s ({url})"),
        );
        server.join().unwrap();
    }
}

#[test]
fn closed_without_an_answer() {
    let mock = Mock::new([""]);
    let url = mock.url("/");
    fails(
        &url,
        Value::Nil,
        "response",
        &format!("response: the connection was closed before the end ({url})"),
    );
}

#[test]
fn not_http() {
    let mock = Mock::new(["SSH-2.0-OpenSSH_9.6\r\n"]);
    let error = get(&mock.url("/"), Value::Nil).unwrap_err();
    assert_eq!(error.kind(), "response");
    assert!(
        error
            .message()
            .starts_with("response: invalid HTTP version parsed"),
        "{error}"
    );
}

#[test]
fn cut_in_the_body() {
    let mock = Mock::new(["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"]);
    let error = get(&mock.url("/"), Value::Nil).unwrap_err();
    assert_eq!(error.kind(), "body");
    assert!(error.message().starts_with("body: "), "{error}");
}

#[test]
fn too_large() {
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n0123456789a";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n012345\r\n5\r\n6789a\r\n0\r\n\r\n";
    for answer in [announced, chunked] {
        let mock = Mock::new([answer, answer]);
        let url = mock.url("/");
        let options = |max| table([("max_body", Value::Int(max))]);
        fails(
            &url,
            options(10),
            "body",
            &format!("body: larger than 10 bytes ({url})"),
        );
        get(&url, options(11)).unwrap();
    }
}
