//! JSON Web Tokens: the compact form of RFC 7515, claims by RFC 7519.
//!
//! The key decides which algorithms may be used, never the token's header: a token that names
//! another one fails before anything is computed (RFC 8725, 3.1).

mod algorithm;
mod key;

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use assay_plugin::{De, Error, Result, Value, View};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};

use algorithm::Algorithm;
use key::{KeySet, PrivateKey};

type Object = Map<String, Json>;

/// As other verifiers have it: clocks in a cluster differ by less.
const LEEWAY: f64 = 60.0;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignOptions {
    kid: Option<String>,
    headers: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyOptions {
    algorithm: Option<Names>,
    audience: Option<Names>,
    issuer: Option<Names>,
    leeway: Option<f64>,
}

pub fn jwt_sign(
    claims: Value,
    key: &[u8],
    algorithm: Option<&str>,
    options: Option<De<SignOptions>>,
) -> Result<String> {
    let algorithm = Algorithm::find(algorithm.unwrap_or("RS256"))?;
    let options = options.map(|De(options)| options).unwrap_or_default();

    let mut claims = object(&claims).map_err(|error| error.context("argument 1"))?;
    for name in ["exp", "nbf", "iat"] {
        if let Some(time) = claims.get_mut(name) {
            *time = whole_seconds(time)
                .ok_or_else(|| {
                    Error::argument(format!(
                        "claim `{name}`: expected a time in seconds, got {time}"
                    ))
                })?
                .into();
        }
    }

    let mut header = Object::new();
    header.insert("typ".into(), "JWT".into());
    if let Some(headers) = &options.headers {
        let headers = object(headers).map_err(|error| error.context("option `headers`"))?;
        // `alg` is the third argument; the others change how the token must be read.
        if let Some(name) = ["alg", "crit", "b64"]
            .iter()
            .find(|name| headers.contains_key(**name))
        {
            return Err(Error::argument(format!(
                "option `headers`: `{name}` cannot be set here"
            )));
        }
        header.extend(headers);
    }
    if let Some(kid) = options.kid {
        header.insert("kid".into(), kid.into());
    }
    header.insert("alg".into(), algorithm.name().into());

    let mut token = part(&header);
    token.push('.');
    token.push_str(&part(&claims));
    let signature = PrivateKey::read(key, algorithm)?.sign(algorithm, token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

pub fn jwt_verify(token: &str, key: View<'_>, options: Option<De<VerifyOptions>>) -> Result<Value> {
    let options = options.map(|De(options)| options).unwrap_or_default();
    let leeway = options.leeway.unwrap_or(LEEWAY);
    if !(leeway.is_finite() && leeway >= 0.0) {
        return Err(Error::argument(format!(
            "option `leeway`: expected seconds, 0 or more, got {leeway}"
        )));
    }
    let allowed = match &options.algorithm {
        Some(Names(names)) => names
            .iter()
            .map(|name| Algorithm::find(name))
            .collect::<Result<_>>()?,
        None => Vec::new(),
    };
    let keys = KeySet::read(key)?;

    let token = Token::split(token)?;
    let header = token.header()?;
    let algorithm = match header.get("alg") {
        Some(Json::String(name)) => {
            Algorithm::find(name).map_err(|error| error.context("the token's header"))?
        }
        _ => return Err(malformed("its header has no `alg`")),
    };
    if !allowed.is_empty() && !allowed.contains(&algorithm) {
        return Err(Error::new(
            "algorithm",
            format!(
                "the token is signed with {algorithm}, expected {}",
                allowed
                    .iter()
                    .map(|a| a.name())
                    .collect::<Vec<_>>()
                    .join(" or ")
            ),
        ));
    }
    // RFC 7515, 4.1.11: who does not understand a critical extension must refuse the token.
    if header.contains_key("crit") {
        return Err(malformed(
            "it has critical extensions (`crit`), and none is supported",
        ));
    }
    // RFC 7797: with `false` the payload is no base64url, whether `crit` says so or not.
    if header
        .get("b64")
        .is_some_and(|b64| *b64 != Json::Bool(true))
    {
        return Err(malformed(
            "its payload is not encoded (`b64`), which is not supported",
        ));
    }
    let kid = match header.get("kid") {
        None | Some(Json::Null) => None,
        Some(Json::String(kid)) => Some(kid.as_str()),
        Some(_) => return Err(malformed("its `kid` is not a string")),
    };

    let signature = decode("signature", token.signature)?;
    let candidates = keys.for_token(kid, algorithm)?;
    if !candidates
        .iter()
        .any(|key| key.verify(algorithm, token.message.as_bytes(), &signature))
    {
        return Err(Error::new(
            "signature",
            format!("the {algorithm} signature does not match the token and the key"),
        ));
    }

    let claims = token.claims()?;
    check_times(&claims, leeway)?;
    if let Some(expected) = &options.issuer {
        check_names(&claims, "iss", "issuer", expected)?;
    }
    if let Some(expected) = &options.audience {
        check_names(&claims, "aud", "audience", expected)?;
    }
    value(Json::Object(claims))
}

pub fn jwt_decode(token: &str) -> Result<Value> {
    let token = Token::split(token)?;
    Ok(Value::Map(vec![
        ("header".into(), value(Json::Object(token.header()?))?),
        ("claims".into(), value(Json::Object(token.claims()?))?),
    ]))
}

/// The parts of a compact token, still encoded.
struct Token<'a> {
    /// What is signed: header, dot, claims.
    message: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Token<'a> {
    fn split(text: &'a str) -> Result<Self> {
        let parts: Vec<_> = text.splitn(6, '.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(match parts.len() {
                5 => malformed("it is encrypted (JWE), and only signed ones are supported"),
                6 => malformed("it has more than 3 parts between dots"),
                n => malformed(format!("expected 3 parts between dots, got {n}")),
            });
        };
        Ok(Self {
            message: &text[..header.len() + 1 + claims.len()],
            header,
            claims,
            signature,
        })
    }

    fn header(&self) -> Result<Object> {
        json("header", self.header)
    }

    fn claims(&self) -> Result<Object> {
        json("payload", self.claims)
    }
}

