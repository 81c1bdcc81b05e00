//! Who we are at a registry: from the caller, or from the files that podman,
//! skopeo and docker keep.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};

/// Text that must not be seen: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides some text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// One way to show who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// User name and password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token that the token endpoint changes into short-lived ones.
    Identity(Secret),
    /// A token that is sent as it is.
    Bearer(Secret),
}

/// A credential and where it was found, for the error that it is wrong.
#[derive(Debug, Clone)]
pub struct Found {
    /// The credential.
    pub credential: Credential,
    /// A file, or the names of variables.
    pub origin: String,
}

/// Where credentials are looked up.
#[derive(Debug, Default)]
pub struct Credentials {
    given: Option<(String, Found)>,
    files: Vec<PathBuf>,
}

impl Credentials {
    /// No credentials at all.
    pub fn none() -> Self {
        Credentials::default()
    }

    /// Looks into these files in turn; the first one that knows the registry counts.
    pub fn files(files: Vec<PathBuf>) -> Self {
        Credentials { given: None, files }
    }

    /// A credential for one host, before any file.
    #[must_use]
    pub fn with(mut self, host: &str, found: Found) -> Self {
        self.given = Some((host.to_owned(), found));
        self
    }

    /// The credential for a host, chosen by the longest prefix of `path`.
    pub(crate) fn find(&self, host: &str, path: &str) -> Result<Option<Found>> {
        if let Some((_, found)) = self.given.as_ref().filter(|(given, _)| given == host) {
            return Ok(Some(found.clone()));
        }
        for file in &self.files {
            if let Some(credential) = look_up(file, host, path)? {
                return Ok(Some(Found {
                    credential,
                    origin: file.display().to_string(),
                }));
            }
        }
        Ok(None)
    }
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    #[serde(rename = "identitytoken")]
    identity: Option<Secret>,
    #[serde(rename = "registrytoken")]
    registry: Option<Secret>,
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret)
    }
}

fn look_up(path: &Path, host: &str, repository: &str) -> Result<Option<Credential>> {
    let bytes = match fs_err::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let file: File = serde_json::from_slice(&bytes).map_err(|error| {
        // serde's message could quote a secret; line and column cannot.
        bad(
            path,
            &format!(
                "it is not valid at line {} column {}",
                error.line(),
                error.column()
            ),
        )
    })?;
    if let Some(helper) = file.helpers.get(host) {
        return ask_helper(path, helper, host);
    }
    let full = format!("{host}/{repository}");
    let fitting = file.auths.iter().filter_map(|(key, entry)| {
        let key = normal_key(key);
        let fits = full == key
            || full
                .strip_prefix(&key)
                .is_some_and(|rest| rest.starts_with('/'));
        fits.then_some((key.len(), key, entry))
    });
    if let Some((_, key, entry)) = fitting.max_by_key(|(length, ..)| *length)
        && let Some(credential) = entry.read(path, &key)?
    {
        return Ok(Some(credential));
    }
    match &file.store {
        Some(store) => ask_helper(path, store, host),
        None => Ok(None),
    }
}

impl Entry {
    /// An entry without content is what `docker logout` and stores leave behind.
    fn read(&self, path: &Path, key: &str) -> Result<Option<Credential>> {
        let filled = |secret: &&Secret| !secret.0.is_empty();
        if let Some(token) = self.identity.as_ref().filter(filled) {
            return Ok(Some(Credential::Identity(token.clone())));
        }
        if let Some(token) = self.registry.as_ref().filter(filled) {
            return Ok(Some(Credential::Bearer(token.clone())));
        }
        if let Some(auth) = self.auth.as_ref().filter(filled) {
            let decoded = STANDARD
                .decode(auth.0.trim())
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            let (user, password) = decoded
                .as_deref()
                .and_then(|text| text.split_once(':'))
                .ok_or_else(|| {
                    bad(
                        path,
                        &format!("the `auth` of {key} is not base64 of user:password"),
                    )
                })?;
            let password = Secret::new(password.trim_end_matches('\0'));
            return Ok(Some(Credential::Password {
                user: user.to_owned(),
                password,
            }));
        }
        match (&self.username, &self.password) {
            (Some(user), Some(password)) => Ok(Some(Credential::Password {
                user: user.clone(),
                password: password.clone(),
            })),
            _ => Ok(None),
        }
    }
}

