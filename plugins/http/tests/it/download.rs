//! `http.download`: all of it, or nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assay_plugin::{Error, Value};

use crate::mock::{Mock, OK, header};
use crate::{host, table};

/// Of "ok".
const DIGEST: &str = "2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df";

fn download(url: &str, path: &Path, options: Value) -> Result<i64, Error> {
    host().call("download", (url, path.to_str().unwrap(), options))
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_bytes_are_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let content: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
        content.len()
    )
    .into_bytes();
    answer.extend(&content);
    let mock = Mock::new([answer]);
    let headers = table([("headers", table([("x-token", "t".into())]))]);
    assert_eq!(download(&mock.url("/"), &path, headers).unwrap(), 300_000);
    assert!(std::fs::read(&path).unwrap() == content);
    assert_eq!(header(&mock.request(), "x-token"), Some("t"));
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn an_old_file_gives_way_with_its_mode_and_its_links() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("file"), folder.path().join("link"));
    std::fs::write(&path, "old").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("file", &link).unwrap();
    let mock = Mock::new([OK]);
    let options = table([("sha256", DIGEST.to_ascii_uppercase().as_str().into())]);
    assert_eq!(download(&mock.url("/"), &link, options).unwrap(), 2);
    assert_eq!(std::fs::read(&path).unwrap(), b"ok");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert!(link.is_symlink());
}

#[test]
fn whatever_fails_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "old").unwrap();
    let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let zeros = "0".repeat(64);
    let wrong = || table([("sha256", zeros.as_str().into())]);
    let small = || table([("max_size", Value::Int(1))]);
    for (answer, options, kind, message) in [
        (
            missing,
            Value::Nil,
            "status",
            "status: 404 Not Found".to_owned(),
        ),
        (cut, Value::Nil, "body", "body: ".into()),
        (
            OK,
            wrong(),
            "digest",
            format!("digest: sha256 is {DIGEST}, expected {zeros}"),
        ),
        (OK, small(), "body", "body: larger than 1 bytes".into()),
        (chunked, small(), "body", "body: larger than 1 bytes".into()),
    ] {
        let mock = Mock::new([answer]);
        let error = download(&mock.url("/"), &path, options).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.message().starts_with(&message), "{error}");
        assert!(
            error.message().ends_with(&format!("({})", mock.url("/"))),
            "{error}"
        );
        if message.contains("larger") {
            assert_eq!(error.hint_text(), Some("raise the option `max_size`"));
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["file"]);
    }
}

#[test]
fn it_is_tried_again_from_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";
    let busy = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let mock = Mock::new([cut, busy, OK]);
    let options = table([("retries", table([("backoff", Value::Float(0.001))]))]);
    assert_eq!(download(&mock.url("/"), &path, options).unwrap(), 2);
    assert_eq!(std::fs::read(&path).unwrap(), b"ok");
}

#[test]
fn what_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/such/folder/file");
    let mock = Mock::new([OK, OK]);
    let error = download(&mock.url("/"), &path, Value::Nil).unwrap_err();
    assert_eq!(error.kind(), "not_found");
    let message = format!("cannot write {}: no such file or directory", path.display());
    assert_eq!(error.message(), message);
    assert_eq!(error.hint_text(), Some("`fs.mkdir` makes the folder"));
    let error = download(&mock.url("/"), folder.path(), Value::Nil).unwrap_err();
    assert!(error.message().ends_with("it is no file"), "{error}");
    let short = table([("sha256", "abc".into())]);
    let error = download(&mock.url("/"), &path, short).unwrap_err();
    assert_eq!(
        error.message(),
        "option `sha256`: expected 64 hexadecimal digits, got \"abc\""
    );
    let host = host();
    host.deny("fs.write");
    let error = host
        .call::<i64>("download", (mock.url("/"), "/etc/x"))
        .unwrap_err();
    assert_eq!(error.kind(), "permission");
}
