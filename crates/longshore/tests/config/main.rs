//! The configuration, as people write it: read, refused, layered, compared, watched.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod faults;
mod guards;
mod keys;
mod layers;
mod names;
mod reload;
mod sample;
mod texts;

use longshore::config::{Config, ConfigError, Sources};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with what configurations refer to: a schema, a program, a secret.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("schemas/invoice.json", r#"{"type": "object"}"#);
        place.write("secret", "from a file\n");
        place.write("nightly.sh", "#!/bin/sh\n");
        let run = fs::Permissions::from_mode(0o755);
        fs::set_permissions(place.path("nightly.sh"), run).unwrap();
        place
    }

    fn with(name: &str, text: &str) -> Self {
        let place = Self::new();
        place.write(name, text);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn sources(&self) -> Sources {
        Sources::nowhere()
            .folder(self.0.path())
            .env([("PATH", "/usr/bin:/bin"), ("TOKEN", "t0ken")])
    }

    fn load(&self) -> Result<Config, ConfigError> {
        self.sources().load()
    }
}

/// Loads this YAML, which must be fine.
fn yaml(text: &str) -> Config {
    Place::with("longshore.yaml", text).load().unwrap_or_else(|error| panic!("{error}"))
}

/// Loads this file, which must be refused; returns the faults, with the folder left out.
fn faults_of(name: &str, text: &str) -> Vec<String> {
    let place = Place::with(name, text);
    let error = place.load().expect_err("it must be refused");
    shown(&error, place.0.path())
}

fn faults(text: &str) -> Vec<String> {
    faults_of("longshore.yaml", text)
}

fn shown(error: &ConfigError, folder: &Path) -> Vec<String> {
    let folder = format!("{}/", folder.display());
    error.faults().iter().map(|fault| fault.to_string().replace(&folder, "")).collect()
}
