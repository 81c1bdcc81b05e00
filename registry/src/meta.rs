//! What a package says about itself: the manifest in an image's annotations and
//! the record in a root's `.meta/` folder.

use std::collections::BTreeMap;

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Result, corrupt};
use crate::name::{Kind, PackageName};
use crate::version;

/// The format of [`PackageManifest`] and [`Meta`] that this crate writes.
pub const SCHEMA: u32 = 1;

/// What the solver and `info` need to know: the annotation `rs.assay.manifest`.
///
/// Fields are in alphabetical order, because the bytes are part of a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageManifest {
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Library or plugin.
    pub kind: Kind,
    /// The name alone.
    pub name: String,
    /// What a plugin adds: families (`http`) or functions (`http.serve`).
    #[serde(default)]
    pub provides: Vec<String>,
    /// Ranges by name: `assay`, `k8s`, `plugin/http`.
    #[serde(default)]
    pub requires: BTreeMap<String, String>,
    /// Builtins that the package calls, families or functions.
    #[serde(default)]
    pub requires_builtins: Vec<String>,
    /// The format, [`SCHEMA`].
    pub schema: u32,
    /// The version.
    pub version: String,
}

/// `.meta/<kind>-<name>.json`: the manifest, the digest of every file, and, once
/// installed, where the package came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// The image index that was installed. Unknown inside the layer itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Every file below the root and its digest.
    pub files: BTreeMap<String, Digest>,
    /// Library or plugin.
    pub kind: Kind,
    /// The name alone.
    pub name: String,
    /// What a plugin adds.
    #[serde(default)]
    pub provides: Vec<String>,
    /// Ranges by name.
    #[serde(default)]
    pub requires: BTreeMap<String, String>,
    /// Builtins that the package calls; the runtime checks them at `require`.
    #[serde(default)]
    pub requires_builtins: Vec<String>,
    /// The format, [`SCHEMA`].
    pub schema: u32,
    /// The registry or layout. Unknown inside the layer itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The version.
    pub version: String,
}

/// One thing that a package needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// The runtime itself, in a range of versions.
    Runtime(VersionReq),
    /// Another package, in a range of versions.
    Package(PackageName, VersionReq),
}

impl PackageManifest {
    /// The kind and name.
    pub fn package(&self) -> Result<PackageName> {
        PackageName::new(self.kind, &self.name)
    }

    /// What must be there for this package to work: its `requires`, and for each
    /// builtin family that is not in the core the plugin of that name.
    pub fn requirements(&self) -> Result<Vec<Requirement>> {
        let mut requirements = Vec::new();
        for (name, range) in &self.requires {
            let range = version::parse_range(range)?;
            requirements.push(match name.as_str() {
                "assay" => Requirement::Runtime(range),
                name => Requirement::Package(name.parse()?, range),
            });
        }
        let families: std::collections::BTreeSet<&str> = self
            .requires_builtins
            .iter()
            .map(|builtin| family(builtin))
            .collect();
        for family in families {
            if CORE_FAMILIES.contains(&family)
                || self.requires.contains_key(&format!("plugin/{family}"))
            {
                continue;
            }
            let plugin = PackageName::new(Kind::Plugin, family)?;
            if self.kind == Kind::Plugin && self.name == plugin.name {
                continue;
            }
            requirements.push(Requirement::Package(plugin, VersionReq::STAR));
        }
        Ok(requirements)
    }

    /// Reads the annotation.
    pub fn from_json(text: &str) -> Result<Self> {
        let manifest: PackageManifest = serde_json::from_str(text).map_err(|error| {
            corrupt("annotation `rs.assay.manifest` cannot be read").with_source(error)
        })?;
        check_schema(manifest.schema, "rs.assay.manifest")?;
        Ok(manifest)
    }

    /// The annotation: compact JSON with sorted keys.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings, numbers and lists always become JSON")
    }
}

impl Meta {
    /// The record of a package with these files.
    pub fn new(manifest: &PackageManifest, files: BTreeMap<String, Digest>) -> Self {
        let PackageManifest {
            description,
            kind,
            name,
            provides,
            requires,
            requires_builtins,
            schema,
            version,
        } = manifest.clone();
        Meta {
            description,
            digest: None,
            files,
            kind,
            name,
            provides,
            requires,
            requires_builtins,
            schema,
            source: None,
            version,
        }
    }

