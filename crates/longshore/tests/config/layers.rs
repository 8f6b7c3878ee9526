//! Defaults, file, environment, flags: later ones win, and each value knows where it is from.

use crate::Place;
use longshore::config::{Config, Flags, Runner, Secret};

fn said(config: &Config, key: &str) -> String {
    config.origin(key).unwrap_or_else(|| panic!("{key} is not set")).to_string()
}

#[test]
fn later_layers_win_and_each_value_knows_its_own() {
    let text = "server:\n  listen: 127.0.0.1:1\n  drain: 1s\n";
    let place = Place::with("longshore.yaml", text);
    let env = [("LONGSHORE__SERVER__LISTEN", "127.0.0.1:2"), ("LONGSHORE__SERVER__DRAIN", "2")];
    let flags = Flags::default().listen("127.0.0.1:3".parse().unwrap());

    let config = place.sources().env(env).flags(flags).load().unwrap();

    assert_eq!(config.server.listen.to_string(), "127.0.0.1:3");
    assert_eq!(config.server.drain.as_secs(), 2);
    assert_eq!(said(&config, "server.listen"), "flag --listen");
    assert_eq!(said(&config, "server.drain"), "env LONGSHORE__SERVER__DRAIN");
    assert_eq!(said(&config, "server.max_body"), "default");
}

#[test]
fn a_value_of_the_file_knows_its_line() {
    let place = Place::with("longshore.yaml", "queues:\n  mail:\n    slots: 3\n");
    let config = place.load().unwrap();
    assert!(said(&config, "queues.mail.slots").ends_with("longshore.yaml:3"));
    assert_eq!(said(&config, "queues.default.slots"), "default");
}

#[test]
fn paths_of_a_file_start_at_its_folder_and_those_of_flags_where_we_are() {
    let place = Place::with("etc/longshore.yaml", "store: \"embedded:./data\"\n");
    let sources = place.sources().file(place.path("etc/longshore.yaml"));
    let in_file = sources.load().unwrap().store.to_string();
    let flags = Flags::default().data("data".as_ref());
    let in_flag = sources.flags(flags).load().unwrap().store.to_string();
    assert_eq!(in_file, format!("embedded:{}", place.path("etc/./data").display()));
    assert_eq!(in_flag, format!("embedded:{}", place.path("data").display()));
}

#[test]
fn secrets_come_from_variables_and_files_and_are_never_shown() {
    let text = r#"
kinds:
  k:
    push: "https://me:${TOKEN}@h/"
    secret: ["${TOKEN}", "file:secret"]
    headers: { authorization: "Bearer ${TOKEN}", x-plain: hunter2 }
"#;
    let place = Place::with("longshore.yaml", text);
    let config = place.load().unwrap();

    let Runner::Push(push) = &config.kinds["k"].runner else { panic!() };
    assert_eq!(push.secrets, [Secret::new("t0ken"), Secret::new("from a file")]);
    assert_eq!(push.headers[0].1.expose(), "Bearer t0ken");
    assert_eq!(push.url.expose(), "https://me:t0ken@h/");
    let files = config.files().filter(|file| file.exists());
    assert!(files.eq([place.path("longshore.yaml"), place.path("secret")]));
    let shown = format!("{config:?} {} {:?}", config.to_json(), config.origins());
    for hidden in ["t0ken", "from a file", "hunter2"] {
        assert!(!shown.contains(hidden), "{hidden}: {shown}");
    }
    assert!(shown.contains("https://me:***@h/"), "{shown}");
}

#[test]
fn commands_keep_their_dollars() {
    let text = "kinds: { k: { command: [sh, -c, \"echo ${HOME}\"] } }";
    let config = crate::yaml(text);
    let Runner::Command(command) = &config.kinds["k"].runner else { panic!() };
    assert_eq!(command.argv, ["sh", "-c", "echo ${HOME}"]);
}

#[test]
fn what_holds_is_shown_with_its_defaults() {
    let json =
        crate::yaml("kinds: { k: { command: [wc], retry: { strategy: immediate } } }").to_json();
    assert_eq!(json["server"]["drain"], "30s");
    assert_eq!(json["queues"]["default"]["slots"], 16);
    assert_eq!(json["kinds"]["k"]["timeout"], "5m");
    assert_eq!(json["kinds"]["k"]["limits"]["output"], "1MiB");
    let retry = serde_json::json!({"strategy": "immediate", "max_attempts": 4});
    assert_eq!(json["kinds"]["k"]["retry"], retry);
}
