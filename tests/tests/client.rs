//! The http client against servers that others wrote: nginx (HTTP/2, client certificates, chunks,
//! compression), tinyproxy, and Docker's socket.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use assay_tests::{command, dist};
use libtest_mimic::Trial;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use tempfile::TempDir;

use crate::{Outcome, case_if, contains, folder, scripts};

const DOCKER: &str = "/var/run/docker.sock";

pub fn cases() -> Vec<Trial> {
    let nginx = || missing("nginx");
    let proxied = || missing("nginx").or_else(|| missing("tinyproxy"));
    let docker = || {
        let there = UnixStream::connect(DOCKER).is_ok();
        (!there).then(|| format!("no Docker daemon listens on {DOCKER}"))
    };
    vec![
        case_if("client::http_2_where_the_server_offers_it", nginx, || {
            of_nginx(HTTP_2)
        }),
        case_if("client::connections_that_the_server_ends", nginx, || {
            of_nginx(ENDING)
        }),
        case_if("client::certificates_of_clients", nginx, || {
            of_nginx(CLIENT_CERTIFICATES)
        }),
        case_if("client::chunks_and_compression", nginx, || {
            of_nginx(ENCODINGS)
        }),
        case_if("client::files_up_and_down", nginx, || of_nginx(FILES)),
        case_if("client::through_a_proxy", proxied, || {
            through_a_proxy(PROXIED, &[])
        }),
        case_if("client::variables_name_the_proxy", proxied, || {
            through_a_proxy(VARIABLES, &["HTTPS_PROXY", "http_proxy"])
        }),
        case_if("client::tls_to_the_proxy", proxied, || {
            through_tls(TLS_TO_THE_PROXY, &[])
        }),
        case_if("client::variables_name_a_proxy_with_tls", proxied, || {
            through_tls(VARIABLES, &["HTTPS_PROXY", "http_proxy"])
        }),
        case_if("client::kubeconfig", proxied, || {
            through_a_proxy(KUBECONFIG, &[])
        }),
        case_if("client::docker_over_its_socket", docker, || {
            let folder = folder()?;
            run(DOCKER_SOCKET, folder.path(), &[DOCKER], &[])
        }),
    ]
}

const HTTP_2: &str = r#"
local folder <const> = arg[1]
local client <const> = http.client{ unix_socket = folder .. "/h2.sock", base_url = "https://localhost", ca_cert = folder .. "/ca.pem" }
local response = client:get("/protocol")
assert.eq(response.version, "2")
assert.eq(response.body, "HTTP/2.0")
assert.eq(client:get("/agent").body:match("^assay/%d") ~= nil, true)
-- Many at once, with bodies in both directions.
local calls <const> = {}
for i = 1, 50 do
  calls[i] = function() return client:post("/echo", ("x"):rep(i * 1000)).status end
end
for _, status in ipairs(async.all(calls)) do
  assert.eq(status, 200)
