//! The documentation says what is: Lua blocks compile, commands and their options exist, links lead
//! somewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assay_tests::{command, dist, project};
use libtest_mimic::Trial;

use crate::layering::none;
use crate::scripts::assay;
use crate::types::stubs;
use crate::{Outcome, case, folder, read};

pub fn cases() -> Vec<Trial> {
    vec![
        case("docs::lua_blocks_compile", lua_blocks_compile),
        case("docs::examples_of_builtins_run", || {
            examples_of_builtins_run("assay", &[dist::root()])
        }),
        case("docs::examples_of_builtins_run_static", || {
            let folder = folder()?;
            examples_of_builtins_run("assay-static", &[dist::libraries_only(folder.path())])
        }),
        case("docs::builtins_are_documented", builtins_are_documented),
        case("docs::commands_exist", commands_exist),
        case("docs::quick_start_runs", quick_start_runs),
        case("docs::links_lead_somewhere", links_lead_somewhere),
    ]
}

/// A fenced block.
struct Block {
    /// `file.md:line`.
    place: String,
    language: String,
    text: String,
}

fn lua_blocks_compile() -> Outcome {
    let folder = folder()?;
    let (mut script, mut count) = (String::from("local wrong = 0\n"), 0);
    for block in blocks()?
        .into_iter()
        .filter(|block| block.language == "lua")
    {
        let file = folder.path().join(format!("{count}.lua"));
        // Shown results (`--> 42`) are comments already; an elided part is not Lua.
        fs_err::write(&file, block.text.replace("...)", "nil)"))
            .map_err(|error| error.to_string())?;
        script += &format!(
            "do local ok, err = load(fs.read({:?}), {:?}) if not ok then wrong = wrong + 1 print(err) end end\n",
            file.display(),
            format!("={}", block.place)
        );
        count += 1;
    }
    if count < 5 {
        return Err(format!("only {count} Lua blocks were found"));
    }
    script += "if wrong > 0 then os.exit(1) end";
    let check = folder.path().join("check.lua");
    fs_err::write(&check, script).map_err(|error| error.to_string())?;
    command::run(assay("assay", folder.path(), &[dist::root()]).arg(check))?
        .ok()
        .map(drop)
}

/// The Lua blocks in docs/builtins run, and print what stands behind `-->` in them.
fn examples_of_builtins_run(binary: &str, roots: &[PathBuf]) -> Outcome {
    let mut wrong = Vec::new();
    let blocks = blocks()?;
    let examples = blocks
        .iter()
        .filter(|block| block.language == "lua" && block.place.starts_with("docs/builtins/"));
    for block in examples {
        let folder = folder()?;
        let script = folder.path().join("example.lua");
        fs_err::write(&script, &block.text).map_err(|error| error.to_string())?;
        let output = command::run(assay(binary, folder.path(), roots).arg(script))?;
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let wanted: Vec<String> = block
            .text
            .lines()
            .filter_map(|line| Some(words(line.split_once("-->")?.1)))
            .collect();
        let found: Vec<String> = output.stdout.lines().map(words).collect();
        if output.code != 0 || found != wanted {
            wrong.push(format!("{}: {found:?}\n{}", block.place, output.stderr));
        }
    }
    none(&wrong, "examples that do not do what they say")
}

/// Every family has a page with an example; its reference is up to date (`lua::core::docs`).
fn builtins_are_documented() -> Outcome {
    let blocks = blocks()?;
    let mut wrong = Vec::new();
    for stub in stubs() {
        let family = stub.file_stem().unwrap_or_default().to_string_lossy();
        let page = format!("docs/builtins/{family}.md");
        let has_example = blocks.iter().any(|block| {
            block.language.starts_with("lua") && block.place.starts_with(&format!("{page}:"))
        });
        if !has_example {
            wrong.push(format!("{page} has no example"));
        }
    }
    none(&wrong, "builtins without an example")
}

/// In shell blocks: `make TARGET`, `assay VERB --option`.
fn commands_exist() -> Outcome {
    let makefile = read("Makefile")?;
    let targets: Vec<&str> = makefile
        .lines()
        .filter_map(|line| line.split_once(':').map(|(target, _)| target))
        .filter(|target| !target.is_empty() && !target.starts_with(['\t', '.', '#']))
        .collect();
    let mut helps = BTreeMap::new();
    let mut wrong = Vec::new();
    for block in blocks()?
        .into_iter()
        .filter(|block| matches!(&*block.language, "sh" | ""))
    {
        for line in block.text.lines() {
            let line = line
                .trim_start_matches("$ ")
                .split(" #")
                .next()
                .unwrap_or_default();
            let mut words = line
                .split_whitespace()
                .skip_while(|word| word.contains('='));
            let program = words.next();
            let words: Vec<&str> = words
                .take_while(|word| !matches!(*word, "|" | "&&" | ">"))
                .collect();
            let mistake = match program {
                Some("make") => words
                    .iter()
                    .find(|word| !word.contains('=') && !targets.contains(*word))
                    .map(|word| format!("no target `{word}`")),
                Some("assay") => assay_mistake(&words, &mut helps)?,
                _ => None,
            };
            wrong.extend(mistake.map(|mistake| format!("{}: `{line}`: {mistake}", block.place)));
        }
    }
    none(&wrong, "commands that do not exist")
}

