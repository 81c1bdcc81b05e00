//! Tests of the built artefacts: one binary, a file for each thing that is tested, and each case
//! under a name of its own.

mod checks;
mod client;
mod db;
mod demo;
mod dependencies;
mod docs;
mod escapes;
mod image;
mod jinja2;
mod layering;
mod libraries;
mod packages;
mod plugins;
mod registry;
mod scripts;
mod serve;
mod sizes;
mod types;
mod ws;

use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// What a case comes to: `Err` says why it failed.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Most cases wait for child processes: sockets, timers, the Docker daemon.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(cores * 2);
    let trials = [
        scripts::cases(),
        serve::cases(),
        client::cases(),
        ws::cases(),
        db::cases(),
        jinja2::cases(),
        checks::cases(),
        plugins::cases(),
        packages::cases(),
        libraries::cases(),
        demo::cases(),
        docs::cases(),
        escapes::cases(),
        types::cases(),
        sizes::cases(),
        layering::cases(),
        dependencies::cases(),
        image::cases(),
    ];
    let code = libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit_code();
    db::stop();
    code
}

/// A case.
fn case(name: impl Into<String>, run: impl FnOnce() -> Outcome + Send + 'static) -> Trial {
    Trial::test(name, || run().map_err(Failed::from))
}

/// A case that does not run, and says so, while something is missing on this machine.
fn case_if(
    name: impl Into<String>,
    missing: impl FnOnce() -> Option<String> + Send + 'static,
    run: impl FnOnce() -> Outcome + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, || match missing() {
        Some(reason) => Ok(Completion::ignored_with(reason)),
        None => run().map(|()| Completion::Completed).map_err(Failed::from),
    })
}

/// Python with the packages that the tests want: the one that tests/run.sh made, or any.
fn python() -> String {
    std::env::var("ASSAY_TEST_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// Why a case that needs a package of Python's cannot run, if it cannot.
fn python_lacks(package: &str) -> Option<String> {
    let has = std::process::Command::new(python())
        .args(["-c", &format!("import {package}")])
        .output();
    let has = has.is_ok_and(|output| output.status.success());
    (!has).then(|| format!("Python's `{package}` is missing (pip install {package})"))
}

/// A failure unless `text` contains `part`.
fn contains(text: &str, part: &str) -> Outcome {
    if text.contains(part) {
        Ok(())
    } else {
        Err(format!("expected {part:?} in\n{text}"))
    }
}

/// A folder of a case's own. Others may look in, such as the user of an image.
fn folder() -> Result<tempfile::TempDir, String> {
    tempfile::Builder::new()
        .prefix("assay-tests-")
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()
        .map_err(|error| error.to_string())
}

/// Reads a text of the project.
fn read(path: &str) -> Result<String, String> {
    let path = assay_tests::project().join(path);
    fs_err::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Holds the part of a file between `<!-- NAME -->` and `<!-- end -->`; `UPDATE=1` rewrites it.
/// `same` says whether what is there will do.
fn generated(
    path: &str,
    name: &str,
    wanted: &str,
    same: impl FnOnce(&str, &str) -> bool,
) -> Outcome {
    let text = read(path)?;
    let start = format!("<!-- {name} -->\n");
    let (before, rest) = text
        .split_once(&start)
        .ok_or(format!("{path} has no `{}`", start.trim()))?;
    let (current, after) = rest
        .split_once("<!-- end -->")
        .ok_or(format!("{path}: no end of {name}"))?;
    if same(current, wanted) {
        return Ok(());
    }
    if std::env::var_os("UPDATE").is_none() {
        return Err(format!(
            "{path} is out of date: UPDATE=1 make test rewrites it. It should have\n{wanted}"
        ));
    }
    let updated = format!("{before}{start}{wanted}<!-- end -->{after}");
    fs_err::write(assay_tests::project().join(path), updated).map_err(|error| error.to_string())
}
