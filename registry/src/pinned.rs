//! A package version with every digest, and the documents those come from.

use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result, corrupt};
use crate::host;
use crate::image;
use crate::lock::{self, LockedPackage, LockedPlatform};
use crate::meta::PackageManifest;
use crate::name::{Kind, PackageName};
use crate::oci::{self, Config, Descriptor, Index, Manifest};
use crate::platform::Platform;
use crate::plugin_file;
use crate::project::Project;
use crate::source::{self, Source, SourceName};
use crate::version;
use semver::Version;

/// A package version with every digest that an installation needs.
#[derive(Debug, Clone)]
pub(crate) struct Pinned {
    pub(crate) package: PackageName,
    pub(crate) version: Version,
    /// The name that records and the lock keep.
    pub(crate) canonical: SourceName,
    /// The source that is asked.
    pub(crate) from: SourceName,
    pub(crate) digest: Digest,
    pub(crate) requires: Vec<String>,
    pub(crate) platforms: Vec<LockedPlatform>,
}

impl Pinned {
    /// The entry in `assay.lock`.
    pub(crate) fn locked(&self, project: &Project) -> Result<LockedPackage> {
        Ok(LockedPackage {
            kind: self.package.kind,
            name: self.package.name.clone(),
            version: self.version.to_string(),
            source: self.canonical.relative_to(project.folder()),
            digest: self.digest.clone(),
            requires: self.requires.clone(),
            platforms: self.platforms.clone(),
        })
    }

    /// What to fetch on a platform: the layer, and its digest once unzipped.
    pub(crate) fn layer(&self, platform: Platform) -> Result<(Descriptor, Digest)> {
        let there: Vec<Platform> = self.platforms.iter().map(|entry| entry.platform).collect();
        let entry = self
            .platforms
            .iter()
            .find(|entry| entry.platform == platform);
        let entry = entry.ok_or_else(|| {
            lock::unpublished(&self.package, &self.version.to_string(), platform, &there)
        })?;
        if entry.size > oci::MAX_LAYER {
            return Err(corrupt(format!(
                "the layer of {} {} has {} bytes, the limit is {}",
                self.package,
                self.version,
                entry.size,
                oci::MAX_LAYER
            )));
        }
        let descriptor = Descriptor {
            annotations: oci::Annotations::new(),
            digest: entry.layer.clone(),
            media_type: oci::LAYER.to_owned(),
            platform: None,
            size: entry.size,
        };
        Ok((descriptor, entry.diff_id.clone()))
    }

    /// Whether this system's C library can load the plugin.
    pub(crate) fn check_host(&self, source: &dyn Source) -> Result<()> {
        if self.package.kind != Kind::Plugin {
            return Ok(());
        }
        let index = read_index(source, &self.package, &self.digest)?;
        let needs = index
            .annotations
            .get(image::GLIBC_MIN)
            .and_then(|text| plugin_file::pair(text));
        match (needs, host::glibc()) {
            (Some(needs), Some(has)) if needs > has => Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "{} {} needs glibc {}.{}, this system has {}.{}",
                    self.package, self.version, needs.0, needs.1, has.0, has.1
                ),
            )
            .with_hint(
                "use a newer system or image, or name the platform of another one with --platform",
            )),
            _ => Ok(()),
        }
    }
}

/// Reads an index by digest.
fn read_index(source: &dyn Source, package: &PackageName, digest: &Digest) -> Result<Index> {
    parse_index(source, package, &source.document(package, digest)?)
}

pub(crate) fn parse_index(
    source: &dyn Source,
    package: &PackageName,
    bytes: &[u8],
) -> Result<Index> {
    serde_json::from_slice(bytes).map_err(|error| {
        corrupt(format!(
            "what {} has for {package} is not an image index",
            source.name()
        ))
        .with_source(error)
        .with_hint("it was not published by assay: check the name and the source")
    })
}

/// The annotation, checked against the name and version that it was found under.
pub(crate) fn package_manifest(
    index: &Index,
    package: &PackageName,
    version: &Version,
) -> Result<PackageManifest> {
    let text = index
        .annotations
        .get(image::MANIFEST)
        .ok_or_else(|| corrupt(format!("its index has no annotation `{}`", image::MANIFEST)))?;
    let manifest = PackageManifest::from_json(text)?;
    if manifest.package()? != *package || version::parse(&manifest.version)? != *version {
        return Err(corrupt(format!(
            "it says that it is {} {}",
            manifest.package()?,
            manifest.version
        )));
    }
    Ok(manifest)
}

/// What a manifest and its config say about one platform.
pub(crate) fn read_platform(
    source: &dyn Source,
    package: &PackageName,
    platform: Platform,
    entry: &Descriptor,
) -> Result<LockedPlatform> {
    let broken = |what: &str| {
        corrupt(format!(
            "the {what} of {package} for {platform} in {} is not valid",
            source.name()
        ))
    };
    let manifest: Manifest = serde_json::from_slice(&source.document(package, &entry.digest)?)
        .map_err(|error| broken("manifest").with_source(error))?;
    let config: Config =
        serde_json::from_slice(&source::read_blob(source, package, &manifest.config)?)
            .map_err(|error| broken("config").with_source(error))?;
    match (
        manifest.layers.as_slice(),
        config.rootfs.diff_ids.as_slice(),
    ) {
        ([layer], [diff_id]) if layer.media_type == oci::LAYER => Ok(LockedPlatform {
            platform,
            manifest: entry.digest.clone(),
            layer: layer.digest.clone(),
            diff_id: diff_id.clone(),
            size: layer.size,
        }),
        _ => Err(broken("manifest").with_hint("a package has exactly one layer, tar with gzip")),
    }
}
