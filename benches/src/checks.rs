//! Many http checks, beside a plain loop over reqwest that asks the same server as often.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt;

use crate::{Failure, median, row};

/// What is asked: says where it listens.
const SERVER: &str = "http.serve(0, {GET = {['/'] = function() return {body = 'hello'} end}}, {host = '127.0.0.1', on_listen = print})";

const COUNT: usize = 1000;
const PARALLEL: usize = 64;
const PAIRS: usize = 15;

pub fn checks(dist: &Path) -> Result<(), Failure> {
    let dir = std::env::temp_dir().join(format!("assay-bench-checks-{}", std::process::id()));
    fs_err::create_dir_all(&dir)?;
    let mut server = Command::new(dist.join("bin/assay"))
        .args(["-e", SERVER])
        .env("ASSAY_LIB_PATH", dist.join("lib/assay"))
        .stdout(Stdio::piped())
        .spawn()?;
    let mut address = String::new();
    BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut address)?;
    let result = compare(dist, &dir, address.trim());
    server.kill()?;
    server.wait()?;
    fs_err::remove_dir_all(dir)?;
    result
}

fn compare(dist: &Path, dir: &Path, address: &str) -> Result<(), Failure> {
    let this = std::env::current_exe()?;
    let url = format!("http://{address}/");
    let mut yaml = format!("retries: 0\nparallel: {PARALLEL}\nchecks:\n");
    for at in 0..COUNT {
        yaml += &format!(
            "- {{name: check {at}, type: http, url: '{url}', expect: {{status: 200, body: hello}}}}\n"
        );
    }
    let file = dir.join("checks.yaml");
    fs_err::write(&file, yaml)?;
    let ours = || {
        let mut command = Command::new(dist.join("bin/assay"));
        command
            .arg(&file)
            .env("ASSAY_LIB_PATH", dist.join("lib/assay"));
        command
    };
    let theirs = || {
        let mut command = Command::new(&this);
        command.args(["requests", &url]);
        command
    };
    let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..=PAIRS {
        let (x, y) = (time(&mut ours())?, time(&mut theirs())?);
        // The first pair warms the caches.
        if run > 0 {
            a.push(x);
            b.push(y);
            ratios.push(x / y);
        }
    }
    row(
        "1,000 http checks, 64 at once, beside a loop over reqwest: wall time",
        format!("{:.0} ms", median(a)),
        format!("{:.0} ms", median(b)),
        Some(median(ratios)),
        "≤ 2",
    );
    Ok(())
}

/// Milliseconds that a command takes which succeeds.
fn time(command: &mut Command) -> Result<f64, Failure> {
    let began = Instant::now();
    let status = command.stdout(Stdio::null()).status()?;
    match status.success() {
        true => Ok(began.elapsed().as_secs_f64() * 1e3),
        false => Err(format!("{command:?} failed").into()),
    }
}

/// The baseline: the same requests, as one writes them with reqwest.
pub fn requests(url: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()?;
        let one = |_| async {
            let response = client.get(url).send().await?.error_for_status()?;
            Ok::<bool, reqwest::Error>(response.text().await?.contains("hello"))
        };
        let mut results =
            futures_util::stream::iter((0..COUNT).map(one)).buffer_unordered(PARALLEL);
        while let Some(result) = results.next().await {
            if !result? {
                return Err("another body".into());
            }
        }
        Ok(())
    })
}
