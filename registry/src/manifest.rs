//! `manifest.yaml`: what an author publishes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use semver::Version;
use serde::Deserialize;

use crate::error::{Result, usage};
use crate::meta::{PackageManifest, SCHEMA};
use crate::name::{Kind, PackageName, closest};
use crate::platform::Platform;
use crate::version;

/// A `manifest.yaml` that has been read and checked.
#[derive(Debug)]
pub struct Collection {
    /// Where the file is; libraries stand beside it.
    pub path: PathBuf,
    /// Libraries, then plugins, in the order of the file.
    pub members: Vec<Member>,
}

/// One package of a [`Collection`].
#[derive(Debug, Clone)]
pub struct Member {
    /// The part that travels with the package.
    pub manifest: PackageManifest,
    /// The version, read.
    pub version: Version,
    /// SPDX expression, if the author gave one.
    pub license: Option<String>,
    /// Where the sources are, if the author said so.
    pub source: Option<String>,
    /// What goes into the layer.
    pub content: Content,
}

/// What goes into a member's layer.
#[derive(Debug, Clone)]
pub enum Content {
    /// A folder of Lua files.
    Library(PathBuf),
    /// A plugin for whatever platform its file says.
    Plugin(PathBuf),
    /// A plugin, one file for each platform.
    PluginPerPlatform(BTreeMap<Platform, PathBuf>),
}

