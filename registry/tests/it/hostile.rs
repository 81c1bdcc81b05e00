//! Sources that send something else than they promise. Every case leaves the
//! root as it was.

use std::collections::BTreeMap;
use std::io::Write;

use assay_registry::digest::Digest;
use assay_registry::image::Image;
use assay_registry::layout::Layout;
use assay_registry::manifest::Collection;
use assay_registry::meta::Meta;
use assay_registry::oci::{self, Config, ConfigDetail, Descriptor, Index, Manifest, RootFs};
use assay_registry::platform::Platform;
use assay_registry::source::Source;
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

use crate::support::{Lab, Registry, Server, respond};

/// An entry of a crafted archive; paths are written byte for byte.
struct Entry(&'static str, EntryType, &'static [u8], &'static str);

fn file(path: &'static str, content: &'static [u8]) -> Entry {
    Entry(path, EntryType::Regular, content, "")
}

/// A gzip'ed tar with these entries and, if wanted, the record that fits.
fn archive(entries: &[Entry], with_record: bool) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut append = |path: &str, kind: EntryType, bytes: &[u8], link: &str| {
        let mut header = Header::new_ustar();
        let raw = header.as_old_mut();
        raw.name[..path.len()].copy_from_slice(path.as_bytes());
        raw.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, bytes).unwrap();
    };
    let mut files = BTreeMap::new();
    for Entry(path, kind, bytes, link) in entries {
        append(path, *kind, bytes, link);
        if *kind == EntryType::Regular {
            files.insert(
                path.trim_start_matches("lib/assay/").to_owned(),
                Digest::of(bytes),
            );
        }
    }
    if with_record {
        let manifest =
            serde_json::from_str(r#"{"kind":"lib","name":"evil","schema":1,"version":"1.0.0"}"#)
                .unwrap();
        append(
            "lib/assay/.meta/lib-evil.json",
            EntryType::Regular,
            &Meta::new(&manifest, files).to_json(),
            "",
        );
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// Publishes library `evil` 1.0.0 with this layer.
fn craft(lab: &Lab, layer: &[u8], diff_id: Digest) -> Descriptor {
    lab.write("evil/evil/init.lua", "return {}");
    lab.write(
        "evil/manifest.yaml",
        "libraries: [{name: evil, version: 1.0.0}]",
    );
    let collection = Collection::read(&lab.path("evil/manifest.yaml")).unwrap();
    let honest = Image::build(&collection.members[0], 0).unwrap();
    let index: Index = serde_json::from_slice(&honest.index.1).unwrap();
    let layout = Layout::create(&lab.path("packages")).unwrap();
    let package = &honest.package;

    let layer_descriptor = Descriptor::of(oci::LAYER, layer);
    layout.push_blob(package, &layer_descriptor, layer).unwrap();
    let mut manifests = Vec::new();
    for platform in Platform::ALL {
        let config = oci::to_json(&Config {
            architecture: platform.architecture().into(),
            config: ConfigDetail::default(),
            created: None,
            os: "linux".into(),
            rootfs: RootFs {
                diff_ids: vec![diff_id.clone()],
                kind: "layers".into(),
            },
        });
        let config_descriptor = Descriptor::of(oci::CONFIG, &config);
        layout
            .push_blob(package, &config_descriptor, &config)
            .unwrap();
        let manifest = oci::to_json(&Manifest {
            annotations: index.annotations.clone(),
            config: config_descriptor,
            layers: vec![layer_descriptor.clone()],
            media_type: oci::MANIFEST.into(),
            schema_version: 2,
        });
        let descriptor = Descriptor::of(oci::MANIFEST, &manifest).with_platform(platform);
        layout
            .push_manifest(package, &descriptor, &manifest)
            .unwrap();
        manifests.push(descriptor);
    }
    let index = oci::to_json(&Index { manifests, ..index });
    layout
        .push_index(
            package,
            &honest.version,
            &Descriptor::of(oci::INDEX, &index),
            &index,
        )
        .unwrap();
    layer_descriptor
}

fn unzipped(layer: &[u8]) -> Digest {
    let mut tar = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(layer), &mut tar).unwrap();
    Digest::of(&tar)
}

/// Installs `evil` on top of an intact root, which must stay as it was.
fn refused(lab: &Lab, source: &str) -> String {
    lab.publish_library("oci:good", "good", "1.0.0", "");
    lab.ok(&[
        "install",
        "good",
        "--root",
        "root",
        "--registry",
        "oci:good",
    ]);
    let before = lab.snapshot("root");
    let done = lab.run(&["install", "evil", "--root", "root", "--registry", source]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.starts_with("error: "), "{}", done.stderr);
    assert!(
        done.stderr.contains("\n\nhint: nothing was changed; "),
        "{}",
        done.stderr
    );
    assert_eq!(lab.snapshot("root"), before);
    assert!(!lab.path("outside").exists() && !lab.path("root/outside").exists());
    done.stderr
}

#[test]
fn archives_that_leave_their_place_are_refused() {
    let cases: Vec<(Entry, &str)> = vec![
        (
            file("lib/assay/evil/../../../outside", b"x"),
            "entry `lib/assay/evil/../../../outside` does not belong",
        ),
        (
            file("../outside", b"x"),
            "entry `../outside` does not belong",
        ),
        (
            file("/tmp/outside", b"x"),
            "entry `/tmp/outside` does not belong",
        ),
        (
            file("outside", b"x"),
            "entry `outside` does not belong to library `evil` 1.0.0",
        ),
        (
            file("lib/assay/good/init.lua", b"x"),
            "entry `lib/assay/good/init.lua` does not belong",
        ),
        (
            file("lib/assay/plugins/good-1.0.0.so", b"x"),
            "entry `lib/assay/plugins/good-1.0.0.so` does not belong",
        ),
        (
            file("lib/assay/.meta/lib-good.json", b"{}"),
            "entry `lib/assay/.meta/lib-good.json` does not belong",
        ),
        (
            Entry("lib/assay/evil/link", EntryType::Symlink, b"", "/etc"),
            "entry `lib/assay/evil/link` is a symbolic link; packages hold only files and folders",
        ),
        (
            Entry("lib/assay/evil/hard", EntryType::Link, b"", "/etc/passwd"),
            "is a hard link",
        ),
        (
            Entry("lib/assay/evil/null", EntryType::Char, b"", ""),
            "is a device",
        ),
        (
            Entry("lib/assay/evil/disk", EntryType::Block, b"", ""),
            "is a device",
        ),
        (
            Entry("lib/assay/evil/pipe", EntryType::Fifo, b"", ""),
            "is a named pipe",
        ),
        (
            Entry(
                "lib/assay/evil/pax",
                EntryType::XHeader,
                b"20 path=../outside\n",
                "",
            ),
            "is a special entry",
        ),
        (
            Entry(
                "lib/assay/evil/long",
                EntryType::GNULongName,
                b"../outside\0",
                "",
            ),
            "is a special entry",
        ),
    ];
    for (entry, expected) in cases {
        let lab = Lab::new();
        let layer = archive(&[file("lib/assay/evil/init.lua", b"return 1"), entry], true);
        craft(&lab, &layer, unzipped(&layer));
        let said = refused(&lab, "oci:packages");
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}

#[test]
fn a_link_cannot_be_written_through() {
    let lab = Lab::new();
    let entries = [
        Entry("lib/assay/evil", EntryType::Symlink, b"", "/tmp"),
        file("lib/assay/evil/outside", b"x"),
    ];
    let layer = archive(&entries, true);
    craft(&lab, &layer, unzipped(&layer));
    refused(&lab, "oci:packages");
}

#[test]
fn records_that_do_not_fit_are_refused() {
    let init = || file("lib/assay/evil/init.lua", b"return 1");
    let cases = [
        (archive(&[init()], false), "it has no .meta/lib-evil.json"),
        (
            archive(&[init(), init()], true),
            "entry `lib/assay/evil/init.lua` comes twice",
        ),
        (b"this is not gzip".to_vec(), "the archive cannot be read"),
    ];
    for (layer, expected) in cases {
        let lab = Lab::new();
        craft(&lab, &layer, Digest::of(b""));
        let said = refused(&lab, "oci:packages");
        assert!(
            said.contains(expected) || said.contains("unpacks to sha256:"),
            "{expected}\n{said}"
        );
    }
}

#[test]
fn a_layer_whose_diff_id_differs_is_refused() {
    let lab = Lab::new();
    let layer = archive(&[file("lib/assay/evil/init.lua", b"return 1")], true);
    craft(&lab, &layer, Digest::of(b"something else"));
    assert!(refused(&lab, "oci:packages").contains("its config says sha256:"));
}

#[test]
fn a_layer_that_unpacks_without_end_is_refused() {
    let lab = Lab::new();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut header = Header::new_ustar();
    header.set_path("lib/assay/evil/zeros.lua").unwrap();
    header.set_entry_type(EntryType::Regular);
    header.set_size(600 * 1024 * 1024);
    header.set_mode(0o644);
    header.set_cksum();
    gzip.write_all(header.as_bytes()).unwrap();
    gzip.write_all(&[0; 4096]).unwrap();
    let layer = gzip.finish().unwrap();
    craft(&lab, &layer, Digest::of(b""));
    assert!(refused(&lab, "oci:packages").contains("unpacks to more than 536870912 bytes"));
}

#[test]
fn tampered_and_truncated_blobs_in_a_layout() {
    for (what, damage) in damages() {
        let lab = Lab::new();
        let layer = archive(&[file("lib/assay/evil/init.lua", b"return 1")], true);
        let descriptor = craft(&lab, &layer, unzipped(&layer));
        let blob = lab
            .path("packages/blobs/sha256")
            .join(descriptor.digest.hex());
        damage(&blob);
        let said = refused(&lab, "oci:packages");
        assert!(said.contains(what), "{what}\n{said}");
    }
}

#[test]
fn tampered_and_truncated_blobs_in_a_registry() {
    for (what, damage) in damages() {
        let registry = Registry::start();
        let lab = Lab::new();
        lab.write(
            "evil/evil/init.lua",
            "return 'some text that is long enough to be cut'",
        );
        lab.write(
            "evil/manifest.yaml",
            "libraries: [{name: evil, version: 1.0.0}]",
        );
        lab.ok(&[
            "publish",
            "--manifest",
            "evil/manifest.yaml",
            "--to",
            &registry.prefix,
        ]);
        let collection = Collection::read(&lab.path("evil/manifest.yaml")).unwrap();
        let image = Image::build(&collection.members[0], 0).unwrap();
        damage(&registry.blob(&image.blobs[0].0.digest));
        let said = refused(&lab, &registry.prefix);
        assert!(
            said.contains(what) || said.contains("its manifest says"),
            "{what}\n{said}"
        );
    }
}

type Damage = fn(&std::path::Path);

fn damages() -> [(&'static str, Damage); 3] {
    [
        ("was tampered with or damaged", |blob| {
            let mut bytes = fs_err::read(blob).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs_err::write(blob, bytes).unwrap();
        }),
        ("truncated", |blob| {
            let bytes = fs_err::read(blob).unwrap();
            fs_err::write(blob, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("longer than announced", |blob| {
            let mut bytes = fs_err::read(blob).unwrap();
            bytes.extend([0; 100]);
            fs_err::write(blob, bytes).unwrap();
        }),
    ]
}

/// Serves the layout of a lab as a registry; `blob` answers for layers.
fn serve(
    lab: &Lab,
    layer: Digest,
    blob: impl Fn(&mut std::net::TcpStream) + Send + Sync + 'static,
) -> Server {
    let layout = lab.path("packages");
    Server::start(move |asked, stream| {
        let path = asked.line.split(' ').nth(1).unwrap();
        let reference = path.rsplit('/').next().unwrap();
        if !path.contains("/lib/evil/") {
            respond(stream, "404 Not Found", &[], b"");
        } else if path.contains("/tags/list") {
            respond(
                stream,
                "200 OK",
                &[],
                br#"{"tags":["latest","1.0.0","0.9","v0.1.0"]}"#,
            );
        } else if reference == layer.to_string() {
            blob(stream);
        } else {
            let table: Index =
                serde_json::from_slice(&fs_err::read(layout.join("index.json")).unwrap()).unwrap();
            let hex = reference
                .strip_prefix("sha256:")
                .unwrap_or(table.manifests[0].digest.hex())
                .to_owned();
            respond(
                stream,
                "200 OK",
                &[],
                &fs_err::read(layout.join("blobs/sha256").join(hex)).unwrap(),
            );
        }
    })
}

#[test]
fn an_endless_blob_is_cut_off() {
    let lab = Lab::new();
    let layer = archive(&[file("lib/assay/evil/init.lua", b"return 1")], true);
    let descriptor = craft(&lab, &layer, unzipped(&layer));
    let server = serve(&lab, descriptor.digest, |stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        let chunk = [7; 64 * 1024];
        while stream.write_all(&chunk).is_ok() {}
    });
    let said = refused(&lab, &format!("{}/x", server.host));
    assert!(said.contains("does not end: more than the"), "{said}");
    let cached = lab.snapshot("home/.cache/assay/tmp");
    assert!(cached.is_empty(), "{cached:?}");
}

#[test]
fn a_blob_of_another_length_is_refused_before_it_is_read() {
    let lab = Lab::new();
    let layer = archive(&[file("lib/assay/evil/init.lua", b"return 1")], true);
    let descriptor = craft(&lab, &layer, unzipped(&layer));
    let server = serve(&lab, descriptor.digest, |stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n");
    });
    let said = refused(&lab, &format!("{}/x", server.host));
    assert!(
        said.contains("has 99999999999 bytes, its manifest says"),
        "{said}"
    );
}

#[test]
fn a_blob_that_breaks_off_is_fetched_again() {
    let lab = Lab::new();
    let layer = archive(&[file("lib/assay/evil/init.lua", b"return 1")], true);
    let descriptor = craft(&lab, &layer, unzipped(&layer));
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let server = serve(&lab, descriptor.digest, move |stream| {
        let whole = tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0;
        let _ = stream.write_all(
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", layer.len()).as_bytes(),
        );
        let _ = stream.write_all(if whole { &layer } else { &layer[..10] });
    });
    lab.ok(&[
        "install",
        "evil",
        "--root",
        "root",
        "--registry",
        &format!("{}/x", server.host),
    ]);
    lab.ok(&["verify", "--root", "root"]);
}

#[test]
fn a_damaged_cache_heals_itself() {
    let registry = Registry::start();
    let lab = Lab::new();
    lab.publish_library(&registry.prefix, "solo", "1.0.0", "");
    lab.ok(&[
        "install",
        "solo",
        "--root",
        "one",
        "--registry",
        &registry.prefix,
    ]);
    let blobs = lab.path("home/.cache/assay/blobs/sha256");
    for blob in fs_err::read_dir(&blobs).unwrap() {
        let path = blob.unwrap().path();
        let mut bytes = fs_err::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs_err::write(path, bytes).unwrap();
    }
    lab.ok(&[
        "install",
        "solo",
        "--root",
        "two",
        "--registry",
        &registry.prefix,
    ]);
    lab.ok(&["verify", "--root", "two"]);
}

#[test]
fn a_manifest_without_end_is_cut_off() {
    let server = Server::start(|asked, stream| {
        if asked.line.contains("/tags/list") {
            return respond(stream, "200 OK", &[], br#"{"tags":["1.0.0"]}"#);
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        while stream.write_all(&[b' '; 64 * 1024]).is_ok() {}
    });
    let done = Lab::new().run(&["info", "evil", "--registry", &server.host]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr.contains("is longer than 4194304 bytes"),
        "{}",
        done.stderr
    );
}

#[test]
fn an_index_under_another_name_is_refused() {
    let lab = Lab::new();
    let layer = archive(&[file("lib/assay/evil/init.lua", b"return 1")], true);
    craft(&lab, &layer, unzipped(&layer));
    let table = lab
        .read("packages/index.json")
        .replace("lib/evil:1.0.0", "lib/other:1.0.0");
    lab.write("packages/index.json", table);
    let done = lab.run(&[
        "install",
        "other",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr
            .contains("it says that it is library `evil` 1.0.0"),
        "{}",
        done.stderr
    );
}
