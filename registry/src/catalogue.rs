//! What the sources of one installation have to offer.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use semver::Version;

use crate::context::Context;
use crate::digest::Digest;
use crate::error::{Error, Result, not_found};
use crate::image;
use crate::install::Install;
use crate::lock;
use crate::meta::{Meta, PackageManifest, Requirement};
use crate::name::{PackageName, closest};
use crate::oci::{self, Index};
use crate::pinned::{Pinned, package_manifest, parse_index, read_platform};
use crate::platform::Platform;
use crate::plugin_file;
use crate::progress::Event;
use crate::resolve::{Catalogue, Release};
use crate::source::{Source, SourceName};

/// The sources of one installation, opened once each.
pub(crate) struct Sources<'a> {
    install: &'a Install,
    pub(crate) context: &'a Context,
    open: Mutex<BTreeMap<SourceName, Arc<dyn Source>>>,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(install: &'a Install, context: &'a Context) -> Self {
        Sources {
            install,
            context,
            open: Mutex::default(),
        }
    }

    /// A package's own source in `assay.toml`, else the default one. Never the
    /// registry of whoever requires it: nobody else's package may slip in.
    pub(crate) fn name_for(&self, package: &PackageName) -> SourceName {
        let project = self.install.project.as_ref();
        let own = project.and_then(|project| project.dependencies.get(package)?.source.clone());
        own.unwrap_or_else(|| self.install.source.clone())
    }

    pub(crate) fn open(&self, name: &SourceName) -> Result<Arc<dyn Source>> {
        let mut open = self
            .open
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(source) = open.get(name) {
            return Ok(source.clone());
        }
        let source = self.context.open(name)?;
        open.insert(name.clone(), source.clone());
        Ok(source)
    }

    pub(crate) fn unknown(&self, package: &PackageName) -> Result<Error> {
        Ok(unknown(
            &*self.open(&self.name_for(package))?,
            package,
            "install",
        ))
    }
}

/// Asks sources once for each thing, and knows what is installed besides.
pub(crate) struct Remembering<'a> {
    pub(crate) sources: &'a Sources<'a>,
    present: &'a BTreeMap<PackageName, Meta>,
    versions: RefCell<BTreeMap<PackageName, Vec<Version>>>,
    indexes: RefCell<BTreeMap<(PackageName, Version), (Digest, Index)>>,
}

impl<'a> Remembering<'a> {
    pub(crate) fn new(sources: &'a Sources<'a>, present: &'a BTreeMap<PackageName, Meta>) -> Self {
        Remembering {
            sources,
            present,
            versions: RefCell::default(),
            indexes: RefCell::default(),
        }
    }

    fn published(&self, package: &PackageName) -> Result<Vec<Version>> {
        if let Some(versions) = self.versions.borrow().get(package) {
            return Ok(versions.clone());
        }
        let name = self.sources.name_for(package);
        // What came from elsewhere and is not asked for now stays what it is: a
        // package of the same name here may be somebody else's.
        let requests = &self.sources.install.requests;
        let foreign = self.present.get(package).is_some_and(|meta| {
            meta.source.as_deref() != Some(&*name.to_string())
                && !requests.iter().any(|request| request.package == *package)
        });
        if foreign {
            return Ok(Vec::new());
        }
        self.sources
            .context
            .progress
            .event(&Event::Resolving(&name));
        let versions = self
            .sources
            .open(&name)?
            .versions(package)?
            .unwrap_or_default();
        self.versions
            .borrow_mut()
            .insert(package.clone(), versions.clone());
        Ok(versions)
    }

    fn installed_version(&self, package: &PackageName) -> Result<Option<Version>> {
        self.present
            .get(package)
            .map(Meta::parsed_version)
            .transpose()
    }

    /// A version that is in the root and not in the source.
    pub(crate) fn only_installed(&self, package: &PackageName, version: &Version) -> Result<bool> {
        let installed = self.installed_version(package)?.as_ref() == Some(version);
        Ok(installed && !self.published(package)?.contains(version))
    }

