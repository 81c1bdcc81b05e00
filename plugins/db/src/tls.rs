//! Whether a connection is encrypted, and whom it trusts.

use assay_plugin::tls::rustls::ClientConfig;
use assay_plugin::tls::{Identity, Pem, Trust};
use assay_plugin::{Error, Result, did_you_mean};

/// As the option `tls` says.
pub struct Tls {
    pub mode: Mode,
    /// Roots beside the platform's.
    pub ca: Option<Pem>,
    /// The client's certificate and its key.
    pub identity: Option<(Pem, Pem)>,
}

/// How much of it. The names are libpq's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Disable,
    /// If the server can. Who is in between can say that it cannot.
    Prefer,
    /// Whoever the server is.
    Require,
    /// Its certificate is from somebody who is trusted, for whatever name.
    VerifyCa,
    /// And it is for the name that was connected to.
    VerifyFull,
}

const MODES: [(&str, Mode); 5] = [
    ("disable", Mode::Disable),
    ("prefer", Mode::Prefer),
    ("require", Mode::Require),
    ("verify-ca", Mode::VerifyCa),
    ("verify-full", Mode::VerifyFull),
];

impl Mode {
    /// From its name, or MySQL's name for it.
    pub fn read(text: &str) -> Result<Self> {
        let name = match &*text.to_ascii_lowercase().replace('_', "-") {
            "disabled" => "disable",
            "preferred" => "prefer",
            "required" => "require",
            "verify-identity" => "verify-full",
            other => return Self::named(other, text),
        };
        Self::named(name, text)
    }

    fn named(name: &str, text: &str) -> Result<Self> {
        if let Some((_, mode)) = MODES.iter().find(|(known, _)| *known == name) {
            return Ok(*mode);
        }
        let known = MODES.map(|(name, _)| name);
        let error = Error::argument(format!(
            "option `tls`: expected `{}`, got `{text}`",
            known.join("`, `")
        ));
        Err(match did_you_mean(name, known) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        })
    }

    pub fn name(self) -> &'static str {
        MODES
            .iter()
            .find(|(_, mode)| *mode == self)
            .map_or("", |(name, _)| name)
    }
}

impl Tls {
    /// For rustls.
    pub fn config(&self) -> Result<ClientConfig> {
        let trust = Trust {
            extra: match &self.ca {
                Some(pem) => pem.roots()?,
                None => Vec::new(),
            },
            insecure: matches!(self.mode, Mode::Prefer | Mode::Require),
            any_name: self.mode == Mode::VerifyCa,
        };
        let identity = match &self.identity {
            Some((certificate, key)) => Some(Identity::new(certificate, key)?),
            None => None,
        };
        trust.config(identity.as_ref())
    }
}
