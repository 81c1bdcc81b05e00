//! The option `tls`: HTTPS on the VM's own thread.

use std::sync::Arc;

use assay_plugin::tls::rustls::ServerConfig;
use assay_plugin::tls::rustls::sign::SingleCertAndKey;
use assay_plugin::tls::{Identity, Pem, provider};
use assay_plugin::{Cx, Error, Result};
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    cert: String,
    key: String,
}

/// What makes TLS out of a connection.
pub fn acceptor(cx: &Cx, options: &Options) -> Result<TlsAcceptor> {
    let certificate = Pem::read(cx, "tls.cert", &options.cert)?;
    let identity = Identity::new(&certificate, &Pem::read(cx, "tls.key", &options.key)?)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new("tls", error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified_key())));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
