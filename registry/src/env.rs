//! Every environment variable that `assay-registry` reads, in one place.
//!
//! Two more are read by the libraries that need them: `SSL_CERT_FILE` and
//! `SSL_CERT_DIR` (other roots than the system's), and `HTTPS_PROXY`,
//! `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` (proxies).

use std::path::PathBuf;

/// The registry, `HOST/PATH` or `oci:DIR`, when no flag names one.
pub const ASSAY_REGISTRY: &str = "ASSAY_REGISTRY";
/// The cache's folder; default `$XDG_CACHE_HOME/assay`.
pub const ASSAY_CACHE: &str = "ASSAY_CACHE";
/// Roots, separated by colons; outside a project the first one is installed into.
pub const ASSAY_LIB_PATH: &str = "ASSAY_LIB_PATH";
/// The time in seconds that published files and images carry; default 0.
pub const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";
/// Any value turns colours off.
pub const NO_COLOR: &str = "NO_COLOR";

/// A variable's value, if it is set, not empty and UTF-8.
pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The folder for data: `$XDG_DATA_HOME/assay`, else `~/.local/share/assay`.
pub fn data_folder() -> Option<PathBuf> {
    folder("XDG_DATA_HOME", ".local/share")
}

/// The folder of the cache.
pub fn cache_folder() -> Option<PathBuf> {
    text(ASSAY_CACHE)
        .map(PathBuf::from)
        .or_else(|| folder("XDG_CACHE_HOME", ".cache"))
}

fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let base = text(variable)
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(text("HOME")?).join(below_home)));
    base.map(|base| base.join("assay"))
}
