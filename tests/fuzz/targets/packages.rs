//! What `assay-registry` reads of strangers: layers, records, and the files of a project.

#![no_main]

use std::io::Read;
use std::path::PathBuf;

use assay_registry::digest::Digest;
use assay_registry::layer;
use assay_registry::lock::Lock;
use assay_registry::manifest::Collection;
use assay_registry::meta::{Meta, PackageManifest};
use assay_registry::name::{PackageName, Request};
use assay_registry::oci::{self, Descriptor};
use assay_registry::project::Project;
use assay_registry::version;
use libfuzzer_sys::fuzz_target;

thread_local!(static FOLDER: (tempfile::TempDir, PathBuf) = {
    let folder = tempfile::tempdir().expect("a folder");
    let into = folder.path().join("into");
    (folder, into)
});

fuzz_target!(|data: &[u8]| {
    let [mode, rest @ ..] = data else {
        return;
    };
    let text = std::str::from_utf8(rest);
    FOLDER.with(|(folder, into)| match mode % 8 {
        0 => unpack(rest, into),
        1 => {
            let path = folder.path().join("assay.lock");
            std::fs::write(&path, rest).expect("a file");
            if let Ok(Some(lock)) = Lock::read(&path) {
                lock.write(&path).expect("a lock that can be written");
                assert_eq!(Lock::read(&path).expect("what we wrote"), Some(lock));
            }
        }
        2 => {
            let path = folder.path().join("manifest.yaml");
            std::fs::write(&path, rest).expect("a file");
            drop(Collection::read(&path));
        }
        3 => {
            std::fs::write(folder.path().join("assay.toml"), rest).expect("a file");
            drop(Project::read(folder.path()));
        }
        4 => {
            if let Ok(meta) = Meta::from_json(rest, "fuzz") {
                let again = Meta::from_json(&meta.to_json(), "fuzz").expect("what we wrote");
                assert_eq!(again.to_json(), meta.to_json());
            }
        }
        5 => {
            if let Ok(text) = text {
                drop(PackageManifest::from_json(text));
            }
        }
        6 => {
            if let Ok(text) = text {
                drop(version::parse(text));
                drop(version::parse_range(text));
                drop(version::parse_tag(text));
                drop(text.parse::<PackageName>());
                drop(text.parse::<Request>());
                drop(text.parse::<Digest>());
            }
        }
        _ => {
            drop(serde_json::from_slice::<oci::Manifest>(rest));
            drop(serde_json::from_slice::<oci::Index>(rest));
        }
    });
});

/// A layer of these tar bytes: nothing of it may land outside of the folder.
fn unpack(tar: &[u8], into: &PathBuf) {
    drop(std::fs::remove_dir_all(into));
    std::fs::create_dir_all(into).expect("a folder");
    // Stored, not compressed, so that the fuzzer reaches the tar.
    let mut gzip = Vec::new();
    flate2::read::GzEncoder::new(tar, flate2::Compression::none())
        .read_to_end(&mut gzip)
        .expect("gzip");
    let descriptor = Descriptor::of(oci::LAYER, &gzip);
    let package: PackageName = "hello".parse().expect("a name");
    let version = version::parse("0.1.0").expect("a version");
    drop(layer::unpack(
        gzip.as_slice(),
        &descriptor,
        &Digest::of(tar),
        &package,
        &version,
        into,
    ));
    let parent = into.parent().expect("a parent");
    let names: Vec<_> = std::fs::read_dir(parent)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| {
            !["into", "assay.lock", "manifest.yaml", "assay.toml"]
                .iter()
                .any(|known| name == known)
        })
        .collect();
    assert!(names.is_empty(), "{names:?} beside the folder");
}
