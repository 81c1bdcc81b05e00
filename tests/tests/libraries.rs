//! Lua libraries of others run unchanged, and so do their own tests: `tests/lua-libraries`.

use std::path::PathBuf;

use assay_tests::{command, dist, project};
use libtest_mimic::Trial;

use crate::scripts::assay;
use crate::{Outcome, case_if, folder};

/// The one that is skipped is so in busted too, without `term.colors`, which is C.
const OUTCOME: &str = "262 passed, 0 failed, 1 skipped";

pub fn cases() -> Vec<Trial> {
    let runtimes = ["assay", "assay-static"].into_iter();
    runtimes
        .map(|runtime| {
            case_if(format!("libraries::{runtime}"), missing, move || {
                specs(runtime)
            })
        })
        .collect()
}

fn specs(runtime: &str) -> Outcome {
    let folder = folder()?;
    let mut test = assay(runtime, folder.path(), &[dist::root()]);
    test.env("ASSAY_TEST_LUA", sources())
        .arg("test")
        .arg(project().join("tests/lua-libraries"));
    let output = command::run(&mut test)?.ok()?;
    match output.stdout.lines().last() {
        Some(OUTCOME) => Ok(()),
        last => Err(format!(
            "{last:?}, expected {OUTCOME:?}\n{}{}",
            output.stdout, output.stderr
        )),
    }
}

fn sources() -> PathBuf {
    std::env::var_os("ASSAY_TEST_LUA")
        .unwrap_or_default()
        .into()
}

fn missing() -> Option<String> {
    let complete = sources().join("complete").is_file();
    (!complete)
        .then(|| "the sources of inspect, say and luassert are missing (tests/run.sh)".into())
}
