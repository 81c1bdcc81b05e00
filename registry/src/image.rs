//! Builds the OCI image of a package from its files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Result, usage};
use crate::layer::{self, Layer};
use crate::manifest::{Content, Member};
use crate::name::PackageName;
use crate::oci::{self, Annotations, Config, ConfigDetail, Descriptor, Index, Manifest, RootFs};
use crate::platform::Platform;
use crate::plugin_file::{self, PluginFile};

/// A package version, ready to be pushed: every document and blob.
#[derive(Debug)]
pub struct Image {
    /// The package.
    pub package: PackageName,
    /// Its version: the tag.
    pub version: semver::Version,
    /// Layers and configs.
    pub blobs: Vec<(Descriptor, Vec<u8>)>,
    /// Manifests, one for each platform.
    pub manifests: Vec<(Descriptor, Vec<u8>)>,
    /// The index, pushed last.
    pub index: (Descriptor, Vec<u8>),
}

impl Image {
    /// Reads a member's files and builds its image. `mtime` is SOURCE_DATE_EPOCH
    /// or 0.
    pub fn build(member: &Member, mtime: u64) -> Result<Self> {
        let package = member.manifest.package()?;
        let mut annotations = annotations(member)?;
        let mut layers: Vec<(Platform, Layer)> = Vec::new();
        match &member.content {
            Content::Library(folder) => {
                let layer =
                    layer::pack(&member.manifest, &library_files(&package, folder)?, mtime)?;
                layers.extend(Platform::ALL.map(|platform| (platform, layer.clone())));
            }
            Content::Plugin(path) => {
                let (file, bytes) = read_plugin(member, path)?;
                layers.push((file.platform, pack_plugin(member, bytes, mtime)?));
                annotate_plugin(&mut annotations, &file);
            }
            Content::PluginPerPlatform(paths) => {
                let mut seen: Option<PluginFile> = None;
                for (platform, path) in paths {
                    let (file, bytes) = read_plugin(member, path)?;
                    if file.platform != *platform {
                        return Err(usage(format!(
                            "{} is built for {}, the manifest lists it for {platform}",
                            path.display(),
                            file.platform
                        )));
                    }
                    if let Some(other) = seen.as_ref().filter(|other| other.api != file.api) {
                        return Err(usage(format!(
                            "{package} speaks plugin API {} on {} and {} on {platform}",
                            other.api, other.platform, file.api
                        ))
                        .with_hint("build every platform from the same sources"));
                    }
                    layers.push((*platform, pack_plugin(member, bytes, mtime)?));
                    // One annotation covers all platforms, so the highest counts.
                    let higher = seen
                        .as_ref()
                        .is_none_or(|other| glibc(&file) > glibc(other));
                    if higher {
                        seen = Some(file);
                    }
                }
                if let Some(file) = &seen {
                    annotate_plugin(&mut annotations, file);
                }
            }
        }

        let mut blobs: Vec<(Descriptor, Vec<u8>)> = Vec::new();
        let mut manifests = Vec::new();
        for (platform, layer) in layers {
            let config = oci::to_json(&Config {
                architecture: platform.architecture().to_owned(),
                config: ConfigDetail {
                    labels: annotations.clone(),
                },
                created: Some(rfc3339(mtime)),
                os: "linux".to_owned(),
                rootfs: RootFs {
                    diff_ids: vec![layer.diff_id.clone()],
                    kind: "layers".to_owned(),
                },
            });
            let config_descriptor = Descriptor::of(oci::CONFIG, &config);
            let manifest = oci::to_json(&Manifest {
                annotations: annotations.clone(),
                config: config_descriptor.clone(),
                layers: vec![layer.descriptor.clone()],
                media_type: oci::MANIFEST.to_owned(),
                schema_version: 2,
            });
            for blob in [(layer.descriptor, layer.bytes), (config_descriptor, config)] {
                if !blobs.iter().any(|(known, _)| known.digest == blob.0.digest) {
                    blobs.push(blob);
                }
            }
            manifests.push((
                Descriptor::of(oci::MANIFEST, &manifest).with_platform(platform),
                manifest,
            ));
        }
        let index = oci::to_json(&Index {
            annotations,
            manifests: manifests
                .iter()
                .map(|(descriptor, _)| descriptor.clone())
                .collect(),
            media_type: oci::INDEX.to_owned(),
            schema_version: 2,
        });
        let index = (Descriptor::of(oci::INDEX, &index), index);
        Ok(Image {
            package,
            version: member.version.clone(),
            blobs,
            manifests,
            index,
        })
    }
}

/// Annotation: the plugin API that a plugin speaks.
pub const API: &str = "rs.assay.api";
/// Annotation: the C library that a plugin is linked against.
pub const LIBC: &str = "rs.assay.libc";
/// Annotation: the lowest glibc that has every symbol of a plugin.
pub const GLIBC_MIN: &str = "rs.assay.glibc.min";
/// Annotation: the package's manifest as JSON.
pub const MANIFEST: &str = "rs.assay.manifest";

