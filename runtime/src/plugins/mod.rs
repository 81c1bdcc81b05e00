//! Plugins: finding `.so` files, checking them, loading one when a script first touches its family.

pub mod check;
pub mod elf;
pub mod load;
mod registered;

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, c_int};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_plugin::abi::PluginDecl;
use semver::Version;

use crate::Error;
use crate::lua::native;
use crate::lua::state::Vm;
use crate::lua::{errors, ffi, host, lua_State};

pub use registered::{Class, Function, Registered};

/// Families of our own publishing: known when they are not installed, so that the error can say how
/// to get them.
const PUBLISHED: [&str; 5] = ["crypto", "db", "http", "template", "ws"];

/// Families that are always there.
const CORE: [&str; 13] = [
    "assert", "async", "base64", "env", "fs", "json", "log", "regex", "require", "sleep", "time",
    "toml", "yaml",
];

/// The plugins that a VM can reach.
#[derive(Clone, Default)]
pub struct Plugins(Arc<Found>);

#[derive(Default)]
struct Found {
    files: BTreeMap<String, Vec<Candidate>>,
    pins: HashMap<String, String>,
}

/// A file that is named as a plugin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// By the file's name.
    pub version: Version,
    /// `DIR/plugins/<name>-<version>.so`.
    pub path: PathBuf,
}

/// Plugins that are linked into this executable.
#[cfg(feature = "static-plugins")]
pub static LINKED: &[&PluginDecl] = &[
    &assay_http::ASSAY_PLUGIN,
    &assay_crypto::ASSAY_PLUGIN,
    &assay_db::ASSAY_PLUGIN,
    &assay_template::ASSAY_PLUGIN,
    &assay_ws::ASSAY_PLUGIN,
];
/// Plugins that are linked into this executable.
#[cfg(not(feature = "static-plugins"))]
pub static LINKED: &[&PluginDecl] = &[];

fn linked(name: &str) -> Option<&'static PluginDecl> {
    // SAFETY: names are statics.
    #[allow(unsafe_code)]
    LINKED
        .iter()
        .copied()
        .find(|plugin| unsafe { plugin.name.text() } == name)
}

impl Plugins {
    /// Looks for `plugins/<name>-<version>.so` in library roots; the first root that has a family
    /// wins. `pins` names the only version to take of a family, as a lock file does.
    pub fn discover(roots: &[PathBuf], pins: HashMap<String, String>) -> Self {
        let mut files: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
        for root in roots.iter().filter(|root| root.is_absolute()) {
            let mut here: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
            let Ok(entries) = fs_err::read_dir(root.join("plugins")) else {
                continue;
            };
            for entry in entries.flatten() {
                if let Some((name, version)) = parse_file_name(&entry.file_name().to_string_lossy())
                {
                    let path = entry.path();
                    let candidate = Candidate { version, path };
                    let candidates: &mut Vec<_> = here.entry(name).or_default();
                    let at = candidates.partition_point(|other| *other > candidate);
                    candidates.insert(at, candidate);
                }
            }
            for (name, candidates) in here {
                files.entry(name).or_insert(candidates);
            }
        }
        Self(Arc::new(Found { files, pins }))
    }

    /// Whether a family is there: core, linked, or installed.
    pub fn knows(&self, family: &str) -> bool {
        CORE.contains(&family) || linked(family).is_some() || self.0.files.contains_key(family)
    }

    /// Every file that was found, newest first in each family.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[Candidate])> {
        self.0
            .files
            .iter()
            .map(|(name, candidates)| (name.as_str(), candidates.as_slice()))
    }

    /// The file that a family is loaded from: the pinned version, or the newest that speaks our ABI.
    /// A broken file is an error, never a reason to take another.
    ///
    /// # Errors
    /// When none is installed, or the one to take cannot be.
    pub fn choose(&self, name: &str) -> Result<&Candidate, Error> {
        let candidates = self.0.files.get(name).map_or(&[][..], Vec::as_slice);
        if let Some(pin) = self.0.pins.get(name) {
            return candidates
                .iter()
                .find(|candidate| candidate.version.to_string() == *pin)
                .ok_or_else(|| {
                    Error::new(
                        "not_installed",
                        format!("plugin `{name}` {pin}, which assay.lock pins, is not installed"),
                    )
                    .with_hint("assay install")
                });
        }
        let mut refused = None;
        for candidate in candidates {
            let version = candidate.version.to_string();
            let file = load::open(&candidate.path, name, &version)?;
            match check::check(&candidate.path, &file, name, &version) {
                Ok(_) => return Ok(candidate),
                Err(error) if error.kind == "plugin_abi" => {
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or_else(|| not_installed(name)))
    }

    fn load(&self, name: &str) -> Result<&'static PluginDecl, Error> {
        if let Some(plugin) = linked(name) {
            return host::init(plugin).map(|()| plugin).map_err(Into::into);
        }
        let candidate = self.choose(name)?;
        load::load(&candidate.path, name, &candidate.version.to_string())
    }
}

/// The plugins that are linked into this executable. They come before files of the same name.
pub fn linked_plugins() -> Vec<Registered> {
    LINKED.iter().copied().map(Registered::of).collect()
}

/// Loads a plugin, as its first use in a script would: what it registers.
///
/// # Errors
/// When it is broken.
pub fn provides(name: &str, candidate: &Candidate) -> Result<Registered, Error> {
    load::load(&candidate.path, name, &candidate.version.to_string()).map(Registered::of)
}

fn not_installed(name: &str) -> Error {
    Error::new("not_installed", format!("plugin `{name}` is not installed"))
        .with_hint(format!("assay install plugin/{name}"))
}

