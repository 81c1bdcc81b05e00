//! Hashes and MACs, and how to compare them.

use std::fs::File;
use std::io::Read;
use std::task::Poll;

use ::hmac::{KeyInit, Mac, SimpleHmac as Hmac};
use assay_plugin::{Cx, Error, Result, Value, did_you_mean};
use md5::Md5;
use sha1::Sha1;
use sha2::digest::DynDigest;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};
use subtle::ConstantTimeEq;

/// How much of a file is read before other coroutines get a turn.
const CHUNK: usize = 256 * 1024;

pub fn hash(data: &[u8], algorithm: Option<&str>) -> Result<String> {
    let mut digest = (Hash::find(algorithm)?.digest)();
    digest.update(data);
    Ok(hex(&digest.finalize()))
}

pub async fn hash_file(cx: Cx, path: String, algorithm: Option<String>) -> Result<String> {
    let mut digest = (Hash::find(algorithm.as_deref())?.digest)();
    cx.require("fs.read", &path)?;
    let failed = |error| Error::new("io", format!("cannot read `{path}`: {error}"));
    #[expect(clippy::disallowed_methods, reason = "the message names the file")]
    let mut file = File::open(&path).map_err(failed)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&digest.finalize())),
            Ok(read) => digest.update(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
        give_way().await;
    }
}

pub fn hmac(key: &[u8], data: &[u8], algorithm: Option<&str>, raw: Option<bool>) -> Result<Value> {
    let mac = (Hash::find(algorithm)?.mac)(key, data);
    Ok(if raw == Some(true) {
        Value::Bytes(mac)
    } else {
        Value::from(hex(&mac).as_str())
    })
}

pub fn equals(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// The HMAC of a JWT: SHA-2 by its bits.
pub(crate) fn hmac_sha2(bits: u32, key: &[u8], data: &[u8]) -> Vec<u8> {
    match bits {
        256 => mac::<Hmac<Sha256>>(key, data),
        384 => mac::<Hmac<Sha384>>(key, data),
        _ => mac::<Hmac<Sha512>>(key, data),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}

struct Hash {
    name: &'static str,
    digest: fn() -> Box<dyn DynDigest + Send>,
    mac: fn(&[u8], &[u8]) -> Vec<u8>,
}

macro_rules! hashes {
    ($($name:literal => $digest:ty,)*) => {
        &[$(Hash {
            name: $name,
            digest: || Box::new(<$digest>::default()),
            mac: mac::<Hmac<$digest>>,
        },)*]
    };
}
static HASHES: &[Hash] = hashes! {
    "sha256" => Sha256,
    "sha224" => Sha224,
    "sha384" => Sha384,
    "sha512" => Sha512,
    "sha3-224" => Sha3_224,
    "sha3-256" => Sha3_256,
    "sha3-384" => Sha3_384,
    "sha3-512" => Sha3_512,
    "sha1" => Sha1,
    "md5" => Md5,
};

impl Hash {
    fn find(name: Option<&str>) -> Result<&'static Self> {
        let name = name.unwrap_or("sha256");
        HASHES.iter().find(|hash| hash.name == name).ok_or_else(|| {
            let names = HASHES.iter().map(|hash| hash.name);
            let plain = name.to_ascii_lowercase().replace('_', "-");
            let hint = match did_you_mean(&plain, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("algorithms are {}", names.collect::<Vec<_>>().join(", ")),
            };
            Error::new("algorithm", format!("unknown hash algorithm `{name}`")).hint(hint)
        })
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length; the error is for other MACs.
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("a key of any length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// Lets the host poll others once.
async fn give_way() {
    let mut first = true;
    std::future::poll_fn(|cx| {
        if std::mem::take(&mut first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}
