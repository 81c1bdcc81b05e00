//! Installing: resolve or read the lock, fetch, check, and switch the root.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use semver::{Version, VersionReq};

use crate::context::Context;
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result, corrupt, not_found, usage};
use crate::host;
use crate::image;
use crate::layer;
use crate::lock::{self, Lock, LockedPackage, LockedPlatform};
use crate::meta::{Meta, PackageManifest, Requirement};
use crate::name::{Kind, PackageName, Request, closest};
use crate::oci::{self, Config, Descriptor, Index, Manifest};
use crate::platform::Platform;
use crate::plugin_file;
use crate::progress::Event;
use crate::project::Project;
use crate::resolve::{Catalogue, Problem, Release, resolve};
use crate::root::{LockedRoot, Root};
use crate::source::{self, Source, SourceName};
use crate::version;

/// What to install, and where.
#[derive(Debug, Clone)]
pub struct Install {
    /// The root to change.
    pub root: Root,
    /// The project whose `assay.toml` and `assay.lock` rule, if any.
    pub project: Option<Project>,
    /// Packages named on the command line.
    pub requests: Vec<Request>,
    /// Where packages come from that name no source of their own.
    pub source: SourceName,
    /// The source was named by flag or environment: it also serves what the lock
    /// or a record says came from elsewhere.
    pub source_is_explicit: bool,
    /// Only what the lock pins; an error when it disagrees with `assay.toml`.
    pub locked: bool,
    /// Count pre-releases.
    pub pre: bool,
    /// The platform to install for; `None` is this system, which is then checked.
    pub platform: Option<Platform>,
}

/// What an installation did.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Packages that came new or anew.
    pub installed: Vec<(PackageName, Version)>,
    /// Packages that were there and intact.
    pub kept: Vec<(PackageName, Version)>,
    /// Packages that nothing asks for any more.
    pub removed: Vec<(PackageName, Version)>,
    /// What was written into `assay.toml`.
    pub recorded: Vec<(PackageName, String)>,
}

impl Install {
    /// Does it.
    pub fn run(&self, context: &Context) -> Result<Installed> {
        let root = self.root.lock(&*context.progress)?;
        let present: BTreeMap<PackageName, Meta> = root
            .root()
            .installed()?
            .into_iter()
            .map(|meta| Ok((meta.package()?, meta)))
            .collect::<Result<_>>()?;
        let sources = Sources {
            install: self,
            context,
            open: Mutex::default(),
        };
        match &self.project {
            Some(project) => self.run_project(project, &root, &present, &sources),
            None if self.locked => Err(usage(
                "`--locked` needs a project, and there is no assay.toml here",
            )
            .with_hint("run it in the project's folder, or leave out --locked")),
            None => self.run_plain(&root, &present, &sources),
        }
    }

    /// Without a project the root itself is the state: whatever is in it must
    /// still fit together afterwards.
    fn run_plain(
        &self,
        root: &LockedRoot,
        present: &BTreeMap<PackageName, Meta>,
        sources: &Sources<'_>,
    ) -> Result<Installed> {
        if self.requests.is_empty() {
            return Err(usage(
                "nothing to install: no names were given and there is no assay.toml here or above",
            )
            .with_hint("name packages, for example `assay install vault k8s`"));
        }
        let catalogue = Remembering::new(sources, present);
        let mut wanted = self.wanted(&catalogue)?;
        let mut preferred = BTreeMap::new();
        for (package, meta) in present {
            if !wanted.iter().any(|(name, _)| name == package) {
                wanted.push((package.clone(), VersionReq::STAR));
                preferred.insert(package.clone(), meta.parsed_version()?);
            }
        }
        let solution = resolve(
            &self.problem("this command", wanted, None, preferred),
            &catalogue,
        )?;
        let mut pinned = Vec::new();
        for (package, version) in &solution {
            match present.get(package) {
                // A package from another source that is there and fits stays.
                Some(meta) if catalogue.only_installed(package, version)? => {
                    let damage = root.root().verify(meta)?;
                    if !damage.is_empty() {
                        return Err(corrupt(format!(
                            "{package} {version} is damaged and not in {}",
                            self.source
                        ))
                        .with_hint(format!(
                            "install it from where it came from: --registry {}",
                            meta.source.as_deref().unwrap_or("SOURCE")
                        )));
                    }
                }
                _ => pinned.push(catalogue.pin(package, version, false)?),
            }
        }
        let mut done = self.apply(root, present, &pinned, &[], sources)?;
        for (package, version) in solution {
            if !pinned.iter().any(|pin| pin.package == package) {
                done.kept.push((package, version));
            }
        }
        Ok(done)
    }

