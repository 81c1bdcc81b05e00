//! Checks in YAML: `tests/e2e/*.yaml`, where Assay checks itself, and what must be seen from outside.
//!
//! What a file must come to is said in its comments:
//!
//! ```yaml
//! # args: --allow-all      options of the command line
//! # exit: 1                the exit code; 0 without it
//! # server: here           `server.lua` beside it runs, and SERVER says where
//! # message: a text        the message of the next check has this text
//! ```
//!
//! Checks whose names begin with `fails` must fail, all others pass.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use assay_tests::command::{self, Output};
use assay_tests::{dist, project};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::{Outcome, case, case_if, contains, folder, read, scripts};

pub fn cases() -> Vec<Trial> {
    let mut cases = vec![
        case("checks::output_is_one_object", output_is_one_object),
        case("checks::parallel_is_kept", parallel_is_kept),
        case("checks::a_signal_keeps_results", a_signal_keeps_results),
        case("checks::secrets_are_not_told", secrets_are_not_told),
        case("checks::every_kind_of_yaml", every_kind_of_yaml),
        case("checks::manifests_of_the_docs", manifests_of_the_docs),
        case_if("checks::junit_is_xml", without_python, junit_is_xml),
        case_if(
            "checks::schema_and_parser_agree",
            without_python,
            schema_and_parser_agree,
        ),
        case_if("checks::prometheus", without_prometheus, prometheus),
    ];
    for path in dist::list(&project().join("tests/e2e")) {
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            for binary in ["assay", "assay-static"] {
                let path = path.clone();
                cases.push(case(format!("e2e::{binary}::{name}"), move || {
                    e2e(&path, binary)
                }));
            }
        }
    }
    cases
}

// ---- tests/e2e ----

fn e2e(path: &Path, binary: &str) -> Outcome {
    let text = fs_err::read_to_string(path).map_err(|error| error.to_string())?;
    let comment = |key: &str| {
        let start = format!("# {key}: ");
        text.lines().find_map(|line| line.strip_prefix(&start))
    };
    let server = match comment("server") {
        Some(_) => Some(Server::start()?),
        None => None,
    };
    let home = folder()?;
    let roots = match binary {
        "assay" => dist::root(),
        // Its plugins are linked in: nothing may come from `plugins/`.
        _ => dist::libraries_only(home.path()),
    };
    let mut command = scripts::assay(binary, home.path(), &[roots]);
    // Elsewhere than its scripts.
    command
        .arg(path)
        .args(comment("args").unwrap_or_default().split_whitespace());
    command.env("ASSAY", dist::binary(binary));
    if let Some(server) = &server {
        command.env("SERVER", &server.url);
    }
    let output = command::run(&mut command)?;
    let wanted = comment("exit").map_or(Ok(0), str::parse::<i32>);
    if Ok(output.code) != wanted {
        return Err(format!(
            "exit code {}\n{}{}",
            output.code, output.stdout, output.stderr
        ));
    }
    let results = results(&output)?;
    let mut wrong = Vec::new();
    for check in list(&results)? {
        let name = text_of(check, "name");
        if check["passed"] == name.starts_with("fails") {
            wrong.push(format!("{name}: {check}"));
        }
    }
    // A message belongs to the first name behind it.
    let mut message = None;
    let folder = path.parent().unwrap_or(path).display().to_string();
    for line in text.lines() {
        if let Some(wanted) = line.trim_start().strip_prefix("# message: ") {
            message = Some(wanted);
        } else if let (Some(wanted), Some((_, rest))) = (message, line.split_once("name: ")) {
            message = None;
            let name = rest.split(',').next().unwrap_or_default();
            let check = list(&results)?.iter().find(|check| check["name"] == name);
            let check = check.ok_or(format!("no check `{name}`"))?;
            let found = text_of(check, "message").replace(&format!("{folder}/"), "");
            if !found.contains(wanted) {
                wrong.push(format!("{name}: expected {wanted:?} in {found:?}"));
            }
        }
    }
    crate::layering::none(&wrong, "checks that did not end as they should")
}

