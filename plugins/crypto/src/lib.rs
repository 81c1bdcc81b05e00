//! The `crypto` family: hashes, MACs, random values and JSON Web Tokens.
//!
//! Not here: encryption, certificates, passwords (a KDF is not a hash).
//!
//! # Layout
//! - `digest`: `hash`, `hash_file`, `hmac`, `equals`.
//! - `random`: `random`, `random_bytes`, `uuid`.
//! - `jwt`: `jwt_sign`, `jwt_verify`, `jwt_decode`; its `algorithm` signs, its `key` reads keys.

mod digest;
mod jwt;
mod random;

use assay_plugin::plugin;
use digest::{equals, hash, hash_file, hmac};
use jwt::{jwt_decode, jwt_sign, jwt_verify};
use random::{random, random_bytes, uuid};

plugin! {
    /// Hashes, MACs, random values and JSON Web Tokens.
    name: "crypto",
    permissions: ["fs.read"],
    types: include_str!("../types/crypto.lua"),
    functions: {
        /// The hash of some bytes, in hexadecimal.
        ///
        /// Algorithms: `sha224`, `sha256`, `sha384`, `sha512`, `sha3-224`, `sha3-256`, `sha3-384`,
        /// `sha3-512`; `md5` and `sha1` only for what still asks for them.
        fn hash = "fun(data: string, algorithm?: crypto.Hash): string",
        /// The hash of a file, in hexadecimal. Waits: other coroutines go on while it is read.
        async fn hash_file = "fun(path: string, algorithm?: crypto.Hash): string",
        /// The HMAC of some bytes, in hexadecimal, or as bytes when `raw` is true.
        fn hmac = "fun(key: string, data: string, algorithm?: crypto.Hash, raw?: boolean): string",
        /// Random letters and digits (`A-Z`, `a-z`, `0-9`), 32 unless told. From the system's source.
        fn random = "fun(length?: integer): string",
        /// Random bytes from the system's source.
        fn random_bytes = "fun(length: integer): string",
        /// A random UUID (version 4).
        fn uuid = "fun(): string",
        /// Whether two strings are equal, in a time that does not tell where they differ.
        fn equals = "fun(a: string, b: string): boolean",
        /// Signs claims as a JSON Web Token, with `RS256` unless told.
        ///
        /// The key is a private key in PEM, or the secret for `HS256`, `HS384` and `HS512`.
        /// `exp`, `nbf` and `iat` are cut to whole seconds.
        fn jwt_sign = "fun(claims: table<string, any>, key: string, algorithm?: crypto.JwtAlgorithm, options?: crypto.SignOptions): string",
        /// Checks the signature and the times of a JSON Web Token and returns its claims.
        ///
        /// The key is a public key or certificate in PEM, a JWKS (JSON text or a table), or a
        /// secret. Raises unless the token's algorithm is one that the key is for: kinds
        /// `token`, `algorithm`, `key`, `signature`, `expired`, `not_yet_valid`, `issuer`,
        /// `audience`, `claims`.
        fn jwt_verify = "fun(token: string, key: string|table, options?: crypto.VerifyOptions): table<string, any>",
        /// Reads a JSON Web Token **without checking anything**.
        fn jwt_decode = "fun(token: string): crypto.DecodedToken",
    },
}