    fn run_project(
        &self,
        project: &Project,
        root: &LockedRoot,
        present: &BTreeMap<PackageName, Meta>,
        sources: &Sources<'_>,
    ) -> Result<Installed> {
        let lock = Lock::read(&project.lock_path())?;
        if self.locked {
            if let Some(request) = self.requests.first() {
                return Err(usage(format!(
                    "`--locked` installs what assay.lock pins and cannot add {}",
                    request.package
                ))
                .with_hint("leave out the names, or leave out --locked"));
            }
            let lock = lock.as_ref().ok_or_else(|| {
                Error::new(
                    ErrorKind::Locked,
                    format!("there is no {}", project.lock_path().display()),
                )
                .with_hint("run `assay install` once and commit assay.lock")
            })?;
            check_lock(project, lock)?;
        }
        let current = lock
            .as_ref()
            .filter(|lock| lock.manifest == *project.digest());
        if let Some(lock) = current.filter(|_| self.requests.is_empty()) {
            let pinned: Vec<Pinned> = lock
                .packages
                .iter()
                .map(|package| self.pin_locked(project, package))
                .collect::<Result<_>>()?;
            let removed = unwanted(present, &pinned);
            return self.apply(root, present, &pinned, &removed, sources);
        }

        let nothing = BTreeMap::new();
        let catalogue = Remembering::new(sources, &nothing);
        let requested = self.wanted(&catalogue)?;
        let mut wanted: Vec<(PackageName, VersionReq)> = Vec::new();
        for (package, dependency) in &project.dependencies {
            if !self
                .requests
                .iter()
                .any(|request| request.package == *package && request.range.is_some())
            {
                wanted.push((package.clone(), dependency.range.clone()));
            }
        }
        for (package, range) in requested {
            if !wanted.iter().any(|(name, _)| *name == package) {
                wanted.push((package, range));
            }
        }
        let mut preferred = BTreeMap::new();
        for package in lock.iter().flat_map(|lock| &lock.packages) {
            let name = package.package()?;
            if !self.requests.iter().any(|request| request.package == name) {
                preferred.insert(name, package.parsed_version()?);
            }
        }
        let problem = self.problem("this project", wanted, project.runtime.clone(), preferred);
        let solution = resolve(&problem, &catalogue)?;

        let mut recorded = Vec::new();
        for request in &self.requests {
            let range = match (&request.range, project.dependencies.get(&request.package)) {
                (Some(range), _) => range.to_string(),
                (None, Some(_)) => continue,
                (None, None) => version::recorded_range(&solution[&request.package]),
            };
            recorded.push((request.package.clone(), range));
        }
        let project = project.with(&recorded)?;
        let pinned: Vec<Pinned> = solution
            .iter()
            .map(|(package, version)| catalogue.pin(package, version, true))
            .collect::<Result<_>>()?;
        let lock = Lock::new(
            project.digest().clone(),
            pinned
                .iter()
                .map(|pin| pin.locked(&project))
                .collect::<Result<_>>()?,
        );
        let removed = unwanted(present, &pinned);
        let mut done = self.apply(root, present, &pinned, &removed, sources)?;
        lock.write(&project.lock_path())?;
        project.write()?;
        done.recorded = recorded;
        Ok(done)
    }

    /// The requests as ranges, after a look whether every package exists: a
    /// wrong name deserves a better answer than the solver's.
    fn wanted(&self, catalogue: &Remembering<'_>) -> Result<Vec<(PackageName, VersionReq)>> {
        let mut wanted = Vec::new();
        for request in &self.requests {
            if catalogue.versions(&request.package)?.is_empty() {
                return Err(catalogue.sources.unknown(&request.package)?);
            }
            wanted.push((
                request.package.clone(),
                request.range.clone().unwrap_or(VersionReq::STAR),
            ));
        }
        Ok(wanted)
    }

