//! The executable.
fn main() {
    let path = std::env::args_os().nth(1).unwrap();
    let roots: Vec<std::path::PathBuf> = std::env::var("ASSAY_LIB_PATH").unwrap_or_default().split(':').map(Into::into).collect();
    let mut config = assay::Config::default();
    config.plugins = assay::plugins::Plugins::discover(&roots, Default::default());
    config.roots = roots;
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let vm = assay::Vm::new(config).unwrap();
    let src = std::fs::read(&path).unwrap();
    vm.set_script_dir(std::path::Path::new(&path).parent().unwrap()).unwrap();
    let name = format!("@{}", path.to_string_lossy());
    if let Err(e) = rt.block_on(vm.run(&name, &src)) { 
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "error: {e}\nkind: {} source: {:?}\n{}\nhint: {:?}", e.kind, e.source, e.traceback.clone().unwrap_or_default(), e.hint); drop(vm); std::process::exit(1) }
}
