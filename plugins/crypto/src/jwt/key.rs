//! Keys: from PEM, JWK and plain secrets to what signs and verifies.

use assay_plugin::{Error, Result, View};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use p521::ecdsa::signature::{Signer, Verifier};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value as Json;
use subtle::ConstantTimeEq;

use super::algorithm::{Algorithm, Family};
use crate::digest::hmac_sha2;

/// What a key is, which decides the algorithms that it is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Secret,
    Rsa,
    Ec(Curve),
    Ed25519,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    P256,
    P384,
    P521,
}

impl Type {
    fn fits(self, algorithm: Algorithm) -> bool {
        match algorithm.family {
            Family::Hs => self == Self::Secret,
            Family::Rs | Family::Ps => self == Self::Rsa,
            Family::Es => self == Self::Ec(Curve::of(algorithm)),
            Family::Ed => self == Self::Ed25519,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Secret => "a secret",
            Self::Rsa => "an RSA key",
            Self::Ec(Curve::P256) => "an EC key on P-256",
            Self::Ec(Curve::P384) => "an EC key on P-384",
            Self::Ec(Curve::P521) => "an EC key on P-521",
            Self::Ed25519 => "an Ed25519 key",
        }
    }

    fn algorithms(self) -> &'static str {
        match self {
            Self::Secret => "HS256, HS384, HS512",
            Self::Rsa => "RS256, RS384, RS512, PS256, PS384, PS512",
            Self::Ec(Curve::P256) => "ES256",
            Self::Ec(Curve::P384) => "ES384",
            Self::Ec(Curve::P521) => "ES512",
            Self::Ed25519 => "EdDSA",
        }
    }
}

impl Curve {
    fn of(algorithm: Algorithm) -> Self {
        match algorithm.bits {
            256 => Self::P256,
            384 => Self::P384,
            _ => Self::P521,
        }
    }

    fn from_oid(oid: &[u8]) -> Result<Self> {
        match oid {
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7] => Ok(Self::P256),
            [0x2b, 0x81, 4, 0, 0x22] => Ok(Self::P384),
            [0x2b, 0x81, 4, 0, 0x23] => Ok(Self::P521),
            _ => Err(unusable(
                "it is on another curve than P-256, P-384 and P-521",
            )),
        }
    }

    /// Of a coordinate.
    fn bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// What signs.
pub enum PrivateKey {
    Secret(Vec<u8>),
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    P521(Box<p521::ecdsa::SigningKey>),
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    /// Reads a key for an algorithm.
    ///
    /// # Errors
    /// Kind `key` for what cannot be read, `algorithm` for a key of another type.
    pub fn read(text: &[u8], algorithm: Algorithm) -> Result<Self> {
        let fits = |found: Type| {
            if found.fits(algorithm) {
                return Ok(());
            }
            Err(Error::new(
                "algorithm",
                format!("{algorithm} cannot sign with {}", found.name()),
            )
            .hint(format!("it is for {}", found.algorithms())))
        };
        let Some(block) = pem(text, &PRIVATE)? else {
            fits(Type::Secret)?;
            return Ok(Self::Secret(secret(text)?.to_vec()));
        };
        let rejected = |why| unusable(format_args!("{why}"));
        match block.label {
            "RSA PRIVATE KEY" => {
                fits(Type::Rsa)?;
                RsaKeyPair::from_der(&block.der)
                    .map(Self::Rsa)
                    .map_err(rejected)
            }
            "EC PRIVATE KEY" => ec_private(&block.der, None, fits),
            "PRIVATE KEY" => {
                // PrivateKeyInfo: version, algorithm, key.
                let mut info = Der(&block.der).sequence()?;
                info.take(0x02)?;
                let (found, curve) = algorithm_type(&mut info)?;
                match found {
                    Kind::Rsa => {
                        fits(Type::Rsa)?;
                        RsaKeyPair::from_pkcs8(&block.der)
                            .map(Self::Rsa)
                            .map_err(rejected)
                    }
                    Kind::Ec => ec_private(info.take(0x04)?, curve, fits),
                    Kind::Ed25519 => {
                        fits(Type::Ed25519)?;
                        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&block.der)
                            .map(Self::Ed25519)
                            .map_err(rejected)
                    }
                }
            }
            label => Err(unusable(format_args!(
                "signing takes a private key, and this is a {label}"
            ))),
        }
    }

    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        let failed = |_| Error::new("key", "signing failed: the key is not usable");
        match self {
            Self::Secret(secret) => Ok(hmac_sha2(algorithm.bits, secret, message)),
            Self::Rsa(key) => {
                let padding: &dyn ring::signature::RsaEncoding =
                    match (algorithm.family, algorithm.bits) {
                        (Family::Ps, 256) => &RSA_PSS_SHA256,
                        (Family::Ps, 384) => &RSA_PSS_SHA384,
                        (Family::Ps, _) => &RSA_PSS_SHA512,
                        (_, 256) => &RSA_PKCS1_SHA256,
                        (_, 384) => &RSA_PKCS1_SHA384,
                        (_, _) => &RSA_PKCS1_SHA512,
                    };
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(padding, &random, message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
            Self::Ec(key) => {
                let signature = key.sign(&random, message).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign(message);
                Ok(signature.to_bytes().to_vec())
            }
            Self::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
        }
    }
}

