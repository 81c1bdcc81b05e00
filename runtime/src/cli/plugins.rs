//! `assay plugins`: what is installed, and what of it scripts get.

use std::fmt::Write;
use std::path::Path;

use assay::Error;
use assay::plugins::{self, Plugins, check::Checked};

use super::arguments::Plugins as Options;
use super::setting::Setting;
use super::{exit, terminal};

/// Lists the plugins; the exit code.
///
/// # Errors
/// For a set-up that cannot be read.
pub fn run(options: Options) -> Result<u8, Error> {
    let list = if options.files.is_empty() {
        let setting = Setting::of(Path::new("."))?;
        let list = installed(&setting);
        if list.is_empty() && !options.json {
            let roots: Vec<_> = setting
                .roots
                .iter()
                .map(|root| format!("    {}\n", root.join("plugins").display()))
                .collect();
            terminal::talk(&format!(
                "no plugins are installed; looked in\n{}",
                roots.concat()
            ));
        }
        list
    } else {
        options.files.iter().map(|file| inspect(file)).collect()
    };
    let text = if options.json {
        json(&list)
    } else {
        text(&list)
    };
    let shown = terminal::data(&text)?;
    Ok(if list.iter().any(|entry| entry.is_broken) {
        exit::FAILED
    } else {
        shown
    })
}

/// One line of the list.
#[derive(Default)]
struct Entry {
    name: String,
    version: String,
    /// `None` when it is linked in.
    path: Option<String>,
    checked: Option<Checked>,
    functions: Vec<String>,
    /// Whether a script gets it.
    is_used: bool,
    is_broken: bool,
    error: Option<Error>,
}

fn installed(setting: &Setting) -> Vec<Entry> {
    let mut list = Vec::new();
    for plugin in plugins::linked_plugins() {
        let entry = Entry {
            name: plugin.name.into(),
            version: plugin.version.into(),
            functions: plugin.names(),
            is_used: true,
            ..Entry::default()
        };
        insert(&mut list, entry);
    }
    let linked: Vec<String> = list.iter().map(|entry| entry.name.clone()).collect();
    let all = setting.plugins();
    for root in &setting.roots {
        // One root at a time, because the first that has a family hides it in the others.
        for (name, candidates) in
            Plugins::discover(std::slice::from_ref(root), Default::default()).files()
        {
            let chosen = all.choose(name);
            for candidate in candidates {
                let mut entry = inspect(&candidate.path);
                entry.is_used = !linked.iter().any(|linked| linked == name)
                    && chosen
                        .as_ref()
                        .is_ok_and(|chosen| chosen.path == candidate.path);
                if entry.is_used {
                    match plugins::provides(name, candidate) {
                        Ok(plugin) => entry.functions = plugin.names(),
                        Err(error) => {
                            entry.is_broken = true;
                            entry.error = Some(error);
                        }
                    }
                } else if chosen.is_ok()
                    && entry
                        .error
                        .as_ref()
                        .is_some_and(|error| error.kind == "plugin_abi")
                {
                    // For another assay; scripts get a version that fits.
                    entry.is_broken = false;
                }
                insert(&mut list, entry);
            }
        }
    }
    list
}

/// Keeps the list sorted by name.
fn insert(list: &mut Vec<Entry>, entry: Entry) {
    let at = list.partition_point(|other| other.name <= entry.name);
    list.insert(at, entry);
}

/// What a file says of itself. Nothing of it runs.
fn inspect(path: &Path) -> Entry {
    let mut entry = Entry {
        path: Some(path.display().to_string()),
        ..Entry::default()
    };
    match plugins::inspect(path) {
        Ok(checked) => {
            entry.name.clone_from(&checked.name);
            entry.version.clone_from(&checked.version);
            entry.checked = Some(checked);
        }
        Err(error) => {
            let stem = path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default();
            let (name, version) = stem.split_once('-').unwrap_or((&stem, ""));
            (entry.name, entry.version) = (name.into(), version.into());
            entry.is_broken = true;
            entry.error = Some(error);
        }
    }
    entry
}

fn text(list: &[Entry]) -> String {
    let mut out = String::new();
    for entry in list {
        let state = match (&entry.error, entry.is_broken, entry.is_used, &entry.path) {
            (Some(_), true, ..) => " (broken)",
            (Some(_), false, ..) | (None, _, false, _) => " (not used)",
            (None, _, true, None) => " (built in)",
            (None, _, true, Some(_)) => "",
        };
        let name = format!("{} {}", entry.name, entry.version);
        let _ = writeln!(out, "{}{state}", name.trim_end());
        if let Some(path) = &entry.path {
            let _ = writeln!(out, "    file: {path}");
        }
        if let Some(checked) = &entry.checked {
            let _ = writeln!(out, "    plugin API: {}, kit {}", checked.abi, checked.sdk);
            if !checked.permissions.is_empty() {
                let _ = writeln!(out, "    may ask for: {}", checked.permissions.join(", "));
            }
        }
        if !entry.functions.is_empty() {
            let _ = writeln!(out, "    provides: {}", entry.functions.join(", "));
        }
        if let Some(error) = &entry.error {
            let _ = writeln!(out, "    error: {error}");
            if let Some(hint) = &error.hint {
                let _ = writeln!(out, "    hint: {hint}");
            }
        }
    }
    out
}

fn json(list: &[Entry]) -> String {
    let entries: Vec<String> = list
        .iter()
        .map(|entry| {
            let mut out = format!(
                "{{\"name\":{},\"version\":{}",
                quoted(&entry.name),
                quoted(&entry.version)
            );
            if let Some(path) = &entry.path {
                let _ = write!(out, ",\"path\":{}", quoted(path));
            }
            if let Some(checked) = &entry.checked {
                let _ = write!(
                    out,
                    ",\"api\":{},\"sdk\":{},\"permissions\":{}",
                    quoted(&checked.abi),
                    quoted(&checked.sdk),
                    strings(&checked.permissions)
                );
            }
            let _ = write!(
                out,
                ",\"functions\":{},\"used\":{},\"broken\":{}",
                strings(&entry.functions),
                entry.is_used,
                entry.is_broken
            );
            if let Some(error) = &entry.error {
                let _ = write!(out, ",\"error\":{}", quoted(&error.message));
                if let Some(hint) = &error.hint {
                    let _ = write!(out, ",\"hint\":{}", quoted(hint));
                }
            }
            out.push('}');
            out
        })
        .collect();
    format!("{{\"plugins\":[{}]}}\n", entries.join(","))
}

fn strings(list: &[String]) -> String {
    let items: Vec<_> = list.iter().map(|item| quoted(item)).collect();
    format!("[{}]", items.join(","))
}

/// A JSON string.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
