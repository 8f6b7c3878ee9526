use crate::rig::{Rig, json};

#[test]
fn every_fault_is_told_with_its_place() {
    let rig = Rig::alone();
    rig.write("longshore.yaml", "server: { listn: x }\nqueues:\n  mail: { slots: 0 }\n");
    let said = rig.run(&["config", "check"]);
    assert_eq!(said.code, 8, "{said:?}");
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 2, "{said:?}");
    assert!(lines[0].starts_with("longshore.yaml:1:"), "{lines:?}");
    assert!(lines[1].starts_with("longshore.yaml:3:") && lines[1].contains("queues.mail.slots: "));
    let found = json(&rig.run(&["config", "check", "-o", "json"]).out);
    assert_eq!((&found[1]["line"], &found[1]["key"]), (&3.into(), &"queues.mail.slots".into()));
}

#[test]
fn a_fine_one_is_fine() {
    let rig = Rig::alone();
    rig.write("own.toml", "[queues.mail]\nslots = 8\n");
    let said = rig.run(&["config", "check", "--config", "own.toml"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    assert!(said.err.contains("own.toml"), "{}", said.err);
    assert_eq!(rig.run(&["config", "check", "--config", "nowhere.yaml"]).code, 8);
}

#[test]
fn what_only_the_service_can_judge_is_judged_too() {
    let rig = Rig::alone();
    rig.write("bad.json", "{\"type\": \"nothing\"}");
    rig.write("longshore.yaml", "kinds:\n  a: { command: [\"true\"], schema: ./bad.json }\n");
    let said = rig.run(&["config", "check"]);
    assert_eq!(said.code, 8, "{said:?}");
    assert!(said.out.starts_with("longshore.yaml:2:") && said.out.contains("kinds.a.schema: "));
}

#[test]
fn each_value_tells_where_it_was_said() {
    let rig = Rig::alone();
    rig.write("longshore.yaml", "queues:\n  mail: { slots: 8 }\n");
    let mut command = rig.command(&["config", "show", "--origin"]);
    let output = command.env("LONGSHORE__SERVER__DRAIN", "5s").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "queues.mail.slots\t8\tlongshore.yaml:2",
        "server.drain\t5s\tenv LONGSHORE__SERVER__DRAIN",
        "server.listen\t127.0.0.1:8080\tdefault",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in {text}");
    }
}

#[test]
fn what_is_shown_can_be_read_again() {
    let rig = Rig::alone();
    rig.write("longshore.yaml", "queues:\n  mail: { slots: 8 }\n");
    let shown = rig.fine(&["config", "show", "-o", "json"]);
    assert_eq!(json(&shown)["queues"]["mail"]["slots"], 8);
    assert!(rig.fine(&["config", "show"]).contains("    slots: 8\n"));
    rig.write("longshore.yaml", "qeues: {}\n");
    let bad = rig.run(&["config", "show"]);
    assert_eq!(bad.code, 8);
    assert!(bad.err.contains("longshore.yaml:1:"), "{}", bad.err);
}

#[test]
fn the_schema_is_one() {
    let schema = json(&Rig::alone().fine(&["config", "schema"]));
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}
