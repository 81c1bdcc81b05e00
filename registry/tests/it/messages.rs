//! What people read when they, or a file, got something wrong.

use crate::support::{Lab, Output, shared_library};

fn says(output: &Output, code: i32, expected: &str) {
    assert_eq!((output.code, output.stderr.as_str()), (code, expected));
    assert_eq!(output.stdout, "");
}

#[test]
fn unknown_packages() {
    let lab = Lab::new();
    lab.publish_all("oci:packages", "0.1.0");
    let at = lab.path("packages").display().to_string();
    let install = |name: &str| {
        lab.run(&[
            "install",
            name,
            "--root",
            "root",
            "--registry",
            "oci:packages",
        ])
    };
    says(
        &install("valut"),
        2,
        &format!(
            "error: there is no library `valut` in oci:{at}\n\nhint: did you mean `vault`? assay install vault\n"
        ),
    );
    says(
        &install("http"),
        2,
        &format!(
            "error: there is no library `http` in oci:{at}\n\nhint: there is a plugin `http`: assay install plugin/http\n"
        ),
    );
    says(
        &install("grafana"),
        2,
        &format!(
            "error: there is no library `grafana` in oci:{at}\n\nhint: there are: certmanager, k8s, vault, plugin/crypto, plugin/http\n"
        ),
    );
    let done = lab.run(&["info", "vault@^9", "--registry", "oci:packages"]);
    says(
        &done,
        2,
        &format!("error: there is no library `vault` ^9 in oci:{at}\n\nhint: there are: 0.1.0\n"),
    );
}

#[test]
fn sources_that_are_not_there() {
    let lab = Lab::new();
    let done = lab.run(&[
        "install",
        "vault",
        "--root",
        "root",
        "--registry",
        "oci:nowhere",
    ]);
    let at = lab.path("nowhere").display().to_string();
    says(
        &done,
        2,
        &format!(
            "error: there is no OCI layout at {at}\n\nhint: publish to it first: assay publish --manifest MANIFEST --to oci:DIR; or name another source with --registry\n"
        ),
    );
    let done = lab.run(&[
        "install",
        "vault",
        "--root",
        "root",
        "--registry",
        "127.0.0.1:1/x",
    ]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr
            .starts_with("error: http://127.0.0.1:1/v2/x/lib/vault/tags/list cannot be reached: "),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr
            .ends_with("\n\nhint: check the address, and that the registry is running\n"),
        "{}",
        done.stderr
    );
    let done = lab.run(&["install", "vault", "--registry", "packages"]);
    assert!(
        done.stderr
            .starts_with("error: `packages` is not a source of packages\n\nhint: "),
        "{}",
        done.stderr
    );
}

#[test]
fn the_command_line() {
    let lab = Lab::new();
    says(
        &lab.run(&["instal"]),
        2,
        "error: there is no command `instal`\n\nhint: did you mean `install`?\n",
    );
    says(
        &lab.run(&["install", "--lokced"]),
        2,
        "error: `install` has no option `--lokced`\n\nhint: did you mean `--locked`?\n",
    );
    says(
        &lab.run(&[]),
        2,
        "error: no command was given\n\nhint: assay-registry --help lists them\n",
    );
    says(
        &lab.run(&["install"]),
        2,
        "error: nothing to install: no names were given and there is no assay.toml here or above\n\nhint: name packages, for example `assay install vault k8s`\n",
    );
    says(
        &lab.run(&["publish"]),
        2,
        "error: `publish` needs to know where to publish\n\nhint: add --to oci:DIR or --to HOST/PATH\n",
    );
    says(
        &lab.run(&["install", "../etc"]),
        2,
        "error: `../etc`: `..` is not a kind of package\n\nhint: write `etc` for a library or `plugin/etc` for a plugin\n",
    );
    says(
        &lab.run(&["install", "--locked"]),
        2,
        "error: `--locked` needs a project, and there is no assay.toml here\n\nhint: run it in the project's folder, or leave out --locked\n",
    );
    assert_eq!(
        lab.ok(&["--version"]).stdout,
        format!("assay-registry {}\n", env!("CARGO_PKG_VERSION"))
    );
    let help = lab.ok(&["--help"]).stdout;
    for verb in ["install", "list", "verify", "info", "publish"] {
        assert!(help.contains(&format!("\n  {verb}")), "{verb}");
        let of_verb = lab.ok(&[verb, "--help"]).stdout;
        assert!(
            of_verb.contains(&format!("Usage: assay {verb} ")),
            "{of_verb}"
        );
        assert_eq!(of_verb, lab.ok(&["help", verb]).stdout);
    }
}

