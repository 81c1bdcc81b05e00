//! Exit codes, and how the process ends.

/// All went well.
pub const OK: u8 = 0;
/// The script, a check or a test failed.
pub const FAILED: u8 = 1;
/// The command line or the set-up is wrong: nothing ran.
pub const USAGE: u8 = 2;
/// A bug in assay.
pub const INTERNAL: u8 = 70;
/// `--timeout` was over.
pub const TIMEOUT: u8 = 124;
/// 128 and the signal's number are the code of what a signal ended.
pub const SIGNAL: u8 = 128;

/// The table of the reference.
#[cfg(test)]
pub const ALL: &[(u8, &str)] = &[
    (
        OK,
        "all went well, also when the reader of the output went away",
    ),
    (
        FAILED,
        "the script failed, or a check or a test did; `os.exit(n)` ends with its own `n`",
    ),
    (
        USAGE,
        "the command line or the set-up is wrong: nothing ran",
    ),
    (INTERNAL, "a bug in assay, to be reported"),
    (TIMEOUT, "`--timeout` was over"),
    (SIGNAL + 2, "ended by SIGINT (Ctrl-C)"),
    (SIGNAL + 15, "ended by SIGTERM"),
];

/// Ends the process at once: neither destructors of libraries nor plugins' threads can get in the way.
/// What was written is out: nothing here buffers.
pub fn now(code: u8) -> ! {
    signal_hook::low_level::exit(code.into())
}
