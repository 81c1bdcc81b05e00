//! Permissions and limits, as the command line and policy files have them: the same words in both.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use assay::policy;
use assay::{Config, Error, Policy};
use assay_plugin::did_you_mean;

use super::arguments::{seconds, size, usage};
use super::setting::Setting;

/// Options that take a value.
pub const SETTINGS: [&str; 16] = [
    "allow-net",
    "allow-env",
    "allow-read",
    "allow-write",
    "allow-plugin",
    "deny-net",
    "deny-env",
    "deny-read",
    "deny-write",
    "deny-plugin",
    "memory-limit",
    "timeout",
    "instruction-limit",
    "task-limit",
    "output-limit",
    "response-limit",
];

/// Options that take none.
pub const SWITCHES: [&str; 2] = ["sandbox", "allow-all"];

/// Whether it is an option of permissions and limits, without its dashes.
pub fn is_option(name: &str) -> bool {
    name == "policy" || SETTINGS.contains(&name) || SWITCHES.contains(&name)
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confinement {
    /// `--sandbox`
    pub sandbox: bool,
    /// `--allow-all`
    pub allow_all: bool,
    /// `--policy`
    pub file: Option<PathBuf>,
    /// The others, in their order.
    pub settings: Vec<(&'static str, String)>,
}

impl Confinement {
    /// Adds an option that takes a value. Whether there is such an option.
    ///
    /// # Errors
    /// When the value makes no sense.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool, Error> {
        let Some(name) = SETTINGS.into_iter().find(|known| *known == name) else {
            return Ok(false);
        };
        // A trial, so that a mistake is told before anything runs.
        apply(&mut Config::default(), name, value)
            .map_err(|error| prefixed(error, &format!("--{name}")))?;
        self.settings.push((name, value.into()));
        Ok(true)
    }

    /// Sets a VM's configuration: what a sandbox has by default, then the file, then the options.
    ///
    /// # Errors
    /// For a policy file that cannot be read or makes no sense.
    pub fn apply(&self, config: &mut Config, setting: &Setting) -> Result<(), Error> {
        let file = match &self.file {
            Some(path) => policy_file(path)?,
            None => Self::default(),
        };
        if self.sandbox || file.sandbox {
            config.policy = Policy::sandbox();
            config.plugins = setting.plugins_of_sandbox();
            config.timeout = Some(Duration::from_secs(30));
            config.task_limit = Some(100);
            config.output_limit = Some(10 << 20);
            config.response_limit = Some(10 << 20);
        }
        for source in [&file, self] {
            if source.allow_all {
                config.policy.allow_all();
            }
            for (name, value) in &source.settings {
                apply(config, name, value)?;
            }
        }
        Ok(())
    }
}

fn apply(config: &mut Config, name: &str, value: &str) -> Result<(), Error> {
    if let Some(kind) = name.strip_prefix("allow-") {
        return config.policy.allow(kind, value);
    }
    if let Some(kind) = name.strip_prefix("deny-") {
        return config.policy.deny(kind, value);
    }
    let text = OsStr::new(value);
    let bytes = || size(text, 1).map(|size| size.map(|bytes| bytes as u64));
    let number = || match value {
        "none" => Ok(None),
        _ => match value.parse::<u64>() {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err(format!(
                "expected a number above 0, or none, got `{}`",
                value.escape_debug()
            )),
        },
    };
    let mut set = || -> Result<(), String> {
        match name {
            // Less does not even hold the builtins.
            "memory-limit" => config.memory_limit = size(text, 1 << 20)?,
            "timeout" => {
                config.timeout = match value {
                    "none" => None,
                    _ => Some(seconds(text)?),
                }
            }
            "instruction-limit" => config.instruction_limit = number()?,
            "task-limit" => {
                config.task_limit =
                    number()?.map(|tasks| usize::try_from(tasks).unwrap_or(usize::MAX))
            }
            "output-limit" => config.output_limit = bytes()?,
            _ => config.response_limit = bytes()?,
        }
        Ok(())
    };
    set().map_err(usage)
}

/// Reads a policy file. Its first mistake is the error.
fn policy_file(path: &std::path::Path) -> Result<Confinement, Error> {
    let shown = path.display();
    let text = fs_err::read_to_string(path).map_err(|error| usage(format!("--policy: {error}")))?;
    let wrong = |at: &dyn std::fmt::Display, what: String| usage(format!("{shown}{at}: {what}"));
    let pairs = assay::policy::read(&text).map_err(|error| wrong(&"", error.to_string()))?;
    let mut policy = Confinement::default();
    for pair in pairs {
        let at = format!(":{}:{}", pair.line, pair.column);
        let name = pair.key.as_str();
        let value = match (name, &pair.value) {
            ("sandbox", Some(policy::Setting::Switch(on))) => {
                policy.sandbox = *on;
                continue;
            }
            ("allow-all", Some(policy::Setting::Switch(on))) => {
                policy.allow_all = *on;
                continue;
            }
            ("sandbox" | "allow-all", _) => {
                return Err(wrong(&at, format!("`{name}` is true or false")));
            }
            (_, Some(policy::Setting::Texts(texts))) => texts.join(","),
            _ => return Err(wrong(&at, format!("`{name}` is a text or a list of texts"))),
        };
        match policy.set(name, &value) {
            Ok(true) => {}
            Ok(false) => {
                let error = wrong(&at, format!("unknown key `{name}`"));
                let known = SETTINGS.into_iter().chain(SWITCHES);
                return Err(match did_you_mean(name, known) {
                    Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                    None => {
                        error.with_hint("keys are the options of `assay --help`, without dashes")
                    }
                });
            }
            Err(error) => {
                let message = error.message.trim_start_matches("--").to_owned();
                return Err(renamed(error, format!("{shown}{at}: {message}")));
            }
        }
    }
    Ok(policy)
}

fn prefixed(error: Error, what: &str) -> Error {
    let message = format!("{what}: {}", error.message);
    renamed(error, message)
}

fn renamed(mut error: Error, message: String) -> Error {
    error.message = message;
    error
}

#[cfg(test)]
mod tests {
    use assay::{Value, Vm};

    use super::*;

    #[test]
    fn the_schema_has_every_key() {
        let schema = include_str!("../../../docs/policy.schema.json");
        let keys = "local keys = {} for key in pairs(json.parse(SCHEMA).properties) do keys[#keys + 1] = key end \
                    table.sort(keys) return table.concat(keys, ' ')";
        let script = format!("local SCHEMA = [==[{schema}]==] {keys}");
        let vm = Vm::new(Config::default()).unwrap();
        let found = assay::EventLoop::new()
            .unwrap()
            .block_on(vm.eval("=keys", script.as_bytes()));
        let Ok(Value::Bytes(found)) = found else {
            panic!("{found:?}")
        };
        let mut known: Vec<&str> = SETTINGS.into_iter().chain(SWITCHES).collect();
        known.sort_unstable();
        assert_eq!(String::from_utf8_lossy(&found), known.join(" "));
    }
}
