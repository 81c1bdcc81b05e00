//! Published packages, from outside: the registry crate tests its own workings; here they are what
//! other people's tools and the runtime take them for.

use std::path::Path;
use std::process::Command;

use assay_tests::{command, dist, project};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::registry::{self, Registry};
use crate::scripts::assay;
use crate::{Outcome, case, case_if, contains, folder};

pub fn cases() -> Vec<Trial> {
    vec![
        case(
            "packages::verbs_reach_assay_registry",
            verbs_reach_assay_registry,
        ),
        case(
            "packages::publishing_twice_gives_the_same_digests",
            publishing_twice,
        ),
        case(
            "packages::an_installed_library_runs_its_plugins",
            an_installed_library_runs,
        ),
        case(
            "packages::a_missing_registry_is_explained",
            a_missing_registry,
        ),
        case_if("packages::skopeo_reads_them", no_skopeo, skopeo_reads_them),
        case_if(
            "packages::skopeo_brings_them_to_a_registry",
            || no_skopeo().or_else(registry::missing),
            skopeo_brings_them_to_a_registry,
        ),
    ]
}

/// Publishes libraries and plugins of the tree, and returns the lines that say what.
pub fn publish(folder: &Path, to: &str) -> Result<String, String> {
    let mut lines = String::new();
    for manifest in ["stdlib/manifest.yaml", "plugins/manifest.yaml"] {
        let manifest = project().join(manifest).display().to_string();
        lines += &verb(folder, &["publish", "--manifest", &manifest, "--to", to])?.stdout;
    }
    Ok(lines)
}

/// `assay VERB ...`, with `assay-registry` beside it.
fn verb(folder: &Path, arguments: &[&str]) -> Result<command::Output, String> {
    let mut command = command::command(&dist::binary("assay"), folder);
    let mut path = vec![dist::dist().join("bin")];
    path.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    command.env(
        "PATH",
        std::env::join_paths(path).map_err(|error| error.to_string())?,
    );
    command::run(command.args(arguments))?.ok()
}

fn verbs_reach_assay_registry() -> Outcome {
    let folder = folder()?;
    contains(
        &verb(folder.path(), &["install", "--help"])?.stdout,
        "Usage: assay install",
    )?;
    // Its exit codes come back, too.
    let mut wrong = command::command(&dist::binary("assay"), folder.path());
    wrong.env("PATH", dist::dist().join("bin"));
    let output = command::run(wrong.args(["install", "--no-such-option"]))?;
    if output.code == 2 {
        Ok(())
    } else {
        Err(format!("exit code {}\n{}", output.code, output.stderr))
    }
}

fn publishing_twice() -> Outcome {
    let folder = folder()?;
    let digests = |name: &str| -> Result<Vec<String>, String> {
        let lines = publish(folder.path(), &format!("oci:{name}"))?;
        Ok(lines
            .lines()
            .filter_map(|line| Some(line.split_once('@')?.1.to_owned()))
            .collect())
    };
    let (first, second) = (digests("first")?, digests("second")?);
    if first.len() < 7 || first != second {
        return Err(format!("{first:?}\n{second:?}"));
    }
    Ok(())
}

fn an_installed_library_runs() -> Outcome {
    let folder = folder()?;
    publish(folder.path(), "oci:packages")?;
    verb(
        folder.path(),
        &[
            "install",
            "--registry",
            "oci:packages",
            "--root",
            "root",
            "vault",
            "plugin/crypto",
        ],
    )?;
    let root = folder.path().join("root");
    let script = "local vault = require('assay.vault')\n\
                  local ok, err = pcall(vault.client('http://127.0.0.1:1', 'token').read, \
                    vault.client('http://127.0.0.1:1', 'token'), 'secret/x')\n\
                  print(err.kind, #crypto.random(8))";
    let output = command::run(assay("assay", folder.path(), &[root]).args(["-e", script]))?.ok()?;
    contains(&output.stdout, "connect\t8\n")
}

fn a_missing_registry() -> Outcome {
    let folder = folder()?;
    for (source, said) in [
        ("127.0.0.1:1/acme", "127.0.0.1:1"),
        ("oci:nowhere", "nowhere"),
    ] {
        let mut install = command::command(&dist::binary("assay-registry"), folder.path());
        let output = command::run(install.args([
            "install",
            "--registry",
            source,
            "--root",
            "root",
            "vault",
        ]))?;
        if output.code == 0 {
            return Err(format!("{source}: installed"));
        }
        contains(&output.stderr, said)?;
    }
    Ok(())
}

/// An image like any other: config, platform, labels, one layer.
fn skopeo_reads_them() -> Outcome {
    let folder = folder()?;
    publish(folder.path(), "oci:packages")?;
    for (package, platform) in [("lib/vault", true), ("plugin/http", false)] {
        let image = format!(
            "oci:{}:{package}:0.1.0",
            folder.path().join("packages").display()
        );
        let output = skopeo(&["inspect", &image])?;
        let seen: Value = serde_json::from_str(&output).map_err(|error| error.to_string())?;
        let name = package.rsplit('/').next().unwrap_or_default();
        if seen["Os"] != "linux"
            || seen["Layers"]
                .as_array()
                .is_none_or(|layers| layers.len() != 1)
            || seen["Labels"]["rs.assay.name"] != name
            || seen["Labels"]["org.opencontainers.image.version"] != "0.1.0"
        {
            return Err(format!("{package}: {output}"));
        }
        if platform {
            // Libraries are for every platform.
            skopeo(&["inspect", "--override-arch", "arm64", &image])?;
        }
    }
    Ok(())
}

/// What was published into a folder, carried to a registry by skopeo, installs from there.
fn skopeo_brings_them_to_a_registry() -> Outcome {
    let folder = folder()?;
    publish(folder.path(), "oci:packages")?;
    let registry = Registry::start()?;
    let layout = folder.path().join("packages");
    for package in ["lib/lib:0.1.0", "lib/k8s:0.1.0", "plugin/http:0.1.0"] {
        let from = format!("oci:{}:{package}", layout.display());
        let to = format!("docker://{}/acme/{package}", registry.host);
        skopeo(&[
            "copy",
            "--all",
            "--preserve-digests",
            "--dest-tls-verify=false",
            &from,
            &to,
        ])?;
    }
    let source = format!("{}/acme", registry.host);
    let output = verb(
        folder.path(),
        &["install", "--registry", &source, "--root", "root", "k8s"],
    )?;
    contains(&output.stderr, "plugin http 0.1.0")?;
    verb(folder.path(), &["verify", "--root", "root"]).map(drop)
}

/// Why cases that need skopeo do not run here, if so.
pub fn no_skopeo() -> Option<String> {
    (!command::is_installed("skopeo")).then(|| "skopeo is missing (apt-get install skopeo)".into())
}

fn skopeo(arguments: &[&str]) -> Result<String, String> {
    let mut skopeo = Command::new("skopeo");
    Ok(
        command::run(skopeo.arg("--insecure-policy").args(arguments))?
            .ok()?
            .stdout,
    )
}
