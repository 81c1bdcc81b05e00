//! The OCI documents, as far as packages use them.
//!
//! Fields are in alphabetical order and maps are sorted, because the JSON of
//! these types is hashed: the same package must give the same bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::platform::Platform;

/// Media type of an image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an image config.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of the one layer of a package.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// The annotation that names an entry of a layout's `index.json`.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// What is read of an index, manifest or config at most.
pub const MAX_DOCUMENT: u64 = 4 * 1024 * 1024;
/// What is read of a layer at most.
pub const MAX_LAYER: u64 = 512 * 1024 * 1024;

/// String pairs on indexes and manifests, and the labels of configs.
pub type Annotations = BTreeMap<String, String>;

/// Points at some content by type, digest and size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Free pairs; in a layout's index the name of the entry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// SHA-256 of the content.
    pub digest: Digest,
    /// What the content is.
    #[serde(rename = "mediaType")]
    pub media_type: String,
    /// Which platform the content is for, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformEntry>,
    /// Length of the content in bytes.
    pub size: u64,
}

/// Operating system and architecture, and deliberately nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformEntry {
    /// `amd64`, `arm64`.
    pub architecture: String,
    /// `linux`.
    pub os: String,
}

/// An image index: one package version, or a layout's table of contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Who and what the package is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// One manifest for each platform.
    pub manifests: Vec<Descriptor>,
    /// [`INDEX`].
    #[serde(rename = "mediaType", default = "index_media_type")]
    pub media_type: String,
    /// Always 2.
    #[serde(rename = "schemaVersion")]
    pub schema_version: u32,
}

/// An image manifest: config and layers for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The same as on the index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// The image config.
    pub config: Descriptor,
    /// The one layer.
    pub layers: Vec<Descriptor>,
    /// [`MANIFEST`].
    #[serde(rename = "mediaType", default = "manifest_media_type")]
    pub media_type: String,
    /// Always 2.
    #[serde(rename = "schemaVersion")]
    pub schema_version: u32,
}

/// An image config: what makes `COPY --from` and image volumes work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// `amd64`, `arm64`.
    pub architecture: String,
    /// Run-time settings; only labels here.
    #[serde(default)]
    pub config: ConfigDetail,
    /// A fixed time, so that bytes do not depend on the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// `linux`.
    pub os: String,
    /// Digests of the uncompressed layers.
    pub rootfs: RootFs,
}

/// The labels of a [`Config`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigDetail {
    /// The annotations once more, for tools that look only here.
    #[serde(rename = "Labels", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Annotations,
}

/// The layers of a [`Config`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// SHA-256 of each uncompressed layer.
    pub diff_ids: Vec<Digest>,
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Descriptor {
    /// Describes some bytes.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Descriptor {
            annotations: Annotations::new(),
            digest: Digest::of(bytes),
            media_type: media_type.to_owned(),
            platform: None,
            size: bytes.len() as u64,
        }
    }

    /// The same for one platform.
    #[must_use]
    pub fn with_platform(mut self, platform: Platform) -> Self {
        self.platform = Some(PlatformEntry {
            architecture: platform.architecture().to_owned(),
            os: "linux".to_owned(),
        });
        self
    }
}

impl PlatformEntry {
    /// The platform, if it is one that packages are published for.
    pub fn known(&self) -> Option<Platform> {
        format!("{}/{}", self.os, self.architecture).parse().ok()
    }
}

impl Index {
    /// The entry of a platform.
    pub fn for_platform(&self, platform: Platform) -> Option<&Descriptor> {
        self.manifests
            .iter()
            .find(|entry| entry.platform.as_ref().and_then(PlatformEntry::known) == Some(platform))
    }

    /// The platforms it has entries for.
    pub fn platforms(&self) -> Vec<Platform> {
        self.manifests
            .iter()
            .filter_map(|entry| entry.platform.as_ref()?.known())
            .collect()
    }
}

/// Compact JSON with sorted keys.
pub fn to_json<T: Serialize>(document: &T) -> Vec<u8> {
    serde_json::to_vec(document).expect("OCI documents hold only strings, numbers, lists and maps")
}

fn index_media_type() -> String {
    INDEX.to_owned()
}

fn manifest_media_type() -> String {
    MANIFEST.to_owned()
}
