//! The image: what `make image` stages is enough, and the real thing is built and run where a Docker
//! daemon answers.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use assay_tests::{command, dist, project};
use libtest_mimic::Trial;

use crate::{Outcome, case_if, contains, folder, packages};

pub fn cases() -> Vec<Trial> {
    let image = Arc::new(Image::default());
    let case = |name: &str, run: fn(&str) -> Outcome| {
        let image = image.clone();
        case_if(format!("image::{name}"), missing, move || run(image.tag()?))
    };
    vec![
        case("runs_a_script", runs_a_script),
        case(
            "is_small_and_says_how_it_runs",
            is_small_and_says_how_it_runs,
        ),
        case("loads_plugins", loads_plugins),
        case_if(
            "image::takes_published_packages",
            || missing().or_else(packages::no_skopeo),
            {
                let image = image.clone();
                move || takes_published_packages(image.tag()?)
            },
        ),
        case("ends_on_sigterm_as_process_1", ends_on_sigterm),
        case("holds_nothing_else", holds_nothing_else),
    ]
}

/// Bytes that the runtime image may have.
const BUDGET: u64 = 6_000_000;

fn runs_a_script(image: &str) -> Outcome {
    let output = docker(&[
        "run",
        "--rm",
        image,
        "-e",
        "print(_VERSION, fs.tempdir() ~= nil)",
    ])?;
    contains(&output, "Lua 5.5\ttrue\n")?;
    let folder = folder()?;
    fs_err::write(folder.path().join("job.lua"), "print(arg[0], arg[1])").map_err(text)?;
    let mount = format!("{}:/job:ro", folder.path().display());
    let output = docker(&[
        "run",
        "--rm",
        "-v",
        &mount,
        "--read-only",
        image,
        "/job/job.lua",
        "word",
    ])?;
    contains(&output, "/job/job.lua\tword\n")
}

fn is_small_and_says_how_it_runs(image: &str) -> Outcome {
    let facts = "{{.Size}} {{json .Config.Entrypoint}} {{.Config.User}}";
    let output = docker(&["image", "inspect", "--format", facts, image])?;
    let (size, rest) = output.trim().split_once(' ').ok_or("no size")?;
    let size: u64 = size.parse().map_err(text)?;
    #[expect(
        clippy::print_stdout,
        reason = "the size belongs in the log of a test run"
    )]
    {
        println!("the runtime image has {:.2} MB", size as f64 / 1e6);
    }
    if size > BUDGET {
        return Err(format!(
            "the image has {size} bytes, its budget is {BUDGET}"
        ));
    }
    contains(rest, r#"["/bin/assay"] 65532:65532"#)
}

fn loads_plugins(image: &str) -> Outcome {
    let mount = format!(
        "{}:/lib/assay/plugins:ro",
        dist::root().join("plugins").display()
    );
    let script = "local ok, err = pcall(http.get, 'https://127.0.0.1:1/')\n\
                  print(err.kind, crypto.hash('abc'))\n\
                  print(#fs.read('/etc/ssl/certs/ca-certificates.crt') > 100000)";
    let output = docker(&["run", "--rm", "-v", &mount, image, "-e", script])?;
    contains(
        &output,
        "connect\tba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\ntrue\n",
    )
}

/// A product's image: the runtime's, and layers of published packages, without Assay's own tools.
fn takes_published_packages(image: &str) -> Outcome {
    let folder = folder()?;
    let layout = folder.path().join("packages");
    packages::publish(folder.path(), &format!("oci:{}", layout.display()))?;
    let mut dockerfile = format!("FROM {image}\n");
    let mut loaded = Images(Vec::new());
    for package in ["plugin/crypto", "plugin/http", "lib/lib"] {
        let tag = format!("assay-tests/{package}:{}", std::process::id());
        let archive = folder.path().join("package.tar");
        let _ = fs_err::remove_file(&archive);
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["copy", "--quiet", "--insecure-policy"]);
        skopeo.arg(format!("oci:{}:{package}:0.1.0", layout.display()));
        skopeo.arg(format!("docker-archive:{}:{tag}", archive.display()));
        command::run(&mut skopeo)?.ok()?;
        docker(&["load", "--quiet", "--input", &archive.display().to_string()])?;
        dockerfile += &format!("COPY --from={tag} /lib/assay /lib/assay\n");
        loaded.0.push(tag);
    }
    let context = folder.path().join("context");
    fs_err::create_dir(&context).map_err(text)?;
    fs_err::write(context.join("Dockerfile"), dockerfile).map_err(text)?;
    let product = format!("assay-tests/product:{}", std::process::id());
    loaded.0.push(product.clone());
    docker(&[
        "build",
        "--quiet",
        "--tag",
        &product,
        &context.display().to_string(),
    ])?;
    let script = "print(#crypto.random(12), type(require('assay.lib')))";
    contains(
        &docker(&["run", "--rm", &product, "-e", script])?,
        "12\ttable\n",
    )
}

