//! The floor check: crates depend only downwards, and only the door names HTTP server types.
//!
//! The floors are those of ARCHITECTURE.md. A crate that is not in the table fails the check, so
//! that a new one gets its floor when it is made. Examples stand where users stand: of ours they
//! name the house alone.

use crate::Error;
use serde_json::Value;

const CORE: u8 = 0;
const DRIVER: u8 = 1;
const TEST: u8 = 1;
const ENGINE: u8 = 2;
const DOOR: u8 = 3;
const HOUSE: u8 = 4;
const TOOL: u8 = 5;
const USER: u8 = 6;

/// Every crate of the workspace and the floor on which it stands.
const FLOORS: &[(&str, u8)] = &[
    ("longshore-core", CORE),
    ("longshore-embedded", DRIVER),
    ("longshore-postgres", DRIVER),
    ("longshore-rabbitmq", DRIVER),
    ("longshore-kafka", DRIVER),
    ("longshore-redis", DRIVER),
    ("longshore-nats", DRIVER),
    ("longshore-servers", CORE),
    ("longshore-conformance", TEST),
    ("longshore-runtime", ENGINE),
    ("longshore-http", DOOR),
    ("longshore", HOUSE),
    ("longshore-cli", TOOL),
    ("example-beside-axum", USER),
    ("example-retries-and-faults", USER),
    ("example-thumbnails", USER),
    ("longshore-fuzz", TOOL),
];

/// Crates outside of the workspace that only some of ours may name (in tests too).
const RESERVED: &[(&str, &[&str])] = &[
    ("axum", &["longshore-http", "longshore", "example-beside-axum", "example-thumbnails"]),
    ("axum-core", &["longshore-http"]),
    ("hyper", &["longshore-http"]),
    ("hyper-util", &["longshore-http"]),
    ("tower-http", &["longshore-http"]),
    ("rusqlite", &["longshore-embedded"]),
    ("libsqlite3-sys", &["longshore-embedded"]),
    ("tokio-postgres", &["longshore-postgres"]),
    ("deadpool-postgres", &["longshore-postgres"]),
    ("lapin", &["longshore-rabbitmq"]),
    ("async-rs", &["longshore-rabbitmq"]),
];

/// Stands on the driver's floor without being a driver.
const CONFORMANCE: &str = "longshore-conformance";
/// How servers to test with are started.
const SERVERS: &str = "longshore-servers";
/// A crate that is nothing but tests.
const FUZZ: &str = "longshore-fuzz";

/// Checks what `cargo metadata` says; answers every breach in words.
pub(crate) fn check(metadata: &Value) -> Result<Vec<String>, Error> {
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    let members = metadata["workspace_members"].as_array().ok_or("no workspace members")?;
    let mut found = Vec::new();
    for package in packages.iter().filter(|package| members.contains(&package["id"])) {
        let name = package["name"].as_str().unwrap_or_default();
        if name == "xtask" {
            continue;
        }
        if floor(name).is_none() {
            found.push(format!("{name} has no floor: add it to xtask/src/floors.rs"));
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            let in_tests = dependency["kind"] == "dev";
            found.extend(breach(name, on, in_tests).map(|why| format!("{name} -> {on}: {why}")));
        }
    }
    Ok(found)
}

fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor)
}

fn is_driver(name: &str) -> bool {
    floor(name) == Some(DRIVER) && name != CONFORMANCE
}

/// Why `name` may not depend on `on`, if it may not.
fn breach(name: &str, on: &str, in_tests: bool) -> Option<&'static str> {
    if let Some((_, who)) = RESERVED.iter().find(|(reserved, _)| *reserved == on) {
        return (!who.contains(&name)).then_some("this crate is reserved to others of ours");
    }
    let (mine, theirs) = (floor(name)?, floor(on)?);
    if on == CONFORMANCE || on == SERVERS {
        let for_tests = in_tests || name == FUZZ || name == CONFORMANCE;
        return (!for_tests).then_some("this crate is for tests only");
    }
    if is_driver(name) && is_driver(on) {
        return Some("drivers never know each other");
    }
    if mine == USER && theirs != HOUSE {
        return Some("an example names what users name: the house");
    }
    if theirs >= mine {
        return Some("dependencies go downwards only");
    }
    if is_driver(on) && mine >= ENGINE && name != "longshore" {
        return Some("only the facade names drivers");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{breach, check};

    #[test]
    fn every_crate_depends_only_on_what_lies_below_it() {
        let found = check(&crate::cargo::metadata().unwrap()).unwrap();
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn a_breach_is_seen() {
        for (name, on) in [
            ("longshore-core", "longshore-runtime"),
            ("longshore-postgres", "longshore-embedded"),
            ("longshore-runtime", "longshore-embedded"),
            ("longshore-cli", "longshore-embedded"),
            ("longshore-runtime", "axum"),
            ("longshore-http", "rusqlite"),
            ("longshore", "tokio-postgres"),
            ("longshore-embedded", "deadpool-postgres"),
            ("longshore-embedded", "longshore-conformance"),
            ("longshore-postgres", "longshore-servers"),
            ("longshore", "longshore-servers"),
            ("example-thumbnails", "longshore-runtime"),
        ] {
            assert!(breach(name, on, false).is_some(), "{name} -> {on}");
        }
        for (name, on) in [
            ("longshore-cli", "longshore"),
            ("longshore", "longshore-embedded"),
            ("longshore", "axum"),
            ("example-thumbnails", "longshore"),
            ("longshore-embedded", "rusqlite"),
            ("longshore-postgres", "tokio-postgres"),
            ("longshore-http", "longshore-runtime"),
            ("longshore-runtime", "serde"),
            ("longshore-conformance", "longshore-servers"),
        ] {
            assert_eq!(breach(name, on, false), None, "{name} -> {on}");
        }
        assert_eq!(breach("longshore-embedded", "longshore-conformance", true), None);
    }
}
