//! What happens meanwhile, for whoever wants to show it.

use std::path::Path;
use std::time::Duration;

use semver::Version;

use crate::name::PackageName;
use crate::source::SourceName;

/// One thing that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Another process holds the root; this one waits for it.
    Waiting(&'a Path),
    /// Versions are being looked up.
    Resolving(&'a SourceName),
    /// Bytes of a blob arrived.
    Downloading {
        /// Whose blob.
        package: &'a PackageName,
        /// Bytes so far.
        done: u64,
        /// Bytes in the end.
        total: u64,
    },
    /// A request is tried again.
    Retrying {
        /// The registry.
        host: &'a str,
        /// What happened to the last try.
        reason: &'a str,
        /// How long until the next one.
        wait: Duration,
    },
    /// A package is in the root now.
    Installed(&'a PackageName, &'a Version),
    /// A package was in the root already.
    Kept(&'a PackageName, &'a Version),
    /// A package is not in the root any more.
    Removed(&'a PackageName, &'a Version),
    /// A blob is being sent.
    Uploading {
        /// Whose blob.
        package: &'a PackageName,
        /// Its size.
        total: u64,
    },
}

/// Receives events, from several threads at once.
pub trait Progress: Send + Sync {
    /// Called for each event.
    fn event(&self, event: &Event<'_>);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _event: &Event<'_>) {}
}
