//! Configuration files.

use crate::{Came, Target};
use longshore::config::Sources;
use tempfile::TempDir;

/// A file in one of the two forms.
pub(super) struct File {
    name: &'static str,
    file: &'static str,
    folder: TempDir,
}

impl File {
    pub(super) fn yaml() -> Self {
        Self::of("config_yaml", "longshore.yaml")
    }

    pub(super) fn toml() -> Self {
        Self::of("config_toml", "longshore.toml")
    }

    fn of(name: &'static str, file: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        Self { name, file, folder }
    }
}

impl Target for File {
    fn name(&self) -> &'static str {
        self.name
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "server:",
            "listen:",
            "drain:",
            "max_body:",
            "store:",
            "queues:",
            "slots:",
            "limit:",
            "rate:",
            "backlog:",
            "kinds:",
            "command:",
            "push:",
            "timeout:",
            "retry:",
            "strategy:",
            "max_attempts:",
            "base:",
            "factor:",
            "cap:",
            "jitter:",
            "on_error:",
            "match:",
            "then:",
            "schema:",
            "retention:",
            "telemetry:",
            "[server]",
            "[queues.default]",
            "[kinds.a]",
            " = ",
            "\n  ",
            "\n",
            "- ",
            "{",
            "}",
            "[",
            "]",
            "&a ",
            "*a",
            "<<: ",
            "!!binary ",
            "|",
            ">",
            "---\n",
            "${HOME}",
            "${",
            "file:./x",
            "\"",
            "'",
            "256KiB",
            "500/s",
            "30s",
            "127.0.0.1:0",
        ]
    }

    /// What is refused is refused with a reason, at a place.
    fn feed(&mut self, input: &[u8]) -> Result<Came, String> {
        let path = self.folder.path().join(self.file);
        std::fs::write(&path, input).map_err(|error| error.to_string())?;
        let sources = Sources::nowhere().folder(self.folder.path()).env([("HOME", "/nowhere")]);
        match sources.load() {
            Ok(_) => Ok(Came::accepted("fine")),
            Err(error) => {
                let faults = error.faults();
                if faults.is_empty() || faults.iter().any(|fault| fault.message.is_empty()) {
                    return Err(format!("refused without a reason: {error:?}"));
                }
                let sign: String = faults[0].message.chars().take(24).collect();
                Ok(Came::refused(format!("{} {sign}", faults.len().min(3))))
            }
        }
    }
}
