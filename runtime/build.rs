//! Functions with the same code become one, where the linker can do that: 14 KB of the executable.
//! Nothing compares addresses of functions; those of statics stay apart.

use std::env;
use std::process::{Command, Stdio};

const FOLD: &str = "-Wl,--icf=all";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") && linker_folds() {
        println!("cargo::rustc-link-arg-bins={FOLD}");
    }
}

/// Asks the linker that the executable will get: lld, the default of x86-64, takes the option; GNU's
/// does not.
fn linker_folds() -> bool {
    let variable = |name| env::var(name).unwrap_or_default();
    let mut rustc = Command::new(variable("RUSTC"));
    // An empty library.
    rustc.args(["-", "--crate-name=probe", "--crate-type=cdylib"]);
    rustc.arg(format!("-Clink-arg={FOLD}"));
    rustc.args([
        "--target",
        &variable("TARGET"),
        "--out-dir",
        &variable("OUT_DIR"),
    ]);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    let flags = variable("CARGO_ENCODED_RUSTFLAGS");
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    rustc
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    rustc.status().is_ok_and(|status| status.success())
}