    fn problem<'a>(
        &self,
        asker: &'a str,
        wanted: Vec<(PackageName, VersionReq)>,
        runtime_range: Option<VersionReq>,
        preferred: BTreeMap<PackageName, Version>,
    ) -> Problem<'a> {
        Problem {
            asker,
            wanted,
            runtime_range,
            runtime: host::runtime(),
            api: host::API,
            preferred,
            pre: self.pre,
        }
    }

    fn pin_locked(&self, project: &Project, locked: &LockedPackage) -> Result<Pinned> {
        let package = locked.package()?;
        let own = project
            .dependencies
            .get(&package)
            .and_then(|dependency| dependency.source.clone());
        let canonical = SourceName::parse(&locked.source, project.folder())?;
        let from = if self.source_is_explicit && own.is_none() {
            self.source.clone()
        } else {
            canonical.clone()
        };
        Ok(Pinned {
            version: locked.parsed_version()?,
            package,
            canonical,
            from,
            digest: locked.digest.clone(),
            requires: Vec::new(),
            platforms: locked.platforms.clone(),
        })
    }

    /// Fetches and unpacks what is not there yet, then switches the root.
    fn apply(
        &self,
        root: &LockedRoot,
        present: &BTreeMap<PackageName, Meta>,
        pinned: &[Pinned],
        removed: &[PackageName],
        sources: &Sources<'_>,
    ) -> Result<Installed> {
        let platform = self.platform.map_or_else(Platform::host, Ok)?;
        let progress = &sources.context.progress;
        let (mut fresh, mut kept) = (Vec::new(), Vec::new());
        for pin in pinned {
            let there = present
                .get(&pin.package)
                .filter(|meta| meta.digest.as_ref() == Some(&pin.digest));
            match there {
                Some(meta) if root.root().verify(meta)?.is_empty() => {
                    progress.event(&Event::Kept(&pin.package, &pin.version));
                    kept.push((pin.package.clone(), pin.version.clone()));
                }
                _ => fresh.push(pin),
            }
        }
        let staged = in_parallel(&fresh, |pin| {
            let source = sources.open(&pin.from)?;
            let (descriptor, diff_id) = pin.layer(platform)?;
            if self.platform.is_none() {
                pin.check_host(&*source)?;
            }
            let unpack = || -> Result<(PathBuf, Meta)> {
                let folder = root.stage(&pin.package)?;
                let blob = source.open_blob(&pin.package, &descriptor)?;
                let mut meta = layer::unpack(
                    blob,
                    &descriptor,
                    &diff_id,
                    &pin.package,
                    &pin.version,
                    &folder,
                )?;
                meta.source = Some(pin.canonical.to_string());
                meta.digest = Some(pin.digest.clone());
                source.keep(&pin.package, &pin.version, &pin.digest, platform)?;
                Ok((folder, meta))
            };
            match unpack() {
                // The cache may be what is damaged: once more from the source.
                Err(error) if error.kind() == ErrorKind::Corrupt && source.forget(&descriptor.digest) => unpack(),
                result => result,
            }
            .map_err(|error| match error.kind() {
                ErrorKind::Corrupt if error.hint().is_none() => error.with_hint(format!(
                    "nothing was changed; the copy of {} in {} is not to be trusted: publish it again or use another source",
                    pin.package, pin.from
                )),
                _ => error,
            })
        })?;
        root.commit(&staged, removed)?;

        let installed: Vec<_> = fresh
            .iter()
            .map(|pin| (pin.package.clone(), pin.version.clone()))
            .collect();
        for (package, version) in &installed {
            progress.event(&Event::Installed(package, version));
        }
        let mut gone = Vec::new();
        for package in removed {
            let version = present[package].parsed_version()?;
            progress.event(&Event::Removed(package, &version));
            gone.push((package.clone(), version));
        }
        Ok(Installed {
            installed,
            kept,
            removed: gone,
            recorded: Vec::new(),
        })
    }
}

/// A package version with every digest that an installation needs.
#[derive(Debug, Clone)]
struct Pinned {
    package: PackageName,
    version: Version,
    /// The name that records and the lock keep.
    canonical: SourceName,
    /// The source that is asked.
    from: SourceName,
    digest: Digest,
    requires: Vec<String>,
    platforms: Vec<LockedPlatform>,
}

