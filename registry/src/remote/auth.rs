//! `WWW-Authenticate` challenges, and the tokens that answer them.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::http::{HeaderMap, header};
use url::Url;

use super::http::{Http, Request, shown};
use crate::credentials::{Credential, Found, Secret};
use crate::error::{Error, ErrorKind, Result, network};

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

/// The challenge that we can answer best.
pub(super) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let all: Vec<Challenge> = headers
        .get_all(header::WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| parse(value.to_str().ok()?))
        .collect();
    let bearer = |challenge: &Challenge| matches!(challenge, Challenge::Bearer { .. });
    let best = all.iter().position(bearer).unwrap_or(0);
    all.into_iter().nth(best)
}

/// The `Authorization` value that answers a challenge.
pub(super) fn answer(
    http: &Http,
    host: &str,
    challenge: &Challenge,
    scopes: &[String],
    found: Option<&Found>,
) -> Result<Secret> {
    match (challenge, found) {
        (
            _,
            Some(Found {
                credential: Credential::Bearer(token),
                ..
            }),
        ) => Ok(Secret::new(format!("Bearer {}", token.reveal()))),
        (Challenge::Basic, None) => Err(wanted(host)),
        (
            Challenge::Basic,
            Some(Found {
                credential: Credential::Password { user, password },
                ..
            }),
        ) => Ok(basic(user, password)),
        (Challenge::Basic, Some(found)) => Err(refused(host, found)
            .with_hint("it asks for a user name and a password, and this is an identity token")),
        (
            Challenge::Bearer {
                realm,
                service,
                scope,
            },
            found,
        ) => {
            let token = fetch_token(
                http,
                host,
                realm,
                service.as_deref(),
                scope.as_deref(),
                scopes,
                found,
            )?;
            Ok(Secret::new(format!("Bearer {}", token.reveal())))
        }
    }
}

/// The error for a registry that wants credentials, when there are none.
pub(super) fn wanted(host: &str) -> Error {
    Error::new(ErrorKind::Unauthorized, format!("{host} asks for credentials, and there are none for it")).with_hint(
        format!("log in with `skopeo login {host}` or `docker login {host}`, or set ASSAY_REGISTRY_USERNAME and ASSAY_REGISTRY_PASSWORD"),
    )
}

/// The error for credentials that a registry does not take.
pub(super) fn refused(host: &str, found: &Found) -> Error {
    let who = match &found.credential {
        Credential::Password { user, .. } => format!("the credentials of `{user}`"),
        Credential::Identity(_) | Credential::Bearer(_) => "the token".to_owned(),
    };
    Error::new(
        ErrorKind::Unauthorized,
        format!("{host} refused {who} from {}", found.origin),
    )
    .with_hint(format!(
        "renew them, for example with `skopeo login {host}`"
    ))
}

fn fetch_token(
    http: &Http,
    host: &str,
    realm: &str,
    service: Option<&str>,
    scope: Option<&str>,
    scopes: &[String],
    found: Option<&Found>,
) -> Result<Secret> {
    #[derive(Deserialize)]
    struct Token {
        token: Option<String>,
        access_token: Option<String>,
    }

    let mut url = Url::parse(realm).map_err(|error| {
        network(format!("{host} names a token endpoint that is no address")).with_source(error)
    })?;
    let wanted_scopes: Vec<&str> = if scopes.is_empty() {
        scope.into_iter().collect()
    } else {
        scopes.iter().map(String::as_str).collect()
    };
    let credential = found.map(|found| &found.credential);
    let mut form = String::new();
    let request = if let Some(Credential::Identity(token)) = credential {
        let mut pairs = url::form_urlencoded::Serializer::new(&mut form);
        pairs
            .append_pair("grant_type", "refresh_token")
            .append_pair("refresh_token", token.reveal());
        pairs
            .append_pair("client_id", "assay-registry")
            .append_pair("scope", &wanted_scopes.join(" "));
        if let Some(service) = service {
            pairs.append_pair("service", service);
        }
        pairs.finish();
        let headers = vec![(
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        )];
        Request {
            method: "POST",
            url: url.clone(),
            headers,
            body: form.as_bytes(),
        }
    } else {
        {
            let mut pairs = url.query_pairs_mut();
            if let Some(service) = service {
                pairs.append_pair("service", service);
            }
            for scope in wanted_scopes {
                pairs.append_pair("scope", scope);
            }
        }
        Request::get(url.clone())
    };
    let authorization = match credential {
        Some(Credential::Password { user, password }) => Some(basic(user, password)),
        _ => None,
    };
    let response = http.send_credential(&request, authorization.as_ref().map(Secret::reveal))?;
    let status = response.status();
    match (status.as_u16(), found) {
        (200, _) => {}
        // Never without credentials instead: a push would then fail elsewhere
        // and nobody would know why.
        (400 | 401 | 403, Some(found)) => return Err(refused(host, found)),
        (401 | 403, None) => return Err(wanted(host)),
        _ => {
            return Err(network(format!(
                "{} answers {status} to a request for a token",
                shown(&url)
            )));
        }
    }
    let mut body = Vec::new();
    response
        .into_body()
        .into_reader()
        .take(MAX_TOKEN)
        .read_to_end(&mut body)?;
    let token: Token = serde_json::from_slice(&body)
        .map_err(|_| network(format!("{} gives a token that cannot be read", shown(&url))))?;
    token
        .token
        .or(token.access_token)
        .filter(|token| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()))
        .map(Secret::new)
        .ok_or_else(|| network(format!("{} gives no token", shown(&url))))
}

fn basic(user: &str, password: &Secret) -> Secret {
    Secret::new(format!(
        "Basic {}",
        STANDARD.encode(format!("{user}:{}", password.reveal()))
    ))
}

fn parse(value: &str) -> Option<Challenge> {
    let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service, mut scope) = (None, None, None);
    let mut rest = rest.trim();
    while let Some((name, value)) = rest.split_once('=') {
        let value = value.trim_start();
        let (text, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_once(',').unwrap_or((value, "")),
        };
        match name.trim_matches([' ', ',']).to_ascii_lowercase().as_str() {
            "realm" => realm = Some(text.to_owned()),
            "service" => service = Some(text.to_owned()),
            "scope" => scope = Some(text.to_owned()),
            _ => {}
        }
        rest = after;
    }
    Some(Challenge::Bearer {
        realm: realm?,
        service,
        scope,
    })
}

const MAX_TOKEN: u64 = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_in_any_order_and_case() {
        let text =
            r#"bearer service="r.io", realm="https://r.io/token",scope="repository:a:pull,push""#;
        assert_eq!(
            parse(text),
            Some(Challenge::Bearer {
                realm: "https://r.io/token".into(),
                service: Some("r.io".into()),
                scope: Some("repository:a:pull,push".into()),
            })
        );
        assert_eq!(parse("Basic realm=\"x\""), Some(Challenge::Basic));
        for bad in [
            "",
            "Negotiate",
            "Bearer",
            "Bearer service=\"x\"",
            "Bearer realm=\"x",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
