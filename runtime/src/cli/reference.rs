//! Writes docs/cli.md from what the program says of itself, and fails when they differ.

use std::fmt::Write;
use std::path::Path;

use super::arguments::{HELP, HELP_CHECK, HELP_PLUGINS, HELP_TEST, HELP_TYPES};
use super::{env, exit};

fn reference() -> String {
    let mut out = String::from(
        "# The command line\n\n\
         <!-- Written by `UPDATE=1 cargo test -p assay reference`; a test holds it. -->\n\n",
    );
    for (title, help) in [
        ("assay", HELP),
        ("assay check", HELP_CHECK),
        ("assay test", HELP_TEST),
        ("assay plugins", HELP_PLUGINS),
        ("assay types", HELP_TYPES),
    ] {
        let _ = write!(out, "## {title}\n\n```text\n{help}```\n\n");
    }
    out.push_str("## Other commands\n\n\
         `assay NAME` runs the program `assay-NAME`, which lies beside `assay` or on `PATH`, with the rest of \
         the command line. Verbs about packages, such as `install` and `publish`, are those of \
         `assay-registry`: see [packages](packages.md). A file that is named like a command is run by its \
         path: `assay ./test`.\n\n");
    out.push_str("## Library roots\n\n\
         Libraries are `<root>/<name>/init.lua`, plugins `<root>/plugins/<name>-<version>.so`. Without \
         `ASSAY_LIB_PATH` the roots are, in this order: `.assay` of the project (the nearest folder with an \
         `assay.toml`, upward from the script), the user's `~/.local/share/assay`, `../lib/assay` beside the \
         folder of `assay`, `/lib/assay`, `/usr/lib/assay`. A version of a plugin that the project's \
         `assay.lock` names is the only one that is taken.\n\n");
    out.push_str("## Signals\n\n\
         On SIGTERM and Ctrl-C servers stop taking requests and finish those they have, and the script goes on \
         behind `http.serve`; a script that serves nothing ends at once. A second signal ends the process at \
         once. This holds as PID 1 of a container too.\n\n");
    out.push_str("## Exit codes\n\n| code | |\n|---|---|\n");
    for (code, meaning) in exit::ALL {
        let _ = writeln!(out, "| {code} | {meaning} |");
    }
    out.push_str("\n## Environment variables\n\n| variable | |\n|---|---|\n");
    for (name, doc) in env::ALL {
        let _ = writeln!(out, "| `{name}` | {} |", doc.trim());
    }
    out
}

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let wanted = reference();
    if std::env::var_os("UPDATE").is_some() {
        fs_err::write(&path, &wanted).unwrap();
    }
    let found = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/cli.md is out of date: run `UPDATE=1 cargo test -p assay reference`"
    );
}
