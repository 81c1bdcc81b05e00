use super::*;

/// FIPS 180-4 and FIPS 202 examples (csrc.nist.gov), RFC 1321.
const ABC: &[(&str, &str)] = &[
    ("md5", "900150983cd24fb0d6963f7d28e17f72"),
    ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (
        "sha224",
        "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
    ),
    (
        "sha256",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    (
        "sha384",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    ),
    (
        "sha512",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    (
        "sha3-224",
        "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf",
    ),
    (
        "sha3-256",
        "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
    ),
    (
        "sha3-384",
        "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25",
    ),
    (
        "sha3-512",
        "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
    ),
];

#[test]
fn hash_known_answers() {
    for (algorithm, expected) in ABC {
        assert_eq!(text("hash", ("abc", *algorithm)), *expected, "{algorithm}");
    }
    // The default.
    assert_eq!(text("hash", ("abc",)), ABC[3].1);
    assert_eq!(
        text("hash", ("",)),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    // FIPS 180-4: a million times "a".
    assert_eq!(
        text("hash", ("a".repeat(1_000_000),)),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    );
}

#[test]
fn hash_of_every_length() {
    let mut count = 0;
    for line in include_str!("digests.txt").lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let [algorithm, message, expected] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let message = match (message.parse::<usize>(), message.split_once('*')) {
            (Ok(length), _) => (0..length).map(|i| (i % 251) as u8).collect(),
            (_, Some((times, text))) => text.repeat(times.parse().unwrap()).into_bytes(),
            _ => message.as_bytes().to_vec(),
        };
        assert_eq!(
            text("hash", (Bytes(message), algorithm)),
            expected,
            "{line}"
        );
        count += 1;
    }
    assert_eq!(count, 312);
}

#[test]
fn hash_takes_bytes() {
    assert_eq!(
        text("hash", (bytes(&[0xff, 0x00, 0xfe]),)),
        "af9ceddc9d8b08ac09e1994bfd20459b5e377425df7354dfce3501992828a5b7"
    );
}

#[test]
fn hash_refuses() {
    let error = fails("hash", ("abc", "SHA256"));
    assert_eq!(error.kind(), "algorithm");
    assert_eq!(error.message(), "unknown hash algorithm `SHA256`");
    assert_eq!(error.hint_text(), Some("did you mean `sha256`?"));
    assert_eq!(
        fails("hash", ("abc", "sha3_512")).hint_text(),
        Some("did you mean `sha3-512`?")
    );
    assert!(
        fails("hash", ("abc", ""))
            .hint_text()
            .unwrap()
            .starts_with("algorithms are sha256,")
    );
    // A script that has them the wrong way round learns it from the first call.
    assert_eq!(
        fails("hash", ("sha256", "abc")).message(),
        "unknown hash algorithm `abc`"
    );
    assert_eq!(
        fails("hash", (5,)).message(),
        "argument 1: expected string, got number 5"
    );
    assert_eq!(
        fails("hash", ()).message(),
        "argument 1: expected string, got nothing"
    );
    assert_eq!(
        fails("hash", ("abc", 5)).message(),
        "argument 2: expected string, got number 5"
    );
}

#[test]
fn hash_file() {
    let dir = std::env::temp_dir().join(format!("assay-crypto-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("a million a");
    let path = path.to_str().unwrap();
    std::fs::write(path, "a".repeat(1_000_000)).unwrap();
    // More than one chunk.
    assert_eq!(
        text("hash_file", (path,)),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    );
    assert_eq!(
        text("hash_file", (path, "sha1")),
        "34aa973cd4c4daa4f61eeb2bdbad27316534016f"
    );

    // A size of nothing, and of a whole number of chunks; holes are zeros.
    let sparse = dir.join("sparse");
    let file = std::fs::File::create(&sparse).unwrap();
    for (size, expected) in [
        (
            0,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            8 << 20,
            "2daeb1f36095b44b318410b3f4e8b5d989dcc7bb023d1426c492dab0a3053e74",
        ),
    ] {
        file.set_len(size).unwrap();
        assert_eq!(text("hash_file", (sparse.to_str().unwrap(),)), expected);
    }

    let missing = dir.join("missing");
    let error = fails("hash_file", (missing.to_str().unwrap(),));
    assert_eq!(error.kind(), "io");
    assert!(error.message().starts_with("cannot read `"), "{error}");
    assert!(
        error.message().contains("missing`: No such file"),
        "{error}"
    );
    assert!(
        fails("hash_file", (dir.to_str().unwrap(),))
            .message()
            .contains("directory"),
        "a directory is no file"
    );
    assert_eq!(fails("hash_file", (path, "sha2")).kind(), "algorithm");

    let sandboxed = host();
    sandboxed.deny("fs.read");
    let error = sandboxed.call::<String>("hash_file", (path,)).unwrap_err();
    assert_eq!(error.kind(), "permission");
    assert_eq!(error.message(), format!("not allowed: read {path}"));
    assert_eq!(error.hint_text(), Some(&*format!("--allow-read={path}")));
    std::fs::remove_dir_all(dir).unwrap();
}

/// RFC 4231, test cases 1, 2, 3, 6 (a key longer than a block) and 7.
#[test]
fn hmac_known_answers() {
    let long = "aa".repeat(131);
    let cases: &[(&str, &[u8], &str, &str)] = &[
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            b"Hi There",
            "sha256",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            b"Hi There",
            "sha224",
            "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
        ),
        (
            "4a656665",
            b"what do ya want for nothing?",
            "sha384",
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            "4a656665",
            b"what do ya want for nothing?",
            "sha512",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
        (
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            &[0xdd; 50],
            "sha256",
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            &long,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "sha256",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        // RFC 2202.
        (
            "4a656665",
            b"what do ya want for nothing?",
            "md5",
            "750c783e6ab0b503eaa86e310a5db738",
        ),
        (
            "4a656665",
            b"what do ya want for nothing?",
            "sha1",
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        ),
    ];
    for (key, data, algorithm, expected) in cases {
        let args = (bytes(&unhex(key)), bytes(data), *algorithm);
        assert_eq!(text("hmac", args), *expected, "{algorithm}");
    }
    // NIST's example for HMAC-SHA3-256: a key shorter than a block.
    let key: Vec<u8> = (0..32).collect();
    assert_eq!(
        text(
            "hmac",
            (
                bytes(&key),
                "Sample message for keylen<blocklen",
                "sha3-256"
            )
        ),
        "4fe8e202c4f058e8dddc23d8c34e467343e23555e24fc2f025d598f558f67205"
    );
}

#[test]
fn hmac_of_every_key() {
    let value = |text: &str| match text.split_once('*') {
        Some((byte, times)) => unhex(byte).repeat(times.parse().unwrap()),
        None if text == "-" => Vec::new(),
        None => unhex(text),
    };
    let mut count = 0;
    for line in include_str!("macs.txt").lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let [_, algorithm, key, data, expected] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let args = (Bytes(value(key)), Bytes(value(data)), algorithm);
        let mac = text("hmac", args);
        assert_eq!(mac[..expected.len()], *expected, "{line}");
        count += 1;
    }
    assert_eq!(count, 130);
}

#[test]
fn hmac_raw() {
    let raw: Vec<u8> = host().call("hmac", ("Jefe", "x", "sha256", true)).unwrap();
    assert_eq!(raw.len(), 32);
    let hex = text("hmac", ("Jefe", "x"));
    assert_eq!(unhex(&hex), raw);
    assert_eq!(
        fails("hmac", ("Jefe", "x", "sha256", "yes")).message(),
        "argument 4: expected boolean, got string \"yes\""
    );
}

#[test]
fn equals() {
    let equals = |a: &[u8], b: &[u8]| host().call::<bool>("equals", (bytes(a), bytes(b))).unwrap();
    assert!(equals(b"", b""));
    assert!(equals(b"a\0\xff", b"a\0\xff"));
    assert!(!equals(b"a\0\xff", b"a\0\xfe"));
    assert!(!equals(b"a", b"aa"));
    assert_eq!(
        fails("equals", ("a",)).message(),
        "argument 2: expected string, got nothing"
    );
}
