//! Which way a request goes: proxies, sockets, and what the script may reach.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;

use assay_plugin::test::Host;
use assay_plugin::{AnyObject, Error, Value};

use crate::mock::{Mock, OK, header, line, read};
use crate::{body, host, list, table};

fn client<const N: usize>(host: &Host, options: [(&str, Value); N]) -> AnyObject {
    match host.call("client", (table(options),)).unwrap() {
        Value::Object(client) => client,
        other => panic!("no client: {other:?}"),
    }
}

fn get(host: &Host, client: &AnyObject, url: &str) -> Result<Value, Error> {
    host.method(client, "get", (url,))
}

#[test]
fn plain_http_goes_to_the_proxy_with_its_password() {
    let proxy = Mock::new([OK, OK]);
    let host = host();
    let url = format!("http://us%40er:secret@127.0.0.1:{}", proxy.port);
    let client = client(
        &host,
        [
            ("proxy", url.as_str().into()),
            ("no_proxy", list(["127.0.0.0/8"])),
        ],
    );
    let response = get(&host, &client, "http://example.test/a?b=c").unwrap();
    assert_eq!(body(&response), b"ok");
    let request = proxy.request();
    assert_eq!(line(&request), "GET http://example.test/a?b=c HTTP/1.1");
    assert_eq!(header(&request, "host"), Some("example.test"));
    assert_eq!(
        header(&request, "proxy-authorization"),
        Some("Basic dXNAZXI6c2VjcmV0")
    );
    // What `no_proxy` lists does not pass it, nor gets its password.
    let direct = Mock::new([OK]);
    get(&host, &client, &direct.url("/")).unwrap();
    let request = direct.request();
    assert_eq!(line(&request), "GET / HTTP/1.1");
    assert_eq!(header(&request, "proxy-authorization"), None);
    assert!(proxy.quiet());
}

#[test]
fn https_asks_the_proxy_for_a_tunnel() {
    let proxy = Mock::new([
        "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
    ]);
    let host = host();
    let client = client(
        &host,
        [(
            "proxy",
            format!("http://user:secret@127.0.0.1:{}", proxy.port)
                .as_str()
                .into(),
        )],
    );
    let error = get(&host, &client, "https://example.test/p?token=x").unwrap_err();
    assert_eq!(error.kind(), "proxy");
    assert_eq!(
        error.message(),
        format!(
            "proxy: http://127.0.0.1:{}: 407 Proxy Authentication Required for example.test:443 (https://example.test/p?...)",
            proxy.port
        )
    );
    assert!(error.hint_text().unwrap().contains("user:password@"));
    let request = proxy.request();
    assert_eq!(line(&request), "CONNECT example.test:443 HTTP/1.1");
    assert_eq!(
        header(&request, "proxy-authorization"),
        Some("Basic dXNlcjpzZWNyZXQ=")
    );
    let error = get(&host, &client, "https://example.test/").unwrap_err();
    assert!(
        error
            .message()
            .contains("502 Bad Gateway for example.test:443"),
        "{error}"
    );
}

#[test]
fn a_proxy_that_fails_is_named_without_its_password() {
    let host = host();
    let client = client(&host, [("proxy", "http://user:secret@127.0.0.1:1".into())]);
    for url in ["http://example.test/", "https://example.test/"] {
        let error = get(&host, &client, url).unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (
                "proxy",
                &*format!("proxy: http://127.0.0.1:1: connection refused ({url})")
            )
        );
    }
    for (proxy, message) in [
        (
            Value::Int(1),
            "option `proxy`: expected a URL, or false for none",
        ),
        (
            "ftp://u:secret@p".into(),
            "option `proxy`: expected a URL of http, https or socks5, got `ftp:`",
        ),
    ] {
        let error = host
            .call::<Value>("client", (table([("proxy", proxy)]),))
            .unwrap_err();
        assert_eq!(error.message(), message);
    }
    let error = host
        .call::<Value>("client", (table([("no_proxy", "x".into())]),))
        .unwrap_err();
    assert_eq!(error.message(), "option `no_proxy` goes with `proxy`");
}

/// The server's half of RFC 1928 and 1929, and one answer.
fn socks(listener: &TcpListener) -> Vec<u8> {
    let (mut stream, _) = listener.accept().unwrap();
    let take = |stream: &mut TcpStream, count: usize| {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).unwrap();
        bytes
    };
    let mut seen = take(&mut stream, 3);
    stream.write_all(&[5, 2]).unwrap();
    // Version, user, password; then version, connect, a name and a port.
    seen.extend(take(&mut stream, 2 + 4 + 1 + 6));
    stream.write_all(&[1, 0]).unwrap();
    seen.extend(take(&mut stream, 5 + 12 + 2));
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
    assert!(read(&mut stream).starts_with("GET /x HTTP/1.1\r\n"));
    stream.write_all(OK.as_bytes()).unwrap();
    seen
}

#[test]
fn socks_resolves_the_name_and_is_told_the_password() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || socks(&listener));
    let host = host();
    let client = client(
        &host,
        [(
            "proxy",
            format!("socks5://user:secret@127.0.0.1:{port}")
                .as_str()
                .into(),
        )],
    );
    assert_eq!(
        body(&get(&host, &client, "http://example.test/x").unwrap()),
        b"ok"
    );
    let seen = server.join().unwrap();
    assert_eq!(&seen[..3], [5, 1, 2]);
    assert_eq!(&seen[3..16], b"\x01\x04user\x06secret");
    assert_eq!(&seen[16..], b"\x05\x01\x00\x03\x0cexample.test\x00\x50");
}