end
assert.eq(#client:get("/large").body, 3000000)
assert.eq(client:head("/large").headers["content-length"], "3000000")
local parts = 0
for chunk in client:get("/large", { stream = true }).body do
  parts = parts + #chunk
end
assert.eq(parts, 3000000)
assert.eq(client:get("/none").status, 404)
-- Where it does not, it is HTTP/1.1.
local older <const> = http.client{ unix_socket = folder .. "/h1.sock", base_url = "https://localhost", ca_cert = folder .. "/ca.pem" }
assert.eq(older:get("/protocol").version, "1.1")
assert.eq(older:get("/protocol").body, "HTTP/1.1")
"#;

/// This nginx ends a connection with its third request.
const ENDING: &str = r#"
local folder <const> = arg[1]
for _, socket in ipairs{ "h2-short", "h1-short" } do
  local client <const> = http.client{ unix_socket = folder .. "/" .. socket .. ".sock", base_url = "https://localhost", ca_cert = folder .. "/ca.pem" }
  for _ = 1, 20 do
    assert.eq(client:get("/protocol").status, 200)
  end
  local calls <const> = {}
  for i = 1, 40 do
    calls[i] = function() return client:post("/echo", "x").status end
  end
  for _, status in ipairs(async.all(calls)) do
    assert.eq(status, 200)
  end
end
"#;

const CLIENT_CERTIFICATES: &str = r#"
local folder <const> = arg[1]
local function client(options)
  options.unix_socket = folder .. "/mtls.sock"
  options.base_url = "https://localhost"
  options.ca_cert = fs.read(folder .. "/ca.pem")
  return http.client(options)
end
local by_path <const> = client{ client_cert = folder .. "/client.pem", client_key = folder .. "/client.key" }
assert.eq(by_path:get("/who").body, "CN=somebody SUCCESS")
local by_text <const> = client{ client_cert = fs.read(folder .. "/client.pem"), client_key = fs.read(folder .. "/client.key") }
assert.eq(by_text:get("/who").body, "CN=somebody SUCCESS")
-- nginx says so in HTTP.
local without = client{}:get("/who")
assert.eq(without.status, 400)
assert.contains(without.body, "No required SSL certificate was sent")
-- One of another CA.
local other <const> = client{ client_cert = folder .. "/other.pem", client_key = folder .. "/other.key" }
assert.eq(other:get("/who").status, 400)
local ok, err = pcall(client, { client_cert = folder .. "/client.pem", client_key = folder .. "/other.key" })
assert.contains(tostring(err), "option `client_key`: " .. folder .. "/other.key holds the key of another certificate than `client_cert`")
ok, err = pcall(client, { client_cert = folder .. "/client.pem" })
assert.contains(tostring(err), "option `client_cert`: " .. folder .. "/client.pem holds no private key")
-- Who is not trusted is not shown anything.
ok, err = pcall(http.get, "https://localhost:" .. arg[2] .. "/")
assert.eq(err.kind, "tls")
"#;

const ENCODINGS: &str = r#"
local folder <const> = arg[1]
local client <const> = http.client{ unix_socket = folder .. "/h1.sock", base_url = "https://localhost", ca_cert = folder .. "/ca.pem" }
local chunked = client:get("/page.html")
assert.eq(chunked.headers["transfer-encoding"], "chunked")
assert.eq(chunked.headers["content-length"], nil)
assert.eq(chunked.body, "before included after\n")
-- Compressed on the way, if at all; who asks for it gets what was sent.
local text <const> = ("text "):rep(1000)
local plain = client:get("/text.txt")
assert.eq(plain.headers["content-encoding"], nil)
assert.eq(plain.headers["content-length"], nil)
assert.eq(plain.body, text)
local parts = ""
for chunk in client:get("/text.txt", { stream = true }).body do
  parts = parts .. chunk
end
assert.eq(parts, text)
local packed = client:get("/text.txt", { headers = { ["Accept-Encoding"] = "gzip" } })
assert.eq(packed.headers["content-encoding"], "gzip")
assert.eq(packed.body:sub(1, 2), "\x1f\x8b")
assert.eq(#packed.body < 200, true)
local identity = client:get("/text.txt", { headers = { ["Accept-Encoding"] = "identity" } })
assert.eq(identity.headers["content-length"], "5000")
-- The limit is for what the script gets.
local ok, err = pcall(client.get, client, "/text.txt", { max_body = 4999 })
assert.eq(err.kind, "body")
assert.eq(client:get("/text.txt", { max_body = 5000 }).body, text)
-- A download is what the server has.
assert.eq(client:download("/text.txt", folder .. "/downloaded"), 5000)
"#;

const FILES: &str = r#"
local folder <const> = arg[1]
for socket, version in pairs{ h1 = "1.1", h2 = "2" } do
  local client <const> = http.client{ unix_socket = folder .. "/" .. socket .. ".sock", base_url = "https://localhost", ca_cert = folder .. "/ca.pem" }
  local path <const> = fs.tempdir() .. "/large"
  assert.eq(client:download("/large", path, { sha256 = crypto.hash(client:get("/large").body) }), 3000000)
  -- nginx stores what it is sent.
  local response = client:put("/stored/" .. socket, fs.read(path))
  assert.eq(response.status, 201)
  assert.eq(response.version, version)
  assert(fs.read(folder .. "/www/stored/" .. socket) == fs.read(path))
  response = client:post("/echo", nil, { multipart = { file = { path = path }, note = "x" } })
  assert.eq(response.status, 200)
  assert.eq(tonumber(response.headers["x-length"]) > 3000000, true)
end
"#;

const PROXIED: &str = r#"
local folder <const>, server <const>, proxy <const> = arg[1], "localhost:" .. arg[2], "127.0.0.1:" .. arg[3]
local function client(options)
  options.ca_cert = folder .. "/ca.pem"
  return http.client(options)
end
local tunnelled <const> = client{ proxy = "http://user:secret@" .. proxy }
local response = tunnelled:get("https://" .. server .. "/protocol")
assert.eq(response.version, "2")
assert.eq(response.body, "HTTP/2.0")
-- Without TLS the proxy sees the request, and says so.
local plain = tunnelled:get("http://127.0.0.1:" .. arg[4] .. "/protocol")
assert.eq(plain.status, 200)
assert.contains(plain.headers.via, "tinyproxy")
-- It wants a password, which no message repeats.
local ok, err = pcall(function() client{ proxy = "http://user:wrong@" .. proxy }:get("https://" .. server .. "/") end)
assert.eq(err.kind, "proxy")
assert.contains(tostring(err), "proxy: http://" .. proxy .. ": 401 Unauthorized for " .. server)
assert.eq(tostring(err):find("wrong"), nil)
assert.eq(client{ proxy = "http://user:wrong@" .. proxy }:get("http://127.0.0.1:" .. arg[4] .. "/").status, 401)
-- Not through it.
assert.eq(client{ proxy = "http://" .. proxy, no_proxy = "localhost" }:get("https://" .. server .. "/protocol").status, 200)
-- What the proxy cannot reach.
ok, err = pcall(tunnelled.get, tunnelled, "https://127.0.0.1:1/")
assert.eq(err.kind, "proxy")
assert.contains(tostring(err), "500 Internal Server Error for 127.0.0.1:1")
"#;

const TLS_TO_THE_PROXY: &str = r#"
local folder <const>, server <const>, plain <const> = arg[1], "https://localhost:" .. arg[2], "http://127.0.0.1:" .. arg[4]
local proxy <const> = "localhost:" .. arg[3]
local through <const> = http.client{ proxy = "https://user:secret@" .. proxy, ca_cert = folder .. "/ca.pem" }
-- TLS in TLS, and HTTP/2 in both.
assert.eq(through:get(server .. "/protocol").body, "HTTP/2.0")
assert.eq(#through:get(server .. "/large").body, 3000000)
assert.eq(through:post(server .. "/echo", ("x"):rep(100000)).status, 200)
-- Once only: tinyproxy closes after it, and another request could meet that on its way.
assert.contains(through:get(plain .. "/protocol").headers.via, "tinyproxy")
-- Who is not trusted is not shown anything, and it is said who that was.
for _, url in ipairs{ server, plain } do
  local ok, err = pcall(function() http.client{ proxy = "https://user:secret@" .. proxy }:get(url) end)
  assert.eq(err.kind, "proxy")
  assert.contains(tostring(err), "proxy: https://" .. proxy .. ": tls: invalid peer certificate: UnknownIssuer (" .. url)
  assert.contains(err.hint, "pass the CA as `ca_cert`")
  assert.eq(tostring(err):find("secret"), nil)
end
assert.eq(http.client{ proxy = "https://user:secret@" .. proxy, insecure = true }:get(server .. "/protocol").status, 200)
local ok, err = pcall(function() http.client{ proxy = "https://user:wrong@" .. proxy, ca_cert = folder .. "/ca.pem" }:get(server) end)
assert.contains(tostring(err), "proxy: https://" .. proxy .. ": 401 Unauthorized for localhost:" .. arg[2])
-- A proxy that speaks no TLS; a server that does not, behind one that does.
ok, err = pcall(function() http.client{ proxy = "https://127.0.0.1:" .. arg[4] }:get(server) end)
assert.eq(err.kind, "proxy")
assert.contains(tostring(err), "proxy: https://127.0.0.1:" .. arg[4] .. ": tls: received corrupt message")
ok, err = pcall(through.get, through, "https://127.0.0.1:" .. arg[4])
assert.eq(err.kind, "tls")
"#;

const VARIABLES: &str = r#"
local folder <const>, server <const> = arg[1], "localhost:" .. arg[2]
local response = http.client{ ca_cert = folder .. "/ca.pem" }:get("https://" .. server .. "/protocol")
assert.eq(response.status, 200)
assert.contains(http.get("http://127.0.0.1:" .. arg[4] .. "/protocol").headers.via, "tinyproxy")
assert.eq(http.client{ proxy = false }:get("http://127.0.0.1:" .. arg[4] .. "/protocol").headers.via, nil)
local ok, err = pcall(http.get, "https://localhost:1/")
assert.eq(err.kind, "proxy")
assert.contains(tostring(err), "500 Internal Server Error for localhost:1")
assert.contains(err.hint, "HTTPS_PROXY is set")
"#;

const KUBECONFIG: &str = r#"
local folder <const> = arg[1]
local path <const> = folder .. "/kubeconfig"
fs.write(path, yaml.encode{
  ["current-context"] = "test",
  contexts = { { name = "test", context = { cluster = "c", user = "u" } } },
  clusters = { { name = "c", cluster = {
    server = "https://localhost:" .. arg[5],
    ["certificate-authority-data"] = base64.encode(fs.read(folder .. "/ca.pem")),
    ["proxy-url"] = "http://user:secret@127.0.0.1:" .. arg[3],
  } } },
  users = { { name = "u", user = {
    ["client-certificate-data"] = base64.encode(fs.read(folder .. "/client.pem")),
    ["client-key"] = folder .. "/client.key",
  } } },
})
local client <const> = require("assay.k8s").client{ kubeconfig = path }
assert.eq(client:get("/version").gitVersion, "CN=somebody")
"#;

const DOCKER_SOCKET: &str = r#"
local docker <const> = http.client{ unix_socket = arg[1] }
assert.eq(docker:get("/_ping").body, "OK")
assert.not_nil(docker:get("/version"):json().ApiVersion)
"#;

fn of_nginx(script: &str) -> Outcome {
    let nginx = Nginx::start()?;
    run(script, nginx.folder.path(), &nginx.arguments(0), &[])
}

fn through_a_proxy(script: &str, variables: &[&str]) -> Outcome {
    let nginx = Nginx::start()?;
    let proxy = Tinyproxy::start(nginx.folder.path())?;
    let url = format!("http://user:secret@127.0.0.1:{}", proxy.port);
    through(&nginx, script, proxy.port, &url, variables)
}

fn through_tls(script: &str, variables: &[&str]) -> Outcome {
    let nginx = Nginx::start()?;
    let folder = nginx.folder.path();
    let proxy = Tinyproxy::start(folder)?;
    let mut front = Command::new(crate::python())
        .args(["-c", TLS_FRONT, &proxy.port.to_string()])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("python: {error}"))?;
    let said = front.stdout.take().ok_or("no standard output")?;
    let _front = Server(front);
    let mut line = String::new();
    BufReader::new(said)
        .read_line(&mut line)
        .map_err(|error| error.to_string())?;
    let port = line.trim().parse().map_err(|_| "the front did not start")?;
    let url = format!("https://user:secret@localhost:{port}");
    through(&nginx, script, port, &url, variables)
}

/// Runs a script with these variables for the proxy.
fn through(nginx: &Nginx, script: &str, port: u16, url: &str, variables: &[&str]) -> Outcome {
    let folder = nginx.folder.path();
    let ca = folder.join("ca.pem").display().to_string();
    let mut variables: Vec<_> = variables.iter().map(|name| (*name, url)).collect();
    if !variables.is_empty() {
        variables.push(("SSL_CERT_FILE", &ca));
    }
    run(script, folder, &nginx.arguments(port), &variables)?;
    // What was meant to pass it did.
    let log = fs_err::read_to_string(folder.join("tinyproxy.log"));
    contains(&log.unwrap_or_default(), "CONNECT localhost:")
}

/// TLS in front of a port, whose own is printed.
const TLS_FRONT: &str = r#"
import asyncio, ssl, sys
async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
async def serve(reader, writer):
    inner = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    await asyncio.gather(copy(reader, inner[1]), copy(inner[0], writer))
async def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain("server.pem", "server.key")
    # Would it be asked for, it would not be understood.
    tls.set_alpn_protocols(["h2", "http/1.1"])
    server = await asyncio.start_server(serve, "localhost", 0, ssl=tls, family=2)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"#;

fn run(
    script: &str,
    folder: &Path,
    arguments: &[impl AsRef<std::ffi::OsStr>],
    variables: &[(&str, &str)],
) -> Outcome {
    let path = folder.join("script.lua");
    fs_err::write(&path, script).map_err(|error| error.to_string())?;
    let mut command = scripts::assay("assay", folder, &[dist::root()]);
    command
        .arg(path)
        .args(arguments)
        .envs(variables.iter().copied());
    command::run(&mut command)?.ok().map(drop)
}

fn missing(program: &str) -> Option<String> {
    (!command::is_installed(program))
        .then(|| format!("{program} is missing (apt-get install {program})"))
}

/// Listens on unix sockets in its folder, where no port can be taken, and on three ports for who goes
/// through a proxy.
struct Nginx {
    folder: TempDir,
    /// TLS, plain, and with client certificates.
    ports: [u16; 3],
    _server: Server,
}

impl Nginx {
    fn start() -> Result<Self, String> {
        let folder = folder()?;
        certificates(folder.path())?;
        let www = folder.path().join("www");
        for (name, content) in [
            ("large", "0123456789".repeat(300_000)),
            ("text.txt", "text ".repeat(1000)),
            (
                "page.html",
                "before <!--#include file=\"part.html\" --> after\n".into(),
            ),
            ("part.html", "included".into()),
            ("stored/.keep", String::new()),
        ] {
            let path = www.join(name);
            fs_err::create_dir_all(path.parent().unwrap_or(&www))
                .and_then(|()| fs_err::write(&path, content))
                .map_err(|error| error.to_string())?;
        }
        // Between looking for ports and taking them, others may: then it ends, and is tried again.
        let mut last = String::new();
        for _ in 0..5 {
            let ports = free_ports()?;
            let config = folder.path().join("nginx.conf");
            fs_err::write(&config, configuration(folder.path(), ports))
                .map_err(|error| error.to_string())?;
            let mut command = Command::new("nginx");
            command
                .arg("-p")
                .arg(folder.path())
                .arg("-e")
                .arg(folder.path().join("nginx.log"))
                .arg("-c")
                .arg(config);
            match Server::start(command, ports[0]) {
                Ok(server) => {
                    return Ok(Self {
                        folder,
                        ports,
                        _server: server,
                    });
                }
                Err(error) => {
                    let log = fs_err::read_to_string(folder.path().join("nginx.log"));
                    last = format!("{error}\n{}", log.unwrap_or_default());
                }
            }
        }
        Err(last)
    }

    fn arguments(&self, proxy: u16) -> Vec<String> {
        let [tls, plain, mtls] = self.ports;
        let mut all = vec![self.folder.path().display().to_string()];
        all.extend([tls, proxy, plain, mtls].map(|port| port.to_string()));
        all
    }
}

fn configuration(folder: &Path, [tls, plain, mtls]: [u16; 3]) -> String {
    let at = folder.display();
    let locations = format!(
        r#"
        server_name localhost;
        root {at}/www;
        client_max_body_size 20m;
        location = /protocol {{ return 200 $server_protocol; }}
        location = /agent {{ return 200 $http_user_agent; }}
        # A proxy to itself, so that nginx reads the body before it answers.
        location = /echo {{ proxy_pass http://unix:{at}/plain.sock:/taken; }}
        location = /page.html {{ ssi on; }}
        location = /text.txt {{ gzip on; gzip_types text/plain; }}
        location /stored/ {{ dav_methods PUT; client_body_temp_path {at}/body; }}
        "#
    );
    format!(
        r#"
daemon off;
master_process off;
pid {at}/nginx.pid;
error_log {at}/nginx.log warn;
events {{}}
http {{
    access_log off;
    types {{ text/html html; text/plain txt; }}
    client_body_temp_path {at}/body;
    proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fastcgi;
    uwsgi_temp_path {at}/uwsgi;
    scgi_temp_path {at}/scgi;
    ssl_certificate {at}/server.pem;
    ssl_certificate_key {at}/server.key;
    server {{
        listen unix:{at}/h2.sock ssl http2;
        listen 127.0.0.1:{tls} ssl http2;
        {locations}
    }}
    server {{
        listen unix:{at}/h1.sock ssl;
        {locations}
    }}
    server {{
        listen unix:{at}/h2-short.sock ssl http2;
        keepalive_requests 3;
        {locations}
    }}
    server {{
        listen unix:{at}/h1-short.sock ssl;
        keepalive_requests 3;
        {locations}
    }}
    server {{
        listen unix:{at}/mtls.sock ssl http2;
        listen 127.0.0.1:{mtls} ssl http2;
        ssl_client_certificate {at}/ca.pem;
        ssl_verify_client on;
        location = /who {{ return 200 "$ssl_client_s_dn $ssl_client_verify"; }}
        location = /version {{ default_type application/json; return 200 '{{"gitVersion": "$ssl_client_s_dn"}}'; }}
    }}
    server {{
        listen unix:{at}/plain.sock;
        listen 127.0.0.1:{plain};
        client_max_body_size 20m;
        location = /protocol {{ return 200 $server_protocol; }}
        location = /taken {{ add_header x-length $content_length; return 200; }}
    }}
}}
"#
    )
}

/// `ca.pem`; a server's and a client's certificate of it; one of another CA.
fn certificates(folder: &Path) -> Outcome {
    let failed = |error: rcgen::Error| error.to_string();
    let write = |name: &str, text: String| {
        fs_err::write(folder.join(name), text).map_err(|error| error.to_string())
    };
    let ca = || {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate()?)
    };
    let (ours, others) = (ca().map_err(failed)?, ca().map_err(failed)?);
    write("ca.pem", ours.pem())?;
    for (name, ca, common_name) in [
        ("server", &ours, "localhost"),
        ("client", &ours, "somebody"),
        ("other", &others, "somebody"),
    ] {
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])
            .map_err(failed)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.signed_by(&key, ca).map_err(failed)?;
        write(&format!("{name}.pem"), certificate.pem())?;
        write(&format!("{name}.key"), key.serialize_pem())?;
    }
    Ok(())
}

struct Tinyproxy {
    port: u16,
    _server: Server,
}

impl Tinyproxy {
    fn start(folder: &Path) -> Result<Self, String> {
        let mut last = String::new();
        for _ in 0..5 {
            let [port] = free_ports()?;
            let config = folder.join("tinyproxy.conf");
            let text = format!(
                "Port {port}\nListen 127.0.0.1\nLogFile \"{0}/tinyproxy.log\"\nLogLevel Connect\n\
                 BasicAuth user secret\nAllow 127.0.0.1\n",
                folder.display()
            );
            fs_err::write(&config, text).map_err(|error| error.to_string())?;
            let mut command = Command::new("tinyproxy");
            command.arg("-d").arg("-c").arg(config);
            match Server::start(command, port) {
                Ok(server) => {
                    return Ok(Self {
                        port,
                        _server: server,
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

fn free_ports<const N: usize>() -> Result<[u16; N], String> {
    let found = [(); N].map(|()| TcpListener::bind("127.0.0.1:0"));
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(found) {
        let address = listener.and_then(|listener| listener.local_addr());
        *port = address.map_err(|error| error.to_string())?.port();
    }
    Ok(ports)
}

/// A child that listens, until it is dropped.
struct Server(Child);

impl Server {
    fn start(mut command: Command, port: u16) -> Result<Self, String> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        let mut server = Self(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.0.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || Instant::now() > deadline {
                return Err(format!("{command:?} does not listen: {ended:?}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
