//! PostgreSQL and MariaDB from Debian's packages, each started once for the whole run, in a folder of
//! its own, with TLS and certificates made for the occasion, and ended with it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use fs_err as fs;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// A server that is running.
pub struct Server {
    pub port: u16,
    pub folder: PathBuf,
}

/// The password of every user.
pub const PASSWORD: &str = "s3cr%t";
/// In a URL.
pub const ESCAPED: &str = "s3cr%25t";

/// PostgreSQL, or why there is none.
pub fn postgres() -> Result<&'static Server, &'static str> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    SERVER
        .get_or_init(start_postgres)
        .as_ref()
        .map_err(String::as_str)
}

/// MariaDB, or why there is none.
pub fn mariadb() -> Result<&'static Server, &'static str> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    SERVER
        .get_or_init(start_mariadb)
        .as_ref()
        .map_err(String::as_str)
}

/// Where Debian puts PostgreSQL's programs.
pub fn postgres_programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|folder| folder.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}

/// What runs, and where its files are.
static RUNNING: Mutex<Vec<(Child, TempDir)>> = Mutex::new(Vec::new());

/// Ends the servers and removes their files.
pub fn stop() {
    for (mut child, _folder) in RUNNING.lock().unwrap().drain(..) {
        // Killed, PostgreSQL would leave its shared memory behind.
        let quit = format!("kill -QUIT {}", child.id());
        let asked = Command::new("sh").args(["-c", &quit]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = child.kill();
        }
        let _ = child.wait();
    }
}

impl Server {
    pub fn certificate(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

fn start_postgres() -> Result<Server, String> {
    let programs = postgres_programs().ok_or("postgresql is not installed")?;
    let keep = folder()?;
    let folder = keep.path().to_owned();
    certificates(&folder)?;
    let owner = hand_over("postgres", &folder)?;
    let data = folder.join("data");
    fs::write(folder.join("password"), PASSWORD).map_err(text)?;
    run(as_user(&owner, &programs.join("initdb"))
        .args([
            "-A",
            "scram-sha-256",
            "-U",
            "app",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        ])
        .arg("--pwfile")
        .arg(folder.join("password"))
        .arg("-D")
        .arg(&data))?;
    let rules = "local all app trust\n\
         hostssl all certified 127.0.0.1/32 cert\n\
         host all md5user 127.0.0.1/32 md5\n\
         host all clear 127.0.0.1/32 password\n\
         host all all 127.0.0.1/32 scram-sha-256\n";
    fs::write(data.join("pg_hba.conf"), rules).map_err(text)?;
    let port = free_port()?;
    let settings = format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{0}'\nfsync = off\nssl = on\n\
         ssl_cert_file = '{0}/server.pem'\nssl_key_file = '{0}/server.key'\nssl_ca_file = '{0}/ca.pem'\n\
         max_connections = 50\nlc_monetary = 'C'\n",
        folder.display()
    );
    fs::write(data.join("postgresql.auto.conf"), settings).map_err(text)?;
    start(
        as_user(&owner, &programs.join("postgres"))
            .arg("-D")
            .arg(&data),
        "database system is ready to accept connections",
        keep,
    )?;
    Ok(Server { port, folder })
}

fn start_mariadb() -> Result<Server, String> {
    let program = Path::new("/usr/sbin/mariadbd");
    if !program.exists() {
        return Err("mariadb-server is not installed".into());
    }
    let keep = folder()?;
    let folder = keep.path().to_owned();
    certificates(&folder)?;
    let owner = hand_over("mysql", &folder)?;
    let data = folder.join("data");
    let mut install = as_user(&owner, Path::new("/usr/bin/mariadb-install-db"));
    run(install
        .args([
            "--no-defaults",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        ])
        .arg(format!("--datadir={}", data.display())))?;
    let users = format!(
        "CREATE USER app@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO app@'%';\n\
         CREATE USER certified@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE X509;\nGRANT ALL ON *.* TO certified@'%';\n\
         CREATE DATABASE app CHARACTER SET utf8mb4;\n"
    );
    fs::write(folder.join("users.sql"), users).map_err(text)?;
    let port = free_port()?;
    let at = |name: &str| folder.join(name).display().to_string();
    let mut server = as_user(&owner, program);
    server.args([
        "--no-defaults",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--innodb-flush-log-at-trx-commit=0",
    ]);
    for (option, value) in [
        ("datadir", at("data")),
        ("socket", at("socket")),
        ("pid-file", at("pid")),
        ("port", port.to_string()),
        ("init-file", at("users.sql")),
        ("ssl-ca", at("ca.pem")),
        ("ssl-cert", at("server.pem")),
        ("ssl-key", at("server.key")),
    ] {
        server.arg(format!("--{option}={value}"));
    }
    start(&mut server, "ready for connections", keep)?;
    Ok(Server { port, folder })
}

/// In a place that other users may enter.
fn folder() -> Result<TempDir, String> {
    let folder = tempfile::Builder::new()
        .prefix("assay-db-")
        .tempdir()
        .map_err(text)?;
    fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).map_err(text)?;
    Ok(folder)
}