fn malformed(what: impl fmt::Display) -> Error {
    Error::new("token", format!("not a usable JSON Web Token: {what}"))
}

fn decode(part: &str, text: &str) -> Result<Vec<u8>> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|error| malformed(format_args!("its {part} is not base64url: {error}")))
}

fn json(part: &str, text: &str) -> Result<Object> {
    let text = decode(part, text)?;
    match serde_json::from_slice(&text) {
        Ok(Members(object)) => Ok(object),
        Err(error) if !error.is_data() => {
            Err(malformed(format_args!("its {part} is not JSON: {error}")))
        }
        Err(error) if text.trim_ascii_start().starts_with(b"{") => {
            Err(malformed(format_args!("its {part} {error}")))
        }
        Err(_) => Err(malformed(format_args!("its {part} is not a JSON object"))),
    }
}

/// An object whose members all have names of their own: of two with one name, this reader might
/// take one and the next reader the other (RFC 7515, 4; RFC 8725, 2.4).
struct Members(Object);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Members, A::Error> {
                let mut object = Object::new();
                while let Some((name, value)) = pairs.next_entry::<String, Json>()? {
                    if object.contains_key(&name) {
                        return Err(serde::de::Error::custom(format_args!(
                            "has two members `{}`",
                            name.escape_debug()
                        )));
                    }
                    object.insert(name, value);
                }
                Ok(Members(object))
            }
        }
        deserializer.deserialize_any(MembersVisitor)
    }
}

fn part(object: &Object) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(object).expect("JSON values are JSON"))
}

fn check_times(claims: &Object, leeway: f64) -> Result<()> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64());
    let time = |name| match claims.get(name) {
        None => Ok(None),
        Some(Json::Number(number)) if number.as_f64().is_some() => Ok(number.as_f64()),
        Some(other) => Err(Error::new(
            "claims",
            format!("the token's `{name}` is {other}, not a time in seconds"),
        )),
    };
    // When it was issued says nothing of its validity, but must be a time (RFC 7519, 4.1.6).
    time("iat")?;
    if let Some(exp) = time("exp")?
        && exp + leeway <= now
    {
        return Err(Error::new(
            "expired",
            format!(
                "the token expired {:.0} s ago (leeway {leeway} s)",
                now - exp
            ),
        ));
    }
    if let Some(nbf) = time("nbf")?
        && nbf - leeway > now
    {
        return Err(Error::new(
            "not_yet_valid",
            format!(
                "the token is valid in {:.0} s at the earliest (leeway {leeway} s)",
                nbf - now
            ),
        ));
    }
    Ok(())
}

