//! One attempt of a check: it passes, or says why not.

use std::future::poll_fn;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use assay_plugin::{Func, Value};

use super::{Check, HttpExpectations, Kind, Matcher, Secrets, text};
use crate::{Config, Error, EventLoop, StopHandle, Stopped, Vm};

/// Why an attempt failed.
pub(super) struct Failed {
    pub message: String,
    /// Another attempt would fail as well.
    pub is_final: bool,
}

impl From<String> for Failed {
    fn from(message: String) -> Self {
        Self {
            message,
            is_final: false,
        }
    }
}

impl From<assay_plugin::Error> for Failed {
    fn from(error: assay_plugin::Error) -> Self {
        let message = error.message();
        // Hints of timeouts are about options of the function.
        let hint = error.hint_text().filter(|_| error.kind() != "timeout");
        Self {
            message: with_hint(
                message.strip_prefix("http.request: ").unwrap_or(message),
                hint,
            ),
            is_final: matches!(error.kind(), "argument" | "permission"),
        }
    }
}

/// What attempts have in common.
pub(super) struct Tools {
    /// `http.request` and `json.parse` of the VM that requests are made in.
    pub request: Func,
    pub parse: Func,
    pub config: Config,
    pub threads: Threads,
}

impl Tools {
    pub async fn attempt(&self, check: &Check, secrets: &Secrets) -> Result<(), Failed> {
        match &check.kind {
            Kind::Http(request, expect) => self.http(request, expect, secrets).await,
            Kind::Prometheus(request, min, max) => self.prometheus(request, *min, *max).await,
            Kind::Script(file, environment) => {
                let config = config(&self.config, check.timeout, environment);
                self.threads.script(file, environment.clone(), config).await
            }
        }
    }

    async fn http(
        &self,
        request: &Value,
        expect: &HttpExpectations,
        secrets: &Secrets,
    ) -> Result<(), Failed> {
        let began = Instant::now();
        let response = self.request.call::<Value>((request,)).await?;
        let took = began.elapsed();
        let body = bytes(response.get("body"));
        let mut wrong = Vec::new();

        let status = status(&response);
        let wanted = match &expect.status[..] {
            [] => &[(200, 299)],
            some => some,
        };
        if !wanted
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&status))
        {
            wrong.push(format!(
                "expected status {}, got {status}",
                statuses(wanted)
            ));
        }
        for matcher in expect.body.iter().filter(|matcher| !matcher.holds(body)) {
            wrong.push(format!("expected the body to {}", matcher.shown()));
        }
        // What it says of itself helps, and is said once.
        let mut says_body = !wrong.is_empty();
        for (name, matcher) in &expect.headers {
            let found = header(&response, name);
            if !found.iter().any(|value| matcher.holds(value)) {
                let found = match &found[..] {
                    [] => "it is not there".to_owned(),
                    some => format!("got {}", shown(&some.join(&b", "[..]), secrets)),
                };
                wrong.push(format!(
                    "expected header `{name}` to {}, {found}",
                    matcher.shown()
                ));
            }
        }
        if !expect.json.is_empty() {
            match self.json(body).await {
                Ok(root) => wrong.extend(expect.json.iter().filter_map(|e| e.holds(&root).err())),
                Err(error) => {
                    wrong.push(format!("the body is no JSON: {error}"));
                    says_body = true;
                }
            }
        }
        if let Some(most) = expect.latency.filter(|most| took > *most) {
            wrong.push(format!(
                "expected an answer within {most:?}, it took {} ms",
                took.as_millis()
            ));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let body = match body {
            _ if !says_body => String::new(),
            [] => " (the body is empty)".into(),
            body => format!(" (body: {})", shown(body, secrets)),
        };
        Err(format!("{}{body}", wrong.join("; ")).into())
    }

    async fn prometheus(
        &self,
        request: &Value,
        min: Option<f64>,
        max: Option<f64>,
    ) -> Result<(), Failed> {
        let response = self.request.call::<Value>((request,)).await?;
        let status = status(&response);
        let answer = self
            .json(bytes(response.get("body")))
            .await
            .unwrap_or_default();
        let text = |key| answer.get(key).and_then(Value::as_str);
        match (text("status"), text("errorType"), text("error")) {
            (Some("success"), ..) => {}
            (_, Some(kind), Some(error)) => {
                let error = text::shortened(error);
                return Err(format!("the query failed: {kind}: {error} (status {status})").into());
            }
            _ => {
                return Err(format!(
                    "status {status}, and no answer of Prometheus: is `url` right?"
                )
                .into());
            }
        }
        let values = series(answer.get("data"))?;
        if values.is_empty() {
            return Err("the query found no series".to_owned().into());
        }
        let bounds = [min.map(|min| ("least", min)), max.map(|max| ("most", max))];
        for (labels, value) in &values {
            for (what, bound) in bounds.into_iter().flatten() {
                // What is not a number is in no bounds.
                let holds = match what {
                    "least" => *value >= bound,
                    _ => *value <= bound,
                };
                if !holds {
                    return Err(format!("expected at {what} {bound}, got {value}{labels}").into());
                }
            }
        }
        Ok(())
    }

    async fn json(&self, body: &[u8]) -> Result<Value, String> {
        let keep_null = Value::Map(vec![("null".into(), Value::Bool(true))]);
        let parsed = self.parse.call::<Value>((body, keep_null)).await;
        parsed.map_err(|error| {
            let message = error.message();
            message
                .strip_prefix("json.parse: ")
                .unwrap_or(message)
                .to_owned()
        })
    }
}

