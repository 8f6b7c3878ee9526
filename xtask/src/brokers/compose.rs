//! Servers by docker, where nothing is installed: `deploy/compose.yaml`, a project of its own.

use super::engine::Engine;
use crate::{Error, cargo};
use std::path::Path;
use std::process::{Command, Stdio};

/// Docker's answer to one folder of servers.
pub(crate) struct Compose {
    project: String,
}

impl Compose {
    /// Takes the project of these servers: another folder's are another project.
    pub(crate) fn of(folder: &Path) -> Self {
        let path = folder.to_string_lossy().to_lowercase();
        let name = path.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        Self { project: format!("longshore{name}") }
    }

    /// Returns whether there is docker with compose, and its daemon answers.
    pub(crate) fn is_there() -> bool {
        let quiet = |args: &[&str]| {
            let status = Command::new("docker")
                .args(args)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            status.is_ok_and(|status| status.success())
        };
        quiet(&["compose", "version"]) && quiet(&["info"])
    }

    /// Starts a server and waits until it is healthy.
    pub(crate) fn up(&self, engine: &Engine, port: u16) -> Result<(), Error> {
        let mut command = self.command();
        command.args(["up", "--detach", "--wait", "--quiet-pull", engine.name]);
        command.env(variable(engine), port.to_string()).stdout(Stdio::null());
        done(command.status()?.success(), "up")
    }

    /// Stops a server; with `purge` its data go as well.
    pub(crate) fn down(&self, engine: &Engine, purge: bool) -> Result<(), Error> {
        let mut command = self.command();
        command.args(["rm", "--force", "--stop"]).args(purge.then_some("--volumes"));
        command.arg(engine.name).stdout(Stdio::null());
        done(command.status()?.success(), "rm")?;
        if !purge {
            return Ok(());
        }
        let volume = format!("{}_{}", self.project, engine.name);
        let removed = Command::new("docker")
            .args(["volume", "rm", "--force", &volume])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        done(removed.success(), "volume rm")
    }

    /// Returns whether a server runs.
    pub(crate) fn is_running(&self, engine: &Engine) -> bool {
        let mut command = self.command();
        command.args(["ps", "--quiet", "--status", "running", engine.name]);
        command
            .stderr(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success() && !output.stdout.trim_ascii().is_empty())
    }

    /// Returns the image that a server is made of.
    pub(crate) fn image(&self, engine: &Engine) -> Result<String, Error> {
        let output = self.command().args(["config", "--images", engine.name]).output()?;
        done(output.status.success(), "config")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn command(&self) -> Command {
        let mut command = Command::new("docker");
        command.args(["compose", "--project-name", &self.project, "--file"]);
        command.arg(cargo::root().join("deploy/compose.yaml")).stdin(Stdio::null());
        command
    }
}

/// The variable that moves an engine's port in the file.
fn variable(engine: &Engine) -> String {
    format!("LONGSHORE_{}_PORT", engine.name.to_uppercase())
}

fn done(succeeded: bool, what: &str) -> Result<(), Error> {
    if succeeded { Ok(()) } else { Err(format!("docker compose {what} failed").into()) }
}

#[cfg(test)]
mod tests {
    use super::variable;
    use crate::{brokers::engine::ENGINES, cargo};

    /// The lines of a service, without indentation.
    fn service<'a>(file: &'a str, name: &str) -> Vec<&'a str> {
        let services = file.split_once("\nservices:\n").unwrap().1;
        let head = format!("  {name}:");
        services
            .lines()
            .skip_while(|line| *line != head)
            .skip(1)
            .take_while(|line| line.is_empty() || line.starts_with("    "))
            .map(str::trim)
            .collect()
    }

    #[test]
    fn every_engine_is_in_the_file_pinned_checked_and_on_loopback() {
        let file = std::fs::read_to_string(cargo::root().join("deploy/compose.yaml")).unwrap();
        for engine in ENGINES {
            let lines = service(&file, engine.name);
            let image = lines.iter().find_map(|line| line.strip_prefix("image: ")).unwrap();
            let (_, tag) = image.split_once(':').unwrap();
            assert!(tag.matches('.').count() >= 1 && tag != "latest", "{image}");
            assert!(lines.contains(&"healthcheck:"), "{}", engine.name);
            let port = format!("- \"127.0.0.1:${{{}:-", variable(engine));
            assert!(lines.iter().any(|line| line.starts_with(&port)), "{port}");
            assert!(!lines.contains(&"network_mode: host"));
        }
        let published = file.lines().filter(|line| line.contains("_PORT:-"));
        assert!(published.clone().count() >= ENGINES.len());
        for line in published {
            assert!(line.trim().starts_with("- \"127.0.0.1:"), "{line}");
        }
    }
}