/// Checks that a claim, a string or a list of them, has one of the expected.
fn check_names(claims: &Object, claim: &str, kind: &'static str, expected: &Names) -> Result<()> {
    let got = claims.get(claim);
    let has = |value: &Json| {
        value
            .as_str()
            .is_some_and(|text| expected.0.iter().any(|e| e == text))
    };
    let fits = match got {
        // An issuer is one text; only an audience may be several (RFC 7519, 4.1.1 and 4.1.3).
        Some(Json::Array(values)) if claim == "aud" => values.iter().any(has),
        Some(value) => has(value),
        None => false,
    };
    if fits {
        return Ok(());
    }
    let got = got.map_or("none".into(), ToString::to_string);
    let expected = expected
        .0
        .iter()
        .map(|e| format!("{e:?}"))
        .collect::<Vec<_>>()
        .join(" or ");
    Err(Error::new(
        kind,
        format!("the token's {kind} (`{claim}`) is {got}, expected {expected}"),
    ))
}

fn whole_seconds(time: &Json) -> Option<i64> {
    // A float's cast saturates, and no JSON number is NaN.
    time.as_i64()
        .or_else(|| time.as_f64().map(|time| time.floor() as i64))
}

/// A string, or a list of strings.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamesVisitor;
        impl<'de> Visitor<'de> for NamesVisitor {
            type Value = Names;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Names, E> {
                Ok(Names(vec![text.into()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = items.next_element()? {
                    names.push(name);
                }
                if names.is_empty() {
                    return Err(serde::de::Error::custom("an empty list accepts nothing"));
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_any(NamesVisitor)
    }
}

/// A Lua table as a JSON object.
fn object(value: &Value) -> Result<Object> {
    match to_json(value)? {
        Json::Object(object) => Ok(object),
        // `{}` is both.
        Json::Array(items) if items.is_empty() => Ok(Object::new()),
        Json::Array(_) => Err(Error::argument("expected a table with names, got a list")),
        Json::String(_) => Err(Error::argument("expected a table, got string")),
        other => Err(Error::argument(format!("expected a table, got {other}"))),
    }
}

fn to_json(value: &Value) -> Result<Json> {
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(
            Error::argument("JSON holds UTF-8 text only, got other bytes")
                .hint("encode them: base64.encode(bytes)"),
        ),
    };
    Ok(match value {
        Value::Nil | Value::Null => Json::Null,
        Value::Bool(bool) => Json::Bool(*bool),
        Value::Int(int) => Json::from(*int),
        Value::Float(float) => Json::Number(
            Number::from_f64(*float)
                .ok_or_else(|| Error::argument(format!("JSON has no number {float}")))?,
        ),
        Value::Bytes(bytes) => Json::String(text(bytes)?),
        Value::Buf(buf) => Json::String(text(buf)?),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect::<Result<_>>()?),
        Value::Map(pairs) => {
            let mut object = Object::new();
            for (key, value) in pairs {
                let Some(key) = key.as_str() else {
                    return Err(Error::argument(
                        "JSON objects have names as keys, got another key",
                    ));
                };
                let value =
                    to_json(value).map_err(|error| error.context(format_args!("`{key}`")))?;
                object.insert(key.to_owned(), value);
            }
            Json::Object(object)
        }
        Value::Object(_) | Value::Func(_) => {
            return Err(Error::argument("JSON has no functions or objects"));
        }
    })
}

/// JSON as a Lua value; null is nil.
fn value(json: Json) -> Result<Value> {
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(bool) => Value::Bool(bool),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Value::Int(int),
            // What serde_json could not hold as an integer it has rounded.
            (None, Some(float)) if float.fract() != 0.0 || float.abs() < 9e18 => {
                Value::Float(float)
            }
            _ => {
                return Err(Error::new(
                    "claims",
                    format!("the number {number} does not fit a Lua integer"),
                ));
            }
        },
        Json::String(text) => Value::Bytes(text.into_bytes()),
        Json::Array(items) => Value::List(items.into_iter().map(value).collect::<Result<_>>()?),
        Json::Object(object) => Value::Map(
            object
                .into_iter()
                .map(|(key, json)| Ok((Value::Bytes(key.into_bytes()), value(json)?)))
                .collect::<Result<_>>()?,
        ),
    })
}
