use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

macro_rules! key {
    ($name:literal) => {
        include_str!(concat!("../keys/", $name, ".pem"))
    };
}

const SECRET: &str = "a secret of at least sixty-four bytes, so that PyJWT is content with it";

/// RFC 7515, appendix A.1 to A.3: header, signature, key.
const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const RFC7515: &[(&str, &str, &str)] = &[
    (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
    ),
    (
        "eyJhbGciOiJSUzI1NiJ9",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#,
    ),
    (
        "eyJhbGciOiJFUzI1NiJ9",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
    ),
];

/// Those tokens expired in 2011.
fn ancient() -> Value {
    table([("leeway", Value::Int(10_000_000_000))])
}

fn verify(token: &str, key: &str, options: Value) -> Result<Value, Error> {
    host().call("jwt_verify", (token, key, options))
}

/// The kind and message of a token that is refused.
#[track_caller]
fn refused(token: &str, key: &str, options: Value) -> (String, String) {
    match verify(token, key, options) {
        Ok(claims) => panic!("accepted: {claims:?}"),
        Err(error) => (error.kind().into(), error.message().into()),
    }
}

fn sign(claims: Value, key: &str, algorithm: &str) -> String {
    text("jwt_sign", (claims, key, algorithm))
}

fn sub(name: &str) -> Value {
    table([("sub", name.into())])
}

fn b64(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs() as i64
}

#[test]
fn rfc_7515_examples() {
    for (header, signature, key) in RFC7515 {
        let token = format!("{header}.{CLAIMS}.{signature}");
        let claims = verify(&token, key, ancient()).unwrap();
        assert_eq!(claims.get("iss"), Some(&"joe".into()));
        assert_eq!(claims.get("exp"), Some(&Value::Int(1_300_819_380)));
        assert_eq!(
            claims.get("http://example.com/is_root"),
            Some(&Value::Bool(true))
        );

        let (kind, message) = refused(&token, key, Value::Nil);
        assert_eq!(kind, "expired");
        assert!(message.starts_with("the token expired "), "{message}");
        assert!(message.ends_with(" s ago (leeway 60 s)"), "{message}");

        // One bit of the claims, and one of the signature.
        let other = format!(
            "{header}.{}.{signature}",
            CLAIMS.replace("eyJpc3Mi", "eyJpc3Ni")
        );
        assert_eq!(refused(&other, key, ancient()).0, "signature");
        let tail = if signature.ends_with('w') { 'g' } else { 'w' };
        let other = format!("{header}.{CLAIMS}.{tail}{}", &signature[1..]);
        assert_eq!(
            refused(&other, key, ancient()),
            (
                "signature".into(),
                format!(
                    "the {} signature does not match the token and the key",
                    ["HS256", "RS256", "ES256"]
                        [RFC7515.iter().position(|case| case.0 == *header).unwrap()]
                )
            )
        );
    }
}

/// RFC 7515 A.4 and RFC 8037 A.4 sign texts that are no claims: past the signature they fail.
#[test]
fn rfc_examples_without_claims() {
    let p521 = r#"{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#;
    let ed25519 =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    for (token, key) in [
        (
            "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
            p521,
        ),
        (
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ed25519,
        ),
    ] {
        let (kind, message) = refused(token, key, Value::Nil);
        assert_eq!(kind, "token", "{message}");
        assert!(message.contains("its payload is not JSON"), "{message}");
        assert_eq!(
            refused(
                &token.replace(".R", ".S").replace(".U", ".V"),
                key,
                Value::Nil
            )
            .0,
            "signature"
        );
    }
}

#[test]
fn tokens_of_another_implementation() {
    let public = |key| match key {
        "rsa" => key!("rsa.pub"),
        "p256" => key!("p256.pub"),
        "p384" => key!("p384.pub"),
        "p521" => key!("p521.pub"),
        "ed25519" => key!("ed25519.pub"),
        _ => SECRET,
    };
    let mut count = 0;
    for line in include_str!("tokens.txt").lines() {
        let [algorithm, key, token] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let options = table([("algorithm", algorithm.into())]);
        let claims =
            verify(token, public(key), options).unwrap_or_else(|e| panic!("{line}: {e:?}"));
        assert_eq!(claims, sub("other implementation"));
        count += 1;
    }
    assert_eq!(count, 13);
}

#[test]
fn every_algorithm_round_trip() {
    let cases = [
        ("HS256 HS384 HS512", SECRET, SECRET),
        (
            "RS256 RS384 RS512 PS256 PS384 PS512",
            key!("rsa"),
            key!("rsa.pub"),
        ),
        ("RS256", key!("rsa.pkcs1"), key!("rsa.pkcs1.pub")),
        ("PS256", key!("rsa"), key!("rsa.cert")),
        ("ES256", key!("p256"), key!("p256.pub")),
        ("ES256", key!("p256.sec1"), key!("p256.cert")),
        ("ES384", key!("p384"), key!("p384.pub")),
        ("ES512", key!("p521"), key!("p521.pub")),
        ("EdDSA", key!("ed25519"), key!("ed25519.pub")),
    ];
    for (algorithms, private, public) in cases {
        for algorithm in algorithms.split(' ') {
            let token = sign(sub(algorithm), private, algorithm);
            assert_eq!(verify(&token, public, Value::Nil).unwrap(), sub(algorithm));
            let decoded: Value = host().call("jwt_decode", (&*token,)).unwrap();
            let header = decoded.get("header").unwrap();
            assert_eq!(header.get("alg"), Some(&algorithm.into()));
            assert_eq!(header.get("typ"), Some(&"JWT".into()));
            assert_eq!(decoded.get("claims"), Some(&sub(algorithm)));
            // Another signature over the same: not a fixed answer.
            let broken = format!("{}A", &token[..token.len() - 1]);
            let again = format!("{}Q", &token[..token.len() - 1]);
            let kinds = [broken, again]
                .map(|t| verify(&t, public, Value::Nil).map_err(|e| e.kind().to_owned()));
            assert!(kinds.iter().any(Result::is_err), "{algorithm}");
        }
    }
}

