//! A registry over HTTP as a source of packages.
//!
//! What comes from it goes through the cache, an OCI layout: documents by their
//! digest, layers streamed to a temporary file and moved into place once size
//! and digest are right.

mod auth;
mod download;
mod http;

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use semver::Version;
use ureq::http::{Response, StatusCode, header};
use url::Url;

use crate::context::Context;
use crate::credentials::{Credentials, Secret};
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result, corrupt, network};
use crate::layout::Layout;
use crate::name::PackageName;
use crate::oci::{self, Descriptor, Index, Manifest};
use crate::platform::Platform;
use crate::progress::{Event, Progress};
use crate::project::RegistrySettings;
use crate::source::{self, Source, SourceName};
use crate::version;

use self::http::{Http, Request, header as header_text, shown};

/// A registry.
pub struct Remote {
    name: SourceName,
    /// Where requests go: the registry itself, or its mirror.
    host: String,
    prefix: String,
    http: Http,
    credentials: Arc<Credentials>,
    /// `Authorization` values by scope.
    tokens: Mutex<HashMap<String, Secret>>,
    /// Repositories that hold a blob, as far as this process pushed it.
    pushed: Mutex<HashMap<Digest, String>>,
    cache_path: std::path::PathBuf,
    cache: OnceLock<Layout>,
    progress: Arc<dyn Progress>,
}