fn assay_mistake(
    words: &[&str],
    helps: &mut BTreeMap<String, String>,
) -> Result<Option<String>, String> {
    // `assay script.lua --its-own`: what follows a script is the script's.
    let own: Vec<&str> = words
        .iter()
        .copied()
        .take_while(|word| !word.contains(".lua"))
        .collect();
    let verb = own
        .iter()
        .find(|word| word.starts_with(|first: char| first.is_ascii_lowercase()));
    let is_verb = own.first().is_some_and(|first| Some(first) == verb);
    let key = if is_verb {
        own[0].to_owned()
    } else {
        String::new()
    };
    if !helps.contains_key(&key) {
        let folder = folder()?;
        let mut help = command::command(&dist::binary("assay"), folder.path());
        help.env("PATH", dist::dist().join("bin"));
        let output = command::run(help.args(is_verb.then_some(&*key)).arg("--help"))?;
        let text = if output.code == 0 {
            output.stdout
        } else {
            String::new()
        };
        helps.insert(key.clone(), text);
    }
    let help = &helps[&key];
    if help.is_empty() {
        return Ok(Some(format!("`assay {key} --help` fails")));
    }
    let unknown = own
        .iter()
        .filter(|word| word.starts_with('-'))
        .map(|word| word.split('=').next().unwrap_or(word))
        .find(|flag| !help.contains(*flag));
    Ok(unknown.map(|flag| format!("its help has no `{flag}`")))
}

/// Every `assay ...` of the README, in its order, in a folder that looks like the project's.
fn quick_start_runs() -> Outcome {
    let folder = folder()?;
    for (name, to) in [
        ("stdlib", project().join("stdlib")),
        ("plugins", project().join("plugins")),
        ("dist", dist::dist()),
    ] {
        std::os::unix::fs::symlink(to, folder.path().join(name)).map_err(|e| e.to_string())?;
    }
    let script = folder.path().join("script.lua");
    fs_err::write(script, "print(table.concat(arg, ' '))").map_err(|e| e.to_string())?;
    let checks = "checks: [{name: runs, type: script, file: script.lua}]";
    fs_err::write(folder.path().join("checks.yaml"), checks).map_err(|e| e.to_string())?;
    let mut commands = String::from("set -eux\n");
    for block in blocks()?
        .into_iter()
        .filter(|block| block.place.starts_with("README.md:"))
    {
        for line in block.text.lines().filter(|line| line.starts_with("assay ")) {
            commands += line;
            commands.push('\n');
        }
    }
    let mut shell = command::command(Path::new("sh"), folder.path());
    let path = std::env::var("PATH").unwrap_or_default();
    shell.env(
        "PATH",
        format!("{}:{path}", dist::dist().join("bin").display()),
    );
    let output = command::run(shell.args(["-c", &commands]))?.ok()?;
    for text in ["one two\n", "library  vault", "plugin   http"] {
        crate::contains(&output.stdout, text)?;
    }
    Ok(())
}

fn links_lead_somewhere() -> Outcome {
    let mut wrong = Vec::new();
    for path in pages() {
        let text = read_page(&path)?;
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', '#', ' ']).next().unwrap_or_default();
            let is_path = !target.is_empty()
                && !target.contains("://")
                && target
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"./_-".contains(&byte));
            if is_path && !path.parent().unwrap_or(Path::new("")).join(target).exists() {
                wrong.push(format!("{}: {target}", shown(&path)));
            }
        }
    }
    none(&wrong, "links to files that are not there")
}

fn blocks() -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    for path in pages() {
        let mut open: Option<Block> = None;
        for (number, line) in read_page(&path)?.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), &mut open) {
                (Some(language), None) => {
                    let place = format!("{}:{}", shown(&path), number + 1);
                    open = Some(Block {
                        place,
                        language: language.trim().into(),
                        text: String::new(),
                    });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => {
                    block.text += line;
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        if let Some(block) = open {
            return Err(format!("{}: a block without an end", block.place));
        }
    }
    Ok(blocks)
}

/// Every page that people read.
fn pages() -> Vec<PathBuf> {
    let (mut pages, mut folders) = (Vec::new(), vec![project()]);
    while let Some(folder) = folders.pop() {
        for path in dist::list(&folder) {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !matches!(&*name, "target" | "dist") {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                pages.push(path);
            }
        }
    }
    pages
}

pub fn read_page(path: &Path) -> Result<String, String> {
    fs_err::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

pub fn shown(path: &Path) -> String {
    path.strip_prefix(project())
        .unwrap_or(path)
        .display()
        .to_string()
}
