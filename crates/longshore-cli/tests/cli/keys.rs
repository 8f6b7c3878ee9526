//! Keys and TLS as operators use them.

use crate::rig::{NOBODY, Rig, Said, json};
use rcgen::{CertificateParams, KeyPair};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

/// Far above what a reload takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes a key of these roles; returns it and its id.
fn key(rig: &Rig, args: &[&str]) -> (String, String) {
    let said = rig.fine(&[&["key", "new", "--keys", "keys", "-o", "json"], args].concat());
    let made = json(&said);
    (made["key"].as_str().unwrap().into(), made["id"].as_str().unwrap().into())
}

/// Runs a command that shows this key.
fn with(rig: &Rig, key: &str, args: &[&str]) -> Said {
    let output = rig.command(args).env("LONGSHORE_KEY", key).output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn until(mut look: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !look() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_key_is_shown_once_and_its_file_does_not_hold_it() {
    let rig = Rig::alone();
    let args = ["key", "new", "--keys", "keys", "--tenant", "acme", "--role", "enqueue,read"];
    let said = rig.run(&[&args[..], &["--queue", "mail*", "--expires", "90d"]].concat());
    assert_eq!((said.code, said.out.lines().count()), (0, 1), "{said:?}");
    let key = said.out.trim();
    let secret = key.rsplit('_').next().unwrap();
    assert!(key.starts_with("ls_live_") && secret.len() == 64 && !said.err.contains(secret));
    let file = rig.path("keys");
    assert!(!std::fs::read_to_string(&file).unwrap().contains(secret));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let listed = json(&rig.fine(&["key", "ls", "--keys", "keys", "-o", "json"]));
    let listed = &listed[0];
    assert!(!listed.to_string().contains(secret));
    assert_eq!((&listed["tenant"], &listed["queues"][0]), (&"acme".into(), &"mail*".into()));
    assert_eq!(listed["roles"], serde_json::json!(["enqueue", "read"]));
}

#[test]
fn the_file_is_named_by_the_configuration_or_asked_for() {
    let rig = Rig::alone();
    let asked = rig.run(&["key", "new", "--role", "read"]);
    assert_eq!(asked.code, 2);
    assert!(asked.err.contains("--keys FILE"), "{}", asked.err);
    rig.write("longshore.yaml", "auth: { keys: file:./kept }\n");
    rig.fine(&["key", "new", "--role", "read"]);
    assert!(rig.path("kept").exists());
    assert_eq!(rig.run(&["key", "ls", "--keys", "other"]).code, 3);
    for wrong in ["--role=root", "--role=read --queue=Mail", "--role=read --expires=0s"] {
        let words: Vec<&str> = wrong.split(' ').collect();
        assert_eq!(rig.run(&[&["key", "new"], &words[..]].concat()).code, 2, "{wrong}");
    }
}

#[test]
fn revoking_asks_first_and_rotating_leaves_both_for_a_while() {
    let rig = Rig::alone();
    let (_, id) = key(&rig, &["--role", "read", "--name", "reader"]);
    let keys = |more: &[&str]| rig.run(&[&["key"], more, &["--keys", "keys"]].concat());
    let refused = keys(&["revoke", &id]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("revoke 1 key") && refused.err.contains("--yes"), "{refused:?}");
    assert_eq!(keys(&["revoke", &id, "--dry-run"]).code, 0);
    assert_eq!(keys(&["revoke", &id, "nobody", "--yes"]).code, 3);
    assert_eq!(keys(&["rotate", "nobody"]).code, 3);
    assert_eq!(keys(&["rotate", &id, "--overlap", "1h"]).code, 0);
    let listed = json(&keys(&["ls", "-o", "json"]).out);
    let all = listed.as_array().unwrap();
    assert_eq!((all.len(), &all[1]["name"]), (2, &"reader".into()));
    assert!(all[0]["expires_at"].is_string() && all[1]["expires_at"].is_null(), "{listed}");
    assert_eq!(keys(&["revoke", &id, "--yes"]).code, 0);
    assert_eq!(json(&keys(&["ls", "-o", "json"]).out).as_array().unwrap().len(), 1);
}

#[test]
fn a_server_with_keys_lets_in_who_shows_one_and_drops_it_when_it_is_revoked() {
    let rig = Rig::alone();
    let (both, _) = key(&rig, &["--role", "enqueue,read", "--tenant", "acme"]);
    let (reader, id) = key(&rig, &["--role", "read"]);
    let rig = rig.serving(&["--listen", "127.0.0.1:0", "--keys", "keys"]);
    let none = rig.run(&["tasks", "ls"]);
    assert_eq!(none.code, 5, "{none:?}");
    assert!(none.err.contains("LS-40101"), "{none:?}");
    let done = with(&rig, &both, &["enqueue", "hello", "--wait", "20s", "-o", "json"]);
    assert_eq!((done.code, &json(&done.out)["tenant"]), (0, &"acme".into()), "{done:?}");
    let refused = with(&rig, &reader, &["enqueue", "hello"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert_eq!(with(&rig, &reader, &["tasks", "ls"]).code, 0);
    rig.write("reader", &format!("{reader}\n"));
    rig.fine(&["tasks", "ls", "--key", "file:reader"]);
    rig.fine(&["key", "revoke", &id, "--keys", "keys", "--yes"]);
    until(|| with(&rig, &reader, &["tasks", "ls"]).code == 5);
    assert_eq!(with(&rig, &both, &["tasks", "ls"]).code, 0);
}

#[test]
fn a_broken_key_file_leaves_the_old_keys_in_force_and_is_in_the_audit_log() {
    let rig = Rig::alone();
    let (admin, _) = key(&rig, &["--role", "admin"]);
    let rig = rig.serving(&["--listen", "127.0.0.1:0", "--keys", "keys"]);
    rig.write("keys", "version = 1\n[[key]]\nid = \"x\"\n");
    let mut lines = String::new();
    until(|| {
        lines = curl(&rig, &admin, "/v1/audit");
        lines.contains("keys.reload")
    });
    assert!(lines.contains("refused") && lines.contains("missing field"), "{lines}");
}

fn curl(rig: &Rig, key: &str, path: &str) -> String {
    use std::io::{Read, Write};
    let addr = rig.url().strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(addr).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn beyond_loopback_it_takes_keys_and_tls_or_a_word() {
    let rig = Rig::alone();
    let refused = rig.run(&["dev", "--listen", "0.0.0.0:0", "--data", "data"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    for part in ["0.0.0.0:0", "auth.keys", "server.tls", "--insecure-bind"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert!(!rig.path("data").exists(), "a refused address leaves nothing behind");
    let (_, _) = key(&rig, &["--role", "read"]);
    let args = ["dev", "--listen", "0.0.0.0:0", "--data", "data", "--keys", "keys"];
    let half = rig.run(&args);
    assert!(half.code == 1 && half.err.contains("without TLS"), "{half:?}");
    let mut rig = rig.serving(&["--listen", "0.0.0.0:0", "--insecure-bind"]);
    rig.reach("127.0.0.1");
    assert_eq!(rig.run(&["tasks", "show", NOBODY]).code, 3);
}

#[test]
fn over_tls_the_certificate_is_judged_and_another_one_is_taken_over() {
    let rig = Rig::alone();
    let make = |name: &str| {
        let pair = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let cert = CertificateParams::new(names).unwrap().self_signed(&pair).unwrap();
        rig.write(&format!("{name}.pem"), &cert.pem());
        rig.write(&format!("{name}.key"), &pair.serialize_pem());
    };
    make("one");
    make("two");
    let copy = |name: &str| {
        std::fs::copy(rig.path(&format!("{name}.pem")), rig.path("cert.pem")).unwrap();
        std::fs::copy(rig.path(&format!("{name}.key")), rig.path("cert.key")).unwrap();
    };
    copy("one");
    let (admin, _) = key(&rig, &["--role", "read"]);
    let tls = ["--tls-cert", "cert.pem", "--tls-key", "cert.key"];
    let rig = rig.serving(&[&["--listen", "127.0.0.1:0", "--keys", "keys"], &tls[..]].concat());
    assert!(rig.url().starts_with("https://"), "{}", rig.url());
    let trusting = |name: &str| {
        let mut command = rig.command(&["tasks", "ls"]);
        command.env("SSL_CERT_FILE", rig.path(name)).env("LONGSHORE_KEY", &admin);
        command.output().unwrap().status.code().unwrap()
    };
    assert_eq!((trusting("one.pem"), trusting("two.pem")), (0, 6));
    std::fs::copy(rig.path("two.pem"), rig.path("cert.pem")).unwrap();
    std::fs::copy(rig.path("two.key"), rig.path("cert.key")).unwrap();
    until(|| trusting("two.pem") == 0);
    assert_eq!(trusting("one.pem"), 6);
}

#[test]
fn what_is_wrong_with_the_files_is_told_before_anything_starts() {
    let rig = Rig::alone();
    rig.write("longshore.yaml", "auth:\n  keys: file:./keys\n");
    let said = rig.run(&["serve", "--data", "data"]);
    assert!(said.code == 1 && said.err.contains("longshore.yaml:2"), "{said:?}");
    assert!(said.err.contains("make the first key"), "{said:?}");
    rig.write("longshore.yaml", "server:\n  tls: { cert: nowhere.pem, key: nowhere.key }\n");
    let said = rig.run(&["config", "check"]);
    assert!(said.code == 8 && said.out.contains("nowhere.pem cannot be read"), "{said:?}");
}

#[test]
fn the_doctor_sees_who_can_open_the_key_file() {
    let rig = Rig::alone();
    key(&rig, &["--role", "read", "--expires", "1d"]);
    rig.write("longshore.yaml", "auth: { keys: file:./keys }\n");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(rig.path("keys"), open).unwrap();
    let said = rig.run(&["doctor", "--listen", "127.0.0.1:0", "-o", "json"]);
    let findings = json(&said.out);
    let of = |check: &str| {
        let found = findings.as_array().unwrap().iter().find(|finding| finding["check"] == check);
        found.unwrap_or_else(|| panic!("no {check}: {findings}")).clone()
    };
    assert_eq!(of("key file")["verdict"], "warn");
    assert!(of("keys")["found"].as_str().unwrap().contains("within 14 days"));
}
