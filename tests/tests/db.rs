//! Every `tests/db/*.lua` is a case on each server: what of `db` needs both Lua functions and a server.
//! The servers are those of the plugin's own tests; where they are is in the script's environment.

#[path = "../../plugins/db/tests/it/servers.rs"]
mod servers;

use std::path::Path;

use assay_tests::{dist, project};
use libtest_mimic::Trial;

use crate::scripts::run_with;
use crate::{Outcome, case_if};

pub use servers::stop;

pub fn cases() -> Vec<Trial> {
    let mut cases = Vec::new();
    for script in dist::list(&project().join("tests/db")) {
        let name = script.file_stem().unwrap_or_default().display().to_string();
        let other = script.clone();
        cases.push(case_if(
            format!("db::postgresql::{name}"),
            || {
                servers::postgres_programs()
                    .is_none()
                    .then(|| "postgresql is missing (apt-get install postgresql)".into())
            },
            move || run(&script, "postgresql", "postgres", servers::postgres()?),
        ));
        cases.push(case_if(
            format!("db::mariadb::{name}"),
            || {
                (!Path::new("/usr/sbin/mariadbd").exists())
                    .then(|| "mariadb-server is missing (apt-get install mariadb-server)".into())
            },
            move || run(&other, "mariadb", "app", servers::mariadb()?),
        ));
    }
    cases
}

fn run(script: &Path, kind: &str, database: &str, server: &servers::Server) -> Outcome {
    let url = format!(
        "{kind}://app:{}@localhost:{}/{database}",
        servers::ESCAPED,
        server.port
    );
    let environment = [
        ("DB_KIND".to_owned(), kind.to_owned()),
        ("DB_URL".to_owned(), url),
        ("DB_CA".to_owned(), server.certificate("ca.pem")),
    ];
    run_with(script, "assay", &[dist::root()], &environment)
}
