//! Who may know whom: the only edges between our crates, and what the runtime's sources may not hold.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use assay_tests::{dist, project};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::{Outcome, case};

/// Crate, what it depends on, and whether it must be able to do without.
const EDGES: [(&str, &str, bool); 17] = [
    ("assay", "assay-plugin", false),
    ("assay-http", "assay-plugin", false),
    ("assay-crypto", "assay-plugin", false),
    ("assay-db", "assay-plugin", false),
    ("assay-template", "assay-plugin", false),
    ("assay-ws", "assay-plugin", false),
    // The static build: the same plugins, linked in.
    ("assay", "assay-http", true),
    ("assay", "assay-crypto", true),
    ("assay", "assay-db", true),
    ("assay", "assay-template", true),
    ("assay", "assay-ws", true),
    // Plugins too, of the tests and of the book.
    ("misbehaving", "assay-plugin", false),
    ("hello-plugin", "assay-plugin", false),
    // A host of the book, with a builtin of its own.
    ("embed", "assay", false),
    ("embed", "assay-plugin", false),
    // Measured from inside; nothing of it ships.
    ("assay-bench", "assay", false),
    ("assay-bench-plugin", "assay-plugin", false),
];

/// What belongs to libraries: the runtime knows no system that they talk to, but for one type of check.
const FOREIGN: [&str; 8] = [
    "k8s",
    "kubernetes",
    "vault",
    "openbao",
    "argocd",
    "prometheus",
    "grafana",
    "kubectl",
];

pub fn cases() -> Vec<Trial> {
    vec![
        case("layering::edges", edges),
        case("layering::one_version", one_version),
        case("layering::runtime_knows_no_domain", runtime_knows_no_domain),
        case("layering::runtime_holds_no_lua", runtime_holds_no_lua),
    ]
}

fn edges() -> Outcome {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for package in packages()? {
        let from = text(&package["name"]);
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            if dependency["path"].is_null() {
                continue;
            }
            let to = text(&dependency["name"]);
            let edge = EDGES.iter().find(|(a, b, _)| (*a, *b) == (from, to));
            match edge {
                Some((_, _, optional)) if *optional != dependency["optional"] => {
                    wrong.push(format!("{from} -> {to}: optional must be {optional}"));
                }
                Some(_) if dependency["kind"].is_null() => {
                    seen.insert((from.to_owned(), to.to_owned()));
                }
                _ => wrong.push(format!("{from} -> {to} ({})", dependency["kind"])),
            }
        }
    }
    for (from, to, _) in EDGES {
        if !seen.contains(&(from.to_owned(), to.to_owned())) {
            wrong.push(format!("{from} -> {to} is gone: take it off the list"));
        }
    }
    none(
        &wrong,
        "edges between our crates that ARCHITECTURE.md does not have",
    )
}

/// Plugin files, packages and crates carry one version, the workspace's.
fn one_version() -> Outcome {
    let packages = packages()?;
    let version_of = |name: &str| {
        packages
            .iter()
            .find(|package| package["name"] == name)
            .map(|package| text(&package["version"]))
    };
    let version = version_of("assay").ok_or("no crate `assay`")?;
    let mut wrong = Vec::new();
    for name in [
        "assay-plugin",
        "assay-http",
        "assay-crypto",
        "assay-db",
        "assay-template",
        "assay-ws",
        "assay-registry",
    ] {
        if version_of(name) != Some(version) {
            wrong.push(format!("{name}: {:?}", version_of(name)));
        }
    }
    for manifest in ["stdlib/manifest.yaml", "plugins/manifest.yaml"] {
        if !crate::read(manifest)?.contains(&format!("\nversion: {version}\n")) {
            wrong.push(format!("{manifest}: not version {version}"));
        }
    }
    for file in dist::plugins() {
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !name.ends_with(&format!("-{version}.so")) {
            wrong.push(format!("{name}: not version {version}"));
        }
    }
    none(&wrong, "versions that differ from the runtime's")
}

fn runtime_knows_no_domain() -> Outcome {
    let mut wrong = Vec::new();
    for_each_file(&project().join("runtime/src"), &mut |path| {
        let source = fs_err::read_to_string(path)
            .unwrap_or_default()
            .to_ascii_lowercase();
        for (number, line) in source.lines().enumerate() {
            let is_check = path.starts_with(project().join("runtime/src/checks"));
            let foreign =
                |word: &&&str| line.contains(**word) && !(is_check && **word == "prometheus");
            if let Some(word) = FOREIGN.iter().find(foreign) {
                wrong.push(format!("{}:{}: `{word}`", path.display(), number + 1));
            }
        }
    });
    none(&wrong, "names of systems that only libraries may know")
}

fn runtime_holds_no_lua() -> Outcome {
    let mut wrong = Vec::new();
    for_each_file(&project().join("runtime/src"), &mut |path| {
        if path.extension().is_none_or(|extension| extension != "rs") {
            wrong.push(path.display().to_string());
        }
    });
    none(&wrong, "files in the runtime's sources that are not Rust")
}

/// The workspace's packages, as cargo sees them.
pub fn packages() -> Result<Vec<Value>, String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(project())
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    metadata["packages"]
        .as_array()
        .cloned()
        .ok_or_else(|| "cargo metadata lists no packages".into())
}

fn for_each_file(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    for path in dist::list(folder) {
        if path.is_dir() {
            for_each_file(&path, visit)
        } else {
            visit(&path)
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A failure that lists what is wrong, if anything is.
pub fn none(wrong: &[String], what: &str) -> Outcome {
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{what}:\n{}", wrong.join("\n")))
    }
}
