//! kill -9 at many moments, and several installations at once.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Lab, Registry};

/// Libraries with many files, so that an installation takes a while, and with
/// a file more in the second version and one less.
fn publish(lab: &Lab, version: &str) {
    for file in 0..40 {
        for name in ["big", "small"] {
            lab.write(
                &format!("lib-{version}/{name}/file{file}.lua"),
                format!("return '{name} {version} {file}'\n"),
            );
        }
    }
    lab.write(
        &format!("lib-{version}/big/only-in-{version}.lua"),
        "return 1",
    );
    let manifest = format!(
        "version: {version}\nlibraries:\n  - {{name: small}}\n  - {{name: big, requires: [small@={version}]}}\n"
    );
    lab.write(&format!("lib-{version}/manifest.yaml"), manifest);
    lab.ok(&[
        "publish",
        "--manifest",
        &format!("lib-{version}/manifest.yaml"),
        "--to",
        "oci:packages",
    ]);
}

fn install<'a>(version: &'a str, root: &'a str) -> [String; 6] {
    [
        "install",
        &format!("big@={version}"),
        "--root",
        root,
        "--registry",
        "oci:packages",
    ]
    .map(str::to_owned)
}

fn killed_at_many_moments(blocked: bool) {
    let lab = Lab::new();
    publish(&lab, "1.0.0");
    publish(&lab, "2.0.0");
    let run = |version: &str, root: &str| {
        let arguments = install(version, root);
        lab.ok(&arguments.each_ref().map(String::as_str))
    };
    run("1.0.0", "old");
    run("2.0.0", "new");
    let (old, new) = (lab.snapshot("old"), lab.snapshot("new"));
    assert!(
        old.contains_key("big/only-in-1.0.0.lua") && !new.contains_key("big/only-in-1.0.0.lua")
    );
    if blocked {
        // A file where the new root would be built: files move one by one.
        lab.write(".root.assay-new", "");
    }
    run("1.0.0", "root");
    let started = Instant::now();
    run("2.0.0", "root");
    let whole = started.elapsed();
    let (mut was_old, mut was_new) = (0, 0);
    // On a busy machine the measured time may be too short: go on until an
    // installation was killed, or done, after its switch.
    for step in 0..200 {
        if step > 16 && was_new > 0 {
            break;
        }
        run("1.0.0", "root");
        let arguments = install("2.0.0", "root");
        let mut child = lab.command(&arguments.each_ref().map(String::as_str));
        let mut child = child
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(step) / 14.0));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut found = lab.snapshot("root");
        found.retain(|path, _| !path.starts_with(".meta/staging/") && path != ".meta/journal.json");
        if found == old {
            was_old += 1;
        } else if found == new {
            was_new += 1;
        } else {
            assert!(
                blocked,
                "neither old nor new after step {step}: {:?}",
                found.keys()
            );
        }
        run("2.0.0", "root");
        assert_eq!(lab.snapshot("root"), new, "not healed after step {step}");
        let leftover = lab.path(".root.assay-new");
        assert!(blocked || !leftover.exists());
    }
    assert!(
        was_old > 0 && was_new > 0,
        "the moments were badly chosen: {was_old} old, {was_new} new in {whole:?}"
    );
}

#[test]
fn a_killed_installation_leaves_the_old_root_or_the_new_one() {
    killed_at_many_moments(false);
}

#[test]
fn where_roots_cannot_be_exchanged_the_next_installation_finishes_the_work() {
    killed_at_many_moments(true);
}

