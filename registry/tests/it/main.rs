//! Tests of `assay-registry` from outside: the built executable against layout
//! directories, real registries and hostile servers.

mod credentials;
mod documentation;
mod hostile;
mod interruption;
mod messages;
mod network;
mod project;
mod resolution;
mod round_trip;
mod support;
