//! The one layer of a package: packed reproducibly, unpacked suspiciously.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use semver::Version;

use crate::digest::{Digest, Hashing};
use crate::error::{Error, Result, corrupt, usage};
use crate::meta::{Meta, PackageManifest};
use crate::name::{Kind, PackageName};
use crate::oci::{self, Descriptor};

/// A packed layer.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The gzip bytes.
    pub bytes: Vec<u8>,
    /// Type, digest and size of the gzip bytes.
    pub descriptor: Descriptor,
    /// Digest of the tar inside.
    pub diff_id: Digest,
}

/// Packs files, named by their path below a root (`vault/init.lua`), together
/// with the record that lists them. The same input always gives the same bytes.
pub fn pack(
    manifest: &PackageManifest,
    files: &BTreeMap<String, Vec<u8>>,
    mtime: u64,
) -> Result<Layer> {
    let digests = files
        .iter()
        .map(|(path, bytes)| (path.clone(), Digest::of(bytes)))
        .collect();
    let meta = Meta::new(manifest, digests);
    let mut all: BTreeMap<String, &[u8]> = files
        .iter()
        .map(|(path, bytes)| (format!("{PREFIX}{path}"), bytes.as_slice()))
        .collect();
    let record = oci::to_json(&meta);
    all.insert(
        format!("{PREFIX}.meta/{}", meta.package()?.meta_file()),
        &record,
    );

    let total: u64 = all.values().map(|bytes| bytes.len() as u64).sum();
    if all.len() > MAX_FILES || total > MAX_UNPACKED / 2 {
        return Err(usage(format!(
            "{} has {} files and {total} bytes; a package holds at most {MAX_FILES} files and {} bytes",
            meta.package()?,
            all.len(),
            MAX_UNPACKED / 2
        )));
    }

    let gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::new(), Compression::new(9));
    let mut archive = tar::Builder::new(Hashing::new(gzip));
    let mut written = BTreeSet::new();
    for (path, bytes) in &all {
        let parents: Vec<&str> = path.match_indices('/').map(|(i, _)| &path[..=i]).collect();
        for parent in parents {
            if written.insert(parent.to_owned()) {
                append(&mut archive, parent, tar::EntryType::Directory, &[], mtime)?;
            }
        }
        append(&mut archive, path, tar::EntryType::Regular, bytes, mtime)?;
    }
    let hashing = archive.into_inner().map_err(Error::from)?;
    let (gzip, diff_id) = hashing.into_parts();
    let bytes = gzip.finish().map_err(Error::from)?;
    let descriptor = Descriptor::of(oci::LAYER, &bytes);
    Ok(Layer {
        bytes,
        descriptor,
        diff_id,
    })
}

/// Unpacks a layer into an empty folder, which then looks like a root with only
/// this package in it. Checks size and digests of the stream and of every file;
/// after an error the folder's content is worthless and must be dropped.
pub fn unpack(
    layer: impl Read,
    descriptor: &Descriptor,
    diff_id: &Digest,
    package: &PackageName,
    version: &Version,
    into: &Path,
) -> Result<Meta> {
    let bounded = layer.take(descriptor.size + 1);
    let unzipped = GzDecoder::new(Hashing::new(bounded)).take(MAX_UNPACKED);
    let mut tar = Hashing::new(unzipped);

    // What stands in a broken stream is of no interest when its bytes are not
    // the promised ones, so digests are compared first and entry errors after.
    let entries = extract(&mut tar, package, version, into);
    let drained = match entries {
        Ok(_) => io::copy(&mut tar, &mut io::sink()),
        Err(_) => Ok(0),
    };
    let (unzipped, actual_diff_id) = tar.into_parts();
    let at_limit = unzipped.limit() == 0;
    let mut compressed = unzipped.into_inner().into_inner();
    io::copy(&mut compressed, &mut io::sink())?;
    let (actual, size) = compressed.finish();

    let name = format!("layer {} of {package} {version}", descriptor.digest.short());
    if size != descriptor.size {
        let what = if size < descriptor.size {
            "truncated"
        } else {
            "longer than announced"
        };
        let seen = if size < descriptor.size {
            size.to_string()
        } else {
            format!("more than {}", descriptor.size)
        };
        return Err(corrupt(format!(
            "{name} is {what}: {seen} bytes instead of {}",
            descriptor.size
        )));
    }
    if actual != descriptor.digest {
        return Err(corrupt(format!(
            "{name} was tampered with or damaged: its digest is {actual}"
        )));
    }
    if at_limit {
        return Err(corrupt(format!(
            "{name} unpacks to more than {MAX_UNPACKED} bytes"
        )));
    }
    let written = entries.map_err(|error| error.context(format!("{name} is not acceptable")))?;
    drained.map_err(|error| corrupt(format!("{name} is not a gzip stream")).with_source(error))?;
    if actual_diff_id != *diff_id {
        return Err(corrupt(format!(
            "{name} unpacks to {actual_diff_id}, its config says {diff_id}"
        )));
    }
    check_record(package, version, into, written)
        .map_err(|error| error.context(format!("{name} is not acceptable")))
}