    fn index(&self, package: &PackageName, version: &Version) -> Result<(Digest, Index)> {
        let key = (package.clone(), version.clone());
        if let Some(found) = self.indexes.borrow().get(&key) {
            return Ok(found.clone());
        }
        let source = self.sources.open(&self.sources.name_for(package))?;
        let (digest, bytes) = source.index(package, version)?.ok_or_else(|| {
            not_found(format!(
                "{package} {version} is listed in {} but not there",
                source.name()
            ))
        })?;
        let index = parse_index(&*source, package, &bytes)?;
        self.indexes
            .borrow_mut()
            .insert(key, (digest.clone(), index.clone()));
        Ok((digest, index))
    }

    fn manifest(
        &self,
        package: &PackageName,
        version: &Version,
    ) -> Result<(PackageManifest, Option<String>)> {
        if self.only_installed(package, version)? {
            return Ok((self.present[package].manifest(), None));
        }
        let (_, index) = self.index(package, version)?;
        let name = self.sources.name_for(package);
        let manifest = package_manifest(&index, package, version).map_err(|error| {
            error.context(format!(
                "{package} {version} in {name} is not an Assay package"
            ))
        })?;
        Ok((manifest, index.annotations.get(image::API).cloned()))
    }

    /// Reads a version's manifests and configs: of every platform for a lock,
    /// else only of the one that is installed.
    pub(crate) fn pin(
        &self,
        package: &PackageName,
        version: &Version,
        every_platform: bool,
    ) -> Result<Pinned> {
        let name = self.sources.name_for(package);
        let source = self.sources.open(&name)?;
        let (digest, index) = self.index(package, version)?;
        let install = self.sources.install;
        let target = install.platform.map_or_else(Platform::host, Ok)?;
        let mut platforms = Vec::new();
        for entry in &index.manifests {
            let Some(platform) = entry.platform.as_ref().and_then(oci::PlatformEntry::known) else {
                continue;
            };
            if every_platform || platform == target {
                platforms.push(read_platform(&*source, package, platform, entry)?);
            }
        }
        platforms.sort_by_key(|entry| entry.platform);
        if platforms.is_empty() {
            let there = index.platforms();
            return Err(lock::unpublished(
                package,
                &version.to_string(),
                target,
                &there,
            ));
        }
        let (manifest, _) = self.manifest(package, version)?;
        let requires = manifest
            .requirements()?
            .into_iter()
            .filter_map(|requirement| match requirement {
                Requirement::Package(package, _) => Some(package.path()),
                Requirement::Runtime(_) => None,
            });
        Ok(Pinned {
            package: package.clone(),
            version: version.clone(),
            canonical: name.clone(),
            from: name,
            digest,
            requires: requires.collect::<BTreeSet<_>>().into_iter().collect(),
            platforms,
        })
    }
}

impl Catalogue for Remembering<'_> {
    fn versions(&self, package: &PackageName) -> Result<Vec<Version>> {
        let mut versions = self.published(package)?;
        if let Some(installed) = self
            .installed_version(package)?
            .filter(|v| !versions.contains(v))
        {
            versions.push(installed);
        }
        Ok(versions)
    }

    fn release(&self, package: &PackageName, version: &Version) -> Result<Release> {
        let (manifest, api) = self.manifest(package, version)?;
        Ok(Release {
            requirements: manifest.requirements()?,
            api: api.as_deref().and_then(plugin_file::pair),
        })
    }
}

/// The error for a package that a source does not have, with the best guess at
/// what was meant; `verb` is the command to try.
pub(crate) fn unknown(source: &dyn Source, package: &PackageName, verb: &str) -> Error {
    let error = not_found(format!("there is no {package} in {}", source.name()));
    // A registry need not list its packages; then there is no suggestion.
    let known = source.packages().unwrap_or_default();
    if let Some(other) = known
        .iter()
        .find(|known| known.kind != package.kind && known.name == package.name)
    {
        return error.with_hint(format!(
            "there is a {other}: assay {verb} {}",
            other.typed()
        ));
    }
    let typed: Vec<String> = known.iter().map(PackageName::typed).collect();
    match closest(&package.typed(), typed.iter().map(String::as_str)) {
        Some(close) => error.with_hint(format!("did you mean `{close}`? assay {verb} {close}")),
        None if !typed.is_empty() && typed.len() <= 20 => {
            error.with_hint(format!("there are: {}", typed.join(", ")))
        }
        None => error.with_hint("check the name, or name another source with --registry"),
    }
}
