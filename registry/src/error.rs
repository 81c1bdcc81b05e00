//! The error of this crate: opaque, with a kind to match on and a hint to show.

use std::error::Error as StdError;
use std::fmt;

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something failed, in a form that a person can act on.
///
/// `Display` is the message alone, without a final period. The cause is in
/// [`source`](StdError::source) and never repeated in the message.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What sort of failure an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The command line, a project file or a manifest is wrong.
    Usage,
    /// A package, version or registry does not exist.
    NotFound,
    /// No set of versions fits every requirement.
    Conflict,
    /// `assay.toml` and `assay.lock` disagree.
    Locked,
    /// The registry could not be reached, or answered with an error.
    Network,
    /// The registry refused the credentials, or wants some.
    Unauthorized,
    /// Bytes are not what their digest, size or format promises.
    Corrupt,
    /// The version is published already, with other bytes.
    Exists,
    /// The file system refused something.
    Io,
    /// This system cannot run the package.
    Unsupported,
}

impl Error {
    /// An error with a message that reads after "failed to ...".
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }))
    }

    /// Adds what the reader can do about it: a command or a fix.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Puts what was being done around this error; its kind and hint stay.
    #[must_use]
    pub fn context(self, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind: self.0.kind,
            message: message.into(),
            hint: self.0.hint.clone(),
            source: Some(Box::new(self)),
        }))
    }

    /// What sort of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

/// `fs_err` puts the path into its messages, so the message needs no more.
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        // An `Error` that travelled through an `io::Read` comes out as it went in.
        if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
            let inner = error
                .into_inner()
                .and_then(|inner| inner.downcast::<Error>().ok());
            return inner.map_or_else(|| Error::new(ErrorKind::Io, "unknown I/O error"), |e| *e);
        }
        let hint = match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                Some("check who owns the path, or choose another one with --root or ASSAY_CACHE")
            }
            std::io::ErrorKind::StorageFull => Some("free some disk space and run it again"),
            _ => None,
        };
        let wrapped = Error::new(ErrorKind::Io, error.to_string());
        match hint {
            Some(hint) => wrapped.with_hint(hint),
            None => wrapped,
        }
    }
}

/// Shorthands for the kinds that are raised in many places.
macro_rules! shorthand {
    ($($name:ident => $kind:ident),+ $(,)?) => {$(
        pub(crate) fn $name(message: impl Into<String>) -> Error {
            Error::new(ErrorKind::$kind, message)
        }
    )+};
}
shorthand! { usage => Usage, not_found => NotFound, corrupt => Corrupt, network => Network }
