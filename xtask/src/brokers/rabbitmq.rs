//! RabbitMQ among the engines.

use super::engine::{Engine, Installed};
use crate::{Error, needs::Need};
use longshore_servers::rabbitmq::{Node, RabbitMq, url};
use std::path::Path;
use std::process::Command;

/// Its line in the table.
pub(crate) const ENGINE: Engine = Engine {
    name: "rabbitmq",
    need: Need::found("RabbitMQ", RabbitMq::is_installed, &["rabbitmq-server"]),
    variable: "LONGSHORE_TEST_RABBITMQ_URL",
    url,
    installed: || Ok(Box::new(RabbitMq::installed()?)),
    stop: &["TERM"],
};

impl Installed for RabbitMq {
    fn version(&self) -> Result<String, Error> {
        Ok(RabbitMq::version(self)?)
    }

    fn make(&self, folder: &Path, port: u16) -> Result<(), Error> {
        Ok(RabbitMq::make(self, &node(folder, port)?)?)
    }

    fn serve(&self, folder: &Path, port: u16) -> Result<Command, Error> {
        Ok(RabbitMq::serve(self, &node(folder, port)?, false))
    }

    fn is_ready(&self, port: u16) -> bool {
        RabbitMq::is_ready(port)
    }
}

/// Its further ports are free ones at each start.
fn node(folder: &Path, port: u16) -> Result<Node, Error> {
    let folder = folder.join("node");
    let free = longshore_servers::free_port;
    Ok(Node { folder, port, tools_port: free()?, register_port: free()? })
}