fn annotations(member: &Member) -> Result<Annotations> {
    let manifest = &member.manifest;
    let json = manifest.to_json();
    if json.len() > MAX_MANIFEST {
        return Err(usage(format!(
            "the manifest of {} has {} bytes, the limit is {MAX_MANIFEST}",
            manifest.package()?,
            json.len()
        ))
        .with_hint("shorten its description or its lists"));
    }
    let optional = [
        (
            "org.opencontainers.image.description",
            Some(manifest.description.clone()).filter(|d| !d.is_empty()),
        ),
        ("org.opencontainers.image.licenses", member.license.clone()),
        ("org.opencontainers.image.source", member.source.clone()),
    ];
    let mut annotations: Annotations = [
        ("org.opencontainers.image.title", manifest.name.clone()),
        ("org.opencontainers.image.version", manifest.version.clone()),
        ("rs.assay.schema", manifest.schema.to_string()),
        ("rs.assay.kind", manifest.kind.as_str().to_owned()),
        ("rs.assay.name", manifest.name.clone()),
        (MANIFEST, json),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    annotations.extend(
        optional
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?))),
    );
    Ok(annotations)
}

fn annotate_plugin(annotations: &mut Annotations, file: &PluginFile) {
    annotations.insert(API.to_owned(), file.api.clone());
    annotations.insert(LIBC.to_owned(), "glibc".to_owned());
    if let Some(glibc) = &file.glibc_min {
        annotations.insert(GLIBC_MIN.to_owned(), glibc.clone());
    }
}

fn glibc(file: &PluginFile) -> Option<(u32, u32)> {
    file.glibc_min.as_deref().and_then(plugin_file::pair)
}

fn read_plugin(member: &Member, path: &Path) -> Result<(PluginFile, Vec<u8>)> {
    let package = member.manifest.package()?;
    let bytes = match fs_err::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(
                usage(format!("{package}: there is no file at {}", path.display()))
                    .with_hint("build the plugin first; `library:` is relative to the manifest"),
            );
        }
        Err(error) => return Err(error.into()),
    };
    let file = PluginFile::parse(&bytes, path)
        .map_err(|error| error.context(format!("{package} cannot be packed")))?;
    if file.name != package.name {
        return Err(usage(format!(
            "{} holds plugin `{}`, the manifest lists it as `{}`",
            path.display(),
            file.name,
            package.name
        )));
    }
    if file.version != member.manifest.version {
        return Err(usage(format!(
            "{package} is {} in the manifest and {} in the note of {}",
            member.manifest.version,
            file.version,
            path.display()
        ))
        .with_hint("set the same version in Cargo.toml and in the manifest, and build again"));
    }
    Ok((file, bytes))
}

fn pack_plugin(member: &Member, bytes: Vec<u8>, mtime: u64) -> Result<Layer> {
    let path = format!(
        "plugins/{}",
        layer::plugin_file(&member.manifest.name, &member.manifest.version)
    );
    layer::pack(&member.manifest, &BTreeMap::from([(path, bytes)]), mtime)
}

/// Every file of a library's folder except its tests and hidden files.
fn library_files(package: &PackageName, folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    if !folder.is_dir() {
        return Err(usage(format!(
            "{package}: there is no folder {}",
            folder.display()
        ))
        .with_hint("a library's files stand in the folder of its name beside the manifest"));
    }
    let mut files = BTreeMap::new();
    let mut pending = vec![(folder.to_path_buf(), package.name.clone())];
    while let Some((folder, prefix)) = pending.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            let path: PathBuf = entry.path();
            let name = entry.file_name().into_string().map_err(|_| {
                usage(format!(
                    "{package}: the name of {} is not UTF-8",
                    path.display()
                ))
            })?;
            let kind = entry.file_type()?;
            let inside = format!("{prefix}/{name}");
            if name.starts_with('.') || name.ends_with("_test.lua") {
                continue;
            } else if kind.is_dir() {
                if name != "tests" {
                    pending.push((path, inside));
                }
            } else if kind.is_file() {
                files.insert(inside, fs_err::read(&path)?);
            } else {
                return Err(usage(format!(
                    "{package}: {} is neither a file nor a folder",
                    path.display()
                ))
                .with_hint("packages hold no links: replace it by a copy"));
            }
        }
    }
    if !files.keys().any(|path| path.ends_with(".lua")) {
        return Err(usage(format!(
            "{package}: {} holds no Lua files",
            folder.display()
        )));
    }
    Ok(files)
}

/// Seconds since 1970 as RFC 3339, by Howard Hinnant's `civil_from_days`.
fn rfc3339(epoch: u64) -> String {
    let (days, seconds) = (epoch / 86_400 + 719_468, epoch % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

const MAX_MANIFEST: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(rfc3339(1_767_225_599), "2025-12-31T23:59:59Z");
    }
}