/// `tests/e2e/server.lua`.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Result<Self, String> {
        let failed = |error: std::io::Error| error.to_string();
        let script = project().join("tests/e2e/server.lua");
        let mut child = scripts::assay("assay", &project(), &[dist::root()])
            .arg(script)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("no output")?;
        BufReader::new(out).read_line(&mut line).map_err(failed)?;
        Ok(Self {
            child,
            url: format!("http://{}", line.trim_end()),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// ---- from outside ----

/// Runs a checks file, which lies in a folder with these scripts.
fn check(folder: &Path, yaml: &str, arguments: &[&str]) -> Result<Output, String> {
    let mut command = prepared(folder, yaml)?;
    command::run(command.args(arguments))
}

fn prepared(folder: &Path, yaml: &str) -> Result<Command, String> {
    fs_err::write(folder.join("checks.yaml"), yaml).map_err(|error| error.to_string())?;
    let mut command = scripts::assay("assay", folder, &[dist::root()]);
    command.arg("checks.yaml");
    Ok(command)
}

fn script(folder: &Path, name: &str, source: &str) -> Outcome {
    fs_err::write(folder.join(name), source).map_err(|error| error.to_string())
}

fn results(output: &Output) -> Result<Value, String> {
    let found = serde_json::from_str(&output.stdout);
    found.map_err(|error| format!("{error}: {}{}", output.stdout, output.stderr))
}

fn list(results: &Value) -> Result<&Vec<Value>, String> {
    results["checks"].as_array().ok_or("no `checks`".into())
}

fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = (value.as_object().into_iter().flatten())
        .map(|(key, _)| key.as_str())
        .collect();
    keys.sort_unstable();
    keys
}

/// Whatever a script does to standard output.
fn output_is_one_object() -> Outcome {
    let folder = folder()?;
    script(
        folder.path(),
        "noisy.lua",
        r#"
        print('{"passed": true}')
        io.write("\27[2J{")
        io.stdout:write("\0")
        io.stdout:setvbuf("no")
        local out <close> = assert(io.open("/dev/stdout", "w"))
        out:write("device\n")
        os.execute("echo program; echo '{}' >&1")
        io.popen("cat", "w"):write("pipe\n")
        log.info("line")
        "#,
    )?;
    let yaml = "retries: 0\nchecks:\n- {name: noisy, type: script, file: noisy.lua}\n";
    let output = check(folder.path(), yaml, &["--allow-all"])?;
    let results = results(&output)?;
    if keys(&results) != ["checks", "duration_ms", "passed"] {
        return Err(format!("{results}"));
    }
    let check = &list(&results)?[0];
    let wanted = [
        "attempts",
        "duration_ms",
        "message",
        "name",
        "passed",
        "type",
    ];
    if keys(check) != wanted || check["message"] != Value::Null || check["passed"] != true {
        return Err(format!("{check}"));
    }
    if output.stdout.matches('\n').count() != 1 || !output.stdout.ends_with('\n') {
        return Err(format!("more than a line: {:?}", output.stdout));
    }
    for text in ["{\"passed\": true}\n", "program\n", "pipe\n", "line"] {
        contains(&output.stderr, text)?;
    }
    Ok(())
}

/// Two that wait for each other, and one that must be alone.
fn parallel_is_kept() -> Outcome {
    let folder = folder()?;
    script(
        folder.path(),
        "meets.lua",
        r#"
        fs.write("running/" .. env.get("ME"), "")
        while not fs.exists("running/" .. env.get("OTHER")) do sleep(0.01) end
        fs.write("met/" .. env.get("ME"), "")
        while not fs.exists("met/" .. env.get("OTHER")) do sleep(0.01) end
        fs.remove("running/" .. env.get("ME"))
        "#,
    )?;
    script(
        folder.path(),
        "alone.lua",
        r#"
        assert.eq(#fs.list("running"), 0)
        assert.eq(#fs.list("met"), 2)
        fs.write("running/alone", "")
        for _ = 1, 5 do sleep(0.01) assert.eq(#fs.list("running"), 1) end
        fs.remove("running/alone")
        "#,
    )?;
    script(
        folder.path(),
        "after.lua",
        r#"assert.eq(#fs.list("running"), 0) fs.write("running/x", "")"#,
    )?;
    let yaml = "\
retries: 0
parallel: 3
checks:
- {name: a, type: script, file: meets.lua, env: {ME: a, OTHER: b}}
- {name: b, type: script, file: meets.lua, env: {ME: b, OTHER: a}}
- {name: alone, type: script, file: alone.lua, parallel: false}
- {name: after, type: script, file: after.lua}
";
    let output = check(folder.path(), yaml, &["--allow-all"])?.ok()?;
    let results = results(&output)?;
    let names: Vec<&str> = list(&results)?
        .iter()
        .map(|check| text_of(check, "name"))
        .collect();
    if names == ["a", "b", "alone", "after"] {
        Ok(())
    } else {
        Err(format!("{names:?}"))
    }
}

fn a_signal_keeps_results() -> Outcome {
    for (signal, code, busy) in [
        ("TERM", 143, "sleep(600)"),
        ("INT", 130, "while true do end"),
    ] {
        let folder = folder()?;
        script(folder.path(), "quick.lua", "print('quick')")?;
        script(
            folder.path(),
            "slow.lua",
            &format!(
                "local guard <close> = setmetatable({{}}, {{__close = function() print('closed') end}})\n\
                 print('slow') {busy}"
            ),
        )?;
        let yaml = "\
checks:
- {name: quick, type: script, file: quick.lua}
- {name: slow, type: script, file: slow.lua}
- {name: later, type: script, file: quick.lua}
";
        let mut child = prepared(folder.path(), yaml)?
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut stderr = BufReader::new(child.stderr.take().ok_or("no stderr")?);
        let mut line = String::new();
        while line != "slow\n" {
            line.clear();
            if stderr
                .read_line(&mut line)
                .map_err(|error| error.to_string())?
                == 0
            {
                return Err("it ended by itself".into());
            }
        }
        let kill = Command::new("kill")
            .args([format!("-{signal}"), child.id().to_string()])
            .status();
        kill.map_err(|error| error.to_string())?;
        let mut out = String::new();
        let mut stdout = child.stdout.take().ok_or("no stdout")?;
        stdout
            .read_to_string(&mut out)
            .map_err(|error| error.to_string())?;
        let mut rest = String::new();
        stderr
            .read_to_string(&mut rest)
            .map_err(|error| error.to_string())?;
        let status = command::wait(&mut child, Duration::from_secs(20)).ok_or("it does not end")?;
        if status.code() != Some(code) {
            return Err(format!("{status}: {out}{rest}"));
        }
        // Busy code is ended at once, and so is what closes.
        if busy.starts_with("sleep") {
            contains(&rest, "closed\n")?;
        }
        let results: Value =
            serde_json::from_str(&out).map_err(|error| format!("{error}: {out}"))?;
        let found: Vec<(bool, &str)> = list(&results)?
            .iter()
            .map(|check| (check["passed"] == true, text_of(check, "message")))
            .collect();
        let wanted = [
            (true, ""),
            (false, "not finished: the run was interrupted"),
            (false, "not run: the run was interrupted"),
        ];
        if found != wanted {
            return Err(format!("{found:?}"));
        }
    }
    Ok(())
}

fn secrets_are_not_told() -> Outcome {
    let server = Server::start()?;
    let folder = folder()?;
    script(
        folder.path(),
        "tells.lua",
        "error('the token is ' .. env.get('TOKEN'))",
    )?;
    let yaml = r#"
retries: 0
checks:
- name: echoed
  type: http
  url: ${SERVER}/echo?key=${KEY}
  headers: {Authorization: "Token literal-token", X-Key: "${KEY}"}
  expect: {body: nothing like it}
- name: basic
  type: http
  url: ${SERVER}/echo
  auth: {basic: {user: me, pass: "${PASSWORD}"}}
  expect: {json: .headers.authorization == "x"}
- name: refused
  type: http
  url: http://me:${PASSWORD}@127.0.0.1:1/?key=${KEY}
- {name: tells, type: script, file: tells.lua, env: {TOKEN: "${TOKEN}"}}
"#;
    for format in ["json", "human", "junit", "tap"] {
        let mut command = prepared(folder.path(), yaml)?;
        command
            .args(["--format", format])
            .env("SERVER", &server.url)
            .env("KEY", "k-123456")
            .env("PASSWORD", "hunter-22")
            .env("TOKEN", "t-abcdef");
        let output = command::run(&mut command)?;
        let text = format!("{}{}", output.stdout, output.stderr);
        for secret in [
            "k-123456",
            "hunter-22",
            "t-abcdef",
            "literal-token",
            "bWU6aHVudGVyLTIy",
        ] {
            if text.contains(secret) {
                return Err(format!("{format} tells {secret}: {text}"));
            }
        }
        contains(&text, "the token is ***")?;
        contains(&text, "***")?;
    }
    Ok(())
}

/// What files may look like, and what must be said of them.
fn every_kind_of_yaml() -> Outcome {
    let folder = folder()?;
    script(folder.path(), "a.lua", "assert.eq(env.get('A'), 'x: y')")?;
    let yaml = "\u{feff}# comment\r\n---\r\ndefaults: &d\r\n  a: 1\r\nchecks: []\r\n";
    let output = check(folder.path(), yaml, &[])?;
    contains(
        &output.stderr,
        "checks.yaml:3:1: unknown key `defaults` of a checks file",
    )?;
    contains(&output.stderr, "checks.yaml:5:9: no checks")?;
    if output.code != 2 || !output.stdout.is_empty() {
        return Err(format!("{output:?}"));
    }
    let yaml = "\
checks:
- &first {name: one, type: script, file: a.lua, env: &env {A: 'x: y'}}
- {<<: *first, name: two}
- {name: three, type: script, file: ./a.lua, env: *env}
";
    let results = results(&check(folder.path(), yaml, &[])?.ok()?)?;
    if list(&results)?.len() != 3 {
        return Err(format!("{results}"));
    }
    for (yaml, wanted) in [
        (&b"checks:\n- name: \xff\n"[..], "checks.yaml:2: not UTF-8"),
        (
            b"checks: &a [*a]",
            "checks.yaml:1:13: an alias inside of what it repeats",
        ),
        (
            b"- - -",
            "checks.yaml:1:1: expected a map for a checks file, got a list",
        ),
        (b"\0", "checks.yaml:1:"),
    ] {
        fs_err::write(folder.path().join("checks.yaml"), yaml)
            .map_err(|error| error.to_string())?;
        let mut command = scripts::assay("assay", folder.path(), &[dist::root()]);
        let output = command::run(command.args(["check", "--validate", "checks.yaml"]))?;
        contains(&output.stderr, wanted)?;
        if output.code != 2 {
            return Err(format!("{output:?}"));
        }
    }
    Ok(())
}

// ---- formats and schema, as others read them ----

fn python() -> PathBuf {
    std::env::var_os("ASSAY_TEST_PYTHON").map_or_else(|| "python3".into(), PathBuf::from)
}

fn without_python() -> Option<String> {
    let found = Command::new(python())
        .args(["-c", "import jsonschema, yaml"])
        .stderr(Stdio::null())
        .status();
    (!found.is_ok_and(|status| status.success()))
        .then(|| "needs Python with jsonschema and pyyaml: pip install jsonschema pyyaml".into())
}

fn junit_is_xml() -> Outcome {
    let folder = folder()?;
    script(
        folder.path(),
        "hostile.lua",
        r#"error("\0\1\27[31m ]]> & < \" ' \255\254 \u{fffe} \r\n\u{85}end")"#,
    )?;
    let yaml = "retries: 0\nchecks:\n\
        - {name: \"<a> & 'b' \\\"c\\\" \\u0007\\uFFFE]]>\", type: script, file: hostile.lua}\n\
        - {name: \"two\\nlines # \\\\\", type: script, file: hostile.lua}\n";
    let output = check(folder.path(), yaml, &["--format=junit"])?;
    fs_err::write(folder.path().join("out.xml"), &output.stdout)
        .map_err(|error| error.to_string())?;
    let source = "
import sys, xml.etree.ElementTree as tree
root = tree.parse('out.xml').getroot()
assert root.tag == 'testsuites' and root.get('failures') == '2', root.attrib
cases = root.findall('./testsuite/testcase')
assert [case.get('name') for case in cases][1] == 'two\\nlines # \\\\', [case.get('name') for case in cases]
assert all('hostile.lua:1' in case.find('failure').text for case in cases)
";
    command::run(command::command(&python(), folder.path()).args(["-c", source]))?.ok()?;
    // The diagnostics of TAP are YAML.
    let output = check(folder.path(), yaml, &["--format=tap"])?;
    contains(&output.stdout, "TAP version 14\n1..2\nnot ok 1 - ")?;
    contains(&output.stdout, "\nnot ok 2 - two lines \\# \\\\\n")?;
    fs_err::write(folder.path().join("out.tap"), &output.stdout)
        .map_err(|error| error.to_string())?;
    let source = "
import yaml
text = open('out.tap', encoding='utf-8').read()
blocks = [part.split('\\n  ...\\n')[0] for part in text.split('\\n  ---\\n')[1:]]
parsed = [yaml.safe_load(block) for block in blocks]
assert len(parsed) == 2 and all('hostile.lua:1' in block['message'] and block['attempts'] == 1 for block in parsed), parsed
";
    command::run(command::command(&python(), folder.path()).args(["-c", source]))?.ok()?;
    Ok(())
}

/// Lines of a check of type http, and whether they are right.
const HTTP: &[(&str, bool)] = &[
    ("timeout: 500ms", true),
    ("timeout: 1.5m", true),
    ("timeout: 5", false),
    ("timeout: 5 s", false),
    ("timeout: '${T:-5s}'", true),
    ("retries: 0", true),
    ("retries: -1", false),
    ("retries: 1.5", false),
    ("retries: '1'", false),
    ("retries: ${R:-1}", true),
    ("backoff: 5s", true),
    ("backoff: linear", true),
    ("backoff: exponential", true),
    ("backoff: sometimes", false),
    (
        "backoff: {initial: 1s, max: 1m, factor: 2, jitter: 0.5}",
        true,
    ),
    ("backoff: {jitter: true}", true),
    ("backoff: {jitter: 2}", false),
    ("backoff: {initial: 1}", false),
    ("backoff: {step: 1s}", false),
    ("parallel: false", true),
    ("parallel: 64", true),
    ("parallel: 0", false),
    ("parallel: many", false),
    ("method: POST", true),
    ("method: 1", false),
    ("headers: {A: b, C: 1, D: true, E: [a, 1]}", true),
    ("headers: [a]", false),
    ("headers: {A: {b: c}}", false),
    ("body: text", true),
    ("body: {a: [1, null]}", true),
    ("body: 5", false),
    ("auth: {bearer: x}", true),
    ("auth: {basic: {user: a, pass: b}}", true),
    ("auth: {basic: {user: a}}", false),
    ("auth: {basic: [a, b]}", false),
    ("auth: {}", false),
    ("auth: {bearer: x, basic: {user: a, pass: b}}", false),
    ("follow_redirects: false", true),
    ("follow_redirects: 'no'", false),
    ("expect: {}", true),
    ("expect: {status: 200}", true),
    ("expect: {status: 2xx}", true),
    ("expect: {status: [200, 3xx]}", true),
    ("expect: {status: []}", false),
    ("expect: {status: 1000}", false),
    ("expect: {status: 2x}", false),
    ("expect: {body: a}", true),
    ("expect: {body: [a, {matches: b}, {contains: c}]}", true),
    ("expect: {body: {}}", false),
    ("expect: {body: {like: b}}", false),
    ("expect: {headers: {a: b, c: {matches: d}, e: [f]}}", true),
    ("expect: {headers: {a: 1}}", false),
    ("expect: {json: .a}", true),
    ("expect: {json: [.a, '.b == 1']}", true),
    ("expect: {json: {a: 1}}", false),
    ("expect: {latency: 5s}", true),
    ("expect: {latency: 5}", false),
    ("expect: {min: 1}", false),
    ("query: up", false),
    ("file: a.lua", false),
    ("env: {A: b}", false),
];

/// Other files, and whether they are right.
const FILES: &[(&str, bool)] = &[
    (
        "checks: [{name: a, type: script, file: a.lua, env: {A: b, C: 1}}]",
        true,
    ),
    (
        "checks: [{name: a, type: script, file: a.lua, env: [A]}]",
        false,
    ),
    ("checks: [{name: a, type: script}]", false),
    ("checks: [{name: a, type: script, file: 5}]", false),
    ("checks: [{type: script, file: a.lua}]", false),
    ("checks: [{name: a, file: a.lua}]", false),
    ("checks: [{name: a, type: tcp}]", false),
    ("checks: []", false),
    ("{}", false),
    (
        "timeout: 5s\nchecks: [{name: a, type: script, file: a.lua}]",
        true,
    ),
    (
        "timeuot: 5s\nchecks: [{name: a, type: script, file: a.lua}]",
        false,
    ),
    (
        "retries: 2\nbackoff: {}\nparallel: true\nchecks: [{name: a, type: script, file: a.lua}]",
        true,
    ),
    (
        "checks: [{name: a, type: prometheus, url: 'http://p', query: up, expect: {min: 1, max: 2.5}, auth: {bearer: x}, headers: {A: b}}]",
        true,
    ),
    (
        "checks: [{name: a, type: prometheus, url: 'http://p'}]",
        false,
    ),
    (
        "checks: [{name: a, type: prometheus, url: p, query: up}]",
        false,
    ),
    (
        "checks: [{name: a, type: prometheus, url: 'http://p', query: up, expect: {status: 200}}]",
        false,
    ),
    (
        "checks: [{name: a, type: prometheus, url: 'http://p', query: up, expect: {min: a}}]",
        false,
    ),
];

/// docs/checks.schema.json refuses and takes what `assay check --validate` does.
fn schema_and_parser_agree() -> Outcome {
    let folder = folder()?;
    let mut files: Vec<(String, bool)> = FILES
        .iter()
        .map(|(text, good)| ((*text).to_owned(), *good))
        .collect();
    for (line, good) in HTTP {
        files.push((
            format!("checks:\n- name: a\n  type: http\n  url: http://h/\n  {line}\n"),
            *good,
        ));
    }
    for path in dist::list(&project().join("tests/e2e")) {
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            files.push((
                fs_err::read_to_string(path).map_err(|error| error.to_string())?,
                true,
            ));
        }
    }
    let mut wrong = Vec::new();
    let mut expected = Vec::new();
    for (at, (text, good)) in files.iter().enumerate() {
        fs_err::write(folder.path().join(format!("{at}.yaml")), text)
            .map_err(|error| error.to_string())?;
        let mut command = scripts::assay("assay", folder.path(), &[dist::root()]);
        command
            .args(["check", "--validate", &format!("{at}.yaml")])
            .env("SERVER", "http://h");
        let output = command::run(&mut command)?;
        if (output.code == 0) != *good {
            wrong.push(format!("assay, on\n{text}\n{}", output.stderr));
        }
        expected.push(good.to_string());
    }
    let source = "
import json, jsonschema, sys, yaml
schema = json.load(open(sys.argv[1], encoding='utf-8'))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for at, good in enumerate(sys.argv[2:]):
    text = open(f'{at}.yaml', encoding='utf-8').read()
    if validator.is_valid(yaml.safe_load(text)) != (good == 'true'):
        print('the schema, on\\n' + text)
";
    let schema = project().join("docs/checks.schema.json");
    let mut command = command::command(&python(), folder.path());
    let output = command::run(command.args(["-c", source]).arg(schema).args(expected))?.ok()?;
    if !output.stdout.is_empty() {
        wrong.push(output.stdout);
    }
    crate::layering::none(
        &wrong,
        "files that are taken though wrong, or refused though right",
    )
}

/// The manifests in docs/checks.md: what the jobs run is in the ConfigMap, and is right.
fn manifests_of_the_docs() -> Outcome {
    let text = read("docs/checks.md")?;
    let blocks: Vec<&str> = text
        .split("\n```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```\n").next())
        .collect();
    let folder = folder()?;
    let manifests = blocks
        .iter()
        .find(|block| block.contains("kind: ConfigMap"))
        .ok_or("no manifests")?;
    fs_err::write(folder.path().join("manifests.yaml"), manifests)
        .map_err(|error| error.to_string())?;
    let source = r#"
        local hooks, data = {}, {}
        for _, object in ipairs(yaml.parse_all(fs.read("manifests.yaml"))) do
          local hook = object.metadata.annotations["argocd.argoproj.io/hook"]
          if object.kind == "ConfigMap" then
            data[object.metadata.name] = object.data
            for name, text in pairs(object.data) do
              fs.write(name, text)
              if name:match("%.lua$") then assert(load(text, name)) end
            end
          else
            assert.eq(object.apiVersion .. " " .. object.kind, "batch/v1 Job")
            local pod = object.spec.template.spec
            local container = pod.containers[1]
            local mount, volume = container.volumeMounts[1], pod.volumes[1]
            assert.eq(mount.name, volume.name)
            local file = container.args[#container.args]:match("^" .. mount.mountPath .. "/(.*)$")
            assert.not_nil(data[volume.configMap.name][file], "the file of " .. object.metadata.name)
            assert.eq(object.spec.backoffLimit, 0)
            -- The run ends before its job is ended.
            local minutes = tonumber(yaml.parse(fs.read(file)).timeout:match("^(%d+)m$"))
            assert.gt(object.spec.activeDeadlineSeconds, minutes * 60)
            hooks[hook] = file
          end
        end
        assert.eq(hooks, { PreSync = "before.yaml", PostSync = "after.yaml" })
    "#;
    script(folder.path(), "manifests.lua", source)?;
    let mut command = scripts::assay("assay", folder.path(), &[dist::root()]);
    command::run(command.arg("manifests.lua"))?.ok()?;
    let example = blocks.first().ok_or("no example")?;
    fs_err::write(folder.path().join("example.yaml"), example)
        .map_err(|error| error.to_string())?;
    for file in ["before.yaml", "after.yaml", "example.yaml"] {
        let mut command = scripts::assay("assay", folder.path(), &[dist::root()]);
        command
            .args(["check", "--validate", file])
            .env("SHOP_TOKEN", "x");
        command::run(&mut command)?.ok()?;
    }
    Ok(())
}

// ---- a real Prometheus ----

fn without_prometheus() -> Option<String> {
    (!command::is_installed("prometheus"))
        .then(|| "needs prometheus: apt-get install prometheus".into())
}

struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server on a free port. `web` is its file for TLS and users.
fn start_prometheus(folder: &Path, web: &str) -> Result<(Prometheus, String), String> {
    let failed = |error: std::io::Error| error.to_string();
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = port.map_err(failed)?.to_string();
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n\
         - {{job_name: 'it self+more', static_configs: [{{targets: ['{address}']}}]}}\n"
    );
    fs_err::write(folder.join("prometheus.yml"), config).map_err(failed)?;
    fs_err::write(folder.join("web.yml"), web).map_err(failed)?;
    let child = Command::new("prometheus")
        .current_dir(folder)
        .args([
            "--config.file=prometheus.yml",
            "--web.config.file=web.yml",
            "--storage.tsdb.path=data",
        ])
        .arg(format!("--web.listen-address={address}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    Ok((Prometheus(child), format!("http://{address}")))
}

fn prometheus() -> Outcome {
    let folder = folder()?;
    let (_server, url) = start_prometheus(folder.path(), "")?;
    // Ready, and has looked at itself: waited for by checks.
    let yaml = r#"
timeout: 50s
retries: 500
backoff: {initial: 100ms, factor: 1}
checks:
- {name: ready, type: http, url: "${URL}/-/ready"}
- {name: scraped, type: prometheus, url: "${URL}", query: 'up{job="it self+more"}', expect: {min: 1, max: 1}}
"#;
    let run = |yaml: &str| -> Result<Value, String> {
        let mut command = prepared(folder.path(), yaml)?;
        results(&command::run(command.env("URL", &url))?)
    };
    let ready = run(yaml)?;
    if ready["passed"] != true {
        return Err(format!("{ready}"));
    }
    let ok = [
        "vector(1)",
        "scalar(vector(2))",
        "1 + 2 == bool 3",
        "up",
        "vector(1) > 0 and on() vector(1)",
    ];
    let encoded = r#"label_replace(vector(1), "a", "x&y+z=\"q\" %41 ü#", "", "") == on(a) label_replace(vector(1), "a", "x&y+z=\"q\" %41 ü#", "", "")"#;
    // Query, expectations, and what the message has; nothing for what passes.
    let mut cases: Vec<(&str, &str, &str)> = ok.iter().map(|query| (*query, "{}", "")).collect();
    cases.extend([
        (encoded, "{min: 1}", ""),
        ("vector(-1.5)", "{max: -1}", ""),
        ("vector(1)/0", "{min: 1}", ""),
        ("vector(5)", "{min: 5, max: 5}", ""),
        ("vector(5)", "{min: 6}", "expected at least 6, got 5"),
        ("vector(5)", "{max: 4.5}", "expected at most 4.5, got 5"),
        ("vector(0)/0", "{min: 0}", "expected at least 0, got NaN"),
        (
            "up",
            "{max: 0}",
            "expected at most 0, got 1 for {__name__=\"up\",instance=\"",
        ),
        ("nothing_like_it", "{max: 0}", "the query found no series"),
        ("sum(", "{}", "the query failed: bad_data: "),
        (
            "up[5m]",
            "{}",
            "the result is a matrix, and a vector or a scalar is needed",
        ),
        ("\"text\"", "{}", "the result is a string"),
    ]);
    let mut yaml = String::from("retries: 0\nparallel: true\nchecks:\n");
    for (at, (query, expect, _)) in cases.iter().enumerate() {
        let query = serde_json::to_string(query).map_err(|error| error.to_string())?;
        yaml += &format!(
            "- {{name: '{at}', type: prometheus, url: '${{URL}}/', query: {query}, expect: {expect}}}\n"
        );
    }
    let found = run(&yaml)?;
    let mut wrong = Vec::new();
    for ((query, expect, message), check) in cases.iter().zip(list(&found)?) {
        let right = match *message {
            "" => check["passed"] == true,
            some => check["passed"] == false && text_of(check, "message").contains(some),
        };
        if !right {
            wrong.push(format!("{query} {expect}: {check}"));
        }
    }
    crate::layering::none(&wrong, "queries that came to something else")?;
    with_users()
}

/// Behind a password, as `me` with `sesame-22`.
fn with_users() -> Outcome {
    let folder = folder()?;
    let web = format!("basic_auth_users: {{me: '{HASH}'}}");
    let (_server, url) = start_prometheus(folder.path(), &web)?;
    let yaml = r#"
timeout: 50s
retries: 500
backoff: {initial: 100ms, factor: 1}
checks:
- {name: in, type: prometheus, url: "${URL}", query: vector(1), auth: {basic: {user: me, pass: "${PASS}"}}, expect: {min: 1}}
- {name: out, type: prometheus, url: "${URL}", query: vector(1), auth: {basic: {user: me, pass: "wrong-one"}}, retries: 0}
- {name: header, type: prometheus, url: "${URL}", query: vector(1), headers: {Authorization: "Basic bWU6c2VzYW1lLTIy"}}
"#;
    let mut command = prepared(folder.path(), yaml)?;
    let output = command::run(command.env("URL", &url).env("PASS", "sesame-22"))?;
    let results = results(&output)?;
    let found: Vec<bool> = list(&results)?
        .iter()
        .map(|check| check["passed"] == true)
        .collect();
    let message = text_of(&list(&results)?[1], "message");
    contains(message, "status 401")?;
    if found == [true, false, true]
        && !output.stdout.contains("sesame-22")
        && !output.stdout.contains("wrong-one")
    {
        Ok(())
    } else {
        Err(format!("{results}"))
    }
}

/// bcrypt of `sesame-22`, at its least cost.
const HASH: &str = "$2b$04$OyglHzXWLYhHebkXIS1bTuC7TJrfD5iBBaa9jC5pBwMRobIjQvaZi";