#[test]
fn hostile_tokens() {
    let key = |name| match name {
        "secret" => SECRET,
        "rsa.pub" => key!("rsa.pub"),
        "rsa.pkcs1.pub" => key!("rsa.pkcs1.pub"),
        "rsa.cert" => key!("rsa.cert"),
        "p256.pub" => key!("p256.pub"),
        "p384.pub" => key!("p384.pub"),
        "p521.pub" => key!("p521.pub"),
        "ed25519.pub" => key!("ed25519.pub"),
        other => panic!("{other}"),
    };
    let mut wrong = String::new();
    let mut count = 0;
    for line in include_str!("refused.txt").lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let [name, key_name, kind, token] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        count += 1;
        let mut token = token.to_owned();
        for (escaped, plain) in [("%0A", "\n"), ("%20", " "), ("%00", "\0")] {
            token = token.replace(escaped, plain);
        }
        match verify(&token, key(key_name), Value::Nil) {
            Err(error) if error.kind() == kind => {}
            Err(error) => wrong += &format!("{name}: {}: {error}\n", error.kind()),
            Ok(claims) => wrong += &format!("{name}: accepted: {claims:?}\n"),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(count, 283);
}

/// The key decides, not the token: RFC 8725, 2.1.
#[test]
fn algorithm_confusion() {
    // HS256 with the text of the public key as secret, as an attacker would make it.
    let header = b64(r#"{"alg":"HS256","typ":"JWT"}"#);
    let message = format!("{header}.{}", b64(r#"{"sub":"admin"}"#));
    for key in [
        key!("rsa.pub"),
        key!("rsa.pkcs1.pub"),
        key!("rsa.cert"),
        key!("p256.pub"),
        key!("ed25519.pub"),
    ] {
        for secret in [key, key.trim_end()] {
            let mac: Vec<u8> = host()
                .call("hmac", (secret, &*message, "sha256", true))
                .unwrap();
            let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac));
            let (kind, text) = refused(&token, key, Value::Nil);
            assert_eq!(kind, "algorithm");
            assert!(
                text.starts_with("the token is signed with HS256, which does not fit the key: an"),
                "{text}"
            );
        }
    }

    // Public keys in forms that are not understood are no secrets either.
    let der = URL_SAFE_NO_PAD
        .decode(
            key!("rsa.pub")
                .lines()
                .filter(|l| !l.starts_with('-'))
                .collect::<String>()
                .replace('+', "-")
                .replace('/', "_"),
        )
        .or_else(|_| {
            base64::engine::general_purpose::STANDARD.decode(
                key!("rsa.pub")
                    .lines()
                    .filter(|l| !l.starts_with('-'))
                    .collect::<String>(),
            )
        })
        .unwrap();
    let bare = key!("rsa.pub")
        .lines()
        .filter(|l| !l.starts_with('-'))
        .collect::<Vec<_>>()
        .join("\n");
    let error = host()
        .call::<Value>("jwt_verify", (&*message, Bytes(der)))
        .unwrap_err();
    assert_eq!(
        error.message(),
        "the key cannot be used: it is a public key, but not in PEM"
    );
    for key in [
        &*bare,
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
        "ecdsa-sha2-nistp256 AAAA",
    ] {
        assert_eq!(refused(&format!("{message}.AA"), key, Value::Nil).0, "key");
    }
    // A JWKS that was cut off is public as well.
    let (kind, text) = refused(&format!("{message}.AA"), r#"{"keys":["#, Value::Nil);
    assert_eq!(kind, "key");
    assert!(text.contains("it looks like a JWKS, but: EOF"), "{text}");

    // Within a family: ES256 with a key on P-384.
    let token = sign(sub("a"), key!("p256"), "ES256");
    assert_eq!(
        refused(&token, key!("p384.pub"), Value::Nil),
        (
            "algorithm".into(),
            "the token is signed with ES256, which does not fit the key: an EC key on P-384".into()
        )
    );
    // RS256 where PS256 was asked for.
    let token = sign(sub("a"), key!("rsa"), "RS256");
    assert_eq!(
        refused(
            &token,
            key!("rsa.pub"),
            table([("algorithm", "PS256".into())])
        ),
        (
            "algorithm".into(),
            "the token is signed with RS256, expected PS256".into()
        )
    );
    let either = Value::List(vec!["PS256".into(), "RS256".into()]);
    assert!(verify(&token, key!("rsa.pub"), table([("algorithm", either)])).is_ok());
}

#[test]
fn none_is_never_accepted() {
    let claims = b64(r#"{"sub":"admin"}"#);
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = b64(&format!(r#"{{"alg":"{alg}"}}"#));
        for signature in ["", "AA"] {
            for key in [key!("rsa.pub"), SECRET, r#"{"kty":"oct","k":"AA"}"#] {
                let token = format!("{header}.{claims}.{signature}");
                let (kind, message) = refused(&token, key, Value::Nil);
                assert_eq!(kind, "algorithm");
                assert_eq!(
                    message,
                    format!("the token's header: algorithm `{alg}` is no signature")
                );
            }
        }
    }
    let error = fails(
        "jwt_verify",
        ("a.b.c", SECRET, table([("algorithm", "none".into())])),
    );
    assert_eq!(error.message(), "algorithm `none` is no signature");
    assert_eq!(
        fails("jwt_sign", (sub("a"), SECRET, "none")).kind(),
        "algorithm"
    );
    // An empty signature under a real name.
    let token = format!("{}.{claims}.", b64(r#"{"alg":"HS256"}"#));
    assert_eq!(refused(&token, SECRET, Value::Nil).0, "signature");
    let token = format!("{}.{claims}.", b64(r#"{"alg":"ES256"}"#));
    assert_eq!(refused(&token, key!("p256.pub"), Value::Nil).0, "signature");
}

#[test]
fn times() {
    let token = |claims| sign(claims, SECRET, "HS256");
    let at = |name, time: i64| token(table([(name, Value::Int(time))]));
    let check = |token: &str, leeway: f64| {
        verify(token, SECRET, table([("leeway", Value::Float(leeway))]))
            .map_err(|e| e.kind().to_owned())
    };
    assert!(check(&at("exp", now() + 100), 0.0).is_ok());
    assert!(
        verify(&at("exp", now() - 30), SECRET, Value::Nil).is_ok(),
        "within 60 s"
    );
    assert_eq!(check(&at("exp", now() - 30), 0.0).unwrap_err(), "expired");
    assert_eq!(check(&at("exp", now() - 61), 60.0).unwrap_err(), "expired");
    assert!(check(&at("nbf", now() - 1), 0.0).is_ok());
    assert!(
        verify(&at("nbf", now() + 30), SECRET, Value::Nil).is_ok(),
        "within 60 s"
    );
    assert_eq!(
        check(&at("nbf", now() + 100), 0.0).unwrap_err(),
        "not_yet_valid"
    );
    let (_, message) = refused(&at("nbf", now() + 1000), SECRET, Value::Nil);
    assert!(message.starts_with("the token is valid in "), "{message}");
    // Extreme values neither wrap nor panic.
    assert_eq!(check(&at("exp", i64::MIN), 1e300).map(|_| ()), Ok(()));
    assert_eq!(check(&at("exp", i64::MIN), 0.0).unwrap_err(), "expired");
    assert_eq!(
        check(&at("nbf", i64::MAX), 0.0).unwrap_err(),
        "not_yet_valid"
    );

    // What is no time is not taken for an absent one.
    for (claims, shown) in [
        (r#"{"exp":"4102444800"}"#, "\"4102444800\""),
        (r#"{"exp":null}"#, "null"),
        (r#"{"exp":[]}"#, "[]"),
    ] {
        let message = format!("{}.{}", b64(r#"{"alg":"HS256"}"#), b64(claims));
        let mac: Vec<u8> = host()
            .call("hmac", (SECRET, &*message, "sha256", true))
            .unwrap();
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac));
        assert_eq!(
            refused(&token, SECRET, Value::Nil),
            (
                "claims".into(),
                format!("the token's `exp` is {shown}, not a time in seconds")
            )
        );
    }
    for leeway in [-1.0, f64::NAN, f64::INFINITY] {
        let (kind, message) = refused("a.b.c", SECRET, table([("leeway", Value::Float(leeway))]));
        assert_eq!(kind, "argument");
        assert_eq!(
            message,
            format!("option `leeway`: expected seconds, 0 or more, got {leeway}")
        );
    }
}

#[test]
fn issuer_and_audience() {
    let token = sign(
        table([
            ("iss", "https://issuer".into()),
            ("aud", Value::List(vec!["a".into(), "b".into()])),
        ]),
        SECRET,
        "HS256",
    );
    let list = |names: &[&str]| Value::List(names.iter().map(|name| (*name).into()).collect());
    let ok = |options| verify(&token, SECRET, options).is_ok();
    assert!(ok(table([
        ("issuer", "https://issuer".into()),
        ("audience", "b".into())
    ])));
    assert!(ok(table([("audience", list(&["x", "a"]))])));
    assert_eq!(
        refused(
            &token,
            SECRET,
            table([("issuer", "https://issuer/".into())])
        ),
        (
            "issuer".into(),
            "the token's issuer (`iss`) is \"https://issuer\", expected \"https://issuer/\"".into()
        )
    );
    assert_eq!(
        refused(&token, SECRET, table([("audience", list(&["x", "y"]))])),
        (
            "audience".into(),
            "the token's audience (`aud`) is [\"a\",\"b\"], expected \"x\" or \"y\"".into()
        )
    );
    let bare = sign(sub("a"), SECRET, "HS256");
    assert_eq!(
        refused(&bare, SECRET, table([("audience", "x".into())])).1,
        "the token's audience (`aud`) is none, expected \"x\""
    );
    assert_eq!(
        refused(&bare, SECRET, table([("issuer", "x".into())])).0,
        "issuer"
    );
}

#[test]
fn key_sets() {
    let jwk = |kid: &str, more: &str| {
        let (_, _, rsa) = RFC7515[1];
        rsa.replace("{", &format!(r#"{{"kid":"{kid}",{more}"#))
    };
    let (header, signature, _) = RFC7515[1];
    let token = format!("{header}.{CLAIMS}.{signature}");
    let set = |keys: &[&str]| format!(r#" {{"keys":[{}]}}"#, keys.join(","));

    // Without a kid in the token every fitting key is tried; others do not disturb.
    let mixed = set(&[
        RFC7515[0].2,
        RFC7515[2].2,
        r#"{"kty":"unknown"}"#,
        r#"{"kty":"EC","crv":"P-256"}"#,
        r#"{"broken":1}"#,
        &jwk("a", r#""use":"sig","alg":"RS256","#),
    ]);
    assert!(verify(&token, &mixed, ancient()).is_ok());
    // As a table.
    let set_table = table([(
        "keys",
        Value::List(vec![table([
            ("kty", "RSA".into()),
            ("e", "AQAB".into()),
            (
                "n",
                serde_json::from_str::<serde_json::Value>(RFC7515[1].2).unwrap()["n"]
                    .as_str()
                    .unwrap()
                    .into(),
            ),
        ])]),
    )]);
    assert!(
        host()
            .call::<Value>("jwt_verify", (&*token, set_table, ancient()))
            .is_ok()
    );

    for (keys, kind, message) in [
        (
            set(&[&jwk("a", r#""use":"enc","#)]),
            "key",
            "the key cannot be used: the JWKS has no key for signatures",
        ),
        (
            set(&[&jwk("a", r#""key_ops":["encrypt"],"#)]),
            "key",
            "the key cannot be used: the JWKS has no key for signatures",
        ),
        (
            set(&[]),
            "key",
            "the key cannot be used: the JWKS has no key for signatures",
        ),
        (
            set(&[&jwk("a", r#""alg":"PS256","#)]),
            "algorithm",
            "the token is signed with RS256, which does not fit the key: an RSA key for PS256",
        ),
        (
            "{}".into(),
            "key",
            "the key cannot be used: a JWKS has a list `keys`, and a JWK a `kty`",
        ),
        (
            r#"{"kty":"RSA","n":"AQAB"}"#.into(),
            "key",
            "the key cannot be used: its JWK has no `e`",
        ),
        (
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.into(),
            "key",
            "the key cannot be used: it is an RSA key of 17 bits, and 2048 to 8192 are accepted",
        ),
        (
            r#"{"kty":"oct","k":""}"#.into(),
            "key",
            "the key cannot be used: an empty secret",
        ),
    ] {
        assert_eq!(
            refused(&token, &keys, ancient()),
            (kind.into(), message.into()),
            "{keys}"
        );
    }

    // By kid.
    let token = text(
        "jwt_sign",
        (sub("a"), SECRET, "HS256", table([("kid", "two".into())])),
    );
    let oct =
        |kid: &str, secret: &str| format!(r#"{{"kty":"oct","kid":"{kid}","k":"{}"}}"#, b64(secret));
    assert!(
        verify(
            &token,
            &set(&[&oct("one", "x"), &oct("two", SECRET)]),
            Value::Nil
        )
        .is_ok()
    );
    // The right key under another name is not the right key.
    assert_eq!(
        refused(
            &token,
            &set(&[&oct("one", SECRET), &oct("two", "x")]),
            Value::Nil
        )
        .0,
        "signature"
    );
    let error = verify(
        &token,
        &set(&[&oct("one", SECRET), &oct("three", "x")]),
        Value::Nil,
    )
    .unwrap_err();
    assert_eq!(error.kind(), "key");
    assert_eq!(
        error.message(),
        "no key of the JWKS has the token's kid `two` (it has one, three)"
    );
    assert!(error.hint_text().unwrap().contains("rotated"));
}

/// RFC 7517, 4.2 to 4.4: what a key says of itself holds.
#[test]
fn keys_for_other_uses() {
    let point = r#""crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
    let (header, signature, _) = RFC7515[2];
    let token = format!("{header}.{CLAIMS}.{signature}");
    let with = |more: &str| format!(r#"{{"kty":"EC",{point}{more}}}"#);
    for more in [
        "",
        r#","use":"sig""#,
        r#","alg":"ES256""#,
        r#","key_ops":["verify"]"#,
        r#","key_ops":["sign","verify"],"use":"sig""#,
        r#","x5c":["AA"],"x5u":"https://example.com","unknown":{"a":[]}"#,
        r#","use":null,"alg":null,"key_ops":null,"kid":null"#,
    ] {
        let verified = verify(&token, &with(more), ancient());
        assert!(verified.is_ok(), "{more}: {verified:?}");
    }
    for (more, kind) in [
        (r#","use":"enc""#, "key"),
        (r#","use":"SIG""#, "key"),
        (r#","use":["sig"]"#, "key"),
        (r#","key_ops":[]"#, "key"),
        (r#","key_ops":["sign"]"#, "key"),
        (r#","key_ops":["verify"],"use":"enc""#, "key"),
        (r#","key_ops":"verify""#, "key"),
        (r#","alg":"ES384""#, "algorithm"),
        (r#","alg":"HS256""#, "algorithm"),
        (r#","alg":"es256""#, "algorithm"),
        (r#","alg":"none""#, "algorithm"),
        (r#","alg":7"#, "key"),
    ] {
        let (found, message) = refused(&token, &with(more), ancient());
        assert_eq!(found, kind, "{more}: {message}");
    }
}

/// Numbers that are no key of the kind that they claim to be.
#[test]
fn broken_keys() {
    let (header, signature, rsa) = RFC7515[1];
    let token = format!("{header}.{CLAIMS}.{signature}");
    let exponent = |e: &str| rsa.replace("AQAB", e);
    for (key, kind) in [
        // 1 signs everything, 2 is even, 0 and nothing are no exponents.
        (exponent("AQ"), "signature"),
        (exponent("Ag"), "signature"),
        (exponent("AA"), "signature"),
        (exponent(""), "signature"),
        // Padded, of the other alphabet.
        (exponent("AQAB=="), "key"),
        (rsa.replace("-EstJQLr", "+EstJQLr"), "signature"),
        (rsa.replace("_wWJcyQoT", "/wWJcyQoT"), "key"),
        // An even modulus; one bit shorter than 2048.
        (rsa.replace("yuXpoQ", "yuXpoA"), "signature"),
        (rsa.replace(r#""n":"ofgW"#, r#""n":"IfgW"#), "key"),
        (rsa.replace(r#""kty":"RSA""#, r#""kty":"oct""#), "key"),
        (rsa.replace(r#""kty":"RSA""#, r#""kty":"rsa""#), "key"),
    ] {
        if key == rsa {
            continue;
        }
        let (found, message) = refused(&token, &key, ancient());
        assert_eq!(found, kind, "{key}: {message}");
    }

    let (header, signature, ec) = RFC7515[2];
    let token = format!("{header}.{CLAIMS}.{signature}");
    for (from, to, kind) in [
        // Not on the curve; both zero; a coordinate too short, too long; of another curve.
        (
            "NpXW6pCyStikYjKIWI5a0",
            "NpXW6pCyStikYjKIWI5a4",
            "signature",
        ),
        (
            "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            &"A".repeat(43),
            "signature",
        ),
        (
            "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "f83OJ3D2",
            "key",
        ),
        ("f83OJ3D2xF1B", "AAAAf83OJ3D2xF1B", "key"),
        ("P-256", "P-384", "key"),
        ("P-256", "P-521", "key"),
        ("P-256", "p-256", "key"),
        ("P-256", "secp256k1", "key"),
        (r#""EC""#, r#""OKP""#, "key"),
    ] {
        let key = ec.replace(from, to);
        assert_ne!(key, ec, "{from}");
        let (found, message) = refused(&token, &key, ancient());
        assert_eq!(found, kind, "{key}: {message}");
    }
    for point in ["", "AA", &"A".repeat(42), &"A".repeat(44)] {
        let key = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{point}"}}"#);
        let token = sign(sub("a"), key!("ed25519"), "EdDSA");
        assert_eq!(refused(&token, &key, Value::Nil).0, "key", "{point}");
    }
    for curve in ["Ed448", "X25519", "ed25519"] {
        let key = format!(
            r#"{{"kty":"OKP","crv":"{curve}","x":"{}"}}"#,
            "A".repeat(43)
        );
        assert_eq!(refused(&token, &key, Value::Nil).0, "key", "{curve}");
    }
}

/// A mixed set: the secret in it verifies HMACs alone, and a public key is nobody's secret.
#[test]
fn key_sets_of_several_kinds() {
    let rsa = RFC7515[1].2.replace('{', r#"{"kid":"rsa","#);
    let oct = format!(r#"{{"kty":"oct","kid":"oct","k":"{}"}}"#, b64(SECRET));
    let set = format!(r#"{{"keys":[{rsa},{oct}]}}"#);
    let token = |kid: &str, secret: &[u8]| {
        let options = table([("kid", kid.into())]);
        text(
            "jwt_sign",
            (sub("a"), Bytes(secret.to_vec()), "HS256", options),
        )
    };
    assert!(verify(&token("oct", SECRET.as_bytes()), &set, Value::Nil).is_ok());
    // Under the name of the RSA key; with its modulus as secret, under its name and without one.
    let modulus = serde_json::from_str::<serde_json::Value>(&rsa).unwrap()["n"].to_string();
    let modulus = modulus.trim_matches('"').as_bytes();
    assert_eq!(
        refused(&token("rsa", SECRET.as_bytes()), &set, Value::Nil).0,
        "algorithm"
    );
    assert_eq!(
        refused(&token("rsa", modulus), &set, Value::Nil).0,
        "algorithm"
    );
    let unnamed = text("jwt_sign", (sub("a"), Bytes(modulus.to_vec()), "HS256"));
    assert_eq!(refused(&unnamed, &set, Value::Nil).0, "signature");
}

/// Whatever is public by its form is no secret, also where we cannot verify with it.
#[test]
fn public_keys_are_no_secrets() {
    let token = sign(sub("a"), SECRET, "HS256");
    let decode = |pem: &str| {
        let lines = pem.lines().filter(|line| !line.starts_with('-'));
        base64::engine::general_purpose::STANDARD
            .decode(lines.collect::<String>())
            .unwrap()
    };
    for pem in [
        key!("rsa.pub"),
        key!("rsa.pkcs1.pub"),
        key!("rsa.cert"),
        key!("rsa1024.pub"),
        key!("p256.pub"),
        key!("p256.cert"),
        key!("p384.pub"),
        key!("p521.pub"),
        key!("ed25519.pub"),
        key!("secp256k1.pub"),
    ] {
        let der = decode(pem);
        let standard = base64::engine::general_purpose::STANDARD.encode(&der);
        for key in [
            der.clone(),
            standard.into_bytes(),
            URL_SAFE_NO_PAD.encode(&der).into_bytes(),
        ] {
            let error = fails("jwt_verify", (&*token, Bytes(key.clone())));
            assert_eq!(
                (error.kind(), error.message()),
                (
                    "key",
                    "the key cannot be used: it is a public key, but not in PEM"
                ),
                "{pem}"
            );
            assert_eq!(
                fails("jwt_sign", (sub("a"), Bytes(key), "HS256")).kind(),
                "key"
            );
        }
    }
    let (_, _, jwk) = RFC7515[1];
    for key in [
        format!("[{jwk}]"),
        format!(" \n[{jwk}]"),
        format!("\u{feff}[{jwk}]"),
        "\u{feff}ssh-ed25519 AAAAC3NzaC1lZDI1NTE5".into(),
        "sk-ssh-ed25519@openssh.com AAAA".into(),
        "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA".into(),
        "<RSAKeyValue><Modulus>AA</Modulus></RSAKeyValue>".into(),
    ] {
        assert_eq!(refused(&token, &key, Value::Nil).0, "key", "{key}");
    }
    // With the mark that Windows editors write, a key set is a key set.
    let (header, signature, _) = RFC7515[1];
    let signed = format!("{header}.{CLAIMS}.{signature}");
    assert!(verify(&signed, &format!("\u{feff}{jwk}"), ancient()).is_ok());
    // Secrets that only begin alike.
    for secret in [
        "[not json, a secret",
        "ssh",
        "0\u{1e}0123456789abcdefghijklmnopqrst",
    ] {
        let token = sign(sub("a"), secret, "HS256");
        assert!(verify(&token, secret, Value::Nil).is_ok(), "{secret}");
    }
}

/// A token may be large and deep; neither takes the stack nor more than its own size again and again.
#[test]
fn huge_tokens() {
    let signed = |claims: &str| {
        let message = format!("{}.{}", b64(r#"{"alg":"HS256"}"#), b64(claims));
        let mac: Vec<u8> = host()
            .call("hmac", (SECRET, &*message, "sha256", true))
            .unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac))
    };
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(4 << 20));
    let claims = verify(&signed(&long), SECRET, Value::Nil).unwrap();
    assert_eq!(claims.get("a").unwrap().as_str().unwrap().len(), 4 << 20);
    let many = format!(
        "{{{}\"z\":0}}",
        (0..50_000).fold(String::new(), |mut all, i| {
            all += &format!("\"k{i}\":{i},");
            all
        })
    );
    assert!(verify(&signed(&many), SECRET, Value::Nil).is_ok());
    for open in ["[", r#"{"a":"#] {
        let deep = format!(r#"{{"a":{}"#, open.repeat(200_000));
        assert_eq!(refused(&signed(&deep), SECRET, Value::Nil).0, "token");
    }
    // Deep in the header, before any signature is checked.
    let header = b64(&format!(r#"{{"alg":"HS256","x":{}"#, "[".repeat(200_000)));
    assert_eq!(
        refused(&format!("{header}.AA.AA"), SECRET, Value::Nil).0,
        "token"
    );
    // A million dots are counted no further than needed.
    assert_eq!(refused(&".".repeat(1 << 20), SECRET, Value::Nil).0, "token");
}

/// To the second, by RFC 7519, 4.1.4 and 4.1.5: `exp` is the first second that is too late, `nbf`
/// the first that is not too early; `leeway` moves both. The clock may go on a little meanwhile.
#[test]
fn times_at_their_edges() {
    let check = |claims: [(&str, i64); 1], leeway: f64| {
        let [(name, time)] = claims;
        let token = sign(table([(name, Value::Int(time))]), SECRET, "HS256");
        match verify(&token, SECRET, table([("leeway", Value::Float(leeway))])) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.kind().to_owned(),
        }
    };
    assert_eq!(check([("exp", now())], 0.0), "expired");
    assert_eq!(check([("exp", now() + 1000)], 0.0), "ok");
    assert_eq!(check([("exp", now() - 1000)], 1000.0), "expired");
    assert_eq!(check([("exp", now() - 1000)], 2000.0), "ok");
    assert_eq!(check([("exp", now() - 1000)], 999.5), "expired");
    assert_eq!(check([("nbf", now())], 0.0), "ok");
    assert_eq!(check([("nbf", now() + 1000)], 0.0), "not_yet_valid");
    assert_eq!(check([("nbf", now() + 1000)], 1000.0), "ok");
    assert_eq!(check([("nbf", now() + 2000)], 1000.0), "not_yet_valid");
    // Issued tomorrow is odd, and no reason to refuse: the issuer's clock may be ahead.
    assert_eq!(check([("iat", now() + 86_400)], 0.0), "ok");
    // No `exp` at all is for the caller to judge.
    assert!(verify(&sign(sub("a"), SECRET, "HS256"), SECRET, Value::Nil).is_ok());
}

#[test]
fn audiences_and_issuers_that_are_none() {
    let message = |claims: &str| {
        let message = format!("{}.{}", b64(r#"{"alg":"HS256"}"#), b64(claims));
        let mac: Vec<u8> = host()
            .call("hmac", (SECRET, &*message, "sha256", true))
            .unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac))
    };
    for (claims, option, kind) in [
        (r#"{"aud":[]}"#, "audience", Some("audience")),
        (r#"{"aud":null}"#, "audience", Some("audience")),
        (r#"{"aud":["b","c"]}"#, "audience", Some("audience")),
        (r#"{"aud":[["a"]]}"#, "audience", Some("audience")),
        (r#"{"aud":{"a":"a"}}"#, "audience", Some("audience")),
        (r#"{"aud":"A"}"#, "audience", Some("audience")),
        (r#"{"aud":"a "}"#, "audience", Some("audience")),
        (r#"{"aud":""}"#, "audience", Some("audience")),
        (r#"{"aud":"a"}"#, "audience", None),
        (r#"{"aud":["x",null,1,"a"]}"#, "audience", None),
        (r#"{"iss":null}"#, "issuer", Some("issuer")),
        (r#"{"iss":"a/"}"#, "issuer", Some("issuer")),
        (r#"{"iss":"a"}"#, "issuer", None),
        // Unlike `aud`, `iss` is one text: a list might hold another issuer's name too.
        (r#"{"iss":["evil","a"]}"#, "issuer", Some("issuer")),
    ] {
        let verified = verify(&message(claims), SECRET, table([(option, "a".into())]));
        assert_eq!(
            verified.as_ref().err().map(|error| error.kind()),
            kind,
            "{claims}: {verified:?}"
        );
    }
}

#[test]
fn malformed_tokens() {
    let claims = b64("{}");
    for (token, message) in [
        ("", "expected 3 parts between dots, got 1".to_owned()),
        ("a.b", "expected 3 parts between dots, got 2".into()),
        (
            "a.b.c.d.e",
            "it is encrypted (JWE), and only signed ones are supported".into(),
        ),
        (
            "a.b.c.d.e.f.g",
            "it has more than 3 parts between dots".into(),
        ),
        (
            "!.b.c",
            "its header is not base64url: Invalid symbol 33, offset 0.".into(),
        ),
        (
            &format!("{}.b.c", b64("[]")),
            "its header is not a JSON object".into(),
        ),
        (
            &format!("{}.b.c", b64("{}")),
            "its header has no `alg`".into(),
        ),
        (
            &format!("{}.b.c", b64(r#"{"alg":7}"#)),
            "its header has no `alg`".into(),
        ),
        (
            &format!(
                "{}.{claims}.AA",
                b64(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#)
            ),
            "it has critical extensions (`crit`), and none is supported".into(),
        ),
        (
            &format!("{}.{claims}.AA", b64(r#"{"alg":"HS256","kid":7}"#)),
            "its `kid` is not a string".into(),
        ),
        (
            &format!("{}.{claims}.A=", b64(r#"{"alg":"HS256"}"#)),
            "its signature is not base64url: Invalid symbol 61, offset 1.".into(),
        ),
    ] {
        let (kind, text) = refused(token, SECRET, Value::Nil);
        assert_eq!(kind, "token", "{token}");
        assert_eq!(text, format!("not a usable JSON Web Token: {message}"));
    }
    assert_eq!(
        refused(
            &format!("{}.{claims}.AA", b64(r#"{"alg":"hs256"}"#)),
            SECRET,
            Value::Nil
        ),
        (
            "algorithm".into(),
            "the token's header: unknown algorithm `hs256`".into()
        )
    );
    for token in ["", "a.b", "!.b.c"] {
        assert_eq!(fails("jwt_decode", (token,)).kind(), "token");
    }
    // Nested too deep for a stack.
    let deep = format!(
        "{}.{}.AA",
        b64(r#"{"alg":"HS256"}"#),
        b64(&"[".repeat(100_000))
    );
    assert_eq!(fails("jwt_decode", (&*deep,)).kind(), "token");
}

#[test]
fn decode_keeps_numbers() {
    let decode = |claims: &str| {
        host().call::<Value>("jwt_decode", (format!("{}.{}.", b64("{}"), b64(claims)),))
    };
    let claims =
        decode(r#"{"i":9223372036854775807,"f":1.5,"n":null,"l":[],"s":"\u0000"}"#).unwrap();
    let claims = claims.get("claims").unwrap();
    assert_eq!(claims.get("i"), Some(&Value::Int(i64::MAX)));
    assert_eq!(claims.get("f"), Some(&Value::Float(1.5)));
    assert_eq!(claims.get("n").unwrap_or(&Value::Nil), &Value::Nil);
    assert_eq!(claims.get("s"), Some(&"\0".into()));
    for number in ["9223372036854775808", "123456789012345678901234567890"] {
        let error = decode(&format!(r#"{{"n":{number}}}"#)).unwrap_err();
        assert_eq!(error.kind(), "claims");
        assert!(
            error.message().ends_with("does not fit a Lua integer"),
            "{error}"
        );
    }
}

#[test]
fn sign_headers_and_claims() {
    let options = table([
        ("kid", "k1".into()),
        (
            "headers",
            table([("typ", "at+jwt".into()), ("x", Value::Int(1))]),
        ),
    ]);
    let claims = table([
        ("exp", Value::Float(4_102_444_800.9)),
        ("list", Value::List(vec![Value::Bool(true)])),
        ("float", Value::Float(0.5)),
    ]);
    let token = text("jwt_sign", (claims, SECRET, "HS256", options));
    let header = token.split('.').next().unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.decode(header).unwrap(),
        br#"{"alg":"HS256","kid":"k1","typ":"at+jwt","x":1}"#
    );
    let claims = verify(&token, SECRET, Value::Nil).unwrap();
    assert_eq!(claims.get("exp"), Some(&Value::Int(4_102_444_800)));
    assert_eq!(claims.get("float"), Some(&Value::Float(0.5)));
    // `{}` in Lua is both a list and a map.
    let token = sign(Value::List(vec![]), SECRET, "HS256");
    assert_eq!(
        verify(&token, SECRET, Value::Nil).unwrap(),
        Value::Map(vec![])
    );
    // RS256 is the default.
    let token = text("jwt_sign", (sub("a"), key!("rsa")));
    assert!(
        verify(
            &token,
            key!("rsa.pub"),
            table([("algorithm", "RS256".into())])
        )
        .is_ok()
    );
}

#[test]
fn sign_refuses() {
    let headers = |name| {
        (
            sub("a"),
            SECRET,
            "HS256",
            table([("headers", table([(name, "x".into())]))]),
        )
    };
    for name in ["alg", "crit", "b64"] {
        assert_eq!(
            fails("jwt_sign", headers(name)).message(),
            format!("option `headers`: `{name}` cannot be set here")
        );
    }
    let error = fails(
        "jwt_sign",
        (sub("a"), SECRET, "HS256", table([("kdi", "x".into())])),
    );
    assert_eq!(error.message(), "argument 4: unknown option `kdi`");
    assert_eq!(error.hint_text(), Some("did you mean `kid`?"));
    assert_eq!(
        fails("jwt_sign", (sub("a"), SECRET, table([("kid", "x".into())]))).message(),
        "argument 3: expected string, got table"
    );
    for (claims, message) in [
        (Value::Int(1), "argument 1: expected a table, got 1"),
        (Value::Nil, "argument 1: expected a table, got null"),
        (
            Value::List(vec![Value::Int(1)]),
            "argument 1: expected a table with names, got a list",
        ),
        (
            table([("exp", "soon".into())]),
            "claim `exp`: expected a time in seconds, got \"soon\"",
        ),
        (
            table([("a", table([("b", Value::Float(f64::NAN))]))]),
            "argument 1: `a`: `b`: JSON has no number NaN",
        ),
        (
            table([("a", Value::Bytes(vec![0xff]))]),
            "argument 1: `a`: JSON holds UTF-8 text only, got other bytes",
        ),
        (
            Value::Map(vec![(Value::Int(5), Value::Int(5))]),
            "argument 1: JSON objects have names as keys, got another key",
        ),
    ] {
        assert_eq!(
            fails("jwt_sign", (claims, SECRET, "HS256")).message(),
            message
        );
    }

    for (key, algorithm, kind, message) in [
        (
            SECRET,
            "RS256",
            "algorithm",
            "RS256 cannot sign with a secret",
        ),
        (
            key!("rsa"),
            "HS256",
            "algorithm",
            "HS256 cannot sign with an RSA key",
        ),
        (
            key!("rsa"),
            "ES256",
            "algorithm",
            "ES256 cannot sign with an RSA key",
        ),
        (
            key!("p256"),
            "ES384",
            "algorithm",
            "ES384 cannot sign with an EC key on P-256",
        ),
        (
            key!("ed25519"),
            "ES256",
            "algorithm",
            "ES256 cannot sign with an Ed25519 key",
        ),
        (
            "",
            "HS256",
            "key",
            "the key cannot be used: an empty secret",
        ),
        (
            RFC7515[0].2,
            "HS256",
            "key",
            "the key cannot be used: it is JSON, and a secret is taken as it is",
        ),
        (
            key!("rsa.pub"),
            "RS256",
            "key",
            "the key cannot be used: signing takes a private key, and this is a PUBLIC KEY",
        ),
        (
            key!("rsa.pub"),
            "HS256",
            "key",
            "the key cannot be used: signing takes a private key, and this is a PUBLIC KEY",
        ),
        (
            key!("rsa.encrypted"),
            "RS256",
            "key",
            "the key cannot be used: it is encrypted with a passphrase",
        ),
        (
            key!("p256.no-public"),
            "ES256",
            "key",
            "the key cannot be used: its public part is missing",
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA",
            "RS256",
            "key",
            "the key cannot be used: its PEM block `PRIVATE KEY` has no end",
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "RS256",
            "key",
            "the key cannot be used: its DER is broken",
        ),
    ] {
        let error = fails("jwt_sign", (sub("a"), key, algorithm));
        assert_eq!((error.kind(), error.message()), (kind, message));
    }
    assert_eq!(
        fails("jwt_sign", (sub("a"), SECRET, "RS265")).hint_text(),
        Some("did you mean `RS256`?")
    );
}

#[test]
fn verify_refuses_keys_and_options() {
    let token = sign(sub("a"), SECRET, "HS256");
    for (key, message) in [
        ("", "an empty secret"),
        (
            key!("rsa"),
            "verifying takes a public key, and this is a PRIVATE KEY",
        ),
        (
            key!("rsa1024.pub"),
            "it is an RSA key of 1024 bits, and 2048 to 8192 are accepted",
        ),
        (
            key!("secp256k1.pub"),
            "it is on another curve than P-256, P-384 and P-521",
        ),
    ] {
        assert_eq!(
            refused(&token, key, Value::Nil),
            ("key".into(), format!("the key cannot be used: {message}"))
        );
    }
    let error = fails("jwt_verify", (&*token, Value::Int(7)));
    assert_eq!(
        error.message(),
        "argument 2: expected string or table, got number"
    );

    for (options, message, hint) in [
        (
            table([("algoritm", "HS256".into())]),
            "argument 3: unknown option `algoritm`",
            Some("did you mean `algorithm`?"),
        ),
        (
            table([("aud", "x".into())]),
            "argument 3: unknown option `aud`",
            Some("options are `algorithm`, `audience`, `issuer`, `leeway`"),
        ),
        (
            table([("audience", Value::Int(5))]),
            "argument 3: option `audience`: expected a string or a list of strings, got integer `5`",
            None,
        ),
        (
            table([("audience", Value::List(vec![]))]),
            "argument 3: option `audience`: an empty list accepts nothing",
            None,
        ),
        (
            table([("leeway", "60".into())]),
            "argument 3: option `leeway`: expected a number, got string \"60\"",
            None,
        ),
    ] {
        let error = fails("jwt_verify", (&*token, SECRET, options));
        assert_eq!((error.message(), error.hint_text()), (message, hint));
    }
}

/// Keys and tokens of random bytes, cut and changed: errors, never a panic.
#[test]
fn garbage() {
    let keys = [
        key!("rsa.cert"),
        key!("p256.pub"),
        key!("rsa"),
        key!("p256.sec1"),
        RFC7515[2].2,
    ];
    let token = sign(sub("a"), key!("p256"), "ES256");
    let mut seed = 1_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    for round in 0..3000 {
        let mut key = keys[round % keys.len()].as_bytes().to_vec();
        let mut token = token.clone().into_bytes();
        for _ in 0..=random(3) {
            let at = random(key.len());
            key[at] = b"A7+/=-{\"x\n"[random(10)];
            let at = random(token.len());
            token[at] = b"A7+/=-_.x\n"[random(10)];
        }
        if round % 3 == 0 {
            key.truncate(random(key.len()).max(1));
        }
        for (function, args) in [
            (
                "jwt_verify",
                vec![Value::Bytes(token), Value::Bytes(key.clone())],
            ),
            (
                "jwt_sign",
                vec![sub("a"), Value::Bytes(key.clone()), "ES256".into()],
            ),
            (
                "jwt_sign",
                vec![sub("a"), Value::Bytes(key), "RS256".into()],
            ),
        ] {
            if let Err(error) = host().call::<Value>(function, args) {
                assert_ne!(error.kind(), "panic", "{error}");
            }
        }
    }
}
