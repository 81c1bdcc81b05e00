//! What was typed.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use assay::Error;
use assay_plugin::did_you_mean;
use lexopt::{Arg, Parser, ValueExt};

use super::confine::{self, Confinement};
use super::{check, test};

/// A command line.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// A script, wherever it comes from.
    Run(Run),
    /// Checks, by `assay check` or the name of their file.
    Check(check::Options),
    /// `assay plugins`.
    Plugins(Plugins),
    /// `assay types`, into that folder.
    Types(PathBuf),
    /// `assay test`.
    Test(test::Options),
    /// `assay-<name>`.
    External {
        /// What follows `assay-`.
        name: String,
        /// All of its arguments.
        arguments: Vec<OsString>,
    },
    /// A help text.
    Help(&'static str),
    /// `assay version`.
    Version,
}

/// Running a script.
#[derive(Debug, PartialEq)]
pub struct Run {
    /// Where the script is.
    pub script: Script,
    /// What it gets as `arg`.
    pub arguments: Vec<OsString>,
    /// What it may do and take.
    pub confinement: Confinement,
}

/// Where a script comes from.
#[derive(Debug, PartialEq)]
pub enum Script {
    /// A file.
    File(PathBuf),
    /// `-e`.
    Code(String),
    /// `-`: standard input.
    Stdin,
}

/// `assay plugins`.
#[derive(Debug, Default, PartialEq)]
pub struct Plugins {
    /// As JSON.
    pub json: bool,
    /// These files instead of what is installed.
    pub files: Vec<PathBuf>,
}

/// Verbs that `assay-registry` answers to.
pub const REGISTRY: [&str; 16] = [
    "init", "install", "remove", "update", "outdated", "list", "tree", "why", "search", "info",
    "verify", "publish", "vendor", "mirror", "cache", "image",
];

const OWN: [&str; 6] = ["check", "test", "plugins", "types", "help", "version"];

/// Reads a command line, without the program's name.
///
/// # Errors
/// For what cannot be meant, with what may be.
pub fn parse(arguments: Vec<OsString>) -> Result<Command, Error> {
    let mut parser = Parser::from_args(arguments);
    let mut confinement = Confinement::default();
    let mut code = None;
    while let Some(argument) = next(&mut parser)? {
        let script = match argument {
            Arg::Long(name) if confine::is_option(name) => {
                let name = name.to_owned();
                confined(&name, &mut parser, &mut confinement)?;
                continue;
            }
            Arg::Short('e') | Arg::Long("eval") => {
                let text = value(&mut parser)?
                    .string()
                    .map_err(|_| usage("-e: the code is not UTF-8"))?;
                // Everything behind it is the script's.
                code = Some(text);
                break;
            }
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(HELP)),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Value(script) => script,
            other => {
                return Err(unknown_with_confinement(
                    other,
                    &["eval", "help", "version"],
                ));
            }
        };
        let rest: Vec<OsString> = parser.raw_args().map_err(wrong)?.collect();
        if is_checks_file(&script) {
            return checks(Some(script), rest, confinement);
        }
        if confinement == Confinement::default() {
            return command(script, rest);
        }
        return Ok(run(script_of(script)?, rest, confinement));
    }
    match code {
        Some(code) => {
            let mut rest: Vec<OsString> = parser.raw_args().map_err(wrong)?.collect();
            if rest.first().is_some_and(|first| first == "--") {
                rest.remove(0);
            }
            Ok(run(Script::Code(code), rest, confinement))
        }
        None if confinement == Confinement::default() => Ok(Command::Help(HELP)),
        None => Err(usage("no script was named").with_hint("assay --help")),
    }
}

/// Takes an option of [`confine::is_option`].
fn confined(name: &str, parser: &mut Parser, confinement: &mut Confinement) -> Result<(), Error> {
    match name {
        "sandbox" => confinement.sandbox = true,
        "allow-all" => confinement.allow_all = true,
        "policy" => confinement.file = Some(value(parser)?.into()),
        _ => {
            let text = value(parser)?
                .string()
                .map_err(|_| usage(format!("--{name}: the value is not UTF-8")))?;
            confinement.set(name, &text)?;
        }
    }
    Ok(())
}

