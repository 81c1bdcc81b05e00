use super::*;
use crate::{Config, Vm};

const MINIMAL: &str = "checks:\n- {name: a, type: script, file: a.lua}\n";

fn lookup(name: &str) -> Option<std::ffi::OsString> {
    match name {
        "FIVE" => Some("5".into()),
        "TIME" => Some("7s".into()),
        "DIGITS" => Some("12345".into()),
        "HOST" => Some("example.com".into()),
        "EVIL" => Some("a\nretries: 9".into()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Plan, Vec<Error>> {
    Plan::parse("c.yaml", text, Some(Path::new("dir")), &lookup)
}

fn plan(text: &str) -> Plan {
    parse(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"))
}

/// `line:column: message` of each mistake, with its hint behind ` | `.
fn mistakes(text: &str) -> Vec<String> {
    let Err(errors) = parse(text) else {
        panic!("taken: {text}");
    };
    errors
        .into_iter()
        .map(|error| {
            let message = error.message.strip_prefix("c.yaml:").unwrap().to_owned();
            match &error.hint {
                Some(hint) => format!("{message} | {hint}"),
                None => message,
            }
        })
        .collect()
}

/// The mistakes of a check of type http with these keys.
fn http(keys: &str) -> Vec<String> {
    mistakes(&format!(
        "checks:\n- name: a\n  type: http\n  url: http://h/\n{keys}"
    ))
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn defaults() {
    let plan = plan(MINIMAL);
    let check = &plan.checks[0];
    assert_eq!(plan.timeout, secs(120));
    assert_eq!((check.retries, check.parallel, check.timeout), (3, 1, None));
    let waits: Vec<_> = (1..=3)
        .map(|attempt| check.backoff.wait(attempt, 0.5))
        .collect();
    assert_eq!(waits, [secs(5), secs(10), secs(15)]);
    let Kind::Script(file, environment) = &check.kind else {
        panic!()
    };
    assert_eq!(file, Path::new("dir/a.lua"));
    assert!(environment.is_empty());
}

#[test]
fn a_check_says_otherwise() {
    let text = "\
timeout: 1h
retries: 1
backoff: 2s
parallel: true
checks:
- &a {name: a, type: script, file: a.lua, timeout: 500ms, retries: 0, backoff: exponential, parallel: 3}
- <<: *a
  name: b
  file: /b.lua
- {name: c, type: script, file: c.lua, parallel: false}
";
    let plan = plan(text);
    let settings: Vec<_> = plan
        .checks
        .iter()
        .map(|check| (check.retries, check.parallel, check.timeout))
        .collect();
    let half = Some(Duration::from_millis(500));
    assert_eq!(settings, [(0, 3, half), (0, 3, half), (1, 1, None)]);
    assert_eq!(plan.timeout, secs(3600));
    assert_eq!(plan.names().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(plan.checks[2].backoff.wait(2, 0.0), secs(4));
}

#[test]
fn backoffs() {
    let wait = |backoff: &str, attempt, chance| {
        let text = format!("backoff: {backoff}\n{MINIMAL}");
        plan(&text).checks[0].backoff.wait(attempt, chance)
    };
    let waits = |backoff: &str| [1, 2, 3, 40].map(|attempt| wait(backoff, attempt, 0.0).as_secs());
    assert_eq!(waits("5s"), [5, 10, 15, 200]);
    assert_eq!(waits("linear"), [5, 10, 15, 200]);
    assert_eq!(waits("exponential"), [1, 2, 4, 60]);
    assert_eq!(waits("{initial: 2s, factor: 3, max: 1h}"), [2, 6, 18, 3600]);
    assert_eq!(waits("{factor: 1}"), [1, 1, 1, 1]);
    assert_eq!(waits("0s"), [0, 0, 0, 0]);
    assert_eq!(wait("{initial: 10s, jitter: 0.5}", 1, 1.0), secs(5));
    assert_eq!(
        wait("{initial: 10s, jitter: true}", 1, 0.75),
        Duration::from_millis(2500)
    );
    // Numbers that no clock has.
    assert_eq!(wait("{factor: 1000}", 1_000_000, 0.0), secs(60));
    assert!(wait("100000h", 1_000_000, 0.0) > secs(3600));
}

#[test]
fn variables_have_the_types_of_what_they_hold() {
    let text = "\
timeout: ${TIME}
retries: ${FIVE}
parallel: '${FIVE}'
checks:
- name: to ${HOST}
  type: http
  url: http://${HOST}/
  timeout: ${NONE:-3s}
  auth: {bearer: '${DIGITS}'}
  body:
    port: ${FIVE}
    text: '${FIVE}'
    plain: 5
  expect: {status: ['${NONE:-204}', 2xx]}
";
    let plan = plan(text);
    let check = &plan.checks[0];
    assert_eq!(
        (plan.timeout, check.retries, check.parallel),
        (secs(7), 5, 5)
    );
    assert_eq!(
        (check.name.as_str(), check.timeout),
        ("to example.com", Some(secs(3)))
    );
    let Kind::Http(request, expect) = &check.kind else {
        panic!()
    };
    let token = request.get("auth").unwrap().get("bearer");
    assert_eq!(token, Some(&"12345".into()));
    let body = request.get("body").unwrap();
    assert_eq!(body.get("port"), Some(&Value::Int(5)));
    assert_eq!(body.get("text"), Some(&"5".into()));
    assert_eq!(expect.status, [(204, 204), (200, 299)]);
}

#[test]
fn a_variable_cannot_add_keys() {
    let text = "checks:\n- {name: \"${EVIL}\", type: script, file: a.lua}\n";
    assert_eq!(plan(text).checks[0].name, "a\nretries: 9");
}

#[test]
fn mistakes_of_the_file() {
    for (text, wanted) in [
        ("", "1:1: nothing in it | it needs a list of `checks`"),
        (
            "a: {b: ${C}}",
            "1:9: while parsing a flow mapping, did not find expected ',' or '}' | inside of {...} and [...] a text with `${...}` needs quotes",
        ),
        ("a: [1", "1:4: unclosed bracket '['"),
        ("[]", "1:1: expected a map for a checks file, got a list"),
        ("{}", "1:1: `checks` is missing"),
        ("checks: []", "1:9: no checks"),
        ("checks: {}", "1:9: expected a list of checks, got a map"),
        ("checks:", "1:7: expected a list of checks, got nothing"),
        (
            "checks: [1]",
            "1:10: expected a check: a map with `name` and `type`, got `1`",
        ),
        ("checks: [{}]", "1:10: `type` is missing"),
        (
            "checks: [{type: http, url: 'http://h'}]",
            "1:10: `name` is missing",
        ),
        (
            "checks: [{name: a, type: htp, url: 'http://h'}]",
            "1:26: `htp` is not a type of check | did you mean `http`?",
        ),
        (
            "checks: [{name: a, type: tcp}]",
            "1:26: `tcp` is not a type of check | there are http, prometheus, script",
        ),
        (
            "checks: [{name: '', type: script, file: a}]",
            "1:17: the name is empty",
        ),
        (
            "checks: [{name: 5, type: script, file: a}]",
            "1:17: expected a text, got `5` | in quotes it is one: \"5\"",
        ),
        (
            "checks: [{name: a, type: script}]",
            "1:10: `file` is missing",
        ),
        ("a: 1\na: 2", "2:1: the key `a` for a second time"),
    ] {
        assert_eq!(
            mistakes(text).first().map(String::as_str),
            Some(wanted),
            "{text}"
        );
    }
    assert!(mistakes("--- {}\n--- {}\n")[0].contains("expected one document, got 2"));
    for (line, wanted) in [
        (
            "retrys: 3",
            "1:1: unknown key `retrys` of a checks file | did you mean `retries`?",
        ),
        (
            "version: 1",
            "1:1: unknown key `version` of a checks file | known are timeout, retries, backoff, parallel, checks",
        ),
        (
            "retries: three",
            "1:10: expected a number from 0 to 1000000, got \"three\"",
        ),
        (
            "retries: -1",
            "1:10: expected a number from 0 to 1000000, got `-1`",
        ),
        (
            "retries: '3'",
            "1:10: expected a number from 0 to 1000000, got \"3\"",
        ),
        (
            "timeout: 30",
            "1:10: expected a duration such as `500ms`, `5s`, `2m` or `1h`, got `30` | did you mean `30s`?",
        ),
        (
            "timeout: 5 minutes",
            "1:10: expected a duration such as `500ms`, `5s`, `2m` or `1h`, got \"5 minutes\"",
        ),
        ("timeout: 0s", "1:10: a timeout of 0 leaves no time"),
        ("timeout: [1s]", "1:10: expected one value, got a list"),
        (
            "parallel: 0",
            "1:11: expected true, false or a number from 1 to 10000, got `0`",
        ),
        (
            "parallel: yes",
            "1:11: expected true, false or a number from 1 to 10000, got \"yes\"",
        ),
        (
            "backoff: quadratic",
            "1:10: expected a duration such as `5s`, `linear`, `exponential` or a map, got \"quadratic\"",
        ),
        (
            "backoff: {intial: 5s}",
            "1:11: unknown key `intial` of `backoff` | did you mean `initial`?",
        ),
        (
            "backoff: {factor: 0.5}",
            "1:19: expected a number from 1 to 1000, got `0.5`",
        ),
        (
            "backoff: {jitter: 2}",
            "1:19: expected a number from 0 to 1, or true, got `2`",
        ),
        (
            "timeout: ${NONE}",
            "1:10: the variable `NONE` is not set | set it, or give a default: ${NONE:-...}",
        ),
        (
            "timeout: 'a ${NONE'",
            "1:13: `${` without its `}` | `$${` is a `${` that is meant as it is",
        ),
    ] {
        assert_eq!(mistakes(&format!("{line}\n{MINIMAL}")), [wanted], "{line}");
    }
}

#[test]
fn mistakes_of_a_check() {
    for (keys, wanted) in [
        (
            "  file: a.lua",
            "5:3: unknown key `file` of a check of type `http` | known are name, type, timeout, retries, backoff, parallel, url, method, headers, body, auth, follow_redirects, expect",
        ),
        (
            "  follow_redirect: true",
            "5:3: unknown key `follow_redirect` of a check of type `http` | did you mean `follow_redirects`?",
        ),
        (
            "  follow_redirects: 1",
            "5:21: expected true or false, got `1`",
        ),
        ("  method: GE T", "5:11: `GE T` is no method"),
        (
            "  headers: [a]",
            "5:12: expected a map of headers, got a list",
        ),
        ("  headers: {a: {b: c}}", "5:16: expected a text, got a map"),
        ("  headers: {a: }", "5:14: expected a text, got nothing"),
        (
            "  auth: token",
            "5:9: expected a map for `auth`, got \"token\"",
        ),
        ("  auth: {}", "5:9: expected either `basic` or `bearer`"),
        (
            "  auth: {barer: x}",
            "5:9: expected either `basic` or `bearer` // 5:10: unknown key `barer` of `auth` | did you mean `bearer`?",
        ),
        ("  auth: {basic: {user: a}}", "5:17: `pass` is missing"),
        (
            "  auth: {basic: {user: 'a:b', pass: c}}",
            "5:24: a user's name cannot hold a colon",
        ),
        (
            "  body: 5",
            "5:9: expected a text, got `5` | in quotes it is one: \"5\"",
        ),
        (
            "  expect: 200",
            "5:11: expected a map for `expect` of a check of type `http`, got `200`",
        ),
        (
            "  expect: {stauts: 200}",
            "5:12: unknown key `stauts` of `expect` of a check of type `http` | did you mean `status`?",
        ),
        (
            "  expect: {status: 99}",
            "5:20: expected a status from 100 to 599, or `2xx` and the like, got `99`",
        ),
        (
            "  expect: {status: [200, 6xx]}",
            "5:26: expected a status from 100 to 599, or `2xx` and the like, got \"6xx\"",
        ),
        ("  expect: {status: []}", "5:20: an empty list"),
        (
            "  expect: {body: {matches: '('}}",
            "5:28: `(`: found open group without closing ')'",
        ),
        (
            "  expect: {body: {contains: a, matches: b}}",
            "5:18: expected either `contains` or `matches`",
        ),
        (
            "  expect: {json: '.a = 1'}",
            "5:22: `.a = 1`, column 4: expected an operator: ==, !=, <, <=, >, >=, =~ or contains",
        ),
        (
            "  expect:\n    json:\n    - .a\n    - .b == 'x'",
            "8:13: `.b == 'x'`, column 7: expected a value in JSON: texts are in double quotes",
        ),
        (
            "  expect:\n    json: |\n      .a ==",
            "7:12: `.a ==`, column 6: expected a value behind `==`",
        ),
        (
            "  expect: {latency: fast}",
            "5:21: expected a duration such as `500ms`, `5s`, `2m` or `1h`, got \"fast\"",
        ),
    ] {
        assert_eq!(http(keys).join(" // "), wanted, "{keys}");
    }
    for (url, wanted) in [
        (
            "h/x",
            "not a URL of http or https | write it in full: http://HOST:PORT/PATH",
        ),
        (
            "ftp://h/",
            "not a URL of http or https | write it in full: http://HOST:PORT/PATH",
        ),
        (
            "http:///x",
            "not a URL of http or https | write it in full: http://HOST:PORT/PATH",
        ),
    ] {
        let text = format!("checks: [{{name: a, type: http, url: '{url}'}}]");
        assert_eq!(mistakes(&text), [format!("1:37: {wanted}")]);
    }
    let prometheus = |expect: &str| {
        mistakes(&format!(
            "checks:\n- {{name: a, type: prometheus, url: http://p, query: up, expect: {expect}}}"
        ))
    };
    assert_eq!(
        prometheus("{min: a}"),
        ["2:71: expected a number, got \"a\""]
    );
    assert_eq!(
        prometheus("{min: .nan}"),
        ["2:71: expected a number, got `.nan`"]
    );
    assert_eq!(
        prometheus("{min: 2, max: 1}"),
        ["2:65: no number is at least 2 and at most 1"]
    );
    let env = "checks:\n- {name: a, type: script, file: a.lua, env: {A=B: 1, C: [1]}}";
    assert_eq!(
        mistakes(env),
        [
            "2:46: `A=B` cannot be the name of a variable",
            "2:57: expected a text, got a list"
        ]
    );
}

#[test]
fn all_mistakes_are_told_in_order() {
    let text =
        "checks:\n- {name: a, type: http, url: x, retries: a}\n- {name: b, typ: http}\nretrys: 1\n";
    let found = mistakes(text);
    let places: Vec<&str> = found
        .iter()
        .map(|m| m.split_once(": ").unwrap().0)
        .collect();
    assert_eq!(places, ["2:30", "2:42", "3:3", "3:13", "4:1"], "{found:?}");
    let many = format!("checks:\n{}", "- {}\n".repeat(100));
    assert_eq!(mistakes(&many).len(), 20);
}

#[test]
fn secrets_are_no_part_of_mistakes() {
    let text = "checks: [{name: a, type: http, url: '${DIGITS}', retries: 'x${DIGITS}'}]";
    let found = mistakes(text).join("\n");
    assert!(
        !found.contains("12345") && found.contains("x${DIGITS}"),
        "{found}"
    );
}

/// Runs a plan without a network.
fn run(text: &str, folder: &Path) -> Results {
    let plan = Plan::parse("c.yaml", text, Some(folder), &lookup).unwrap();
    let config = Config {
        output: std::sync::Arc::new(|_| Ok(())),
        ..Config::default()
    };
    let run = Run::new(plan, config).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run.run(|_| ())).unwrap()
}

#[test]
fn what_comes_of_scripts() {
    let folder = std::env::temp_dir().join(format!("assay-checks-{}", std::process::id()));
    fs_err::create_dir_all(&folder).unwrap();
    let script = |name: &str, text: &str| fs_err::write(folder.join(name), text).unwrap();
    script(
        "pass.lua",
        "print(env.get('MODE')) assert.eq(env.get('MODE'), 'x') env.set('LEAK', '1')",
    );
    script(
        "fresh.lua",
        "assert.eq(env.get('LEAK'), nil) assert.eq(rawget(_G, 'leak'), nil) _G.leak = 1",
    );
    script(
        "third.lua",
        "local n = #fs.list(arg[0]:match('(.*)/') .. '/tries') fs.write(arg[0]:match('(.*)/') .. '/tries/' .. n, '')\n\
         if n < 2 then error('try ' .. n) end",
    );
    script(
        "fails.lua",
        "\nlocal function f() error({code = 7}) end\nf()",
    );
    script("exits.lua", "os.exit(3)");
    script("leaves.lua", "os.exit(0)");
    script("broken.lua", "local = 1");
    fs_err::create_dir_all(folder.join("tries")).unwrap();
    let results = run(
        "backoff: 1ms\nretries: 0\nparallel: 4\nchecks:\n\
         - {name: pass, type: script, file: pass.lua, env: {MODE: x}}\n\
         - {name: fresh, type: script, file: fresh.lua}\n\
         - {name: third, type: script, file: third.lua, retries: 5}\n\
         - {name: fails, type: script, file: fails.lua, retries: 1}\n\
         - {name: exits, type: script, file: exits.lua}\n\
         - {name: leaves, type: script, file: leaves.lua}\n\
         - {name: broken, type: script, file: broken.lua}\n\
         - {name: missing, type: script, file: missing.lua}\n",
        &folder,
    );
    fs_err::remove_dir_all(&folder).unwrap();
    let place = folder.display();
    let found: Vec<_> = results
        .checks
        .iter()
        .map(|check| {
            let message = check.message.as_deref().unwrap_or_default();
            (
                check.name.as_str(),
                check.passed,
                check.attempts,
                message.replace(&format!("{place}/"), ""),
            )
        })
        .collect();
    assert!(!results.passed);
    assert_eq!(found[0], ("pass", true, 1, String::new()));
    assert_eq!(found[1], ("fresh", true, 1, String::new()));
    assert_eq!(found[2], ("third", true, 3, String::new()));
    assert_eq!(
        found[3],
        (
            "fails",
            false,
            2,
            "fails.lua:2: error value: {code = 7}".into()
        )
    );
    assert_eq!(
        found[4],
        ("exits", false, 1, "exits.lua: ended by os.exit(3)".into())
    );
    assert_eq!(found[5], ("leaves", true, 1, String::new()));
    assert!(found[6].3.starts_with("broken.lua:1: "), "{:?}", found[6]);
    assert_eq!(
        found[7].3,
        "cannot read missing.lua: no such file; paths begin where the checks file is"
    );
}

#[test]
fn without_the_plugin_nothing_runs() {
    let plan = plan("checks: [{name: a, type: http, url: 'http://h'}]");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let run = Run::new(plan, Config::default()).unwrap();
    let result = runtime.block_on(run.run(|_| ()));
    if cfg!(not(feature = "static-plugins")) {
        let error = result.unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("assay install plugin/http"));
    }
}

#[test]
fn json_holds_any_text() {
    let outcome = Outcome {
        name: "a \"b\"\n\u{7}".into(),
        kind: "http",
        passed: false,
        duration: Duration::from_micros(1500),
        message: Some("é\u{2028}\\".into()),
        attempts: 2,
    };
    let passed = Outcome {
        message: None,
        passed: true,
        ..outcome.clone()
    };
    let results = Results {
        passed: false,
        checks: vec![outcome, passed],
        duration: secs(2),
    };
    assert_eq!(
        results.to_json(),
        "{\"passed\":false,\"checks\":[{\"name\":\"a \\\"b\\\"\\n\\u0007\",\"passed\":false,\"duration_ms\":1,\"message\":\"é\u{2028}\\\\\",\"attempts\":2,\"type\":\"http\"},\
         {\"name\":\"a \\\"b\\\"\\n\\u0007\",\"passed\":true,\"duration_ms\":1,\"message\":null,\"attempts\":2,\"type\":\"http\"}],\"duration_ms\":2000}\n"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let vm = Vm::new(Config::default()).unwrap();
    let source = format!(
        "return json.parse([==[{}]==]).checks[1].attempts",
        results.to_json()
    );
    let value = runtime.block_on(vm.eval("=test", source.as_bytes()));
    assert_eq!(value.unwrap(), Value::Int(2));
}
