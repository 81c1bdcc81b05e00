//! What needs no server that speaks WebSocket: permissions, and that nothing is tried before they
//! are granted. The rest is `tests/ws`, against Python's `websockets`.

use std::io::ErrorKind;
use std::net::TcpListener;

use assay_plugin::test::Host;
use assay_plugin::{AnyObject, Error, Value};

fn connect(host: &Host, url: &str, opts: Value) -> Error {
    match host.call::<AnyObject>("connect", (url, opts)) {
        Ok(_) => panic!("{url}: connected"),
        Err(error) => error,
    }
}

/// A server that nobody may reach.
fn untouched() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn names_and_addresses_are_asked_for() {
    let (listener, port) = untouched();
    let host = Host::new(&assay_ws::ASSAY_PLUGIN);
    host.deny(&format!("net.connect localhost:{port}"));
    let error = connect(&host, &format!("ws://localhost:{port}/"), Value::Nil);
    assert_eq!(error.kind(), "permission");
    assert_eq!(
        error.message(),
        format!("not allowed: net localhost:{port}")
    );

    // Whatever the name leads to.
    let host = Host::new(&assay_ws::ASSAY_PLUGIN);
    host.deny("net.address");
    let error = connect(&host, &format!("ws://localhost:{port}/"), Value::Nil);
    assert_eq!(error.kind(), "permission");
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        ErrorKind::WouldBlock,
        "somebody connected"
    );
}

#[test]
fn certificates_are_asked_for() {
    let host = Host::new(&assay_ws::ASSAY_PLUGIN);
    host.deny("fs.read");
    for name in ["ca_cert", "client_cert"] {
        let opts = Value::Map(vec![(name.into(), "/etc/hostname".into())]);
        let error = connect(&host, "wss://127.0.0.1:1/", opts);
        assert_eq!(error.kind(), "permission", "{name}");
    }
}

#[test]
fn ports_follow_from_the_scheme() {
    for (url, target) in [
        ("ws://127.0.0.1/", "127.0.0.1:80"),
        ("wss://127.0.0.1/", "127.0.0.1:443"),
        ("wss://[::1]:8443/", "[::1]:8443"),
    ] {
        let host = Host::new(&assay_ws::ASSAY_PLUGIN);
        host.deny("net.connect");
        let error = connect(&host, url, Value::Nil);
        assert_eq!(error.message(), format!("not allowed: net {target}"));
    }
}
