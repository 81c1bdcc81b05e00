//! Publishing: builds images and pushes them, index last.

use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Image;
use crate::source::Source;

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
        return Err(Error::new(
            ErrorKind::Exists,
            format!(
                "{} {} is published in {} with other content ({}, this is {})",
                image.package,
                image.version,
                to.name(),
                there.short(),
                index.digest.short()
            ),
        )
        .with_hint(
            "published versions never change: raise the version in the manifest and publish again",
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
