//! What every verb works out first: project, source, root and context.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_registry::context::Context;
use assay_registry::credentials::{Credential, Credentials, Found, Secret};
use assay_registry::error::{Error, ErrorKind, Result};
use assay_registry::project::Project;
use assay_registry::root::Root;
use assay_registry::source::SourceName;

use crate::env;
use crate::terminal::Reporter;

/// Where a command runs.
pub struct Setting {
    /// The current folder.
    pub folder: PathBuf,
    /// The nearest project, if any.
    pub project: Option<Project>,
}

impl Setting {
    /// Looks around.
    pub fn find() -> Result<Self> {
        let folder = std::env::current_dir().map_err(|error| {
            Error::new(ErrorKind::Io, "the current folder cannot be read").with_source(error)
        })?;
        let project = Project::find(&folder)?;
        Ok(Setting { folder, project })
    }

    /// The source, and whether flag or environment named it.
    pub fn source(&self, flag: Option<&str>) -> Result<(SourceName, bool)> {
        if let Some(text) = flag {
            return Ok((SourceName::parse(text, &self.folder)?, true));
        }
        if let Some(text) = env::text(env::ASSAY_REGISTRY) {
            let source = SourceName::parse(&text, &self.folder);
            return Ok((
                source.map_err(|error| error.context("ASSAY_REGISTRY cannot be used"))?,
                true,
            ));
        }
        match self
            .project
            .as_ref()
            .and_then(|project| project.registry.clone())
        {
            Some(source) => Ok((source, false)),
            None => Ok((SourceName::parse(DEFAULT_REGISTRY, &self.folder)?, false)),
        }
    }

    /// The root: the flag's, else the project's, else the first of
    /// ASSAY_LIB_PATH, else the user's own.
    pub fn root(&self, flag: Option<&str>) -> Result<Root> {
        if let Some(path) = flag {
            return Ok(Root::new(self.folder.join(path)));
        }
        if let Some(project) = &self.project {
            return Ok(Root::new(project.root()));
        }
        let listed = env::text(env::ASSAY_LIB_PATH).and_then(|list| {
            list.split(':')
                .find(|root| !root.is_empty())
                .map(PathBuf::from)
        });
        let root = listed
            .map(|root| self.folder.join(root))
            .or_else(env::data_folder);
        root.map(Root::new).ok_or_else(|| {
            Error::new(
                ErrorKind::Usage,
                "there is no folder to install into: HOME is not set",
            )
            .with_hint("name one with --root DIR")
        })
    }

    /// Settings and services; `source` is where ASSAY_REGISTRY_USERNAME and the
    /// like are meant for.
    pub fn context(&self, source: &SourceName) -> Result<Context> {
        let cache = env::cache_folder().ok_or_else(|| {
            Error::new(
                ErrorKind::Usage,
                "there is no folder for the cache: HOME is not set",
            )
            .with_hint("name one with ASSAY_CACHE")
        })?;
        Ok(Context {
            cache: self.folder.join(cache),
            credentials: Arc::new(credentials(source)?),
            registries: self
                .project
                .as_ref()
                .map_or_else(BTreeMap::new, |project| project.registries.clone()),
            progress: Arc::new(Reporter::new()),
        })
    }

    /// A path as a person in the current folder would write it.
    pub fn shown(&self, path: &Path) -> String {
        match path.strip_prefix(&self.folder) {
            Ok(below) if below.as_os_str().is_empty() => ".".to_owned(),
            Ok(below) => below.display().to_string(),
            Err(_) => path.display().to_string(),
        }
    }
}

/// Credentials of the environment are for the one registry that the command
/// works with, and for no other that happens to be asked too.
fn credentials(source: &SourceName) -> Result<Credentials> {
    let files = Credentials::files(env::credential_files());
    let SourceName::Registry { host, .. } = source else {
        return Ok(files);
    };
    let user = env::text(env::ASSAY_REGISTRY_USERNAME);
    let password = env::text(env::ASSAY_REGISTRY_PASSWORD);
    let token = env::text(env::ASSAY_REGISTRY_TOKEN);
    let found = match (user, password, token) {
        (None, None, None) => return Ok(files),
        (None, None, Some(token)) => Found {
            credential: Credential::Bearer(Secret::new(token)),
            origin: env::ASSAY_REGISTRY_TOKEN.to_owned(),
        },
        (Some(user), Some(password), None) => Found {
            credential: Credential::Password {
                user,
                password: Secret::new(password),
            },
            origin: format!(
                "{} and {}",
                env::ASSAY_REGISTRY_USERNAME,
                env::ASSAY_REGISTRY_PASSWORD
            ),
        },
        _ => {
            return Err(Error::new(ErrorKind::Usage, "the credentials in the environment are incomplete").with_hint(
                "set ASSAY_REGISTRY_USERNAME and ASSAY_REGISTRY_PASSWORD, or ASSAY_REGISTRY_TOKEN alone",
            ));
        }
    };
    Ok(files.with(host, found))
}

const DEFAULT_REGISTRY: &str = "ghcr.io/developerinlondon/assay";
