//! TLS for clients: whom they trust, and who they say they are (feature `tls`).
//!
//! Trusted are the platform's roots, since that is where a company's CA is installed and what
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` replace; Mozilla's (built in) where the platform has none at
//! all, as in an image from scratch. They are read with the first TLS connection: scripts that only
//! speak plain text do not wait for it.
//!
//! The configuration is [`rustls`]'s, over ring. What is spoken inside of TLS (ALPN) is the caller's
//! to set.
//!
//! ```
//! use assay_plugin::tls::{Identity, Pem, Trust};
//! use assay_plugin::{Cx, Result};
//!
//! fn config(cx: &Cx, ca_cert: &str, client_cert: &str, client_key: &str) -> Result<assay_plugin::tls::rustls::ClientConfig> {
//!     let trust = Trust {
//!         extra: Pem::read(cx, "ca_cert", ca_cert)?.roots()?,
//!         ..Trust::default()
//!     };
//!     let identity = Identity::new(
//!         &Pem::read(cx, "client_cert", client_cert)?,
//!         &Pem::read(cx, "client_key", client_key)?,
//!     )?;
//!     trust.config(Some(&identity))
//! }
//! ```

use std::sync::{Arc, OnceLock};

pub use rustls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};

use crate::{Cx, Error, Result};

/// Who is trusted beside the usual roots, or everybody.
#[derive(Default)]
pub struct Trust {
    /// Roots of the script's own.
    pub extra: Vec<CertificateDer<'static>>,
    /// Certificates are not verified.
    pub insecure: bool,
    /// Certificates are verified, but may be for any name.
    pub any_name: bool,
}

impl Trust {
    /// The configuration for connections, without ALPN.
    ///
    /// # Errors
    /// Kind `tls`, when rustls refuses its own defaults.
    pub fn config(self, identity: Option<&Identity>) -> Result<ClientConfig> {
        let provider = provider();
        let verifier = Verifier {
            trust: self,
            provider: Arc::clone(&provider),
            webpki: OnceLock::new(),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new("tls", error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        Ok(match identity {
            Some(Identity(key)) => {
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(key))))
            }
            None => builder.with_no_client_auth(),
        })
    }
}

/// A certificate with its chain, and the key that proves it: a client's, or a server's.
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// The first certificate of one text, whose chain follows it, with the key of another. Both may be
    /// the same text.
    ///
    /// # Errors
    /// Kind `argument`, naming the option: no certificate, no key, an encrypted key, or one that
    /// belongs to another certificate.
    pub fn new(certificate: &Pem, key: &Pem) -> Result<Self> {
        let chain = certificate.certificates()?;
        let Some(secret) = key.key()? else {
            let error = key.wrong(format_args!("{} holds no private key", key.place));
            return Err(error.hint(if key.option == certificate.option {
                "the key is in the same text, or an option of its own"
            } else {
                "a private key begins with -----BEGIN PRIVATE KEY-----"
            }));
        };
        let made = CertifiedKey::from_der(chain, secret, &provider());
        let made = made.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => key.wrong(format_args!(
                "{} holds the key of another certificate than `{}`",
                key.place, certificate.option
            )),
            rustls::Error::InvalidCertificate(_) => certificate.wrong(format_args!(
                "{} holds a certificate that cannot be read: {error}",
                certificate.place
            )),
            _ => key
                .wrong(format_args!(
                    "{} holds a key that cannot be used",
                    key.place
                ))
                .hint("keys are RSA from 2048 bits, ECDSA over P-256, P-384 or P-521, or Ed25519"),
        })?;
        Ok(Self(Arc::new(made)))
    }

    /// What rustls presents, for servers as well.
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }
}

/// PEM text of an option, or of the file that it names.
pub struct Pem {
    option: String,
    place: String,
    text: Vec<u8>,
}

impl Pem {
    /// From an option that is PEM text or a path.
    ///
    /// # Errors
    /// Kind `argument`, naming the option and the path; kind `permission` without `fs.read`.
    pub fn read(cx: &Cx, option: &str, path_or_pem: &str) -> Result<Self> {
        if path_or_pem.contains("-----BEGIN") {
            return Ok(Self {
                option: option.into(),
                place: "the PEM text".into(),
                text: path_or_pem.into(),
            });
        }
        Self::file(cx, option, path_or_pem)
    }

