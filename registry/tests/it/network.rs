//! Registries that are slow, busy or odd.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Lab, Server, respond};

#[test]
fn a_busy_registry_is_asked_again() {
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        let count = AtomicUsize::new(0);
        let server = Server::start(move |_, stream| {
            if count.fetch_add(1, Ordering::SeqCst) == 0 {
                respond(stream, status, &[("retry-after", "0")], b"");
            } else {
                respond(stream, "404 Not Found", &[], b"");
            }
        });
        let done = Lab::new().run(&["info", "solo", "--registry", &format!("{}/x", server.host)]);
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(
            done.stderr.contains(&format!("{status}; trying again in ")),
            "{}",
            done.stderr
        );
        assert!(
            done.stderr
                .contains("error: there is no library `solo` in "),
            "{}",
            done.stderr
        );
        assert!(
            server.lines()[..2]
                .iter()
                .all(|line| line.starts_with("GET /v2/x/lib/solo/tags/list?n=1000 "))
        );
    }
}

#[test]
fn a_registry_that_stays_busy_is_given_up() {
    let server = Server::start(|_, stream| {
        let body = br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow\n down"}]}"#;
        respond(
            stream,
            "429 Too Many Requests",
            &[("retry-after", "0")],
            body,
        );
    });
    let done = Lab::new().run(&["info", "solo", "--registry", &server.host]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr
            .contains("answers 429 Too Many Requests: slow down\n\nhint: "),
        "{}",
        done.stderr
    );
    assert_eq!(server.lines().len(), 5);
}

#[test]
fn tags_come_in_pages_in_any_order() {
    let server = Server::start(|asked, stream| {
        if asked.line.contains("/manifests/") {
            return respond(stream, "404 Not Found", &[], b"");
        }
        if asked.line.contains("last=") {
            // Heeds nothing and always points to itself: the end is when nothing new comes.
            let link = [("link", r#"</v2/lib/solo/tags/list?last=z>; rel="next""#)];
            return respond(stream, "200 OK", &link, br#"{"tags":["1.10.0","nightly"]}"#);
        }
        let link = [("link", r#"</v2/lib/solo/tags/list?last=b>; rel="next""#)];
        respond(
            stream,
            "200 OK",
            &link,
            br#"{"tags":["1.9.0","latest","v1.2.0","2.0.0-rc.1","1.0"]}"#,
        );
    });
    let done = Lab::new().run(&["info", "solo@^9", "--registry", &server.host]);
    assert!(
        done.stderr
            .ends_with("hint: there are: 1.2.0, 1.9.0, 1.10.0, 2.0.0-rc.1\n"),
        "{}",
        done.stderr
    );
    assert_eq!(server.lines().len(), 3);
}

#[test]
fn a_forbidden_package_says_so() {
    let server = Server::start(|_, stream| {
        respond(
            stream,
            "403 Forbidden",
            &[],
            br#"{"errors":[{"code":"DENIED","message":"no access"}]}"#,
        );
    });
    let done = Lab::new().run(&["info", "solo", "--registry", &server.host]);
    assert_eq!(done.code, 2);
    assert!(
        done.stderr
            .contains("answers 403 Forbidden: no access\n\nhint: the account may not do this"),
        "{}",
        done.stderr
    );
}

#[test]
fn redirects_end() {
    let server = Server::start(|asked, stream| {
        let here = format!("http://{}/v2/again", asked.headers["host"]);
        respond(
            stream,
            "307 Temporary Redirect",
            &[("location", &here)],
            b"",
        );
    });
    let done = Lab::new().run(&["info", "solo", "--registry", &server.host]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr.contains("redirects more than 5 times"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_mirror_is_asked_and_the_lock_keeps_the_canonical_name() {
    let registry = crate::support::Registry::start();
    let lab = Lab::new();
    lab.publish_library(&format!("{}/ghcr/acme", registry.host), "solo", "1.0.0", "");
    lab.write(
        "assay.toml",
        format!(
            "[project]\nregistry = \"registry.invalid/acme\"\n[libraries]\nsolo = \"*\"\n[registries.\"registry.invalid\"]\nmirror = \"{}/ghcr\"\n",
            registry.host
        ),
    );
    lab.ok(&["install"]);
    assert!(
        lab.read("assay.lock")
            .contains("source = \"registry.invalid/acme\"")
    );
    assert!(!lab.read("assay.lock").contains("127.0.0.1"));
}

#[test]
fn tls_is_spoken_with_every_host_but_loopback() {
    let lab = Lab::new();
    // Nothing listens there; what counts is the scheme.
    let done = lab.run(&["info", "solo", "--registry", "registry.invalid/x"]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr
            .contains("https://registry.invalid/v2/x/lib/solo/tags/list"),
        "{}",
        done.stderr
    );
    let done = lab.run(&["info", "solo", "--registry", "http://registry.invalid/x"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("plain-http = true"), "{}", done.stderr);
    lab.write(
        "assay.toml",
        "[registries.\"registry.invalid\"]\nplain-http = true\n",
    );
    let done = lab.run(&["info", "solo", "--registry", "registry.invalid/x"]);
    assert!(
        done.stderr.contains("http://registry.invalid/v2/x"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_registry_with_its_own_ca() {
    let registry = crate::support::Registry::start_with_tls();
    let lab = Lab::new();
    let settings = |lines: &str| {
        let text = format!("[registries.\"{}\"]\n{lines}\n", registry.host);
        lab.write("assay.toml", text);
    };
    let info = || lab.run(&["info", "solo", "--registry", &registry.prefix]);
    lab.write("ca.pem", registry.ca());
    settings("ca = \"ca.pem\"");
    lab.publish_library(&registry.prefix, "solo", "1.0.0", "");
    assert_eq!(info().code, 0);

    lab.write("other.pem", crate::support::certificate().cert.pem());
    settings("ca = \"other.pem\"");
    let done = info();
    assert_eq!(done.code, 1);
    assert!(
        done.stderr
            .contains(&format!("error: https://{}/v2/", registry.host))
            && done
                .stderr
                .contains("\n\nhint: if the registry has its own CA, name it: "),
        "{}",
        done.stderr
    );
    settings("insecure = true");
    assert_eq!(info().code, 0);
    settings("ca = \"assay.toml\"");
    let done = info();
    assert_eq!(done.code, 2);
    assert!(
        done.stderr.contains("assay.toml holds no certificate"),
        "{}",
        done.stderr
    );
}
