//! Whom the client trusts.
//!
//! The platform's roots, since that is where a company's CA is installed and what `SSL_CERT_FILE`
//! and `SSL_CERT_DIR` replace; Mozilla's (built in) where the platform has none at all, as in an
//! image from scratch. They are read with the first TLS connection: scripts that only speak plain
//! HTTP do not wait for it.

use std::sync::{Arc, OnceLock};

use assay_plugin::{Cx, Error, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

/// Who is trusted beside the usual roots, or everybody.
#[derive(Default)]
pub struct Trust {
    /// Roots of the script's own.
    pub extra: Vec<CertificateDer<'static>>,
    /// Certificates are not verified.
    pub insecure: bool,
}

impl Trust {
    /// The configuration for connections.
    pub fn config(self) -> Result<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier {
            trust: self,
            provider: Arc::clone(&provider),
            webpki: OnceLock::new(),
        };
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new("tls", error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth())
    }
}

/// Certificates from PEM text, or from a file of it.
pub fn certificates(
    cx: &Cx,
    option: &str,
    path_or_pem: &str,
    may_be_pem: bool,
) -> Result<Vec<CertificateDer<'static>>> {
    let wrong = |what: String| Error::argument(format!("option `{option}`: {what}"));
    let inline = may_be_pem && path_or_pem.contains("-----BEGIN");
    let (place, pem) = if inline {
        ("the PEM text".to_owned(), path_or_pem.as_bytes().to_vec())
    } else {
        cx.require("fs.read", path_or_pem)?;
        #[expect(clippy::disallowed_methods, reason = "the message names the file")]
        let pem = std::fs::read(path_or_pem).map_err(|error| {
            wrong(format!(
                "cannot read {path_or_pem}: {}",
                crate::failure::reason(&error)
            ))
        })?;
        (path_or_pem.to_owned(), pem)
    };
    let found = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(format!("{place} is not valid PEM: {error}")))?;
    if found.is_empty() {
        return Err(wrong(format!("{place} holds no certificate"))
            .hint("a CA certificate begins with -----BEGIN CERTIFICATE-----"));
    }
    let mut store = RootCertStore::empty();
    for certificate in &found {
        store.add(certificate.clone()).map_err(|error| {
            wrong(format!(
                "{place} holds a certificate that cannot be a root: {error}"
            ))
        })?;
    }
    Ok(found)
}

/// Whether a server was refused only since its certificate is a CA's.
pub fn is_ca_as_server(error: &rustls::Error) -> bool {
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
            // What `openssl req -x509` makes is a CA that is its own server's certificate. Who passes
            // exactly that as `ca_cert` means it. Its dates are checked before its role, so what is
            // left is the name.
            Err(error)
                if is_ca_as_server(&error)
                    && self.trust.extra.iter().any(|known| known == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
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
