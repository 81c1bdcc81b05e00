//! `assay types`: LuaCATS stubs for editors and checkers, of everything that a script here can use.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use assay::Error;
use assay::plugins::{self, Function, Registered};

use super::arguments::usage;
use super::setting::Setting;
use super::test::suite;
use super::{exit, terminal};

/// The first line of every file that this command may replace or remove.
const HEADER: &str = "-- Written by `assay types`, which replaces this file when it runs again.\n";

/// What editors read: LuaLS, and EmmyLua beside a file of its own.
const CONFIG: &str = ".luarc.json";

/// Other files that may say it.
const CONFIGS: [&str; 4] = [CONFIG, ".luarc.jsonc", ".emmyrc.json", ".emmyrc.lua"];

/// The stubs of the core. They are held to what is registered below.
const CORE: &[(&str, &str)] = &[
    ("assert", include_str!("../../types/assert.lua")),
    ("async", include_str!("../../types/async.lua")),
    ("base64", include_str!("../../types/base64.lua")),
    ("env", include_str!("../../types/env.lua")),
    ("fs", include_str!("../../types/fs.lua")),
    ("json", include_str!("../../types/json.lua")),
    ("log", include_str!("../../types/log.lua")),
    ("regex", include_str!("../../types/regex.lua")),
    ("require", include_str!("../../types/require.lua")),
    ("sleep", include_str!("../../types/sleep.lua")),
    ("time", include_str!("../../types/time.lua")),
    ("toml", include_str!("../../types/toml.lua")),
    ("yaml", include_str!("../../types/yaml.lua")),
];