/// `http-0.5.0.so`: name and version.
fn parse_file_name(file: &str) -> Option<(String, Version)> {
    let stem = file.strip_suffix(".so")?;
    let (name, version) = stem.split_once('-')?;
    let good = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    Some((name.to_owned(), Version::parse(version).ok()?)).filter(|_| good)
}

/// The plugin of a path given by hand, for `assay plugins FILE`.
///
/// # Errors
/// When the name is not a plugin's, or the file is refused.
pub fn inspect(path: &Path) -> Result<check::Checked, Error> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let Some((name, version)) = parse_file_name(&name) else {
        return Err(Error::new(
            "plugin",
            format!("{} is not named as a plugin", path.display()),
        )
        .with_hint("name it <name>-<version>.so"));
    };
    let version = version.to_string();
    check::check(path, &load::open(path, &name, &version)?, &name, &version)
}

/// Sets a global for each family that can be reached; its plugin is loaded when it is first used.
/// Raises on lack of memory.
///
/// # Safety
/// Protected, on the VM's thread.
#[allow(unsafe_code)]
pub(crate) unsafe fn install(state: *mut lua_State, vm: &Vm) {
    // SAFETY: as `install_proxy`'s; the names outlive the VM in its configuration.
    unsafe { each(vm, |name| install_proxy(state, vm, name)) }
}

/// The families that scripts see beside the core's, each once.
#[allow(unsafe_code)]
pub(crate) fn each(vm: &Vm, mut see: impl FnMut(&str)) {
    PUBLISHED.into_iter().for_each(&mut see);
    // SAFETY: names are statics.
    let linked = LINKED.iter().map(|plugin| unsafe { plugin.name.text() });
    let found = vm.config.plugins.0.files.keys().map(String::as_str);
    linked
        .chain(found)
        .filter(|name| !PUBLISHED.contains(name) && !CORE.contains(name))
        .for_each(see);
}

#[allow(unsafe_code)]
unsafe fn install_proxy(state: *mut lua_State, vm: &Vm, name: &str) {
    // SAFETY: protected; owns nothing while it may raise.
    unsafe {
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_GLOBALS);
        ffi::lua_pushlstring(state, name.as_ptr().cast(), name.len());
        ffi::lua_createtable(state, 0, 0);
        ffi::lua_createtable(state, 0, 4);
        ffi::lua_pushboolean(state, 0);
        ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        for (meta, function) in [
            (c"__index", index as ffi::lua_CFunction),
            (c"__pairs", pairs),
            (c"__call", call),
        ] {
            ffi::lua_pushlightuserdata(state, std::ptr::from_ref(vm).cast_mut().cast());
            ffi::lua_pushlstring(state, name.as_ptr().cast(), name.len());
            ffi::lua_pushcclosure(state, function, 2);
            ffi::lua_setfield(state, -2, meta.as_ptr());
        }
        ffi::lua_setmetatable(state, -2);
        ffi::lua_rawset(state, -3);
        ffi::lua_pop(state, 1);
    }
}

/// Loads the family into the table at index 1, or leaves an error on top.
#[allow(unsafe_code)]
unsafe fn realize(state: *mut lua_State, function: Option<&CStr>) -> bool {
    // SAFETY: called by the closures of `install_proxy`, which own nothing.
    unsafe {
        let vm = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Vm>();
        let name = CStr::from_ptr(ffi::lua_tostring(state, ffi::lua_upvalueindex(2)));
        let name = name.to_str().unwrap_or_default();
        // Whoever got hold of a metamethod may pass anything.
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        let loaded = match vm.require("plugin", name) {
            Ok(()) => vm.config.plugins.load(name),
            Err(error) => Err(error.into()),
        };
        let plugin = match loaded {
            Ok(plugin) => plugin,
            Err(error) => {
                let mut failed = match (error.kind.as_str(), function) {
                    ("not_installed", Some(function)) => assay_plugin::Error::new(
                        error.kind.clone(),
                        format!("{name}.{}: {}", function.to_string_lossy(), error.message),
                    ),
                    _ => assay_plugin::Error::new(error.kind.clone(), error.to_string()),
                };
                if let Some(hint) = &error.hint {
                    failed = failed.hint(hint);
                }
                errors::push(state, vm, &failed, None);
                return false;
            }
        };
        // Only now the table stops being a proxy: a family that failed to load fails again.
        ffi::lua_pushnil(state);
        ffi::lua_setmetatable(state, 1);
        ffi::lua_pushvalue(state, 1);
        native::fill(state, vm, plugin);
        ffi::lua_pop(state, 1);
        true
    }
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn index(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with the table and a key.
    unsafe {
        ffi::luaL_checkstack(state, 24, std::ptr::null());
        let function = match ffi::lua_type(state, 2) {
            ffi::LUA_TSTRING => Some(CStr::from_ptr(ffi::lua_tostring(state, 2))),
            _ => None,
        };
        if !realize(state, function) {
            ffi::lua_error(state);
        }
        ffi::lua_settop(state, 2);
        ffi::lua_rawget(state, 1);
    }
    1
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn pairs(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with the table.
    unsafe {
        ffi::luaL_checkstack(state, 24, std::ptr::null());
        if !realize(state, None) {
            ffi::lua_error(state);
        }
        ffi::lua_getglobal(state, c"next".as_ptr());
        ffi::lua_pushvalue(state, 1);
        ffi::lua_pushnil(state);
    }
    3
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with the table and arguments.
    unsafe {
        ffi::luaL_checkstack(state, 24, std::ptr::null());
        if !realize(state, None) {
            ffi::lua_error(state);
        }
        native::call_on(state)
    }
}
