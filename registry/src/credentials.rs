//! Who we are at a registry.

/// Where credentials are looked up.
#[derive(Debug, Default)]
pub struct Credentials {}

impl Credentials {
    /// No credentials at all.
    pub fn none() -> Self {
        Credentials::default()
    }
}