fn extract(
    tar: &mut impl Read,
    package: &PackageName,
    version: &Version,
    into: &Path,
) -> Result<BTreeMap<String, Digest>> {
    let broken = |error: io::Error| corrupt("the archive cannot be read").with_source(error);
    let mut archive = tar::Archive::new(tar);
    let mut written = BTreeMap::new();
    let (mut count, mut claimed) = (0, 0u64);
    // Raw entries: long-name and pax records, which our packer never writes,
    // arrive as entries of their own and are refused by their type.
    for entry in archive.entries().map_err(broken)?.raw(true) {
        let mut entry = entry.map_err(broken)?;
        count += 1;
        if count > MAX_FILES * 2 {
            return Err(corrupt(format!(
                "the archive has more than {} entries",
                MAX_FILES * 2
            )));
        }
        claimed = claimed.saturating_add(entry.size());
        if claimed > MAX_UNPACKED {
            return Err(corrupt(format!(
                "the archive unpacks to more than {MAX_UNPACKED} bytes"
            )));
        }
        let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        let Some(path) = inside_root(&shown, package, version, kind) else {
            return Err(corrupt(format!(
                "entry `{shown}` does not belong to {package} {version}"
            )));
        };
        let target = into.join(&path);
        match kind {
            tar::EntryType::Directory => make_folder(&target)?,
            tar::EntryType::Regular => {
                if let Some(parent) = target.parent() {
                    make_folder(parent)?;
                }
                let mut file = match fs_err::File::create_new(&target) {
                    Ok(file) => Hashing::new(file),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        return Err(corrupt(format!("entry `{shown}` comes twice")));
                    }
                    Err(error) => return Err(error.into()),
                };
                copy(&mut entry, &mut file, broken)?;
                // The umask must not make a plugin writable for its group: the
                // runtime refuses such a file.
                fs_err::set_permissions(&target, std::fs::Permissions::from_mode(0o644))?;
                let (file, digest) = file.into_parts();
                file.sync_all()?;
                written.insert(path, digest);
            }
            other => {
                return Err(corrupt(format!(
                    "entry `{shown}` is a {}; packages hold only files and folders",
                    describe(other)
                )));
            }
        }
    }
    Ok(written)
}

/// The path below a root, when the entry may be in this package.
///
/// Links and devices with a fine path pass here and are refused by their type,
/// so that the error says what they are.
fn inside_root(
    shown: &str,
    package: &PackageName,
    version: &Version,
    kind: tar::EntryType,
) -> Option<String> {
    let path = PathBuf::from(shown);
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            _ => return None,
        }
    }
    if parts.len() > MAX_DEPTH || shown.contains('\0') {
        return None;
    }
    let folder = kind == tar::EntryType::Directory;
    match (package.kind, parts.as_slice()) {
        (_, ["lib"] | ["lib", "assay"] | ["lib", "assay", ".meta"]) if folder => {}
        (_, ["lib", "assay", ".meta", file]) if !folder && *file == package.meta_file() => {}
        (Kind::Library, ["lib", "assay", name]) if folder && *name == package.name => {}
        (Kind::Library, ["lib", "assay", name, _, ..]) if *name == package.name => {}
        (Kind::Plugin, ["lib", "assay", "plugins"]) if folder => {}
        (Kind::Plugin, ["lib", "assay", "plugins", file])
            if !folder && *file == plugin_file(&package.name, &version.to_string()) => {}
        _ => return None,
    }
    Some(parts.get(2..).unwrap_or_default().join("/"))
}

/// The record must describe this package and exactly the files that came.
fn check_record(
    package: &PackageName,
    version: &Version,
    into: &Path,
    mut written: BTreeMap<String, Digest>,
) -> Result<Meta> {
    let record = format!(".meta/{}", package.meta_file());
    if written.remove(&record).is_none() {
        return Err(corrupt(format!("it has no {record}")));
    }
    let meta = Meta::from_json(&fs_err::read(into.join(&record))?, &record)?;
    if meta.package()? != *package || meta.parsed_version()? != *version {
        return Err(corrupt(format!(
            "{record} is for {} {}",
            meta.package()?,
            meta.version
        )));
    }
    if meta.files != written {
        let differs = |path: &&String| meta.files.get(*path) != written.get(*path);
        let path = meta.files.keys().chain(written.keys()).find(differs);
        return Err(corrupt(format!(
            "`{}` is not the file that {record} lists",
            path.map_or("", String::as_str)
        )));
    }
    Ok(meta)
}

/// `http-0.1.0.so`.
pub fn plugin_file(name: &str, version: &str) -> String {
    format!("{name}-{version}.so")
}

fn append(
    archive: &mut tar::Builder<impl Write>,
    path: &str,
    kind: tar::EntryType,
    bytes: &[u8],
    mtime: u64,
) -> Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(path).map_err(|error| {
        usage(format!("`{path}` is too long for a package"))
            .with_source(error)
            .with_hint("paths in a package are at most 255 bytes, and a name at most 100")
    })?;
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(if kind == tar::EntryType::Directory {
        0o755
    } else {
        0o644
    });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(mtime);
    header.set_cksum();
    archive.append(&header, bytes)?;
    Ok(())
}

fn make_folder(path: &Path) -> Result<()> {
    if !path.is_dir() {
        if let Some(parent) = path.parent() {
            make_folder(parent)?;
        }
        fs_err::create_dir(path)?;
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// `io::copy`, with errors of the archive and of the disk told apart.
fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    broken: impl Fn(io::Error) -> Error,
) -> Result<()> {
    let mut buffer = [0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).map_err(&broken)?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read])?;
    }
}

fn describe(kind: tar::EntryType) -> &'static str {
    match kind {
        tar::EntryType::Symlink => "symbolic link",
        tar::EntryType::Link => "hard link",
        tar::EntryType::Char | tar::EntryType::Block => "device",
        tar::EntryType::Fifo => "named pipe",
        _ => "special entry",
    }
}

const PREFIX: &str = "lib/assay/";
const MAX_FILES: usize = 10_000;
const MAX_DEPTH: usize = 32;
/// Bounds what a small layer can unpack to.
const MAX_UNPACKED: u64 = 512 * 1024 * 1024;
