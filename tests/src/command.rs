//! Running a program to its end, or to a deadline.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a finished program left behind.
#[derive(Debug)]
pub struct Output {
    /// The exit code; 128 and the signal's number after a signal, as a shell has it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// An error with everything that the program said, unless it ended well.
    ///
    /// # Errors
    /// When the exit code is not 0.
    pub fn ok(self) -> Result<Self, String> {
        match self.code {
            0 => Ok(self),
            code => Err(format!("exit code {code}\n{}{}", self.stdout, self.stderr)),
        }
    }
}

/// `program`, in `folder`, with nothing of this environment that Assay listens to.
pub fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let listened = text.starts_with("ASSAY_") || text.starts_with("XDG_");
        if listened || text.to_ascii_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    // Nobody's own settings, packages or credentials.
    command
        .env("HOME", folder)
        .env("DOCKER_CONFIG", folder.join("no-docker"))
        .env("NO_COLOR", "1");
    command
}

/// Runs it without input for at most a minute.
///
/// # Errors
/// When it does not start, or does not end.
pub fn run(command: &mut Command) -> Result<Output, String> {
    run_for(command, b"", Duration::from_secs(60))
}

/// Runs it with this input, and kills it at the deadline.
///
/// # Errors
/// When it does not start, or does not end.
pub fn run_for(command: &mut Command, input: &[u8], deadline: Duration) -> Result<Output, String> {
    let shown = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{shown}: {error}"))?;
    let (stdout, stderr) = (gather(child.stdout.take()), gather(child.stderr.take()));
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ended without reading has its reasons.
        let _ = stdin.write_all(input);
    }
    let status = wait(&mut child, deadline);
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let text = |reader: JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
    };
    // After a kill, a grandchild may hold the pipes open for good.
    let Some(status) = status else {
        return Err(format!(
            "{shown}: still running after {} s",
            deadline.as_secs()
        ));
    };
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(Output {
        code,
        stdout: text(stdout),
        stderr: text(stderr),
    })
}

/// Waits for a child, at most so long.
pub fn wait(child: &mut Child, deadline: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + deadline;
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(2)),
            Ok(None) | Err(_) => return None,
            Ok(status) => return status,
        }
    }
}

/// Whether a program is there to be run.
pub fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}

fn gather(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}
