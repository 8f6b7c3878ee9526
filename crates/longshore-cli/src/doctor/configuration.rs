//! Whether the configuration is fine.

use super::Finding;
use longshore::config::{Config, ConfigError};
use std::path::PathBuf;

/// Tells each fault.
pub(super) fn check(loaded: &Result<Config, ConfigError>) -> Vec<Finding> {
    match loaded {
        Ok(config) => vec![Finding::ok(
            "config",
            match config.file() {
                Some(file) => format!("{} is fine", file.display()),
                None => "no file: the defaults hold".to_owned(),
            },
        )],
        Err(error) => error
            .faults()
            .iter()
            .map(|fault| {
                Finding::fail("config", fault.to_string(), "correct it: longshore config check")
            })
            .collect(),
    }
}

/// Returns the folder of the embedded store: where nobody says, the one that the services take.
pub(super) fn folder(config: &Config) -> Option<PathBuf> {
    match config.origin("store") {
        Some(origin) if !origin.is_default() => {
            config.store.expose().strip_prefix("embedded:").map(PathBuf::from)
        }
        _ => Some(PathBuf::from("./longshore-data")),
    }
}