#[test]
fn a_published_version_does_not_change() {
    let lab = Lab::new();
    let registry = crate::support::Registry::start();
    for to in ["oci:packages", &registry.prefix] {
        lab.publish_library(to, "solo", "1.0.0", "");
        lab.write("one-solo-1.0.0/solo/init.lua", "return 'changed'");
        let done = lab.run(&[
            "publish",
            "--manifest",
            "one-solo-1.0.0/manifest.yaml",
            "--to",
            to,
        ]);
        assert_eq!(done.code, 1);
        assert!(
            done.stderr
                .starts_with("error: library `solo` 1.0.0 is published in "),
            "{}",
            done.stderr
        );
        assert!(
            done.stderr.ends_with("\n\nhint: published versions never change: raise the version in the manifest and publish again\n"),
            "{}",
            done.stderr
        );
        lab.ok(&["install", "solo", "--root", "root", "--registry", to]);
        assert_eq!(lab.read("root/solo/init.lua"), "return 'solo 1.0.0'\n");
        fs_err::remove_dir_all(lab.path("root")).unwrap();
    }
}

#[test]
fn plugins_that_cannot_be_published() {
    let lab = Lab::new();
    let publish = |line: &str| {
        lab.write(
            "p/manifest.yaml",
            format!("version: 0.2.0\nplugins:\n  - {{{line}}}\n"),
        );
        let done = lab.run(&[
            "publish",
            "--manifest",
            "p/manifest.yaml",
            "--to",
            "oci:packages",
        ]);
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(!lab.path("packages").exists(), "nothing may be published");
        done.stderr
    };
    lab.write(
        "p/http.so",
        fs_err::read(shared_library("http", "0.1.0", "1.0")).unwrap(),
    );
    let said = publish("name: http, library: http.so");
    assert!(
        said.starts_with("error: plugin `http` is 0.2.0 in the manifest and 0.1.0 in the note of "),
        "{said}"
    );
    assert!(
        said.ends_with(
            "\n\nhint: set the same version in Cargo.toml and in the manifest, and build again\n"
        ),
        "{said}"
    );
    let said = publish("name: db, library: http.so");
    assert!(
        said.contains("holds plugin `http`, the manifest lists it as `db`"),
        "{said}"
    );
    let said = publish("name: http, library: none.so");
    assert!(
        said.contains("plugin `http`: there is no file at "),
        "{said}"
    );
    lab.write("p/text.so", "not ELF at all");
    let said = publish("name: http, library: text.so");
    assert!(
        said.contains("is not a shared library that can be read"),
        "{said}"
    );
    let so = fs_err::read(lab.path("p/http.so")).unwrap();
    lab.write("p/cut.so", &so[..so.len() / 2]);
    let said = publish("name: http, library: cut.so");
    assert!(
        said.contains("is not a shared library that can be read"),
        "{said}"
    );
    let status = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-x", "c", "-o"])
        .args([
            &lab.path("p/plain.so"),
            &lab.write("p/plain.c", "int x(void) { return 1; }\n"),
        ])
        .status();
    assert!(status.unwrap().success());
    let said = publish("name: http, library: plain.so");
    assert!(
        said.contains("has no `.note.assay`: it is not an Assay plugin"),
        "{said}"
    );
    lab.write(
        "p/odd.so",
        fs_err::read(shared_library("http", "0.2.0", "one")).unwrap(),
    );
    let said = publish("name: http, library: odd.so");
    assert!(
        said.contains("has a note with `abi=one`, not MAJOR.MINOR"),
        "{said}"
    );
    let fake = lab.path("p/libmusl.so");
    let note = shared_library("http", "0.2.0", "1.0").with_extension("c");
    for (inputs, flag, output) in [
        (
            vec![lab.path("p/plain.c")],
            "-Wl,-soname,libc.musl-x86_64.so.1",
            fake.clone(),
        ),
        (
            vec![note, fake],
            "-Wl,--no-as-needed",
            lab.path("p/musl.so"),
        ),
    ] {
        let mut cc = std::process::Command::new("cc");
        cc.args(["-shared", "-fPIC", "-nostdlib", flag, "-o"])
            .arg(output)
            .args(inputs);
        assert!(cc.status().unwrap().success());
    }
    let said = publish("name: http, library: musl.so");
    assert!(
        said.contains("is built for musl\n\nhint: plugins are for glibc"),
        "{said}"
    );
    let other = if cfg!(target_arch = "x86_64") {
        "linux/arm64"
    } else {
        "linux/amd64"
    };
    let said = publish(&format!(
        "name: http, version: 0.1.0, library: {{{other}: http.so}}"
    ));
    assert!(
        said.contains(&format!("the manifest lists it for {other}")),
        "{said}"
    );
}

