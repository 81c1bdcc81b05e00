//! Whom a client trusts and who it says it is: handshakes in memory, and the messages for what is no
//! certificate and no key.

use std::sync::Arc;

use assay_plugin::test::Host;
use assay_plugin::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use assay_plugin::tls::rustls::server::WebPkiClientVerifier;
use assay_plugin::tls::rustls::sign::SingleCertAndKey;
use assay_plugin::tls::rustls::{
    ClientConfig, ClientConnection, Error as TlsError, RootCertStore, ServerConfig,
    ServerConnection,
};
use assay_plugin::tls::{Identity, Pem, Trust, explain, provider};
use assay_plugin::{Cx, Error, Result, plugin};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose,
    IsCa, KeyPair,
};

/// Options are read with a context, which only a call has.
mod family {
    use super::*;

    pub fn roots(cx: Cx, option: &str, text: &str) -> Result<i64> {
        let pem = if option.ends_with("_file") {
            Pem::file(&cx, option, text)?
        } else {
            Pem::read(&cx, option, text)?
        };
        Ok(pem.roots()?.len() as i64)
    }

    pub fn identity(cx: Cx, certificate: &str, key: &str) -> Result<i64> {
        let certificate = Pem::read(&cx, "client_cert", certificate)?;
        let identity = Identity::new(&certificate, &Pem::read(&cx, "client_key", key)?)?;
        Ok(identity.certified_key().cert.len() as i64)
    }

    /// Whether a server that asks for `ca`'s certificates takes the client's.
    pub fn shake(cx: Cx, ca: &str, certificate: &str, key: &str) -> Result<bool> {
        let identity = Identity::new(
            &Pem::read(&cx, "client_cert", certificate)?,
            &Pem::read(&cx, "client_key", key)?,
        )?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(Pem::read(&cx, "ca", ca)?.roots()?);
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .unwrap();
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified_key())));
        let trust = || Trust {
            insecure: true,
            ..Trust::default()
        };
        let without = handshake(trust().config(None)?, server.clone(), "localhost");
        assert!(without.is_err(), "the server asks for a certificate");
        Ok(handshake(trust().config(Some(&identity))?, server, "localhost").is_ok())
    }

    plugin! {
        /// TLS options for the tests.
        name: "family",
        permissions: ["fs.read"],
        functions: {
            /// How many roots an option holds.
            fn roots = "fun(option: string, text: string): integer",
            /// How many certificates an identity has.
            fn identity = "fun(certificate: string, key: string): integer",
            /// Whether a handshake with client certificates succeeds.
            fn shake = "fun(ca: string, certificate: string, key: string): boolean",
        },
    }
}

fn host() -> Host {
    Host::new(&family::ASSAY_PLUGIN)
}

fn roots(option: &str, text: &str) -> Result<i64> {
    host().call("roots", (option, text))
}

fn identity(certificate: &str, key: &str) -> Result<i64> {
    host().call("identity", (certificate, key))
}

fn ca() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(ca: &CertifiedIssuer<'_, KeyPair>, name: &str) -> (Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    (params.signed_by(&key, ca).unwrap(), key)
}

/// As `openssl req -x509` makes them: a CA that is its own server's certificate.
fn self_signed(last_year: i32) -> (Certificate, KeyPair) {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = rcgen::date_time_ymd(last_year, 1, 1);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap(), key)
}

fn server(certificate: &Certificate, key: &KeyPair) -> ServerConfig {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap()
}

fn trusting(certificates: &[CertificateDer<'static>]) -> ClientConfig {
    let trust = Trust {
        extra: certificates.into(),
        insecure: false,
        ..Trust::default()
    };
    trust.config(None).unwrap()
}

fn handshake(client: ClientConfig, server: ServerConfig, name: &str) -> Result<(), TlsError> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut &wire[..]).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut &wire[..]).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn an_extra_ca_is_trusted_and_only_for_its_names() {
    let ca = ca();
    let (certificate, key) = signed(&ca, "localhost");
    let server = server(&certificate, &key);
    let known = || trusting(&[ca.der().clone()]);
    handshake(known(), server.clone(), "localhost").unwrap();
    let error = handshake(known(), server.clone(), "example.com").unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
    let error = handshake(trusting(&[]), server.clone(), "localhost").unwrap_err();
    let (reason, hint) = explain(&error, "`ca_cert`");
    assert_eq!(reason, "invalid peer certificate: UnknownIssuer");
    assert!(
        hint.unwrap()
            .starts_with("pass the CA as `ca_cert`, or set SSL_CERT_FILE")
    );
    let everybody = Trust {
        insecure: true,
        ..Trust::default()
    };
    handshake(everybody.config(None).unwrap(), server, "example.com").unwrap();
}

#[test]
fn a_self_signed_certificate_is_trusted_by_itself() {
    let (certificate, key) = self_signed(2099);
    let (other, _) = self_signed(2099);
    let server_of = server(&certificate, &key);
    handshake(
        trusting(&[certificate.der().clone()]),
        server_of.clone(),
        "localhost",
    )
    .unwrap();
    let error = handshake(
        trusting(&[other.der().clone()]),
        server_of.clone(),
        "localhost",
    )
    .unwrap_err();
    let (reason, hint) = explain(&error, "`ca_cert`");
    assert_eq!(reason, "the server's certificate is that of a CA");
    assert!(
        hint.unwrap()
            .ends_with("the certificate itself as `ca_cert`")
    );
    // Name and dates still count.
    let error = handshake(
        trusting(&[certificate.der().clone()]),
        server_of,
        "example.com",
    )
    .unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
    let (certificate, key) = self_signed(2001);
    let error = handshake(
        trusting(&[certificate.der().clone()]),
        server(&certificate, &key),
        "localhost",
    )
    .unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
}

