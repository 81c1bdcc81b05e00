//! What every operation needs around it, and how a source's name becomes one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::credentials::Credentials;
use crate::error::Result;
use crate::layout::Layout;
use crate::progress::Progress;
use crate::project::RegistrySettings;
use crate::remote::Remote;
use crate::source::{Source, SourceName};

/// Settings and services of one run.
#[derive(Clone)]
pub struct Context {
    /// The cache: an OCI layout, made on first use.
    pub cache: PathBuf,
    /// Where credentials are looked up.
    pub credentials: Arc<Credentials>,
    /// Settings of registry hosts.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// Receives what happens meanwhile.
    pub progress: Arc<dyn Progress>,
}

impl Context {
    /// Opens a source to read from.
    pub fn open(&self, name: &SourceName) -> Result<Arc<dyn Source>> {
        match name {
            SourceName::Layout(path) => Ok(Arc::new(Layout::open(path)?)),
            SourceName::Registry { host, prefix } => Ok(Arc::new(Remote::new(self, host, prefix)?)),
        }
    }

    /// Opens a source to publish to; a layout is made when it is not there.
    pub fn create(&self, name: &SourceName) -> Result<Arc<dyn Source>> {
        match name {
            SourceName::Layout(path) => Ok(Arc::new(Layout::create(path)?)),
            SourceName::Registry { host, prefix } => {
                Ok(Arc::new(Remote::direct(self, host, prefix)?))
            }
        }
    }
}
