//! Where packages come from and go to: a layout directory or a registry.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use semver::Version;

use crate::digest::Digest;
use crate::error::{Result, corrupt, usage};
use crate::name::PackageName;
use crate::oci::{self, Descriptor};
use crate::platform::Platform;

/// The place that a person named: `oci:DIR` or `HOST/PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceName {
    /// An OCI layout directory.
    Layout(PathBuf),
    /// A registry and the path below which packages are.
    Registry {
        /// Host and, if any, port.
        host: String,
        /// `developerinlondon/assay`; may be empty.
        prefix: String,
    },
}

impl SourceName {
    /// Reads a name; a relative `oci:` path is relative to `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Self> {
        let hint = "a source is oci:DIR or HOST/PATH, for example oci:./packages or ghcr.io/developerinlondon/assay";
        if let Some(path) = text.strip_prefix("oci:") {
            if path.is_empty() {
                return Err(usage("`oci:` names no directory").with_hint(hint));
            }
            return Ok(SourceName::Layout(tidy(&base.join(path))));
        }
        let bad = || usage(format!("`{text}` is not a source of packages")).with_hint(hint);
        if text.contains("://") {
            return Err(bad().with_hint("leave out the scheme; plain HTTP is set by `plain-http = true` under [registries.\"HOST\"] in assay.toml"));
        }
        let (host, prefix) = text
            .trim_end_matches('/')
            .split_once('/')
            .unwrap_or((text, ""));
        let host_is_fine = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
            && (host.contains(['.', ':']) || host == "localhost")
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b));
        let prefix_is_fine = prefix.is_empty()
            || prefix.split('/').all(|part| {
                part.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && part.bytes().all(|b| {
                        b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b)
                    })
            });
        if !host_is_fine || !prefix_is_fine {
            return Err(bad());
        }
        Ok(SourceName::Registry {
            host: host.trim_end_matches('/').to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    /// The name as a file in `folder` should hold it: `oci:` paths relative to it.
    pub fn relative_to(&self, folder: &Path) -> String {
        match self {
            SourceName::Layout(path) => format!("oci:{}", relative(path, folder).display()),
            registry => registry.to_string(),
        }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceName::Layout(path) => write!(f, "oci:{}", path.display()),
            SourceName::Registry { host, prefix } if prefix.is_empty() => f.write_str(host),
            SourceName::Registry { host, prefix } => write!(f, "{host}/{prefix}"),
        }
    }
}

/// What both kinds of source can do. Nothing that comes out of
/// [`open_blob`](Self::open_blob) has been checked yet.
pub trait Source: Send + Sync {
    /// The name for messages and the lock.
    fn name(&self) -> &SourceName;

    /// Published versions in ascending order; `None` when there is no such package.
    fn versions(&self, package: &PackageName) -> Result<Option<Vec<Version>>>;

    /// The index document under a version's tag, and its digest.
    fn index(&self, package: &PackageName, version: &Version) -> Result<Option<(Digest, Vec<u8>)>>;

    /// An index or manifest by digest; its bytes have that digest.
    fn document(&self, package: &PackageName, digest: &Digest) -> Result<Vec<u8>>;

    /// A stream of a blob's bytes, as the source has them.
    fn open_blob(
        &self,
        package: &PackageName,
        descriptor: &Descriptor,
    ) -> Result<Box<dyn Read + '_>>;

    /// Drops a cached copy of a blob; `true` when there was one to drop, so that
    /// asking again makes sense.
    fn forget(&self, _digest: &Digest) -> bool {
        false
    }

    /// Remembers an installed version under its name in the cache, with every
    /// document that belongs to it.
    fn keep(
        &self,
        _package: &PackageName,
        _version: &Version,
        _digest: &Digest,
        _platform: Platform,
    ) -> Result<()> {
        Ok(())
    }

    /// Every package, as far as the source can tell: for did-you-mean.
    fn packages(&self) -> Result<Vec<PackageName>>;

    /// Stores a blob, unless it is there.
    fn push_blob(&self, package: &PackageName, descriptor: &Descriptor, bytes: &[u8])
    -> Result<()>;

    /// Stores a manifest under its digest.
    fn push_manifest(
        &self,
        package: &PackageName,
        descriptor: &Descriptor,
        bytes: &[u8],
    ) -> Result<()>;

    /// Stores the index and makes the version's tag point at it.
    fn push_index(
        &self,
        package: &PackageName,
        version: &Version,
        descriptor: &Descriptor,
        bytes: &[u8],
    ) -> Result<()>;
}

/// Reads a small blob and checks size and digest.
pub fn read_blob(
    source: &dyn Source,
    package: &PackageName,
    descriptor: &Descriptor,
) -> Result<Vec<u8>> {
    let name = format!("{} of {package}", descriptor.digest.short());
    if descriptor.size > oci::MAX_DOCUMENT {
        return Err(corrupt(format!(
            "{name} claims {} bytes, the limit is {}",
            descriptor.size,
            oci::MAX_DOCUMENT
        )));
    }
    loop {
        let mut bytes = Vec::new();
        let blob = source.open_blob(package, descriptor)?;
        blob.take(descriptor.size + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == descriptor.size && Digest::of(&bytes) == descriptor.digest {
            return Ok(bytes);
        }
        // The cache may be what is damaged: once more from the source, whose copy
        // does not get into the cache when it is damaged too.
        if !source.forget(&descriptor.digest) {
            return Err(corrupt(format!(
                "{name} in {} is damaged: size or digest differ",
                source.name()
            )));
        }
    }
}

/// Removes `.` and `x/..` from a path without asking the file system.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if tidy.file_name().is_some() => {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    tidy
}

/// `path` as seen from `folder`; both are absolute.
fn relative(path: &Path, folder: &Path) -> PathBuf {
    let folder = tidy(folder);
    let shared = path
        .components()
        .zip(folder.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = folder
        .components()
        .skip(shared)
        .map(|_| std::path::Component::ParentDir);
    let relative: PathBuf = up.chain(path.components().skip(shared)).collect();
    if relative.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        relative
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_relative_to_their_base() {
        let source = SourceName::parse("oci:../packages", Path::new("/srv/project")).unwrap();
        assert_eq!(source, SourceName::Layout("/srv/packages".into()));
        assert_eq!(
            source.relative_to(Path::new("/srv/project/sub")),
            "oci:../../packages"
        );
    }

    #[test]
    fn registries_need_a_host() {
        let ghcr = SourceName::parse("ghcr.io/developerinlondon/assay", Path::new("/")).unwrap();
        assert_eq!(ghcr.to_string(), "ghcr.io/developerinlondon/assay");
        assert!(SourceName::parse("localhost:5000", Path::new("/")).is_ok());
        for bad in [
            "packages",
            "./packages",
            "https://ghcr.io/x",
            "ghcr.io/UPPER",
            "ghcr.io/../x",
            "oci:",
            "",
        ] {
            assert!(SourceName::parse(bad, Path::new("/")).is_err(), "{bad}");
        }
    }
}