impl Pinned {
    fn locked(&self, project: &Project) -> Result<LockedPackage> {
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

    fn layer(&self, platform: Platform) -> Result<(Descriptor, Digest)> {
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
    fn check_host(&self, source: &dyn Source) -> Result<()> {
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

/// The sources of one installation, opened once each.
struct Sources<'a> {
    install: &'a Install,
    context: &'a Context,
    open: Mutex<BTreeMap<SourceName, Arc<dyn Source>>>,
}

impl Sources<'_> {
    /// A package's own source in `assay.toml`, else the default one. Never the
    /// registry of whoever requires it: nobody else's package may slip in.
    fn name_for(&self, package: &PackageName) -> SourceName {
        let project = self.install.project.as_ref();
        let own = project.and_then(|project| project.dependencies.get(package)?.source.clone());
        own.unwrap_or_else(|| self.install.source.clone())
    }

    fn open(&self, name: &SourceName) -> Result<Arc<dyn Source>> {
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

    fn unknown(&self, package: &PackageName) -> Result<Error> {
        Ok(unknown(
            &*self.open(&self.name_for(package))?,
            package,
            "install",
        ))
    }
}

/// Asks sources once for each thing, and knows what is installed besides.
struct Remembering<'a> {
    sources: &'a Sources<'a>,
    present: &'a BTreeMap<PackageName, Meta>,
    versions: RefCell<BTreeMap<PackageName, Vec<Version>>>,
    indexes: RefCell<BTreeMap<(PackageName, Version), (Digest, Index)>>,
}

impl<'a> Remembering<'a> {
    fn new(sources: &'a Sources<'a>, present: &'a BTreeMap<PackageName, Meta>) -> Self {
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
    fn only_installed(&self, package: &PackageName, version: &Version) -> Result<bool> {
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
    fn pin(
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

/// Reads an index by digest.
pub(crate) fn read_index(
    source: &dyn Source,
    package: &PackageName,
    digest: &Digest,
) -> Result<Index> {
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

fn read_platform(
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

fn unwanted(present: &BTreeMap<PackageName, Meta>, pinned: &[Pinned]) -> Vec<PackageName> {
    present
        .keys()
        .filter(|package| !pinned.iter().any(|pin| pin.package == **package))
        .cloned()
        .collect()
}

/// Says what exactly differs between `assay.toml` and the lock.
fn check_lock(project: &Project, lock: &Lock) -> Result<()> {
    if lock.manifest == *project.digest() {
        return Ok(());
    }
    let mut why = "something in it changed since the lock was written".to_owned();
    for (package, dependency) in &project.dependencies {
        let locked = lock
            .packages
            .iter()
            .find(|l| l.kind == package.kind && l.name == package.name);
        match locked {
            None => {
                why = format!("{package} is not in the lock");
                break;
            }
            Some(locked) if !dependency.range.matches(&locked.parsed_version()?) => {
                why = format!(
                    "assay.toml wants {package} {}, the lock has {}",
                    dependency.range, locked.version
                );
                break;
            }
            Some(_) => {}
        }
    }
    Err(Error::new(
        ErrorKind::Locked,
        format!("assay.toml and assay.lock disagree: {why}"),
    )
    .with_hint("run `assay install` without --locked and commit assay.lock"))
}

/// Up to four at a time; results in the order of the input, or the first error.
fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<R>>>> = items.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..items.len().min(PARALLEL) {
            scope.spawn(|| {
                while let Some(i) = Some(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                    .filter(|i| *i < items.len())
                {
                    let result = work(&items[i]);
                    let failed = result.is_err();
                    *results[i]
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(result);
                    if failed {
                        next.store(items.len(), std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let results: Vec<Option<Result<R>>> = results
        .into_iter()
        .map(|slot| {
            slot.into_inner()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        })
        .collect();
    if results.iter().any(Option::is_none) {
        // Something failed before its turn came; report that.
        let failed = results.into_iter().flatten().find_map(Result::err);
        return Err(failed.unwrap_or_else(|| Error::new(ErrorKind::Io, "a worker ended early")));
    }
    results.into_iter().flatten().collect()
}

/// At most this many transfers from one host at a time.
const PARALLEL: usize = 4;