    /// From an option that is a path.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn file(cx: &Cx, option: &str, path: &str) -> Result<Self> {
        let mut pem = Self {
            option: option.into(),
            place: path.into(),
            text: Vec::new(),
        };
        // A secret in the wrong place must not end in a message.
        if path.contains('\n') {
            return Err(pem.wrong("expected a path, got text of several lines"));
        }
        // As DER and PEM begin in base64.
        if path.starts_with("MII") || path.starts_with("LS0tLS1") {
            return Err(pem
                .wrong("neither PEM text nor a path, but something in base64")
                .hint("`base64.decode` gives the PEM text of a Kubernetes secret"));
        }
        cx.require("fs.read", path)?;
        #[expect(clippy::disallowed_methods, reason = "the message names the file")]
        let read = std::fs::read(path);
        pem.text = read.map_err(|error| {
            pem.wrong(format_args!(
                "cannot read {path}: {}",
                crate::error::fragment(&error.to_string())
            ))
        })?;
        Ok(pem)
    }

    /// The text itself.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The certificates, of which there is at least one.
    ///
    /// # Errors
    /// Kind `argument`, naming the option and where its text came from.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>> {
        let found = CertificateDer::pem_slice_iter(&self.text)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.invalid(&error))?;
        if found.is_empty() {
            let error = self.wrong(format_args!("{} holds no certificate", self.place));
            return Err(error.hint("a certificate begins with -----BEGIN CERTIFICATE-----"));
        }
        Ok(found)
    }

    /// The certificates, each of which can be a root.
    ///
    /// # Errors
    /// As [`certificates`](Self::certificates).
    pub fn roots(&self) -> Result<Vec<CertificateDer<'static>>> {
        let found = self.certificates()?;
        let mut store = RootCertStore::empty();
        for certificate in &found {
            store.add(certificate.clone()).map_err(|error| {
                self.wrong(format_args!(
                    "{} holds a certificate that cannot be a root: {error}",
                    self.place
                ))
            })?;
        }
        Ok(found)
    }

    /// The first private key. An encrypted one is an error.
    fn key(&self) -> Result<Option<PrivateKeyDer<'static>>> {
        // As PKCS#8 and as older keys say so.
        let encrypted = [
            &b"-----BEGIN ENCRYPTED PRIVATE KEY-----"[..],
            b"Proc-Type: 4,ENCRYPTED",
        ];
        let holds = |mark: &&[u8]| self.text.windows(mark.len()).any(|part| part == *mark);
        if encrypted.iter().any(holds) {
            let error = self.wrong(format_args!("{} holds an encrypted key", self.place));
            return Err(error.hint("`openssl pkey -in FILE` prints it without its password"));
        }
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&self.text) {
            let (kind, der) = section.map_err(|error| self.invalid(&error))?;
            if let Some(key) = PrivateKeyDer::from_pem(kind, der) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn invalid(&self, error: &dyn std::fmt::Display) -> Error {
        self.wrong(format_args!("{} is not valid PEM: {error}", self.place))
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::argument(format!("option `{}`: {what}", self.option))
    }
}

/// The one cryptography that this process has.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(ring::default_provider())))
}

/// Why a handshake failed and what helps, where `ca_cert` says how a CA is passed: "`ca_cert` to
/// http.client".
pub fn explain(error: &rustls::Error, ca_cert: &str) -> (String, Option<String>) {
    if is_ca_as_server(error) {
        return (
            "the server's certificate is that of a CA".into(),
            Some(format!(
                "if this is meant, pass the certificate itself as {ca_cert}"
            )),
        );
    }
    let hint = match error {
        rustls::Error::InvalidCertificate(_) => Some(format!(
            "pass the CA as {ca_cert}, or set SSL_CERT_FILE to a bundle that has it"
        )),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            Some("the server asks for a client certificate: `client_cert` with `client_key`".into())
        }
        _ => None,
    };
    (error.to_string(), hint)
}

/// Whether a server was refused only since its certificate is a CA's.
fn is_ca_as_server(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            other.0.to_string() == "CaUsedAsEndEntity"
        }
        _ => false,
    }
}

struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    webpki: OnceLock<Result<Arc<WebPkiServerVerifier>, String>>,
}

impl Verifier {
    fn webpki(&self) -> Result<&Arc<WebPkiServerVerifier>, rustls::Error> {
        let verifier = self.webpki.get_or_init(|| {
            let mut roots = platform_roots().as_ref().map_err(Clone::clone)?.clone();
            roots.add_parsable_certificates(self.trust.extra.iter().cloned());
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
                .build()
                .map_err(|error| error.to_string())
        });
        verifier
            .as_ref()
            .map_err(|error| rustls::Error::General(error.clone()))
    }
}

fn platform_roots() -> &'static Result<RootCertStore, String> {
    static ROOTS: OnceLock<Result<RootCertStore, String>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if !roots.is_empty() {
            return Ok(roots);
        }
        // Somebody who says where the roots are must not silently get others.
        if let Some(variable) = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
            .into_iter()
            .find(|name| std::env::var_os(name).is_some())
        {
            let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
            return Err(format!(
                "{variable} leads to no CA certificate: {}",
                errors.join("; ")
            ));
        }
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Ok(roots)
    })
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.trust.insecure {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self.webpki()?.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.trust.any_name => Ok(ServerCertVerified::assertion()),
            // What `openssl req -x509` makes is a CA that is its own server's certificate. Who passes
            // exactly that as `ca_cert` means it. Its dates are checked before its role, so what is
            // left is the name.
            Err(error)
                if is_ca_as_server(&error)
                    && self.trust.extra.iter().any(|known| known == end_entity) =>
            {
                if !self.trust.any_name {
                    verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("insecure", &self.trust.insecure)
            .finish_non_exhaustive()
    }
}