impl Collection {
    /// Reads a file and checks every name, version and range in it.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        let raw: RawCollection = serde_saphyr::from_str(&text).map_err(|error| {
            usage(format!("{} cannot be read: {error}", path.display()))
                .with_hint("docs/packages.md shows every key of manifest.yaml")
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let mut members = Vec::new();
        for library in &raw.libraries {
            let content = Content::Library(folder.join(&library.name));
            members.push(raw.member(Kind::Library, library, content, path)?);
        }
        for plugin in &raw.plugins {
            let content = match &plugin.library {
                Some(RawPlugin::One(file)) => Content::Plugin(folder.join(file)),
                Some(RawPlugin::PerPlatform(files)) => Content::PluginPerPlatform(
                    files
                        .iter()
                        .map(|(platform, file)| Ok((platform.parse()?, folder.join(file))))
                        .collect::<Result<_>>()?,
                ),
                None => {
                    return Err(usage(format!(
                        "{}: plugin `{}` has no `library`",
                        path.display(),
                        plugin.name
                    ))
                    .with_hint("set `library:` to the path of its .so file"));
                }
            };
            members.push(raw.member(Kind::Plugin, plugin, content, path)?);
        }
        if members.is_empty() {
            return Err(usage(format!(
                "{} lists no libraries and no plugins",
                path.display()
            )));
        }
        for (i, member) in members.iter().enumerate() {
            let same = |other: &Member| {
                (other.manifest.kind, &other.manifest.name)
                    == (member.manifest.kind, &member.manifest.name)
            };
            if members[..i].iter().any(same) {
                let package = member.manifest.package()?;
                return Err(usage(format!("{} lists {package} twice", path.display())));
            }
        }
        Ok(Collection {
            path: path.to_path_buf(),
            members,
        })
    }

    /// The members with these names, or all of them when there are none.
    pub fn select(&self, names: &[PackageName]) -> Result<Vec<&Member>> {
        if names.is_empty() {
            return Ok(self.members.iter().collect());
        }
        names
            .iter()
            .map(|wanted| {
                let found = self.members.iter().find(|member| {
                    (member.manifest.kind, &member.manifest.name) == (wanted.kind, &wanted.name)
                });
                found.ok_or_else(|| {
                    let known: Vec<String> = self
                        .members
                        .iter()
                        .filter_map(|m| Some(m.manifest.package().ok()?.typed()))
                        .collect();
                    let error = usage(format!("{} does not list {wanted}", self.path.display()));
                    match closest(&wanted.typed(), known.iter().map(String::as_str)) {
                        Some(name) => error.with_hint(format!("did you mean `{name}`?")),
                        None => error.with_hint(format!("it lists {}", known.join(", "))),
                    }
                })
            })
            .collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCollection {
    #[serde(default, rename = "name")]
    _name: Option<String>,
    version: Option<String>,
    license: Option<String>,
    source: Option<String>,
    #[serde(default)]
    requires: RawRequires,
    #[serde(default)]
    libraries: Vec<RawMember>,
    #[serde(default)]
    plugins: Vec<RawMember>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMember {
    name: String,
    version: Option<String>,
    #[serde(default)]
    description: String,
    license: Option<String>,
    source: Option<String>,
    #[serde(default)]
    requires: RawRequires,
    #[serde(default)]
    requires_builtins: Vec<String>,
    #[serde(default)]
    provides: Vec<String>,
    library: Option<RawPlugin>,
}

/// `[k8s, "vault@^0.1"]` or `{k8s: "^0.1"}`.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawRequires {
    Names(Vec<String>),
    Ranges(BTreeMap<String, String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawPlugin {
    One(PathBuf),
    PerPlatform(BTreeMap<String, PathBuf>),
}

impl Default for RawRequires {
    fn default() -> Self {
        RawRequires::Names(Vec::new())
    }
}

impl RawRequires {
    fn ranges(&self) -> Result<BTreeMap<String, String>> {
        let pairs: Vec<(&str, &str)> = match self {
            RawRequires::Names(names) => names
                .iter()
                .map(|text| text.split_once('@').unwrap_or((text, "*")))
                .collect(),
            RawRequires::Ranges(map) => map.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
        };
        let mut ranges = BTreeMap::new();
        for (name, range) in pairs {
            let name = match name {
                "assay" => name.to_owned(),
                name => name.parse::<PackageName>()?.typed(),
            };
            ranges.insert(name, version::parse_range(range)?.to_string());
        }
        Ok(ranges)
    }
}

impl RawCollection {
    fn member(&self, kind: Kind, raw: &RawMember, content: Content, path: &Path) -> Result<Member> {
        let checked = || -> Result<Member> {
            let package = PackageName::new(kind, &raw.name)?;
            let version = raw
                .version
                .as_ref()
                .or(self.version.as_ref())
                .ok_or_else(|| {
                    usage(format!("{package} has no version"))
                        .with_hint("set `version:` for it or for the whole file")
                })?;
            if kind == Kind::Library && raw.library.is_some() {
                return Err(usage(format!("{package}: `library:` belongs to plugins")));
            }
            let mut requires = self.requires.ranges()?;
            requires.extend(raw.requires.ranges()?);
            let manifest = PackageManifest {
                description: raw.description.clone(),
                kind,
                name: raw.name.clone(),
                provides: raw.provides.clone(),
                requires,
                requires_builtins: raw.requires_builtins.clone(),
                schema: SCHEMA,
                version: version.clone(),
            };
            manifest.requirements()?;
            Ok(Member {
                version: version::parse(version)?,
                manifest,
                license: raw.license.clone().or_else(|| self.license.clone()),
                source: raw.source.clone().or_else(|| self.source.clone()),
                content,
            })
        };
        checked().map_err(|error| error.context(format!("{}: `{}`", path.display(), raw.name)))
    }
}

fn read_text(path: &Path) -> Result<String> {
    match fs_err::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(usage(format!("there is no manifest at {}", path.display()))
                .with_hint("name one with --manifest, for example --manifest stdlib/manifest.yaml"))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Collection> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.yaml");
        fs_err::write(&path, text).unwrap();
        Collection::read(&path)
    }

    #[test]
    fn members_inherit_version_and_requirements() {
        let collection = read(
            "version: 0.1.0\nrequires: {assay: '>=0.1'}\nlibraries:\n  - name: k8s\n  - name: certmanager\n    version: 0.1.1\n    requires: [k8s, plugin/http@^0.1]\n",
        )
        .unwrap();
        let certmanager = &collection.members[1];
        assert_eq!(certmanager.version, Version::new(0, 1, 1));
        let requires: Vec<_> = certmanager
            .manifest
            .requires
            .iter()
            .map(|(k, v)| format!("{k} {v}"))
            .collect();
        assert_eq!(requires, ["assay >=0.1", "k8s *", "plugin/http ^0.1"]);
    }

    #[test]
    fn mistakes_name_the_file_and_the_member() {
        let cases = [
            ("libraries: [{name: a}]", "`a`", "has no version"),
            ("version: 1\nlibraries: [{name: a}]", "`a`", "not a version"),
            (
                "version: 0.1.0\nlibraries: [{name: A}]",
                "`A`",
                "not a name",
            ),
            (
                "version: 0.1.0\nlibraries: [{name: a}, {name: a}]",
                "twice",
                "",
            ),
            ("version: 0.1.0\nplugins: [{name: a}]", "no `library`", ""),
            (
                "version: 0.1.0\nlibraries: [{name: a, descripton: b}]",
                "descripton",
                "line",
            ),
            ("version: 0.1.0", "lists no libraries", ""),
        ];
        for (text, outer, inner) in cases {
            let error = read(text).unwrap_err();
            let mut all = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                all.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            assert!(all.contains("manifest.yaml"), "{all}");
            assert!(
                all.contains(outer) && all.contains(inner),
                "{text} -> {all}"
            );
        }
    }
}
