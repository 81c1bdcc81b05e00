//! Both readers of plugin files: what either makes of a hostile one is an error.

#![no_main]

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use assay_registry::plugin_file::PluginFile;
use libfuzzer_sys::fuzz_target;

thread_local!(static FILE: RefCell<File> =
    RefCell::new(tempfile::tempfile().expect("a temporary file")));

fuzz_target!(|data: &[u8]| {
    FILE.with_borrow_mut(|file| {
        file.set_len(0).expect("a file that can be cut");
        file.write_all_at(data, 0)
            .expect("a file that can be written");
        let runtime = assay::plugins::elf::read(file);
        let registry = PluginFile::parse(data, Path::new("plugin.so"));
        if let (Ok(runtime), Ok(registry)) = (runtime, registry)
            && let Some(name) = runtime.note.get("name")
            && runtime.note.get("version") == Some(&registry.version)
        {
            // Where both find the note they read the same in it.
            assert_eq!(*name, registry.name);
        }
    });
});