    /// The part that is also in the annotations.
    pub fn manifest(&self) -> PackageManifest {
        let Meta {
            description,
            kind,
            name,
            provides,
            requires,
            requires_builtins,
            schema,
            version,
            ..
        } = self.clone();
        PackageManifest {
            description,
            kind,
            name,
            provides,
            requires,
            requires_builtins,
            schema,
            version,
        }
    }

    /// The kind and name.
    pub fn package(&self) -> Result<PackageName> {
        PackageName::new(self.kind, &self.name)
    }

    /// The version, read.
    pub fn parsed_version(&self) -> Result<Version> {
        version::parse(&self.version)
    }

    /// Reads a record; `origin` says where it is for the error.
    pub fn from_json(bytes: &[u8], origin: &str) -> Result<Self> {
        let meta: Meta = serde_json::from_slice(bytes).map_err(|error| {
            corrupt(format!("{origin} is not a package record")).with_source(error)
        })?;
        check_schema(meta.schema, origin)?;
        meta.package()?;
        meta.parsed_version()?;
        Ok(meta)
    }

    /// The record as it stands in a root: indented, for people who look.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(self).expect("strings, numbers and lists always become JSON");
        bytes.push(b'\n');
        bytes
    }
}

/// `http` for `http.client`.
pub(crate) fn family(builtin: &str) -> &str {
    builtin.split('.').next().unwrap_or(builtin)
}

fn check_schema(schema: u32, origin: &str) -> Result<()> {
    if schema == SCHEMA {
        return Ok(());
    }
    Err(corrupt(format!(
        "{origin} has schema {schema}, this assay-registry reads schema {SCHEMA}"
    ))
    .with_hint("a newer assay can read it: update assay"))
}

/// Builtins inside the `assay` binary: they need no plugin.
const CORE_FAMILIES: [&str; 13] = [
    "assert", "async", "base64", "env", "fs", "json", "log", "regex", "require", "sleep", "time",
    "toml", "yaml",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(requires: &[(&str, &str)], builtins: &[&str]) -> PackageManifest {
        PackageManifest {
            description: String::new(),
            kind: Kind::Library,
            name: "certmanager".into(),
            provides: vec![],
            requires: requires
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
            requires_builtins: builtins.iter().map(|b| (*b).into()).collect(),
            schema: SCHEMA,
            version: "0.1.0".into(),
        }
    }

    #[test]
    fn families_outside_the_core_become_plugins_once() {
        let needs = manifest(
            &[("assay", ">=0.1"), ("k8s", "^0.1")],
            &["http.client", "http.serve", "json"],
        )
        .requirements()
        .unwrap();
        assert_eq!(needs.len(), 3);
        assert!(
            matches!(&needs[2], Requirement::Package(p, r) if p.path() == "plugin/http" && *r == VersionReq::STAR)
        );
    }

    #[test]
    fn an_explicit_plugin_range_wins_over_the_family() {
        let needs = manifest(&[("plugin/http", "^0.2")], &["http"])
            .requirements()
            .unwrap();
        assert_eq!(needs.len(), 1);
        assert!(matches!(&needs[0], Requirement::Package(_, r) if r.to_string() == "^0.2"));
    }

    #[test]
    fn a_newer_schema_says_what_to_do() {
        let text = manifest(&[], &[])
            .to_json()
            .replace("\"schema\":1", "\"schema\":2");
        let error = PackageManifest::from_json(&text).unwrap_err();
        assert_eq!(
            error.hint(),
            Some("a newer assay can read it: update assay")
        );
    }

    #[test]
    fn the_annotation_has_sorted_keys() {
        let json = manifest(&[], &[]).to_json();
        let keys: Vec<usize> = [
            "description",
            "kind",
            "name",
            "provides",
            "requires",
            "schema",
            "version",
        ]
        .iter()
        .map(|key| json.find(&format!("\"{key}\"")).unwrap())
        .collect();
        assert!(keys.is_sorted(), "{json}");
    }
}
