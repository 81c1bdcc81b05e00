//! `require`: libraries on the library path, modules beside the script, and what is preloaded.

use std::ffi::c_int;
use std::path::{Path, PathBuf};

use assay_plugin::Error;

use super::native::{self, Frame, Native};
use super::state::Vm;
use super::{errors, ffi, lua_State};

static REQUIRE: Native = Native {
    family: "",
    name: c"require",
    run: |_| Ok(0),
};

/// Installs `require` and what `package` has for it. Raises.
pub(crate) unsafe fn install(state: *mut lua_State, vm: &Vm) {
    // SAFETY: called protected, when the VM is made.
    unsafe {
        ffi::lua_getglobal(state, c"package".as_ptr());
        let package = ffi::lua_gettop(state);
        for (name, value) in [(c"cpath", c""), (c"path", c"./?.lua;./?/init.lua")] {
            ffi::lua_pushstring(state, value.as_ptr());
            ffi::lua_setfield(state, package, name.as_ptr());
        }
        ffi::lua_pushcfunction(state, load_library);
        ffi::lua_setfield(state, package, c"loadlib".as_ptr());
        // The first stays Lua's own, which looks at `package.preload`; the others are for C modules.
        ffi::lua_getfield(state, package, c"searchers".as_ptr());
        push_closure(state, vm, package, search_files);
        ffi::lua_rawseti(state, -2, 2);
        for at in 3..=4 {
            ffi::lua_pushnil(state);
            ffi::lua_rawseti(state, -2, at);
        }
        push_closure(state, vm, package, require);
        ffi::lua_setglobal(state, c"require".as_ptr());
        ffi::lua_settop(state, package - 1);
    }
}

unsafe fn push_closure(
    state: *mut lua_State,
    vm: &Vm,
    package: c_int,
    function: ffi::lua_CFunction,
) {
    // SAFETY: as `install`'s.
    unsafe {
        ffi::lua_pushlightuserdata(state, std::ptr::from_ref(vm).cast_mut().cast());
        ffi::lua_pushvalue(state, package);
        ffi::lua_pushcclosure(state, function, 2);
    }
}

/// `package.loadlib`: what Lua answers where it cannot open libraries.
unsafe extern "C-unwind" fn load_library(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        ffi::lua_pushnil(state);
        ffi::lua_pushstring(state, c"C libraries are not loaded, only plugins".as_ptr());
        ffi::lua_pushstring(state, c"absent".as_ptr());
    }
    3
}

/// Not a native: searchers and modules run inside calls that may wait.
unsafe extern "C-unwind" fn require(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; owns nothing when it leaves.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::luaL_checkstack(state, 16, std::ptr::null());
        if ffi::lua_isstring(state, 1) == 0 {
            return failed(state, |frame| frame.expected(1, "string"));
        }
        // A number becomes its text.
        ffi::lua_tolstring(state, 1, std::ptr::null_mut());
        ffi::luaL_getsubtable(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_LOADED_TABLE);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_rawget(state, -2);
        if ffi::lua_toboolean(state, -1) != 0 {
            return 1;
        }
        ffi::lua_settop(state, 1);
        if loads(state) {
            return failed(state, |frame| {
                let name = String::from_utf8_lossy(frame.bytes(1).unwrap_or_default());
                Error::new("loop", format!("module \"{name}\" requires itself while it is loaded"))
                    .hint("have one of the modules in the traceback require the other where it needs it, in a function")
            });
        }
        ffi::lua_getfield(state, ffi::lua_upvalueindex(2), c"searchers".as_ptr());
        if ffi::lua_istable(state, 2) == 0 {
            return failed(state, |_| {
                Error::argument("package.searchers must be a table")
            });
        }
        ffi::lua_pushstring(state, c"".as_ptr());
        search(state, 1)
    }
}

