//! Who we are at a registry, and what happens when that is wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Lab, PASSWORD, Registry, Server, USER, output, respond};

fn auth_json(host: &str, user: &str, password: &str) -> String {
    let auth = STANDARD.encode(format!("{user}:{password}"));
    format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#)
}

#[test]
fn basic_auth_with_credentials_from_every_place() {
    let registry = Registry::start_with_basic_auth();
    let lab = Lab::new();
    let (stdlib, plugins) = (lab.stdlib("0.1.0"), lab.plugins("0.1.0"));
    let from_environment = |arguments: &[&str]| {
        let mut command = lab.command(arguments);
        command
            .env("ASSAY_REGISTRY_USERNAME", USER)
            .env("ASSAY_REGISTRY_PASSWORD", PASSWORD);
        let done = output(&mut command);
        assert_eq!(done.code, 0, "{}", done.stderr);
    };
    for manifest in [&stdlib, &plugins] {
        from_environment(&["publish", "--manifest", manifest, "--to", &registry.prefix]);
    }
    let install = ["install", "vault", "--registry", &registry.prefix, "--root"];
    from_environment(&[&install[..], &["root-environment"]].concat());

    let file = lab.write(
        "elsewhere/auth.json",
        auth_json(&registry.host, USER, PASSWORD),
    );
    let mut command = lab.command(&[&install[..], &["root-auth-file"]].concat());
    assert_eq!(output(command.env("REGISTRY_AUTH_FILE", file)).code, 0);

    let mounted = lab.write(
        "mounted/.dockerconfigjson",
        auth_json(&registry.host, USER, PASSWORD),
    );
    let mut command = lab.command(&[&install[..], &["root-mounted"]].concat());
    assert_eq!(
        output(command.env("DOCKER_CONFIG", mounted.parent().unwrap())).code,
        0
    );

    use std::os::unix::fs::PermissionsExt;
    let helper = lab.write(
        "bin/docker-credential-test",
        format!("#!/bin/sh\nread host\n[ \"$host\" = {} ] && echo '{{\"Username\":\"{USER}\",\"Secret\":\"{PASSWORD}\"}}'\n", registry.host),
    );
    fs_err::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    lab.write(
        "home/.docker/config.json",
        format!(r#"{{"credHelpers":{{"{}":"test"}}}}"#, registry.host),
    );
    let mut command = lab.command(&[&install[..], &["root-helper"]].concat());
    let path = format!(
        "{}:{}",
        helper.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let done = output(command.env("PATH", path));
    assert_eq!(done.code, 0, "{}", done.stderr);

    for root in [
        "root-environment",
        "root-auth-file",
        "root-mounted",
        "root-helper",
    ] {
        lab.ok(&["verify", "--root", root]);
    }
}

#[test]
fn missing_credentials_say_how_to_log_in() {
    let registry = Registry::start_with_basic_auth();
    let host = &registry.host;
    let done = Lab::new().run(&["install", "vault", "--registry", &registry.prefix]);
    assert_eq!(done.code, 2);
    assert_eq!(
        done.stderr,
        format!(
            "error: {host} asks for credentials, and there are none for it\n\nhint: log in with `skopeo login {host}` or `docker login {host}`, or set ASSAY_REGISTRY_USERNAME and ASSAY_REGISTRY_PASSWORD\n"
        )
    );
}

#[test]
fn wrong_credentials_name_where_they_came_from() {
    let registry = Registry::start_with_basic_auth();
    let lab = Lab::new();
    let host = &registry.host;
    let file = lab.write(
        "home/.config/containers/auth.json",
        auth_json(host, USER, "wrong"),
    );
    let done = lab.run(&["install", "vault", "--registry", &registry.prefix]);
    assert_eq!(done.code, 2);
    assert_eq!(
        done.stderr,
        format!(
            "error: {host} refused the credentials of `assay` from {}\n\nhint: renew them, for example with `skopeo login {host}`\n",
            file.display()
        )
    );
    let mut command = lab.command(&["install", "vault", "--registry", &registry.prefix]);
    let done = output(command.env("ASSAY_REGISTRY_USERNAME", USER));
    assert_eq!(done.code, 2);
    assert!(
        done.stderr
            .starts_with("error: the credentials in the environment are incomplete\n"),
        "{}",
        done.stderr
    );
}

/// A registry with a token endpoint, one package, and blobs on another host.
#[test]
fn tokens_are_fetched_and_sent_to_no_other_host() {
    let lab = Lab::new();
    lab.publish_library("oci:packages", "solo", "1.0.0", "");
    let layout = lab.path("packages");
    let blobs = layout.clone();
    let storage = Server::start(move |asked, stream| {
        let hex = asked
            .line
            .split(['/', ' ', '?', ':'])
            .find(|part| part.len() == 64)
            .unwrap();
        let bytes = fs_err::read(blobs.join("blobs/sha256").join(hex)).unwrap();
        respond(stream, "200 OK", &[], &bytes);
    });
    let storage_host = storage.host.clone();
    let registry = Server::start(move |asked, stream| {
        let host = &asked.headers["host"];
        let path = asked.line.split(' ').nth(1).unwrap();
        if path.starts_with("/token") {
            return respond(stream, "200 OK", &[], br#"{"token":"short-lived"}"#);
        }
        if asked.headers.get("authorization").map(String::as_str) != Some("Bearer short-lived") {
            let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"test\"");
            return respond(
                stream,
                "401 Unauthorized",
                &[("www-authenticate", &challenge)],
                b"",
            );
        }
        if path.contains("/tags/list") {
            respond(stream, "200 OK", &[], br#"{"tags":["1.0.0"]}"#);
        } else if path.contains("/blobs/") {
            let location = format!("http://{storage_host}{path}?signature=x");
            respond(
                stream,
                "307 Temporary Redirect",
                &[("location", &location)],
                b"",
            );
        } else {
            let reference = path.rsplit('/').next().unwrap();
            let hex = match reference.strip_prefix("sha256:") {
                Some(hex) => hex.to_owned(),
                None => {
                    let table: serde_json::Value =
                        serde_json::from_slice(&fs_err::read(layout.join("index.json")).unwrap())
                            .unwrap();
                    table["manifests"][0]["digest"].as_str().unwrap()[7..].to_owned()
                }
            };
            let bytes = fs_err::read(layout.join("blobs/sha256").join(hex)).unwrap();
            respond(
                stream,
                "200 OK",
                &[("content-type", "application/vnd.oci.image.index.v1+json")],
                &bytes,
            );
        }
    });

    let mut command = lab.command(&[
        "install",
        "solo",
        "--root",
        "root",
        "--registry",
        &format!("{}/x", registry.host),
    ]);
    let done = output(
        command
            .env("ASSAY_REGISTRY_USERNAME", "me")
            .env("ASSAY_REGISTRY_PASSWORD", "secret"),
    );
    assert_eq!(done.code, 0, "{}", done.stderr);
    let tokens: Vec<_> = registry
        .asked
        .lock()
        .unwrap()
        .iter()
        .filter(|asked| asked.line.contains("/token"))
        .cloned()
        .collect();
    assert_eq!(tokens.len(), 1, "one token for one scope");
    assert!(
        tokens[0]
            .line
            .contains("scope=repository%3Ax%2Flib%2Fsolo%3Apull"),
        "{}",
        tokens[0].line
    );
    assert_eq!(
        tokens[0].headers["authorization"],
        format!("Basic {}", STANDARD.encode("me:secret"))
    );
    let forwarded = storage.asked.lock().unwrap().clone();
    assert!(!forwarded.is_empty());
    assert!(
        forwarded
            .iter()
            .all(|asked| !asked.headers.contains_key("authorization")),
        "{forwarded:?}"
    );
}

#[test]
fn a_refused_token_request_is_not_repeated_without_credentials() {
    let registry = Server::start(|asked, stream| {
        let host = &asked.headers["host"];
        let challenge = format!("Bearer realm=\"http://{host}/token\"");
        respond(
            stream,
            "401 Unauthorized",
            &[("www-authenticate", &challenge)],
            b"",
        );
    });
    let lab = Lab::new();
    let mut command = lab.command(&["info", "solo", "--registry", &registry.host]);
    let done = output(
        command
            .env("ASSAY_REGISTRY_USERNAME", "me")
            .env("ASSAY_REGISTRY_PASSWORD", "s3cret"),
    );
    assert_eq!(done.code, 2);
    assert!(
        done.stderr.contains("refused the credentials of `me` from ASSAY_REGISTRY_USERNAME and ASSAY_REGISTRY_PASSWORD"),
        "{}",
        done.stderr
    );
    assert!(!done.stderr.contains("s3cret"));
    assert_eq!(registry.lines().len(), 2, "{:?}", registry.lines());
}