#[test]
fn a_client_certificate_is_presented() {
    let ca = ca();
    let (certificate, key) = signed(&ca, "somebody");
    let (pem, key) = (certificate.pem(), key.serialize_pem());
    let shake = |ca: &str| host().call::<bool>("shake", (ca, pem.as_str(), key.as_str()));
    assert!(shake(&ca.pem()).unwrap());
    assert!(!shake(&self::ca().pem()).unwrap(), "of another CA");
}

#[test]
fn certificate_and_key_may_share_a_file_and_a_chain_follows() {
    let ca = ca();
    let (certificate, key) = signed(&ca, "somebody");
    let all = format!("{}{}{}", key.serialize_pem(), certificate.pem(), ca.pem());
    assert_eq!(identity(&all, &all).unwrap(), 2);
    let path = std::env::temp_dir().join(format!("assay-identity-{}.pem", std::process::id()));
    std::fs::write(&path, &all).unwrap();
    let found = identity(path.to_str().unwrap(), path.to_str().unwrap());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(found.unwrap(), 2);
}

#[test]
fn what_is_no_identity_names_its_option() {
    let ca = ca();
    let (certificate, key) = signed(&ca, "somebody");
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let other = KeyPair::generate().unwrap().serialize_pem();
    let refused = |certificate: &str, key: &str| -> String {
        let error = identity(certificate, key).unwrap_err();
        assert_eq!(error.kind(), "argument");
        error.message().to_owned()
    };
    assert_eq!(
        refused(&key, &key),
        "option `client_cert`: the PEM text holds no certificate"
    );
    assert_eq!(
        refused(&certificate, &certificate),
        "option `client_key`: the PEM text holds no private key"
    );
    assert_eq!(
        refused(&certificate, &other),
        "option `client_key`: the PEM text holds the key of another certificate than `client_cert`"
    );
    assert_eq!(
        refused(&certificate, "/no/such/key.pem"),
        "option `client_key`: cannot read /no/such/key.pem: no such file or directory"
    );
    for encrypted in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIF\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIF\n-----END RSA PRIVATE KEY-----\n",
    ] {
        assert_eq!(
            refused(&certificate, encrypted),
            "option `client_key`: the PEM text holds an encrypted key"
        );
    }
    assert_eq!(
        refused(
            &certificate,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
        ),
        "option `client_key`: the PEM text holds a key that cannot be used"
    );
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let message = refused(garbage, &key);
    assert!(
        message.starts_with(
            "option `client_cert`: the PEM text holds a certificate that cannot be read"
        ),
        "{message}"
    );
}

#[test]
fn what_is_no_root_names_its_option() {
    let message = |option, text: &str| roots(option, text).unwrap_err().message().to_owned();
    assert_eq!(
        message("ca_cert", "/no/such/ca.pem"),
        "option `ca_cert`: cannot read /no/such/ca.pem: no such file or directory"
    );
    assert_eq!(
        message("ca_cert_file", "/dev/null"),
        "option `ca_cert_file`: /dev/null holds no certificate"
    );
    let key = KeyPair::generate().unwrap().serialize_pem();
    assert_eq!(
        message("ca_cert", &key),
        "option `ca_cert`: the PEM text holds no certificate"
    );
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let found = message("ca_cert", garbage);
    assert!(
        found.starts_with(
            "option `ca_cert`: the PEM text holds a certificate that cannot be a root"
        ),
        "{found}"
    );
    let (certificate, _) = signed(&ca(), "localhost");
    assert_eq!(roots("ca_cert", &certificate.pem()).unwrap(), 1);
}

#[test]
fn secrets_in_the_wrong_place_are_not_repeated() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let error = roots("ca_cert_file", &key).unwrap_err();
    assert_eq!(
        error.message(),
        "option `ca_cert_file`: expected a path, got text of several lines"
    );
    // As a Kubernetes secret holds PEM text, and DER.
    for encoded in [
        "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0",
        "MIIEvQIBADANBgkqhkiG9w0B",
    ] {
        let error = identity(&ca().pem(), encoded).unwrap_err();
        let expected = "option `client_key`: neither PEM text nor a path, but something in base64";
        assert_eq!(error.message(), expected);
        assert!(error.hint_text().unwrap().contains("base64.decode"));
    }
}

#[test]
fn files_need_the_permission() {
    let host = host();
    host.deny("fs.read");
    let error: Error = host
        .call::<i64>("roots", ("ca_cert", "/etc/ca.pem"))
        .unwrap_err();
    assert_eq!(error.kind(), "permission");
    assert_eq!(error.message(), "not allowed: read /etc/ca.pem");
    // Text is no file.
    let text = host.call::<i64>("roots", ("ca_cert", ca().pem().as_str()));
    assert_eq!(text.unwrap(), 1);
}
