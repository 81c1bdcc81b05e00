//! From a file to a plan: every mistake with its place, and what was meant where that can be guessed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use assay_plugin::{Value, did_you_mean};
use regex_lite::Regex;

use super::expression::Expression;
use super::keys::{self, Names};
use super::variables::{self, Filled, Lookup, Secrets};
use super::{Backoff, Check, HttpExpectations, Kind, Matcher, Plan, text};
use crate::Error;
use crate::builtins::yaml::{self, Branch, Place, Tree};

/// Defaults that existing files rely on.
const TIMEOUT: Duration = Duration::from_secs(120);
const RETRIES: u32 = 3;
const BACKOFF: Backoff = Backoff::linear(Duration::from_secs(5));
/// How long an attempt over the network may take.
const ATTEMPT: Duration = Duration::from_secs(30);
/// What `parallel: true` stands for.
const PARALLEL: usize = 16;
/// Bytes of a response that are read.
const MAX_BODY: i64 = 10 << 20;
const START: Place = Place { line: 1, column: 1 };
/// Mistakes that are told.
const MISTAKES: usize = 20;

/// Reads a file. `name` is what mistakes call it, `folder` where its scripts are.
pub(super) fn parse(
    name: &str,
    text: &str,
    folder: &Path,
    lookup: Lookup<'_>,
) -> Result<Plan, Vec<Error>> {
    let mut reader = Reader {
        name,
        source: text,
        folder,
        lookup,
        mistakes: Vec::new(),
        secrets: Secrets::default(),
    };
    match reader.file() {
        Some(plan) if reader.mistakes.is_empty() => Ok(plan),
        _ => {
            let errors = reader.mistakes.into_iter().map(|(_, error)| error);
            Err(errors.take(MISTAKES).collect())
        }
    }
}

struct Reader<'a> {
    name: &'a str,
    source: &'a str,
    folder: &'a Path,
    lookup: Lookup<'a>,
    /// In the order of the file.
    mistakes: Vec<(Place, Error)>,
    secrets: Secrets,
}

/// What the file says for checks that do not say it themselves.
struct Defaults {
    retries: u32,
    backoff: Backoff,
    parallel: usize,
}

/// The pairs of a map whose keys are known.
struct Fields<'t> {
    at: Place,
    pairs: &'t [(String, Place, Tree)],
}

impl<'t> Fields<'t> {
    fn get(&self, key: &str) -> Option<&'t Tree> {
        let (_, _, value) = self.pairs.iter().find(|(name, ..)| name == key)?;
        Some(value)
    }
}

/// A scalar with its variables filled in.
struct Scalar<'t> {
    tree: &'t Tree,
    filled: Filled,
    plain: bool,
}

impl Scalar<'_> {
    /// What it means. With variables it is typed as if it stood there without quotes.
    fn value(&self) -> Value {
        match self.plain || self.filled.has_variables {
            true => yaml::resolve(&self.filled.text),
            false => self.text().into(),
        }
    }

    fn text(&self) -> &str {
        &self.filled.text
    }
}

// Readers answer `None` after they have noted what is wrong.
impl<'a> Reader<'a> {
    fn file(&mut self) -> Option<Plan> {
        let tree = match yaml::tree(self.source) {
            Ok(Some(tree)) => tree,
            Ok(None) => {
                self.wrong_hint(START, "nothing in it", "it needs a list of `checks`");
                return None;
            }
            // `line 1, column 7: what`
            Err(error) => {
                let message = error.message();
                let place = message.strip_prefix("line ").unwrap_or(message);
                let message = format!("{}:{}", self.name, place.replacen(", column ", ":", 1));
                let mut mistake = Error::new("checks", message);
                if error.message().contains("flow") && self.source.contains("${") {
                    let hint = "inside of {...} and [...] a text with `${...}` needs quotes";
                    mistake.hint = Some(hint.into());
                }
                self.mistakes.push((START, mistake));
                return None;
            }
        };
        let fields = self.map(&tree, &[keys::FILE], "a checks file")?;
        let timeout = self.timeout(&fields).unwrap_or(TIMEOUT);
        let defaults = Defaults {
            retries: self.retries(&fields).unwrap_or(RETRIES),
            backoff: self.backoff(&fields).unwrap_or(BACKOFF),
            parallel: self.parallel(&fields).unwrap_or(1),
        };
        let list = self.required(&fields, "checks")?;
        let Branch::List(items) = &list.content else {
            self.expected(list, "a list of checks");
            return None;
        };
        if items.is_empty() {
            self.wrong(list.at, "no checks");
        }
        let checks = items
            .iter()
            .filter_map(|item| self.check(item, &defaults))
            .collect();
        Some(Plan {
            timeout,
            checks,
            secrets: self.secrets.clone(),
        })
    }

