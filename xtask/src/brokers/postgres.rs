//! PostgreSQL among the engines.

use super::engine::{Engine, Installed};
use super::process::{someone_in, until};
use crate::{Error, needs::Need};
use longshore_servers::postgres::{Postgres, url};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long what is left of a killed server may take to see it, and end.
const AFTERMATH: Duration = Duration::from_secs(20);

/// Its line in the table.
pub(crate) const ENGINE: Engine = Engine {
    name: "postgres",
    need: Need::found("PostgreSQL", Postgres::is_installed, &["postgresql"]),
    variable: "LONGSHORE_TEST_POSTGRES_URL",
    url,
    installed: || Ok(Box::new(Postgres::installed()?)),
    // Fast, then immediate: it never waits for clients to leave.
    stop: &["INT", "QUIT"],
};

impl Installed for Postgres {
    fn version(&self) -> Result<String, Error> {
        Ok(Postgres::version(self)?)
    }

    fn make(&self, folder: &Path, _: u16) -> Result<(), Error> {
        let data = folder.join("data");
        if !data.exists() {
            Postgres::make(self, &data)?;
        }
        forget_the_dead(&data)
    }

    fn serve(&self, folder: &Path, port: u16) -> Result<Command, Error> {
        let data = folder.join("data");
        let mut command = self.account().command(self.program("postgres"));
        command.args(Postgres::serve(&data, port)).current_dir(data);
        Ok(command)
    }

    fn is_ready(&self, port: u16) -> bool {
        Postgres::is_ready(self, port)
    }
}

/// Removes the lock of a server that was killed, once nobody works in its data. PostgreSQL does so itself, but not
/// while its number is still taken: by somebody else, or by the dead one where nobody buries orphans.
fn forget_the_dead(data: &Path) -> Result<(), Error> {
    let lock = data.join("postmaster.pid");
    if !lock.exists() {
        return Ok(());
    }
    let data = data.canonicalize()?;
    let mut left = None;
    until(AFTERMATH, || {
        left = someone_in(&data);
        left.is_none()
    });
    match left {
        Some(pid) => Err(format!("process {pid} works in {}", data.display()).into()),
        None => Ok(std::fs::remove_file(lock)?),
    }
}
