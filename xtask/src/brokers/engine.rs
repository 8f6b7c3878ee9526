//! The table of engines, and what each of them must tell.

use super::{postgres, rabbitmq};
use crate::{Error, needs::Need};
use std::path::Path;
use std::process::Command;

/// An engine that Longshore works with.
pub(crate) struct Engine {
    /// Its name here, in the folders, and in `deploy/compose.yaml`.
    pub(crate) name: &'static str,
    /// What is to be installed.
    pub(crate) need: Need,
    /// The variable that hands the tests a server that is there.
    pub(crate) variable: &'static str,
    /// The address of a server on a port of loopback.
    pub(crate) url: fn(u16) -> String,
    /// Takes what is installed, or tells what is missing.
    pub(crate) installed: fn() -> Result<Box<dyn Installed>, Error>,
    /// The signals that stop it, the gentle one first.
    pub(crate) stop: &'static [&'static str],
}

/// An engine as it is installed on this machine.
pub(crate) trait Installed {
    /// Returns its version.
    fn version(&self) -> Result<String, Error>;

    /// Makes whatever a server on that port needs in its folder, unless it is there.
    fn make(&self, folder: &Path, port: u16) -> Result<(), Error>;

    /// Returns the call that serves that folder on that port of loopback, and goes on until it is stopped.
    fn serve(&self, folder: &Path, port: u16) -> Result<Command, Error>;

    /// Returns whether a server on that port can be used.
    fn is_ready(&self, port: u16) -> bool;
}

/// Every engine there is.
pub(crate) const ENGINES: &[Engine] = &[postgres::ENGINE, rabbitmq::ENGINE];