#[test]
fn libraries_that_cannot_be_published() {
    let lab = Lab::new();
    let publish = |text: &str| {
        lab.write("l/manifest.yaml", text);
        let done = lab.run(&[
            "publish",
            "--manifest",
            "l/manifest.yaml",
            "--to",
            "oci:packages",
        ]);
        assert_eq!(done.code, 2, "{}", done.stderr);
        done.stderr
    };
    assert!(
        publish("version: 0.1.0\nlibraries: [{name: solo}]")
            .contains("library `solo`: there is no folder ")
    );
    lab.write("l/solo/README.md", "# solo");
    assert!(publish("version: 0.1.0\nlibraries: [{name: solo}]").contains("holds no Lua files"));
    lab.write("l/solo/init.lua", "return {}");
    fs_err::os::unix::fs::symlink("/etc/passwd", lab.path("l/solo/link.lua")).unwrap();
    assert!(
        publish("version: 0.1.0\nlibraries: [{name: solo}]")
            .contains("is neither a file nor a folder")
    );
    fs_err::remove_file(lab.path("l/solo/link.lua")).unwrap();
    let long = "x".repeat(9000);
    let said = publish(&format!(
        "version: 0.1.0\nlibraries: [{{name: solo, description: {long}}}]"
    ));
    assert!(said.contains("the limit is 8192"), "{said}");
    let said = publish("version: 0.1.0\nlibraries: [{name: solo, requires: [other@what]}]");
    assert!(said.contains("`what` is not a range of versions"), "{said}");
    let done = lab.run(&["publish", "--manifest", "none.yaml", "--to", "oci:packages"]);
    assert!(
        done.stderr.starts_with("error: there is no manifest at "),
        "{}",
        done.stderr
    );
}

#[test]
fn nothing_moves_and_nothing_is_coloured_in_a_log() {
    let lab = Lab::new();
    lab.publish_all("oci:packages", "0.1.0");
    let done = lab.ok(&[
        "install",
        "k8s",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    assert!(
        !done.stderr.contains('\u{1b}') && !done.stderr.contains('\r'),
        "{:?}",
        done.stderr
    );
    let lines: Vec<&str> = done.stderr.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "installed library `k8s` 0.1.0",
            "installed plugin `http` 0.1.0",
            "installed k8s 0.1.0 and plugin http 0.1.0 into root",
        ]
    );
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let lab = Lab::new();
    lab.publish_all("oci:packages", "0.1.0");
    lab.ok(&[
        "install",
        "vault",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    let mut command = lab.command(&["list", "--root", "root"]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    assert_eq!(String::from_utf8_lossy(&done.stderr), "");
}
