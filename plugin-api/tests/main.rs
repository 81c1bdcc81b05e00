//! The boundary's own tests: the header, the layouts, the kit, and a plugin in C.

mod conformance;
mod header;
mod kit;
mod layout;
