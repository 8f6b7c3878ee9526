use crate::rig::{Rig, json};
use serde_json::Value;
use std::net::TcpListener;

/// What a check found, by its name.
fn found<'a>(findings: &'a Value, check: &str) -> &'a Value {
    let mut all = findings.as_array().unwrap().iter();
    all.find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("{check}: {findings}"))
}

#[test]
fn a_healthy_place_has_no_failure() {
    let rig = Rig::start();
    let findings =
        json(&rig.fine(&["doctor", "--listen", "127.0.0.1:0", "--data", "data", "-o", "json"]));
    for check in ["config", "port", "room", "sync", "clock", "kernel", "server", "server clock"] {
        assert_ne!(found(&findings, check)["verdict"], "fail", "{findings}");
    }
    assert!(found(&findings, "server")["found"].as_str().unwrap().ends_with("is UP"));
}

#[test]
fn the_process_that_has_the_data_is_named() {
    let rig = Rig::start();
    let findings = rig.fine(&["doctor", "--listen", "127.0.0.1:0", "--data", "data", "-o", "json"]);
    let findings = json(&findings);
    let lock = found(&findings, "lock")["found"].as_str().unwrap();
    assert!(lock.contains("(longshore)"), "{lock}");
}

#[test]
fn a_port_that_somebody_else_holds_is_a_failure_with_its_fix() {
    let rig = Rig::alone();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = held.local_addr().unwrap().to_string();
    let said = rig.run(&["doctor", "--listen", &addr, "--data", "data", "-o", "json"]);
    assert_eq!(said.code, 8, "{said:?}");
    let findings = json(&said.out);
    let port = found(&findings, "port");
    assert_eq!(port["verdict"], "fail");
    assert!(port["fix"].as_str().unwrap().contains("ss -ltnp"));
}

#[test]
fn a_bad_configuration_is_a_failure() {
    let rig = Rig::alone();
    rig.write("longshore.yaml", "qeues: {}\n");
    let said = rig.run(&["doctor", "--listen", "127.0.0.1:0"]);
    assert_eq!(said.code, 8, "{said:?}");
    assert!(said.out.contains("config\tfail\tlongshore.yaml:1:"), "{}", said.out);
}

#[test]
fn a_file_in_the_place_of_the_data_is_a_failure() {
    let rig = Rig::alone();
    rig.write("data", "");
    let said = rig.run(&["doctor", "--listen", "127.0.0.1:0", "--data", "data"]);
    assert_eq!(said.code, 8, "{said:?}");
    assert!(said.out.contains("is no folder"), "{}", said.out);
}
