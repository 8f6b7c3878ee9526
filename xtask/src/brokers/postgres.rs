//! PostgreSQL among the engines.

use super::engine::{Engine, Installed};
use crate::{Error, needs::Need};
use longshore_servers::postgres::{Postgres, url};
use std::path::Path;
use std::process::Command;

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

    fn make(&self, folder: &Path) -> Result<(), Error> {
        let data = folder.join("data");
        if !data.exists() {
            Postgres::make(self, &data)?;
        }
        Ok(())
    }

    fn serve(&self, folder: &Path, port: u16) -> Command {
        let data = folder.join("data");
        let mut command = self.account().command(self.program("postgres"));
        command.args(Postgres::serve(&data, port)).current_dir(data);
        command
    }

    fn is_ready(&self, port: u16) -> bool {
        Postgres::is_ready(self, port)
    }
}