/// The error for an option of a command that takes those of permissions and limits too.
fn unknown_with_confinement(argument: Arg<'_>, own: &[&str]) -> Error {
    let known: Vec<String> = (confine::SETTINGS.iter())
        .chain(&confine::SWITCHES)
        .chain(&["policy"])
        .chain(own)
        .map(|name| format!("--{name}"))
        .collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    unknown_option(argument, &known)
}

fn run(script: Script, arguments: Vec<OsString>, confinement: Confinement) -> Command {
    Command::Run(Run {
        script,
        arguments,
        confinement,
    })
}

/// The first word, when no option came before it: a command, or a script.
fn command(word: OsString, rest: Vec<OsString>) -> Result<Command, Error> {
    let name = word.to_string_lossy().into_owned();
    match name.as_str() {
        "check" => checks(None, rest, Confinement::default()),
        "plugins" => plugins(rest),
        "types" => types(rest),
        "test" => tests(rest),
        "help" => help(&rest),
        "version" if rest.is_empty() => Ok(Command::Version),
        name if REGISTRY.contains(&name) => {
            let arguments = [OsString::from(name)].into_iter().chain(rest).collect();
            Ok(Command::External {
                name: "registry".into(),
                arguments,
            })
        }
        name if is_file_name(name) || Path::new(&word).exists() => {
            Ok(run(script_of(word)?, rest, Confinement::default()))
        }
        _ => Ok(Command::External {
            name,
            arguments: rest,
        }),
    }
}

/// Whether a word cannot be a command: it has a directory or an extension.
fn is_file_name(word: &str) -> bool {
    word == "-" || word.contains(['/', '.']) || word.is_empty()
}

fn script_of(word: OsString) -> Result<Script, Error> {
    if word == "-" {
        return Ok(Script::Stdin);
    }
    Ok(Script::File(word.into()))
}

/// Checks are in YAML, scripts are not.
fn is_checks_file(word: &OsStr) -> bool {
    let extension = Path::new(word).extension().and_then(OsStr::to_str);
    matches!(extension, Some("yaml" | "yml"))
}

fn checks(
    file: Option<OsString>,
    arguments: Vec<OsString>,
    mut confinement: Confinement,
) -> Result<Command, Error> {
    let mut parser = Parser::from_args(arguments);
    let mut file = file.map(PathBuf::from);
    let (mut format, mut validate) = (check::Format::Json, false);
    while let Some(argument) = next(&mut parser)? {
        match argument {
            Arg::Long("format") => {
                let formats = [
                    ("human", check::Format::Human),
                    ("json", check::Format::Json),
                    ("junit", check::Format::Junit),
                    ("tap", check::Format::Tap),
                ];
                format = word(&mut parser, "--format", &formats)?;
            }
            Arg::Long("validate") => validate = true,
            Arg::Long(name) if confine::is_option(name) => {
                let name = name.to_owned();
                confined(&name, &mut parser, &mut confinement)?;
            }
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(HELP_CHECK)),
            Arg::Value(value) if file.is_none() => file = Some(value.into()),
            Arg::Value(value) => {
                return Err(usage(format!(
                    "one file is checked at a time, not also `{}`",
                    value.to_string_lossy().escape_debug()
                ))
                .with_hint("assay check --help"));
            }
            other => {
                return Err(unknown_with_confinement(
                    other,
                    &["format", "validate", "help"],
                ));
            }
        }
    }
    let Some(file) = file else {
        return Err(usage("no file was named").with_hint("assay check --help"));
    };
    Ok(Command::Check(check::Options {
        file,
        format,
        validate,
        confinement,
    }))
}

/// The meaning of an option's value that is one of a few words.
fn word<T: Copy>(parser: &mut Parser, option: &str, words: &[(&str, T)]) -> Result<T, Error> {
    let text = value(parser)?.to_string_lossy().into_owned();
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        usage(format!(
            "{option}: `{}` is none of its values",
            text.escape_debug()
        ))
        .with_hint(format!("values of {option} are {}", known.join(", ")))
    })
}

