//! The algorithms of RFC 7518 and RFC 8037 that sign, by name.

use std::fmt;

use assay_plugin::{Error, Result, did_you_mean};

/// An algorithm, named by its family and the bits of its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm {
    pub family: Family,
    /// Of SHA-2; 0 for EdDSA.
    pub bits: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// HMAC.
    Hs,
    /// RSASSA-PKCS1-v1_5.
    Rs,
    /// RSASSA-PSS.
    Ps,
    /// ECDSA.
    Es,
    /// Ed25519.
    Ed,
}

const ALGORITHMS: &[(&str, Algorithm)] = {
    const fn of(family: Family, bits: u32) -> Algorithm {
        Algorithm { family, bits }
    }
    use Family::{Ed, Es, Hs, Ps, Rs};
    &[
        ("HS256", of(Hs, 256)),
        ("HS384", of(Hs, 384)),
        ("HS512", of(Hs, 512)),
        ("RS256", of(Rs, 256)),
        ("RS384", of(Rs, 384)),
        ("RS512", of(Rs, 512)),
        ("PS256", of(Ps, 256)),
        ("PS384", of(Ps, 384)),
        ("PS512", of(Ps, 512)),
        ("ES256", of(Es, 256)),
        ("ES384", of(Es, 384)),
        ("ES512", of(Es, 512)),
        ("EdDSA", of(Ed, 0)),
    ]
};

impl Algorithm {
    /// # Errors
    /// Kind `algorithm`, for unknown names and for `none`, which signs nothing.
    pub fn find(name: &str) -> Result<Self> {
        if let Some((_, algorithm)) = ALGORITHMS.iter().find(|(known, _)| *known == name) {
            return Ok(*algorithm);
        }
        let error = |message| Error::new("algorithm", message);
        if name.eq_ignore_ascii_case("none") {
            return Err(error(format!("algorithm `{name}` is no signature")));
        }
        let names = ALGORITHMS.iter().map(|(name, _)| *name);
        let hint = match did_you_mean(name, names.clone())
            .or_else(|| names.clone().find(|known| known.eq_ignore_ascii_case(name)))
        {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("algorithms are {}", names.collect::<Vec<_>>().join(", ")),
        };
        Err(error(format!("unknown algorithm `{name}`")).hint(hint))
    }

    pub fn name(self) -> &'static str {
        ALGORITHMS
            .iter()
            .find(|(_, algorithm)| *algorithm == self)
            .map_or("?", |(name, _)| name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
