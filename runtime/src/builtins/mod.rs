//! The core builtins: families that are always there, written with the plugin kit and registered
//! through the same bridge as plugins.
//!
//! Each module is a family of the same name and exports `FAMILY`. What needs the Lua VM itself
//! (json, env, log, async, assert, require) is not here but in the bridge.

pub mod base64;
pub mod fs;
pub mod regex;
pub mod sleep;
pub mod time;
pub mod toml;
pub mod yaml;

mod place;

use assay_plugin::abi::PluginDecl;

/// Every family of this module.
pub static FAMILIES: &[&PluginDecl] = &[
    &base64::FAMILY,
    &fs::FAMILY,
    &regex::FAMILY,
    &sleep::FAMILY,
    &time::FAMILY,
    &toml::FAMILY,
    &yaml::FAMILY,
];

#[cfg(test)]
mod tests {
    #[test]
    fn types_are_what_is_registered() {
        let types = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("types");
        for family in super::FAMILIES {
            // SAFETY: a static.
            #[allow(unsafe_code)]
            let name = unsafe { family.name.text() };
            let stubs = fs_err::read_to_string(types.join(format!("{name}.lua"))).unwrap();
            assay_plugin::test::check_types(family, &stubs);
        }
    }
}