    fn check(&mut self, tree: &Tree, defaults: &Defaults) -> Option<Check> {
        let Branch::Map(pairs) = &tree.content else {
            self.expected(tree, "a check: a map with `name` and `type`");
            return None;
        };
        // The type says which keys are known.
        let Some((.., kind)) = pairs.iter().find(|(name, ..)| name == "type") else {
            // A mistyped `type` is the first thing to tell.
            let all = [keys::CHECK, keys::HTTP, keys::PROMETHEUS, keys::SCRIPT];
            let fields = self.map(tree, &all, "a check")?;
            self.required(&fields, "type");
            return None;
        };
        let (word, own) = self.word(
            kind,
            "a type of check",
            &[
                ("http", keys::HTTP),
                ("prometheus", keys::PROMETHEUS),
                ("script", keys::SCRIPT),
            ],
        )?;
        let fields = self.map(
            tree,
            &[keys::CHECK, own],
            &format!("a check of type `{word}`"),
        )?;
        let name = self.required(&fields, "name").and_then(|tree| {
            let name = self.text(tree)?;
            if name.text().trim().is_empty() {
                self.wrong(tree.at, "the name is empty");
            }
            Some(name.filled.text)
        });
        let timeout = self.timeout(&fields);
        let retries = self.retries(&fields).unwrap_or(defaults.retries);
        let backoff = self.backoff(&fields).unwrap_or(defaults.backoff);
        let parallel = self.parallel(&fields).unwrap_or(defaults.parallel);
        let kind = match word {
            "http" => self.http(&fields, timeout),
            "prometheus" => self.prometheus(&fields, timeout),
            _ => self.script(&fields),
        };
        Some(Check {
            name: name?,
            kind: kind?,
            timeout,
            retries,
            backoff,
            parallel,
        })
    }

    // ---- types of checks ----

    /// The options of `http.request` that http and prometheus checks share.
    fn request(
        &mut self,
        fields: &Fields<'_>,
        timeout: Option<Duration>,
    ) -> Option<Vec<(Value, Value)>> {
        let url = self.required(fields, "url").and_then(|tree| self.url(tree));
        let mut options = vec![
            (
                "timeout".into(),
                Value::Float(timeout.unwrap_or(ATTEMPT).as_secs_f64()),
            ),
            ("max_body".into(), Value::Int(MAX_BODY)),
        ];
        if let Some(tree) = fields.get("headers") {
            let headers = self.headers(tree)?;
            options.push(("headers".into(), Value::Map(headers)));
        }
        if let Some(tree) = fields.get("auth") {
            options.push(("auth".into(), self.auth(tree)?));
        }
        options.push(("url".into(), url?.as_str().into()));
        Some(options)
    }

