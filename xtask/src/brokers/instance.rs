//! One server that was started here: its folder, and the note in it.

use super::process::Process;
use crate::Error;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// How a server is run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum By {
    /// As a process of what is installed; nothing while it does not run.
    Process(Option<Process>),
    /// By docker compose.
    Docker,
}

/// What was noted when a server was started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Instance {
    /// Its port of loopback, kept as long as its data are.
    pub(crate) port: u16,
    /// The version of the engine.
    pub(crate) version: String,
    /// How it is run.
    pub(crate) by: By,
}

impl Instance {
    /// Reads the note in a folder; nothing if there never was a server.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let file = note(folder);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{}: {error}", file.display()).into()),
        };
        let parsed = serde_json::from_str(&text).ok().and_then(|value| Self::parse(&value));
        parsed.map(Some).ok_or_else(|| format!("{} cannot be read", file.display()).into())
    }

    /// Writes the note; a reader sees the old one or the new one.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder)?;
        let beside = folder.join("instance.new");
        std::fs::write(&beside, format!("{:#}\n", self.value()))?;
        Ok(std::fs::rename(beside, note(folder))?)
    }

    fn value(&self) -> Value {
        let (by, process) = match self.by {
            By::Process(process) => ("process", process),
            By::Docker => ("docker", None),
        };
        json!({
            "port": self.port,
            "version": self.version,
            "by": by,
            "pid": process.map(|process| process.pid),
            "started": process.map(|process| process.started),
        })
    }

    fn parse(value: &Value) -> Option<Self> {
        let process = || {
            let pid = value["pid"].as_u64()?.try_into().ok()?;
            Some(Process { pid, started: value["started"].as_u64()? })
        };
        let by = match value["by"].as_str()? {
            "process" => By::Process(process()),
            "docker" => By::Docker,
            _ => return None,
        };
        let version = value["version"].as_str()?.to_owned();
        Some(Self { port: value["port"].as_u64()?.try_into().ok()?, version, by })
    }
}

fn note(folder: &Path) -> PathBuf {
    folder.join("instance.json")
}

#[cfg(test)]
mod tests {
    use super::{By, Instance, Process};

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Instance::read(folder.path()).unwrap(), None);
        for by in [
            By::Process(None),
            By::Process(Some(Process { pid: 7, started: u64::MAX })),
            By::Docker,
        ] {
            let instance = Instance { port: 4321, version: "15.18".to_owned(), by };
            instance.write(folder.path()).unwrap();
            assert_eq!(Instance::read(folder.path()).unwrap(), Some(instance));
        }
    }

    #[test]
    fn a_note_that_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("instance.json"), "{\"port\": 1").unwrap();
        let error = Instance::read(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("instance.json cannot be read"), "{error}");
    }
}
