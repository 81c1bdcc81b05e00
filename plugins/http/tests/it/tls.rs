//! Whom the client trusts, and what it says when it does not.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;

use assay_plugin::tls::rustls;
use assay_plugin::{Error, Value};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::mock::{OK, read};
use crate::{body, host, table};

/// A server whose certificate, for `localhost`, is from the CA whose PEM comes with its URL.
fn server(connections: usize) -> (String, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &ca)
        .unwrap();
    let url = serve(certificate.der().clone(), &key, connections);
    (url, ca.pem())
}

fn serve(certificate: CertificateDer<'static>, key: &KeyPair, connections: usize) -> String {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for _ in 0..connections {
            let (mut stream, _) = listener.accept().unwrap();
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = Stream::new(&mut connection, &mut stream);
            let request = read(&mut tls);
            if !request.is_empty() {
                let answer = if request.starts_with("POST") {
                    AWAY
                } else {
                    OK
                };
                tls.write_all(answer.as_bytes()).unwrap();
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        }
    });
    format!("https://localhost:{port}/")
}

/// Where nothing listens.
const AWAY: &str =
    "HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:1/?a\r\ncontent-length: 0\r\n\r\n";

fn get_with(options: Value, url: &str) -> Result<Value, Error> {
    let host = host();
    let Value::Object(client) = host.call("client", (options,))? else {
        panic!("no client")
    };
    host.method(&client, "get", (url,))
}

#[test]
fn an_unknown_authority_is_refused_with_a_hint() {
    let (url, _) = server(1);
    let error = get_with(Value::Nil, &url).unwrap_err();
    assert_eq!(error.kind(), "tls");
    assert!(
        error
            .message()
            .starts_with("tls: invalid peer certificate: UnknownIssuer"),
        "{error}"
    );
    assert!(error.message().ends_with(&format!("({url})")), "{error}");
    assert!(error.hint_text().unwrap().contains("ca_cert"));
}

#[test]
fn a_ca_is_added_from_text_and_file() {
    let (url, pem) = server(3);
    assert_eq!(
        body(&get_with(table([("ca_cert", pem.as_str().into())]), &url).unwrap()),
        b"ok"
    );
    let path = std::env::temp_dir().join(format!("assay-http-ca-{}.pem", std::process::id()));
    std::fs::write(&path, &pem).unwrap();
    for option in ["ca_cert", "ca_cert_file"] {
        let path = path.to_str().unwrap();
        assert_eq!(
            body(&get_with(table([(option, path.into())]), &url).unwrap()),
            b"ok"
        );
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn the_name_must_fit_unless_nothing_is_verified() {
    let (url, pem) = server(2);
    let url = url.replace("localhost", "127.0.0.1");
    let error = get_with(table([("ca_cert", pem.as_str().into())]), &url).unwrap_err();
    assert!(
        error
            .message()
            .starts_with("tls: invalid peer certificate: certificate not valid for name"),
        "{error}"
    );
    assert_eq!(
        body(&get_with(table([("insecure", Value::Bool(true))]), &url).unwrap()),
        b"ok"
    );
}

#[test]
fn what_is_no_certificate_is_named() {
    let refused =
        |option: &str, text: &str| get_with(table([(option, text.into())]), "").unwrap_err();
    let key = KeyPair::generate().unwrap().serialize_pem();
    let error = refused("ca_cert", &key);
    assert_eq!(
        error.message(),
        "option `ca_cert`: the PEM text holds no certificate"
    );
    let error = refused("ca_cert_file", "/dev/null");
    assert_eq!(
        error.message(),
        "option `ca_cert_file`: /dev/null holds no certificate"
    );
    let error = refused("client_key", &key);
    assert_eq!(error.message(), "option `client_cert` is missing");
    let error = refused("client_cert", &server(0).1);
    assert_eq!(
        error.message(),
        "option `client_cert`: the PEM text holds no private key"
    );
}

#[test]
fn a_server_that_wants_a_client_certificate_says_so() {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &ca)
        .unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "https://localhost:{}/",
        listener.local_addr().unwrap().port()
    );
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
        assert_eq!(read(&mut Stream::new(&mut connection, &mut stream)), "");
        // Until the client hangs up: what it sent and nobody read would take the alert with it.
        std::io::copy(&mut stream, &mut std::io::sink())
    });
    let error = get_with(table([("ca_cert", ca.pem().as_str().into())]), &url).unwrap_err();
    assert_eq!(error.kind(), "tls", "{error}");
    assert!(error.message().contains("CertificateRequired"), "{error}");
    assert!(error.hint_text().unwrap().contains("`client_cert`"));
}

#[test]
fn a_redirect_does_not_take_a_body_out_of_tls() {
    let (url, pem) = server(1);
    let host = host();
    let options = table([("ca_cert", pem.as_str().into())]);
    let Value::Object(client) = host.call("client", (options,)).unwrap() else {
        panic!("no client")
    };
    let result = host.method::<Value>(&client, "post", (url.as_str(), "secret"));
    let error = result.unwrap_err();
    assert_eq!(error.kind(), "redirect");
    let message = "redirect: would send the body without TLS to http://127.0.0.1:1/?...";
    assert_eq!(error.message(), format!("{message} ({url})"));
}

#[test]
fn plain_text_on_a_tls_port_is_a_tls_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        // Until the client hangs up.
        read(&mut stream);
    });
    let error = get_with(Value::Nil, &url).unwrap_err();
    assert_eq!(error.kind(), "tls", "{error}");
}