/// A CA; a certificate of it for the server, for a client, and one of another CA.
fn certificates(folder: &Path) -> Result<(), String> {
    let authority = |name: &str| -> Result<(Issuer<'static, KeyPair>, String), String> {
        let key = KeyPair::generate().map_err(text)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(text)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let pem = params.self_signed(&key).map_err(text)?.pem();
        Ok((Issuer::new(params, key), pem))
    };
    let write = |name: &str, pem: &str, mode: u32| -> Result<(), String> {
        let path = folder.join(name);
        fs::write(&path, pem).map_err(text)?;
        fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).map_err(text)
    };
    let (ca, pem) = authority("the CA of a test")?;
    write("ca.pem", &pem, 0o644)?;
    let (_, pem) = authority("another CA")?;
    write("other.pem", &pem, 0o644)?;
    for (name, common_name, names) in [
        ("server", "server", vec!["localhost".to_owned()]),
        ("client", "certified", vec![]),
    ] {
        let key = KeyPair::generate().map_err(text)?;
        let mut params = CertificateParams::new(names).map_err(text)?;
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, common_name);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.signed_by(&key, &ca).map_err(text)?;
        write(&format!("{name}.pem"), &certificate.pem(), 0o644)?;
        write(&format!("{name}.key"), &key.serialize_pem(), 0o600)?;
    }
    Ok(())
}

/// Who runs a server that refuses to be run by root, and owns what is in its folder.
fn hand_over(user: &str, folder: &Path) -> Result<Option<(u32, u32)>, String> {
    let id = |flag: &str| -> Result<u32, String> {
        let output = Command::new("id")
            .args([flag, user])
            .output()
            .map_err(text)?;
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .map_err(text)
    };
    let ours = Command::new("id").arg("-u").output().map_err(text)?;
    if ours.stdout.trim_ascii() != b"0" {
        return Ok(None);
    }
    let (uid, gid) = (id("-u")?, id("-g")?);
    chown(folder, Some(uid), Some(gid)).map_err(text)?;
    for entry in fs::read_dir(folder).map_err(text)?.flatten() {
        // The client's key stays with the client.
        if !entry.file_name().to_string_lossy().starts_with("client") {
            chown(entry.path(), Some(uid), Some(gid)).map_err(text)?;
        }
    }
    Ok(Some((uid, gid)))
}

fn as_user(owner: &Option<(u32, u32)>, program: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    command
        .current_dir("/")
        .env_remove("PGHOST")
        .stdin(Stdio::null());
    if let Some((uid, gid)) = owner {
        command.gid(*gid).uid(*uid);
    }
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(text)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{command:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// Starts a server and waits until it says that it is ready. Its log is read on, so that it never
/// stands in the way.
fn start(command: &mut Command, ready: &'static str, folder: TempDir) -> Result<(), String> {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(text)?;
    let mut lines = BufReader::new(child.stderr.take().ok_or("no stderr")?).lines();
    let mut log = String::new();
    loop {
        match lines.next() {
            Some(Ok(line)) => {
                log += &format!("{line}\n");
                if line.contains(ready) {
                    break;
                }
            }
            _ => return Err(format!("{command:?} ended:\n{log}")),
        }
    }

    RUNNING.lock().unwrap().push((child, folder));
    std::thread::spawn(move || lines.for_each(drop));
    Ok(())
}

/// Neither server tells which port it was given when it is asked to take any.
fn free_port() -> Result<u16, String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(text)?;
    Ok(listener.local_addr().map_err(text)?.port())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
