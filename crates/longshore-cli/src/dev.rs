//! `longshore dev`: the whole service in one process, with nothing else needed.

use crate::demo;
use crate::failure::Failure;
use crate::threads;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// How the service is run.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The folder that keeps the tasks; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "./longshore-data")]
    data: PathBuf,
    /// Takes tasks in without running any (for measuring).
    #[arg(long, hide = true)]
    accept_only: bool,
}

impl Dev {
    /// Runs until SIGINT or SIGTERM.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let threads = threads::of_the_door()?;
        let done = threads.block_on(self.serve());
        // A handler that never yields must not keep the process alive.
        threads.shutdown_background();
        done
    }

    async fn serve(self) -> Result<(), Failure> {
        let mut builder = demo::add_to(longshore::builder())
            .listen(self.listen)
            .store(format!("embedded:{}", self.data.display()));
        if self.accept_only {
            builder = builder.accept_only();
        }
        let signals = longshore::Signals::install()?;
        let service = builder.start().await?;
        self.greet(service.addr());
        match service.run(signals).await {
            longshore::Ended::Asked(_) => Ok(()),
            longshore::Ended::Failed(error) => Err(longshore::Error::Store(error).into()),
        }
    }

    fn greet(&self, addr: SocketAddr) {
        let version = env!("CARGO_PKG_VERSION");
        let data = self.data.display();
        anstream::eprintln!(
            "longshore {version} is ready: http://{addr} (docs: /docs, API: /docs/api), tasks are kept in {data}\n\
             \n\
             Try it:\n\
             \n  curl -s 'http://{addr}/v1/tasks?wait=5s' -H 'content-type: application/json' \
             -d '{{\"kind\":\"hello\",\"payload\":{{\"name\":\"you\"}}}}'\n\
             \n\
             Ctrl-C stops it."
        );
    }
}