/// Whether a caller of this `require` loads the same module, which would go on until the stack is full.
unsafe fn loads(state: *mut lua_State) -> bool {
    // SAFETY: called by `require`, with room; `lua_getstack` fills what the others read.
    unsafe {
        let mut info: ffi::lua_Debug = std::mem::zeroed();
        let mut level = 1;
        while ffi::lua_getstack(state, level, &mut info) != 0 {
            ffi::lua_getinfo(state, c"f".as_ptr(), &mut info);
            let ours = ffi::lua_tocfunction(state, -1).is_some_and(|function| {
                std::ptr::fn_addr_eq(function, require as ffi::lua_CFunction)
            });
            if ours {
                ffi::lua_settop(state, 1);
                ffi::lua_getlocal(state, &info, 1);
                let same = ffi::lua_rawequal(state, 1, -1) != 0;
                // One that still asks searchers has what they said there: those may require what they like.
                ffi::lua_getlocal(state, &info, 3);
                if same && ffi::lua_type(state, 3) != ffi::LUA_TSTRING {
                    return true;
                }
            }
            ffi::lua_settop(state, 1);
            level += 1;
        }
        false
    }
}

/// Stack: name, searchers, what those before the next one said.
unsafe fn search(state: *mut lua_State, mut at: ffi::lua_KContext) -> c_int {
    // SAFETY: continues `require`.
    unsafe {
        while ffi::lua_rawgeti(state, 2, at as ffi::lua_Integer) != ffi::LUA_TNIL {
            ffi::lua_pushvalue(state, 1);
            ffi::lua_callk(state, 1, 2, at, Some(searched));
            if let Some(results) = take(state) {
                return results;
            }
            at += 1;
        }
        failed(state, not_found)
    }
}

unsafe extern "C-unwind" fn searched(
    state: *mut lua_State,
    _: c_int,
    at: ffi::lua_KContext,
) -> c_int {
    // SAFETY: continues `search`.
    unsafe {
        match take(state) {
            Some(results) => results,
            None => search(state, at + 1),
        }
    }
}

/// Stack: as in `search`, and what a searcher answered: a loader and a value for it, or why there is none.
unsafe fn take(state: *mut lua_State) -> Option<c_int> {
    // SAFETY: continues `require`.
    unsafe {
        if ffi::lua_type(state, 4) == ffi::LUA_TFUNCTION {
            ffi::lua_copy(state, 5, 2);
            ffi::lua_copy(state, 4, 3);
            ffi::lua_settop(state, 3);
            ffi::lua_pushvalue(state, 1);
            ffi::lua_pushvalue(state, 2);
            ffi::lua_callk(state, 2, 1, 0, Some(loaded));
            return Some(loaded(state, ffi::LUA_OK, 0));
        }
        ffi::lua_settop(state, 4);
        if ffi::lua_isstring(state, 4) != 0 {
            // Those written for older versions begin with a line break of their own.
            let breaks = *ffi::lua_tostring(state, 4) == b'\n' as std::ffi::c_char;
            let start = if breaks { c"" } else { c"\n    " };
            ffi::lua_pushstring(state, start.as_ptr());
            ffi::lua_insert(state, 4);
            ffi::lua_concat(state, 3);
        } else {
            ffi::lua_settop(state, 3);
        }
        None
    }
}

/// Stack: name, what the searcher gave (the file), the module's result on top.
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