/// An ECPrivateKey (RFC 5915): version, key, [0] curve, [1] public key.
fn ec_private(
    der: &[u8],
    curve: Option<Curve>,
    fits: impl Fn(Type) -> Result<()>,
) -> Result<PrivateKey> {
    let mut fields = Der(der).sequence()?;
    fields.take(0x02)?;
    let key = fields.take(0x04)?;
    let named = fields
        .optional(0xa0)?
        .map(|body| Der(body).take(0x06))
        .transpose()?;
    let curve = match (curve, named) {
        (Some(curve), _) => curve,
        (None, Some(oid)) => Curve::from_oid(oid)?,
        (None, None) => return Err(unusable("it does not name its curve")),
    };
    fits(Type::Ec(curve))?;
    let public = fields
        .optional(0xa1)?
        .map(|body| Der(body).bit_string())
        .transpose()?;
    let algorithm = match curve {
        Curve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        Curve::P521 => {
            return p521::ecdsa::SigningKey::from_slice(key)
                .map(|key| PrivateKey::P521(Box::new(key)))
                .map_err(|_| unusable("its number is not one of the curve"));
        }
    };
    let public = public.ok_or_else(|| {
        unusable("its public part is missing")
            .hint("`openssl ec -in key.pem -out key.pem` adds the public part")
    })?;
    EcdsaKeyPair::from_private_key_and_public_key(algorithm, key, public, &SystemRandom::new())
        .map(PrivateKey::Ec)
        .map_err(|why| unusable(format_args!("{why}")))
}

/// What verifies.
pub enum PublicKey {
    Secret(Vec<u8>),
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// The point, uncompressed.
    Ec(Curve, Vec<u8>),
    Ed25519(Vec<u8>),
}

impl PublicKey {
    fn type_(&self) -> Type {
        match self {
            Self::Secret(_) => Type::Secret,
            Self::Rsa { .. } => Type::Rsa,
            Self::Ec(curve, _) => Type::Ec(*curve),
            Self::Ed25519(_) => Type::Ed25519,
        }
    }