impl Remote {
    /// A registry to read from; a mirror in the settings is asked instead.
    pub fn new(context: &Context, host: &str, prefix: &str) -> Result<Self> {
        let settings = context.registries.get(host).cloned().unwrap_or_default();
        let Some(mirror) = &settings.mirror else {
            return Remote::direct(context, host, prefix);
        };
        let SourceName::Registry {
            host: mirror_host,
            prefix: mirror_prefix,
        } = SourceName::parse(mirror, std::path::Path::new("/"))?
        else {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("the mirror of {host} is `{mirror}`, not a registry"),
            ));
        };
        let joined = [mirror_prefix.as_str(), prefix]
            .into_iter()
            .filter(|part| !part.is_empty());
        let joined = joined.collect::<Vec<_>>().join("/");
        let settings = context
            .registries
            .get(&mirror_host)
            .cloned()
            .unwrap_or(RegistrySettings {
                mirror: None,
                ..settings
            });
        let name = SourceName::Registry {
            host: host.to_owned(),
            prefix: prefix.to_owned(),
        };
        Remote::at(context, name, &mirror_host, &joined, &settings)
    }

    /// The registry itself, to publish to.
    pub fn direct(context: &Context, host: &str, prefix: &str) -> Result<Self> {
        let settings = context.registries.get(host).cloned().unwrap_or_default();
        let name = SourceName::Registry {
            host: host.to_owned(),
            prefix: prefix.to_owned(),
        };
        Remote::at(context, name, host, prefix, &settings)
    }

    fn at(
        context: &Context,
        name: SourceName,
        host: &str,
        prefix: &str,
        settings: &RegistrySettings,
    ) -> Result<Self> {
        Ok(Remote {
            name,
            host: host.to_owned(),
            prefix: prefix.to_owned(),
            http: Http::new(host, settings, context.progress.clone())?,
            credentials: context.credentials.clone(),
            tokens: Mutex::default(),
            pushed: Mutex::default(),
            cache_path: context.cache.clone(),
            cache: OnceLock::new(),
            progress: context.progress.clone(),
        })
    }

    fn repository(&self, package: &PackageName) -> String {
        match self.prefix.as_str() {
            "" => package.path(),
            prefix => format!("{prefix}/{}", package.path()),
        }
    }

    fn url(&self, path: &str) -> Result<Url> {
        self.http
            .base()
            .join(&format!("v2/{path}"))
            .map_err(|error| network(format!("`{path}` is not an address")).with_source(error))
    }

    /// Sends a request; answers one challenge if there is one.
    fn call(&self, request: &Request<'_>, scopes: &[String]) -> Result<Response<ureq::Body>> {
        let key = scopes.join(" ");
        let known = self
            .tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        let response = self
            .http
            .send(request, known.as_ref().map(Secret::reveal))?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let repository = scopes
            .first()
            .and_then(|scope| scope.split(':').nth(1))
            .unwrap_or_default();
        let found = self.credentials.find(&self.host, repository)?;
        let challenge = auth::challenge(response.headers()).ok_or_else(|| {
            network(format!(
                "{} answers 401 and does not say how to log in",
                self.host
            ))
        })?;
        let fresh = auth::answer(&self.http, &self.host, &challenge, scopes, found.as_ref())?;
        let response = self.http.send(request, Some(fresh.reveal()))?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(found.map_or_else(
                || auth::wanted(&self.host),
                |found| auth::refused(&self.host, &found),
            ));
        }
        self.tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, fresh);
        Ok(response)
    }

    /// `None` for 404; an error for anything but success.
    fn expect(
        &self,
        request: &Request<'_>,
        scopes: &[String],
    ) -> Result<Option<Response<ureq::Body>>> {
        let response = self.call(request, scopes)?;
        match response.status() {
            status if status.is_success() => Ok(Some(response)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.failure(request, response)),
        }
    }

    fn failure(&self, request: &Request<'_>, response: Response<ureq::Body>) -> Error {
        let status = response.status();
        let said = registry_message(response);
        let text = format!(
            "{} {} answers {status}{said}",
            request.method,
            shown(&request.url)
        );
        match status {
            StatusCode::FORBIDDEN => Error::new(ErrorKind::Unauthorized, text).with_hint(format!(
                "the account may not do this at {}, or the package is not public: log in as another user",
                self.host
            )),
            StatusCode::TOO_MANY_REQUESTS => {
                network(text).with_hint("the registry limits requests: wait, or log in for a higher limit")
            }
            _ => network(text),
        }
    }

    /// An index or manifest by tag or digest.
    fn get_manifest(&self, package: &PackageName, reference: &str) -> Result<Option<Vec<u8>>> {
        let repository = self.repository(package);
        let mut request = Request::get(self.url(&format!("{repository}/manifests/{reference}"))?);
        request
            .headers
            .push(("accept", format!("{}, {}", oci::INDEX, oci::MANIFEST)));
        let Some(response) = self.expect(&request, &pull(&repository))? else {
            return Ok(None);
        };
        self.read_bounded(response, oci::MAX_DOCUMENT, &request.url)
            .map(Some)
    }

    fn read_bounded(
        &self,
        response: Response<ureq::Body>,
        limit: u64,
        url: &Url,
    ) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = response
            .into_body()
            .into_reader()
            .take(limit + 1)
            .read_to_end(&mut bytes);
        read.map_err(|error| network(format!("{} broke off", shown(url))).with_source(error))?;
        if bytes.len() as u64 > limit {
            return Err(corrupt(format!(
                "{} is longer than {limit} bytes",
                shown(url)
            )));
        }
        Ok(bytes)
    }

    fn put_manifest(
        &self,
        package: &PackageName,
        reference: &str,
        descriptor: &Descriptor,
        bytes: &[u8],
    ) -> Result<()> {
        let repository = self.repository(package);
        let request = Request {
            method: "PUT",
            url: self.url(&format!("{repository}/manifests/{reference}"))?,
            headers: vec![("content-type", descriptor.media_type.clone())],
            body: bytes,
        };
        let response = self.call(&request, &push(&repository))?;
        if response.status().is_success() {
            Ok(())
        } else {
            Err(self.failure(&request, response))
        }
    }
}

impl Source for Remote {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn versions(&self, package: &PackageName) -> Result<Option<Vec<Version>>> {
        let repository = self.repository(package);
        let Some(tags) = self.pages(
            &format!("{repository}/tags/list?n=1000"),
            "tags",
            &pull(&repository),
        )?
        else {
            return Ok(None);
        };
        let versions: BTreeSet<Version> = tags
            .iter()
            .filter_map(|tag| version::parse_tag(tag))
            .collect();
        Ok(if versions.is_empty() {
            None
        } else {
            Some(versions.into_iter().collect())
        })
    }

    fn index(&self, package: &PackageName, version: &Version) -> Result<Option<(Digest, Vec<u8>)>> {
        let found = match self.get_manifest(package, &version.to_string())? {
            // Versions are listed with and without a leading `v`.
            None => self.get_manifest(package, &format!("v{version}"))?,
            found => found,
        };
        Ok(found.map(|bytes| (Digest::of(&bytes), bytes)))
    }

