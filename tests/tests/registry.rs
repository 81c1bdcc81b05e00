//! A private docker-registry, on a free port, for one case.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use assay_tests::command;
use tempfile::TempDir;

use crate::folder;

/// Runs until it is dropped.
pub struct Registry {
    /// `127.0.0.1:PORT`.
    pub host: String,
    child: Child,
    _storage: TempDir,
}

/// Why cases that need one do not run here, if so.
pub fn missing() -> Option<String> {
    let there = command::is_installed("docker-registry");
    (!there).then(|| "docker-registry is missing (apt-get install docker-registry)".into())
}

impl Registry {
    pub fn start() -> Result<Self, String> {
        let storage = folder()?;
        let config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:0', secret: test}}\n",
            storage.path().display()
        );
        let file = storage.path().join("config.yml");
        fs_err::write(&file, config).map_err(|error| error.to_string())?;
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("docker-registry: {error}"))?;
        let mut log = BufReader::new(child.stderr.take().ok_or("no standard error")?);
        let mut line = String::new();
        let host = loop {
            line.clear();
            if log
                .read_line(&mut line)
                .map_err(|error| error.to_string())?
                == 0
            {
                return Err("docker-registry ended before it listened".into());
            }
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split('"').next().unwrap_or_default().to_owned();
            }
        };
        // Nobody reads the rest, but a full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(Self {
            host,
            child,
            _storage: storage,
        })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
