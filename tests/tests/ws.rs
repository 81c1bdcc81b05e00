//! Every `tests/ws/*.lua` is a case: a script against the servers of `tests/ws/server.py`, which are
//! those of Python's `websockets` and some that break the rules. Where they listen is in the
//! script's environment; what a script must come to is said at its top, as in `tests/lua`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use assay_tests::{dist, project};
use libtest_mimic::Trial;

use crate::scripts::run_with;
use crate::{Outcome, case_if, folder, python_lacks};

pub fn cases() -> Vec<Trial> {
    let mut scripts = dist::list(&project().join("tests/ws"));
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "lua"));
    let cases = scripts.into_iter().map(|script| {
        let name = script
            .with_extension("")
            .file_name()
            .unwrap_or_default()
            .display()
            .to_string();
        case_if(format!("ws::{name}"), missing, move || run(&script))
    });
    cases.collect()
}

fn missing() -> Option<String> {
    let openssl = Command::new("openssl").arg("version").output().is_ok();
    python_lacks("websockets")
        .or_else(|| (!openssl).then(|| "`openssl` is missing (apt-get install openssl)".into()))
}

fn run(script: &Path) -> Outcome {
    let folder = folder()?;
    let servers = Servers::start(folder.path())?;
    run_with(script, "assay", &[dist::root()], &servers.environment)
}

/// The servers of one case.
struct Servers {
    process: Child,
    environment: Vec<(String, String)>,
}

impl Servers {
    fn start(folder: &Path) -> Result<Self, String> {
        let mut process = Command::new(crate::python())
            .arg(project().join("tests/ws/server.py"))
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("python: {error}"))?;
        let mut environment = Vec::new();
        let said = BufReader::new(process.stdout.take().ok_or("no standard output")?);
        let mut ready = false;
        for line in said.lines() {
            let line = line.map_err(|error| error.to_string())?;
            match line.split_once('=') {
                Some((name, value)) => environment.push((name.to_owned(), value.to_owned())),
                None => {
                    ready = line == "ready";
                    break;
                }
            }
        }
        let servers = Self {
            process,
            environment,
        };
        if ready {
            Ok(servers)
        } else {
            Err("the servers did not start".into())
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