    fn document(&self, package: &PackageName, digest: &Digest) -> Result<Vec<u8>> {
        // A damaged cache is no obstacle: the registry has the document too.
        if let Ok(Some(bytes)) = self.cache()?.read_document(digest) {
            return Ok(bytes);
        }
        let bytes = self.get_manifest(package, &digest.to_string())?.ok_or_else(|| {
            corrupt(format!("{} of {package} is not in {}", digest.short(), self.name))
                .with_hint("publish it again, or run `assay install` without --locked to choose another version")
        })?;
        if Digest::of(&bytes) != *digest {
            return Err(corrupt(format!(
                "{} of {package} in {} is damaged: its digest differs",
                digest.short(),
                self.name
            )));
        }
        let _ = fs_err::remove_file(self.cache()?.blob_path(digest));
        self.cache()?.write_blob(digest, &bytes)?;
        Ok(bytes)
    }

    fn open_blob(
        &self,
        package: &PackageName,
        descriptor: &Descriptor,
    ) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(fs_err::File::open(
            self.fetch(package, descriptor)?,
        )?))
    }

    fn forget(&self, digest: &Digest) -> bool {
        self.cache()
            .is_ok_and(|cache| fs_err::remove_file(cache.blob_path(digest)).is_ok())
    }

    fn keep(
        &self,
        package: &PackageName,
        version: &Version,
        digest: &Digest,
        platform: Platform,
    ) -> Result<()> {
        let bytes = self.document(package, digest)?;
        self.cache()?.write_blob(digest, &bytes)?;
        let index: Index = serde_json::from_slice(&bytes).map_err(|error| {
            corrupt(format!("the index of {package} {version} cannot be read")).with_source(error)
        })?;
        if let Some(entry) = index.for_platform(platform) {
            let manifest: Manifest = serde_json::from_slice(
                &self.document(package, &entry.digest)?,
            )
            .map_err(|error| {
                corrupt(format!(
                    "the manifest of {package} {version} cannot be read"
                ))
                .with_source(error)
            })?;
            source::read_blob(self, package, &manifest.config)?;
        }
        let reference = format!("{}/{}:{version}", self.name, package.path());
        self.cache()?
            .tag(&reference, &Descriptor::of(oci::INDEX, &bytes))
    }

    fn packages(&self) -> Result<Vec<PackageName>> {
        let scope = ["registry:catalog:*".to_owned()];
        let names = self
            .pages("_catalog?n=1000", "repositories", &scope)?
            .unwrap_or_default();
        let prefix = if self.prefix.is_empty() {
            String::new()
        } else {
            format!("{}/", self.prefix)
        };
        Ok(names
            .iter()
            .filter_map(|name| name.strip_prefix(&prefix)?.parse().ok())
            .collect())
    }

    fn push_blob(
        &self,
        package: &PackageName,
        descriptor: &Descriptor,
        bytes: &[u8],
    ) -> Result<()> {
        let repository = self.repository(package);
        let mut scopes = push(&repository);
        let head = Request {
            method: "HEAD",
            ..Request::get(self.url(&format!("{repository}/blobs/{}", descriptor.digest))?)
        };
        let remember = || {
            let mut pushed = self.pushed.lock().unwrap_or_else(PoisonError::into_inner);
            pushed
                .entry(descriptor.digest.clone())
                .or_insert_with(|| repository.clone());
        };
        if self.expect(&head, &scopes)?.is_some() {
            remember();
            return Ok(());
        }

        self.progress.event(&Event::Uploading {
            package,
            total: descriptor.size,
        });
        let mut url = self.url(&format!("{repository}/blobs/uploads/"))?;
        let elsewhere = self
            .pushed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&descriptor.digest)
            .cloned();
        if let Some(other) = elsewhere.filter(|other| *other != repository) {
            url.query_pairs_mut()
                .append_pair("mount", &descriptor.digest.to_string())
                .append_pair("from", &other);
            scopes.extend(pull(&other));
        }
        let start = Request {
            method: "POST",
            url,
            headers: Vec::new(),
            body: &[],
        };
        let response = self.call(&start, &scopes)?;
        match response.status() {
            StatusCode::CREATED => {
                remember();
                return Ok(());
            }
            StatusCode::ACCEPTED => {}
            _ => return Err(self.failure(&start, response)),
        }
        let location = header_text(response.headers(), header::LOCATION)
            .and_then(|location| start.url.join(location).ok())
            .ok_or_else(|| {
                network(format!(
                    "{} takes an upload and does not say where",
                    self.host
                ))
            })?;
        let mut location = location;
        location
            .query_pairs_mut()
            .append_pair("digest", &descriptor.digest.to_string());
        let finish = Request {
            method: "PUT",
            url: location,
            headers: vec![("content-type", "application/octet-stream".to_owned())],
            body: bytes,
        };
        let response = self.call(&finish, &scopes)?;
        if !response.status().is_success() {
            return Err(self.failure(&finish, response));
        }
        remember();
        Ok(())
    }

    fn push_manifest(
        &self,
        package: &PackageName,
        descriptor: &Descriptor,
        bytes: &[u8],
    ) -> Result<()> {
        self.put_manifest(package, &descriptor.digest.to_string(), descriptor, bytes)
    }

    fn push_index(
        &self,
        package: &PackageName,
        version: &Version,
        descriptor: &Descriptor,
        bytes: &[u8],
    ) -> Result<()> {
        self.put_manifest(package, &version.to_string(), descriptor, bytes)
    }
}