/// The kernel does not end process 1 on a signal that it does not handle.
fn ends_on_sigterm(image: &str) -> Outcome {
    for script in ["print('up') sleep(600)", "print('up') while true do end"] {
        let id = docker(&["run", "--detach", image, "-e", script])?
            .trim()
            .to_owned();
        let container = Container(id.clone());
        let end = Instant::now() + Duration::from_secs(30);
        while !docker(&["logs", &id])?.contains("up") {
            if Instant::now() > end {
                return Err(format!("{script}: printed nothing in 30 s"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let before = Instant::now();
        docker(&["stop", "--time", "20", &id])?;
        let code = docker(&["wait", &id])?;
        if code.trim() != "143" || before.elapsed() > Duration::from_secs(15) {
            return Err(format!(
                "{script}: exit code {} after {:?}, expected 143",
                code.trim(),
                before.elapsed()
            ));
        }
        drop(container);
    }
    Ok(())
}

/// No shell, no package manager, nothing of the build: what is not needed cannot be attacked.
fn holds_nothing_else(image: &str) -> Outcome {
    let script = "print(#fs.list('/bin'), fs.exists('/bin/assay'), fs.exists('/lib/assay'))";
    contains(
        &docker(&["run", "--rm", image, "-e", script])?,
        "1\ttrue\tfalse\n",
    )
}

/// Why no image is built here, if so.
fn missing() -> Option<String> {
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    let look = || {
        let answer = docker(&["version", "--format", "{{.Server.Version}}"]);
        answer.err().map(|_| "no Docker daemon answers".to_owned())
    };
    MISSING.get_or_init(look).clone()
}

/// The image, built once for all cases, by the Makefile and the Dockerfile that users have; removed
/// after the last of them.
#[derive(Default)]
struct Image(OnceLock<Result<String, String>>);

impl Image {
    fn tag(&self) -> Result<&str, String> {
        self.0
            .get_or_init(Self::build)
            .as_deref()
            .map_err(Clone::clone)
    }

    fn build() -> Result<String, String> {
        let mut stage = command::command(Path::new("make"), &project());
        stage
            .args(["--no-print-directory", "rootfs"])
            .arg(format!("DIST={}", dist::dist().display()));
        command::run(&mut stage)?.ok()?;
        let tag = format!("assay-tests/runtime:{}", std::process::id());
        let context = dist::dist().join("..").display().to_string();
        let file = project().join("Dockerfile").display().to_string();
        docker(&[
            "build", "--quiet", "--target", "runtime", "--tag", &tag, "--file", &file, &context,
        ])?;
        Ok(tag)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if let Some(Ok(tag)) = self.0.get() {
            let _ = docker(&["image", "rm", "--force", tag]);
        }
    }
}

fn docker(arguments: &[&str]) -> Result<String, String> {
    let mut docker = Command::new("docker");
    let output = command::run_for(docker.args(arguments), b"", Duration::from_secs(120))?.ok()?;
    Ok(output.stdout)
}

/// Removed in the end.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", &self.0]);
    }
}

/// Removed in the end.
struct Images(Vec<String>);

impl Drop for Images {
    fn drop(&mut self) {
        for tag in &self.0 {
            let _ = docker(&["image", "rm", "--force", tag]);
        }
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
