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
/// User name for the registry that a command works with.
pub const ASSAY_REGISTRY_USERNAME: &str = "ASSAY_REGISTRY_USERNAME";
/// Password for the registry that a command works with.
pub const ASSAY_REGISTRY_PASSWORD: &str = "ASSAY_REGISTRY_PASSWORD";
/// Bearer token for the registry that a command works with, sent as it is.
pub const ASSAY_REGISTRY_TOKEN: &str = "ASSAY_REGISTRY_TOKEN";
/// A file with credentials, in the form of containers' `auth.json`; then no other
/// file is read.
pub const REGISTRY_AUTH_FILE: &str = "REGISTRY_AUTH_FILE";
/// The folder of docker's `config.json` or of a mounted `.dockerconfigjson`.
pub const DOCKER_CONFIG: &str = "DOCKER_CONFIG";
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

/// The files that may hold credentials, first come first served.
pub fn credential_files() -> Vec<PathBuf> {
    if let Some(file) = text(REGISTRY_AUTH_FILE) {
        return vec![file.into()];
    }
    let home = text("HOME").map(PathBuf::from);
    let config = text("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(home.as_ref()?.join(".config")));
    let docker = text(DOCKER_CONFIG)
        .map(PathBuf::from)
        .or_else(|| Some(home.as_ref()?.join(".docker")));
    let runtime = text("XDG_RUNTIME_DIR").map(PathBuf::from);
    [
        runtime.map(|folder| folder.join("containers/auth.json")),
        config.map(|folder| folder.join("containers/auth.json")),
        docker.as_ref().map(|folder| folder.join("config.json")),
        docker
            .as_ref()
            .map(|folder| folder.join(".dockerconfigjson")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let base = text(variable)
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(text("HOME")?).join(below_home)));
    base.map(|base| base.join("assay"))
}
