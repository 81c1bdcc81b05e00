//! Every environment variable that `assay` reads, in one place. The reference (docs/cli.md) is
//! made from this file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use assay::Error;
use assay::log::{Format, Log};

macro_rules! variables {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        $($(#[doc = $doc])* const $name: &str = stringify!($name);)*

        /// Names and documentation, for the reference.
        #[cfg(test)]
        pub const ALL: &[(&str, &str)] = &[$(($name, concat!($($doc,)*))),*];
    };
}

variables! {
    /// Library roots, separated by colons, searched in order instead of the default ones.
    ASSAY_LIB_PATH,
    /// The least level of log lines: `debug`, `info` (the default), `warn`, `error` or `off`.
    ASSAY_LOG,
    /// How log lines look: `text` (the default) or `json`, one object a line.
    ASSAY_LOG_FORMAT,
    /// Seconds that servers get to finish their requests after SIGTERM or Ctrl-C; 10 by default.
    ASSAY_SHUTDOWN_TIMEOUT,
    /// Where a user's libraries are: `$XDG_DATA_HOME/assay`, `~/.local/share/assay` by default.
    XDG_DATA_HOME,
    /// The user's folder, for the default of `XDG_DATA_HOME`.
    HOME,
    /// Where `assay-<name>` is looked for, after the folder of `assay` itself.
    PATH,
    /// Any value turns colours off.
    NO_COLOR,
}

fn set(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// What a checks file asks for as `${NAME}`.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// A value of one of a few words, or an error that lists them.
fn word<T: Copy>(name: &str, words: &[(&str, T)]) -> Result<Option<T>, Error> {
    let Some(value) = set(name) else {
        return Ok(None);
    };
    let value = value.to_string_lossy();
    match words
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(&value))
    {
        Some((_, meaning)) => Ok(Some(*meaning)),
        None => {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            Err(Error::new(
                "usage",
                format!(
                    "{name}: `{}` is not one of its values",
                    value.escape_debug()
                ),
            )
            .with_hint(format!("values of {name} are {}", known.join(", "))))
        }
    }
}

/// The roots of `ASSAY_LIB_PATH`.
pub fn library_path() -> Option<Vec<PathBuf>> {
    let value = set(ASSAY_LIB_PATH)?;
    Some(
        std::env::split_paths(&value)
            .filter(|root| !root.as_os_str().is_empty())
            .collect(),
    )
}

/// The user's folder for data, `assay` in it.
pub fn data_folder() -> Option<PathBuf> {
    // The specification of XDG_DATA_HOME has relative paths ignored.
    let data = set(XDG_DATA_HOME)
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute());
    Some(
        data.or_else(|| Some(PathBuf::from(set(HOME)?).join(".local/share")))?
            .join("assay"),
    )
}

/// The folders of executables.
pub fn search_path() -> Vec<PathBuf> {
    set(PATH)
        .map(|value| std::env::split_paths(&value).collect())
        .unwrap_or_default()
}

/// Whether colours are not wanted.
pub fn no_color() -> bool {
    set(NO_COLOR).is_some()
}

/// The log as it is set up.
///
/// # Errors
/// For unknown levels and formats.
pub fn log() -> Result<Log, Error> {
    let levels = [
        ("debug", 0),
        ("info", 1),
        ("warn", 2),
        ("error", 3),
        ("off", 4),
    ];
    let mut log = Log::default();
    if let Some(level) = word(ASSAY_LOG, &levels)? {
        log.level = level;
    }
    if let Some(format) = word(
        ASSAY_LOG_FORMAT,
        &[("text", Format::Text), ("json", Format::Json)],
    )? {
        log.format = format;
    }
    Ok(log)
}

/// How long a shutdown may take.
///
/// # Errors
/// For anything but a number of seconds.
pub fn shutdown_timeout() -> Result<Duration, Error> {
    let Some(value) = set(ASSAY_SHUTDOWN_TIMEOUT) else {
        return Ok(Duration::from_secs(10));
    };
    super::arguments::seconds(&value)
        .map_err(|what| Error::new("usage", format!("{ASSAY_SHUTDOWN_TIMEOUT}: {what}")))
}
