//! Plugins as the runtime meets them: broken files, a plugin in C from nothing but the header, one
//! that goes wrong when called, and the one of the book.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use assay_tests::fixtures::{self, BROKEN, Broken};
use assay_tests::{command, dist, project};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::scripts::{self, assay};
use crate::{Outcome, case, contains, folder};

pub fn cases() -> Vec<Trial> {
    let mut cases: Vec<Trial> = BROKEN
        .iter()
        .map(|broken| case(format!("broken::{}", broken.name), || refused(broken)))
        .collect();
    cases.push(case(
        "plugins::an_older_version_that_fits_is_taken",
        an_older_version_that_fits_is_taken,
    ));
    cases.push(case(
        "plugins::the_example_of_the_book",
        the_example_of_the_book,
    ));
    cases.push(case("plugins::list", list));
    cases.push(case("plugins::not_installed", not_installed));
    for (family, build) in [
        ("conformance", fixtures::conformance as fn(&Path) -> PathBuf),
        ("misbehaving", fixtures::misbehaving),
    ] {
        let built = Arc::new(Built {
            root: OnceLock::new(),
            build,
        });
        for script in dist::list(&project().join("tests/plugins").join(family)) {
            let name = script
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let built = built.clone();
            cases.push(case(format!("plugins::{family}::{name}"), move || {
                scripts::run(&script, "assay", &[built.root()])
            }));
        }
    }
    cases
}

/// A plugin that is built when the first case needs it, for all of them.
struct Built {
    root: OnceLock<(TempDir, PathBuf)>,
    build: fn(&Path) -> PathBuf,
}

impl Built {
    fn root(&self) -> PathBuf {
        let build = || {
            let folder = folder().expect("a folder");
            let root = (self.build)(folder.path());
            (folder, root)
        };
        self.root.get_or_init(build).1.clone()
    }
}

/// The first use raises exactly this, and `assay plugins` says it too.
fn refused(broken: &'static Broken) -> Outcome {
    let folder = folder()?;
    let built = broken.build(folder.path());
    let roots = [built.root.clone()];
    let mut run = assay("assay", folder.path(), &roots);
    let output = command::run(run.args(["-e", &built.script]))?;
    if output.code != 1 {
        return Err(format!(
            "exit code {}, expected 1\n{}",
            output.code, output.stderr
        ));
    }
    contains(&output.stderr, &built.message)?;
    if !built.hint.is_empty() {
        contains(&output.stderr, &format!("hint: {}", built.hint))?;
    }
    // A script can catch it.
    let caught = format!(
        "print(pcall(function() {} end))",
        built.script.replace('\n', " ")
    );
    let mut run = assay("assay", folder.path(), &roots);
    let output = command::run(run.args(["-e", &caught]))?.ok()?;
    contains(&output.stdout, &format!("false\t{}", built.message))
}

fn an_older_version_that_fits_is_taken() -> Outcome {
    let folder = folder()?;
    let root = fixtures::newest_needs_more(folder.path());
    let mut run = assay("assay", folder.path(), &[root]);
    let output = command::run(run.args(["-e", "print(choosy.hello())"]))?;
    output.ok().map(drop)
}

fn the_example_of_the_book() -> Outcome {
    let folder = folder()?;
    let root = fixtures::hello(folder.path());
    let mut run = assay("assay", folder.path(), &[root]);
    let output = command::run(run.args(["-e", "print(hello.greet('you', {times = 2}))"]))?.ok()?;
    contains(&output.stdout, "hello you, hello you\n")
}

/// A family of ours that is not there says how to get it.
fn not_installed() -> Outcome {
    let folder = folder()?;
    let roots = [dist::libraries_only(folder.path())];
    let mut run = assay("assay", folder.path(), &roots);
    let output = command::run(run.args(["-e", "ws.connect('ws://localhost')"]))?;
    contains(&output.stderr, "ws.connect: plugin `ws` is not installed")?;
    contains(&output.stderr, "hint: assay install plugin/ws")
}

/// `assay plugins`: name, version, API, where, what it provides; a broken file is named, and fails.
fn list() -> Outcome {
    let folder = folder()?;
    let output =
        command::run(assay("assay", folder.path(), &[dist::root()]).arg("plugins"))?.ok()?;
    for text in [
        "http",
        "crypto",
        "0.1.0",
        "1.0",
        &dist::root().display().to_string(),
    ] {
        contains(&output.stdout, text)?;
    }
    let broken = BROKEN
        .iter()
        .find(|broken| broken.name == "truncated")
        .ok_or("no truncated plugin")?;
    let built = broken.build(folder.path());
    let output =
        command::run(assay("assay", folder.path(), &[dist::root(), built.root]).arg("plugins"))?;
    contains(&(output.stdout + &output.stderr), &built.message)
}
