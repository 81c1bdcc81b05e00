//! `require`: libraries on the library path, modules beside the script, and what is preloaded.

use std::ffi::c_int;
use std::path::{Path, PathBuf};

use assay_plugin::Error;

use super::native::{self, Native};
use super::state::Vm;
use super::{errors, ffi, lua_State};

static REQUIRE: Native = Native {
    family: "",
    name: c"require",
    run: |_| Ok(0),
};

/// Pushes `require`. Raises.
pub(crate) unsafe fn push_require(state: *mut lua_State, vm: &Vm) {
    // SAFETY: an open state with room.
    unsafe {
        ffi::lua_pushlightuserdata(state, std::ptr::from_ref(vm).cast_mut().cast());
        ffi::lua_pushcclosure(state, require, 1);
    }
}

/// Not a native: the module runs inside a call that may wait, so modules may do so at load.
unsafe extern "C-unwind" fn require(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; owns nothing when it leaves.
    unsafe {
        let vm = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Vm>();
        ffi::lua_settop(state, 1);
        ffi::luaL_checkstack(state, 16, std::ptr::null());
        match find(state, vm) {
            Found::Loaded => 1,
            Found::Failed => ffi::lua_error(state),
            // The loader and its two arguments are on top.
            Found::Loader => {
                ffi::lua_callk(state, 2, 1, 0, Some(loaded));
                loaded(state, ffi::LUA_OK, 0)
            }
        }
    }
}

enum Found {
    Loaded,
    Loader,
    Failed,
}

/// Stack: name, file (or nil), the module's result on top.
unsafe extern "C-unwind" fn loaded(state: *mut lua_State, _: c_int, _: ffi::lua_KContext) -> c_int {
    // SAFETY: continues `require`.
    unsafe {
        ffi::luaL_getsubtable(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_LOADED_TABLE);
        // A module that returned nothing may have set its entry itself; else it is `true`.
        if ffi::lua_isnil(state, -2) != 0 {
            ffi::lua_pushvalue(state, 1);
            if ffi::lua_rawget(state, -2) == ffi::LUA_TNIL {
                ffi::lua_pop(state, 1);
                ffi::lua_pushboolean(state, 1);
            }
            ffi::lua_copy(state, -1, -3);
            ffi::lua_pop(state, 1);
        }
        ffi::lua_pushvalue(state, 1);
        ffi::lua_pushvalue(state, -3);
        ffi::lua_rawset(state, -3);
        ffi::lua_pop(state, 1);
        // The module, and where it came from, as Lua's own `require` answers.
        ffi::lua_pushvalue(state, 2);
        2
    }
}

unsafe fn find(state: *mut lua_State, vm: &Vm) -> Found {
    // SAFETY: as `require`'s; every push that may raise is one of Lua's own types, with nothing
    // owned by this frame at that time.
    unsafe {
        if ffi::lua_type(state, 1) != ffi::LUA_TSTRING {
            return failed(
                state,
                vm,
                Error::argument("argument 1: expected string, got another type"),
            );
        }
        ffi::luaL_getsubtable(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_LOADED_TABLE);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_rawget(state, -2);
        if ffi::lua_toboolean(state, -1) != 0 {
            return Found::Loaded;
        }
        ffi::lua_settop(state, 1);
        ffi::luaL_getsubtable(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_PRELOAD_TABLE);
        ffi::lua_pushvalue(state, 1);
        if ffi::lua_rawget(state, -2) != ffi::LUA_TNIL {
            ffi::lua_replace(state, 2);
            ffi::lua_pushnil(state);
            ffi::lua_insert(state, 2);
            ffi::lua_pushvalue(state, 1);
            ffi::lua_pushnil(state);
            return Found::Loader;
        }
        ffi::lua_settop(state, 1);
        match load(state, vm) {
            Ok(()) => Found::Loader,
            Err(error) => failed(state, vm, error),
        }
    }
}

unsafe fn failed(state: *mut lua_State, vm: &Vm, error: Error) -> Found {
    // SAFETY: an open state with room.
    unsafe { native::fail(state, vm, &REQUIRE, error) };
    Found::Failed
}

/// Finds and compiles the module. Leaves name, file, loader, name, file.
unsafe fn load(state: *mut lua_State, vm: &Vm) -> Result<(), Error> {
    // SAFETY: as `find`'s; pushes are protected or cannot raise.
    unsafe {
        let mut len = 0;
        let name = ffi::lua_tolstring(state, 1, &mut len);
        let name = String::from_utf8_lossy(std::slice::from_raw_parts(name.cast::<u8>(), len))
            .into_owned();
        check_name(&name)?;
        let path = package_path(state);
        let (file, root) = search(vm, &name, &path)?;
        if let Some(root) = root {
            check_needs(vm, &name, &root)?;
        }
        let source = fs_err::read(&file)
            .map_err(|error| Error::new("io", format!("cannot read the module: {error}")))?;
        let chunk = format!("@{}", file.display());
        let shown = file.display().to_string();
        if !super::bridge::push_value(state, vm, &shown, None) {
            return Err(errors::out_of_memory(vm));
        }
        compile(state, vm, &source, &chunk)?;
        ffi::lua_pushvalue(state, 1);
        ffi::lua_pushvalue(state, 2);
    }
    Ok(())
}

