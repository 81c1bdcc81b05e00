//! `assay.toml` and `assay.lock`.

use crate::support::Lab;

const COMMENTED: &str = "# my project\n[project]\nname = \"demo\"   # a name\nregistry = \"oci:packages\"\n\n[libraries]\nk8s = \"^0.1\"     # pinned by ops\n";

fn lab() -> Lab {
    let lab = Lab::new();
    lab.publish_all("oci:packages", "0.1.0");
    lab
}

#[test]
fn names_are_recorded_and_the_author_keeps_the_formatting() {
    let lab = lab();
    lab.write("assay.toml", COMMENTED);
    let done = lab.ok(&["install", "vault", "plugin/http@^0.1"]);
    assert_eq!(
        lab.read("assay.toml"),
        format!("{COMMENTED}vault = \"^0.1\"\n\n[plugins]\nhttp = \"^0.1\"\n")
    );
    assert!(
        done.stderr
            .ends_with("into .assay; recorded in assay.toml and assay.lock\n"),
        "{}",
        done.stderr
    );
    lab.ok(&["install", "k8s@>=0.1, <0.3"]);
    assert!(
        lab.read("assay.toml")
            .contains("k8s = \">=0.1, <0.3\"     # pinned by ops\n"),
        "{}",
        lab.read("assay.toml")
    );
    lab.ok(&["install", "--locked"]);
    lab.ok(&["verify"]);
}

