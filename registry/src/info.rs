//! What a source knows about a package.

use semver::Version;

use crate::catalogue::unknown;
use crate::digest::Digest;
use crate::error::{Result, not_found};
use crate::meta::PackageManifest;
use crate::name::Request;
use crate::oci::Annotations;
use crate::pinned::{package_manifest, parse_index};
use crate::platform::Platform;
use crate::source::Source;

/// One version of a package, and the others that there are.
#[derive(Debug, Clone)]
pub struct Info {
    /// The newest version that fits the request.
    pub manifest: PackageManifest,
    /// Digest of its index.
    pub digest: Digest,
    /// Every annotation of its index.
    pub annotations: Annotations,
    /// What it is published for.
    pub platforms: Vec<Platform>,
    /// Every version, in ascending order.
    pub versions: Vec<Version>,
}

impl Info {
    /// Asks a source: for the newest version that fits, or the newest at all.
    pub fn read(source: &dyn Source, request: &Request, pre: bool) -> Result<Self> {
        let package = &request.package;
        let Some(versions) = source.versions(package)? else {
            return Err(unknown(source, package, "info"));
        };
        let all_are_pre = versions.iter().all(|version| !version.pre.is_empty());
        let fits = |version: &&Version| match &request.range {
            Some(range) => range.matches(version),
            None => version.pre.is_empty() || pre || all_are_pre,
        };
        let listed: Vec<String> = versions.iter().map(ToString::to_string).collect();
        let version = versions.iter().filter(fits).max().ok_or_else(|| {
            let range = request
                .range
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            not_found(format!(
                "there is no {package} {range} in {}",
                source.name()
            ))
            .with_hint(format!("there are: {}", listed.join(", ")))
        })?;
        let (digest, bytes) = source.index(package, version)?.ok_or_else(|| {
            not_found(format!(
                "{package} {version} is listed in {} but not there",
                source.name()
            ))
        })?;
        let index = parse_index(source, package, &bytes)?;
        let manifest = package_manifest(&index, package, version).map_err(|error| {
            error.context(format!(
                "{package} {version} in {} is not an Assay package",
                source.name()
            ))
        })?;
        Ok(Info {
            manifest,
            digest,
            platforms: index.platforms(),
            annotations: index.annotations,
            versions,
        })
    }
}
