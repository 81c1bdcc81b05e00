//! The demo, from a real registry: publish, install, run the job.

use std::time::Duration;

use assay_tests::{command, dist, project};
use libtest_mimic::Trial;

use crate::registry::{self, Registry};
use crate::{Outcome, case, case_if, contains, folder};

pub fn cases() -> Vec<Trial> {
    vec![
        case("demo::through_a_folder", through_a_folder),
        case_if(
            "demo::through_a_registry",
            registry::missing,
            through_a_registry,
        ),
    ]
}

fn through_a_folder() -> Outcome {
    let folder = folder()?;
    demo(&format!("oci:{}", folder.path().join("packages").display()))
}

fn through_a_registry() -> Outcome {
    let registry = Registry::start()?;
    demo(&format!("{}/acme/assay", registry.host))
}

fn demo(source: &str) -> Outcome {
    let folder = folder()?;
    let mut demo = command::command(&project().join("examples/demo.sh"), folder.path());
    demo.env("DIST", dist::dist())
        .env("SOURCE", source)
        .env("TMPDIR", folder.path());
    let output = command::run_for(&mut demo, b"", Duration::from_secs(120))?.ok()?;
    let said = output.stdout + &output.stderr;
    for text in [
        "lib/vault:0.1.0@sha256:",
        "plugin/crypto:0.1.0@sha256:",
        // Two libraries were asked for; the rest came as what they and the script need.
        "plugin http 0.1.0",
        "plugin crypto 0.1.0",
        "policy shop: created",
        "credentials secrets/shop/database: generated",
        "policy shop: unchanged",
        "demo: ok",
    ] {
        contains(&said, text)?;
    }
    // It cleans up after itself.
    let left: Vec<_> = dist::list(folder.path())
        .into_iter()
        .filter(|path| path.is_dir())
        .collect();
    if left.is_empty() {
        Ok(())
    } else {
        Err(format!("the demo leaves {left:?}"))
    }
}
