//! The boundary's own tests: the header, the layouts, the kit.

mod header;
mod kit;
mod layout;