/// The one place where the configuration of an attempt is made.
fn config(base: &Config, timeout: Option<Duration>, environment: &[(String, String)]) -> Config {
    let mut config = base.clone();
    config.timeout = timeout;
    // What the file gives to a script is for it to read, unless that is denied.
    for (name, _) in environment {
        if !config.policy.allows("env", name) {
            // A name is always a rule.
            let _ = config.policy.allow("env", name);
        }
    }
    config
}

fn bytes(value: Option<&Value>) -> &[u8] {
    match value {
        Some(Value::Bytes(bytes)) => bytes,
        Some(Value::Buf(buf)) => buf,
        _ => &[],
    }
}

fn status(response: &Value) -> i64 {
    match response.get("status") {
        Some(Value::Int(status)) => *status,
        _ => 0,
    }
}

/// All values of a header.
fn header<'r>(response: &'r Value, name: &str) -> Vec<&'r [u8]> {
    let of = |table| response.get(table).and_then(|table| table.get(name));
    match (of("repeated_headers"), of("headers")) {
        (Some(Value::List(values)), _) => values.iter().map(|value| bytes(Some(value))).collect(),
        (_, Some(value)) => vec![bytes(Some(value))],
        _ => Vec::new(),
    }
}

fn statuses(ranges: &[(i64, i64)]) -> String {
    let ranges = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{}xx", first / 100),
    });
    ranges.collect::<Vec<_>>().join(" or ")
}

/// What a server said, without secrets that it repeats.
fn shown(bytes: &[u8], secrets: &Secrets) -> String {
    // Far more than is shown, so that no secret is cut before it is found.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(64 << 10)]);
    text::quoted(&text::shortened(&secrets.hide(&text)))
}

impl Matcher {
    fn holds(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Contains(part) => text::contains(bytes, part.as_bytes()),
            Self::Matches(regex) => regex.is_match(&String::from_utf8_lossy(bytes)),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Contains(part) => format!("contain {}", text::quoted(part)),
            Self::Matches(regex) => format!("match `{regex}`"),
        }
    }
}

/// The values of a result, each with its labels for a message.
fn series(data: Option<&Value>) -> Result<Vec<(String, f64)>, String> {
    let data = data.unwrap_or(&Value::Nil);
    let kind = data
        .get("resultType")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let result = data.get("result").unwrap_or(&Value::Nil);
    // `[time, "value"]`
    let number = |sample: Option<&Value>| match sample {
        Some(Value::List(pair)) => pair
            .get(1)
            .and_then(Value::as_str)
            // Rust reads `NaN`, `+Inf` and `-Inf` as well.
            .and_then(|text| text.parse::<f64>().ok()),
        _ => None,
    };
    let missing = || "an answer without a value".to_owned();
    match (kind, result) {
        ("scalar", sample) => Ok(vec![(
            String::new(),
            number(Some(sample)).ok_or_else(missing)?,
        )]),
        ("vector", Value::List(series)) => series
            .iter()
            .map(|one| {
                let value = number(one.get("value")).ok_or_else(missing)?;
                Ok((labels(one.get("metric")), value))
            })
            .collect(),
        ("vector", _) => Ok(Vec::new()),
        _ => Err(format!(
            "the result is a {kind}, and a vector or a scalar is needed: wrap the query in a function such as last_over_time"
        )),
    }
}

fn labels(metric: Option<&Value>) -> String {
    let Some(Value::Map(pairs)) = metric else {
        return String::new();
    };
    let mut labels: Vec<String> = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        let value = text::quoted(value.as_str().unwrap_or_default());
        let label = format!("{}={value}", name.as_str().unwrap_or_default());
        labels.insert(labels.partition_point(|other| *other < label), label);
    }
    match labels.is_empty() {
        true => String::new(),
        false => format!(" for {{{}}}", labels.join(",")),
    }
}

fn with_hint(message: &str, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{message}\nhint: {hint}"),
        None => message.to_owned(),
    }
}

// ---- scripts ----

/// The threads that scripts run on: one for each attempt, since Lua code that computes holds up its own.
#[derive(Default, Clone)]
pub(super) struct Threads(Arc<(Mutex<Vec<Attempt>>, Condvar)>);

type Attempt = Arc<Mutex<Shared>>;

/// What an attempt's thread and who waits for it share.
#[derive(Default)]
struct Shared {
    stop: Option<StopHandle>,
    is_cancelled: bool,
    /// The thread is done.
    result: Option<Result<(), String>>,
    waker: Option<Waker>,
}

