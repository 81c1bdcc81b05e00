//! Which versions are chosen, and the words when none fit.

use crate::support::Lab;

#[test]
fn a_conflict_is_explained() {
    let lab = Lab::new();
    lab.publish_library("oci:packages", "k8s", "1.0.0", "");
    lab.publish_library("oci:packages", "k8s", "2.0.0", "");
    lab.publish_library(
        "oci:packages",
        "vault",
        "1.0.0",
        "    requires: {k8s: ^1}\n",
    );
    lab.publish_library(
        "oci:packages",
        "argocd",
        "1.0.0",
        "    requires: {k8s: ^2}\n",
    );
    let done = lab.run(&[
        "install",
        "vault",
        "argocd",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    assert_eq!(done.code, 1);
    assert_eq!(
        done.stderr,
        "error: no versions fit together\n\n\
         Because library `vault` 1.0.0 requires library `k8s` >=1.0.0, <2.0.0 and library `argocd` 1.0.0 requires library `k8s` >=2.0.0, <3.0.0, library `argocd` 1.0.0 and library `vault` do not fit together.\n\
         And because this command asks for library `vault` and this command asks for library `argocd`, the request cannot be met.\n"
    );
    assert!(lab.snapshot("root").is_empty());
}

#[test]
fn a_runtime_that_is_too_old_is_named() {
    let lab = Lab::new();
    lab.publish_library(
        "oci:packages",
        "future",
        "1.0.0",
        "    requires: {assay: '>=99'}\n",
    );
    let done = lab.run(&[
        "install",
        "future",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr
            .contains("library `future` 1.0.0 requires assay >=99.0.0"),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr.contains("this assay is 0.1.0"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_plugin_of_another_api_is_passed_over_or_explained() {
    let lab = Lab::new();
    lab.publish_plugin("oci:packages", "http", "0.1.0", "1.0");
    lab.publish_plugin("oci:packages", "http", "0.2.0", "1.7");
    lab.publish_library(
        "oci:packages",
        "vault",
        "1.0.0",
        "    requires_builtins: [http.client]\n",
    );
    lab.ok(&[
        "install",
        "vault",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    assert!(lab.path("root/plugins/http-0.1.0.so").is_file());

    lab.publish_library(
        "oci:packages",
        "newer",
        "1.0.0",
        "    requires: {plugin/http: ^0.2}\n",
    );
    let done = lab.run(&[
        "install",
        "newer",
        "--root",
        "fresh",
        "--registry",
        "oci:packages",
    ]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr
            .contains("plugin `http` 0.2.0 speaks plugin API >=1.7.0, <2.0.0"),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr.contains("this assay speaks plugin API 1.0"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_missing_dependency_is_named() {
    let lab = Lab::new();
    lab.publish_library("oci:packages", "vault", "1.0.0", "    requires: [k8s]\n");
    let done = lab.run(&[
        "install",
        "vault",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr.contains("there is no library `k8s`")
            && done.stderr.contains("library `vault` 1.0.0 requires"),
        "{}",
        done.stderr
    );
}

#[test]
fn ranges_choose_and_pre_releases_wait_to_be_asked_for() {
    let lab = Lab::new();
    for version in ["0.9.0", "0.10.0", "1.0.0", "1.1.0-rc.1"] {
        lab.publish_library("oci:packages", "solo", version, "");
    }
    let cases: [(&[&str], &str); 6] = [
        (&["solo"], "1.0.0"),
        (&["solo", "--pre"], "1.1.0-rc.1"),
        (&["solo@^0.9"], "0.9.0"),
        (&["solo@<1"], "0.10.0"),
        (&["solo@=1.1.0-rc.1"], "1.1.0-rc.1"),
        (&["solo@>=0.9, <0.10"], "0.9.0"),
    ];
    for (i, (arguments, expected)) in cases.iter().enumerate() {
        let root = format!("root{i}");
        lab.ok(&[
            &["install", "--root", &root, "--registry", "oci:packages"],
            *arguments,
        ]
        .concat());
        assert_eq!(
            lab.read(&format!("{root}/solo/init.lua")),
            format!("return 'solo {expected}'\n"),
            "{arguments:?}"
        );
    }
}

#[test]
fn what_is_installed_stays_unless_it_must_move() {
    let lab = Lab::new();
    let install = |names: &[&str]| {
        lab.ok(&[
            &["install", "--root", "root", "--registry", "oci:packages"],
            names,
        ]
        .concat())
    };
    lab.publish_library("oci:packages", "k8s", "1.0.0", "");
    install(&["k8s"]);
    lab.publish_library("oci:packages", "k8s", "1.1.0", "");
    lab.publish_library("oci:packages", "easy", "1.0.0", "    requires: {k8s: ^1}\n");
    install(&["easy"]);
    assert_eq!(
        lab.read("root/k8s/init.lua"),
        "return 'k8s 1.0.0'\n",
        "it fits, so it stays"
    );
    lab.publish_library(
        "oci:packages",
        "strict",
        "1.0.0",
        "    requires: {k8s: ^1.1}\n",
    );
    install(&["strict"]);
    assert_eq!(
        lab.read("root/k8s/init.lua"),
        "return 'k8s 1.1.0'\n",
        "it has to move"
    );
    // What is there keeps its requirements: `strict` must not break.
    let done = lab.run(&[
        "install",
        "k8s@=1.0.0",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr
            .contains("library `strict` 1.0.0 requires library `k8s` >=1.1.0, <2.0.0"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_package_from_elsewhere_is_not_replaced_by_one_of_the_same_name() {
    let lab = Lab::new();
    lab.publish_library("oci:ours", "deploy", "1.0.0", "");
    lab.ok(&[
        "install",
        "deploy",
        "--root",
        "root",
        "--registry",
        "oci:ours",
    ]);
    let before = lab.snapshot("root");
    lab.publish_library(
        "oci:theirs",
        "deploy",
        "1.0.0",
        "    description: somebody else's\n",
    );
    lab.publish_library("oci:theirs", "other", "1.0.0", "    requires: [deploy]\n");
    lab.ok(&[
        "install",
        "other",
        "--root",
        "root",
        "--registry",
        "oci:theirs",
    ]);
    let after = lab.snapshot("root");
    assert_eq!(
        after[".meta/lib-deploy.json"],
        before[".meta/lib-deploy.json"]
    );
    lab.ok(&["verify", "--root", "root"]);
}
