//! PostgreSQL: its programs, settings and address.
//!
//! Everybody on loopback is trusted as the user [`USER`]; only the user `locked`, whom tests of wrong passwords make,
//! needs one. Data are synced, as in earnest.

use crate::{Account, programs};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Owns everything in a server of ours, and needs no password.
pub const USER: &str = "longshore";

/// PostgreSQL as it is installed here.
#[derive(Clone, Debug)]
pub struct Postgres {
    programs: PathBuf,
    account: Account,
}

impl Postgres {
    /// Returns whether there is one, where Debian puts it or on the path.
    pub fn is_installed() -> bool {
        find().is_some()
    }

    /// Takes the newest that is installed. Started by root it will run as `postgres` or `nobody`, for it refuses to
    /// run as root. Tells what is missing.
    pub fn installed() -> Result<Self, String> {
        let programs = find().ok_or("PostgreSQL is not installed")?;
        Ok(Self { programs, account: Account::unprivileged(&["postgres", "nobody"])? })
    }

    /// Returns what it calls its version, as `15.18`.
    pub fn version(&self) -> Result<String, String> {
        let output = Command::new(self.program("postgres")).arg("--version").output();
        let output = output.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        version(&text).map(str::to_owned).ok_or_else(|| format!("a version {:?}", text.trim()))
    }

    /// Returns where one of its programs is.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Returns whom it runs as.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Makes the data of a new server. `data` is not there yet, or is what is left of a making that was cut off.
    pub fn make(&self, data: &Path) -> Result<(), String> {
        // Under another name first: under its own it is whole.
        let unfinished = data.with_extension("new");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).map_err(|error| error.to_string())?;
        }
        std::fs::create_dir_all(&unfinished).map_err(|error| error.to_string())?;
        self.account.own(&unfinished)?;
        let made = self
            .account
            .command(self.program("initdb"))
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--username", USER, "-D"])
            .arg(&unfinished)
            .current_dir(&unfinished)
            .output()
            .map_err(|error| error.to_string())?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr).trim()));
        }
        let file = unfinished.join("pg_hba.conf");
        let rules = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        std::fs::write(&file, format!("host all locked all scram-sha-256\n{rules}"))
            .and_then(|()| std::fs::rename(&unfinished, data))
            .map_err(|error| error.to_string())
    }

    /// Returns the arguments with which `postgres` serves these data on that port of loopback.
    pub fn serve(data: &Path, port: u16) -> Vec<String> {
        let mut args = vec!["-D".to_owned(), data.display().to_string()];
        for setting in [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "max_connections=300".to_owned(),
            "fsync=on".to_owned(),
        ] {
            args.extend(["-c".to_owned(), setting]);
        }
        args
    }

    /// Returns whether a server on that port takes connections.
    pub fn is_ready(&self, port: u16) -> bool {
        let asked = Command::new(self.program("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-U", USER, "-p", &port.to_string()])
            .status();
        asked.is_ok_and(|status| status.success())
    }
}

/// Returns the address of a server on that port.
pub fn url(port: u16) -> String {
    format!("postgres://{USER}@127.0.0.1:{port}/postgres")
}

fn find() -> Option<PathBuf> {
    programs::find(Path::new("/usr/lib/postgresql"), &["initdb", "postgres", "pg_isready"])
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn version(text: &str) -> Option<&str> {
    text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_version_is_read_from_what_the_program_says() {
        let text = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(version(text), Some("15.18"));
        assert_eq!(version("postgres (PostgreSQL) 19beta2\n"), Some("19beta2"));
        assert_eq!(version(""), None);
    }
}