/// Stops a script, or keeps it from beginning.
fn cancel(attempt: &Attempt) {
    let stop = {
        let mut shared = lock(attempt);
        shared.is_cancelled = true;
        shared.stop.take()
    };
    if let Some(stop) = stop {
        stop.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Threads {
    /// Runs a script in a VM of its own. When the future is dropped, the script is stopped.
    async fn script(
        &self,
        file: &Path,
        environment: Vec<(String, String)>,
        config: Config,
    ) -> Result<(), Failed> {
        /// Stops the script unless it has ended.
        struct Waiting(Attempt);
        impl Drop for Waiting {
            fn drop(&mut self) {
                cancel(&self.0);
            }
        }
        /// Tells of the end, also when the thread panicked.
        struct Running(Attempt, Threads);
        impl Drop for Running {
            fn drop(&mut self) {
                let mut shared = lock(&self.0);
                shared.stop = None;
                shared
                    .result
                    .get_or_insert(Err("a bug in assay ended the script".into()));
                if let Some(waker) = shared.waker.take() {
                    waker.wake();
                }
                drop(shared);
                let (attempts, changed) = &*self.1.0;
                lock(attempts).retain(|attempt| !Arc::ptr_eq(attempt, &self.0));
                changed.notify_all();
            }
        }

        let waiting = Waiting(Arc::default());
        lock(&self.0.0).push(Arc::clone(&waiting.0));
        let running = Running(Arc::clone(&waiting.0), self.clone());
        let file = file.to_owned();
        let work = move || {
            let result = script(&file, &environment, config, &running.0);
            lock(&running.0).result = Some(result);
        };
        // As much stack as the main thread has, where scripts run otherwise.
        thread::Builder::new()
            .stack_size(8 << 20)
            .spawn(work)
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        poll_fn(|cx| {
            let mut shared = lock(&waiting.0);
            match shared.result.take() {
                Some(result) => Poll::Ready(result.map_err(Failed::from)),
                None => {
                    shared.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Stops what still runs, and waits until it has closed what it had open; not for ever.
    pub fn settle(&self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        let (attempts, changed) = &*self.0;
        let running = lock(attempts).clone();
        running.iter().for_each(cancel);
        let ended = |attempts: &mut Vec<Attempt>| !attempts.is_empty();
        drop(changed.wait_timeout_while(lock(attempts), PATIENCE, ended));
    }
}

/// Runs a script to its end, on a thread of its own.
fn script(
    file: &Path,
    environment: &[(String, String)],
    config: Config,
    shared: &Mutex<Shared>,
) -> Result<(), String> {
    let source = fs_err::read(file).map_err(|error| {
        let what = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "no such file; paths begin where the checks file is".into()
            }
            _ => error.to_string(),
        };
        format!("cannot read {}: {what}", file.display())
    })?;
    let (timeout, sandboxed) = (config.timeout, config.policy.is_sandboxed());
    let plain = |error: Error| error.to_string();
    let vm = Vm::new(config).map_err(plain)?;
    vm.set_args(file.as_os_str().as_encoded_bytes(), &[])
        .map_err(plain)?;
    vm.set_script_dir(file.parent().unwrap_or(Path::new(".")))
        .map_err(plain)?;
    for (name, value) in environment {
        vm.set_env(name.as_bytes(), value.as_bytes());
    }
    let event_loop = EventLoop::new().map_err(plain)?;
    {
        let mut shared = lock(shared);
        if shared.is_cancelled {
            return Err("not run".into());
        }
        shared.stop = Some(vm.stop_handle());
    }
    let result = event_loop.block_on(vm.run(&format!("@{}", file.display()), &source));
    let stopped = vm.stopped();
    // Closed before the event loop that its tasks are registered with goes.
    drop(vm);
    match (result, stopped) {
        (Ok(()), _) | (Err(_), Some(Stopped::Exit(0))) => Ok(()),
        (Err(_), Some(Stopped::Exit(code))) => {
            Err(format!("{}: ended by os.exit({code})", file.display()))
        }
        (Err(error), Some(Stopped::Timeout)) => Err(format!(
            "{}: ran longer than its timeout of {:?}",
            error.line().unwrap_or_else(|| file.display().to_string()),
            timeout.unwrap_or_default()
        )),
        (Err(mut error), _) => {
            if sandboxed && error.message.contains("a nil value (global '") {
                let hint =
                    "scripts of checks run in a sandbox; --allow-all gives them all builtins";
                error.hint.get_or_insert(hint.into());
            }
            Err(told(&error, file))
        }
    }
}

/// An error in one line, with the script's, and its hint.
fn told(error: &Error, file: &Path) -> String {
    let message = error.message.trim_end();
    let begins_with_place = |message: &str| {
        error.line().is_some_and(|line| message.starts_with(&line))
            || message.starts_with(&*file.to_string_lossy())
    };
    let message = match error.line() {
        Some(line) if !begins_with_place(message) => format!("{line}: {message}"),
        _ => message.to_owned(),
    };
    with_hint(&message, error.hint.as_deref())
}
