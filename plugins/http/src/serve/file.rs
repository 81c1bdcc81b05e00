//! `file = path`: a file as a response, or what the client asked for instead of all of it.
//!
//! The path is the script's, and what it names is sent. The one refusal: a part that is `..`, since a
//! path made of a request's must not lead out of the folder that the script put before it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Component, Path};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use assay_plugin::{Cx, Error, Result};
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use crate::failure::reason;

/// What to answer.
pub enum Found {
    File(StatusCode, Part),
    /// 304, 412 or 416: headers only.
    Nothing(StatusCode),
    Missing,
}

/// A file from a place on, read as it is sent.
pub struct Part {
    file: File,
    left: u64,
    /// Read since the thread was last given to others.
    hogged: usize,
}

/// How much is read and handed over at once.
const CHUNK: u64 = 64 << 10;

/// How much one connection may read before others have their turn.
const TURN: usize = 256 << 10;

/// Opens a file and fills in the headers that the handler did not set.
pub fn find(
    cx: &Cx,
    path: &str,
    status: StatusCode,
    headers: &mut HeaderMap,
    request: &Parts,
) -> Result<Found> {
    cx.require("fs.read", path)?;
    if Path::new(path)
        .components()
        .any(|part| part == Component::ParentDir)
    {
        cx.warn(&format!(
            "http.serve: `file`: {path:?} has a part `..`, answered with 404"
        ));
        return Ok(Found::Missing);
    }
    let failed = |error: io::Error| {
        Error::new(
            "io",
            format!("`file`: cannot read {path}: {}", reason(&error)),
        )
    };
    let open = || {
        // Asked first: opening a pipe would wait for its other end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::from(ErrorKind::NotFound));
        }
        let file = OpenOptions::new().read(true).open(path)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    };
    let (mut file, metadata) = match open() {
        Ok(found) => found,
        Err(error) => {
            return match error.kind() {
                // What cannot be a path was asked for by a client, not written by a script.
                ErrorKind::NotFound
                | ErrorKind::NotADirectory
                | ErrorKind::InvalidInput
                | ErrorKind::InvalidFilename => Ok(Found::Missing),
                _ => Err(failed(error)),
            };
        }
    };
    let size = metadata.len();
    let mut default = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.entry(name).or_insert(value);
        }
    };
    default(CONTENT_TYPE, content_type(path).into());
    if status != StatusCode::OK {
        return Ok(Found::File(status, Part::new(file, size)));
    }
    default(ACCEPT_RANGES, "bytes".into());
    if let Ok(modified) = metadata.modified() {
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        default(ETAG, format!("\"{:x}-{size:x}\"", since.as_nanos()));
        // The format's first year and last.
        if (Duration::ZERO..Duration::from_secs(253_402_300_800)).contains(&since) {
            default(LAST_MODIFIED, httpdate::fmt_http_date(modified));
        }
    }
    match part(request, headers, size) {
        Ok((start, end, status)) => {
            if status == StatusCode::PARTIAL_CONTENT {
                headers.insert(
                    CONTENT_RANGE,
                    HeaderValue::try_from(format!("bytes {start}-{}/{size}", end - 1))
                        .expect("digits"),
                );
                file.seek(SeekFrom::Start(start)).map_err(failed)?;
            }
            Ok(Found::File(status, Part::new(file, end - start)))
        }
        Err(status) => {
            if status == StatusCode::RANGE_NOT_SATISFIABLE {
                let size = HeaderValue::try_from(format!("bytes */{size}")).expect("digits");
                headers.insert(CONTENT_RANGE, size);
            }
            headers.remove(CONTENT_TYPE);
            Ok(Found::Nothing(status))
        }
    }
}

impl Part {
    fn new(file: File, left: u64) -> Self {
        Self {
            file,
            left,
            hogged: 0,
        }
    }

    /// How many bytes are to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next bytes. A connection that takes them as fast as they are read lets others go first
    /// now and then.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if self.hogged >= TURN {
            self.hogged = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let wanted = self.left.min(CHUNK);
        let mut bytes = Vec::with_capacity(wanted as usize);
        let read = (&mut self.file).take(wanted).read_to_end(&mut bytes);
        let failed = |why: String| Some(Err(Error::new("io", format!("`file`: {why}"))));
        Poll::Ready(match read {
            Ok(0) => failed("it became shorter while it was sent".into()),
            Ok(count) => {
                self.left -= count as u64;
                self.hogged += count;
                Some(Ok(bytes.into()))
            }
            Err(error) => failed(format!("cannot be read: {}", reason(&error))),
        })
    }
}

