//! The benches: each measures Assay and a baseline in the same run and prints a row with the ratio.
//!
//! `assay-bench DIST` prints the table, `assay-bench serve DIST` its rows about `http.serve`. The other subcommands are what it runs as child processes.

mod checks;
mod db;
mod json;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use assay::plugins::Plugins;
use assay::{Config, Vm};

mod serve;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["calls", side, case, count, ref root @ ..] => {
            calls(side, case, count.parse()?, root.first().copied())
        }
        ["vms", side, count] => vms(side, count.parse()?),
        ["serve", dist] => serve::table(&std::path::absolute(dist)?),
        ["requests", url] => checks::requests(url),
        ["checks", dist] => checks::checks(&std::path::absolute(dist)?),
        ["db", dist] => db::rows(&std::path::absolute(dist)?),
        ["db-compare", dist] => db::compare(Path::new(dist)),
        ["json", dist] => json::rows(&std::path::absolute(dist)?),
        [dist] => table(&std::path::absolute(dist)?),
        _ => Err("usage: assay-bench DIST".into()),
    }
}

fn table(dist: &Path) -> Result<(), Failure> {
    println!("| what | assay | baseline | ratio | goal |");
    println!("|---|---|---|---|---|");
    sizes(dist)?;
    start(dist)?;
    vm_costs()?;
    instructions(dist)?;
    json::rows(dist)?;
    serve::table(dist)?;
    checks::checks(dist)?;
    db::rows(dist)?;
    Ok(())
}

fn row(what: &str, ours: String, baseline: String, ratio: Option<f64>, goal: &str) {
    let ratio = ratio.map_or("–".into(), |ratio| format!("{ratio:.2}"));
    println!("| {what} | {ours} | {baseline} | {ratio} | {goal} |");
}

// ---- sizes ----

fn sizes(dist: &Path) -> Result<(), Failure> {
    let megabytes = |path: &Path| -> Result<String, Failure> {
        Ok(format!(
            "{:.2} MB",
            fs_err::metadata(path)?.len() as f64 / 1e6
        ))
    };
    row(
        "core binary, stripped",
        megabytes(&dist.join("bin/assay"))?,
        "–".into(),
        None,
        "≤ 2.0 MB",
    );
    for entry in fs_err::read_dir(dist.join("lib/assay/plugins"))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        row(&name, megabytes(&path)?, "–".into(), None, "");
    }
    if dist.join("bin/assay-static").exists() {
        row(
            "one-file build",
            megabytes(&dist.join("bin/assay-static"))?,
            "–".into(),
            None,
            "",
        );
    }
    Ok(())
}

// ---- start ----

/// User and system time of a command that succeeds.
fn cpu(command: &mut Command) -> Result<Duration, Failure> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut status = 0;
    // SAFETY: plain data, filled by the call.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: waits for our own child.
    unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut usage) };
    if status != 0 {
        return Err(format!("{command:?} failed").into());
    }
    let time = |t: libc::timeval| {
        Duration::from_secs(t.tv_sec as u64) + Duration::from_micros(t.tv_usec as u64)
    };
    Ok(time(usage.ru_utime) + time(usage.ru_stime))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs two commands in turn; the medians and the median of the ratios pair by pair, in ms.
