//! Installing: resolve or read the lock, fetch, check, and switch the root.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use semver::{Version, VersionReq};

use crate::catalogue::{Remembering, Sources};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result, corrupt, not_found, usage};
use crate::host;
use crate::layer;
use crate::lock::{Lock, LockedPackage};
use crate::meta::Meta;
use crate::name::{PackageName, Request};
use crate::pinned::Pinned;
use crate::platform::Platform;
use crate::progress::Event;
use crate::project::Project;
use crate::resolve::{Catalogue, Problem, resolve};
use crate::root::{LockedRoot, Root};
use crate::source::SourceName;
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
        let sources = Sources::new(self, context);
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
            let package = &request.package;
            let versions = catalogue.versions(package)?;
            if versions.is_empty() {
                return Err(catalogue.sources.unknown(package)?);
            }
            let range = request.range.clone().unwrap_or(VersionReq::STAR);
            let allowed = version::ranges(&range);
            if !versions
                .iter()
                .any(|version| allowed.contains(&version::Point(version.clone())))
            {
                let there: Vec<String> = versions.iter().map(Version::to_string).collect();
                let source = catalogue.sources.name_for(package);
                return Err(
                    not_found(format!("there is no {package} {range} in {source}"))
                        .with_hint(format!("there are: {}", there.join(", "))),
                );
            }
            wanted.push((package.clone(), range));
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