#[test]
fn a_journal_is_replayed_before_anything_else() {
    let lab = Lab::new();
    lab.publish_library("oci:packages", "solo", "1.0.0", "");
    lab.ok(&[
        "install",
        "solo",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    lab.write("root/.meta/staging/lib-x/x/init.lua", "staged");
    let journal = r#"{"add":{"x/init.lua":".meta/staging/lib-x/x/init.lua","y/gone.lua":".meta/staging/lib-x/y"},"remove":["solo/old.lua"]}"#;
    lab.write("root/y/gone.lua", "moved before the kill");
    lab.write("root/solo/old.lua", "to be removed");
    lab.write("root/.meta/journal.json", journal);
    lab.ok(&[
        "install",
        "solo",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    assert_eq!(lab.read("root/x/init.lua"), "staged");
    for gone in [
        "root/solo/old.lua",
        "root/.meta/journal.json",
        "root/.meta/staging",
    ] {
        assert!(!lab.path(gone).exists(), "{gone}");
    }
}

#[test]
fn a_journal_cannot_reach_outside_the_root() {
    for journal in [
        r#"{"add":{},"remove":["../victim"]}"#,
        r#"{"add":{"../victim":".meta/staging/x"},"remove":[]}"#,
        r#"{"add":{"x":"../victim"},"remove":[]}"#,
        r#"{"add":{"x":"/etc/passwd"},"remove":[]}"#,
    ] {
        let lab = Lab::new();
        lab.publish_library("oci:packages", "solo", "1.0.0", "");
        lab.write("victim", "precious");
        lab.write("root/.meta/journal.json", journal);
        let done = lab.run(&[
            "install",
            "solo",
            "--root",
            "root",
            "--registry",
            "oci:packages",
        ]);
        assert_eq!(done.code, 1, "{}", done.stderr);
        assert!(
            done.stderr.contains("has paths outside the root"),
            "{}",
            done.stderr
        );
        assert_eq!(lab.read("victim"), "precious");
    }
}

#[test]
fn installations_at_once_wait_for_each_other() {
    let registry = Registry::start();
    let lab = Lab::new();
    let names = ["one", "two", "three", "four", "five", "six"];
    for name in names {
        lab.publish_library(&registry.prefix, name, "1.0.0", "    requires: [base]\n");
    }
    lab.publish_library(&registry.prefix, "base", "1.0.0", "");
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            let mut command = lab.command(&[
                "install",
                name,
                "--root",
                "root",
                "--registry",
                &registry.prefix,
            ]);
            command
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let done = child.wait_with_output().unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    lab.ok(&["verify", "--root", "root"]);
    let records = lab
        .snapshot("root")
        .into_keys()
        .filter(|path| path.starts_with(".meta/"))
        .count();
    assert_eq!(records, names.len() + 1);
}

#[test]
fn one_that_waits_says_so() {
    let lab = Lab::new();
    lab.publish_library("oci:packages", "solo", "1.0.0", "");
    lab.ok(&[
        "install",
        "solo",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    let lock = fs_err::File::open(lab.path("root/.meta/lock")).unwrap();
    lock.lock().unwrap();
    let mut command = lab.command(&[
        "install",
        "solo",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert!(line.starts_with("waiting for another assay at "), "{line}");
    assert!(child.try_wait().unwrap().is_none());
    lock.unlock().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "still waiting");
        std::thread::yield_now();
    }
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_failed_installation_can_be_repeated() {
    let lab = Lab::new();
    lab.publish_library("oci:packages", "solo", "1.0.0", "");
    lab.ok(&[
        "install",
        "solo",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    lab.write("root/solo/init.lua", "tampered");
    let done = lab.run(&["verify", "--root", "root"]);
    assert_eq!(done.code, 1);
    assert_eq!(done.stdout, "library `solo`: solo/init.lua was changed\n");
    lab.ok(&[
        "install",
        "solo",
        "--root",
        "root",
        "--registry",
        "oci:packages",
    ]);
    lab.ok(&["verify", "--root", "root"]);
    fs_err::remove_file(lab.path("root/solo/init.lua")).unwrap();
    let done = lab.run(&["verify", "--root", "root"]);
    assert_eq!(done.stdout, "library `solo`: solo/init.lua is missing\n");
}
