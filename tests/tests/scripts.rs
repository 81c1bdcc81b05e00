//! Every `tests/lua/**/*.lua` is a case, on the runtime with plugins and on the static one.
//!
//! What a script must come to is said at its top, one comment for each expectation:
//!
//! ```lua
//! -- args: --memory-limit 8M        options before the script, words after `--` for it
//! -- exit: 1                        the exit code; 0 without it
//! -- error: not enough memory       standard error has this text (once for each text)
//! -- hint: --memory-limit           a line of standard error that starts with `hint:` has it
//! -- stdout: a line                 all of standard output, line for line
//! ```
//!
//! A file that another one in its folder `require`s is no case.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use assay_tests::command::{self, Output};
use assay_tests::dist;
use libtest_mimic::Trial;

use crate::{Outcome, case, folder};

pub fn cases() -> Vec<Trial> {
    let scripts = scripts(&assay_tests::project().join("tests/lua"));
    let mut cases = vec![case("scripts::there_are_some", {
        let count = scripts.len();
        move || {
            if count > 50 {
                Ok(())
            } else {
                Err(format!("only {count} in tests/lua"))
            }
        }
    })];
    for script in scripts {
        let (other, name) = (script.path.clone(), script.name.clone());
        cases.push(case(format!("lua::{name}"), move || {
            run(&script.path, "assay", &[dist::root()])
        }));
        cases.push(case(format!("static::{name}"), move || {
            // Its plugins are linked in: nothing may come from `plugins/`.
            let folder = folder()?;
            run(
                &other,
                "assay-static",
                &[dist::libraries_only(folder.path())],
            )
        }));
    }
    cases
}

/// A script, and its name among the cases.
struct Script {
    name: String,
    path: PathBuf,
}

fn scripts(root: &Path) -> Vec<Script> {
    let (mut scripts, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        let mut here = Vec::new();
        let mut modules = BTreeSet::new();
        for path in dist::list(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "lua") {
                let source = fs_err::read(&path).unwrap_or_default();
                let source = String::from_utf8_lossy(&source).into_owned();
                modules.extend(source.split("require(\"").skip(1).filter_map(|rest| {
                    rest.split_once('"')
                        .map(|(module, _)| folder.join(format!("{module}.lua")))
                }));
                here.push(path);
            }
        }
        here.retain(|path| !modules.contains(path));
        scripts.extend(here.into_iter().map(|path| {
            let name = path.strip_prefix(root).unwrap_or(&path).with_extension("");
            Script {
                name: name.display().to_string().replace('/', "::"),
                path,
            }
        }));
    }
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    scripts
}

/// Runs one script in a folder of its own and holds it to its expectations.
pub fn run(script: &Path, binary: &str, roots: &[PathBuf]) -> Outcome {
    run_with(script, binary, roots, &[])
}

/// The same, with more in its environment.
pub fn run_with(
    script: &Path,
    binary: &str,
    roots: &[PathBuf],
    environment: &[(String, String)],
) -> Outcome {
    let source = fs_err::read(script).map_err(|error| error.to_string())?;
    let expected = Expected::read(&String::from_utf8_lossy(&source))?;
    let folder = folder()?;
    let mut command = assay(binary, folder.path(), roots);
    command
        .envs(environment.iter().cloned())
        .args(&expected.options)
        .arg(script)
        .args(&expected.words);
    expected.hold(&command::run(&mut command)?)
}

/// `dist/bin/<binary>` in a folder, with these library roots.
pub fn assay(binary: &str, folder: &Path, roots: &[PathBuf]) -> Command {
    let mut command = command::command(&dist::binary(binary), folder);
    let roots = std::env::join_paths(roots).expect("no colons in paths");
    command.env("ASSAY_LIB_PATH", roots);
    command
}

#[derive(Default)]
struct Expected {
    options: Vec<String>,
    words: Vec<String>,
    exit: i32,
    error: Vec<String>,
    hint: Vec<String>,
    stdout: Vec<String>,
}

impl Expected {
    fn read(source: &str) -> Result<Self, String> {
        let mut expected = Expected::default();
        let header = source.lines().skip_while(|line| line.starts_with("#!"));
        for line in header.take_while(|line| line.starts_with("--")) {
            let Some((key, value)) = line
                .strip_prefix("-- ")
                .and_then(|rest| rest.split_once(':'))
            else {
                continue;
            };
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match key {
                "args" => {
                    let words = value.split_whitespace().map(str::to_owned);
                    let (mut options, mut rest) = (Vec::new(), None);
                    for word in words {
                        match &mut rest {
                            None if word == "--" => rest = Some(Vec::new()),
                            None => options.push(word),
                            Some(rest) => rest.push(word),
                        }
                    }
                    expected.options = options;
                    expected.words = rest.unwrap_or_default();
                }
                "exit" => {
                    let code = value.trim().parse();
                    expected.exit = code.map_err(|_| format!("`-- exit: {value}` is no number"))?;
                }
                "error" => expected.error.push(value),
                "hint" => expected.hint.push(value),
                "stdout" => expected.stdout.push(value),
                // Prose has spaces or capitals before its first colon.
                _ if key
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-') =>
                {
                    return Err(format!("`-- {key}:` is no expectation"));
                }
                _ => {}
            }
        }
        Ok(expected)
    }

    fn hold(&self, output: &Output) -> Outcome {
        let mut wrong = Vec::new();
        if output.code != self.exit {
            wrong.push(format!("exit code {}, expected {}", output.code, self.exit));
        }
        for text in self
            .error
            .iter()
            .filter(|text| !output.stderr.contains(*text))
        {
            wrong.push(format!("standard error lacks {text:?}"));
        }
        let hints: Vec<&str> = output
            .stderr
            .lines()
            .filter(|line| line.trim_start().starts_with("hint:"))
            .collect();
        for text in self
            .hint
            .iter()
            .filter(|text| !hints.iter().any(|hint| hint.contains(*text)))
        {
            wrong.push(format!("no hint has {text:?}"));
        }
        if !self.stdout.is_empty() && !output.stdout.lines().eq(&self.stdout) {
            wrong.push(format!("standard output is {:?}", output.stdout));
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(format!("{}\n{}", wrong.join("\n"), output.stderr))
        }
    }
}
