//! The executable `assay`: parse, dispatch, render the error, exit code.

// Rust's own start-up reads the process's memory map to guard the main stack: 7 % of the CPU time of a
// short script (measured), for a message on an overflow that Lua's own limits come before.
#![cfg_attr(not(test), no_main)]
#![cfg_attr(
    test,
    expect(dead_code, reason = "the test harness has a main of its own")
)]

mod cli;

/// Called by the C runtime.
#[cfg(not(test))]
#[allow(unsafe_code)]
// SAFETY: the one `main` of the executable.
#[unsafe(no_mangle)]
extern "C" fn main(
    count: std::ffi::c_int,
    values: *const *const std::ffi::c_char,
) -> std::ffi::c_int {
    // SAFETY: `count` C strings, by the C standard.
    let arguments = unsafe { cli::terminal::arguments(count, values) };
    cli::terminal::open_standard_files();
    let code = cli::terminal::contained(|| match cli::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            cli::terminal::error(&error.into());
            cli::exit::USAGE
        }
    });
    cli::exit::now(code)
}
