//! What the tests of the built artefacts share.

pub mod fixtures;
