//! The release tree.

use std::path::{Path, PathBuf};

use crate::project;

/// The tree: `ASSAY_DIST`, else `dist/` of the project.
pub fn dist() -> PathBuf {
    std::env::var_os("ASSAY_DIST").map_or_else(|| project().join("dist"), PathBuf::from)
}

/// `dist/bin/<name>`.
///
/// # Panics
/// When it has not been built.
pub fn binary(name: &str) -> PathBuf {
    let path = dist().join("bin").join(name);
    let target = if name.ends_with("static") {
        "static"
    } else {
        "dist"
    };
    assert!(
        path.is_file(),
        "{} is missing: run `make {target}` first",
        path.display()
    );
    path
}

/// `dist/lib/assay`: the libraries and, in `plugins/`, the plugins.
pub fn root() -> PathBuf {
    dist().join("lib/assay")
}

/// The plugin files of the tree.
///
/// # Panics
/// When there are none.
pub fn plugins() -> Vec<PathBuf> {
    let mut files = list(&root().join("plugins"));
    files.retain(|path| path.extension().is_some_and(|extension| extension == "so"));
    assert!(
        !files.is_empty(),
        "{} has no plugins: run `make dist` first",
        root().display()
    );
    files
}

/// A library root without the plugins, for what must do without: links into the tree.
///
/// # Panics
/// When it cannot be made.
pub fn libraries_only(folder: &Path) -> PathBuf {
    let to = folder.join("libraries");
    fs_err::create_dir_all(&to).expect("make a root");
    for path in list(&root()) {
        let name = path.file_name().expect("an entry's name");
        if name != "plugins" {
            std::os::unix::fs::symlink(&path, to.join(name)).expect("link a library");
        }
    }
    to
}

/// The entries of a folder, sorted; none if there is no folder.
pub fn list(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs_err::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}