/// Writes the stubs into a folder; the exit code.
///
/// # Errors
/// When the folder holds what is not ours, or cannot be written.
pub fn run(folder: &Path) -> Result<u8, Error> {
    let setting = Setting::of(Path::new("."))?;
    let mut stubs = Stubs::default();
    let broken = stubs.builtins(&setting);
    stubs.libraries(&setting.roots, folder)?;
    stubs.write(folder)?;
    let code = match broken.is_empty() {
        true => exit::OK,
        false => exit::FAILED,
    };
    for error in broken {
        terminal::error(&error.into());
    }
    terminal::talk(&format!(
        "types of the core, {} and {} are in {}\n",
        counted(stubs.plugins, "plugin", "plugins"),
        counted(stubs.libraries, "library", "libraries"),
        folder.display()
    ));
    configure(Path::new("."), folder)?;
    Ok(code)
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// What is to be written, by path below the folder.
#[derive(Default)]
struct Stubs {
    files: BTreeMap<PathBuf, Vec<u8>>,
    plugins: usize,
    libraries: usize,
}

impl Stubs {
    fn add(&mut self, path: PathBuf, text: &[u8]) {
        // A `#!` is one only in the first line.
        let shebang: &[u8] = if text.starts_with(b"#!") { b"--" } else { b"" };
        let text = [HEADER.as_bytes(), shebang, text].concat();
        self.files.insert(path, text);
    }

    fn add_builtin(&mut self, name: &str, text: &str) {
        let path = Path::new("builtins").join(format!("{name}.lua"));
        self.add(path, text.as_bytes());
    }

    /// The core's, and those of the plugins that scripts get; what is wrong with the others.
    fn builtins(&mut self, setting: &Setting) -> Vec<Error> {
        for (name, text) in CORE {
            self.add_builtin(name, text);
        }
        // What `assay test` adds.
        for family in suite::FAMILIES {
            let family = Registered::of(family);
            self.add_builtin(family.name, &generated(&family));
        }
        let mut broken = Vec::new();
        let mut plugins = plugins::linked_plugins();
        let all = setting.plugins();
        for (name, _) in all.files() {
            if plugins.iter().any(|plugin| plugin.name == name) {
                continue;
            }
            match all
                .choose(name)
                .and_then(|file| plugins::provides(name, file))
            {
                Ok(plugin) => plugins.push(plugin),
                Err(error) => broken.push(error),
            }
        }
        self.plugins = plugins.len();
        for plugin in &plugins {
            match plugin.types {
                Some(types) => self.add_builtin(plugin.name, types),
                None => self.add_builtin(plugin.name, &generated(plugin)),
            }
        }
        broken
    }

    /// Libraries have their types where the code is. They are copied to where `require("assay.NAME")`
    /// leads editors, which know no library roots.
    fn libraries(&mut self, roots: &[PathBuf], folder: &Path) -> Result<(), Error> {
        let own = std::path::absolute(folder).unwrap_or_default();
        for root in roots {
            for path in list(root)? {
                if path != own && !path.ends_with("plugins") && has_modules(&path)? {
                    let before = self.files.len();
                    self.library(&path, Path::new("assay"))?;
                    self.libraries += usize::from(self.files.len() > before);
                }
            }
        }
        Ok(())
    }

    fn library(&mut self, from: &Path, into: &Path) -> Result<(), Error> {
        let name = from.file_name().unwrap_or_default();
        let to = into.join(name);
        if from.is_dir() {
            for path in list(from)? {
                // A link may lead back up.
                if !path.is_symlink() && !path.ends_with("tests") {
                    self.library(&path, &to)?;
                }
            }
            return Ok(());
        }
        let is_test = name.to_string_lossy().ends_with("_test.lua");
        // The first root that has a module hides it in the others, as for `require`.
        if is_lua(from) && !is_test && !self.files.contains_key(&to) {
            self.add(to, &fs_err::read(from).map_err(failed)?);
        }
        Ok(())
    }

    /// Writes what differs, and removes what an earlier run wrote and is no more.
    fn write(&self, folder: &Path) -> Result<(), Error> {
        if folder.exists() && !folder.is_dir() {
            return Err(usage(format!("{} is no folder", folder.display())));
        }
        let mut old = Vec::new();
        for part in ["builtins", "assay"] {
            written(&folder.join(part), &mut old)?;
        }
        let mut changed = Vec::new();
        for (path, text) in &self.files {
            let path = folder.join(path);
            let found = match fs_err::read(&path) {
                Ok(found) => found,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(failed(error)),
            };
            if !found.is_empty() && !found.starts_with(HEADER.as_bytes()) {
                return Err(usage(format!(
                    "{} is there, and not by `assay types`",
                    path.display()
                ))
                .with_hint("name another folder, or move the file away"));
            }
            if found != *text {
                changed.push((path, text));
            }
        }
        for (path, text) in changed {
            fs_err::create_dir_all(path.parent().unwrap_or(folder)).map_err(failed)?;
            fs_err::write(path, text).map_err(failed)?;
        }
        for path in old {
            let is_current = path
                .strip_prefix(folder)
                .is_ok_and(|path| self.files.contains_key(path));
            if !is_current {
                fs_err::remove_file(path).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// What is in a folder and not hidden, sorted; nothing where there is no folder.
fn list(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// Whether it is a module, or has one directly in it: what else lies in a root is no library.
fn has_modules(path: &Path) -> Result<bool, Error> {
    Ok(is_lua(path) || list(path)?.iter().any(|path| is_lua(path)))
}

fn is_lua(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "lua")
}

/// The files below a folder that an earlier run wrote.
fn written(folder: &Path, out: &mut Vec<PathBuf>) -> Result<(), Error> {
    for path in list(folder)? {
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            written(&path, out)?;
        } else if fs_err::read(&path)
            .map_err(failed)?
            .starts_with(HEADER.as_bytes())
        {
            out.push(path);
        }
    }
    Ok(())
}

/// The stubs of a family that brings none, from what it registers.
fn generated(family: &Registered) -> String {
    let mut out = String::from("---@meta\n");
    for class in &family.classes {
        let _ = write!(out, "\n{}---@class {}\n", text(class.doc), class.name);
        fields(&mut out, &class.methods, Some(class.name));
    }
    let _ = write!(out, "\n{}---@class {}\n", text(family.doc), family.name);
    fields(&mut out, &family.functions, None);
    let _ = writeln!(out, "{} = {{}}", family.name);
    out
}

/// Functions as fields of a class.
fn fields(out: &mut String, functions: &[Function], class: Option<&str>) {
    for function in functions {
        let doc = text(function.doc);
        let signature = without_self(function.signature);
        let _ = match (function.name, class) {
            ("__call", _) => writeln!(out, "{doc}---@overload {signature}"),
            (name, _) if name.starts_with("__") => Ok(()),
            (name, None) => writeln!(out, "{doc}---@field {name} {signature}"),
            (name, Some(class)) => {
                let rest = signature.strip_prefix("fun(").unwrap_or(")");
                let comma = if rest.starts_with(')') { "" } else { ", " };
                writeln!(out, "{doc}---@field {name} fun(self: {class}{comma}{rest}")
            }
        };
    }
}

/// `fun(self: X, a: T): R` as `fun(a: T): R`.
fn without_self(signature: &str) -> String {
    let Some(rest) = signature.strip_prefix("fun(self") else {
        return signature.to_owned();
    };
    let end = rest.find([',', ')']).unwrap_or(rest.len());
    format!("fun({}", rest[end..].trim_start_matches([',', ' ']))
}

/// A documentation as comment lines.
fn text(doc: &str) -> String {
    doc.lines()
        .map(|line| format!("---{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect()
}

/// Tells editors where the types are: in a new file, or by saying what belongs into the one that is there.
fn configure(project: &Path, folder: &Path) -> Result<(), Error> {
    let library = format!("{:?}", folder.display().to_string());
    let there = CONFIGS.iter().find(|name| project.join(name).exists());
    if let Some(name) = there {
        let text = fs_err::read_to_string(project.join(name)).unwrap_or_default();
        if !text.contains(&library) {
            terminal::talk(&format!(
                "{name} is there already: `workspace.library` in it needs {library}\n"
            ));
        }
        return Ok(());
    }
    let text = format!(
        "{{\n  \"runtime.version\": \"Lua 5.5\",\n  \"workspace.library\": [{library}],\n  \
         \"workspace.ignoreDir\": [\".assay\"],\n  \"workspace.checkThirdParty\": false\n}}\n"
    );
    fs_err::write(project.join(CONFIG), text).map_err(failed)?;
    terminal::talk(&format!(
        "{CONFIG} was written: editors with LuaLS or EmmyLua find them\n"
    ));
    Ok(())
}

fn failed(error: std::io::Error) -> Error {
    Error::new("io", error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names of a stub's functions, and whether the family itself can be called.
    fn stubbed(name: &str, text: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let class = format!("---@class {name}");
        let mut is_family = false;
        for line in text.lines() {
            if line.starts_with("---@class ") {
                is_family = line == class;
            } else if is_family && line.starts_with("---@overload ") {
                names.insert("__call".to_owned());
            } else if is_family && let Some(field) = line.strip_prefix("---@field ") {
                names.extend(field.split(' ').next().map(str::to_owned));
            } else if let Some((function, _)) = line
                .strip_prefix("function ")
                .and_then(|rest| rest.split_once('('))
            {
                match function.split_once('.') {
                    Some((_, function)) => names.insert(function.to_owned()),
                    None => names.insert(if function == name { "__call" } else { continue }.into()),
                };
            }
        }
        names
    }

    fn in_vm(script: &str) -> BTreeSet<String> {
        let runtime = assay::EventLoop::new().unwrap();
        let vm = assay::Vm::new(assay::Config::default()).unwrap();
        let found = runtime
            .block_on(vm.eval("=test", script.as_bytes()))
            .unwrap();
        let text = String::from_utf8(match found {
            assay_plugin::Value::Bytes(bytes) => bytes,
            other => panic!("{other:?}"),
        });
        text.unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    /// Those of `builtins` are held with their parameters, by a test there.
    #[test]
    fn stubs_of_the_core_are_what_is_registered() {
        for (name, text) in CORE {
            let found = in_vm(&format!(
                "local family, names = {name}, {{}}
                 if type(family) == 'function' then return '__call' end
                 for name in pairs(family) do names[#names + 1] = name end
                 if getmetatable(family) and getmetatable(family).__call then names[#names + 1] = '__call' end
                 return table.concat(names, ' ')"
            ));
            assert_eq!(stubbed(name, text), found, "{name}");
        }
    }

    #[test]
    fn every_global_has_a_stub() {
        let lua = "arg assert collectgarbage coroutine debug dofile error getmetatable io ipairs load loadfile math next os \
                   package pairs pcall print rawequal rawget rawlen rawset require select setmetatable string table \
                   tonumber tostring type utf8 warn xpcall _G _VERSION";
        let plugins = ["crypto", "db", "http", "template", "ws"];
        let found = in_vm(
            "local names = {} for name in pairs(_G) do names[#names + 1] = name end return table.concat(names, ' ')",
        );
        let known: BTreeSet<String> = lua
            .split_whitespace()
            .chain(plugins)
            .chain(CORE.iter().map(|(name, _)| *name))
            .map(str::to_owned)
            .collect();
        assert_eq!(
            found.difference(&known).collect::<Vec<_>>(),
            Vec::<&String>::new()
        );
    }

    #[test]
    fn a_family_without_stubs_gets_them_from_what_it_registers() {
        let function = |name, signature, doc| Function {
            name,
            signature,
            doc,
        };
        let family = Registered {
            name: "demo",
            version: "1.0.0",
            doc: " Two\n lines.\n",
            functions: vec![
                function("__call", "fun(): demo.Thing", ""),
                function(
                    "make",
                    "fun(name: string, more?: table): demo.Thing",
                    " Makes one.\n",
                ),
            ],
            classes: vec![plugins::Class {
                name: "demo.Thing",
                doc: "",
                methods: vec![
                    function("__call", "fun(self: demo.Thing, by: integer): string?", ""),
                    function("__close", "fun(self: demo.Thing)", ""),
                    function("close", "fun()", ""),
                    function("add", "fun(by?: integer): integer", ""),
                    function("read", "fun(self: table, max?: integer): string?", ""),
                    function("stop", "fun(self: demo.Thing)", ""),
                ],
            }],
            types: None,
        };
        let wanted = "\
---@meta

---@class demo.Thing
---@overload fun(by: integer): string?
---@field close fun(self: demo.Thing)
---@field add fun(self: demo.Thing, by?: integer): integer
---@field read fun(self: demo.Thing, max?: integer): string?
---@field stop fun(self: demo.Thing)

---Two
---lines.
---@class demo
---@overload fun(): demo.Thing
---Makes one.
---@field make fun(name: string, more?: table): demo.Thing
demo = {}
";
        assert_eq!(generated(&family), wanted);
    }
}