/// `docker-credential-<helper> get`, by docker's protocol.
fn ask_helper(path: &Path, helper: &str, host: &str) -> Result<Option<Credential>> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "Username")]
        user: String,
        #[serde(rename = "Secret")]
        secret: Secret,
    }

    let program = format!("docker-credential-{helper}");
    let failed = |what: String| {
        bad(
            path,
            &format!("it names the helper `{program}`, which {what}"),
        )
        .with_hint("install or repair the helper, or remove it from the file")
    };
    if !helper
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    {
        return Err(failed("is not the name of a program".into()));
    }
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed("cannot be run".into()).with_source(error))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that ends without reading answers with its exit code.
        let _ = stdin.write_all(host.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(|error| failed("did not answer".into()).with_source(error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        if said.contains("credentials not found") {
            return Ok(None);
        }
        return Err(failed(format!("failed ({})", output.status)));
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed("gave an answer that cannot be read".into()))?;
    Ok(Some(match answer.user.as_str() {
        "<token>" => Credential::Identity(answer.secret),
        _ => Credential::Password {
            user: answer.user,
            password: answer.secret,
        },
    }))
}

/// docker writes addresses, podman prefixes: `https://index.docker.io/v1/`,
/// `quay.io/team`.
fn normal_key(key: &str) -> String {
    match key.split_once("://") {
        Some((_, address)) => address.split('/').next().unwrap_or_default().to_owned(),
        None => key.trim_end_matches('/').to_owned(),
    }
}

fn bad(path: &Path, what: &str) -> Error {
    Error::new(
        ErrorKind::Unauthorized,
        format!(
            "the credentials in {} cannot be used: {what}",
            path.display()
        ),
    )
    .with_hint("log in again, for example with `skopeo login HOST`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(json: &str, host: &str, path: &str) -> Result<Option<Credential>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.json");
        fs_err::write(&file, json).unwrap();
        let found =
            Credentials::files(vec![folder.path().join("none.json"), file]).find(host, path)?;
        Ok(found.map(|found| found.credential))
    }

    fn user(credential: Option<Credential>) -> Option<String> {
        match credential? {
            Credential::Password { user, password } => {
                Some(format!("{user}:{}", password.reveal()))
            }
            Credential::Identity(token) => Some(format!("identity {}", token.reveal())),
            Credential::Bearer(token) => Some(format!("bearer {}", token.reveal())),
        }
    }

    #[test]
    fn the_longest_prefix_wins() {
        // base64 of host:1 and team:2
        let json = r#"{"auths":{"r.io":{"auth":"aG9zdDox"},"r.io/team":{"auth":"dGVhbToy"},"r.io/teams":{}}}"#;
        assert_eq!(
            user(find(json, "r.io", "team/lib/x").unwrap()).as_deref(),
            Some("team:2")
        );
        assert_eq!(
            user(find(json, "r.io", "other/lib/x").unwrap()).as_deref(),
            Some("host:1")
        );
        assert_eq!(user(find(json, "other.io", "team").unwrap()), None);
    }

    #[test]
    fn docker_addresses_and_tokens_are_understood() {
        let json = r#"{"auths":{"https://r.io/v1/":{"auth":"","identitytoken":"abc"},"s.io":{"registrytoken":"def"}}}"#;
        assert_eq!(
            user(find(json, "r.io", "x").unwrap()).as_deref(),
            Some("identity abc")
        );
        assert_eq!(
            user(find(json, "s.io", "x").unwrap()).as_deref(),
            Some("bearer def")
        );
    }

    #[test]
    fn bad_files_are_named_and_secrets_are_not_shown() {
        for json in [
            r#"{"auths":{"r.io":{"auth":"c2VjcmV0"}}}"#,
            r#"{"auths":{"r.io":"c2VjcmV0"}}"#,
            "{",
        ] {
            let error = find(json, "r.io", "x").unwrap_err();
            assert!(error.to_string().contains("auth.json"), "{error}");
            assert!(!format!("{error:?}").contains("c2VjcmV0"), "{error:?}");
        }
        assert_eq!(format!("{:?}", Secret::new("x")), "[redacted]");
    }

    #[test]
    fn a_missing_helper_is_named() {
        let error = find(r#"{"credHelpers":{"r.io":"assay-test-none"}}"#, "r.io", "x").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("docker-credential-assay-test-none"),
            "{error}"
        );
    }
}
