//! Publish, install, list, verify, info: the same on both backends.

use std::process::Command;

use crate::support::{Lab, Registry, output};

fn round_trip(lab: &Lab, source: &str) {
    lab.publish_all(source, "0.1.0");
    let done = lab.ok(&[
        "install",
        "vault",
        "certmanager",
        "--root",
        "root",
        "--registry",
        source,
    ]);
    assert_eq!(done.stdout, "", "stdout is for data");
    let files: Vec<String> = lab.snapshot("root").into_keys().collect();
    assert_eq!(
        files,
        [
            ".meta/lib-certmanager.json",
            ".meta/lib-k8s.json",
            ".meta/lib-vault.json",
            ".meta/plugin-crypto.json",
            ".meta/plugin-http.json",
            "certmanager/README.md",
            "certmanager/init.lua",
            "certmanager/types/certmanager.lua",
            "k8s/README.md",
            "k8s/init.lua",
            "k8s/types/k8s.lua",
            "plugins/crypto-0.1.0.so",
            "plugins/http-0.1.0.so",
            "vault/README.md",
            "vault/init.lua",
            "vault/kv.lua",
            "vault/types/vault.lua",
        ]
    );
    assert_eq!(
        lab.snapshot("root")["plugins/http-0.1.0.so"],
        lab.snapshot("plugins")["http-0.1.0.so"]
    );
    let last = done.stderr.lines().rev().nth(1).unwrap();
    assert_eq!(
        last,
        "installed certmanager 0.1.0, k8s 0.1.0, vault 0.1.0, plugin crypto 0.1.0 and plugin http 0.1.0 into root"
    );
    assert!(
        done.stderr.contains("to use it: ASSAY_LIB_PATH="),
        "{}",
        done.stderr
    );

    let meta: serde_json::Value =
        serde_json::from_str(&lab.read("root/.meta/lib-vault.json")).unwrap();
    assert_eq!(meta["schema"], 1);
    assert_eq!(meta["kind"], "lib");
    assert_eq!(
        meta["requires_builtins"],
        serde_json::json!(["http.client", "crypto.random"])
    );
    assert_eq!(
        meta["files"]["vault/init.lua"],
        lab.snapshot("root")["vault/init.lua"].to_string()
    );
    assert!(
        meta["source"]
            .as_str()
            .unwrap()
            .ends_with(source.trim_start_matches("oci:")),
        "{meta}"
    );

    lab.ok(&["verify", "--root", "root"]);
    let list = lab.ok(&["list", "--root", "root", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list["packages"].as_array().unwrap().len(), 5);
    assert_eq!(list["packages"][0]["name"], "certmanager");
    let info = lab.ok(&[
        "info",
        "certmanager",
        "--registry",
        source,
        "--root",
        "root",
        "--json",
    ]);
    let info: serde_json::Value = serde_json::from_str(&info.stdout).unwrap();
    assert_eq!(
        info["requires"],
        serde_json::json!({"assay": ">=0.1", "k8s": "*"})
    );
    assert_eq!(info["installed"], "0.1.0");
    assert_eq!(
        info["platforms"],
        serde_json::json!(["linux/amd64", "linux/arm64"])
    );

    let again = lab.ok(&["install", "vault", "--root", "root", "--registry", source]);
    assert!(
        again.stderr.starts_with("nothing to do: "),
        "{}",
        again.stderr
    );
}

#[test]
fn through_a_layout() {
    round_trip(&Lab::new(), "oci:packages");
}

#[test]
fn through_a_registry() {
    let registry = Registry::start();
    round_trip(&Lab::new(), &registry.prefix);
}

#[test]
fn both_backends_and_two_runs_give_the_same_digests() {
    let registry = Registry::start();
    let lab = Lab::new();
    let manifests = [lab.stdlib("0.1.0"), lab.plugins("0.1.0")];
    let publish = |to: &str| -> Vec<String> {
        let outputs = manifests
            .each_ref()
            .map(|manifest| lab.ok(&["publish", "--manifest", manifest, "--to", to]));
        let lines = outputs.iter().flat_map(|output| output.stdout.lines());
        lines
            .map(|line| line.rsplit_once('@').unwrap().1.to_owned())
            .collect()
    };
    let first = publish("oci:one");
    assert_eq!(first.len(), 5);
    assert_eq!(first, publish("oci:one"), "published twice in one layout");
    assert_eq!(first, publish(&registry.prefix), "published in a registry");

    // Another checkout: other times, other permissions, other order on disk.
    let other = Lab::new();
    for file in [
        "stdlib/vault/kv.lua",
        "stdlib/vault/init.lua",
        "stdlib/k8s/init.lua",
    ] {
        other.write(file, "x");
    }
    other.stdlib("0.1.0");
    use std::os::unix::fs::PermissionsExt;
    fs_err::set_permissions(
        other.path("stdlib/vault/kv.lua"),
        std::fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let elsewhere = other.ok(&[
        "publish",
        "--manifest",
        "stdlib/manifest.yaml",
        "--to",
        "oci:two",
    ]);
    let digests: Vec<&str> = elsewhere
        .stdout
        .lines()
        .map(|line| line.rsplit_once('@').unwrap().1)
        .collect();
    assert_eq!(digests, first[..3]);
}

#[test]
fn skopeo_reads_the_layout_and_copies_it_to_a_registry() {
    let registry = Registry::start();
    let lab = Lab::new();
    lab.publish_all("oci:packages", "0.1.0");
    for package in ["lib/k8s", "lib/vault", "plugin/http", "plugin/crypto"] {
        let from = format!("oci:{}:{package}:0.1.0", lab.path("packages").display());
        let to = format!("docker://{}/{package}:0.1.0", registry.prefix);
        skopeo(&[
            "copy",
            "--quiet",
            "--multi-arch",
            "all",
            "--dest-tls-verify=false",
            &from,
            &to,
        ]);
    }
    lab.ok(&[
        "install",
        "vault",
        "k8s",
        "--root",
        "root",
        "--registry",
        &registry.prefix,
    ]);
    lab.ok(&["verify", "--root", "root"]);
}

#[test]
fn skopeo_sees_an_ordinary_image() {
    let lab = Lab::new();
    lab.publish_all("oci:packages", "0.1.0");
    let image = format!("oci:{}:plugin/http:0.1.0", lab.path("packages").display());
    let config: serde_json::Value =
        serde_json::from_str(&skopeo(&["inspect", "--config", &image])).unwrap();
    assert_eq!(config["os"], "linux");
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 1);
    assert_eq!(config["config"]["Labels"]["rs.assay.name"], "http");
    assert_eq!(config["config"]["Labels"]["rs.assay.api"], "1.0");
    assert_eq!(config["config"]["Labels"]["rs.assay.libc"], "glibc");
    assert!(
        config["config"]["Labels"]["rs.assay.glibc.min"]
            .as_str()
            .unwrap()
            .starts_with("2.")
    );
    let raw: serde_json::Value =
        serde_json::from_str(&skopeo(&["inspect", "--raw", &image])).unwrap();
    assert_eq!(raw["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert!(raw.get("artifactType").is_none());
    assert_eq!(raw["annotations"]["org.opencontainers.image.title"], "http");
}

#[test]
fn skopeo_reads_the_cache() {
    let registry = Registry::start();
    let lab = Lab::new();
    lab.publish_all(&registry.prefix, "0.1.0");
    lab.ok(&[
        "install",
        "vault",
        "--root",
        "root",
        "--registry",
        &registry.prefix,
    ]);
    let cache = lab.path("home/.cache/assay");
    for package in ["lib/vault", "plugin/http"] {
        let from = format!(
            "oci:{}:{}/{package}:0.1.0",
            cache.display(),
            registry.prefix
        );
        let to = format!("dir:{}", lab.path(&package.replace('/', "-")).display());
        skopeo(&["copy", "--quiet", &from, &to]);
    }
}

#[test]
fn a_full_cache_needs_no_layers_from_the_registry() {
    let registry = Registry::start();
    let lab = Lab::new();
    lab.publish_all(&registry.prefix, "0.1.0");
    lab.write("assay.toml", "[libraries]\nvault = \"^0.1\"\n");
    lab.ok(&["install", "--registry", &registry.prefix]);
    drop(registry);
    fs_err::remove_dir_all(lab.path(".assay")).unwrap();
    lab.ok(&["install", "--locked"]);
    lab.ok(&["verify"]);
}

#[test]
fn an_update_replaces_the_files_of_the_old_version_and_no_others() {
    let lab = Lab::new();
    lab.publish_all("oci:packages", "0.1.0");
    lab.ok(&[
        "install",
        "vault",
        "k8s",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    lab.write("root/vault/mine.lua", "-- written by hand");
    lab.write("root/plugins/mine-1.0.0.so", "not ours");
    fs_err::create_dir(lab.path("root/empty")).unwrap();
    lab.publish_plugin("oci:packages", "http", "0.1.1", "1.0");
    lab.publish_library(
        "oci:packages",
        "vault",
        "0.1.1",
        "    requires_builtins: [http]\n",
    );
    lab.ok(&[
        "install",
        "vault",
        "plugin/http",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    let files = lab.snapshot("root");
    for gone in ["vault/kv.lua", "vault/README.md", "plugins/http-0.1.0.so"] {
        assert!(!files.contains_key(gone), "{gone} should be gone");
    }
    for there in [
        "vault/mine.lua",
        "plugins/mine-1.0.0.so",
        "plugins/http-0.1.1.so",
        "k8s/init.lua",
    ] {
        assert!(files.contains_key(there), "{there} should be there");
    }
    assert!(lab.path("root/empty").is_dir());
    let verify = lab.ok(&["verify", "--root", "root"]);
    assert!(
        verify
            .stderr
            .contains("note: plugins/mine-1.0.0.so belongs to no package"),
        "{}",
        verify.stderr
    );
    assert!(
        verify
            .stderr
            .contains("note: vault/mine.lua belongs to no package"),
        "{}",
        verify.stderr
    );
}

#[test]
fn files_of_nobody_are_not_overwritten() {
    let lab = Lab::new();
    lab.publish_all("oci:packages", "0.1.0");
    lab.write("root/k8s/init.lua", "-- written by hand");
    let done = lab.run(&[
        "install",
        "k8s",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    assert_eq!(done.code, 2);
    assert!(
        done.stderr
            .contains("k8s/init.lua is there already and belongs to no package"),
        "{}",
        done.stderr
    );
    assert_eq!(lab.read("root/k8s/init.lua"), "-- written by hand");
    assert!(!lab.path("root/plugins").exists());
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new();
    lab.publish_all("oci:packages", "0.1.0");
    let mut command = Command::new("sh");
    command
        .current_dir(lab.path(""))
        .env("HOME", lab.path("home"));
    command.args([
        "-c",
        "umask 002; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_assay-registry"),
    ]);
    let done = output(command.args([
        "install",
        "k8s",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]));
    assert_eq!(done.code, 0, "{}", done.stderr);
    for (path, mode) in [
        ("root/plugins", 0o755),
        ("root/plugins/http-0.1.0.so", 0o644),
        ("root/k8s/init.lua", 0o644),
    ] {
        assert_eq!(
            fs_err::metadata(lab.path(path))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            mode,
            "{path}"
        );
    }
}

fn skopeo(arguments: &[&str]) -> String {
    let mut command = Command::new("skopeo");
    command.args(arguments);
    let found = Command::new("skopeo").arg("--version").output();
    assert!(
        found.is_ok(),
        "`skopeo` is needed for this test: apt-get install skopeo"
    );
    let done = output(&mut command);
    assert_eq!(done.code, 0, "skopeo {arguments:?}\n{}", done.stderr);
    done.stdout
}
