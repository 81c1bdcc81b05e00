//! An OCI layout directory as a source of packages: the backend that needs no
//! server, and the form of the cache. `skopeo` reads it.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use semver::Version;

use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result, corrupt, not_found};
use crate::name::PackageName;
use crate::oci::{self, Annotations, Descriptor, Index};
use crate::publish;
use crate::source::{Source, SourceName};
use crate::version;

/// A layout directory. Entries of its `index.json` are named `lib/vault:0.1.0`.
#[derive(Debug)]
pub struct Layout {
    path: PathBuf,
    name: SourceName,
}

impl Layout {
    /// A layout to read from; it must exist.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.join(MARKER).is_file() {
            return Err(not_found(format!("there is no OCI layout at {}", path.display())).with_hint(
                "publish to it first: assay publish --manifest MANIFEST --to oci:DIR; or name another source with --registry",
            ));
        }
        Ok(Layout {
            path: path.to_path_buf(),
            name: SourceName::Layout(path.to_path_buf()),
        })
    }

    /// A layout to write to; it is made when it is not there.
    pub fn create(path: &Path) -> Result<Self> {
        fs_err::create_dir_all(path.join("blobs/sha256"))?;
        if !path.join(MARKER).is_file() {
            write_atomically(&path.join(MARKER), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        }
        Layout::open(path)
    }

    /// Where a blob is or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path.join("blobs/sha256").join(digest.hex())
    }

    /// Stores bytes under their digest, unless they are there.
    pub fn write_blob(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        let path = self.blob_path(digest);
        let there = fs_err::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64);
        if there {
            Ok(())
        } else {
            write_atomically(&path, bytes)
        }
    }

    /// Reads a document by digest and checks it. `None` when it is not there.
    pub fn read_document(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let file = match fs_err::File::open(self.blob_path(digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut bytes = Vec::new();
        file.take(oci::MAX_DOCUMENT + 1).read_to_end(&mut bytes)?;
        if Digest::of(&bytes) != *digest {
            return Err(corrupt(format!(
                "{} is damaged: its digest differs",
                self.blob_path(digest).display()
            )));
        }
        Ok(Some(bytes))
    }

    /// Adds or replaces an entry of `index.json`, safe against others who do the same.
    pub fn tag(&self, reference: &str, descriptor: &Descriptor) -> Result<()> {
        let _lock = self.lock()?;
        self.put(reference, descriptor)
    }

    /// The same for whoever holds the lock.
    fn put(&self, reference: &str, descriptor: &Descriptor) -> Result<()> {
        let mut index = self.table()?;
        index
            .manifests
            .retain(|entry| reference_of(entry) != Some(reference));
        let mut entry = descriptor.clone();
        entry
            .annotations
            .insert(oci::REF_NAME.to_owned(), reference.to_owned());
        index.manifests.push(entry);
        index
            .manifests
            .sort_by(|a, b| reference_of(a).cmp(&reference_of(b)));
        write_atomically(&self.path.join(TABLE), &oci::to_json(&index))
    }

    /// Held while `index.json` is read and written again.
    fn lock(&self) -> Result<fs_err::File> {
        let lock = fs_err::File::open(self.path.join(MARKER))?;
        lock.lock()?;
        Ok(lock)
    }

    /// The layout's table of contents.
    fn table(&self) -> Result<Index> {
        let path = self.path.join(TABLE);
        match fs_err::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                corrupt(format!("{} is not an image index", path.display())).with_source(error)
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Index {
                annotations: Annotations::new(),
                manifests: Vec::new(),
                media_type: oci::INDEX.to_owned(),
                schema_version: 2,
            }),
            Err(error) => Err(error.into()),
        }
    }

    fn references(&self) -> Result<Vec<(PackageName, Version, Descriptor)>> {
        let read = |entry: Descriptor| {
            let (name, tag) = entry.annotations.get(oci::REF_NAME)?.rsplit_once(':')?;
            Some((name.parse().ok()?, version::parse_tag(tag)?, entry))
        };
        Ok(self
            .table()?
            .manifests
            .into_iter()
            .filter_map(read)
            .collect())
    }
}

impl Source for Layout {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn versions(&self, package: &PackageName) -> Result<Option<Vec<Version>>> {
        let references = self.references()?.into_iter();
        let versions: BTreeSet<Version> = references
            .filter(|(name, ..)| name == package)
            .map(|(_, version, _)| version)
            .collect();
        Ok(if versions.is_empty() {
            None
        } else {
            Some(versions.into_iter().collect())
        })
    }

    fn index(&self, package: &PackageName, version: &Version) -> Result<Option<(Digest, Vec<u8>)>> {
        let mut references = self.references()?.into_iter();
        let Some((_, _, entry)) = references.find(|(name, v, _)| name == package && v == version)
        else {
            return Ok(None);
        };
        let bytes = self.document(package, &entry.digest)?;
        Ok(Some((entry.digest, bytes)))
    }

    fn document(&self, package: &PackageName, digest: &Digest) -> Result<Vec<u8>> {
        self.read_document(digest)?
            .ok_or_else(|| missing(self, package, digest))
    }

    fn open_blob(
        &self,
        package: &PackageName,
        descriptor: &Descriptor,
    ) -> Result<Box<dyn Read + '_>> {
        match fs_err::File::open(self.blob_path(&descriptor.digest)) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(missing(self, package, &descriptor.digest))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn packages(&self) -> Result<Vec<PackageName>> {
        let names: BTreeSet<PackageName> = self
            .references()?
            .into_iter()
            .map(|(name, ..)| name)
            .collect();
        Ok(names.into_iter().collect())
    }

    fn push_blob(
        &self,
        _package: &PackageName,
        descriptor: &Descriptor,
        bytes: &[u8],
    ) -> Result<()> {
        self.write_blob(&descriptor.digest, bytes)
    }

    fn push_manifest(
        &self,
        _package: &PackageName,
        descriptor: &Descriptor,
        bytes: &[u8],
    ) -> Result<()> {
        self.write_blob(&descriptor.digest, bytes)
    }

    fn push_index(
        &self,
        package: &PackageName,
        version: &Version,
        descriptor: &Descriptor,
        bytes: &[u8],
    ) -> Result<()> {
        self.write_blob(&descriptor.digest, bytes)?;
        let _lock = self.lock()?;
        // Whoever publishes at the same time may have been first.
        let there = self.index(package, version)?;
        if let Some((digest, _)) = there.filter(|(digest, _)| *digest != descriptor.digest) {
            return Err(publish::exists(
                package,
                version,
                self,
                &digest,
                &descriptor.digest,
            ));
        }
        self.put(&format!("{}:{version}", package.path()), descriptor)
    }
}

fn reference_of(entry: &Descriptor) -> Option<&str> {
    entry.annotations.get(oci::REF_NAME).map(String::as_str)
}

fn missing(layout: &Layout, package: &PackageName, digest: &Digest) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!(
            "{} of {package} is missing in {}",
            digest.short(),
            layout.name
        ),
    )
    .with_hint("publish the package again, or copy the whole layout")
}

/// Temp file beside the target, fsync, rename.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(
        ".{file_name}.{}-{:08x}.tmp",
        std::process::id(),
        fastrand::u32(..)
    ));
    let written = (|| {
        let mut file = fs_err::File::create_new(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs_err::rename(&temporary, path)
    })();
    if let Err(error) = written {
        // The write already failed; what is left of it is of no use to anyone.
        let _ = fs_err::remove_file(&temporary);
        return Err(error.into());
    }
    Ok(())
}

const MARKER: &str = "oci-layout";
const TABLE: &str = "index.json";