fn plugins(arguments: Vec<OsString>) -> Result<Command, Error> {
    let mut parser = Parser::from_args(arguments);
    let mut options = Plugins::default();
    while let Some(argument) = next(&mut parser)? {
        match argument {
            Arg::Long("json") => options.json = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(HELP_PLUGINS)),
            Arg::Value(file) => options.files.push(file.into()),
            other => return Err(unknown_option(other, &["--json", "--help"])),
        }
    }
    Ok(Command::Plugins(options))
}

fn types(arguments: Vec<OsString>) -> Result<Command, Error> {
    let mut parser = Parser::from_args(arguments);
    let mut folder = None;
    while let Some(argument) = next(&mut parser)? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(HELP_TYPES)),
            Arg::Value(value) if folder.is_none() => folder = Some(PathBuf::from(value)),
            Arg::Value(_) => return Err(usage("assay types takes one folder")),
            other => return Err(unknown_option(other, &["--help"])),
        }
    }
    folder
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(Command::Types)
        .ok_or_else(|| usage("no folder was named").with_hint("assay types types"))
}

fn tests(arguments: Vec<OsString>) -> Result<Command, Error> {
    let mut parser = Parser::from_args(arguments);
    let mut options = test::Options {
        paths: Vec::new(),
        filter: None,
        jobs: None,
        format: test::Format::Human,
        output: None,
        limits: Confinement::default(),
    };
    while let Some(argument) = next(&mut parser)? {
        match argument {
            Arg::Long("filter") => {
                let text = value(&mut parser)?;
                options.filter = Some(
                    text.string()
                        .map_err(|_| usage("--filter: the text is not UTF-8"))?,
                );
            }
            Arg::Long("jobs") | Arg::Short('j') => {
                let text = value(&mut parser)?.to_string_lossy().into_owned();
                let jobs = text.parse().ok().filter(|jobs| (1..=1024).contains(jobs));
                options.jobs = Some(jobs.ok_or_else(|| {
                    usage(format!(
                        "--jobs: expected a number from 1 to 1024, got `{text}`"
                    ))
                })?);
            }
            Arg::Long("format") => {
                let formats = [
                    ("human", test::Format::Human),
                    ("tap", test::Format::Tap),
                    ("junit", test::Format::Junit),
                ];
                options.format = word(&mut parser, "--format", &formats)?;
            }
            Arg::Long("output") | Arg::Short('o') => {
                options.output = Some(value(&mut parser)?.into())
            }
            Arg::Long(name @ ("memory-limit" | "timeout")) => {
                let name = name.to_owned();
                confined(&name, &mut parser, &mut options.limits)?;
            }
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(HELP_TEST)),
            Arg::Value(path) => options.paths.push(path.into()),
            other => {
                let known = [
                    "--filter",
                    "--jobs",
                    "--format",
                    "--output",
                    "--memory-limit",
                    "--timeout",
                    "--help",
                ];
                return Err(unknown_option(other, &known));
            }
        }
    }
    if options.paths.is_empty() {
        options.paths.push(".".into());
    }
    Ok(Command::Test(options))
}

fn help(arguments: &[OsString]) -> Result<Command, Error> {
    let topic = arguments
        .first()
        .map(|topic| topic.to_string_lossy().into_owned());
    match topic.as_deref() {
        None | Some("help" | "version") => Ok(Command::Help(HELP)),
        Some("check") => Ok(Command::Help(HELP_CHECK)),
        Some("plugins") => Ok(Command::Help(HELP_PLUGINS)),
        Some("types") => Ok(Command::Help(HELP_TYPES)),
        Some("test") => Ok(Command::Help(HELP_TEST)),
        Some(verb) if REGISTRY.contains(&verb) => Ok(Command::External {
            name: "registry".into(),
            arguments: vec![verb.into(), "--help".into()],
        }),
        Some(other) => Err(unknown_command(other)),
    }
}

