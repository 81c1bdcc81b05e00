//! Bodies that are read as they come.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use assay_plugin::{AnyObject, Error, Value};

use crate::mock::{Mock, read};
use crate::{get, host, table};

fn streamed(url: &str, options: Value) -> AnyObject {
    let Value::Map(mut options) = options else {
        panic!("options")
    };
    options.push(("stream".into(), Value::Bool(true)));
    let response = get(url, Value::Map(options)).unwrap();
    let Some(Value::Object(body)) = response.get("body") else {
        panic!("no stream")
    };
    body.clone()
}

fn next(body: &AnyObject, max: Option<i64>) -> Result<Option<Vec<u8>>, Error> {
    host().method::<Option<Vec<u8>>>(body, "read", (max,))
}

#[test]
fn reads_by_size_and_to_the_end() {
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n012345\r\n3\r\n678\r\n0\r\n\r\n";
    let mock = Mock::new([chunked]);
    let body = streamed(&mock.url("/"), table([]));
    assert_eq!(next(&body, Some(4)).unwrap().as_deref(), Some(&b"0123"[..]));
    let mut rest = Vec::new();
    while let Some(chunk) = host()
        .method::<Option<Vec<u8>>>(&body, "__call", ())
        .unwrap()
    {
        rest.extend(chunk);
    }
    assert_eq!(rest, b"45678");
    assert_eq!(next(&body, None).unwrap(), None, "the end stays the end");
    let error = next(&body, Some(0)).unwrap_err();
    assert_eq!(error.kind(), "argument");
}

#[test]
fn closing_ends_it() {
    let mock = Mock::new(["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"]);
    let body = streamed(&mock.url("/"), table([]));
    host().method::<()>(&body, "close", ()).unwrap();
    assert_eq!(next(&body, None).unwrap(), None);
}

#[test]
fn failures_and_limits_raise_once() {
    let mock = Mock::new(["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"]);
    let body = streamed(&mock.url("/"), table([]));
    assert_eq!(next(&body, None).unwrap().as_deref(), Some(&b"abc"[..]));
    assert_eq!(next(&body, None).unwrap_err().kind(), "body");
    assert_eq!(next(&body, None).unwrap(), None);

    let mock = Mock::new(["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"]);
    let body = streamed(&mock.url("/"), table([("max_body", Value::Int(2))]));
    assert!(
        next(&body, None)
            .unwrap_err()
            .message()
            .starts_with("body: larger than 2 bytes")
    );
}

#[test]
fn a_sender_waits_for_a_reader_that_does_not_read() {
    const SIZE: usize = 64 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read(&mut stream);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let chunk = vec![b'x'; 1 << 16];
        while counted.load(Ordering::SeqCst) < SIZE {
            if stream.write_all(&chunk).is_err() {
                return;
            }
            counted.fetch_add(chunk.len(), Ordering::SeqCst);
        }
    });
    let body = streamed(&url, table([]));
    let mut received = next(&body, Some(1)).unwrap().unwrap().len();
    // It is held once what it has sent no longer grows.
    let mut before = usize::MAX;
    while before != sent.load(Ordering::SeqCst) {
        before = sent.load(Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(before < SIZE / 2, "{before} bytes were sent to nobody");
    while let Some(chunk) = next(&body, None).unwrap() {
        received += chunk.len();
    }
    assert_eq!(received, SIZE);
}
