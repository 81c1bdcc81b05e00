//! Errors: in which template, on which line, what stands there, and what was probably meant.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use assay_plugin::{Error, did_you_mean};
use minijinja::value::Value;
use minijinja::{Environment, ErrorKind};

use crate::files::Files;
use crate::filters::{NAMES, TESTS};
use crate::render::{MAX_SIZE, MAX_STEPS};

/// Where the names of templates lead.
pub enum Place {
    Files(Files),
    String,
}

/// An error of ours on its way through the engine.
#[derive(Debug)]
pub struct Raised(Mutex<Option<Error>>);

impl Raised {
    pub fn wrap(error: Error) -> minijinja::Error {
        minijinja::Error::new(ErrorKind::InvalidOperation, "raised")
            .with_source(Self(Mutex::new(Some(error))))
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("raised")
    }
}

impl StdError for Raised {}

impl Place {
    /// What the engine says, as an error of ours.
    pub fn explain(&self, error: &minijinja::Error, vars: &Value, env: &Environment<'_>) -> Error {
        let chain: Vec<&(dyn StdError + 'static)> =
            std::iter::successors(Some(error as &(dyn StdError + 'static)), |&error| {
                error.source()
            })
            .collect();
        let errors: Vec<&minijinja::Error> = chain
            .iter()
            .filter_map(|error| error.downcast_ref())
            .collect();
        // The innermost says what is wrong; those around it, from where it was included.
        let cause = errors.last().copied().unwrap_or(error);
        let around = errors
            .iter()
            .rev()
            .skip(1)
            .filter_map(|error| self.position(error));
        let from: String = around
            .map(|position| format!(" (from {position})"))
            .collect();
        let raised = chain
            .iter()
            .filter_map(|error| error.downcast_ref::<Raised>())
            .find_map(|Raised(error)| error.lock().unwrap_or_else(PoisonError::into_inner).take());
        let position = self.position(cause);
        if let Some(raised) = raised {
            let place = position.map_or(String::new(), |position| format!("{position}{from}: "));
            // Made anew: what a Lua function raised would come out as it was, without the place.
            let error = Error::new(
                raised.kind().to_owned(),
                format!("{place}{}", raised.message()),
            );
            return match raised.hint_text() {
                Some(hint) => error.hint(hint),
                None => error,
            };
        }
        let (what, hint) = self.reason(cause, vars, env);
        let place = position.map_or(String::new(), |position| format!("{position}: "));
        let line = source_line(cause).map_or(String::new(), |line| format!(": {line}"));
        let error = Error::new("template", format!("{place}{what}{line}{from}"));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// `templates/page.html:3`
    fn position(&self, error: &minijinja::Error) -> Option<String> {
        let (name, line) = (error.name()?, error.line()?);
        Some(match self {
            Self::Files(files) => format!("{}:{line}", files.path(name).display()),
            Self::String => format!("{name}:{line}"),
        })
    }

    fn reason(
        &self,
        error: &minijinja::Error,
        vars: &Value,
        env: &Environment<'_>,
    ) -> (String, Option<String>) {
        let detail = error.detail().unwrap_or_default();
        let meant = |name: &str, known: &[&str]| {
            did_you_mean(name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"))
        };
        match error.kind() {
            ErrorKind::UnknownFilter => {
                let name = unknown(detail, "filter ");
                let hint = meant(name, &NAMES).unwrap_or_else(|| {
                    format!("a filter of your own: {{ filters = {{ {name} = function(value) ... end }} }}")
                });
                (format!("unknown filter `{name}`"), Some(hint))
            }
            ErrorKind::UnknownTest => {
                let name = unknown(detail, "test ");
                (format!("unknown test `{name}`"), meant(name, &TESTS))
            }
            ErrorKind::UnknownFunction => {
                let name = unknown(detail, "");
                let mut known: Vec<String> =
                    env.globals().map(|(name, _)| name.to_owned()).collect();
                known.extend(keys(vars));
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                (format!("unknown function `{name}`"), meant(name, &known))
            }
            ErrorKind::UndefinedError => {
                // "`page.titel` is undefined", as the engine's debug mode has it.
                let path = detail.split('`').nth(1).unwrap_or_default();
                let mut parts: Vec<&str> = path.split('.').collect();
                let name = parts.pop().unwrap_or_default();
                let parent = parts
                    .iter()
                    .try_fold(vars.clone(), |value, part| value.get_attr(part).ok());
                let known = parent.map(|parent| keys(&parent)).unwrap_or_default();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let what = if detail.is_empty() {
                    "an undefined value"
                } else {
                    detail
                };
                (what.into(), meant(name, &known))
            }
            ErrorKind::TemplateNotFound => {
                // One name in quotes of either kind, or a list of several.
                let names: Vec<&str> = detail.split(['"', '\'']).skip(1).step_by(2).collect();
                match (self, &names[..]) {
                    (Self::Files(files), [name]) => (
                        format!(
                            "no template `{name}` (looked for {})",
                            files.path(name).display()
                        ),
                        None,
                    ),
                    (Self::Files(_), _) => (format!("no template {}", list(&names)), None),
                    (Self::String, _) => (
                        format!(
                            "no template {}: a string has no folder to look in",
                            list(&names)
                        ),
                        Some("template.render reads a file and what it includes".into()),
                    ),
                }
            }
            ErrorKind::SyntaxError => (format!("syntax error: {detail}"), None),
            ErrorKind::OutOfFuel => (
                format!("stopped after {} million steps", MAX_STEPS / 1_000_000),
                Some("is there a loop without end? compute large results in Lua".into()),
            ),
            ErrorKind::WriteFailure => (
                format!("the result is larger than {} MiB", MAX_SIZE >> 20),
                None,
            ),
            kind if detail.is_empty() => (kind.to_string(), None),
            _ => (detail.into(), None),
        }
    }
}

/// The name in `filter NAME is unknown`.
fn unknown<'a>(detail: &'a str, what: &str) -> &'a str {
    let name = detail.strip_prefix(what).unwrap_or(detail);
    name.strip_suffix(" is unknown").unwrap_or(name)
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(" or ")
}

/// The names in a map.
fn keys(map: &Value) -> Vec<String> {
    match map.try_iter() {
        Ok(keys) => keys
            .filter_map(|key| key.as_str().map(str::to_owned))
            .collect(),
        Err(_) => Vec::new(),
    }
}

/// What stands on the line.
fn source_line(error: &minijinja::Error) -> Option<String> {
    const MOST: usize = 100;
    let line = error
        .template_source()?
        .lines()
        .nth(error.line()?.checked_sub(1)?)?
        .trim();
    let mut shown: String = line.chars().take(MOST).collect();
    if shown.len() < line.len() {
        shown += "...";
    }
    (!shown.is_empty()).then_some(shown)
}
