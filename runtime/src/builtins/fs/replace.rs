//! Replacing a file at once.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Fills a new file beside the target and renames it over it: whoever reads sees the old or the
/// new content, also after a crash. `mode` wins over that of a file that was there.
///
/// What cannot be replaced is written in place: devices and pipes, mount points (a single file of a
/// volume), and files in directories where this process may not make new ones.
pub(super) fn file(
    path: &Path,
    mode: Option<u32>,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    // A link stays, and what it points to is replaced.
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::read_link(path) {
            Ok(link) => path.with_file_name("").join(link),
            Err(_) => path.to_owned(),
        },
        Err(error) => return Err(error),
    };
    let old = match fs::metadata(&target) {
        Ok(old) if old.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        Ok(old) if !old.is_file() => return in_place(&target, None, fill),
        Ok(old) => Some(old),
        Err(_) => None,
    };
    let (temporary, file) = match beside(&target, mode, old.as_ref()) {
        Err(error) if old.is_some() && is_closed_directory(&error) => {
            return in_place(&target, mode, fill);
        }
        created => created?,
    };
    let guard = RemoveOnDrop(&temporary);
    let result =
        finish(file, mode, old.as_ref(), fill).and_then(|()| fs::rename(&temporary, &target));
    match result {
        Ok(()) => {
            std::mem::forget(guard);
            sync_directory(&target)
        }
        Err(error) if error.kind() == ErrorKind::ResourceBusy && old.is_some() => {
            let mut written = File::open(&temporary)?;
            in_place(&target, mode, |file| io::copy(&mut written, file).map(drop))
        }
        Err(error) => Err(error),
    }
}

fn finish(
    mut file: File,
    mode: Option<u32>,
    old: Option<&Metadata>,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    fill(&mut file)?;
    if let Some(old) = old {
        // Only root may give files away; for others the new owner is right.
        let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
    }
    if let Some(mode) = mode.or_else(|| old.map(|old| old.mode() & 0o7777)) {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    file.sync_all()
}

/// Without the rename, the directory's entry is not yet on disk.
fn sync_directory(target: &Path) -> io::Result<()> {
    match parent(target) {
        // Some file systems cannot sync directories; the content is safe already.
        Some(parent) => {
            let _ = File::open(parent).and_then(|directory| directory.sync_all());
            Ok(())
        }
        None => Ok(()),
    }
}

/// A new file in the target's directory, never more open than the target will be.
fn beside(target: &Path, mode: Option<u32>, old: Option<&Metadata>) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mode = mode.or_else(|| old.map(MetadataExt::mode)).unwrap_or(0o666);
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!(".assay-{}-{number}.tmp", std::process::id());
        let path = target.with_file_name(name);
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode & 0o777)
            .open(&path);
        match created {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => return Ok((path, file)),
        }
    }
}

fn is_closed_directory(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
}

fn in_place(
    target: &Path,
    mode: Option<u32>,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).truncate(true).open(target)?;
    fill(&mut file)?;
    if let Some(mode) = mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    match file.sync_all() {
        // Pipes and terminals have nothing to sync.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

fn parent(path: &Path) -> Option<&Path> {
    match path.parent()? {
        here if here.as_os_str().is_empty() => Some(Path::new(".")),
        parent => Some(parent),
    }
}

struct RemoveOnDrop<'a>(&'a Path);

impl Drop for RemoveOnDrop<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0);
    }
}