fn pairs(
    a: &dyn Fn() -> Command,
    b: &dyn Fn() -> Command,
    runs: usize,
) -> Result<(f64, f64, f64), Failure> {
    let (mut first, mut second, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..=runs {
        let (x, y) = (
            cpu(&mut a())?.as_secs_f64() * 1e3,
            cpu(&mut b())?.as_secs_f64() * 1e3,
        );
        // The first pair warms the caches.
        if run > 0 {
            first.push(x);
            second.push(y);
            ratios.push(x / y);
        }
    }
    Ok((median(first), median(second), median(ratios)))
}

fn start(dist: &Path) -> Result<(), Failure> {
    let dir = std::env::temp_dir().join(format!("assay-bench-{}", std::process::id()));
    fs_err::create_dir_all(&dir)?;
    let hello = dir.join("hello.lua");
    fs_err::write(&hello, "print(\"hello\")\n")?;
    let http = dir.join("http.lua");
    fs_err::write(&http, "local get = http.get\nprint(\"hello\")\n")?;
    let assay = |script: &Path| {
        let mut command = Command::new(dist.join("bin/assay"));
        command
            .arg(script)
            .env("ASSAY_LIB_PATH", dist.join("lib/assay"));
        command
    };
    let lua = || {
        let mut command = Command::new("lua5.4");
        command.arg(&hello);
        command
    };
    let (ours, theirs, ratio) = pairs(&|| assay(&hello), &lua, 100)?;
    row(
        "`assay hello.lua`, CPU, beside `lua5.4 hello.lua`",
        format!("{ours:.2} ms"),
        format!("{theirs:.2} ms"),
        Some(ratio),
        "≤ 1.2",
    );
    let (with, without, _) = pairs(&|| assay(&http), &|| assay(&hello), 60)?;
    row(
        "loading `http` on first use, CPU",
        format!("+{:.2} ms", with - without),
        "–".into(),
        None,
        "≤ 1 ms",
    );
    fs_err::remove_dir_all(dir)?;
    Ok(())
}

// ---- VMs ----

fn vm_costs() -> Result<(), Failure> {
    let this = std::env::current_exe()?;
    let run = |side: &str| -> Result<(f64, f64), Failure> {
        let mut costs = Vec::new();
        for _ in 0..5 {
            let output = Command::new(&this).args(["vms", side, "1000"]).output()?;
            let text = String::from_utf8(output.stdout)?;
            let mut parts = text.split_whitespace().map(str::parse::<f64>);
            costs.push((
                parts.next().ok_or("no time")??,
                parts.next().ok_or("no size")??,
            ));
        }
        Ok((
            median(costs.iter().map(|c| c.0).collect()),
            median(costs.iter().map(|c| c.1).collect()),
        ))
    };
    let (ours, bare) = (run("assay")?, run("mlua")?);
    row(
        "a VM with every core builtin, 1,000 alive: time",
        format!("{:.0} µs", ours.0),
        format!("{:.0} µs (bare Lua with its libraries)", bare.0),
        Some(ours.0 / bare.0),
        "≤ 120 µs",
    );
    row(
        "the same: resident memory",
        format!("{:.1} KB", ours.1),
        format!("{:.1} KB", bare.1),
        Some(ours.1 / bare.1),
        "≤ 50 KB",
    );
    Ok(())
}

fn resident() -> Result<f64, Failure> {
    let pages: f64 = fs_err::read_to_string("/proc/self/statm")?
        .split(' ')
        .nth(1)
        .ok_or("statm")?
        .parse()?;
    Ok(pages * 4.096)
}

/// Prints µs and KB for each VM of many alive at once.
fn vms(side: &str, count: usize) -> Result<(), Failure> {
    // One before, for what the process pays once.
    let first = Vm::new(Config::default())?;
    let before = resident()?;
    let started = Instant::now();
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..count {
        if side == "assay" {
            ours.push(Vm::new(Config::default())?);
        } else {
            // SAFETY: the same standard libraries as a VM of ours.
            bare.push(unsafe {
                mlua::Lua::unsafe_new_with(mlua::StdLib::ALL, mlua::LuaOptions::default())
            });
        }
    }
    let time = started.elapsed().as_secs_f64() * 1e6 / count as f64;
    println!("{time} {}", (resident()? - before) / count as f64);
    drop((first, ours, bare));
    Ok(())
}

// ---- calls ----

const CASES: [(&str, &str, &str, &str); 5] = [
    ("add", "two ints", "f(1, 2)", "≤ 1.7"),
    ("echo", "a 1 KB string, there and back", "f(text)", "≤ 0.9"),
    ("sum_map", "a table of 100 entries", "f(map)", "≤ 0.9"),
    ("sum_list", "a list of 100 items", "f(list)", ""),
    (
        "echo_map",
        "a table of 100 entries, there and back",
        "f(map)",
        "",
    ),
];

/// Instructions by valgrind: the same for the same binary, however busy the machine is.
fn instructions(dist: &Path) -> Result<(), Failure> {
    let this = std::env::current_exe()?;
    let root = dist.join("bench");
    let count = |side: &str, case: &str, calls: u32| -> Result<f64, Failure> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(&this)
            .args(["calls", side, case, &calls.to_string()])
            .arg(&root)
            .output()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let total = text
            .lines()
            .find_map(|line| line.split("Collected :").nth(1));
        total
            .ok_or_else(|| format!("valgrind: {text}"))?
            .trim()
            .parse()
            .map_err(Into::into)
    };
    for (case, what, _, goal) in CASES {
        let per_call = |side: &str| -> Result<f64, Failure> {
            Ok((count(side, case, 3_000)? - count(side, case, 1_000)?) / 2_000.0)
        };
        // The loop and the call itself are part of both.
        let (ours, direct) = (per_call("plugin")?, per_call("mlua")?);
        row(
            &format!("a plugin call with {what}, instructions, beside mlua directly"),
            format!("{ours:.0}"),
            format!("{direct:.0}"),
            Some(ours / direct),
            goal,
        );
    }
    Ok(())
}

fn calls(side: &str, case: &str, count: u32, root: Option<&str>) -> Result<(), Failure> {
    let expression = CASES.iter().find(|c| c.0 == case).ok_or("no such case")?.2;
    let script = format!(
        "local text = (\"x\"):rep(1024)
         local map, list = {{}}, {{}}
         for i = 1, 100 do map[\"key\" .. i] = i list[i] = i end
         local f = bench.{case}
         for _ = 1, {count} do local _ = {expression} end"
    );
    if side == "plugin" {
        let roots: Vec<PathBuf> = root.into_iter().map(Into::into).collect();
        let mut config = Config::default();
        config.plugins = Plugins::discover(&roots, Default::default());
        let vm = Vm::new(config)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(vm.run("=calls", script.as_bytes()))?;
        return Ok(());
    }
    let lua = mlua::Lua::new();
    // As a VM of ours: under a memory limit.
    lua.set_memory_limit(64 << 20)?;
    let table = lua.create_table()?;
    table.set(
        "add",
        lua.create_function(|_, (a, b): (i64, i64)| Ok(a + b))?,
    )?;
    table.set("echo", lua.create_function(|_, text: String| Ok(text))?)?;
    table.set(
        "sum_map",
        lua.create_function(|_, map: HashMap<String, i64>| Ok(map.values().sum::<i64>()))?,
    )?;
    table.set(
        "sum_list",
        lua.create_function(|_, list: Vec<i64>| Ok(list.iter().sum::<i64>()))?,
    )?;
    table.set(
        "echo_map",
        lua.create_function(|_, map: HashMap<String, i64>| Ok(map))?,
    )?;
    lua.globals().set("bench", table)?;
    lua.load(script).exec()?;
    Ok(())
}