    /// Whether the signature is this key's. The caller has made sure that the algorithm fits.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.type_().fits(algorithm) {
            return false;
        }
        match self {
            Self::Secret(secret) => hmac_sha2(algorithm.bits, secret, message)
                .ct_eq(signature)
                .into(),
            Self::Rsa { modulus, exponent } => {
                let padding = match (algorithm.family, algorithm.bits) {
                    (Family::Ps, 256) => &RSA_PSS_2048_8192_SHA256,
                    (Family::Ps, 384) => &RSA_PSS_2048_8192_SHA384,
                    (Family::Ps, _) => &RSA_PSS_2048_8192_SHA512,
                    (_, 256) => &RSA_PKCS1_2048_8192_SHA256,
                    (_, 384) => &RSA_PKCS1_2048_8192_SHA384,
                    (_, _) => &RSA_PKCS1_2048_8192_SHA512,
                };
                let key = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                key.verify(padding, message, signature).is_ok()
            }
            Self::Ec(curve, point) => {
                let algorithm = match curve {
                    Curve::P256 => &ECDSA_P256_SHA256_FIXED,
                    Curve::P384 => &ECDSA_P384_SHA384_FIXED,
                    Curve::P521 => {
                        let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point);
                        let signature = p521::ecdsa::Signature::from_slice(signature);
                        return matches!((key, signature), (Ok(key), Ok(signature))
                            if key.verify(message, &signature).is_ok());
                    }
                };
                UnparsedPublicKey::new(algorithm, point)
                    .verify(message, signature)
                    .is_ok()
            }
            Self::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point)
                .verify(message, signature)
                .is_ok(),
        }
    }

    fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self> {
        // DER puts a zero before a number whose first bit is set.
        let strip = |number: &[u8]| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            number[zeros..].to_vec()
        };
        let modulus = strip(modulus);
        let bits = modulus.len() * 8 - modulus.first().map_or(0, |b| b.leading_zeros() as usize);
        if !(2048..=8192).contains(&bits) {
            return Err(unusable(format_args!(
                "it is an RSA key of {bits} bits, and 2048 to 8192 are accepted"
            )));
        }
        Ok(Self::Rsa {
            modulus,
            exponent: strip(exponent),
        })
    }

    /// An RSAPublicKey (RFC 8017): modulus, exponent.
    fn rsa_der(der: &[u8]) -> Result<Self> {
        let mut fields = Der(der).sequence()?;
        Self::rsa(fields.take(0x02)?, fields.take(0x02)?)
    }

    fn ec(curve: Curve, point: &[u8]) -> Result<Self> {
        if point.len() != 1 + 2 * curve.bytes() || point[0] != 4 {
            return Err(unusable(
                "its point is not an uncompressed one of its curve",
            ));
        }
        Ok(Self::Ec(curve, point.to_vec()))
    }

    fn ed25519(point: &[u8]) -> Result<Self> {
        if point.len() != 32 {
            return Err(unusable("an Ed25519 key has 32 bytes"));
        }
        Ok(Self::Ed25519(point.to_vec()))
    }

    /// A SubjectPublicKeyInfo (RFC 5280): algorithm, key.
    fn spki(der: &[u8]) -> Result<Self> {
        let mut fields = Der(der).sequence()?;
        let (kind, curve) = algorithm_type(&mut fields)?;
        let key = fields.bit_string()?;
        match (kind, curve) {
            (Kind::Rsa, _) => Self::rsa_der(key),
            (Kind::Ec, Some(curve)) => Self::ec(curve, key),
            (Kind::Ec, None) => Err(unusable("it does not name its curve")),
            (Kind::Ed25519, _) => Self::ed25519(key),
        }
    }

    /// The key of a Certificate (RFC 5280), whose own signature and dates are not looked at.
    fn certificate(der: &[u8]) -> Result<Self> {
        let mut signed = Der(der).sequence()?.sequence()?;
        signed.optional(0xa0)?; // version
        signed.take(0x02)?; // serial number
        for _ in ["signature", "issuer", "validity", "subject"] {
            signed.take(0x30)?;
        }
        Self::spki(signed.0)
    }

    fn pem(block: &Pem<'_>) -> Result<Self> {
        match block.label {
            "PUBLIC KEY" => Self::spki(&block.der),
            "RSA PUBLIC KEY" => Self::rsa_der(&block.der),
            "CERTIFICATE" => Self::certificate(&block.der),
            label => Err(unusable(format_args!(
                "verifying takes a public key, and this is a {label}"
            ))
            .hint("`openssl pkey -in key.pem -pubout` prints the public key")),
        }
    }
}

/// The keys among which the one of a token is looked for.
pub struct KeySet(Vec<Entry>);

struct Entry {
    kid: Option<String>,
    algorithm: Option<String>,
    key: Result<PublicKey>,
}

