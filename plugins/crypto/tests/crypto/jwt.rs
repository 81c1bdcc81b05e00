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