/// Compiles text (never bytecode) and pushes the function.
pub(crate) unsafe fn compile(
    state: *mut lua_State,
    vm: &Vm,
    source: &[u8],
    name: &str,
) -> Result<(), Error> {
    let chunk = std::ffi::CString::new(name.replace('\0', "?")).unwrap_or_default();
    let source = without_shebang(source);
    // SAFETY: an open state with room; loading is protected by Lua.
    unsafe {
        let status = ffi::luaL_loadbufferx(
            state,
            source.as_ptr().cast(),
            source.len(),
            chunk.as_ptr(),
            c"t".as_ptr(),
        );
        match status {
            ffi::LUA_OK => Ok(()),
            ffi::LUA_ERRMEM => {
                ffi::lua_pop(state, 1);
                Err(errors::out_of_memory(vm))
            }
            _ => {
                let message = errors::describe(state, ffi::lua_gettop(state));
                ffi::lua_pop(state, 1);
                let message = errors::with_full_name(message, name.trim_start_matches('@'));
                Err(Error::new("syntax", message))
            }
        }
    }
}

/// A first line that begins with `#` is blanked; its newline stays, so that lines keep their numbers.
fn without_shebang(source: &[u8]) -> &[u8] {
    if !source.starts_with(b"#") {
        return source;
    }
    let end = source
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(source.len());
    &source[end..]
}

fn check_name(name: &str) -> Result<(), Error> {
    let good = !name.is_empty()
        && !name.contains(['/', '\\', '\0'])
        && name.split('.').all(|part| !part.is_empty());
    if good {
        return Ok(());
    }
    Err(Error::argument(format!(
        "`{}` cannot be the name of a module",
        name.escape_debug()
    ))
    .hint("names are parts joined by dots, such as \"acme.deploy\""))
}

/// `package.path`, as the script may have set it.
unsafe fn package_path(state: *mut lua_State) -> String {
    // SAFETY: an open state with room; raw access, nothing raises.
    unsafe {
        let top = ffi::lua_gettop(state);
        let mut path = String::new();
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_GLOBALS);
        ffi::lua_pushstring(state, c"package".as_ptr());
        if ffi::lua_rawget(state, -2) == ffi::LUA_TTABLE {
            ffi::lua_pushstring(state, c"path".as_ptr());
            if ffi::lua_rawget(state, -2) == ffi::LUA_TSTRING {
                path = errors::describe(state, ffi::lua_gettop(state));
            }
        }
        ffi::lua_settop(state, top);
        path
    }
}

/// The module's file, and the root it came from when it is a library.
fn search(vm: &Vm, name: &str, package_path: &str) -> Result<(PathBuf, Option<PathBuf>), Error> {
    // `assay.one.two` is `one/two` in a root; other publishers keep their first part.
    let in_root = name
        .strip_prefix("assay.")
        .unwrap_or(name)
        .replace('.', "/");
    let mut tried = Vec::new();
    for root in &vm.config.roots {
        let (folder, file) = (
            root.join(&in_root).join("init.lua"),
            root.join(format!("{in_root}.lua")),
        );
        // A library is a folder, its parts are files: each is looked for first as what it mostly is.
        for file in if in_root.contains('/') {
            [file, folder]
        } else {
            [folder, file]
        } {
            if file.is_file() {
                return Ok((file, Some(root.clone())));
            }
            tried.push(file);
        }
    }
    for template in package_path
        .split(';')
        .filter(|template| !template.is_empty())
    {
        let file = PathBuf::from(template.replace('?', &name.replace('.', "/")));
        if file.is_file() && may_read(vm, &file) {
            return Ok((file, None));
        }
        tried.push(file);
    }
    let list: String = tried
        .iter()
        .map(|path| format!("\n    no file {}", path.display()))
        .collect();
    let error = Error::new("not_found", format!("module \"{name}\" not found{list}"));
    Err(
        match name
            .strip_prefix("assay.")
            .map(|rest| rest.split('.').next().unwrap_or(rest))
        {
            Some(library) => error.hint(format!("assay install {library}")),
            None => error,
        },
    )
}

/// Modules may come from the script's folder, and from where the script may read.
fn may_read(vm: &Vm, file: &Path) -> bool {
    let beside = || {
        let folder = fs_err::canonicalize(&*vm.inner().folder.borrow());
        let file = fs_err::canonicalize(file);
        matches!((folder, file), (Ok(folder), Ok(file)) if file.starts_with(&folder))
    };
    let policy = &vm.config.policy;
    policy.is_everything() || beside() || policy.allows("fs.read", &file.to_string_lossy())
}

/// Whether the builtins that the library's `.meta` names are there.
fn check_needs(vm: &Vm, name: &str, root: &Path) -> Result<(), Error> {
    let library = name.strip_prefix("assay.").unwrap_or(name);
    let library = library.split('.').next().unwrap_or(library);
    let meta = root.join(".meta").join(format!("lib-{library}.json"));
    let Ok(text) = fs_err::read_to_string(&meta) else {
        return Ok(());
    };
    for builtin in required_builtins(&text) {
        let family = builtin.split('.').next().unwrap_or(&builtin);
        if !vm.config.plugins.knows(family) {
            return Err(Error::new(
                "not_installed",
                format!(
                    "library `{library}` needs `{builtin}`, but plugin `{family}` is not installed"
                ),
            )
            .hint(format!("assay install plugin/{family}")));
        }
    }
    Ok(())
}

/// The strings of the array `"requires_builtins"`: written by `assay install`, so plainly formed.
fn required_builtins(meta: &str) -> Vec<String> {
    let Some((_, rest)) = meta.split_once("\"requires_builtins\"") else {
        return Vec::new();
    };
    let Some((_, rest)) = rest.split_once('[') else {
        return Vec::new();
    };
    let Some((list, _)) = rest.split_once(']') else {
        return Vec::new();
    };
    list.split(',')
        .map(|item| item.trim().trim_matches('"').to_owned())
        .filter(|item| !item.is_empty())
        .collect()
}
