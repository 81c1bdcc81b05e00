//! What a VM of the command line is made with: library roots, pinned plugins, the log.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use assay::plugins::Plugins;
use assay::{Config, Error};
use toml::de::{DeTable, DeValue};

use super::env;

/// Where a script's libraries and plugins are.
pub struct Setting {
    /// Absolute.
    pub roots: Vec<PathBuf>,
    /// Versions by family, from `assay.lock`.
    pub pins: HashMap<String, String>,
    /// The one of the roots that came with the project.
    project_root: Option<PathBuf>,
}

impl Setting {
    /// As it is for a script in that folder.
    ///
    /// # Errors
    /// For a lock file that cannot be read.
    pub fn of(folder: &Path) -> Result<Self, Error> {
        let project = project(folder);
        let pins = match &project {
            Some(project) => pins(&project.join("assay.lock"))?,
            None => HashMap::new(),
        };
        let asked = env::library_path();
        let project_root = match &asked {
            Some(_) => None,
            None => project.map(|project| project.join(".assay")),
        };
        let roots = asked.unwrap_or_else(|| defaults(project_root.clone()));
        Ok(Self {
            roots: absolute(roots),
            pins,
            project_root,
        })
    }

    /// The plugins that it has.
    pub fn plugins(&self) -> Plugins {
        Plugins::discover(&self.roots, self.pins.clone())
    }

    /// Those that a sandbox has: a script that is not trusted brings no native code in its folder,
    /// and does not choose among versions.
    pub fn plugins_of_sandbox(&self) -> Plugins {
        let brought = |root: &&PathBuf| Some(*root) == self.project_root.as_ref();
        let roots: Vec<PathBuf> = (self.roots.iter())
            .filter(|root| !brought(root))
            .cloned()
            .collect();
        Plugins::discover(&roots, HashMap::new())
    }

    /// What a VM is made with.
    ///
    /// # Errors
    /// For variables of the environment that make no sense.
    pub fn config(&self) -> Result<Config, Error> {
        let mut config = Config::default();
        config.roots = self.roots.clone();
        config.plugins = self.plugins();
        config.log = env::log()?;
        Ok(config)
    }
}

/// The nearest folder upward that has an `assay.toml`.
fn project(folder: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(folder).ok()?;
    folder
        .ancestors()
        .find(|folder| folder.join("assay.toml").is_file())
        .map(Into::into)
}

fn defaults(project_root: Option<PathBuf>) -> Vec<PathBuf> {
    let mut roots = Vec::with_capacity(5);
    roots.extend(project_root);
    roots.extend(env::data_folder());
    if let Ok(exe) = std::env::current_exe()
        && let Some(prefix) = exe.parent().and_then(Path::parent)
    {
        roots.push(prefix.join("lib/assay"));
    }
    roots.extend(["/lib/assay", "/usr/lib/assay"].map(PathBuf::from));
    roots
}

/// Made absolute, each once: plugins are loaded from absolute paths only.
fn absolute(roots: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> = Vec::with_capacity(roots.len());
    for root in roots
        .iter()
        .filter_map(|root| std::path::absolute(root).ok())
    {
        if !out.contains(&root) {
            out.push(root);
        }
    }
    out
}

/// The versions of plugins in a lock file. Only what is needed is read: `assay-registry` writes the
/// file and checks the rest.
fn pins(lock: &Path) -> Result<HashMap<String, String>, Error> {
    let failed = |what: String| {
        Error::new("lock", what)
            .with_hint("take assay.lock from version control, or delete it and run `assay install`")
    };
    let broken = |what: String| failed(format!("{}: {what}", lock.display()));
    let text = match fs_err::read_to_string(lock) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(failed(error.to_string())),
    };
    let document = DeTable::parse(&text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.as_bytes()[..at.min(text.len())]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count()
            + 1;
        broken(format!("line {line}: {}", error.message()))
    })?;
    let mut pins = HashMap::new();
    let Some(DeValue::Array(packages)) = document
        .get_ref()
        .get("package")
        .map(|packages| packages.get_ref())
    else {
        return Ok(pins);
    };
    for package in packages {
        let text = |key: &str| match package.get_ref() {
            DeValue::Table(table) => table.get(key).and_then(|value| value.get_ref().as_str()),
            _ => None,
        };
        let (Some(kind), Some(name), Some(version)) = (text("kind"), text("name"), text("version"))
        else {
            return Err(broken("a package has no kind, name or version".into()));
        };
        if kind == "plugin" {
            pins.insert(name.to_owned(), version.to_owned());
        }
    }
    Ok(pins)
}