    fn http(&mut self, fields: &Fields<'_>, timeout: Option<Duration>) -> Option<Kind> {
        let request = self.request(fields, timeout);
        let method = fields.get("method").map(|tree| {
            let method = self.text(tree)?;
            if !method.text().bytes().all(|byte| byte.is_ascii_alphabetic())
                || method.text().is_empty()
            {
                self.wrong(
                    tree.at,
                    format!("`{}` is no method", method.text().escape_debug()),
                );
            }
            Some(method.filled.text)
        });
        let body = fields.get("body").map(|tree| self.body(tree));
        let follow = fields.get("follow_redirects").map(|tree| self.bool(tree));
        let expect = match fields.get("expect") {
            Some(tree) => self.expect_http(tree),
            None => Some(HttpExpectations::default()),
        };
        let mut request = request?;
        if let Some(method) = method {
            request.push(("method".into(), method?.as_str().into()));
        }
        if let Some(body) = body {
            request.push(("body".into(), body?));
        }
        if let Some(follow) = follow {
            request.push(("follow_redirects".into(), Value::Bool(follow?)));
        }
        Some(Kind::Http(Value::Map(request), expect?))
    }

    fn prometheus(&mut self, fields: &Fields<'_>, timeout: Option<Duration>) -> Option<Kind> {
        let request = self.request(fields, timeout);
        let query = self
            .required(fields, "query")
            .and_then(|tree| self.text(tree));
        let (mut min, mut max) = (None, None);
        if let Some(tree) = fields.get("expect") {
            let what = "`expect` of a check of type `prometheus`";
            let expect = self.map(tree, &[keys::EXPECT_PROMETHEUS], what)?;
            min = expect.get("min").and_then(|tree| self.number(tree));
            max = expect.get("max").and_then(|tree| self.number(tree));
            if let (Some(min), Some(max)) = (min, max)
                && min > max
            {
                self.wrong(
                    expect.at,
                    format!("no number is at least {min} and at most {max}"),
                );
            }
        }
        let (mut request, query) = (request?, query?);
        for (key, value) in &mut request {
            if let (Some("url"), Some(url)) = (key.as_str(), value.as_str()) {
                *value = format!("{}/api/v1/query", url.trim_end_matches('/'))
                    .as_str()
                    .into();
            }
        }
        let query = Value::Map(vec![("query".into(), query.text().into())]);
        request.push(("query".into(), query));
        Some(Kind::Prometheus(Value::Map(request), min, max))
    }

    fn script(&mut self, fields: &Fields<'_>) -> Option<Kind> {
        let file = self
            .required(fields, "file")
            .and_then(|tree| self.text(tree));
        let mut environment = Vec::new();
        if let Some(tree) = fields.get("env") {
            for (name, at, value) in self.any_map(tree, "a map of variables")? {
                if name.is_empty() || name.contains(['=', '\0', '*', ',', ' ']) {
                    self.wrong(
                        *at,
                        format!("`{}` cannot be the name of a variable", name.escape_debug()),
                    );
                }
                let value = self.any_text(value)?;
                self.secrets.add_spans(&value.filled);
                environment.push((name.clone(), value.filled.text));
            }
        }
        Some(Kind::Script(
            self.folder.join(PathBuf::from(file?.filled.text)),
            environment,
        ))
    }

    // ---- parts of them ----