impl Remote {
    /// The strings of a paged list. Registries differ in whether they heed `n`
    /// and `last`, so this follows `Link` and stops when nothing new comes.
    fn pages(&self, path: &str, key: &str, scopes: &[String]) -> Result<Option<Vec<String>>> {
        let mut all = BTreeSet::new();
        let mut url = self.url(path)?;
        for _ in 0..MAX_PAGES {
            let request = Request::get(url.clone());
            let Some(response) = self.expect(&request, scopes)? else {
                return Ok(None);
            };
            let next = header_text(response.headers(), header::LINK)
                .and_then(next_link)
                .map(str::to_owned);
            let bytes = self.read_bounded(response, oci::MAX_DOCUMENT, &url)?;
            let page: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| {
                network(format!("{} is not a list", shown(&url))).with_source(error)
            })?;
            let before = all.len();
            // `null` is what some registries say for an empty list.
            let strings = page
                .get(key)
                .and_then(|list| list.as_array())
                .into_iter()
                .flatten();
            all.extend(strings.filter_map(|item| item.as_str().map(str::to_owned)));
            match next.and_then(|next| url.join(&next).ok()) {
                Some(next) if all.len() > before => url = next,
                _ => break,
            }
        }
        Ok(Some(all.into_iter().collect()))
    }
}

fn pull(repository: &str) -> Vec<String> {
    vec![format!("repository:{repository}:pull")]
}

fn push(repository: &str) -> Vec<String> {
    vec![format!("repository:{repository}:pull,push")]
}

/// `</v2/a/tags/list?last=b>; rel="next"`.
fn next_link(link: &str) -> Option<&str> {
    link.split(',').find_map(|part| {
        let (target, parameters) = part.trim().strip_prefix('<')?.split_once('>')?;
        parameters
            .replace(['"', ' '], "")
            .contains("rel=next")
            .then_some(target)
    })
}

/// What the registry itself says about an error, in one line.
fn registry_message(response: Response<ureq::Body>) -> String {
    let mut body = Vec::new();
    if response
        .into_body()
        .into_reader()
        .take(64 * 1024)
        .read_to_end(&mut body)
        .is_err()
    {
        return String::new();
    }
    let message = serde_json::from_slice::<serde_json::Value>(&body)
        .ok()
        .and_then(|document| {
            let error = document.get("errors")?.get(0)?;
            let text = |key| {
                error
                    .get(key)
                    .and_then(|value| value.as_str())
                    .filter(|text| !text.is_empty())
            };
            text("message").or(text("code")).map(str::to_owned)
        });
    match message {
        Some(message) => {
            let line: String = message
                .chars()
                .filter(|c| !c.is_control())
                .take(300)
                .collect();
            format!(": {line}")
        }
        None => String::new(),
    }
}

const MAX_PAGES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        assert_eq!(
            next_link(r#"</v2/a?last=b>; rel="next""#),
            Some("/v2/a?last=b")
        );
        assert_eq!(next_link(r#"<x>; rel="prev", <y>; rel=next"#), Some("y"));
        assert_eq!(next_link("garbage"), None);
    }
}
