//! Publishing: builds images and pushes them, index last.

use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Image;
use crate::name::PackageName;
use crate::source::Source;
use semver::Version;

/// What became of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// It is there now.
    New(Digest),
    /// It was there already, with the same digest.
    Unchanged(Digest),
}

/// Pushes an image: blobs, manifests, the index under the version's tag last, so
/// that nobody sees half a package. A published version is never changed.
pub fn publish(image: &Image, to: &dyn Source) -> Result<Published> {
    let (index, index_bytes) = &image.index;
    if let Some((there, _)) = to.index(&image.package, &image.version)? {
        if there == index.digest {
            return Ok(Published::Unchanged(there));
        }
        return Err(exists(
            &image.package,
            &image.version,
            to,
            &there,
            &index.digest,
        ));
    }
    for (descriptor, bytes) in &image.blobs {
        to.push_blob(&image.package, descriptor, bytes)?;
    }
    for (descriptor, bytes) in &image.manifests {
        to.push_manifest(&image.package, descriptor, bytes)?;
    }
    to.push_index(&image.package, &image.version, index, index_bytes)?;
    Ok(Published::New(index.digest.clone()))
}

/// The error for a version that is there already, with other content.
pub(crate) fn exists(
    package: &PackageName,
    version: &Version,
    to: &dyn Source,
    there: &Digest,
    this: &Digest,
) -> Error {
    Error::new(
        ErrorKind::Exists,
        format!(
            "{package} {version} is published in {} with other content ({}, this is {})",
            to.name(),
            there.short(),
            this.short()
        ),
    )
    .with_hint(
        "published versions never change: raise the version in the manifest and publish again",
    )
}
