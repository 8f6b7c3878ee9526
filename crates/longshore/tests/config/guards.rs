//! Where a service may listen, and what has to guard it there.

use crate::{Place, faults, yaml};
use longshore::config::{Flags, Sources};
use std::path::Path;

#[test]
fn beyond_loopback_a_configuration_needs_keys_and_tls_or_a_word() {
    let refused = faults("server:\n  listen: 0.0.0.0:8443\n");
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].starts_with("longshore.yaml:2:11: server.listen: will not"), "{refused:?}");
    let half = faults("server: { listen: 0.0.0.0:8443 }\nauth: { keys: file:keys }\n");
    assert!(half[0].contains("without TLS"), "{half:?}");
    let tls = "tls: { cert: c.pem, key: k.pem }";
    let both =
        yaml(&format!("server: {{ listen: 0.0.0.0:8443, {tls} }}\nauth: {{ keys: file:keys }}\n"));
    assert!(both.auth.keys.unwrap().ends_with("keys") && !both.server.insecure_bind);
    assert!(both.server.tls.unwrap().key.ends_with("k.pem"));
    assert!(yaml("server: { listen: 0.0.0.0:1, insecure_bind: true }").server.insecure_bind);
}

#[test]
fn what_names_no_file_or_half_of_a_pair_is_refused() {
    for (text, fault) in [
        ("auth: { keys: ./keys }", "1:15: auth.keys: must begin with \"file:\""),
        ("auth: { keys: \"file:\" }", "1:15: auth.keys: must begin with \"file:\""),
        ("server: { tls: { cert: c } }", "1:24: server.tls.key: is missing: `cert` needs it"),
        ("server: { tls: { key: c } }", "1:23: server.tls.cert: is missing: `key` needs it"),
        ("server: { insecure_bind: yes }", "1:26: server.insecure_bind: must be true or false"),
    ] {
        let found = faults(text);
        let line = format!("longshore.yaml:{fault}");
        assert!(found.len() == 1 && found[0].starts_with(&line), "{text}: {found:?}");
    }
}

#[test]
fn the_files_are_watched_and_shown_as_they_are_written() {
    let place = Place::with(
        "longshore.yaml",
        "server: { tls: { cert: c.pem, key: k.pem } }\nauth: { keys: file:kept }\n",
    );
    let config = place.load().unwrap();
    for name in ["c.pem", "k.pem", "kept"] {
        assert!(config.files().any(|file| file == place.path(name)), "{name}");
    }
    let shown = config.to_json();
    assert_eq!(shown["auth"]["keys"], format!("file:{}", place.path("kept").display()));
}

#[test]
fn flags_and_variables_say_the_same() {
    let flags = Flags::default()
        .listen("0.0.0.0:1".parse().unwrap())
        .keys(Path::new("k"))
        .tls_cert(Path::new("c"))
        .tls_key(Path::new("p"));
    let config = Sources::nowhere().flags(flags).load().unwrap();
    assert_eq!(config.auth.keys.as_deref(), Some(Path::new("k")));
    let env =
        [("LONGSHORE__SERVER__INSECURE_BIND", "true"), ("LONGSHORE__SERVER__LISTEN", "0.0.0.0:1")];
    assert!(Sources::nowhere().env(env).load().unwrap().server.insecure_bind);
}