#[test]
fn the_lock_has_every_digest_and_stays_as_it_is() {
    let lab = lab();
    lab.write("assay.toml", COMMENTED);
    lab.ok(&["install", "certmanager"]);
    let lock = lab.read("assay.lock");
    let parsed: toml_edit::DocumentMut = lock.parse().unwrap();
    let packages: Vec<String> = parsed["package"]
        .as_array_of_tables()
        .unwrap()
        .iter()
        .map(|package| {
            format!(
                "{}/{}",
                package["kind"].as_str().unwrap(),
                package["name"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(packages, ["lib/certmanager", "lib/k8s", "plugin/http"]);
    let k8s = parsed["package"]
        .as_array_of_tables()
        .unwrap()
        .get(1)
        .unwrap();
    assert_eq!(
        k8s["source"].as_str(),
        Some("oci:packages"),
        "relative, so that others can use it"
    );
    assert_eq!(
        k8s["requires"].as_array().unwrap().get(0).unwrap().as_str(),
        Some("plugin/http")
    );
    let platforms = k8s["platform"].as_array_of_tables().unwrap();
    assert_eq!(platforms.len(), 2);
    for key in ["platform", "manifest", "layer", "diff-id", "size"] {
        assert!(platforms.get(0).unwrap().contains_key(key), "{key}");
    }

    // Newer versions, a fresh root, a subfolder: the lock decides.
    lab.publish_library("oci:packages", "k8s", "0.1.9", "");
    fs_err::remove_dir_all(lab.path(".assay")).unwrap();
    fs_err::create_dir_all(lab.path("scripts/deep")).unwrap();
    let mut command = lab.command(&["install"]);
    assert_eq!(
        crate::support::output(command.current_dir(lab.path("scripts/deep"))).code,
        0
    );
    assert!(lab.read(".assay/k8s/init.lua").contains("k8s 0.1.0"));
    assert_eq!(lab.read("assay.lock"), lock);
    lab.ok(&["install", "k8s"]);
    assert!(
        lab.read(".assay/k8s/init.lua").contains("k8s 0.1.9"),
        "named, so the newest"
    );
}

#[test]
fn locked_refuses_what_the_lock_does_not_say() {
    let lab = lab();
    lab.write("assay.toml", COMMENTED);
    let done = lab.run(&["install", "--locked"]);
    assert_eq!(done.code, 2);
    assert!(
        done.stderr
            .contains("assay.lock\n\nhint: run `assay install` once and commit assay.lock"),
        "{}",
        done.stderr
    );

    lab.ok(&["install"]);
    let before = lab.snapshot(".assay");
    lab.write("assay.toml", format!("{COMMENTED}vault = \"^0.1\"\n"));
    let done = lab.run(&["install", "--locked"]);
    assert_eq!(done.code, 2);
    assert_eq!(
        done.stderr,
        "error: assay.toml and assay.lock disagree: library `vault` is not in the lock\n\nhint: run `assay install` without --locked and commit assay.lock\n"
    );
    lab.write("assay.toml", COMMENTED.replace("^0.1", "^0.2"));
    let done = lab.run(&["install", "--locked"]);
    assert!(
        done.stderr
            .contains("assay.toml wants library `k8s` ^0.2, the lock has 0.1.0"),
        "{}",
        done.stderr
    );
    assert_eq!(lab.snapshot(".assay"), before);

    let done = lab.run(&["install", "--locked", "vault"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.starts_with(
        "error: `--locked` installs what assay.lock pins and cannot add library `vault`"
    ));
}

#[test]
fn locked_installs_exactly_the_locked_digests() {
    let lab = lab();
    lab.write("assay.toml", COMMENTED);
    lab.ok(&["install"]);
    // Somebody replaces the layout by one with other bytes under the same tag.
    fs_err::remove_dir_all(lab.path("packages")).unwrap();
    lab.publish_library("oci:packages", "k8s", "0.1.0", "");
    fs_err::remove_dir_all(lab.path(".assay")).unwrap();
    let done = lab.run(&["install", "--locked"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(
        done.stderr.contains("is missing in oci:"),
        "{}",
        done.stderr
    );
    assert!(!lab.path(".assay/k8s").exists());
}

#[test]
fn what_is_no_longer_declared_goes() {
    let lab = lab();
    lab.write("assay.toml", format!("{COMMENTED}vault = \"*\"\n"));
    lab.ok(&["install"]);
    assert!(lab.path(".assay/plugins/crypto-0.1.0.so").is_file());
    lab.write("assay.toml", COMMENTED);
    let done = lab.ok(&["install"]);
    assert!(
        done.stderr
            .contains("removed vault 0.1.0 and plugin crypto 0.1.0"),
        "{}",
        done.stderr
    );
    assert!(!lab.path(".assay/vault").exists());
    assert!(!lab.path(".assay/plugins/crypto-0.1.0.so").exists());
    lab.ok(&["verify"]);
}

#[test]
fn a_package_may_come_from_its_own_registry() {
    let lab = lab();
    lab.publish_library("oci:acme", "deploy", "2.1.0", "    requires: [k8s]\n");
    // A stranger's package of the same name in the default source is not taken.
    lab.publish_library("oci:packages", "deploy", "9.0.0", "");
    lab.write(
        "assay.toml",
        format!("{COMMENTED}deploy = {{ version = \"^2\", registry = \"oci:acme\" }}\n"),
    );
    lab.ok(&["install"]);
    assert_eq!(
        lab.read(".assay/deploy/init.lua"),
        "return 'deploy 2.1.0'\n"
    );
    assert!(lab.read("assay.lock").contains("source = \"oci:acme\""));
}

#[test]
fn root_without_names_installs_the_project_elsewhere() {
    let lab = lab();
    lab.write("assay.toml", COMMENTED);
    lab.ok(&["install"]);
    lab.ok(&[
        "install",
        "--locked",
        "--root",
        "image/lib/assay",
        "--platform",
        "linux/amd64",
    ]);
    assert!(lab.path("image/lib/assay/k8s/init.lua").is_file());
    let toml = lab.read("assay.toml");
    lab.ok(&["install", "vault", "--root", "elsewhere"]);
    assert_eq!(
        lab.read("assay.toml"),
        toml,
        "names with --root are not recorded"
    );
}

#[test]
fn another_platform_can_be_asked_for() {
    let lab = lab();
    let done = lab.run(&[
        "install",
        "plugin/http",
        "--root",
        "root",
        "--registry",
        "oci:packages",
        "--platform",
        "linux/arm64",
    ]);
    if cfg!(target_arch = "x86_64") {
        assert_eq!(done.code, 2);
        assert!(
            done.stderr.contains(
                "plugin `http` 0.1.0 is not published for linux/arm64, only for linux/amd64"
            ),
            "{}",
            done.stderr
        );
    }
}

#[test]
fn mistakes_in_assay_toml_name_line_and_key() {
    let cases = [
        ("[librarys]\n", "unknown field `librarys`"),
        (
            "[libraries]\nk8s = \"one\"\n",
            "`one` is not a range of versions",
        ),
        ("[libraries]\nK8S = \"*\"\n", "`K8S` is not a name"),
        ("[libraries\n", "line 1"),
        (
            "[libraries]\nk8s = { version = \"*\", registri = \"x\" }\n",
            "k8s",
        ),
        (
            "[[trust]]\nscope = \"**\"\nkeys = []\n",
            "[[trust]] asks for signatures",
        ),
        (
            "[libraries]\nlocal = { path = \"./x\" }\n",
            "libraries from a folder (`./x`)",
        ),
    ];
    for (text, expected) in cases {
        let lab = Lab::new();
        lab.write("assay.toml", text);
        let done = lab.run(&["install"]);
        assert_eq!(done.code, 2, "{text}");
        assert!(
            done.stderr.contains("assay.toml cannot be used"),
            "{}",
            done.stderr
        );
        assert!(
            done.stderr.contains(expected),
            "{expected}\n{}",
            done.stderr
        );
        assert!(done.stderr.contains("\n\nhint: "), "{}", done.stderr);
    }
}

#[test]
fn verify_compares_with_the_lock_too() {
    let lab = lab();
    lab.write("assay.toml", COMMENTED);
    lab.ok(&["install"]);
    fs_err::remove_dir_all(lab.path(".assay")).unwrap();
    let done = lab.run(&["verify"]);
    assert_eq!(done.code, 1);
    assert!(
        done.stdout
            .contains("library `k8s` 0.1.0 is in assay.lock and not installed"),
        "{}",
        done.stdout
    );
}

#[test]
fn outside_a_project_the_first_root_of_the_path_counts() {
    let lab = lab();
    let mut command = lab.command(&["install", "k8s", "--registry", "oci:packages"]);
    let done = crate::support::output(command.env("ASSAY_LIB_PATH", "first:second"));
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(lab.path("first/k8s/init.lua").is_file());
    let mut command = lab.command(&["install", "k8s"]);
    let done = crate::support::output(command.env("ASSAY_REGISTRY", "oci:packages"));
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(lab.path("home/.local/share/assay/k8s/init.lua").is_file());
}
