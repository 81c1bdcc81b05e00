//! Queries to a PostgreSQL of the run's own, beside psycopg2, both over TCP without TLS.

use std::path::Path;
use std::process::Command;

use crate::{Failure, median, row};

/// Debian's, which has psycopg2 as a package.
const PYTHON: &str = "/usr/bin/python3";

/// Debian's too: a server for as long as one command runs.
const SERVER: &str = "command -v pg_virtualenv && ls /usr/lib/postgresql/*/bin/initdb";

const PAIRS: usize = 7;

/// What it is, how often it is done, its two sides, and their beginnings. Each side says how many
/// seconds it took; rows are tables by column names on both.
const CASES: [(&str, u32, &str, &str); 2] = [
    (
        "a query with a parameter and one row",
        5000,
        "for i = 1, COUNT do assert.eq(conn:query('select $1::int + 1 as v', {i})[1].v, i + 1) end",
        "for i in range(COUNT):\n    cur.execute('select %s + 1 as v', (i,)); assert cur.fetchall()[0]['v'] == i + 1",
    ),
    (
        "10,000 rows of 5 columns",
        20,
        "for _ = 1, COUNT do assert.eq(#conn:query(ROWS), 10000) end",
        "for _ in range(COUNT):\n    cur.execute(ROWS); assert len(cur.fetchall()) == 10000",
    ),
];

const ROWS: &str = "select i, 'name ' || i as name, i * 1.5 as price, i % 2 = 0 as even, timestamptz '2024-01-01' as at from generate_series(1, 10000) as i";

/// Starts the server, runs [`compare`] in a process that finds it in its environment, and removes it.
pub fn rows(dist: &Path) -> Result<(), Failure> {
    let has = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output();
        output.is_ok_and(|output| output.status.success())
    };
    for (missing, is_there) in [
        ("psycopg2", has(PYTHON, &["-c", "import psycopg2.extras"])),
        ("PostgreSQL", has("sh", &["-c", SERVER])),
    ] {
        if !is_there {
            let baseline = format!("{missing} is missing");
            row("db: queries", "–".into(), baseline, None, "");
            return Ok(());
        }
    }
    let output = Command::new("pg_virtualenv")
        .arg(std::env::current_exe()?)
        .arg("db-compare")
        .arg(dist)
        .output()?;
    // It talks of its clusters too.
    let said = String::from_utf8_lossy(&output.stdout);
    for line in said.lines().filter(|line| line.starts_with('|')) {
        println!("{line}");
    }
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{said}{}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

pub fn compare(dist: &Path) -> Result<(), Failure> {
    let [user, password, port] =
        ["PGUSER", "PGPASSWORD", "PGPORT"].map(|name| std::env::var(name).unwrap_or_default());
    let url = format!("postgres://{user}:{password}@127.0.0.1:{port}/postgres?sslmode=disable");
    for (what, count, lua, python) in CASES {
        let filled = |code: &str| code.replace("COUNT", &count.to_string());
        let ours = filled(&format!(
            "local ROWS = [[{ROWS}]]\nlocal conn = db.connect('{url}')\nlocal began = time.now()\n{lua}\nprint(time.now() - began)"
        ));
        let theirs = filled(&format!(
            "import psycopg2, psycopg2.extras, time\nROWS = \"{ROWS}\"\nconn = psycopg2.connect('{url}')\nconn.autocommit = True\ncur = conn.cursor(cursor_factory=psycopg2.extras.RealDictCursor)\nbegan = time.time()\n{python}\nprint(time.time() - began)"
        ));
        let each = |seconds: f64| seconds / f64::from(count) * 1e6;
        let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for run in 0..=PAIRS {
            let assay = dist.join("bin/assay");
            let library = dist.join("lib/assay");
            let x = each(seconds(
                Command::new(assay)
                    .args(["-e", &ours])
                    .env("ASSAY_LIB_PATH", library),
            )?);
            let y = each(seconds(Command::new(PYTHON).args(["-c", &theirs]))?);
            // The first pair warms the caches.
            if run > 0 {
                a.push(x);
                b.push(y);
                ratios.push(x / y);
            }
        }
        row(
            &format!("db: {what}, beside psycopg2"),
            format!("{:.0} µs", median(a)),
            format!("{:.0} µs", median(b)),
            Some(median(ratios)),
            "",
        );
    }
    Ok(())
}

/// What a script says that it took.
fn seconds(command: &mut Command) -> Result<f64, Failure> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    said.trim()
        .parse()
        .map_err(|_| format!("{said}{}", String::from_utf8_lossy(&output.stderr)).into())
}