impl KeySet {
    /// Reads PEM, a JWKS or JWK (as text or table), or a secret.
    ///
    /// # Errors
    /// Kind `key` or `argument`, saying what is wrong with it.
    pub fn read(key: View<'_>) -> Result<Self> {
        let Some(text) = key.as_bytes() else {
            let json = match key.type_name() {
                "table" => {
                    super::to_json(&key.to_value()?).map_err(|error| error.context("argument 2"))?
                }
                other => {
                    return Err(Error::argument(format!(
                        "argument 2: expected string or table, got {other}"
                    )));
                }
            };
            return Self::jwks(json);
        };
        if let Some(block) = pem(text, &PUBLIC)? {
            return Ok(Self::one(PublicKey::pem(&block)?));
        }
        let json = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if json.trim_ascii_start().starts_with(b"{") {
            let json = serde_json::from_slice(json)
                .map_err(|error| unusable(format_args!("it looks like a JWKS, but: {error}")))?;
            return Self::jwks(json);
        }
        Ok(Self::one(PublicKey::Secret(secret(text)?.to_vec())))
    }

    fn one(key: PublicKey) -> Self {
        Self(vec![Entry {
            kid: None,
            algorithm: None,
            key: Ok(key),
        }])
    }

    fn jwks(mut json: Json) -> Result<Self> {
        let keys = match json.get_mut("keys").map(Json::take) {
            Some(Json::Array(keys)) => keys,
            None if json.get("kty").is_some() => vec![json],
            _ => return Err(unusable("a JWKS has a list `keys`, and a JWK a `kty`")),
        };
        let entries = keys.into_iter().filter_map(Entry::read).collect::<Vec<_>>();
        if entries.is_empty() {
            return Err(unusable("the JWKS has no key for signatures"));
        }
        Ok(Self(entries))
    }

