//! `assay.toml`: what a project declares.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use semver::VersionReq;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result, usage};
use crate::layout::write_atomically;
use crate::name::{Kind, PackageName};
use crate::source::SourceName;
use crate::version;

/// The file's name.
pub const FILE: &str = "assay.toml";
/// The name of the lock beside it.
pub const LOCK_FILE: &str = "assay.lock";

/// A project: the folder with an `assay.toml`, read and checked.
#[derive(Debug, Clone)]
pub struct Project {
    folder: PathBuf,
    text: String,
    /// The project's range for the runtime.
    pub runtime: Option<VersionReq>,
    /// Where packages come from that name no registry of their own.
    pub registry: Option<SourceName>,
    /// Settings of hosts, by host and port.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// What is declared, by kind and name.
    pub dependencies: BTreeMap<PackageName, Dependency>,
    digest: Digest,
}

/// One declared package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Which versions do.
    pub range: VersionReq,
    /// Its own source.
    pub source: Option<SourceName>,
}

/// `[registries."HOST"]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RegistrySettings {
    /// A PEM file with further roots; relative to `assay.toml`.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Do not check certificates.
    #[serde(default)]
    pub insecure: bool,
    /// Speak HTTP without TLS.
    #[serde(default)]
    pub plain_http: bool,
    /// Ask this host and path instead; the lock keeps the canonical name.
    #[serde(default)]
    pub mirror: Option<String>,
}

impl Project {
    /// The project of a folder: the nearest `assay.toml` at or above it.
    pub fn find(folder: &Path) -> Result<Option<Self>> {
        match folder
            .ancestors()
            .find(|folder| folder.join(FILE).is_file())
        {
            Some(folder) => Project::read(folder).map(Some),
            None => Ok(None),
        }
    }

    /// Reads the `assay.toml` of a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        Project::parse(folder, fs_err::read_to_string(&path)?).map_err(|error| {
            let hint = error
                .hint()
                .unwrap_or("docs/packages.md shows every key of assay.toml")
                .to_owned();
            error
                .context(format!("{} cannot be used", path.display()))
                .with_hint(hint)
        })
    }

    fn parse(folder: &Path, text: String) -> Result<Self> {
        let raw: RawProject = toml_edit::de::from_str(&text)
            .map_err(|error| usage(error.to_string().trim_end().to_owned()))?;
        if !raw.trust.is_empty() {
            return Err(Error::new(ErrorKind::Unsupported, "[[trust]] asks for signatures, which this version cannot check")
                .with_hint("use a newer assay, or remove the rule knowing that nothing is verified but digests"));
        }
        let source = |text: &str| SourceName::parse(text, folder);
        let mut dependencies = BTreeMap::new();
        for (kind, table) in [
            (Kind::Library, &raw.libraries),
            (Kind::Plugin, &raw.plugins),
        ] {
            for (name, dependency) in table {
                let package = PackageName::new(kind, name)?;
                let dependency = dependency
                    .check(&source)
                    .map_err(|e| e.context(format!("{package}")))?;
                dependencies.insert(package, dependency);
            }
        }
        let mut registries = raw.registries.clone();
        for settings in registries.values_mut() {
            settings.ca = settings.ca.take().map(|ca| folder.join(ca));
        }
        // What decides the outcome of resolving; formatting and the other
        // tables do not.
        let declared = (
            &raw.project.assay,
            &raw.project.registry,
            &raw.libraries,
            &raw.plugins,
        );
        let digest = Digest::of(
            &serde_json::to_vec(&declared).expect("strings and maps always become JSON"),
        );
        Ok(Project {
            folder: folder.to_path_buf(),
            runtime: raw
                .project
                .assay
                .as_deref()
                .map(version::parse_range)
                .transpose()?,
            registry: raw.project.registry.as_deref().map(source).transpose()?,
            registries,
            dependencies,
            digest,
            text,
        })
    }

    /// The folder of `assay.toml`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `assay.toml` itself.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// `assay.lock` beside it.
    pub fn lock_path(&self) -> PathBuf {
        self.folder.join(LOCK_FILE)
    }

    /// `.assay/` beside it: the project's root.
    pub fn root(&self) -> PathBuf {
        self.folder.join(".assay")
    }

    /// Digest of what is declared; the lock remembers it.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The same project with these packages declared too. Formatting and
    /// comments of the file stay.
    pub fn with(&self, recorded: &[(PackageName, String)]) -> Result<Self> {
        let mut document: toml_edit::DocumentMut = self
            .text
            .parse()
            .map_err(|error: toml_edit::TomlError| usage(error.to_string()))?;
        for (package, range) in recorded {
            let table = match package.kind {
                Kind::Library => "libraries",
                Kind::Plugin => "plugins",
            };
            let table = document
                .entry(table)
                .or_insert_with(toml_edit::table)
                .as_table_like_mut()
                .ok_or_else(|| usage(format!("`{table}` in {FILE} is not a table")))?;
            match table.get_mut(&package.name) {
                Some(there) if there.is_table_like() => {
                    if let Some(there) = there.as_table_like_mut() {
                        there.insert("version", toml_edit::value(range));
                    }
                }
                // Assigning the value alone keeps a comment behind it.
                Some(toml_edit::Item::Value(there)) => {
                    let decor = there.decor().clone();
                    *there = range.as_str().into();
                    *there.decor_mut() = decor;
                }
                _ => {
                    table.insert(&package.name, toml_edit::value(range));
                }
            }
        }
        Project::parse(&self.folder, document.to_string())
    }

    /// Writes the file, unless it says the same already.
    pub fn write(&self) -> Result<()> {
        let path = self.path();
        if fs_err::read_to_string(&path).is_ok_and(|there| there == self.text) {
            return Ok(());
        }
        write_atomically(&path, self.text.as_bytes())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProject {
    #[serde(default)]
    project: RawAbout,
    #[serde(default)]
    libraries: BTreeMap<String, RawDependency>,
    #[serde(default)]
    plugins: BTreeMap<String, RawDependency>,
    #[serde(default)]
    registries: BTreeMap<String, RegistrySettings>,
    #[serde(default)]
    trust: Vec<serde::de::IgnoredAny>,
    #[serde(default, rename = "image")]
    _image: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawAbout {
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(rename = "entry")]
    _entry: Option<String>,
    assay: Option<String>,
    registry: Option<String>,
    #[serde(rename = "platforms")]
    _platforms: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RawDependency {
    Range(String),
    Table(RawTable),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    version: Option<String>,
    registry: Option<String>,
    path: Option<String>,
}

impl RawDependency {
    fn check(&self, source: &dyn Fn(&str) -> Result<SourceName>) -> Result<Dependency> {
        match self {
            RawDependency::Range(range) => Ok(Dependency {
                range: version::parse_range(range)?,
                source: None,
            }),
            RawDependency::Table(RawTable {
                path: Some(path), ..
            }) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("libraries from a folder (`{path}`) cannot be installed yet"),
            )
            .with_hint(
                "put the folder's parent on ASSAY_LIB_PATH, or publish the library to oci:DIR",
            )),
            RawDependency::Table(table) => Ok(Dependency {
                range: version::parse_range(table.version.as_deref().unwrap_or("*"))?,
                source: table.registry.as_deref().map(source).transpose()?,
            }),
        }
    }
}
