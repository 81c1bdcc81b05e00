//! Blobs on their way into the cache.

use std::io::{Read, Write};

use ureq::http::header;

use super::http::{Request, header as header_text};
use super::{Remote, pull};
use crate::digest::Hashing;
use crate::error::{ErrorKind, Result, corrupt, network};
use crate::layout::Layout;
use crate::name::PackageName;
use crate::oci::Descriptor;
use crate::progress::Event;

impl Remote {
    /// The cache, made on first use.
    pub(super) fn cache(&self) -> Result<&Layout> {
        if let Some(cache) = self.cache.get() {
            return Ok(cache);
        }
        let cache = Layout::create(&self.cache_path).map_err(|error| {
            error.context(format!(
                "the cache {} cannot be used",
                self.cache_path.display()
            ))
        })?;
        Ok(self.cache.get_or_init(|| cache))
    }

    /// Makes sure that a blob is in the cache; concurrent processes share the work.
    pub(super) fn fetch(
        &self,
        package: &PackageName,
        descriptor: &Descriptor,
    ) -> Result<std::path::PathBuf> {
        let cache = self.cache()?;
        let path = cache.blob_path(&descriptor.digest);
        let is_there = || fs_err::metadata(&path).is_ok_and(|found| found.len() == descriptor.size);
        if is_there() {
            return Ok(path);
        }
        let hex = descriptor.digest.hex();
        let (locks, parts) = (self.cache_path.join("locks"), self.cache_path.join("tmp"));
        fs_err::create_dir_all(&locks)?;
        fs_err::create_dir_all(&parts)?;
        let lock = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(locks.join(hex))?;
        lock.lock()?;
        if is_there() {
            return Ok(path);
        }
        // Whoever holds the lock owns the part, and what a killed process left
        // of it is overwritten.
        let part = parts.join(hex);
        for attempt in 1.. {
            match self.download(package, descriptor, &part) {
                Err(error) if error.kind() == ErrorKind::Network && attempt < DOWNLOADS => {}
                result => {
                    if result.is_err() {
                        let _ = fs_err::remove_file(&part);
                    }
                    result?;
                    break;
                }
            }
        }
        fs_err::rename(&part, &path)?;
        Ok(path)
    }

    fn download(
        &self,
        package: &PackageName,
        descriptor: &Descriptor,
        part: &std::path::Path,
    ) -> Result<()> {
        let repository = self.repository(package);
        let request = Request::get(self.url(&format!("{repository}/blobs/{}", descriptor.digest))?);
        let name = format!(
            "blob {} of {package} in {}",
            descriptor.digest.short(),
            self.name
        );
        let response = self.expect(&request, &pull(&repository))?.ok_or_else(|| {
            corrupt(format!("{name} is missing")).with_hint("publish the package again")
        })?;
        let announced: Option<u64> = header_text(response.headers(), header::CONTENT_LENGTH)
            .and_then(|text| text.parse().ok());
        if let Some(length) = announced.filter(|length| *length != descriptor.size) {
            return Err(corrupt(format!(
                "{name} has {length} bytes, its manifest says {}",
                descriptor.size
            )));
        }

        let mut file = Hashing::new(fs_err::File::create(part)?);
        let mut body = response.into_body().into_reader().take(descriptor.size + 1);
        let (mut buffer, mut done) = ([0; 64 * 1024], 0);
        loop {
            let read = body.read(&mut buffer).map_err(|error| {
                network(format!("{name} broke off after {done} bytes")).with_source(error)
            })?;
            if read == 0 {
                break;
            }
            done += read as u64;
            if done > descriptor.size {
                return Err(corrupt(format!(
                    "{name} does not end: more than the {} bytes that its manifest says",
                    descriptor.size
                )));
            }
            file.write_all(&buffer[..read])?;
            self.progress.event(&Event::Downloading {
                package,
                done,
                total: descriptor.size,
            });
        }
        let (file, digest) = file.into_parts();
        if done < descriptor.size {
            return Err(corrupt(format!(
                "{name} is truncated: {done} bytes instead of {}",
                descriptor.size
            )));
        }
        if digest != descriptor.digest {
            return Err(corrupt(format!(
                "{name} was tampered with or damaged: its digest is {digest}"
            )));
        }
        file.sync_all()?;
        Ok(())
    }
}

/// A connection that broke off is opened this often.
const DOWNLOADS: u32 = 3;