    /// The keys that may have signed a token of this `kid` and algorithm; at least one.
    ///
    /// # Errors
    /// Kind `key` when none has the `kid`, `algorithm` when none is for the algorithm.
    pub fn for_token(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Vec<&PublicKey>> {
        let named: Vec<_> = self
            .0
            .iter()
            .filter(|entry| match (kid, &entry.kid) {
                (Some(wanted), Some(has)) => wanted == has,
                _ => true,
            })
            .collect();
        if named.is_empty() {
            let kids: Vec<_> = self
                .0
                .iter()
                .filter_map(|entry| entry.kid.as_deref())
                .collect();
            return Err(Error::new(
                "key",
                format!(
                    "no key of the JWKS has the token's kid `{}` (it has {})",
                    kid.unwrap_or_default(),
                    kids.join(", ")
                ),
            )
            .hint("fetch the JWKS again: the issuer may have rotated its keys"));
        }
        let fitting: Vec<_> = named
            .iter()
            .filter(|entry| {
                entry
                    .algorithm
                    .as_deref()
                    .is_none_or(|name| name == algorithm.name())
            })
            .filter_map(|entry| entry.key.as_ref().ok())
            .filter(|key| key.type_().fits(algorithm))
            .collect();
        if !fitting.is_empty() {
            return Ok(fitting);
        }
        if let [
            Entry {
                key: Err(error), ..
            },
        ] = named[..]
        {
            return Err(Error::new("key", error.message()));
        }
        let keys: Vec<_> = named
            .iter()
            .map(|entry| match (&entry.algorithm, &entry.key) {
                (Some(name), Ok(key)) => format!("{} for {name}", key.type_().name()),
                (None, Ok(key)) => key.type_().name().into(),
                (_, Err(_)) => "an unreadable key".into(),
            })
            .collect();
        Err(Error::new(
            "algorithm",
            format!(
                "the token is signed with {algorithm}, which does not fit the key: {}",
                keys.join(", ")
            ),
        ))
    }
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    use_: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

impl Entry {
    /// `None` for keys that are not for signatures; a set may hold others (RFC 7517, 5).
    fn read(json: Json) -> Option<Self> {
        let jwk: Jwk = match serde_json::from_value(json) {
            Ok(jwk) => jwk,
            Err(error) => {
                let key = Err(unusable(format_args!("a key of the JWKS: {error}")));
                return Some(Self {
                    kid: None,
                    algorithm: None,
                    key,
                });
            }
        };
        let for_signatures = jwk.use_.as_deref().is_none_or(|use_| use_ == "sig")
            && jwk
                .key_ops
                .as_ref()
                .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        for_signatures.then(|| Self {
            key: jwk.public_key(),
            kid: jwk.kid,
            algorithm: jwk.alg,
        })
    }
}

impl Jwk {
    fn public_key(&self) -> Result<PublicKey> {
        let field = |name, text: &Option<String>| {
            let text = text
                .as_deref()
                .ok_or_else(|| unusable(format_args!("its JWK has no `{name}`")))?;
            URL_SAFE_NO_PAD
                .decode(text)
                .map_err(|error| unusable(format_args!("its JWK's `{name}`: {error}")))
        };
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => PublicKey::rsa(&field("n", &self.n)?, &field("e", &self.e)?),
            ("EC", Some(name @ ("P-256" | "P-384" | "P-521"))) => {
                let curve = match name {
                    "P-256" => Curve::P256,
                    "P-384" => Curve::P384,
                    _ => Curve::P521,
                };
                let point = [vec![4], field("x", &self.x)?, field("y", &self.y)?].concat();
                PublicKey::ec(curve, &point)
            }
            ("OKP", Some("Ed25519")) => PublicKey::ed25519(&field("x", &self.x)?),
            ("oct", _) => {
                let secret = field("k", &self.k)?;
                if secret.is_empty() {
                    return Err(unusable("an empty secret"));
                }
                Ok(PublicKey::Secret(secret))
            }
            (kty, crv) => Err(unusable(format_args!(
                "its JWK is of an unsupported type, `{kty}` {}",
                crv.unwrap_or_default()
            ))),
        }
    }
}

fn unusable(what: impl std::fmt::Display) -> Error {
    Error::new("key", format!("the key cannot be used: {what}"))
}

/// A secret, unless it is a key of another kind: with the text of a public key as secret, anybody
/// could sign.
fn secret(text: &[u8]) -> Result<&[u8]> {
    // Windows editors put a byte order mark before the text.
    let start = text
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(text)
        .trim_ascii_start();
    let bare: Vec<u8> = text
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    let is_public = PUBLIC_PREFIXES
        .iter()
        .any(|prefix| start.starts_with(prefix))
        || is_der(text)
        || LENIENT.decode(bare).is_ok_and(|der| is_der(&der));
    if is_public {
        return Err(unusable("it is a public key, but not in PEM")
            .hint("`openssl pkey -pubin -inform DER -in key.der` prints it as PEM"));
    }
    // `jwt_verify` takes an object for a key set.
    if start.starts_with(b"{") {
        return Err(unusable("it is JSON, and a secret is taken as it is"));
    }
    // What is left of a key set without its `{"keys":`.
    if start.starts_with(b"[") && serde_json::from_slice::<serde::de::IgnoredAny>(start).is_ok() {
        return Err(
            unusable("it is a JSON list").hint("a JWKS has its keys in a list named `keys`")
        );
    }
    if text.is_empty() {
        return Err(unusable("an empty secret"));
    }
    Ok(text)
}

/// How public keys of SSH begin (RFC 4716, `sshd(8)`), and of XML signatures.
const PUBLIC_PREFIXES: &[&[u8]] = &[
    b"ssh-",
    b"ecdsa-sha2-",
    b"sk-ssh-",
    b"sk-ecdsa-",
    b"---- BEGIN SSH2 PUBLIC KEY",
    b"<RSAKeyValue",
];

/// Whether bytes have the form of a public key or certificate in DER, also of a kind that is not
/// supported. Random secrets have not: that takes five bytes and all lengths to fit.
fn is_der(der: &[u8]) -> bool {
    fn spki(fields: &mut Der<'_>) -> Result<()> {
        fields.sequence()?.take(0x06)?;
        fields.bit_string().map(drop)
    }
    fn rsa(fields: &mut Der<'_>) -> Result<()> {
        fields.take(0x02)?;
        fields.take(0x02).map(drop)
    }
    /// To be signed, algorithm, signature.
    fn certificate(fields: &mut Der<'_>) -> Result<()> {
        fields.sequence()?;
        fields.sequence()?;
        fields.bit_string().map(drop)
    }
    [spki, rsa, certificate].iter().any(|read| {
        let mut outer = Der(der);
        outer.sequence().is_ok_and(|mut fields| {
            read(&mut fields).is_ok() && fields.0.is_empty() && outer.0.is_empty()
        })
    })
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

enum Kind {
    Rsa,
    Ec,
    Ed25519,
}

/// An AlgorithmIdentifier: the algorithm, and the curve in its parameters.
fn algorithm_type(fields: &mut Der<'_>) -> Result<(Kind, Option<Curve>)> {
    let mut identifier = fields.sequence()?;
    match identifier.take(0x06)? {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1] => Ok((Kind::Rsa, None)),
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1] => {
            Ok((Kind::Ec, Some(Curve::from_oid(identifier.take(0x06)?)?)))
        }
        [0x2b, 0x65, 0x70] => Ok((Kind::Ed25519, None)),
        _ => Err(unusable("it is of another type than RSA, EC and Ed25519")),
    }
}

