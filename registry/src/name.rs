//! Names of packages, and what a person types to ask for one.

use std::fmt;
use std::str::FromStr;

use semver::VersionReq;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, usage};
use crate::version;

/// What a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Lua, loaded with `require`.
    #[serde(rename = "lib")]
    Library,
    /// A `.so` that adds builtins.
    #[serde(rename = "plugin")]
    Plugin,
}

impl Kind {
    /// The word in repository names, `.meta` files and the lock.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Library => "lib",
            Kind::Plugin => "plugin",
        }
    }

    /// The word in messages.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Library => "library",
            Kind::Plugin => "plugin",
        }
    }
}

/// The kind and name of a package: `lib/vault`, `plugin/http`.
///
/// `Display` is the form in messages, "library `vault`"; [`path`](Self::path)
/// the one in repositories.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName {
    /// Library or plugin.
    pub kind: Kind,
    /// The name alone.
    pub name: String,
}

impl PackageName {
    /// A name that has been checked: lower-case words joined by `_` or `-`.
    pub fn new(kind: Kind, name: &str) -> Result<Self> {
        check(kind, name)?;
        Ok(PackageName {
            kind,
            name: name.to_owned(),
        })
    }

    /// The repository below the registry's prefix: `lib/vault`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.kind.as_str(), self.name)
    }

    /// The file in `.meta/`: `lib-vault.json`.
    pub fn meta_file(&self) -> String {
        format!("{}-{}.json", self.kind.as_str(), self.name)
    }

    /// What a person types after `assay install`: `vault`, `plugin/http`.
    pub fn typed(&self) -> String {
        match self.kind {
            Kind::Library => self.name.clone(),
            Kind::Plugin => format!("plugin/{}", self.name),
        }
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind.noun(), self.name)
    }
}

impl FromStr for PackageName {
    type Err = Error;

    /// Reads `vault`, `lib/vault` and `plugin/http`.
    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('/') {
            None => PackageName::new(Kind::Library, text),
            Some(("lib", name)) => PackageName::new(Kind::Library, name),
            Some(("plugin", name)) => PackageName::new(Kind::Plugin, name),
            Some((kind, name)) => Err(usage(format!(
                "`{text}`: `{kind}` is not a kind of package"
            ))
            .with_hint(format!(
                "write `{name}` for a library or `plugin/{name}` for a plugin"
            ))),
        }
    }
}

/// What a person asks for: a name and, after `@`, a range of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The package.
    pub package: PackageName,
    /// The range after `@`, if one was given.
    pub range: Option<VersionReq>,
}

impl FromStr for Request {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, range) = match text.split_once('@') {
            Some((name, range)) => (name, Some(version::parse_range(range)?)),
            None => (text, None),
        };
        Ok(Request {
            package: name.parse()?,
            range,
        })
    }
}

/// The name among `known` that is closest to `wanted`, if one is close enough
/// to be a slip of the keyboard.
pub fn closest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (distance(wanted, name), name))
        .filter(|(distance, _)| *distance <= (wanted.chars().count() / 3).max(1))
        .min()
        .map(|(_, name)| name)
}

fn check(kind: Kind, name: &str) -> Result<()> {
    let words_are_fine = name.split(['-', '_']).all(|word| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    });
    if !words_are_fine || name.len() > MAX_NAME {
        let shown: String = name.chars().take(MAX_NAME).collect();
        return Err(usage(format!("`{shown}` is not a name for a {}", kind.noun())).with_hint(
            "names are lower-case letters and digits, words joined by one `-` or `_`, at most 64 characters",
        ));
    }
    if kind == Kind::Library && name == "plugins" {
        return Err(usage(
            "a library cannot be called `plugins`: the folder holds the plugins",
        ));
    }
    Ok(())
}

/// Edits to get from `a` to `b`, where a swap of two neighbours is one edit.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitute = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitute.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

const MAX_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_typed() {
        let vault: Request = "vault@^0.1".parse().unwrap();
        assert_eq!(vault.package.path(), "lib/vault");
        assert_eq!(vault.range.unwrap().to_string(), "^0.1");
        let http: Request = "plugin/http".parse().unwrap();
        assert_eq!(http.package.to_string(), "plugin `http`");
        assert_eq!(http.package.typed(), "plugin/http");
    }

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for bad in [
            "",
            "..",
            "a/../b",
            "A",
            "a--b",
            "-a",
            "a_",
            "a b",
            "plugins",
            "é",
            &"a".repeat(65),
        ] {
            assert!(bad.parse::<PackageName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = ["vault", "k8s", "certmanager"];
        assert_eq!(closest("valut", known), Some("vault"));
        assert_eq!(closest("k8", known), Some("k8s"));
        assert_eq!(closest("cert-manager", known), Some("certmanager"));
        assert_eq!(closest("grafana", known), None);
    }
}