#[test]
fn a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = read(&mut stream);
        stream.write_all(OK.as_bytes()).unwrap();
        request
    });
    let host = host();
    let option = || ("unix_socket", path.to_str().unwrap().into());
    let client_of_socket = client(&host, [option()]);
    assert_eq!(
        body(&get(&host, &client_of_socket, "/version").unwrap()),
        b"ok"
    );
    let request = server.join().unwrap();
    assert_eq!(line(&request), "GET /version HTTP/1.1");
    assert_eq!(header(&request, "host"), Some("localhost"));

    let missing = client(&host, [("unix_socket", "/no/such/socket".into())]);
    let error = get(&host, &missing, "/").unwrap_err();
    assert_eq!(
        error.message(),
        "connect: /no/such/socket: no such file or directory (http://localhost/)"
    );
    host.deny(&format!("net.connect unix:{}", path.display()));
    let denied = client(&host, [option()]);
    assert_eq!(get(&host, &denied, "/").unwrap_err().kind(), "permission");
}

#[test]
fn names_are_allowed_and_then_the_addresses_that_they_have() {
    let mock = Mock::new([OK]);
    let by_name = mock.url("/").replace("127.0.0.1", "localhost");
    let port = mock.port;
    for (url, denied, message) in [
        (
            mock.url("/"),
            format!("net.address 127.0.0.1:{port} 127.0.0.1"),
            format!("not allowed: net 127.0.0.1:{port}"),
        ),
        (
            by_name.clone(),
            format!("net.connect localhost:{port}"),
            format!("not allowed: net localhost:{port}"),
        ),
    ] {
        let host = host();
        host.deny(&denied);
        let error = host.call::<Value>("get", (url,)).unwrap_err();
        assert_eq!((error.kind(), error.message()), ("permission", &*message));
    }
    let host = host();
    for address in ["127.0.0.1", "[::1]"] {
        host.deny(&format!("net.address {address}:{port} localhost"));
    }
    let error = host.call::<Value>("get", (by_name,)).unwrap_err();
    assert_eq!(error.kind(), "permission");
    assert!(error.message().ends_with("(localhost)"), "{error}");
    assert!(error.hint_text().unwrap().starts_with("--allow-net="));
    assert!(mock.quiet());
}

#[test]
fn a_proxy_needs_the_permission_too() {
    let proxy = Mock::new([OK]);
    let host = host();
    let port = proxy.port;
    let url = format!("http://127.0.0.1:{port}");
    for denied in [
        format!("net.connect 127.0.0.1:{port}"),
        format!("net.address 127.0.0.1:{port} 127.0.0.1"),
        "net.connect example.test:80".into(),
    ] {
        let host = crate::host();
        host.deny(&denied);
        let client = client(&host, [("proxy", url.as_str().into())]);
        let error = get(&host, &client, "http://example.test/").unwrap_err();
        assert_eq!(error.kind(), "permission", "{denied}: {error}");
    }
    // An address behind it is asked for as well.
    host.deny("net.address 169.254.169.254:80 169.254.169.254");
    let client = client(&host, [("proxy", url.as_str().into())]);
    let error = get(&host, &client, "http://169.254.169.254/").unwrap_err();
    assert_eq!(error.message(), "not allowed: net 169.254.169.254:80");
    assert!(proxy.quiet());
}

/// Answers whatever comes on one connection, then on the next.
fn keeps_alive() -> (u16, std::sync::mpsc::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, connections) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (mut stream, sender) = (stream.unwrap(), sender.clone());
            std::thread::spawn(move || {
                while !read(&mut stream).is_empty() {
                    let _ = sender.send(number);
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
                }
            });
        }
    });
    (port, connections)
}

#[test]
fn a_connection_of_one_vm_is_not_taken_by_another() {
    let (port, connections) = keeps_alive();
    let url = format!("http://localhost:{port}/");
    let (first, second) = (host(), host());
    for _ in 0..2 {
        first.call::<Value>("get", (url.as_str(),)).unwrap();
    }
    assert_eq!(
        [connections.recv().unwrap(), connections.recv().unwrap()],
        [0, 0],
        "it is kept"
    );
    // This one may not go where the kept connection leads.
    for address in ["127.0.0.1", "[::1]"] {
        second.deny(&format!("net.address {address}:{port} localhost"));
    }
    let error = second.call::<Value>("get", (url.as_str(),)).unwrap_err();
    assert_eq!(error.kind(), "permission");
    let third = host();
    third.call::<Value>("get", (url,)).unwrap();
    assert_eq!(connections.recv().unwrap(), 1, "a connection of its own");
}

#[test]
fn a_connect_timeout_is_for_tls_too() {
    // Accepts by itself, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let options = table([("connect_timeout", Value::Float(0.1))]);
    let error = crate::get(&url, options).unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (
            "timeout",
            &*format!("timeout: no connection within 0.1 s ({url})")
        )
    );
    assert!(error.hint_text().unwrap().contains("connect_timeout"));
}

#[test]
fn user_and_password_of_a_url_are_sent_but_not_shown() {
    let mock = Mock::new([OK, OK]);
    let url = mock.url("/").replace("http://", "http://us%40er:p%3Ass@");
    let response = crate::get(&url, Value::Nil).unwrap();
    assert_eq!(response.get("url").unwrap().as_str(), Some(&*mock.url("/")));
    assert_eq!(
        header(&mock.request(), "authorization"),
        Some("Basic dXNAZXI6cDpzcw==")
    );
    let own = table([("auth", table([("bearer", "t".into())]))]);
    crate::get(&url, own).unwrap();
    assert_eq!(header(&mock.request(), "authorization"), Some("Bearer t"));
}
