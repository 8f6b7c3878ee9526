//! Processes that die with the tests.

use std::process::{Child, Command};

/// Starts a process on a thread that lives as long as this process: its death signal is bound to the thread that
/// starts it.
pub(crate) fn keeper(mut command: Command) -> Result<Child, String> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("keeper".to_owned())
        .spawn(move || {
            let _ = tell.send(command.spawn().map_err(|error| error.to_string()));
            loop {
                std::thread::park();
            }
        })
        .map_err(|error| error.to_string())?;
    told.recv().map_err(|error| error.to_string())?
}
