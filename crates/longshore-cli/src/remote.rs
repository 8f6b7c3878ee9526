//! The server that is asked: its address, and how a command that asks it is run.

use crate::exit::Exit;
use crate::failure::Failure;
use clap::Args;
use longshore::Client;
use longshore::core::Span;
use std::fmt;
use std::str::FromStr;

/// Which server is asked.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct Remote {
    /// Where the server is
    #[arg(
        long,
        value_name = "URL",
        env = "LONGSHORE_SERVER",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8080"
    )]
    server: String,
    /// The key that is shown to it
    /// (better by the variable, or as file:PATH: others see command lines)
    #[arg(
        long,
        value_name = "KEY",
        env = "LONGSHORE_KEY",
        hide_env_values = true,
        verbatim_doc_comment
    )]
    key: Option<Key>,
    /// How long one request may take
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    request_timeout: Span,
}

/// A secret that is never shown.
#[derive(Clone)]
struct Key(String);

impl FromStr for Key {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix("file:") else { return Ok(Self(text.to_owned())) };
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self(text.trim().to_owned())),
            Err(error) => Err(format!("{path} cannot be read: {error}")),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

impl Remote {
    /// Makes a client of it. Nothing is sent yet.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let client = Client::connect(&self.server)?.timeout(self.request_timeout.0);
        // An empty variable is none.
        Ok(match self.key.as_ref().filter(|key| !key.0.is_empty()) {
            Some(Key(key)) => client.key(key),
            None => client,
        })
    }

    /// Asks it, until the work is done or somebody presses Ctrl-C.
    pub(crate) fn run(
        &self,
        work: impl AsyncFnOnce(Client) -> Result<Exit, Failure>,
    ) -> Result<Exit, Failure> {
        let client = self.client()?;
        interruptible(async move { work(client).await })
    }
}

/// Works until it is done or somebody presses Ctrl-C.
pub(crate) fn interruptible(
    work: impl Future<Output = Result<Exit, Failure>>,
) -> Result<Exit, Failure> {
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let threads = threads.map_err(Failure::system("cannot start threads"))?;
    let done = threads.block_on(async {
        tokio::select! {
            done = work => done,
            Ok(()) = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
        }
    });
    // Whoever still reads from a terminal does not keep the program.
    threads.shutdown_background();
    done
}
