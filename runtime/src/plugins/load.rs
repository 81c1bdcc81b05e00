//! Opens checked files. Plugins are never unloaded: their code may be on any stack.

#![expect(
    clippy::disallowed_methods,
    reason = "every error here names the plugin"
)]
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use assay_plugin::abi::{self, PluginDecl};

use super::check::{self, Checked};
use crate::Error;
use crate::lua::host;

/// What the process has loaded, by path; and the native libraries in it, by `links` key.
static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

#[derive(Default)]
struct Loaded {
    plugins: HashMap<PathBuf, &'static PluginDecl>,
    links: HashMap<String, PathBuf>,
}

/// Checks and opens a file, once in the process.
///
/// # Errors
/// One line that names the file and says what to do.
pub fn load(path: &Path, name: &str, version: &str) -> Result<&'static PluginDecl, Error> {
    let mut guard = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = guard.get_or_insert_default();
    if let Some(plugin) = loaded.plugins.get(path) {
        return Ok(plugin);
    }
    let file = open(path, name, version)?;
    let checked = check::check(path, &file, name, version)?;
    for link in &checked.links {
        if let Some(other) = loaded.links.get(link) {
            return Err(broken(
                path,
                &checked,
                &format!(
                    "contains `{link}`, which {} has loaded already",
                    other.display()
                ),
            )
            .with_hint("use versions of the two that share it, or only one of them"));
        }
    }
    let plugin = open_library(path, &file, &checked)?;
    host::init(plugin).map_err(|error| {
        let failed = broken(path, &checked, &format!("init failed: {}", error.message()));
        match error.hint_text() {
            Some(hint) => failed.with_hint(hint),
            None => failed,
        }
    })?;
    loaded.plugins.insert(path.into(), plugin);
    for link in checked.links {
        loaded.links.insert(link, path.into());
    }
    // The descriptor stays open with the library, as long as the process.
    std::mem::forget(file);
    Ok(plugin)
}

/// Tells every plugin of the process that it is to end within so many nanoseconds. Whether one of
/// them runs something that ends by itself.
pub(crate) fn shutdown(nanos: u64) -> bool {
    let mut plugins: Vec<&'static PluginDecl> = super::LINKED.to_vec();
    {
        let guard = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        plugins.extend(guard.iter().flat_map(|loaded| loaded.plugins.values()));
    }
    let mut goes_on = false;
    for plugin in plugins {
        // SAFETY: the name is lent for the call; the table is a static of the plugin, whose size says
        // what it has.
        unsafe {
            let table =
                (plugin.extension)(abi::Str::new("assay.shutdown/1")).cast::<abi::ShutdownApi>();
            if let Some(table) = table.as_ref()
                && table.size as usize >= size_of::<abi::ShutdownApi>()
            {
                goes_on |= (table.shutdown)(nanos) == abi::PENDING;
            }
        }
    }
    goes_on
}

/// Opens a plugin's file to read it.
///
/// # Errors
/// When it cannot be opened.
pub fn open(path: &Path, name: &str, version: &str) -> Result<File, Error> {
    File::open(path).map_err(|error| {
        Error::new(
            "plugin",
            format!(
                "plugin {name} {version} ({}): cannot be opened: {error}",
                path.display()
            ),
        )
    })
}

fn broken(path: &Path, checked: &Checked, what: &str) -> Error {
    let Checked { name, version, .. } = checked;
    Error::new(
        "plugin",
        format!("plugin {name} {version} ({}): {what}", path.display()),
    )
}

fn open_library(path: &Path, file: &File, checked: &Checked) -> Result<&'static PluginDecl, Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW, Symbol};
    // The very file that was checked, where /proc is there: it may be replaced meanwhile.
    let same = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let target = if same.exists() { same.as_path() } else { path };
    // SAFETY: loading runs the file's initialisers: it is native code and trusted as such.
    let library =
        unsafe { Library::open(Some(target), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| {
            broken(path, checked, &format!("cannot be loaded: {error}"))
                .with_hint(format!("assay install plugin/{}", checked.name))
        })?;
    let symbol = format!("assay_plugin_v1_{}", checked.name);
    let plugin = {
        // SAFETY: the symbol is data of the type that the ABI says.
        let found: Result<Symbol<*const PluginDecl>, _> = unsafe { library.get(symbol.as_bytes()) };
        found.map(|symbol| *symbol).map_err(|_| {
            broken(path, checked, &format!("has no symbol `{symbol}`"))
                .with_hint("declare it with `plugin!`, and build a cdylib")
        })?
    };
    // Never unload.
    std::mem::forget(library);
    // SAFETY: data of the library, which stays loaded.
    let plugin = unsafe { &*plugin };
    if plugin.magic != abi::MAGIC || plugin.major != abi::ABI_MAJOR {
        return Err(broken(
            path,
            checked,
            "has a declaration that does not fit its note",
        )
        .with_hint(format!("assay install plugin/{}", checked.name)));
    }
    Ok(plugin)
}

/// The user that this process acts as.
pub fn effective_user() -> u32 {
    // SAFETY: always succeeds.
    unsafe { libc::geteuid() }
}

/// The version of the running glibc, from glibc itself.
pub fn glibc_version() -> Option<String> {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: answers a static text.
        let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
        version.to_str().ok().map(Into::into)
    }
    #[cfg(not(target_env = "gnu"))]
    None
}