/// Which part of a file is wanted, if it is at all.
fn part(
    request: &Parts,
    headers: &HeaderMap,
    size: u64,
) -> Result<(u64, u64, StatusCode), StatusCode> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let asked = |name| {
        request
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let tag = text(ETAG).unwrap_or_default();
    let modified = text(LAST_MODIFIED).and_then(date);
    // In the order of RFC 9110, 13.2.2.
    if let Some(tags) = asked(IF_MATCH) {
        if !listed(tags, tag, false) {
            return Err(StatusCode::PRECONDITION_FAILED);
        }
    } else if let Some(limit) = asked(IF_UNMODIFIED_SINCE).and_then(date)
        && modified.is_some_and(|modified| modified > limit)
    {
        return Err(StatusCode::PRECONDITION_FAILED);
    }
    if let Some(tags) = asked(IF_NONE_MATCH) {
        if listed(tags, tag, true) {
            return Err(StatusCode::NOT_MODIFIED);
        }
    } else if let Some(known) = asked(IF_MODIFIED_SINCE).and_then(date)
        && modified.is_some_and(|modified| modified <= known)
    {
        return Err(StatusCode::NOT_MODIFIED);
    }
    let whole = (0, size, StatusCode::OK);
    let Some(range) = asked(RANGE).filter(|_| request.method == Method::GET) else {
        return Ok(whole);
    };
    if let Some(same) = asked(IF_RANGE)
        && (same.starts_with("W/") || same != tag)
        && (modified.is_none() || date(same) != modified)
    {
        return Ok(whole);
    }
    match parse(range, size) {
        Range::Part(start, end) => Ok((start, end, StatusCode::PARTIAL_CONTENT)),
        Range::Beyond => Err(StatusCode::RANGE_NOT_SATISFIABLE),
        Range::Unclear => Ok(whole),
    }
}

fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
}

/// Whether a list of entity tags has this one. Weak ones are as good where `weak` will do.
fn listed(tags: &str, tag: &str, weak: bool) -> bool {
    let bare = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    tags.split(',').map(str::trim).any(|known| {
        known == "*"
            || if weak {
                bare(known) == bare(tag)
            } else {
                known == tag && !tag.starts_with("W/")
            }
    })
}

/// What a `Range` asks for.
#[derive(Debug, PartialEq)]
enum Range {
    /// From, up to but without.
    Part(u64, u64),
    Beyond,
    /// Several, or none that is understood: the whole will do.
    Unclear,
}

fn parse(range: &str, size: u64) -> Range {
    let Some((first, last)) = range
        .strip_prefix("bytes=")
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Range::Unclear;
    };
    // A number that does not fit is beyond every end.
    let number = |text: &str| {
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse().unwrap_or(u64::MAX))
    };
    if first.is_empty() {
        return match number(last).map(|last| last.min(size)) {
            Some(0) => Range::Beyond,
            Some(last) => Range::Part(size - last, size),
            None => Range::Unclear,
        };
    }
    let end = match (number(first), number(last)) {
        (Some(_), None) if last.is_empty() => size,
        (Some(first), Some(last)) if first <= last => last.saturating_add(1).min(size),
        _ => return Range::Unclear,
    };
    match number(first) {
        Some(first) if first < size => Range::Part(first, end),
        _ => Range::Beyond,
    }
}

/// By the name's end. What browsers and clients of APIs are served; the rest is bytes.
fn content_type(path: &str) -> &'static str {
    let extension = Path::new(path)
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
        .to_ascii_lowercase();
    match &*extension {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "txt" | "log" | "lua" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "xml" => "text/xml; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "yaml" | "yml" => "application/yaml",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "tar" => "application/x-tar",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (range, wanted) in [
            ("bytes=0-0", Range::Part(0, 1)),
            ("bytes=2-", Range::Part(2, 10)),
            ("bytes=2-99", Range::Part(2, 10)),
            ("bytes=-3", Range::Part(7, 10)),
            ("bytes=-99", Range::Part(0, 10)),
            ("bytes=9-99999999999999999999999", Range::Part(9, 10)),
            ("bytes=10-", Range::Beyond),
            ("bytes=99999999999999999999999-", Range::Beyond),
            ("bytes=-0", Range::Beyond),
            ("bytes=3-2", Range::Unclear),
            ("bytes=0-1,3-4", Range::Unclear),
            ("bytes=", Range::Unclear),
            ("bytes=-", Range::Unclear),
            ("bytes=+1-2", Range::Unclear),
            ("bytes=1-x", Range::Unclear),
            ("lines=1-2", Range::Unclear),
        ] {
            assert_eq!(parse(range, 10), wanted, "{range}");
        }
        assert_eq!(parse("bytes=0-", 0), Range::Beyond);
    }

    #[test]
    fn entity_tags() {
        assert!(listed("\"a\", W/\"b\"", "\"a\"", false));
        assert!(listed("\"a\", W/\"b\"", "\"b\"", true));
        assert!(!listed("\"a\", W/\"b\"", "\"b\"", false));
        assert!(!listed("W/\"b\"", "W/\"b\"", false));
        assert!(listed("*", "\"x\"", false));
        assert!(!listed("\"c\"", "\"a\"", true));
    }
}
