//! What the tests of the built artefacts share: where those are, and how to run them.
//!
//! Not here: any crate of the project. The tests see what users get.
//!
//! # Layout
//! - [`dist`]: the release tree that `make dist` leaves.
//! - [`command`]: running a program with a deadline.
//! - [`fixtures`]: plugins that are built for the tests, good and broken ones.

pub mod command;
pub mod dist;
pub mod fixtures;

use std::path::{Path, PathBuf};

/// The project's folder.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the project")
        .into()
}
