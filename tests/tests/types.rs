//! `assay types`, and what a checker makes of it: the libraries and examples of the project are clean,
//! and mistakes in scripts are found.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use assay_tests::{command, dist, project};
use libtest_mimic::Trial;

use crate::docs::{read_page, shown};
use crate::scripts::assay;
use crate::{Outcome, case, case_if, contains, folder, read};

pub fn cases() -> Vec<Trial> {
    vec![
        case("types::every_stub_is_handed_out", every_stub_is_handed_out),
        case_if(
            "types::libraries_and_examples_are_clean",
            missing,
            libraries_and_examples_are_clean,
        ),
        case_if("types::mistakes_are_found", missing, mistakes_are_found),
    ]
}

/// `emmylua_check`, which reads Lua 5.5 and LuaCATS. tests/run.sh installs it.
fn checker() -> PathBuf {
    std::env::var_os("ASSAY_TEST_EMMYLUA_CHECK")
        .map_or_else(|| "emmylua_check".into(), PathBuf::from)
}

fn missing() -> Option<String> {
    let found = Command::new(checker()).arg("--version").output();
    let hint = "emmylua_check is missing: cargo install --locked emmylua_check@0.25.1";
    (!found.is_ok_and(|output| output.status.success())).then(|| hint.to_owned())
}

/// Runs the checker in a folder, which may take its time where others work too.
fn check(folder: &Path, arguments: &[&str]) -> Result<command::Output, String> {
    let mut command = command::command(&checker(), folder);
    command.arg("--warnings-as-errors").args(arguments);
    command::run_for(&mut command, b"", Duration::from_secs(300))
}

/// A library root without libraries: without any, the default ones are searched.
fn nothing() -> PathBuf {
    "/dev/null".into()
}

/// `assay types` hands out every stub of the project, byte for byte: of plugins too, from inside of
/// their files.
fn every_stub_is_handed_out() -> Outcome {
    for (binary, root) in [("assay", dist::root()), ("assay-static", nothing())] {
        let folder = folder()?;
        command::run(assay(binary, folder.path(), &[root]).args(["types", "types"]))?.ok()?;
        for stub in stubs() {
            let name = stub.file_name().unwrap_or_default();
            let path = folder.path().join("types/builtins").join(name);
            let written = read_page(&path)?;
            let (_, written) = written.split_once('\n').unwrap_or_default();
            if written != read_page(&stub)? {
                return Err(format!(
                    "{binary} types: {} is not {}: does its `plugin!` have `types:`?",
                    path.display(),
                    shown(&stub)
                ));
            }
        }
    }
    Ok(())
}

/// The LuaCATS stubs of the core and of the plugins.
pub fn stubs() -> Vec<PathBuf> {
    let mut folders = vec![project().join("runtime/types")];
    for plugin in dist::list(&project().join("plugins")) {
        folders.push(plugin.join("types"));
    }
    folders
        .iter()
        .flat_map(|folder| dist::list(folder))
        .collect()
}

/// As an editor with the project's `.emmyrc.json` sees it.
fn libraries_and_examples_are_clean() -> Outcome {
    let folder = folder()?;
    command::run(assay("assay-static", folder.path(), &[nothing()]).args(["types", "types"]))?
        .ok()?;
    let types = folder.path().join("types").display().to_string();
    let config = read(".emmyrc.json")?.replace("dist/types", &types);
    contains(&config, &types)?;
    let path = folder.path().join("emmyrc.json");
    fs_err::write(&path, config).map_err(|error| error.to_string())?;
    check(&project(), &["--config", &path.display().to_string(), "."])?
        .ok()
        .map(drop)
}

/// What docs/editors.md promises, in a project with plugins and libraries.
fn mistakes_are_found() -> Outcome {
    let folder = folder()?;
    let run =
        || command::run(assay("assay", folder.path(), &[dist::root()]).args(["types", "types"]));
    run()?.ok()?;
    let write = |text: &str| {
        fs_err::write(folder.path().join("job.lua"), text).map_err(|error| error.to_string())
    };
    write(
        r#"global assert, crypto, fs, http, json, print, require
local k8s = require("assay.k8s")

local response = http.get("http://shop.shop.svc", { timeout = 5, headers = { accept = "text/plain" } })
assert.eq(response.status, 200, "the shop answers")
print(crypto.hash(response.body, "sha512"), json.encode({ ok = true }))
for line in fs.lines("/etc/hosts") do
  print(line:upper())
end
k8s.wait_ready("shop", "deployment", "shop", 120)
"#,
    )?;
    check(folder.path(), &["."])?.ok()?;

    write(
        r#"global crypto, fs, http, print, require
local k8s = require("assay.k8s")

print(http.gett("http://shop.shop.svc"))
print(http.get("http://shop.shop.svc").stauts)
print(crypto.hash("x", "sha5"))
print(fs.read())
k8s.wait_redy("shop", "deployment", "shop", 120)
"#,
    )?;
    let output = check(folder.path(), &["."])?;
    if output.code == 0 {
        return Err(format!("no mistake was found\n{}", output.stdout));
    }
    for mistake in [
        "Undefined field `gett`",
        "Undefined field `stauts`",
        "`\"sha5\"`",
        "missing parameter: path",
        "Undefined field `wait_redy`",
    ] {
        contains(&output.stdout, mistake)?;
    }
    Ok(())
}
