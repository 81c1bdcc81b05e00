//! What is sent again.

use assay_plugin::Value;

use crate::mock::{Mock, OK, line};
use crate::{body, get, host, post, table};

const BUSY: &str = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const CUT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";

fn retries<const N: usize>(more: [(&str, Value); N]) -> Value {
    let Value::Map(mut pairs) = table(more) else {
        unreachable!()
    };
    pairs.push(("backoff".into(), Value::Float(0.001)));
    table([("retries", Value::Map(pairs))])
}

#[test]
fn failures_and_statuses_until_it_works() {
    let mock = Mock::new(["", BUSY, CUT, OK]);
    let options = retries([("attempts", Value::Int(4))]);
    assert_eq!(body(&get(&mock.url("/"), options).unwrap()), b"ok");
    for _ in 0..4 {
        assert_eq!(line(&mock.request()), "GET / HTTP/1.1");
    }
}

#[test]
fn the_last_attempt_is_the_answer() {
    let mock = Mock::new([BUSY, BUSY]);
    let response = get(&mock.url("/"), retries([("attempts", Value::Int(2))])).unwrap();
    assert_eq!(response.get("status"), Some(&Value::Int(503)));
    let mock = Mock::new(["", ""]);
    let error = get(&mock.url("/"), retries([("attempts", Value::Int(2))])).unwrap_err();
    assert_eq!(error.kind(), "response");
    mock.request();
    mock.request();
}

#[test]
fn nothing_is_sent_twice_without_being_asked() {
    let mock = Mock::new([BUSY, BUSY, BUSY, OK]);
    let status = |response: Value| response.get("status").cloned();
    assert_eq!(
        status(get(&mock.url("/"), Value::Nil).unwrap()),
        Some(Value::Int(503))
    );
    // A POST may have been done although nobody said so.
    let posted = post(&mock.url("/"), "x".into(), retries([])).unwrap();
    assert_eq!(status(posted), Some(Value::Int(503)));
    let methods = Value::List(vec!["post".into()]);
    let posted = post(&mock.url("/"), "x".into(), retries([("methods", methods)])).unwrap();
    assert_eq!(body(&posted), b"ok");
    for _ in 0..4 {
        mock.request();
    }
    assert!(mock.quiet());
}

#[test]
fn retry_after_is_honoured() {
    let later = |seconds: &str| {
        format!(
            "HTTP/1.1 429 x\r\nretry-after: {seconds}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
    };
    let mock = Mock::new([later("0"), OK.to_owned()]);
    // Waiting for the backoff instead would take for ever.
    let options = table([(
        "retries",
        table([
            ("backoff", Value::Int(1000)),
            ("max_backoff", Value::Int(1000)),
        ]),
    )]);
    assert_eq!(body(&get(&mock.url("/"), options).unwrap()), b"ok");
    let mock = Mock::new([later("31")]);
    let response = get(&mock.url("/"), retries([])).unwrap();
    assert_eq!(
        response.get("status"),
        Some(&Value::Int(429)),
        "longer than `max_backoff`"
    );
}

#[test]
fn what_cannot_pass_is_not_tried_again() {
    let large = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n012345678";
    let mock = Mock::new([large, OK]);
    let Value::Map(mut options) = retries([]) else {
        unreachable!()
    };
    options.push(("max_body".into(), Value::Int(5)));
    let error = get(&mock.url("/"), Value::Map(options)).unwrap_err();
    assert_eq!(error.kind(), "body");
    mock.request();
    assert!(mock.quiet());
}

#[test]
fn a_client_has_them_for_its_calls_and_a_call_has_its_own() {
    let mock = Mock::new([BUSY, OK, BUSY]);
    let host = host();
    let Value::Object(client) = host.call("client", (retries([]),)).unwrap() else {
        panic!("no client")
    };
    let response: Value = host.method(&client, "get", (mock.url("/"),)).unwrap();
    assert_eq!(body(&response), b"ok");
    let once = table([("retries", table([("attempts", Value::Int(1))]))]);
    let response: Value = host.method(&client, "get", (mock.url("/"), once)).unwrap();
    assert_eq!(response.get("status"), Some(&Value::Int(503)));
}

#[test]
fn options_are_validated() {
    for (name, value, message) in [
        (
            "attempts",
            Value::Int(0),
            "attempts`: expected 1 to 100, got 0",
        ),
        (
            "backoff",
            Value::Int(-1),
            "backoff`: expected seconds above 0 and up to 31536000, got -1",
        ),
        (
            "statuses",
            Value::List(vec![Value::Int(200)]),
            "statuses`: expected statuses from 400 to 599, got 200",
        ),
        (
            "methods",
            Value::List(vec!["GE T".into()]),
            "methods`: \"GE T\" is not a method",
        ),
    ] {
        let options = table([("retries", table([(name, value)]))]);
        let error = get("http://127.0.0.1:1/", options).unwrap_err();
        assert_eq!(error.message(), format!("option `retries.{message}"));
    }
}
