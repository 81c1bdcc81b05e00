//! `template` against Jinja2: each `tests/jinja2/*.txt` is a template with its variables and what
//! Jinja2 makes of it. One case has Jinja2 itself render all of them (`UPDATE=1` takes over what it
//! says), so that nobody's memory of Jinja2 is tested. Where we differ, the file says so and why, and
//! the README of the plugin lists it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use assay_tests::{command, dist, project};
use libtest_mimic::Trial;

use crate::layering::none;
use crate::scripts::assay;
use crate::{Outcome, case, case_if, contains, folder, python, python_lacks, read};

pub fn cases() -> Vec<Trial> {
    let mut cases = vec![
        case_if(
            "jinja2::outputs_are_jinja2s",
            || python_lacks("jinja2"),
            outputs_are_jinja2s,
        ),
        case("jinja2::differences_are_listed", differences_are_listed),
    ];
    for path in files() {
        let name = name(&path);
        cases.push(case(format!("jinja2::{name}"), move || renders(&path)));
    }
    cases
}

fn renders(path: &Path) -> Outcome {
    let sections = sections(path)?;
    let jinja2s = sections.get("output").ok_or("no output")?;
    let folder = folder()?;
    let mut render = assay("assay", folder.path(), &[dist::root()]);
    let output = command::run(
        render
            .arg(project().join("tests/jinja2/render.lua"))
            .arg(path),
    )?;
    let Some(ours) = sections.get("ours") else {
        return match output.ok()?.stdout {
            rendered if rendered == *jinja2s => Ok(()),
            rendered => Err(format!("{rendered:?}, but Jinja2 makes {jinja2s:?}")),
        };
    };
    if ours == jinja2s {
        return Err("no longer a difference: take `ours` and `because` out".into());
    }
    match ours.strip_prefix("error: ") {
        Some(message) => contains(&output.stderr, message),
        None if output.stdout == *ours => Ok(()),
        None => Err(format!("{:?}, expected {ours:?}", output.ok()?.stdout)),
    }
}

fn outputs_are_jinja2s() -> Outcome {
    let cases = project().join("tests/jinja2");
    let output = Command::new(python())
        .arg(cases.join("expect.py"))
        .arg(&cases)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let rendered: BTreeMap<String, String> =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let mut wrong = Vec::new();
    for path in files() {
        let name = name(&path);
        let text = fs_err::read_to_string(&path).map_err(|error| error.to_string())?;
        let (before, output) = text
            .split_once("=== output\n")
            .ok_or(format!("{name}: no output"))?;
        let wanted = rendered.get(&name).ok_or(format!("{name}: not rendered"))?;
        if output.strip_suffix('\n') == Some(wanted) {
            continue;
        }
        if std::env::var_os("UPDATE").is_none() {
            wrong.push(format!("{name}: {wanted:?}"));
            continue;
        }
        fs_err::write(&path, format!("{before}=== output\n{wanted}\n"))
            .map_err(|error| error.to_string())?;
    }
    none(
        &wrong,
        "outputs that Jinja2 does not make (UPDATE=1 takes over what it does)",
    )
}

fn differences_are_listed() -> Outcome {
    let readme = read("plugins/template/README.md")?;
    let mut wrong = Vec::new();
    let (mut count, mut differ) = (0, 0);
    for path in files() {
        count += 1;
        let sections = sections(&path)?;
        let Some(because) = sections.get("because") else {
            continue;
        };
        differ += 1;
        if !readme.contains(because.as_str()) {
            wrong.push(format!("{}: {because}", name(&path)));
        }
    }
    contains(&readme, &format!("{count} templates, {differ} of which"))?;
    none(
        &wrong,
        "differences that plugins/template/README.md does not list",
    )
}

fn files() -> Vec<PathBuf> {
    let mut files = dist::list(&project().join("tests/jinja2"));
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().display().to_string()
}

/// `=== NAME` and the lines of it.
fn sections(path: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = fs_err::read_to_string(path).map_err(|error| error.to_string())?;
    let mut sections = BTreeMap::new();
    let mut name = None;
    for line in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
        match line.strip_prefix("=== ") {
            Some(new) => name = Some(new.to_owned()),
            None => {
                let Some(name) = &name else { continue };
                sections
                    .entry(name.clone())
                    .and_modify(|text: &mut String| {
                        text.push('\n');
                        text.push_str(line);
                    })
                    .or_insert_with(|| line.to_owned());
            }
        }
    }
    Ok(sections)
}