/// The error for a word that is neither a command nor a script.
pub fn unknown_command(word: &str) -> Error {
    let error = usage(format!("`{word}` is neither a command nor a script"));
    let scripts: Vec<String> = scripts_here();
    let known = OWN
        .iter()
        .chain(&REGISTRY)
        .copied()
        .chain(scripts.iter().map(String::as_str));
    match did_you_mean(word, known) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None if Path::new(&format!("{word}.lua")).exists() => {
            error.with_hint(format!("did you mean `{word}.lua`?"))
        }
        None => error.with_hint("assay --help lists the commands"),
    }
}

fn scripts_here() -> Vec<String> {
    let Ok(entries) = fs_err::read_dir(".") else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".lua")).collect()
}

/// `64MB`, `1GB`, `500000`; `none` for no limit.
///
/// # Errors
/// Says what is wrong, without the name of what was set.
pub fn size(text: &OsStr, least: usize) -> Result<Option<usize>, String> {
    let text = text.to_string_lossy();
    if text == "none" {
        return Ok(None);
    }
    let wrong = || {
        format!(
            "expected a size such as 64MB, or none, got `{}`",
            text.escape_debug()
        )
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: usize = digits.parse().map_err(|_| wrong())?;
    let unit: usize = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        _ => return Err(wrong()),
    };
    let bytes = number.checked_mul(unit).ok_or_else(wrong)?;
    if bytes < least {
        let least = assay::display_size(least);
        return Err(format!("`{text}` is too little: at least {least}"));
    }
    Ok(Some(bytes))
}

/// Seconds, with fractions.
///
/// # Errors
/// Says what is wrong, without the name of what was set.
pub fn seconds(text: &OsStr) -> Result<Duration, String> {
    let text = text.to_string_lossy();
    let number = text
        .strip_suffix('s')
        .unwrap_or(&text)
        .parse::<f64>()
        .unwrap_or(f64::NAN);
    // A century is more than any run takes, and less than what a clock can add.
    match number {
        number if number > 0.0 && number <= 3.2e9 => Ok(Duration::from_secs_f64(number)),
        _ => Err(format!(
            "expected seconds above 0, such as 30 or 0.5, got `{}`",
            text.escape_debug()
        )),
    }
}

fn next(parser: &mut Parser) -> Result<Option<Arg<'_>>, Error> {
    parser.next().map_err(wrong)
}

fn value(parser: &mut Parser) -> Result<OsString, Error> {
    parser.value().map_err(wrong)
}

fn wrong(error: lexopt::Error) -> Error {
    usage(error.to_string()).with_hint("assay --help")
}

fn unknown_option(argument: Arg<'_>, known: &[&str]) -> Error {
    let name = match argument {
        Arg::Short(letter) => format!("-{letter}"),
        Arg::Long(name) => format!("--{name}"),
        Arg::Value(value) => value.to_string_lossy().into_owned(),
    };
    let error = usage(format!("unknown option `{name}`"));
    match did_you_mean(&name, known.iter().copied()) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint("assay --help"),
    }
}

/// An error about the command line.
pub fn usage(message: impl Into<String>) -> Error {
    Error::new("usage", message)
}

/// `assay --help`.
pub const HELP: &str = "\
assay runs Lua scripts: jobs, checks and small services.

    assay [OPTIONS] SCRIPT [ARGUMENTS...]      run a script; `-` reads it from standard input
    assay [OPTIONS] -e CODE [ARGUMENTS...]     run a piece of code
    assay [check] FILE.yaml                    run the checks that a file describes
    assay test [PATH...]                       run the tests in *_test.lua files
    assay plugins [--json] [FILE...]           show plugins: where, version, what they provide
    assay types DIR                            write types of all that scripts can use, for editors
    assay install [NAME...]                    fetch libraries and plugins; assay help install
    assay NAME [ARGUMENTS...]                  run assay-NAME, beside assay or on PATH
    assay help [COMMAND], assay version

Options:
    -e, --eval CODE         run CODE
    --memory-limit=SIZE     what the script's Lua values may take: 64MB by default, or `none`
    --timeout=SECONDS       end the script after so much time, with exit code 124
    --instruction-limit=N   end it after so many VM instructions
    --task-limit=N          tasks of `async` that may be running
    --output-limit=SIZE     what it may print and log
    --response-limit=SIZE   what one answer from the network may have
    -h, --help
    -V, --version

