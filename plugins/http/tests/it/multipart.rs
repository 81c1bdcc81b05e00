//! `multipart/form-data` as it goes over the wire.

use assay_plugin::{Error, Value};

use crate::mock::{Mock, OK, header};
use crate::{host, list, post, table};

fn send(url: &str, parts: Value) -> Result<Value, Error> {
    post(url, Value::Nil, table([("multipart", parts)]))
}

/// The body, with `B` for the boundary.
fn body(request: &str) -> String {
    let content_type = header(request, "content-type").unwrap();
    let boundary = content_type
        .strip_prefix("multipart/form-data; boundary=")
        .unwrap();
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    body.replace(boundary, "B")
}

#[test]
fn parts_by_name_with_files_and_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.txt");
    // More than is read at once.
    let content = "0123456789".repeat(20_000);
    std::fs::write(&path, &content).unwrap();
    let mock = Mock::new([OK]);
    let parts = table([
        ("b", list(["x", "y"])),
        ("a", Value::Int(1)),
        (
            "file",
            table([
                ("path", path.to_str().unwrap().into()),
                ("content_type", "text/plain".into()),
            ]),
        ),
        (
            "raw",
            table([("data", "\0\n".into()), ("filename", "a\"b.bin".into())]),
        ),
    ]);
    send(&mock.url("/"), parts).unwrap();
    let request = mock.request();
    assert_eq!(
        header(&request, "transfer-encoding"),
        None,
        "its length is known"
    );
    let expected = format!(
        "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
         --B\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\nx\r\n\
         --B\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\ny\r\n\
         --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"report.txt\"\r\nContent-Type: text/plain\r\n\r\n{content}\r\n\
         --B\r\nContent-Disposition: form-data; name=\"raw\"; filename=\"a%22b.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\0\n\r\n\
         --B--\r\n"
    );
    assert!(
        body(&request) == expected,
        "{}",
        body(&request).replace(&content, "...")
    );
}

#[test]
fn a_list_keeps_its_order_and_a_redirect_repeats_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty");
    std::fs::write(&path, "").unwrap();
    let again =
        "HTTP/1.1 307 x\r\nlocation: /again\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let mock = Mock::new([again, OK]);
    let parts = Value::List(vec![
        table([("name", "z".into()), ("data", "1".into())]),
        table([
            ("name", "a".into()),
            ("path", path.to_str().unwrap().into()),
            ("filename", "other".into()),
        ]),
    ]);
    send(&mock.url("/"), parts).unwrap();
    let expected = "--B\r\nContent-Disposition: form-data; name=\"z\"\r\n\r\n1\r\n\
         --B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"other\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n\
         --B--\r\n";
    assert_eq!(body(&mock.request()), expected);
    assert_eq!(body(&mock.request()), expected);
}

#[test]
fn what_is_no_part_is_named() {
    let part = |pairs| table([("file", table(pairs))]);
    for (parts, message) in [
        (
            "x".into(),
            "option `multipart`: expected a table of parts, got string",
        ),
        (
            table([("file", Value::Map(vec![]))]),
            "option `multipart.file`: expected either `data` or `path`",
        ),
        (
            part([("path", "/no/such/file".into())]),
            "option `multipart.file`: cannot read /no/such/file: no such file or directory",
        ),
        (
            part([("path", "/".into())]),
            "option `multipart.file`: / is no file",
        ),
        (
            part([("file", "x".into())]),
            "option `multipart.file`: unknown option `file`",
        ),
        (
            Value::List(vec![table([("data", "x".into())])]),
            "option `multipart[1]`: `name` is missing",
        ),
        (
            table([(
                "file",
                table([("data", "x".into()), ("content_type", "a\nb".into())]),
            )]),
            "option `multipart.file`: `content_type` cannot be a header",
        ),
    ] {
        let error = send("http://127.0.0.1:1/", parts).unwrap_err();
        assert_eq!((error.kind(), error.message()), ("argument", message));
    }
    let both = table([
        ("multipart", table([("a", "b".into())])),
        ("headers", table([("content-type", "x/y".into())])),
    ]);
    let error = post("http://127.0.0.1:1/", Value::Nil, both).unwrap_err();
    assert!(
        error
            .message()
            .starts_with("header `content-type`: follows"),
        "{error}"
    );
    let host = host();
    host.deny("fs.read");
    let parts = part([("path", "/etc/passwd".into())]);
    let error = host
        .call::<Value>(
            "post",
            (
                "http://127.0.0.1:1/",
                Value::Nil,
                table([("multipart", parts)]),
            ),
        )
        .unwrap_err();
    assert_eq!(error.kind(), "permission");
}
