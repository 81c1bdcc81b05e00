//! `docs/packages.md` says what the code does.

use assay_registry::manifest::Collection;
use assay_registry::project::Project;

use crate::support::Lab;

const PAGE: &str = include_str!("../../../docs/packages.md");

/// The code blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    PAGE.split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

#[test]
fn every_variable_is_on_the_page() {
    let source = include_str!("../../src/env.rs");
    let names: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next())
        .collect();
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        assert!(PAGE.contains(name), "{name} is missing in docs/packages.md");
    }
}

#[test]
fn the_examples_are_valid() {
    let lab = Lab::new();
    let [toml] = blocks("toml")[..] else {
        panic!("one example of assay.toml")
    };
    lab.write("assay.toml", toml);
    let project = Project::read(&lab.path("")).unwrap();
    assert_eq!(project.dependencies.len(), 3);
    let [yaml] = blocks("yaml")[..] else {
        panic!("one example of manifest.yaml")
    };
    lab.write("manifest.yaml", yaml);
    assert_eq!(
        Collection::read(&lab.path("manifest.yaml"))
            .unwrap()
            .members
            .len(),
        4
    );
}

#[test]
fn every_verb_and_option_is_on_the_page() {
    let lab = Lab::new();
    for verb in ["install", "list", "verify", "info", "publish"] {
        assert!(PAGE.contains(&format!("assay {verb}")), "{verb}");
        for word in lab
            .ok(&[verb, "--help"])
            .stdout
            .split_whitespace()
            .filter(|word| word.starts_with("--"))
        {
            let option = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            assert!(
                option == "--help" || PAGE.contains(option),
                "{option} of {verb}"
            );
        }
    }
}