Permissions (docs/security.md); scripts may do everything, until a list narrows it to what it names:
    --sandbox               for untrusted scripts: few builtins; no files, no environment, no hosts but
                            others'; limits: 30 s, 10MB of output, 10MB an answer, 100 tasks
    --allow-net=LIST        HOST, HOST:PORT, *.SUFFIX, ADDRESS, ADDRESS/BITS, unix:PATH
    --allow-env=LIST        NAME, PREFIX_*
    --allow-read=LIST, --allow-write=LIST       files, and folders with what is in them
    --allow-plugin=LIST     families, such as http
    --deny-net=LIST ...     the same, for what is not allowed even so
    --allow-all             everything but what --deny-... says
    --policy=FILE           the same options as keys of a YAML file; those given here come after it

Scripts get ARGUMENTS as the global `arg`. Libraries are looked for in ASSAY_LIB_PATH, or in the project's
.assay folder, ~/.local/share/assay, and lib/assay beside the executable's folder.
";

/// `assay check --help`.
pub const HELP_CHECK: &str = "\
assay check runs the checks that a YAML file describes: requests, queries and scripts, with retries.
A file whose name ends in .yaml or .yml needs no `check`.

    assay check [OPTIONS] FILE          `-` reads the file from standard input
    assay [OPTIONS] FILE.yaml [OPTIONS]

Options:
    --format=FORMAT         json (the default), human, junit or tap
    --validate              only look at the file: its keys, types, times, expressions and variables
    --timeout=SECONDS       for the whole run, instead of the file's `timeout`
    --allow-all             scripts may do what any script may; without it they run in a sandbox, from
                            which they reach the network and what the file has as their `env`
    --sandbox               the network is what it is in a sandbox, for all types
    --allow-*, --deny-*, --policy, --*-limit
                            as for scripts, see assay --help; limits are for each attempt of a script
    -h, --help

    retries: 5
    checks:
      - name: shop answers
        type: http
        url: ${SHOP_URL:-http://shop}/health
        expect: {status: 200, json: '.database == \"ok\"'}

Results go to stdout, and nothing else does: what scripts print goes to stderr. Exit code 0 when every
check passed, 1 when one failed or did not finish in time, 2 when the file is wrong and nothing ran.
docs/checks.md has every key.
";

/// `assay plugins --help`.
pub const HELP_PLUGINS: &str = "\
assay plugins shows what is installed: each plugin's version, plugin API, file and functions, and
which version of it scripts get. Exit code 1 when one of them is broken.

    assay plugins [--json]              the plugins of the library roots
    assay plugins [--json] FILE...      these files

Options:
    --json          one JSON object
    -h, --help
";

/// `assay types --help`.
pub const HELP_TYPES: &str = "\
assay types writes what editors complete and check scripts with: LuaCATS stubs of the builtins, of the
installed plugins, and of the installed libraries, for a script in the current folder.

    assay types DIR     types, for instance; run it again after an install

Where no .luarc.json is, it writes one that names DIR, for LuaLS and EmmyLua. It replaces and removes only
files that it has written itself. Exit code 1 when a plugin is broken; the types of the others are written.

Options:
    -h, --help
";

/// `assay test --help`.
pub const HELP_TEST: &str = "\
assay test runs the tests in files named *_test.lua, each file in a VM of its own.

    assay test [OPTIONS] [PATH...]      files and folders; the current folder by default

Options:
    --filter=TEXT           only tests with TEXT in their full name
    -j, --jobs=N            how many files run at once; one on each core by default
    --format=FORMAT         human (the default), tap or junit
    -o, --output=FILE       write the format to FILE, and a list for people to stdout
    --timeout=SECONDS       for each test
    --memory-limit=SIZE     for each file; 64MB by default
    -h, --help

    describe(\"a stack\", function()
      before_each(function() ... end)       -- and after_each, before_all, after_all
      it(\"grows\", function() assert.eq(size, 1) end)
      it.skip(\"shrinks\", function() end)  -- describe.skip skips a group
    end)

A library under test is found by its folder: its tests say require(\"assay.NAME\").
Exit code 1 when a test fails, or none was found.
";
