//! What the pieces weigh: the core's budget, and the tables in the READMEs.

use std::path::Path;

use assay_tests::dist;
use libtest_mimic::Trial;

use crate::{Outcome, case, generated};

/// Bytes that the core binary may have, stripped: 2 MB, as the design has it. Std's own backtraces, which
/// nobody asked for, are 0.17 MB of it; only a std built without them could do better. A linker that does
/// not fold functions (`runtime/build.rs`) makes 14 KB more.
const CORE: u64 = 2_000_000;

/// How far a table may be off before it must be rewritten.
const TOLERANCE: f64 = 0.05;

pub fn cases() -> Vec<Trial> {
    vec![
        case(
            "sizes::core_is_within_its_budget",
            core_is_within_its_budget,
        ),
        case(
            "sizes::nothing_ships_debug_information",
            nothing_ships_debug_information,
        ),
        case("sizes::plugins_readme", plugins_readme),
        case("sizes::readme", readme),
    ]
}

fn core_is_within_its_budget() -> Outcome {
    let size = size(&dist::binary("assay"))?;
    if size <= CORE {
        return Ok(());
    }
    Err(format!(
        "bin/assay has {size} bytes, its budget is {CORE}: see why in tests/tests/sizes.rs before raising it"
    ))
}

fn nothing_ships_debug_information() -> Outcome {
    let mut files = dist::plugins();
    files.extend(["assay", "assay-static", "assay-registry"].map(dist::binary));
    for file in files {
        let bytes = fs_err::read(&file).map_err(|error| error.to_string())?;
        // The names of sections that stripping removes.
        for section in [&b"\0.symtab\0"[..], b"\0.debug_info\0"] {
            if bytes.windows(section.len()).any(|window| window == section) {
                return Err(format!("{} is not stripped", file.display()));
            }
        }
    }
    Ok(())
}

fn plugins_readme() -> Outcome {
    let mut table = String::from("| plugin | file | size |\n|---|---|---|\n");
    for file in dist::plugins() {
        let name = file_name(&file);
        let family = name.split('-').next().unwrap_or_default();
        table += &format!(
            "| [{family}]({family}/README.md) | `{name}` | {} |\n",
            megabytes(size(&file)?)
        );
    }
    generated("plugins/README.md", "sizes", &table, close)
}

fn readme() -> Outcome {
    let mut table = String::from("| piece | size | |\n|---|---|---|\n");
    let mut row = |path: String, file: &Path, about: &str| -> Outcome {
        table += &format!("| `{path}` | {} | {about} |\n", megabytes(size(file)?));
        Ok(())
    };
    row(
        "bin/assay".into(),
        &dist::binary("assay"),
        "the core: Lua VM, core builtins, plugin loader",
    )?;
    for file in dist::plugins() {
        let name = file_name(&file);
        let about = match name.split('-').next() {
            Some("http") => "HTTP client and server, TLS",
            Some("db") => "PostgreSQL, MySQL, MariaDB, SQLite",
            Some("template") => "Jinja2 templates",
            Some("ws") => "WebSocket client",
            Some("crypto") => "hashes, HMAC, random values, JSON Web Tokens",
            _ => "",
        };
        row(format!("lib/assay/plugins/{name}"), &file, about)?;
    }
    row(
        "bin/assay-registry".into(),
        &dist::binary("assay-registry"),
        "`assay install`, `publish`, ...; not in production images",
    )?;
    row(
        "bin/assay-static".into(),
        &dist::binary("assay-static"),
        "core and plugins in one file (`make static`)",
    )?;
    generated("README.md", "sizes", &table, close)
}

/// The same table but for sizes, and those within the tolerance.
fn close(current: &str, wanted: &str) -> bool {
    let without = |table: &str| -> Vec<String> {
        table
            .lines()
            .map(|line| {
                line.split(" | ")
                    .filter(|cell| !cell.trim_end_matches(" |").ends_with(" MB"))
                    .collect()
            })
            .collect()
    };
    let sizes = |table: &str| -> Vec<f64> {
        table
            .split(" | ")
            .filter_map(|cell| {
                cell.trim_end_matches(" |\n")
                    .split_once(" MB")?
                    .0
                    .parse()
                    .ok()
            })
            .collect()
    };
    let (current_sizes, wanted_sizes) = (sizes(current), sizes(wanted));
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= b * TOLERANCE + 0.01;
    without(current) == without(wanted)
        && current_sizes.len() == wanted_sizes.len()
        && current_sizes.iter().zip(&wanted_sizes).all(near)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.2} MB", bytes as f64 / 1e6)
}

fn size(path: &Path) -> Result<u64, String> {
    fs_err::metadata(path)
        .map(|found| found.len())
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
