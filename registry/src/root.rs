//! A root: the folder that the runtime loads libraries and plugins from.
//!
//! A change is prepared as a complete new root beside the old one, from hard
//! links, and the two are exchanged in one step (`renameat2`), so that a process
//! killed at any moment leaves the old root or the new one. Where that is not
//! possible (the root is a mount point, its parent is read-only, the file system
//! cannot exchange) a journal is written first and files are moved one by one;
//! whoever takes the lock next finishes what an interrupted process began.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Result, corrupt, usage};
use crate::layout::write_atomically;
use crate::meta::Meta;
use crate::name::PackageName;
use crate::progress::{Event, Progress};

/// A root, which need not exist yet.
#[derive(Debug, Clone)]
pub struct Root {
    path: PathBuf,
}

/// What [`Root::verify`] found wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// A file of a package is not there.
    Missing(String),
    /// A file of a package has other bytes than it was installed with.
    Changed(String),
}

impl Root {
    /// The root at a path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Root { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The records of everything installed, sorted by kind and name.
    pub fn installed(&self) -> Result<Vec<Meta>> {
        let folder = self.path.join(META);
        let entries = match fs_err::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut installed = BTreeMap::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_record = (name.starts_with("lib-") || name.starts_with("plugin-"))
                && name.ends_with(".json");
            if !is_record {
                continue;
            }
            let meta = Meta::from_json(&fs_err::read(&path)?, &path.display().to_string())
                .map_err(|error| {
                    error.with_hint(format!(
                        "remove {} and install the package again",
                        path.display()
                    ))
                })?;
            let package = meta.package()?;
            if package.meta_file() != name {
                return Err(corrupt(format!(
                    "{} is the record of {package}",
                    path.display()
                )));
            }
            if let Some(file) = meta.files.keys().find(|file| !is_inside(file)) {
                return Err(corrupt(format!(
                    "{} lists `{file}`, which is outside the root",
                    path.display()
                )));
            }
            installed.insert(package, meta);
        }
        Ok(installed.into_values().collect())
    }

    /// Compares a package's files with its record.
    pub fn verify(&self, meta: &Meta) -> Result<Vec<Damage>> {
        let mut damage = Vec::new();
        for (file, expected) in &meta.files {
            match digest_of(&self.path.join(file)) {
                Ok(actual) if actual == *expected => {}
                Ok(_) => damage.push(Damage::Changed(file.clone())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    damage.push(Damage::Missing(file.clone()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(damage)
    }

    /// Files in the folders of packages that no record lists, such as a plugin
    /// that someone copied in by hand.
    pub fn strangers(&self, installed: &[Meta]) -> Result<Vec<String>> {
        let owned: BTreeSet<&String> = installed
            .iter()
            .flat_map(|meta| meta.files.keys())
            .collect();
        let folders: BTreeSet<&str> = owned
            .iter()
            .filter_map(|file| file.split('/').next())
            .collect();
        let mut strangers = Vec::new();
        for folder in folders {
            if self.path.join(folder).is_dir() {
                walk(&self.path.join(folder), folder, &mut |path, _| {
                    if !owned.contains(&path.to_owned()) {
                        strangers.push(path.to_owned());
                    }
                    Ok(())
                })?;
            }
        }
        strangers.sort();
        Ok(strangers)
    }

    /// Takes the root for a change: makes it when it is not there, waits for
    /// other processes, and tidies up after one that was interrupted.
    pub fn lock(&self, progress: &dyn Progress) -> Result<LockedRoot> {
        fs_err::create_dir_all(self.path.join(META))?;
        // The exchange must replace the folder itself, not a link to it.
        let path = fs_err::canonicalize(&self.path)?;
        let lock = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))?;
        if lock.try_lock().is_err() {
            progress.event(&Event::Waiting(&self.path));
            lock.lock()?;
        }
        let locked = LockedRoot {
            root: Root { path },
            _lock: lock,
        };
        locked.tidy()?;
        Ok(locked)
    }
}

/// A root that this process alone may change, until it is dropped.
#[derive(Debug)]
pub struct LockedRoot {
    root: Root,
    _lock: fs_err::File,
}

impl LockedRoot {
    /// The root.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// An empty folder to unpack a package into.
    pub fn stage(&self, package: &PackageName) -> Result<PathBuf> {
        let folder = self
            .root
            .path
            .join(STAGING)
            .join(package.path().replace('/', "-"));
        if folder.exists() {
            fs_err::remove_dir_all(&folder)?;
        }
        fs_err::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Puts staged packages in and takes `removed` ones out, as one change.
    /// Files of older versions go; files that no record lists stay.
    pub fn commit(&self, staged: &[(PathBuf, Meta)], removed: &[PackageName]) -> Result<()> {
        let change = self.plan(staged, removed)?;
        if change.add.is_empty() && change.remove.is_empty() {
            return self.tidy();
        }
        if self.exchange(&change).is_err() {
            self.move_in_place(&change)?;
        }
        self.tidy()
    }

    fn plan(&self, staged: &[(PathBuf, Meta)], removed: &[PackageName]) -> Result<Change> {
        let installed = self.root.installed()?;
        let mut change = Change::default();
        for (folder, meta) in staged {
            let package = meta.package()?;
            let record = format!("{META}/{}", package.meta_file());
            write_atomically(&folder.join(&record), &meta.to_json())?;
            for file in meta.files.keys().chain([&record]) {
                let from = folder.join(file);
                let from = from
                    .strip_prefix(&self.root.path)
                    .unwrap_or(&from)
                    .to_path_buf();
                change.add.insert(file.clone(), from);
            }
        }
        for meta in &installed {
            let package = meta.package()?;
            let replaced = staged
                .iter()
                .any(|(_, new)| (new.kind, &new.name) == (meta.kind, &meta.name));
            if replaced || removed.contains(&package) {
                change.remove.extend(
                    meta.files
                        .keys()
                        .filter(|file| !change.add.contains_key(*file))
                        .cloned(),
                );
            }
            if !replaced && removed.contains(&package) {
                change
                    .remove
                    .insert(format!("{META}/{}", package.meta_file()));
            }
        }
        let owned: BTreeSet<&String> = installed
            .iter()
            .flat_map(|meta| meta.files.keys())
            .collect();
        for (file, from) in &change.add {
            let there = self.root.path.join(file);
            if owned.contains(file) || file.starts_with(META) || !there.exists() {
                continue;
            }
            if digest_of(&there)? != digest_of(&self.root.path.join(from))? {
                return Err(usage(format!(
                    "{} is there already and belongs to no package",
                    there.display()
                ))
                .with_hint("move it away, or choose another root with --root"));
            }
        }
        Ok(change)
    }

    /// The new root beside the old one, then both exchanged.
    fn exchange(&self, change: &Change) -> io::Result<()> {
        let old = &self.root.path;
        let new = sibling(old).ok_or(io::ErrorKind::Unsupported)?;
        let built = self
            .build_sibling(change, &new)
            .and_then(|()| Ok(renameat_with(CWD, old, CWD, &new, RenameFlags::EXCHANGE)?));
        if built.is_ok() {
            // The change is made; what may be late is only that it is on the disk.
            let _ = sync_folder(new.parent().unwrap_or(Path::new("/")));
        }
        // Now the sibling is the old root, or what could not be finished of the
        // new one. A failure to remove it is made good by the next `tidy`.
        let _ = fs_err::remove_dir_all(&new);
        built
    }

    fn build_sibling(&self, change: &Change, new: &Path) -> io::Result<()> {
        let old = &self.root.path;
        fs_err::create_dir(new)?;
        fs_err::set_permissions(new, fs_err::metadata(old)?.permissions())?;
        let mut made = BTreeSet::new();
        let mut parent = |file: &str| -> io::Result<()> {
            for (end, _) in file.match_indices('/') {
                let folder = &file[..end];
                if made.insert(folder.to_owned()) {
                    fs_err::create_dir(new.join(folder))?;
                    let like = fs_err::metadata(old.join(folder));
                    let permissions = match like {
                        Ok(like) => like.permissions(),
                        Err(_) => std::os::unix::fs::PermissionsExt::from_mode(0o755),
                    };
                    fs_err::set_permissions(new.join(folder), permissions)?;
                }
            }
            Ok(())
        };
        walk(old, "", &mut |path, kind| {
            let goes = change.remove.contains(path) || change.add.contains_key(path);
            if goes || path.starts_with(STAGING) || path == JOURNAL {
                return Ok(());
            }
            parent(path)?;
            if kind.is_symlink() {
                fs_err::os::unix::fs::symlink(fs_err::read_link(old.join(path))?, new.join(path))
            } else if kind.is_dir() {
                parent(&format!("{path}/"))
            } else if kind.is_file() {
                fs_err::hard_link(old.join(path), new.join(path))
            } else {
                Err(io::ErrorKind::Unsupported.into())
            }
        })?;
        for (file, from) in &change.add {
            parent(file)?;
            fs_err::hard_link(old.join(from), new.join(file))?;
        }
        sync_folder(new)
    }

    /// The journal first, then file by file.
    fn move_in_place(&self, change: &Change) -> Result<()> {
        let journal = serde_json::to_vec(change).expect("paths of packages are UTF-8");
        write_atomically(&self.root.path.join(JOURNAL), &journal)?;
        self.replay(change)
    }

    /// Does whatever of a change is still to do.
    fn replay(&self, change: &Change) -> Result<()> {
        let root = &self.root.path;
        for (file, from) in &change.add {
            let (from, to) = (root.join(from), root.join(file));
            if let Some(parent) = to.parent() {
                fs_err::create_dir_all(parent)?;
            }
            match fs_err::rename(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && to.exists() => {}
                result => result?,
            }
        }
        for file in &change.remove {
            let path = root.join(file);
            match fs_err::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
            // Folders that are empty now go too; the others say so by failing.
            let below = path
                .ancestors()
                .skip(1)
                .take_while(|folder| *folder != root);
            for folder in below {
                if fs_err::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
        sync_folder(root)?;
        fs_err::remove_file(root.join(JOURNAL))?;
        Ok(())
    }

    /// Finishes an interrupted change and removes what it left behind.
    fn tidy(&self) -> Result<()> {
        let journal = self.root.path.join(JOURNAL);
        if journal.exists() {
            let change: Change =
                serde_json::from_slice(&fs_err::read(&journal)?).map_err(|error| {
                    corrupt(format!("{} cannot be read", journal.display())).with_source(error)
                })?;
            let mut paths = change.add.keys().chain(&change.remove);
            let mut staged = change.add.values();
            let is_staged =
                |from: &PathBuf| from.starts_with(STAGING) && is_inside(&from.to_string_lossy());
            if !paths.all(|path| is_inside(path)) || !staged.all(is_staged) {
                return Err(corrupt(format!(
                    "{} has paths outside the root",
                    journal.display()
                )));
            }
            self.replay(&change)?;
        }
        let leftovers = [Some(self.root.path.join(STAGING)), sibling(&self.root.path)];
        for folder in leftovers.into_iter().flatten() {
            if folder.is_dir() {
                fs_err::remove_dir_all(&folder)?;
            }
        }
        Ok(())
    }
}

impl Drop for LockedRoot {
    /// What a failed installation staged is of no use. When it cannot be removed
    /// now, the next one that takes the lock does it.
    fn drop(&mut self) {
        if !self.root.path.join(JOURNAL).exists() {
            let _ = fs_err::remove_dir_all(self.root.path.join(STAGING));
        }
    }
}

/// Paths below the root; `add` with where each file is staged.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Change {
    add: BTreeMap<String, PathBuf>,
    remove: BTreeSet<String>,
}

/// The name of the new root while it is being built.
fn sibling(root: &Path) -> Option<PathBuf> {
    let name = root.file_name()?.to_string_lossy();
    Some(root.with_file_name(format!(".{}.assay-new", name.trim_start_matches('.'))))
}

/// Calls `visit` for every file and link, and for every empty folder.
fn walk(
    folder: &Path,
    prefix: &str,
    visit: &mut dyn FnMut(&str, std::fs::FileType) -> io::Result<()>,
) -> io::Result<()> {
    let mut empty = true;
    for entry in fs_err::read_dir(folder)? {
        empty = false;
        let entry = entry?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        let path = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}/{name}")
        };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), &path, visit)?;
        } else {
            visit(&path, kind)?;
        }
    }
    if empty && !prefix.is_empty() {
        visit(prefix, fs_err::metadata(folder)?.file_type())?;
    }
    Ok(())
}

/// A path that stays below the folder it is joined to.
fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)))
}

fn digest_of(path: &Path) -> io::Result<Digest> {
    let mut hashing = crate::digest::Hashing::new(fs_err::File::open(path)?);
    io::copy(&mut hashing, &mut io::sink())?;
    Ok(hashing.finish().0)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    fs_err::File::open(path)?.sync_all()
}

const META: &str = ".meta";
const LOCK: &str = ".meta/lock";
const STAGING: &str = ".meta/staging";
const JOURNAL: &str = ".meta/journal.json";
