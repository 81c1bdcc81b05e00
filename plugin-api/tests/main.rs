//! The boundary's own tests: the header, the layouts, the kit, and a plugin in C.

#![expect(clippy::disallowed_methods, reason = "a failure names the line")]

mod conformance;
mod header;
mod kit;
mod layout;
#[cfg(feature = "tls")]
mod tls;
