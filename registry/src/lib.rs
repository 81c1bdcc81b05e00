//! Packages for Assay: libraries and plugins as OCI images that are published,
//! resolved, locked, installed and verified.
//!
//! It is not a general OCI client, it runs no Lua and loads no plugin, and it
//! shares no code with the runtime: the two meet in the files of a root.
//!
//! # Layout
//!
//! What packages are:
//! - [`name`], [`version`], [`platform`], [`digest`]: the words everything else uses
//! - [`manifest`]: `manifest.yaml`, what an author publishes
//! - [`meta`]: what a package says about itself, in annotations and in `.meta/`
//! - [`plugin_file`]: what a `.so` says about itself
//! - [`layer`], [`image`], [`oci`]: the bytes of a package
//!
//! Where they are:
//! - [`source`]: a place that has packages: [`layout`] (a directory) or [`remote`] (a registry)
//! - [`credentials`]: who we are at a registry
//! - [`root`]: a folder that packages are installed into
//! - [`project`], [`lock`]: `assay.toml` and `assay.lock`
//!
//! What is done with them:
//! - [`publish`], [`resolve`], [`install`], [`info`]
//! - [`context`], [`progress`], [`host`]: what these need around them
//! - [`error`]: how they fail
//!
//! # Example
//!
//! A library goes into a layout directory and from there into a root:
//!
//! ```
//! use std::{collections::BTreeMap, path::Path, sync::Arc};
//! use assay_registry::{
//!     context::Context, credentials::Credentials, image::Image, install::Install, manifest::Collection,
//!     progress::Silent, publish::publish, root::Root, source::SourceName,
//! };
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! # std::fs::create_dir(folder.join("hello"))?;
//! # std::fs::write(folder.join("hello/init.lua"), "return {}\n")?;
//! # std::fs::write(folder.join("manifest.yaml"), "version: 0.1.0\nlibraries: [{name: hello}]\n")?;
//! let context = Context {
//!     cache: folder.join("cache"),
//!     credentials: Arc::new(Credentials::none()),
//!     registries: BTreeMap::new(),
//!     progress: Arc::new(Silent),
//! };
//! let packages = SourceName::parse("oci:packages", folder)?;
//! let layout = context.create(&packages)?;
//! for member in &Collection::read(&folder.join("manifest.yaml"))?.members {
//!     publish(&Image::build(member, 0)?, &*layout)?;
//! }
//!
//! let install = Install {
//!     root: Root::new(folder.join("root")),
//!     project: None,
//!     requests: vec!["hello".parse()?],
//!     source: packages,
//!     source_is_explicit: true,
//!     locked: false,
//!     pre: false,
//!     platform: None,
//! };
//! install.run(&context)?;
//! assert!(folder.join("root/hello/init.lua").is_file());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]

mod catalogue;
pub mod context;
pub mod credentials;
pub mod digest;
pub mod error;
pub mod host;
pub mod image;
pub mod info;
pub mod install;
pub mod layer;
pub mod layout;
pub mod lock;
pub mod manifest;
pub mod meta;
pub mod name;
pub mod oci;
mod pinned;
pub mod platform;
pub mod plugin_file;
pub mod progress;
pub mod project;
pub mod publish;
pub mod remote;
pub mod resolve;
pub mod root;
pub mod source;
pub mod version;