/// Raises an error.
unsafe fn failed(state: *mut lua_State, error: impl Fn(&Frame<'_>) -> Error) -> c_int {
    // SAFETY: a closure of `install`; nothing is owned when it raises.
    unsafe {
        let vm = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Vm>();
        let nargs = ffi::lua_gettop(state);
        native::fail(state, vm, &REQUIRE, error(&Frame { state, vm, nargs }));
        ffi::lua_error(state)
    }
}

fn not_found(frame: &Frame<'_>) -> Error {
    let text = |index| frame.bytes(index).map(String::from_utf8_lossy);
    let (name, tried) = (text(1).unwrap_or_default(), text(3).unwrap_or_default());
    let error = Error::new("not_found", format!("module \"{name}\" not found{tried}"));
    match name.strip_prefix("assay.") {
        Some(rest) => error.hint(format!(
            "assay install {}",
            rest.split('.').next().unwrap_or(rest)
        )),
        None => error,
    }
}

/// The searcher of files: answers the compiled module and its file, or what was tried.
unsafe extern "C-unwind" fn search_files(state: *mut lua_State) -> c_int {
    // SAFETY: a closure of `install`, called by Lua; owns nothing when it raises.
    unsafe {
        let vm = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Vm>();
        ffi::lua_settop(state, 1);
        ffi::luaL_checkstack(state, 16, std::ptr::null());
        match load(state, vm) {
            Ok(results) => results,
            Err(error) => {
                native::fail(state, vm, &REQUIRE, error);
                ffi::lua_error(state)
            }
        }
    }
}

unsafe fn load(state: *mut lua_State, vm: &Vm) -> Result<c_int, Error> {
    // SAFETY: as `search_files`'s; pushes are protected or cannot raise.
    unsafe {
        let frame = Frame {
            state,
            vm,
            nargs: 1,
        };
        let name = String::from_utf8_lossy(frame.bytes(1)?).into_owned();
        let (path, cpath) = (templates(&frame, c"path")?, templates(&frame, c"cpath")?);
        let (file, root) = match find(vm, &name, &path, &cpath) {
            Ok(found) => found,
            Err(tried) => return frame.push_bytes(tried.as_bytes()).map(|()| 1),
        };
        if let Some(root) = root {
            check_needs(vm, &name, &root)?;
        }
        let source = fs_err::read(&file)
            .map_err(|error| Error::new("io", format!("cannot read the module: {error}")))?;
        let shown = file.display().to_string();
        compile(state, vm, &source, &format!("@{shown}"))?;
        frame.push_bytes(shown.as_bytes())?;
    }
    Ok(2)
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

/// `package.path` or `package.cpath`, as the script may have set it.
unsafe fn templates(frame: &Frame<'_>, field: &std::ffi::CStr) -> Result<String, Error> {
    // SAFETY: a closure of `install`, with room; raw access, and the name is held by the table.
    unsafe {
        ffi::lua_pushstring(frame.state, field.as_ptr());
        ffi::lua_rawget(frame.state, ffi::lua_upvalueindex(2));
        let path = frame
            .bytes(-1)
            .map(|path| String::from_utf8_lossy(path).into_owned());
        ffi::lua_pop(frame.state, 1);
        path.map_err(|_| {
            let field = field.to_string_lossy();
            Error::argument(format!("package.{field} must be a string"))
        })
    }
}

/// The module's file, and the root it came from when it is a library; or what was tried.
fn find(
    vm: &Vm,
    name: &str,
    path: &str,
    cpath: &str,
) -> Result<(PathBuf, Option<PathBuf>), String> {
    // Other names than these are for `package.path` alone, such as "lib/util".
    let is_library =
        !name.contains(['/', '\\', '\0']) && name.split('.').all(|part| !part.is_empty());
    // `assay.one.two` is `one/two` in a root; other publishers keep their first part.
    let in_root = name
        .strip_prefix("assay.")
        .unwrap_or(name)
        .replace('.', "/");
    let mut tried = Vec::new();
    for root in vm.config.roots.iter().filter(|_| is_library) {
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
    let expand = |templates: &str| -> Vec<PathBuf> {
        let templates = templates.split(';').filter(|template| !template.is_empty());
        let name = name.replace('.', "/");
        templates
            .map(|template| PathBuf::from(template.replace('?', &name)))
            .collect()
    };
    let is_there = |file: &PathBuf| file.is_file() && may_read(vm, file);
    let mut compiled = expand(cpath);
    for file in expand(path) {
        if is_there(&file) {
            return Ok((file, None));
        }
        compiled.push(file.with_extension("so"));
        tried.push(file);
    }
    let mut lines: Vec<_> = tried
        .iter()
        .map(|file| format!("no file {}", file.display()))
        .collect();
    if let Some(file) = compiled.iter().find(|file| is_there(file)) {
        lines.push(format!(
            "{} is a C module: only plugins are native code here",
            file.display()
        ));
    }
    Err(lines.join("\n    "))
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
