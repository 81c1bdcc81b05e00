//! `assay.lock`: exactly what a project installs, by digest.

use std::path::Path;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::write_atomically;
use crate::name::{Kind, PackageName};
use crate::platform::Platform;
use crate::version;

/// The file's content. Packages are sorted by kind and name; there are no dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The format, 1.
    pub version: u32,
    /// Digest of what `assay.toml` declared when this was resolved.
    pub manifest: Digest,
    /// The packages.
    #[serde(default, rename = "package")]
    pub packages: Vec<LockedPackage>,
}

/// One package of a [`Lock`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LockedPackage {
    /// Library or plugin.
    pub kind: Kind,
    /// The name alone.
    pub name: String,
    /// The version.
    pub version: String,
    /// The registry, or a layout relative to the lock's folder.
    pub source: String,
    /// The image index.
    pub digest: Digest,
    /// The packages it needs, as `lib/k8s`, `plugin/http`.
    #[serde(default)]
    pub requires: Vec<String>,
    /// What to fetch on each platform.
    #[serde(rename = "platform")]
    pub platforms: Vec<LockedPlatform>,
}

/// What to fetch of a package on one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LockedPlatform {
    /// `linux/amd64`.
    pub platform: Platform,
    /// The image manifest.
    pub manifest: Digest,
    /// The compressed layer.
    pub layer: Digest,
    /// The uncompressed layer.
    pub diff_id: Digest,
    /// Bytes of the compressed layer.
    pub size: u64,
}

impl Lock {
    /// A lock of these packages.
    pub fn new(manifest: Digest, mut packages: Vec<LockedPackage>) -> Self {
        packages.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        Lock {
            version: FORMAT,
            manifest,
            packages,
        }
    }

    /// Reads a lock; `None` when there is none.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs_err::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let broken = |error: Error| {
            error.with_hint(
                "take assay.lock from version control, or delete it and run `assay install`",
            )
        };
        let lock: Lock = toml_edit::de::from_str(&text).map_err(|error| {
            broken(Error::new(
                ErrorKind::Locked,
                format!("{} cannot be read: {error}", path.display()),
            ))
        })?;
        if lock.version != FORMAT {
            return Err(Error::new(
                ErrorKind::Locked,
                format!(
                    "{} has format {}, this assay-registry reads {FORMAT}",
                    path.display(),
                    lock.version
                ),
            )
            .with_hint("a newer assay can read it: update assay"));
        }
        for package in &lock.packages {
            package
                .package()
                .and(package.parsed_version())
                .map_err(|error| {
                    broken(error.context(format!("{} cannot be read", path.display())))
                })?;
        }
        Ok(Some(lock))
    }

    /// Writes the lock, unless the file says the same already.
    pub fn write(&self, path: &Path) -> Result<()> {
        let body = toml_edit::ser::to_string_pretty(self)
            .expect("a lock holds only strings, numbers and lists");
        let text = format!("{HEADER}{body}");
        if fs_err::read_to_string(path).is_ok_and(|there| there == text) {
            return Ok(());
        }
        write_atomically(path, text.as_bytes())
    }
}

impl LockedPackage {
    /// The kind and name.
    pub fn package(&self) -> Result<PackageName> {
        PackageName::new(self.kind, &self.name)
    }

    /// The version, read.
    pub fn parsed_version(&self) -> Result<Version> {
        version::parse(&self.version)
    }
}

/// The error for a package that there is not on a platform.
pub(crate) fn unpublished(
    package: &PackageName,
    version: &str,
    platform: Platform,
    there: &[Platform],
) -> Error {
    let there: Vec<String> = there.iter().map(Platform::to_string).collect();
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "{package} {version} is not published for {platform}, only for {}",
            there.join(", ")
        ),
    )
    .with_hint("choose another version, or another platform with --platform")
}

const FORMAT: u32 = 1;
const HEADER: &str = "# Written by `assay install`. Commit it; do not edit it.\n\n";