/// What is left of some DER.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let [tag, length, rest @ ..] = self.0 else {
            return None;
        };
        let (length, rest) = match length {
            0..=0x7f => (usize::from(*length), rest),
            // Keys and certificates are far below the 16 MiB of three bytes.
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length & 3))?;
                (
                    bytes
                        .iter()
                        .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
                    rest,
                )
            }
            _ => return None,
        };
        let (body, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, body))
    }

    fn take(&mut self, tag: u8) -> Result<&'a [u8]> {
        match self.next() {
            Some((found, body)) if found == tag => Ok(body),
            _ => Err(unusable("its DER is broken")),
        }
    }

    fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>> {
        if self.0.first() == Some(&tag) {
            self.take(tag).map(Some)
        } else {
            Ok(None)
        }
    }

    fn sequence(&mut self) -> Result<Der<'a>> {
        self.take(0x30).map(Der)
    }

    /// A bit string of whole bytes.
    fn bit_string(&mut self) -> Result<&'a [u8]> {
        match self.take(0x03)? {
            [0, bytes @ ..] => Ok(bytes),
            _ => Err(unusable("its DER is broken")),
        }
    }
}

struct Pem<'a> {
    label: &'a str,
    der: Vec<u8>,
}

/// The labels of either half, each half refusing the other by name.
const PRIVATE: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
const PUBLIC: [&str; 3] = ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"];

/// The first block with one of the wanted labels, else the first with another of the known;
/// `None` when the text is no PEM at all.
fn pem<'a>(text: &'a [u8], wanted: &[&str]) -> Result<Option<Pem<'a>>> {
    const BEGIN: &str = "-----BEGIN ";
    let is_pem = text
        .windows(BEGIN.len())
        .any(|window| window == BEGIN.as_bytes());
    if !is_pem {
        return Ok(None);
    }
    let text = std::str::from_utf8(text).map_err(|_| unusable("its PEM is not text"))?;
    let mut other = None;
    for block in text.split(BEGIN).skip(1) {
        let Some((label, rest)) = block.split_once("-----") else {
            continue;
        };
        let Some((body, _)) = rest.split_once("-----END ") else {
            return Err(unusable(format_args!("its PEM block `{label}` has no end")));
        };
        if label == "ENCRYPTED PRIVATE KEY" || body.contains("ENCRYPTED") {
            return Err(unusable("it is encrypted with a passphrase")
                .hint("`openssl pkey -in key.pem -out plain.pem` decrypts it"));
        }
        if wanted.contains(&label) {
            let bare: String = body.split_ascii_whitespace().collect();
            let der = STANDARD
                .decode(bare)
                .map_err(|error| unusable(format_args!("its PEM block `{label}`: {error}")))?;
            return Ok(Some(Pem { label, der }));
        }
        // `openssl ecparam -genkey` writes the curve before the key.
        if label != "EC PARAMETERS" {
            other.get_or_insert(label);
        }
    }
    Ok(Some(Pem {
        label: other.unwrap_or("block without a key"),
        der: Vec::new(),
    }))
}