    fn url(&mut self, tree: &Tree) -> Option<String> {
        let url = self.text(tree)?;
        self.secrets.add_url(&url.filled);
        let rest = ["http://", "https://"]
            .iter()
            .find_map(|scheme| url.text().strip_prefix(scheme));
        if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with(['/', ':', '?', '#'])) {
            self.wrong_hint(
                tree.at,
                "not a URL of http or https",
                "write it in full: http://HOST:PORT/PATH",
            );
            return None;
        }
        Some(url.filled.text)
    }

    fn headers(&mut self, tree: &Tree) -> Option<Vec<(Value, Value)>> {
        let mut headers = Vec::new();
        for (name, _, value) in self.any_map(tree, "a map of headers")? {
            let secret = ["authorization", "proxy-authorization", "cookie"]
                .iter()
                .any(|secret| name.eq_ignore_ascii_case(secret));
            let one = |reader: &mut Self, tree: &Tree| {
                let value = reader.any_text(tree)?;
                reader.secrets.add_spans(&value.filled);
                if secret {
                    reader.secrets.add(value.text());
                    // The token of `Bearer token`.
                    reader
                        .secrets
                        .add(value.text().rsplit(' ').next().unwrap_or_default());
                }
                Some(Value::from(value.text()))
            };
            let value = match &value.content {
                Branch::List(items) => Value::List(
                    items
                        .iter()
                        .map(|item| one(self, item))
                        .collect::<Option<_>>()?,
                ),
                _ => one(self, value)?,
            };
            headers.push((name.as_str().into(), value));
        }
        Some(headers)
    }

    fn auth(&mut self, tree: &Tree) -> Option<Value> {
        let fields = self.map(tree, &[keys::AUTH], "`auth`")?;
        let value = match (fields.get("basic"), fields.get("bearer")) {
            (Some(basic), None) => {
                let fields = self.map(basic, &[keys::BASIC], "`auth.basic`")?;
                let user = self
                    .required(&fields, "user")
                    .and_then(|tree| self.text(tree));
                let pass = self
                    .required(&fields, "pass")
                    .and_then(|tree| self.text(tree));
                let (user, pass) = (user?, pass?);
                if user.text().contains(':') {
                    self.wrong(user.tree.at, "a user's name cannot hold a colon");
                }
                self.secrets.add_spans(&user.filled);
                self.secrets.add_basic(user.text(), pass.text());
                let pair = vec![user.text().into(), pass.text().into()];
                ("basic".into(), Value::List(pair))
            }
            (None, Some(bearer)) => {
                let token = self.text(bearer)?;
                self.secrets.add(token.text());
                ("bearer".into(), token.text().into())
            }
            _ => {
                self.wrong(fields.at, "expected either `basic` or `bearer`");
                return None;
            }
        };
        Some(Value::Map(vec![value]))
    }

    /// A text as it is; else what it says, as JSON.
    fn body(&mut self, tree: &Tree) -> Option<Value> {
        match &tree.content {
            Branch::Scalar { .. } => {
                let text = self.text(tree)?;
                self.secrets.add_spans(&text.filled);
                Some(text.text().into())
            }
            _ => self.json(tree),
        }
    }

    fn json(&mut self, tree: &Tree) -> Option<Value> {
        Some(match &tree.content {
            Branch::Scalar { .. } => {
                let scalar = self.scalar(tree)?;
                self.secrets.add_spans(&scalar.filled);
                match scalar.plain {
                    true => yaml::resolve(scalar.text()),
                    false => scalar.text().into(),
                }
            }
            Branch::List(items) => Value::List(
                items
                    .iter()
                    .map(|item| self.json(item))
                    .collect::<Option<_>>()?,
            ),
            Branch::Map(pairs) => Value::Map(
                pairs
                    .iter()
                    .map(|(key, _, value)| Some((key.as_str().into(), self.json(value)?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }

    fn expect_http(&mut self, tree: &Tree) -> Option<HttpExpectations> {
        let what = "`expect` of a check of type `http`";
        let fields = self.map(tree, &[keys::EXPECT_HTTP], what)?;
        let mut expect = HttpExpectations::default();
        if let Some(tree) = fields.get("status") {
            expect.status = self.each(tree, Self::status);
        }
        if let Some(tree) = fields.get("body") {
            expect.body = self.each(tree, Self::matcher);
        }
        if let Some(tree) = fields.get("headers") {
            for (name, _, value) in self.any_map(tree, "a map of headers")? {
                for matcher in self.each(value, Self::matcher) {
                    expect.headers.push((name.to_ascii_lowercase(), matcher));
                }
            }
        }
        if let Some(tree) = fields.get("json") {
            expect.json = self.each(tree, Self::expression);
        }
        if let Some(tree) = fields.get("latency") {
            expect.latency = self.duration(tree);
        }
        Some(expect)
    }

    fn status(&mut self, tree: &Tree) -> Option<(i64, i64)> {
        let scalar = self.scalar(tree)?;
        match scalar.value() {
            Value::Int(status @ 100..=599) => return Some((status, status)),
            Value::Bytes(text) => {
                if let [class @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] = text[..] {
                    let class = i64::from(class - b'0') * 100;
                    return Some((class, class + 99));
                }
            }
            _ => {}
        }
        self.expected(tree, "a status from 100 to 599, or `2xx` and the like");
        None
    }

    fn matcher(&mut self, tree: &Tree) -> Option<Matcher> {
        let Branch::Map(_) = tree.content else {
            return Some(Matcher::Contains(self.text(tree)?.filled.text));
        };
        let fields = self.map(tree, &[keys::MATCHER], "what a text is held to")?;
        match (fields.get("contains"), fields.get("matches")) {
            (Some(tree), None) => Some(Matcher::Contains(self.text(tree)?.filled.text)),
            (None, Some(tree)) => {
                let pattern = self.text(tree)?;
                match Regex::new(pattern.text()) {
                    Ok(regex) => Some(Matcher::Matches(regex)),
                    Err(error) => {
                        self.wrong(tree.at, format!("`{}`: {error}", pattern.text()));
                        None
                    }
                }
            }
            _ => {
                self.wrong(fields.at, "expected either `contains` or `matches`");
                None
            }
        }
    }

    fn expression(&mut self, tree: &Tree) -> Option<Expression> {
        let text = self.text(tree)?;
        match Expression::parse(text.text()) {
            Ok(expression) => Some(expression),
            Err((at, what)) => {
                let place = self.inside(&text, at);
                let column = text.text()[..at].chars().count() + 1;
                let shown = text.text().trim();
                self.wrong(place, format!("`{shown}`, column {column}: {what}"));
                None
            }
        }
    }

    // ---- what all checks have ----

    fn timeout(&mut self, fields: &Fields<'_>) -> Option<Duration> {
        let tree = fields.get("timeout")?;
        let timeout = self.duration(tree)?;
        if timeout.is_zero() {
            self.wrong(tree.at, "a timeout of 0 leaves no time");
        }
        Some(timeout)
    }

    fn retries(&mut self, fields: &Fields<'_>) -> Option<u32> {
        let tree = fields.get("retries")?;
        match self.scalar(tree)?.value() {
            Value::Int(count @ 0..=1_000_000) => Some(count as u32),
            _ => {
                self.expected(tree, "a number from 0 to 1000000");
                None
            }
        }
    }

    fn parallel(&mut self, fields: &Fields<'_>) -> Option<usize> {
        let tree = fields.get("parallel")?;
        match self.scalar(tree)?.value() {
            Value::Bool(true) => Some(PARALLEL),
            Value::Bool(false) => Some(1),
            Value::Int(count @ 1..=10_000) => Some(count as usize),
            _ => {
                self.expected(tree, "true, false or a number from 1 to 10000");
                None
            }
        }
    }

    fn backoff(&mut self, fields: &Fields<'_>) -> Option<Backoff> {
        const GROWING: Backoff = Backoff {
            initial: Duration::from_secs(1),
            factor: Some(2.0),
            max: Duration::from_secs(60),
            jitter: 0.0,
        };
        let tree = fields.get("backoff")?;
        if let Branch::Map(_) = tree.content {
            let fields = self.map(tree, &[keys::BACKOFF], "`backoff`")?;
            let mut backoff = GROWING;
            if let Some(tree) = fields.get("initial") {
                backoff.initial = self.duration(tree)?;
            }
            if let Some(tree) = fields.get("max") {
                backoff.max = self.duration(tree)?;
            }
            if let Some(tree) = fields.get("factor") {
                let factor = self.number(tree)?;
                if !(1.0..=1000.0).contains(&factor) {
                    self.expected(tree, "a number from 1 to 1000");
                }
                backoff.factor = Some(factor);
            }
            if let Some(tree) = fields.get("jitter") {
                backoff.jitter = match self.scalar(tree)?.value() {
                    Value::Bool(all) => f64::from(u8::from(all)),
                    Value::Int(jitter @ 0..=1) => jitter as f64,
                    Value::Float(jitter) if (0.0..=1.0).contains(&jitter) => jitter,
                    _ => {
                        self.expected(tree, "a number from 0 to 1, or true");
                        return None;
                    }
                };
            }
            return Some(backoff);
        }
        let scalar = self.scalar(tree)?;
        match (scalar.text(), text::duration(scalar.text())) {
            ("linear", _) => Some(BACKOFF),
            ("exponential", _) => Some(GROWING),
            (_, Some(step)) => Some(Backoff::linear(step)),
            _ => {
                self.expected(
                    tree,
                    "a duration such as `5s`, `linear`, `exponential` or a map",
                );
                None
            }
        }
    }

    // ---- scalars ----

    /// A scalar, its variables filled in.
    fn scalar<'t>(&mut self, tree: &'t Tree) -> Option<Scalar<'t>> {
        let Branch::Scalar { text, plain } = &tree.content else {
            self.expected(tree, "one value");
            return None;
        };
        match variables::fill(text, self.lookup) {
            Ok(filled) => Some(Scalar {
                tree,
                filled,
                plain: *plain,
            }),
            Err(wrong) => {
                let place = self.place(tree, text, wrong.at);
                let error = self.wrong(place, wrong.message);
                error.hint = wrong.hint;
                None
            }
        }
    }

    /// A text. What YAML reads as something else is none, unless a variable gave it.
    fn text<'t>(&mut self, tree: &'t Tree) -> Option<Scalar<'t>> {
        let scalar = self.any_text(tree)?;
        if scalar.filled.has_variables || matches!(scalar.value(), Value::Bytes(_)) {
            return Some(scalar);
        }
        let text = scalar.text().escape_debug().to_string();
        let error = self.expected(tree, "a text");
        error.hint = Some(format!("in quotes it is one: \"{text}\""));
        None
    }

    /// A text, for which numbers and the like are taken as they are written.
    fn any_text<'t>(&mut self, tree: &'t Tree) -> Option<Scalar<'t>> {
        if !matches!(tree.content, Branch::Scalar { .. }) {
            self.expected(tree, "a text");
            return None;
        }
        let scalar = self.scalar(tree)?;
        if scalar.value() == Value::Null && !scalar.filled.has_variables {
            self.expected(tree, "a text");
            return None;
        }
        Some(scalar)
    }

    fn duration(&mut self, tree: &Tree) -> Option<Duration> {
        let scalar = self.scalar(tree)?;
        let found = text::duration(scalar.text());
        if found.is_none() {
            let is_number = matches!(scalar.value(), Value::Int(_) | Value::Float(_));
            let number = scalar.filled.text;
            let error = self.expected(tree, "a duration such as `500ms`, `5s`, `2m` or `1h`");
            if is_number {
                error.hint = Some(format!("did you mean `{number}s`?"));
            }
        }
        found
    }

    fn number(&mut self, tree: &Tree) -> Option<f64> {
        match self.scalar(tree)?.value() {
            Value::Int(int) => Some(int as f64),
            Value::Float(float) if !float.is_nan() => Some(float),
            _ => {
                self.expected(tree, "a number");
                None
            }
        }
    }

    fn bool(&mut self, tree: &Tree) -> Option<bool> {
        match self.scalar(tree)?.value() {
            Value::Bool(bool) => Some(bool),
            _ => {
                self.expected(tree, "true or false");
                None
            }
        }
    }

    /// One of a few words.
    fn word<T: Copy>(
        &mut self,
        tree: &Tree,
        what: &str,
        words: &[(&'static str, T)],
    ) -> Option<(&'static str, T)> {
        let scalar = self.text(tree)?;
        let found = words.iter().find(|(word, _)| *word == scalar.text());
        if found.is_none() {
            let known = words.iter().map(|(word, _)| *word);
            let hint = match did_you_mean(scalar.text(), known.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", known.collect::<Vec<_>>().join(", ")),
            };
            let message = format!("`{}` is not {what}", scalar.text().escape_debug());
            self.wrong_hint(tree.at, message, hint);
        }
        found.copied()
    }

    // ---- maps and lists ----

    /// The pairs of a map; keys that are in none of the lists are mistakes.
    fn map<'t>(&mut self, tree: &'t Tree, known: &[Names], what: &str) -> Option<Fields<'t>> {
        let Branch::Map(pairs) = &tree.content else {
            self.expected(tree, &format!("a map for {what}"));
            return None;
        };
        let names = || known.iter().copied().flatten().copied();
        for (key, at, _) in pairs {
            if !names().any(|name| name == key) {
                let message = format!("unknown key `{}` of {what}", key.escape_debug());
                let near = did_you_mean(key, names());
                let hint = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}", names().collect::<Vec<_>>().join(", ")),
                };
                self.wrong_hint(*at, message, hint);
            }
        }
        Some(Fields { at: tree.at, pairs })
    }

    /// The pairs of a map with keys of the user's.
    fn any_map<'t>(&mut self, tree: &'t Tree, what: &str) -> Option<&'t [(String, Place, Tree)]> {
        match &tree.content {
            Branch::Map(pairs) => Some(pairs),
            _ => {
                self.expected(tree, what);
                None
            }
        }
    }

    fn required<'t>(&mut self, fields: &Fields<'t>, key: &str) -> Option<&'t Tree> {
        let found = fields.get(key);
        if found.is_none() {
            self.wrong(fields.at, format!("`{key}` is missing"));
        }
        found
    }

    /// Reads one, or each of a list.
    fn each<T>(&mut self, tree: &Tree, read: fn(&mut Self, &Tree) -> Option<T>) -> Vec<T> {
        match &tree.content {
            Branch::List(items) => {
                if items.is_empty() {
                    self.wrong(tree.at, "an empty list");
                }
                items.iter().filter_map(|item| read(self, item)).collect()
            }
            _ => read(self, tree).into_iter().collect(),
        }
    }

    // ---- mistakes ----

    fn wrong(&mut self, at: Place, message: impl std::fmt::Display) -> &mut Error {
        let Place { line, column } = at;
        let message = format!("{}:{line}:{column}: {message}", self.name);
        let before = |(other, _): &(Place, Error)| (other.line, other.column) <= (line, column);
        let index = self.mistakes.partition_point(before);
        self.mistakes
            .insert(index, (at, Error::new("checks", message)));
        &mut self.mistakes[index].1
    }

    fn wrong_hint(&mut self, at: Place, message: impl std::fmt::Display, hint: impl Into<String>) {
        self.wrong(at, message).hint = Some(hint.into());
    }

    fn expected(&mut self, tree: &Tree, what: &str) -> &mut Error {
        let got = match &tree.content {
            Branch::List(_) => "a list".to_owned(),
            Branch::Map(_) => "a map".to_owned(),
            // Variables as they are written: their values may be secrets.
            Branch::Scalar { text, plain } => match yaml::resolve(text) {
                Value::Null if *plain => "nothing".to_owned(),
                Value::Bytes(_) | Value::Null => text::quoted(&text::shortened(text)),
                _ if *plain => format!("`{text}`"),
                _ => text::quoted(text),
            },
        };
        self.wrong(tree.at, format!("expected {what}, got {got}"))
    }

    /// The place of a byte of a scalar, as far as the file has it as it is.
    fn inside(&self, scalar: &Scalar<'_>, offset: usize) -> Place {
        match &scalar.tree.content {
            Branch::Scalar { text, .. } if *text == scalar.filled.text => {
                self.place(scalar.tree, text, offset)
            }
            _ => scalar.tree.at,
        }
    }

    fn place(&self, tree: &Tree, text: &str, offset: usize) -> Place {
        let Place { line, column } = tree.at;
        let source = self
            .source
            .lines()
            .nth(line as usize - 1)
            .unwrap_or_default();
        let rest: String = source.chars().skip(column as usize - 1).collect();
        let unquoted = rest.strip_prefix(['"', '\'']).unwrap_or(&rest);
        let before = &text[..offset];
        if !unquoted.starts_with(before) {
            return tree.at;
        }
        let skipped = rest.len() - unquoted.len() + before.chars().count();
        Place {
            line,
            column: column + skipped as u32,
        }
    }
}
