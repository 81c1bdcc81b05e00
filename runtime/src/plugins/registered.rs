//! What a plugin says of itself: its functions and classes with their texts and types.

use assay_plugin::abi::{FnDesc, PluginDecl, Str};

/// What a plugin registers.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The family.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Its functions; `__call` makes the family callable.
    pub functions: Vec<Function>,
    /// The classes of its objects and records.
    pub classes: Vec<Class>,
    /// LuaCATS stubs, when it brings them.
    pub types: Option<&'static str>,
}

/// A function, or a method of a class.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name in Lua, without the family's.
    pub name: &'static str,
    /// Its LuaCATS type: `fun(name: string): string`.
    pub signature: &'static str,
    /// What it does.
    pub doc: &'static str,
}

/// A class.
#[derive(Debug, Clone)]
pub struct Class {
    /// With its family: `http.Client`.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Its methods and metamethods.
    pub methods: Vec<Function>,
}

impl Registered {
    /// Reads a description.
    #[allow(unsafe_code)]
    pub fn of(plugin: &'static PluginDecl) -> Self {
        // SAFETY: a plugin's description, and all that it points to, live as long as the process. The
        // extension is a function of it; the name is lent for the call.
        unsafe {
            let class = |at: usize| {
                let class = &**plugin.classes.add(at);
                Class {
                    name: class.type_name.text(),
                    doc: class.doc.text(),
                    methods: functions(class.methods, class.nmethods),
                }
            };
            let types = (plugin.extension)(Str::new("assay.types/1")).cast::<Str>();
            Self {
                name: plugin.name.text(),
                version: plugin.version.text(),
                doc: plugin.doc.text(),
                functions: functions(plugin.fns, plugin.nfns),
                classes: (0..plugin.nclasses as usize).map(class).collect(),
                types: types.as_ref().map(|types| types.text()),
            }
        }
    }

    /// The names of its functions in Lua, sorted.
    pub fn names(&self) -> Vec<String> {
        let name = |function: &Function| match function.name {
            "__call" => self.name.to_owned(),
            name => format!("{}.{name}", self.name),
        };
        let mut names: Vec<String> = self.functions.iter().map(name).collect();
        crate::order::by_name(&mut names, |name| name.as_bytes());
        names
    }
}

/// # Safety
/// As many statics.
#[allow(unsafe_code)]
unsafe fn functions(list: *const FnDesc, len: u32) -> Vec<Function> {
    let function = |at: usize| {
        // SAFETY: the caller's promise.
        unsafe {
            let desc = &*list.add(at);
            Function {
                name: desc.name.text(),
                signature: desc.sig.text(),
                doc: desc.doc.text(),
            }
        }
    };
    (0..len as usize).map(function).collect()
}
